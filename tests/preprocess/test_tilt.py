"""A rotation axis that leans is seen, said with its uncertainty, and put upright."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

from xct.phantom.discs import project_discs, random_discs
from xct.phantom.scan.optics import turn
from xct.preprocess.center.rotation_axis import find_center
from xct.preprocess.center.tilt import AxisTilt, find_tilt, tilt_likely, tilt_message, tilt_number
from xct.preprocess.resampling import align
from xct.reconstruct import fbp
from xct.segment.basis import stage_unsteady
from xct.stages import STAGES, in_blocks

ROWS, COLUMNS, CENTER = 60, 128, 66.2
THETA = np.linspace(0, 180, 181)
LOOKED_AT = np.r_[5:9, 28:32, 51:55]


def cylinders(tilt_deg=0.0, noise=0.01, seed=0, rows=ROWS):
    """Line integrals of discs that last over some rows each, seen with a tilted axis."""
    rng = np.random.default_rng(seed)
    heights = [random_discs(14, 100, seed=seed * 10 + k) for k in range(rows // 15 + 1)]
    sinograms = [project_discs(discs, THETA, COLUMNS, CENTER) for discs in heights]
    z = np.arange(rows) / 15
    low, part = z.astype(int), (z % 1)[:, None]
    stack = np.stack(sinograms, axis=1)
    blended = (1 - part) * stack[:, low] + part * stack[:, low + 1]
    blended /= blended.max()
    about = ((rows - 1) / 2, CENTER)
    seen = np.stack([turn(frame.astype(np.float32), tilt_deg, about) for frame in blended])
    return (seen + rng.normal(0, noise, seen.shape)).astype(np.float32)


@pytest.mark.parametrize("tilt_deg", [0.5, -1.2, 3.0])
def test_tilt_is_found_with_its_uncertainty(tilt_deg):
    found = find_tilt(cylinders(tilt_deg)[:, LOOKED_AT], THETA, LOOKED_AT, (ROWS, COLUMNS))
    assert found.tilt_deg == pytest.approx(tilt_deg, abs=4 * found.sd_deg)
    assert found.sd_deg < 0.3
    assert found.is_sure


def test_the_tilt_is_as_uncertain_as_it_says():
    deviations = []
    few = LOOKED_AT[1::4]
    for seed in range(6):
        rows = cylinders(0.4, noise=0.03, seed=seed)[:, few]
        found = find_tilt(rows, THETA, few, (ROWS, COLUMNS))
        deviations.append((found.tilt_deg - 0.4) / found.sd_deg)
    assert 0.3 < np.sqrt(np.mean(np.square(deviations))) < 1.5


def test_an_upright_axis_is_left_alone():
    rows = cylinders()[:, LOOKED_AT]
    found = find_tilt(rows, THETA, LOOKED_AT, (ROWS, COLUMNS))
    assert not found.is_sure
    number = tilt_number(found, len(LOOKED_AT))
    assert number.value == 0
    assert number.details["measured_deg"] == found.tilt_deg


@pytest.mark.parametrize(
    ("tilt_deg", "sd_deg", "withheld"),
    [(1.3, 0.34, True), (1.3, 0.1, False), (0.1, 0.5, False), (0.3, 0.1, False)],
)
def test_a_tilt_that_is_likely_but_too_unsure_to_be_corrected_withholds(tilt_deg, sd_deg, withheld):
    """Not one that is corrected, is noise, or moves edges by less than a pixel."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what cannot be excluded is said as well
        entry = tilt_number(AxisTilt(tilt_deg, sd_deg, 96.0), 12).entry()
    said = tilt_likely({"axis_tilt_deg": entry})
    assert (said is not None) == withheld
    assert stage_unsteady({"axis_tilt_deg": entry}) == said


def test_a_center_that_is_given_needs_no_angles_for_its_tilt():
    """Too few angles for an axis must not end a run that is told the axis."""
    found = find_tilt(cylinders()[:7, LOOKED_AT], THETA[:7] * 10, LOOKED_AT)
    assert tilt_number(found, 12).value == 0
    assert "not measured" in tilt_number(found, 12).note


