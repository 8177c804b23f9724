"""Whole runs with `iterative` in place of `fbp`, and on scans of other layouts."""

import numpy as np
import pytest

import xct
from tests.scans import write_dxchange
from xct.errors import RunError

pytestmark = pytest.mark.filterwarnings("ignore:.*angles for.*")


def run(folder, pipeline, **changes):
    file = folder / "scan.h5"
    if not file.exists():
        write_dxchange(file)
    text = {"scan": {"file": str(file)}, "pipeline": pipeline, "output": str(folder / pipeline)}
    text["run"] = {"figures": "none"}
    return xct.run({**text, **changes})


def values(result):
    return np.asarray(result.volume[:])


def test_a_run_gives_what_fbp_gives_but_smoother_and_nowhere_below_zero(tmp_path):
    direct, solved = run(tmp_path, "reconstruct"), run(tmp_path, "iterative")
    by_fbp, by_iterations = values(direct), values(solved)
    assert by_iterations.shape == by_fbp.shape
    assert by_iterations.min() == 0
    assert np.corrcoef(by_fbp.ravel(), by_iterations.ravel())[0, 1] > 0.95
    assert by_iterations.sum() == pytest.approx(by_fbp.sum(), rel=0.03)
    assert np.abs(np.diff(by_iterations)).sum() < np.abs(np.diff(by_fbp)).sum()
    told = {w["message"] for w in solved.warnings} - {w["message"] for w in direct.warnings}
    assert told == set()


def test_a_run_that_sees_a_part_of_the_sample_ends_with_the_remedy(tmp_path):
    write_dxchange(tmp_path / "scan.h5")
    cut = {
        "file": str(tmp_path / "scan.h5"),
        "roi": {"column": [40, 150]},
        "center_px": 52.3,
    }
    with pytest.raises(RunError, match=r"sample reaches beyond them.*use the step fbp"):
        run(tmp_path, "iterative", scan=cut)
