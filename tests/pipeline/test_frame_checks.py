"""A run says which frames are no good, leaves them out, and gives what it would without them."""

import json
from dataclasses import replace

import h5py
import numpy as np
import pytest

import xct
from tests.scans import CENTER_PX, PIXEL_SIZE_UM, counts, line_integrals, write_dxchange
from xct.errors import ConfigError, RunError
from xct.phantom.writing import write_phantom
from xct.pipeline.checks.light import light_numbers, look_at_light
from xct.preprocess.frames.beside import light_beside
from xct.preprocess.frames.coarse import coarse_frames
from xct.preprocess.frames.faults import Seen, judge

ROWS, COLUMNS, ANGLES = 6, 96, 90
DISCS = np.array([[3, 2, 30, 0.006], [12, 16, 6, 0.04], [-20, 9, 5, 0.04]])
CENTER = CENTER_PX - 46


def write(path, change=None):
    integrals = line_integrals(ROWS, COLUMNS, ANGLES, DISCS, CENTER)
    write_dxchange(path, integrals)
    if change is not None:
        with h5py.File(path, "r+") as file:
            change(file["exchange"])
    return path


def run(tmp_path, change=None, steps=None, pipeline=None, **scan):
    """Run what frames are for, unless a recipe is named: what follows does not look at them."""
    path, recipe = write(tmp_path / "scan.h5", change), tmp_path / "frames.yaml"
    names = ("flat_field", "line_integrals", "fill_nonpositive", "fbp")
    recipe.write_text("".join(f"- {name}\n" for name in names), encoding="utf-8")
    result = xct.run(
        {
            "scan": {"file": str(path), "center_px": CENTER, **scan},
            "steps": steps or {},
            "output": str(tmp_path / "out"),
            "pipeline": pipeline or str(recipe),
            "run": {"figures": "png" if pipeline else "none"},
        }
    )
    return result


def summary(result):
    return json.loads((result.path / "summary.json").read_text(encoding="utf-8"))


def messages(result):
    return [w["message"] for w in summary(result)["warnings"] if w["step"] == "frames"]


def body(result):
    """Mean μ of the large disc over its truth, in all rows."""
    volume = np.asarray(result.volume[:])
    y, x = np.indices(volume.shape[1:]) - (COLUMNS - 1) / 2
    by_row = volume[:, np.hypot(y - 2, x - 3) < 8].mean(axis=1)
    truth = DISCS[0, 3] * (1 + 0.01 * np.arange(ROWS)) / (PIXEL_SIZE_UM * 1e-4)
    return float(np.mean(by_row / truth))


def black(*frames):
    def change(exchange):
        for frame in frames:
            exchange["data"][frame] = 0

    return change


def test_a_plain_scan_loses_no_frame_and_gets_no_warning(tmp_path):
    result = run(tmp_path, pipeline="reconstruct")
    assert messages(result) == []
    numbers = summary(result)
    assert [numbers[f"{kind}_left_out"]["value"] for kind in ("projections", "flats", "darks")] == [
        0,
        0,
        0,
    ]
    assert numbers["transmission_beside"]["value"] == pytest.approx(1, abs=3e-3)
    assert (result.path / "figures" / "frame_light.png").is_file()