def test_the_axis_of_tilted_rows_is_that_of_the_middle_row():
    seen = cylinders(3.0)[:, LOOKED_AT]
    upright = find_center(seen, THETA, 3.0, LOOKED_AT, (ROWS, COLUMNS))
    assert upright.center_px == pytest.approx(CENTER, abs=0.15)
    assert upright.confidence > 0.5


def test_slices_of_a_tilted_scan_are_those_of_an_upright_one():
    true, seen = cylinders(noise=0), cylinders(1.5, noise=0)
    rows = np.arange(ROWS)
    upright, center = align(seen, CENTER, rows, (ROWS, COLUMNS), 1.5)
    inner = slice(10, 50, 8)

    def slices(values, centers):
        return fbp(values[:, inner], THETA, centers, pixel_size_um=1.0)

    right = slices(true, CENTER)
    error = [
        np.sqrt(np.mean((slices(values, centers) - right) ** 2)) / right.std()
        for values, centers in ((seen, CENTER), (upright, center[inner]))
    ]
    assert error[0] > 0.1
    assert error[1] < 0.4 * error[0]


def test_a_small_tilt_is_an_axis_for_each_row_and_changes_no_value():
    seen = cylinders(noise=0)
    same, center = align(seen, CENTER, np.arange(ROWS), (ROWS, COLUMNS), 0.1)
    assert same is seen
    assert center[-1] - center[0] == pytest.approx((ROWS - 1) * np.tan(np.deg2rad(0.1)))
    assert center.mean() == pytest.approx(CENTER)


@pytest.mark.parametrize("size", [1, 7, 16])
def test_cutting_does_not_change_what_is_resampled(size):
    rng = np.random.default_rng(0)
    jitter = rng.normal(0, 0.6, (2, 5)).tolist()
    known = {
        "line_integrals": rng.normal(size=(5, 40, 50)).astype(np.float32),
        "center_px": np.full(40, 25.0),
        "row_px": np.arange(40),
        "frame_shape": (40, 50),
        "axis_tilt_deg": 4.0,
        "stage_jitter": jitter,
    }
    whole = align(**known)[0]
    pieces = in_blocks(STAGES["align"], known, {}, axis="row", size=size)
    np.testing.assert_array_equal(pieces, whole)


def test_an_axis_found_at_one_height_says_nothing_of_its_tilt():
    nothing = AxisTilt(float("nan"), float("nan"), 59.0)
    assert not nothing.is_sure


def test_a_tilt_that_cannot_be_excluded_is_said_where_it_changes_labels():
    unsure = AxisTilt(0.1, 0.4, 159.0)
    message = tilt_message(unsure)
    assert "up to 0.9°" in message
    assert "1.2 px in the first and the last row" in message
    with pytest.warns(UserWarning, match="cannot be excluded"):
        number = tilt_number(unsure, 12)
    assert number.details["at_most_deg"] == pytest.approx(0.9)
    assert tilt_message(AxisTilt(0.02, 0.05, 159.0)) is None
    assert tilt_message(AxisTilt(0.1, 0.4, 11.0)) is None
    assert "0.4 px" in tilt_message(AxisTilt(0.167, 0.069, 159.0))


def test_what_a_tilt_would_do_is_said_where_none_was_measured():
    nothing = float("nan")
    assert "is not known" in tilt_message(AxisTilt(nothing, nothing, 159.0))
    assert tilt_message(AxisTilt(nothing, nothing, 59.0)) is None


def test_a_tilt_that_rests_on_three_heights_of_more_must_stand_out_more():
    # Of an upright cell of 96 rows with four times the usual noise.
    rows, centers = (28.0, 66.0, 85.0), (79.27, 80.49, 81.03)
    three = AxisTilt(1.83, 0.24, 95.0, rows, centers, elsewhere=2)
    assert not three.is_sure
    assert three.at_most_deg > 2
    with pytest.warns(UserWarning, match="cannot be excluded"):
        number = tilt_number(three, 15)
    assert number.value == 0
    assert "off_at_ends_px" in number.details
    assert replace(three, row_px=(9.0, *rows), center_px=(78.7, *centers)).is_sure
    assert replace(three, sd_deg=0.1).is_sure
    assert replace(three, elsewhere=0).is_sure
