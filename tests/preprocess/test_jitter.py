"""A stage that jumps from projection to projection is seen, said and corrected."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

from tests.preprocess.test_tilt import CENTER, COLUMNS, LOOKED_AT, ROWS, THETA, cylinders
from xct.phantom.discs import project_discs
from xct.phantom.scan.optics import turn
from xct.preprocess.center.rotation_axis import find_center
from xct.preprocess.motion.jitter import (
    StageJitter,
    corrected_shifts,
    find_jitter,
    jitter_figure,
    jitter_number,
)
from xct.preprocess.resampling import align
from xct.quantity import QUANTITIES
from xct.reconstruct import fbp
from xct.segment.basis import stage_unsteady

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


def wandering(by_px, seed=0, cut=False):
    """Discs that stand aside by so much in each of 180 views, in four rows that differ."""
    theta, rng = np.arange(180.0), np.random.default_rng(seed)
    views = np.empty((180, 4, 128), np.float32)
    radius = 90 if cut else 45
    for row in range(4):
        discs = [(0, 0, radius, 0.01), (20 - 3 * row, 10, 8, 0.03), (-9, -25, 6, -0.008)]
        discs = np.array(discs + ([(75 - 2 * row, 10, 7, 0.02)] if cut else []))
        for k, by in enumerate(by_px):
            views[k, row] = project_discs(discs, theta[k : k + 1], 128, 62.3 + by)[0]
    return views + rng.normal(0, 0.01, views.shape).astype(np.float32), theta


@pytest.mark.parametrize("by_px", [0.5, 1.5])
def test_a_sample_that_wanders_slowly_is_said(by_px):
    views, theta = wandering(by_px * np.sin(np.arange(180) / 8))
    jitter = find_jitter(views, theta, np.arange(4))
    assert jitter.wandering_px == pytest.approx(by_px / np.sqrt(2), rel=0.1)
    with pytest.warns(UserWarning, match=r"wanders sideways by \d.\d+ px"):
        number = jitter_number(replace(jitter, seen_rows_px=0, seen_columns_px=0), 4)
    assert (stage_unsteady({"stage_jitter": number.entry()}) is not None) == (by_px > 1)


@pytest.mark.parametrize(
    ("by_px", "cut"),
    [(np.zeros(180), False), (3 * np.cos(np.deg2rad(np.arange(180))), False),
     (np.zeros(180), True)],
    ids=["steady", "beside the axis", "wider than the view"],
)  # fmt: skip
def test_what_wanders_no_more_than_a_turn_makes_it_says_nothing(by_px, cut):
    views, theta = wandering(by_px, cut=cut)
    assert find_jitter(views, theta, np.arange(4)).wandering_px == 0
