"""A user who waits for the compiler reads so, once; one who does not wait does not."""

import subprocess
import sys

import pytest

PROGRAM = """
import logging, threading
import numpy as np
logging.basicConfig(level="INFO", format="%(name)s %(levelname)s %(message)s")
from xct.reconstruct.inputs import refuse_nonfinite
for dtype in (np.float32, np.float64):
    refuse_nonfinite(np.ones((2, 3, 4), dtype))
"""


def said(folder):
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={"NUMBA_CACHE_DIR": str(folder), "PATH": ""},
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    return run.stderr.splitlines()


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """What two processes said that shared a new folder for compiled kernels."""
    folder = tmp_path_factory.mktemp("kernels")
    return said(folder), said(folder)


def test_one_line_says_that_kernels_are_compiled(runs):
    assert len(runs[0]) == 1
    assert runs[0][0].startswith("xct INFO compiling kernels")


def test_nothing_is_said_when_they_are_on_disk(runs):
    assert runs[1] == []
