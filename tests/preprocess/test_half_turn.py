"""Views half a turn apart tell how the axis leans, where heights of it hardly do."""

import numpy as np
import pytest
from scipy.ndimage import affine_transform, gaussian_filter

from xct.preprocess.center.half_turn import slope_by_half_turns
from xct.preprocess.center.tilt import AxisTilt

ROWS, COLUMNS, CENTER = 48, 160, 78.4
TAKEN = np.array([5, 6, 7, 14, 15, 16, 23, 24, 25, 32, 33, 34, 40, 41, 42])
THETA = np.linspace(0, 180, 7)


def views(tilt_deg, noise, seed):
    """Projections of layers and grains, of which the last is the first one's opposite."""
    rng = np.random.default_rng(seed)
    seen = gaussian_filter(rng.normal(size=(ROWS + 40, COLUMNS)), 1.5)
    seen += 0.3 * gaussian_filter(rng.normal(size=ROWS + 40), 1.2)[:, None]
    c, s = np.cos(np.radians(tilt_deg)), np.sin(np.radians(tilt_deg))
    found = rng.normal(size=(THETA.size, ROWS + 40, COLUMNS))
    for number, away in ((0, 1), (-1, -1)):
        upright = seen if away > 0 else seen[:, ::-1]
        axis = np.array([ROWS / 2 + 20, CENTER if away > 0 else COLUMNS - 1 - CENTER])
        at = np.array([ROWS / 2 + 20, CENTER])
        turn = np.array([[c, s], [-s, c]])
        found[number] = affine_transform(upright, turn, axis - turn @ at, order=3, mode="nearest")
    found += noise * rng.normal(size=found.shape)
    return found[:, 20 + TAKEN]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("tilt_deg", [0.0, 0.4, -1.0])
@pytest.mark.parametrize("noise", [0.005, 0.05])
def test_the_tilt_is_measured_within_what_is_stated(tilt_deg, noise, seed):
    found = slope_by_half_turns(views(tilt_deg, noise, seed), THETA, TAKEN, CENTER)
    off = np.degrees(np.arctan(found.value)) - tilt_deg
    assert abs(off) < 3 * np.degrees(found.sd)
    assert np.degrees(found.sd) < 0.06 + 0.5 * abs(tilt_deg)


def test_without_views_half_a_turn_apart_nothing_is_said():
    assert slope_by_half_turns(views(0.4, 0.005, 0), THETA * 0.7, TAKEN, CENTER) is None


def test_rows_that_noise_alone_makes_differ_tell_nothing():
    noise = np.random.default_rng(4).normal(size=(THETA.size, TAKEN.size, COLUMNS))
    assert slope_by_half_turns(noise, THETA, TAKEN, CENTER) is None


def test_a_likely_tilt_that_lifts_the_rim_withholds_what_rests_on_edges():
    low = AxisTilt(0.6, 0.21, 47.0, half_turns=True, width_px=160.0)
    assert low.unsure_off_px == pytest.approx(80 * np.tan(np.radians(0.6)), rel=0.01)
    assert AxisTilt(0.05, 0.1, 47.0, half_turns=True, width_px=160.0).unsure_off_px is None
    assert AxisTilt(0.6, 0.1, 47.0, half_turns=True, width_px=160.0).unsure_off_px is None
