"""Sample data: a small cell, made on the spot. In: a click in napari's menu; out: its layers."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path
from typing import Any

from xct.plugin.data.reader import get_reader

_STATE = "ncm-100"


def small_cell() -> list[Any]:
    """Make a cycled virtual cell, known exactly, with materials, particles, surfaces and tables.

    It is drawn once and kept; what is opened is a copy in a temporary folder, which goes when
    napari does.

    Returns
    -------
    list of layer data
        As napari's readers give them.
    """
    from xct.bench.examples import example_truth

    home = Path(tempfile.mkdtemp(prefix="xct-sample-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    truth = home / _STATE / "truth"
    shutil.copytree(example_truth(_STATE), truth)
    read = get_reader(str(truth))
    return [] if read is None else read(str(truth))
