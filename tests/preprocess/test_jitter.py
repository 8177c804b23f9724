"""A stage that jumps from projection to projection is seen, said and corrected."""

import warnings

import numpy as np
import pytest

from tests.preprocess.test_tilt import CENTER, COLUMNS, LOOKED_AT, ROWS, THETA, cylinders
from xct.phantom.scan.optics import turn
from xct.preprocess.center.rotation_axis import find_center
from xct.preprocess.jitter import (
    StageJitter,
    corrected_shifts,
    find_jitter,
    jitter_figure,
    jitter_number,
)
from xct.preprocess.resampling import align
from xct.quantity import QUANTITIES
from xct.reconstruct import fbp

JITTER_PX = 0.5


def shaken(seed=1, rows_px=JITTER_PX, columns_px=JITTER_PX, noise=0.005):
    """Discs as a jumping stage shows them, the same at rest, and the shifts."""
    rng = np.random.default_rng(seed)
    shifts = rng.normal(0, 1, (2, len(THETA))) * np.array([[rows_px], [columns_px]])
    shifts = np.array([shifts[0] - shifts[0].mean(), without_position(shifts[1])])
    still = cylinders(noise=0, seed=seed)
    moved = [
        turn(frame, 0.0, (0.0, 0.0), tuple(by)) for frame, by in zip(still, shifts.T, strict=True)
    ]
    seen = np.array(moved) + rng.normal(0, noise, still.shape)
    return seen.astype(np.float32), still, shifts


def without_position(columns):
    """Take out what a shift of the sample on the stage, or of the axis, does as well."""
    theta = np.deg2rad(THETA)
    design = np.column_stack([np.ones_like(theta), np.cos(theta), np.sin(theta)])
    return columns - design @ np.linalg.lstsq(design, columns, rcond=None)[0]


@pytest.fixture(scope="module")
def found():
    seen, still, shifts = shaken()
    return find_jitter(seen[:, LOOKED_AT], THETA, LOOKED_AT), seen, still, shifts


def test_shifts_along_columns_are_found(found):
    jitter, _, _, shifts = found
    assert jitter.seen_columns_px == pytest.approx(JITTER_PX, rel=0.25)
    assert np.std(jitter.columns_px - shifts[1]) < 0.4 * shifts[1].std()


def test_shifts_along_rows_are_found_where_neighboring_rows_differ(found):
    jitter, _, _, shifts = found
    assert jitter.seen_rows_px > 0.1
    assert np.corrcoef(jitter.rows_px, shifts[0])[0, 1] > 0.6


def test_slices_are_nearer_to_those_of_a_steady_stage(found):
    jitter, seen, still, _ = found
    shifts = (list(jitter.rows_px), list(jitter.columns_px))
    rows = np.arange(ROWS)
    axis = find_center(seen[:, LOOKED_AT], THETA, 0.0, LOOKED_AT, (ROWS, COLUMNS), shifts)
    assert axis.center_px == pytest.approx(CENTER, abs=0.4)
    steady, center = align(seen, CENTER, rows, (ROWS, COLUMNS), 0.0, shifts)
    inner = slice(8, 52, 8)
    right = fbp(still[:, inner], THETA, CENTER, pixel_size_um=1.0)
    blurred = fbp(seen[:, inner], THETA, CENTER, pixel_size_um=1.0)
    mended = fbp(steady[:, inner], THETA, center[inner], pixel_size_um=1.0)
    error = [np.sqrt(np.mean((one - right) ** 2)) for one in (mended, blurred)]
    assert error[0] < 0.7 * error[1]


def test_a_steady_stage_is_left_alone():
    seen, _, _ = shaken(rows_px=0.0, columns_px=0.0)
    jitter = find_jitter(seen[:, LOOKED_AT], THETA, LOOKED_AT)
    assert not jitter.matters
    number = jitter_number(jitter, 12)
    assert QUANTITIES["stage_jitter"].of_entry(number.entry()) is None
    assert jitter_figure(jitter) is None


def test_jitter_that_is_corrected_is_said_and_drawn(found):
    jitter = found[0]
    with pytest.warns(UserWarning, match=r"px along rows and 0.\d+ px along columns.*align"):
        number = jitter_number(jitter, 12)
    rows, columns = corrected_shifts(number.entry())
    assert len(rows) == len(columns) == len(THETA)
    assert jitter_figure(jitter) is not None


def test_jitter_that_is_not_understood_is_said_and_not_corrected():
    with pytest.warns(UserWarning, match="is not corrected"):
        number = jitter_number(StageJitter(0.0, 0.8), 12)
    assert corrected_shifts(number.entry()) is None


def test_too_few_angles_say_nothing_of_jitter():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        jitter = find_jitter(np.zeros((5, 4, 64)), np.arange(5.0), np.arange(4))
    assert jitter == StageJitter()
