"""Columns that were interpolated are counted and named, whatever the slabs."""

import h5py
import numpy as np
import pytest

import xct
from tests.scans import CENTER_PX, ROWS, line_integrals, write_dxchange
from xct.config.model import Config
from xct.config.recipe import load_steps
from xct.config.sources import open_scan
from xct.pipeline.slabs import BANDS, Slabs

STUCK, DEAD, BLOCK = slice(120, 134), slice(60, 76), slice(4, 9)


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    """A camera with a stuck block in some rows, a dead band, and a stuck column, all rows."""
    path = write_dxchange(tmp_path_factory.mktemp("scan") / "scan.h5", line_integrals())
    with h5py.File(path, "r+") as file:
        data = file["exchange/data"]
        data[:, BLOCK, STUCK] = 9000
        data[:, :, 30] = 7000
        for name in ("data", "data_white", "data_dark"):
            file["exchange"][name][:, :, DEAD] = 100
    return path


def config(scan, **more):
    return {
        "scan": {"file": str(scan), "center_px": CENTER_PX},
        "pipeline": "reconstruct",
        "output": str(scan.parent / "out"),
        "run": {"figures": "none"},
        **more,
    }


def test_a_run_counts_and_names_what_it_interpolated(scan):
    summary = xct.run(config(scan)).summary
    mended, bridged = summary["mended_columns"], summary["bridged_pixels"]
    assert mended["value"] == ROWS + 5 * 14
    assert mended["bands"] == [{"columns": [120, 133], "rows": "4–8"}]
    assert bridged["value"] == ROWS * 12  # 2 from either side are near good pixels
    assert bridged["bands"] == [{"columns": [62, 73], "rows": f"0–{ROWS - 1}"}]
    said = {entry["step"]: entry["message"] for entry in summary["warnings"]}
    assert "columns 120–133 (rows 4–8) are dead, stuck or wander" in said["stripes"]
    assert "columns 62–73" in said["fill_dead_pixels"]
    assert summary["stripe_way"]["value"] in ("none", "profile", "both")


def test_a_scan_without_faults_counts_nothing_and_is_not_warned_of(tmp_path):
    path = write_dxchange(tmp_path / "scan.h5")
    summary = xct.run(config(path)).summary
    assert summary["mended_columns"]["value"] == summary["bridged_pixels"]["value"] == 0
    assert "bands" not in summary["mended_columns"]
    assert not [w for w in summary["warnings"] if w["step"] in ("stripes", "fill_dead_pixels")]


@pytest.mark.parametrize("height", [1, 3, 7])
def test_bands_do_not_depend_on_the_slabs(scan, height):
    made = Config.model_validate(config(scan))
    steps = [s for s in load_steps(made) if not s.stage.sample and "volume" not in s.stage.gives]
    steps = [s for s in steps if s.name != "align"]  # it needs an axis, which is not looked for
    slabs = Slabs(open_scan(made))
    whole, whole_counts = slabs.run(0, ROWS, ["line_integrals"], steps)
    for first in range(0, ROWS, height):
        stop = min(first + height, ROWS)
        part, counts = slabs.run(first, stop, ["line_integrals"], steps)
        np.testing.assert_array_equal(
            part["line_integrals"], whole["line_integrals"][:, first:stop]
        )
        for name, values in counts.items():
            expected = whole_counts[name]
            if name.endswith(BANDS):
                triples = [expected[n : n + 3] for n in range(0, len(expected), 3)]
                expected = [v for band in triples if first <= band[0] < stop for v in band]
                assert values == expected
            else:
                assert values == expected[first:stop]
