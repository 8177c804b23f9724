"""A signal as low as its noise: the logarithm is true to the mean, and detail stays."""

import numpy as np
import pytest

import xct.preprocess
from xct.preprocess import fill_nonpositive, line_integrals, low_signal

QUANTA, READ_NOISE = 48_000.0, 16.0
SHAPE = (400, 2, 300)


def measured(transmission, glare=0.0, seed=0):
    """What a detector gives, known glare subtracted."""
    rng = np.random.default_rng(seed)
    counts = rng.poisson((transmission + glare) * QUANTA, SHAPE) + rng.normal(0, READ_NOISE, SHAPE)
    return (counts / QUANTA - glare).astype(np.float32)


def logarithm(transmission):
    darks = np.random.default_rng(1).normal(0, READ_NOISE, (10, *SHAPE[1:]))
    return fill_nonpositive(line_integrals(transmission), np.full(darks.shape, QUANTA), darks)


@pytest.mark.parametrize(
    ("passed", "glare"), [(0.0006, 0.0), (0.0006, 0.003), (0.001, 0.001), (0.0027, 0.003)]
)
def test_the_mean_line_integral_of_a_photon_starved_plane_is_right(passed, glare):
    seen = measured(passed, glare)
    plain, eased = (float(logarithm(t).mean() + np.log(passed)) for t in (seen, low_signal(seen)))
    assert abs(eased) < 0.005 * -np.log(passed)
    assert abs(eased) < max(0.25 * plain, 0.005)


def test_where_there_is_light_nothing_is_changed():
    seen = measured(0.2)
    np.testing.assert_array_equal(low_signal(seen), seen)


def test_behind_steel_nothing_is_made_up():
    seen = measured(0.0)
    assert (low_signal(seen) != seen).mean() < 0.05


def test_detail_is_neither_blurred_nor_weakened():
    detail = 0.1 * np.sign(np.sin(np.arange(SHAPE[2])))
    passed = np.broadcast_to(0.0012 * np.exp(-detail), SHAPE)
    found = logarithm(low_signal(measured(passed))).mean(axis=(0, 1))
    middle = slice(20, -20)
    assert np.polyfit(detail[middle], found[middle], 1)[0] == pytest.approx(1, abs=0.06)


def test_unknown_pixels_stay_unknown_and_spoil_nothing():
    seen = measured(0.001)
    seen[:, 1, 100] = np.nan
    eased = low_signal(seen)
    assert np.isnan(eased).sum() == SHAPE[0]
    assert np.isnan(eased[:, 1, 100]).all()


def test_the_name_of_earlier_versions_still_works():
    assert xct.preprocess.faint_light is low_signal