def test_black_frames_are_named_counted_and_change_nothing(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    found = run(tmp_path / "a", black(20, 21, 60))
    assert messages(found) == ["projections 20–21, 60 are left out: hardly any light"]
    assert summary(found)["projections_left_out"]["value"] == 3
    named = run(tmp_path / "b", black(20, 21, 60), leave_out={"projections": [20, 21, 60]})
    assert messages(named) == []
    assert summary(named)["projections_left_out"]["value"] == 3
    np.testing.assert_array_equal(np.asarray(found.volume[:]), np.asarray(named.volume[:]))


def test_numbers_are_those_of_the_file_where_others_were_named_before(tmp_path):
    result = run(tmp_path, black(20, 60), leave_out={"projections": [20]})
    assert messages(result) == ["projection 60 is left out: hardly any light"]
    assert summary(result)["projections_left_out"]["value"] == 2


def test_frames_are_kept_where_the_user_says_so(tmp_path):
    result = run(tmp_path, black(20), leave_out={"found": False})
    assert messages(result) == []
    assert summary(result)["projections_left_out"]["value"] == 0


def test_a_run_that_goes_on_leaves_out_the_same_frames(tmp_path):
    first = run(tmp_path, black(20))
    before = np.asarray(first.volume[:])
    for note in (first.path / ".xct").glob("slab-*.json"):
        note.unlink()
    (first.path / "summary.json").unlink()
    again = run(tmp_path, black(20))
    np.testing.assert_array_equal(np.asarray(again.volume[:]), before)
    assert messages(again) == ["projection 20 is left out: hardly any light"]


def test_a_scan_of_mostly_black_frames_is_refused(tmp_path):
    with pytest.raises(RunError, match="60 of 90 projections are no good"):
        run(tmp_path, black(*range(60)))


def test_a_scan_behind_a_closed_shutter_is_refused_by_its_cause(tmp_path):
    with pytest.raises(RunError, match=r"hold no light.* shutter was closed"):
        run(tmp_path, black(*range(ANGLES)))


def test_what_the_rest_of_an_aborted_scan_lacks_is_said(tmp_path):
    result = run(tmp_path, black(*range(60, 90)))
    assert messages(result)[0] == "projections 60–89 are left out: hardly any light"
    assert any("less than 180°" in message for message in messages(result))


def test_lit_darks_and_blocked_flats_do_not_reach_the_slices(tmp_path):
    def change(exchange):
        exchange["data_dark"][2] = exchange["data_white"][0] // 2
        exchange["data_white"][5] = exchange["data"][40]

    result = run(tmp_path, change)
    assert messages(result) == [
        "dark 2 is left out: light",
        "flat 5 is left out: a shadow that the others do not have",
    ]
    assert body(result) == pytest.approx(1, rel=0.01)


def test_flats_of_another_exposure_are_said_and_the_remedy_holds(tmp_path):
    def change(exchange):
        exchange["data_white"][:] = counts(np.full((8, ROWS, COLUMNS), np.log(2.0)), seed=1)

    (tmp_path / "a").mkdir()
    said = messages(run(tmp_path / "a", change))
    assert len(said) == 1
    assert "scan.flat_exposure_ratio: 2" in said[0]
    for name, remedy in (
        ("b", {"flat_exposure_ratio": 2.0}),
        ("c", {"steps": {"flat_field": {"dose": "beside"}}}),
    ):
        (tmp_path / name).mkdir()
        assert body(run(tmp_path / name, change, **remedy)) == pytest.approx(1, rel=0.01)


def test_flats_that_all_hold_the_sample_are_said(tmp_path):
    def change(exchange):
        exchange["data_white"][:] = exchange["data"][3:11]

    said = messages(run(tmp_path, change))
    assert any("the flats hold the shadow of the sample" in message for message in said)


def test_light_that_drifts_is_said_and_the_remedy_holds(tmp_path):
    def change(exchange):
        integrals = line_integrals(ROWS, COLUMNS, ANGLES, DISCS, CENTER)
        decay = -np.log(np.linspace(1, 0.8, ANGLES))[:, None, None]
        exchange["data"][:] = counts(integrals + decay)

    (tmp_path / "a").mkdir()
    assert any("drifts by" in m or "not 1" in m for m in messages(run(tmp_path / "a", change)))
    (tmp_path / "b").mkdir()
    steps = {"flat_field": {"dose": "beside"}}
    assert body(run(tmp_path / "b", change, steps=steps)) == pytest.approx(1, rel=0.01)


def test_a_dose_by_light_that_is_not_in_view_is_refused(tmp_path):
    def change(exchange):
        wide = line_integrals(ROWS, COLUMNS, ANGLES, np.array([[0, 0, 70, 0.006]]), CENTER)
        exchange["data"][:] = counts(wide)

    with pytest.raises(RunError, match="no column shows air"):
        run(tmp_path, change, steps={"flat_field": {"dose": "beside"}})


def test_a_beam_narrower_than_the_detector_is_refused_with_its_columns(tmp_path):
    def change(exchange):
        for name, offset in (("data", 100), ("data_white", 100)):
            for columns in (slice(0, 10), slice(88, None)):
                exchange[name][..., columns] = offset

    with pytest.raises(RunError, match=r"scan.roi: \{column: \[10, 88\]\}"):
        run(tmp_path, change)


def test_extra_frames_after_the_scan_tell_how_far_the_sample_moved(tmp_path):
    def change(exchange):
        theta = np.append(np.linspace(0, 180, ANGLES - 2), [90.0, 0.0])
        scale = (1 + 0.01 * np.arange(ROWS))[:, None]
        from xct.phantom.discs import project_discs

        main = project_discs(DISCS, theta[:-2], COLUMNS, CENTER)
        moved = project_discs(DISCS, theta[-2:], COLUMNS, CENTER + 3)
        exchange["data"][:] = counts(np.concatenate([main, moved])[:, None] * scale)
        exchange["theta"][:] = theta

    [message] = messages(run(tmp_path, change))
    assert message.startswith("projections 87–89 are left out: taken after the scan")
    assert float(message.split("the sample lies ")[1].split(" px")[0]) == pytest.approx(3, abs=0.2)


def test_frames_that_do_not_exist_are_refused_all_at_once(tmp_path):
    with pytest.raises(ConfigError) as refused:
        run(tmp_path, leave_out={"projections": [90], "flats": [8], "darks": [0]})
    text = str(refused.value)
    assert "no frame 90 among the projections" in text
    assert "no frame 8 among the flats" in text


def test_a_dead_pixel_in_a_starved_scan_does_not_end_the_run(tmp_path):
    """It is filled from others of which some are not positive either."""

    def change(exchange):
        dense = line_integrals(ROWS, COLUMNS, ANGLES, np.array([[0, 0, 40, 0.08]]), CENTER)
        exchange["data"][:] = counts(dense, beam=2000.0)
        for name in ("data", "data_white", "data_dark"):
            exchange[name][:, 2, 50] = 4000

    result = run(tmp_path, change, pipeline="reconstruct")
    assert np.isfinite(np.asarray(result.volume[:])).all()


def test_darks_are_not_blamed_for_more_than_they_read(tmp_path):
    """Edges of steel blur before the logarithm, which changes a sample's mass from view to view."""
    write_phantom("ncm-50", tmp_path / "cell", shape=(80, 160, 160), angles=120, seed=5)
    cell = xct.read_scan(tmp_path / "cell" / "raw" / "ncm-50.nxs")

    def coarse(view):
        return coarse_frames(lambda row: view.read(rows=slice(row, row + 1))[:, 0], view.shape)

    seen = Seen(coarse(cell.projections), coarse(cell.flats), coarse(cell.darks), cell.theta_deg)
    transmission = judge(seen).transmission
    light = look_at_light(cell, transmission, light_beside(transmission), None)
    assert light.darks.bound
    assert light.darks.of_light < 0.003
    assert "dark_excess" not in dict(light_numbers(light, 2.0))
    brighter = transmission.copy()
    brighter[:, :, :4] *= 1.3  # as a fringe
    air = light_beside(transmission)
    assert look_at_light(cell, brighter, air, None).shadowed
    assert not look_at_light(replace(cell, distance_mm=300.0), brighter, air, None).shadowed
