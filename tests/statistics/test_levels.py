"""Levels of several materials, some of them known, from histograms with partial volumes."""

import numpy as np
import pytest

from xct.statistics.mixture_fits import fit_levels


def histogram(values):
    counts, edges = np.histogram(values, 300)
    return counts, (edges[1:] + edges[:-1]) / 2


@pytest.fixture(scope="module")
def mixed():
    """A third of each pure material, a third of every mixing ratio."""
    rng = np.random.default_rng(0)
    fraction = np.concatenate([np.zeros(30_000), np.ones(30_000), rng.random(30_000)])
    return 5 + 43 * fraction + 2 * rng.standard_normal(fraction.size)


def test_levels_noise_and_weights_are_found(mixed):
    fit = fit_levels(*histogram(mixed), (3.0, 40.0), noise=3.0)
    np.testing.assert_allclose(fit.levels, (5, 48), atol=0.15)
    assert fit.noise == pytest.approx(2, rel=0.03)
    np.testing.assert_allclose(list(fit.weights.values()), 1 / 3, atol=0.02)


def test_the_threshold_is_half_way_where_both_are_as_likely(mixed):
    fit = fit_levels(*histogram(mixed), (5.0, 40.0), noise=3.0, fixed=(True, False))
    assert fit.levels[0] == 5
    assert fit.threshold() == pytest.approx(26.5, abs=0.3)
    assert fit.probability_b(26.5)[0] == pytest.approx(0.5, abs=0.02)
    np.testing.assert_allclose(fit.probability_b(np.array([-20.0, 90.0])), [0, 1], atol=1e-6)


def test_three_materials_are_distinguished():
    rng = np.random.default_rng(1)
    level = rng.choice([0.0, 5.0, 48.0], 60_000) + rng.standard_normal(60_000)
    fit = fit_levels(*histogram(level), (0.0, 4.0, 40.0), noise=1.5, fixed=(True, False, False))
    np.testing.assert_allclose(fit.levels, (0, 5, 48), atol=0.1)
    np.testing.assert_allclose([fit.weights[i, i] for i in range(3)], 1 / 3, atol=0.03)


def test_the_density_is_one_in_all(mixed):
    fit = fit_levels(*histogram(mixed), (3.0, 40.0), noise=3.0)
    grey = np.linspace(-20, 80, 4001)
    assert np.trapezoid(fit.density(grey), grey) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(("levels", "noise"), [((5.0, 5.0), 1.0), ((5.0, 9.0), 0.0)])
def test_levels_that_do_not_ascend_and_no_noise_are_refused(levels, noise):
    with pytest.raises(ValueError, match="ascending levels"):
        fit_levels(np.ones(10), np.arange(10.0), levels, noise=noise)
