"""A sample that moves slowly along the axis is seen by what rows attenuate, said and corrected."""

from functools import cache

import numpy as np
import pytest
import scipy

from tests.preprocess.test_jitter import wandering
from tests.preprocess.test_tilt import CENTER, COLUMNS, LOOKED_AT, ROWS, THETA, cylinders
from xct.preprocess.angles.check import check_angles
from xct.preprocess.center.answer import center_number
from xct.preprocess.center.rotation_axis import find_center
from xct.preprocess.motion.jitter import StageJitter, corrected_shifts, find_jitter, jitter_number
from xct.preprocess.motion.sinking import Sinking, find_sinking
from xct.segment.basis import stage_unsteady

TIME = np.arange(len(THETA)) / (len(THETA) - 1)
PAIRS = np.flatnonzero(np.diff(LOOKED_AT) == 1)


@cache
def still(seed):
    return cylinders(noise=0, seed=seed)


def sinking(path_px, seed=0, noise=0.003):
    """Discs that stand lower by so much in each view, in the rows that are looked at."""
    moved = [
        scipy.ndimage.shift(view, (by, 0), order=1, mode="nearest")
        for view, by in zip(still(seed), path_px, strict=True)
    ]
    rng = np.random.default_rng(seed)
    seen = np.array(moved)[:, LOOKED_AT]
    return (seen + rng.normal(0, noise, seen.shape)).astype(np.float32)


@pytest.mark.parametrize("path_px", [1.5 * TIME, 1.0 * (TIME > 0.4), -0.6 * np.sin(6 * TIME)],
                         ids=["ramp", "slip", "to and fro"])  # fmt: skip
def test_where_it_stands_is_found(path_px):
    found = find_sinking(sinking(path_px), PAIRS)
    assert found.is_sure
    true = path_px - path_px.mean()
    assert np.std(found.rows_px(len(TIME)) - true) < 0.2 * true.std() + 0.05


@pytest.mark.parametrize("seed", range(4))
def test_a_sample_that_stands_still_is_left_alone(seed):
    rows = sinking(np.zeros(len(TIME)), seed)
    assert not find_sinking(rows, PAIRS).is_sure
    leaning = cylinders(0.4, noise=0.003, seed=seed)[:, LOOKED_AT]
    assert not find_sinking(leaning, PAIRS).is_sure
    jitter = find_jitter(rows, THETA, LOOKED_AT)
    assert jitter.sinking is None
    assert jitter.rows_px is None


def test_it_is_as_uncertain_as_it_says():
    deviations = []
    for seed in range(6):
        found = find_sinking(sinking(np.zeros(len(TIME)), seed, noise=0.01), PAIRS)
        deviations.append(found.path_px / found.sd_px)
    assert 0.5 < np.sqrt(np.mean(np.square(deviations))) < 1.9


def test_a_sample_that_is_cut_by_the_view_says_nothing():
    views, theta = wandering(np.zeros(180), cut=True)
    assert find_jitter(views, theta, np.arange(4)).sinking is None


def test_it_is_said_and_corrected_and_the_axis_is_found():
    rows = sinking(1.2 * TIME)
    jitter = find_jitter(rows, THETA, LOOKED_AT)
    with pytest.warns(UserWarning, match=r"moves along the axis by 1\.\d+ px .*align corrects it"):
        number = jitter_number(jitter, len(LOOKED_AT))
    shifts = corrected_shifts(number.entry())
    assert np.ptp(shifts[0]) == pytest.approx(1.2, rel=0.2)
    axis = find_center(rows, THETA, 0.0, LOOKED_AT, (ROWS, COLUMNS), shifts)
    assert axis.center_px == pytest.approx(CENTER, abs=0.1)
    # Views half a turn apart show other rows: no fault of the angles.
    check = check_angles(rows, THETA, CENTER, 0.0, LOOKED_AT, (ROWS, COLUMNS), shifts)
    assert "along the axis" in check.unchecked
    with pytest.raises(Exception, match=r"moves along the axis by 1\.\d+ px .*scan\.center_px"):
        center_number(type(axis)(**{**vars(axis), "confidence": 0.3}), 12)


@pytest.mark.parametrize(("range_px", "withheld"), [(1.0, False), (3.0, True)])
def test_what_may_be_left_of_much_withholds_what_rests_on_faces(range_px, withheld):
    found = Sinking(range_px * (np.arange(10) / 9 - 0.5), 0.05)
    jitter = StageJitter(rows_px=found.rows_px(90), columns_px=np.zeros(90), sinking=found)
    with pytest.warns(UserWarning, match="moves along the axis"):
        entry = jitter_number(jitter, 12).entry()
    assert (stage_unsteady({"stage_jitter": entry}) is not None) == withheld
