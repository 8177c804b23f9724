"""Bands of rows that the look at whole frames does not see are mended by slabs, and said."""

import json

import h5py
import numpy as np
import pytest

import xct
from tests.scans import CENTER_PX, line_integrals, write_dxchange
from xct.errors import RunError
from xct.pipeline.reconstruction import write_slabs
from xct.preprocess.frames.coarse import chosen_rows

ROWS, COLUMNS, ANGLES = 60, 64, 90
DISCS = np.array([[3, 2, 20, 0.006], [8, 10, 4, 0.04]])
CENTER = CENTER_PX - 60
BAND = slice(9, 12)  # the look at whole frames takes rows 8 and 12


def run(tmp_path, change, *, rewrite=True, **settings):
    path = tmp_path / "scan.h5"
    if rewrite:
        write_dxchange(path, line_integrals(ROWS, COLUMNS, ANGLES, DISCS, CENTER))
        with h5py.File(path, "r+") as file:
            change(file["exchange"])
    scan = {"file": str(path), "center_px": CENTER, **settings.pop("scan", {})}
    how = {"figures": "none", **settings.pop("run", {})}
    return xct.run({"scan": scan, "output": str(tmp_path / "out"), "run": how, **settings})


def summary(result):
    return json.loads((result.path / "summary.json").read_text(encoding="utf-8"))


def messages(result):
    return [w["message"] for w in summary(result)["warnings"] if w["step"] == "frames"]


def dropped(exchange):
    exchange["data"][20] = 0  # a whole frame: numbers are those of the file all the same
    exchange["data"][40, BAND] = 0
    exchange["data"][41, BAND] = 0


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return run(tmp_path_factory.mktemp("plain"), lambda exchange: None)


def test_a_plain_scan_gets_no_warning_and_no_number(plain):
    assert messages(plain) == []
    assert "frame_rows_mended" not in summary(plain)


def test_a_dropped_band_is_named_counted_and_does_not_reach_the_slices(tmp_path, plain):
    result = run(tmp_path, dropped)
    said = [message for message in messages(result) if message.startswith("rows")]
    assert len(said) == 1
    assert said[0].startswith("rows 9–11 of projections 40–41: unlike the same rows")
    number = summary(result)["frame_rows_mended"]
    assert number["value"] == 6
    assert number["which"] == [{"projections": "40–41", "rows": "9–11"}]
    clean, mended = (np.asarray(each.volume[:])[BAND] for each in (plain, result))
    kept = run_kept(tmp_path)
    assert np.std(mended - clean) < 0.25 * np.std(np.asarray(kept.volume[:])[BAND] - clean)


def run_kept(tmp_path):
    (tmp_path / "kept").mkdir()
    return run(tmp_path / "kept", dropped, scan={"leave_out": {"found": False}})


def test_slabs_of_another_height_give_the_same(tmp_path):
    volumes = []
    for name, memory in (("a", 0.8), ("b", 4.0)):
        (tmp_path / name).mkdir()
        result = run(tmp_path / name, dropped, run={"memory_gib": memory, "workers": 1})
        volumes.append((np.asarray(result.volume[:]), messages(result)))
    np.testing.assert_array_equal(volumes[0][0], volumes[1][0])
    assert volumes[0][1] == volumes[1][1]


def test_a_band_of_a_flat_is_said(tmp_path):
    def change(exchange):
        exchange["data_white"][5, BAND] = 0

    assert messages(run(tmp_path, change)) == [
        "rows 9–11 of flat 5: unlike the same rows of the other frames, and replaced by the median "
        "of the others; leave such frames out by scan.leave_out.flats, or keep them by "
        "scan.leave_out.found: false"
    ]


def test_rows_that_many_frames_lack_are_said_to_be_no_good(tmp_path):
    def change(exchange):
        data = exchange["data"][:]
        data[::6, BAND] = 0
        exchange["data"][:] = data

    [message] = messages(run(tmp_path, change))
    assert message.startswith("rows 9–11: unlike the rest in up to 15 of 90 projections")


def lost_but_in_the_rows_looked_at(exchange):
    rows = np.setdiff1d(np.arange(ROWS), chosen_rows(ROWS))
    frame = exchange["data"][40]
    frame[rows] = 100
    exchange["data"][40] = frame


def test_a_frame_found_late_to_be_no_good_is_left_out_and_the_pass_begins_again(
    tmp_path, monkeypatch
):
    """As if the user had left it out; also where the run is killed within the second pass."""
    passes = []

    def killed(job, *work):
        passes.append(job.plan.scan.projections.shape[0])
        if len(passes) == 2:
            raise MemoryError
        write_slabs(job, *work)

    monkeypatch.setattr("xct.pipeline.runner.write_slabs", killed)
    with pytest.raises(RunError, match="out of memory"):
        run(tmp_path, lost_but_in_the_rows_looked_at)
    result = run(tmp_path, lambda exchange: None, rewrite=False)
    assert passes == [ANGLES, ANGLES - 1, ANGLES - 1]
    assert messages(result) == [
        "projection 40 is left out: no good in up to 44 of 60 rows, which the look at 16 rows of "
        "all frames did not show; what the frames say of the whole scan was estimated again, and "
        "all slices were made anew without it"
    ]
    assert summary(result)["projections_left_out"]["value"] == 1
    (tmp_path / "told").mkdir()
    scan = {"leave_out": {"projections": [40]}}
    told = run(tmp_path / "told", lost_but_in_the_rows_looked_at, scan=scan)
    np.testing.assert_array_equal(result.volume[:], told.volume[:])
