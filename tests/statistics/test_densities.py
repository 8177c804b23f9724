"""Densities of pure and mixed voxels, against drawn ones and by hand."""

import numpy as np
import pytest

from xct.statistics.gaussian import gaussian_density
from xct.statistics.mixture import partial_volume_density

GREY = np.linspace(-10, 20, 30001)


def test_densities_hold_all_voxels_and_their_mean():
    for density, mean in (
        (gaussian_density(GREY, 3.0, 0.5), 3.0),
        (partial_volume_density(GREY, 1.0, 8.0, 0.5), 4.5),
    ):
        assert np.trapezoid(density, GREY) == pytest.approx(1, abs=1e-6)
        assert np.trapezoid(density * GREY, GREY) == pytest.approx(mean, abs=1e-5)


def test_mixed_voxels_are_even_between_the_levels_and_half_as_dense_at_each():
    middle, low, high = partial_volume_density(np.array([4.5, 1.0, 8.0]), 1.0, 8.0, 0.5)
    assert middle == pytest.approx(1 / 7)
    assert (low, high) == pytest.approx((1 / 14, 1 / 14))


def test_mixed_voxels_are_as_drawn():
    rng = np.random.default_rng(0)
    drawn = 1 + 7 * rng.random(400_000) + rng.normal(0, 0.5, 400_000)
    counts, edges = np.histogram(drawn, 60, (-1, 10))
    middles = (edges[1:] + edges[:-1]) / 2
    expected = drawn.size * (edges[1] - edges[0]) * partial_volume_density(middles, 1.0, 8.0, 0.5)
    common = expected > 100
    off = (counts - expected)[common] / np.sqrt(expected[common])  # in sd of a count
    assert np.abs(off).max() < 4.5
    assert np.mean(off**2) < 1.6
