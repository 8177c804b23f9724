"""Gaps between lithium and electrolyte: lithium is told from nothing by thousands of voxels."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from tests.parallel.pickling import Pickling
from xct.analyze.lithium.gaps import find_gaps
from xct.geometry import CellGeometry, Surface
from xct.parallel.executors import executed_by

STEP, SHAPE = 2.0, (40, 160, 160)
STEEL_UM, PLAIN_UM = 12.0, 24.0
MU = {"steel": 114.0, "lithium": 0.092, "nothing": 0.0, "electrolyte": 5.2}
REFERENCE = SimpleNamespace(blur_um=3.0, blur_guessed=False, air=0.0)


def bumps(high_um, wide_um=70.0):
    """What stands out of a plain face in nine places, with steep sides."""
    y, x = (np.indices(SHAPE[1:]) - 79.5) * STEP
    places = [(v, u) for v in (-80, 0, 80) for u in (-80, 0, 80)]
    away = np.min([np.hypot(y - v, x - u) for v, u in places], axis=0)
    return high_um * np.clip(4 - 4 * away / (wide_um / 2), 0, 1)


IN_BORE = np.hypot(*(np.indices(SHAPE[1:]) - 79.5)) * STEP < 150


def measured(high_um, filled_with, seed=0, rows=None, sign=1):
    """Bound gaps of a face that stands out by what is drawn into the volume."""
    rng = np.random.default_rng(seed)
    thickness = np.where(IN_BORE, PLAIN_UM + bumps(high_um), np.nan)
    z = (np.arange(SHAPE[0]) * STEP)[:, None, None]
    face = STEEL_UM + PLAIN_UM + bumps(high_um)
    mu = np.where(z < face, MU[filled_with], MU["electrolyte"])
    mu = np.where(z < STEEL_UM + PLAIN_UM, MU["lithium"], mu)
    mu = np.where(z < STEEL_UM, MU["steel"], mu)
    mu = gaussian_filter(mu, 0.64) + 1.3 * rng.standard_normal(SHAPE)
    steel = np.full(SHAPE[1:], STEEL_UM)
    if sign < 0:
        mu, steel = mu[::-1], (SHAPE[0] - 1) * STEP - steel
    cell = CellGeometry(
        SHAPE, (STEP,) * 3, 159.0, 159.0, 150.0, anode="low_z" if sign > 0 else "high_z"
    )
    surfaces = [Surface(h.astype(np.float32), np.full(h.shape, 0.2, np.float32), "drawn")
                for h in (thickness, steel)]  # fmt: skip
    return find_gaps(*surfaces, mu.astype(np.float32), cell, REFERENCE)


def area_mean(high_um):
    return bumps(high_um)[IN_BORE].mean()


@pytest.mark.parametrize("sign", [1, -1])
def test_lithium_that_stands_out_is_hardly_taken_for_a_gap(sign):
    found = measured(14.0, "lithium", sign=sign)
    assert found.at_least == 0
    assert found.at_most < 0.75 * area_mean(14.0)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_gap_that_is_wider_than_the_point_spread_is_known_to_be_one(sign):
    found = measured(14.0, "nothing", sign=sign)
    true = area_mean(14.0)
    assert found.at_least > 0.2 * true
    assert found.at_least < true < found.at_most * 1.05


def test_a_thin_gap_stays_within_the_bound_and_is_not_claimed():
    found = measured(4.0, "nothing")
    assert found.at_least == 0
    assert found.at_most == pytest.approx(area_mean(4.0), rel=0.3)


def test_slabs_and_other_processes_do_not_change_the_answer(monkeypatch):
    whole = measured(14.0, "nothing")
    monkeypatch.setattr("xct.analyze.lithium.gaps._ROWS", 3)
    with executed_by(Pickling()):
        assert measured(14.0, "nothing") == whole


def test_without_a_point_spread_all_that_stands_out_may_be_gaps(monkeypatch):
    known = measured(14.0, "lithium")
    monkeypatch.setattr(REFERENCE, "blur_guessed", True)
    guessed = measured(14.0, "lithium")
    assert guessed.at_most > 1.3 * known.at_most
