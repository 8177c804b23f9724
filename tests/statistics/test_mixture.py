"""Mixtures: grey values of pure materials come back from histograms that blur has filled."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from xct.statistics.mixture import Mixture
from xct.statistics.mixture_fits import fit_mixture, fit_robust


def histogram(values, bins=200):
    counts, edges = np.histogram(values, bins=bins)
    return counts, (edges[:-1] + edges[1:]) / 2


def drawn(rng, a, b, s, weights, n=100_000):
    kinds = rng.choice(3, size=n, p=weights)
    fraction = np.select([kinds == 0, kinds == 1], [0.0, 1.0], rng.random(n))
    return a + fraction * (b - a) + rng.normal(0, s, n)


@pytest.mark.parametrize("weights", [(0.5, 0.3, 0.2), (0.6, 0.1, 0.3), (0.2, 0.7, 0.1)])
def test_what_was_drawn_from_the_model_comes_back(weights):
    counts, grey = histogram(drawn(np.random.default_rng(1), 5.0, 48.0, 3.0, weights))
    fit = fit_mixture(counts, grey)
    assert fit.kind == "mixture"
    assert fit.a == pytest.approx(5.0, abs=0.1)
    assert fit.b == pytest.approx(48.0, abs=0.3)
    assert fit.sd_a == pytest.approx(3.0, abs=0.1)
    assert (fit.weight_a, fit.weight_b, fit.weight_ab) == pytest.approx(weights, abs=0.01)
    assert fit.threshold() == pytest.approx(26.5, abs=1)


def test_particles_under_blur_are_read_better_than_by_two_gaussians():
    rng = np.random.default_rng(2)
    grid = np.stack(np.meshgrid(*[np.arange(48.0)] * 3, indexing="ij"))
    inside = np.zeros(grid.shape[1:], bool)
    for center in rng.uniform(0, 48, (30, 3)):
        inside |= ((grid - center[:, None, None, None]) ** 2).sum(axis=0) < 6**2
    picture = gaussian_filter(np.where(inside, 48.0, 5.5), 1.0) + rng.normal(0, 3, inside.shape)
    counts, grey = histogram(picture)
    error = {kind: abs(fit_mixture(counts, grey, kind=kind).b - 48) for kind in ("two", "mixture")}
    assert error["mixture"] < 2
    assert error["mixture"] < error["two"]


@pytest.mark.parametrize(("b", "weights"), [(9.0, (0.9, 0.05, 0.05)), (1.0, (0.9, 0.05, 0.05))])
def test_a_known_material_is_held_and_the_other_may_lie_on_either_side(b, weights):
    counts, grey = histogram(drawn(np.random.default_rng(3), 5.0, b, 0.6, weights))
    fit = fit_mixture(counts, grey, kind="mixture", held=(5.0, 0.6))
    assert (fit.a, fit.sd_a, fit.sd_b) == (5.0, 0.6, 0.6)
    assert fit.b == pytest.approx(b, abs=0.2)
    assert fit.weight_b == pytest.approx(weights[1], abs=0.01)


def test_one_material_is_said_to_be_one():
    counts, grey = histogram(np.random.default_rng(4).normal(22100, 900, 50_000))
    fit = fit_mixture(counts, grey)
    assert fit.kind == "one"
    assert (fit.a, fit.sd_a) == pytest.approx((22100, 900), rel=0.01)
    with pytest.raises(ValueError, match="one material only"):
        fit.threshold()


def test_two_materials_of_different_noise_without_mixed_voxels_are_two():
    rng = np.random.default_rng(5)
    values = np.concatenate([rng.normal(5, 0.5, 40_000), rng.normal(12, 2, 40_000)])
    fit = fit_mixture(*histogram(values))
    assert fit.kind == "two"
    assert (fit.a, fit.b, fit.sd_a, fit.sd_b) == pytest.approx((5, 12, 0.5, 2), rel=0.03)


def test_the_probability_is_that_of_the_larger_fraction():
    rng = np.random.default_rng(6)
    fraction = np.concatenate([np.zeros(40_000), np.ones(20_000), rng.random(40_000)])
    values = 5 + fraction * 10 + rng.normal(0, 1.5, fraction.size)
    fit = fit_mixture(*histogram(values), kind="mixture")
    for low, high in [(6, 8), (9, 11), (12, 14)]:
        near = (values > low) & (values < high)
        expected = (fraction[near] > 0.5).mean()
        assert fit.probability_b(values[near]).mean() == pytest.approx(expected, abs=0.02)
    assert fit.fraction_b == pytest.approx(fraction.mean(), abs=0.01)


def test_the_density_is_one_over_all_grey_values():
    fit = fit_mixture(*histogram(drawn(np.random.default_rng(7), 0, 9, 1, (0.3, 0.3, 0.4))))
    grey = np.linspace(-20, 30, 5001)
    assert np.trapezoid(fit.density(grey), grey) == pytest.approx(1, abs=1e-4)


def test_a_start_gives_the_same_fit():
    counts, grey = histogram(drawn(np.random.default_rng(8), 5, 48, 3, (0.5, 0.3, 0.2)))
    first = fit_mixture(counts, grey, kind="mixture")
    again = fit_mixture(counts, grey, kind="mixture", start=first)
    assert again.b == pytest.approx(first.b, abs=0.05)


@pytest.mark.parametrize(
    ("counts", "error"),
    [
        ([0, 0, 0], "0 bins with voxels"),
        ([0, 7, 0], "1 bins with voxels"),
        ([1, 2], "same length"),
        ([1, np.nan, 2], "finite"),
    ],
)
def test_histograms_that_cannot_be_fitted_are_refused(counts, error):
    with pytest.raises(ValueError, match=error):
        fit_mixture(np.array(counts), np.arange(3.0))


def test_a_robust_fit_gives_back_what_the_histogram_was_made_of():
    edges = np.linspace(-10, 70, 401)
    true = Mixture((5.0, 48.0), (2.0, 2.0), {(0, 0): 0.4, (1, 1): 0.3, (0, 1): 0.3})
    middles = 0.5 * (edges[1:] + edges[:-1])
    counts = 1e6 * true.density(middles) * (edges[1] - edges[0])
    found = fit_robust(counts, edges, dark=7.0, bright=40.0, noise=1.5)
    assert found.mixture.a == pytest.approx(5.0, abs=0.02)
    assert found.mixture.b == pytest.approx(48.0, abs=0.02)
    assert found.mixture.weight_ab == pytest.approx(0.3, abs=0.01)
    assert found.misfit < 1e-3


def test_a_robust_fit_needs_voxels_and_contrast():
    with pytest.raises(ValueError, match="there are 3 voxels"):
        fit_robust(np.ones(3), np.arange(4.0), dark=1.0, bright=2.0, noise=0.1)


def test_the_standard_deviation_of_a_robust_fit_is_the_scatter():
    z = []
    for seed in range(40):
        values = drawn(np.random.default_rng(seed), 5.0, 48.0, 2.0, (0.4, 0.3, 0.3), n=5000)
        counts, edges = np.histogram(values, 400, (-10, 70))
        fit = fit_robust(counts, edges, dark=7.0, bright=40.0, noise=1.5)
        z.append((fit.mixture.a - 5) / fit.dark_sd)
    assert 0.65 < np.std(z) < 1.55
