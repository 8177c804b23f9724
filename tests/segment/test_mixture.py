import numpy as np
import pytest

from xct.segment.material.levels import fit_mixture


def histogram(values):
    counts, edges = np.histogram(values, 300)
    return counts, (edges[1:] + edges[:-1]) / 2


@pytest.fixture(scope="module")
def mixed():
    """A third of each pure material, a third of every mixing ratio."""
    rng = np.random.default_rng(0)
    share = np.concatenate([np.zeros(30_000), np.ones(30_000), rng.random(30_000)])
    return 5 + 43 * share + 2 * rng.standard_normal(share.size)


def test_levels_noise_and_shares_are_found(mixed):
    fit = fit_mixture(*histogram(mixed), (3.0, 40.0), noise=3.0)
    np.testing.assert_allclose(fit.levels, (5, 48), atol=0.15)
    assert fit.noise == pytest.approx(2, rel=0.03)
    np.testing.assert_allclose(list(fit.shares.values()), 1 / 3, atol=0.02)


def test_the_threshold_is_half_way_and_the_share_rises_through_half_there(mixed):
    fit = fit_mixture(*histogram(mixed), (5.0, 40.0), noise=3.0, fixed=(True, False))
    assert fit.levels[0] == 5
    assert fit.threshold(1) == pytest.approx(26.5, abs=0.3)
    assert fit.share(np.array([26.5]), 1)[0] == pytest.approx(0.5, abs=0.02)
    np.testing.assert_allclose(fit.share(np.array([-20.0, 90.0]), 1), [0, 1], atol=1e-6)


def test_three_materials_are_told_apart():
    rng = np.random.default_rng(1)
    level = rng.choice([0.0, 5.0, 48.0], 60_000) + rng.standard_normal(60_000)
    fit = fit_mixture(*histogram(level), (0.0, 4.0, 40.0), noise=1.5, fixed=(True, False, False))
    np.testing.assert_allclose(fit.levels, (0, 5, 48), atol=0.1)
    np.testing.assert_allclose([fit.shares[i, i] for i in range(3)], 1 / 3, atol=0.03)


def test_the_density_is_one_in_all(mixed):
    fit = fit_mixture(*histogram(mixed), (3.0, 40.0), noise=3.0)
    grey = np.linspace(-20, 80, 4001)
    assert np.trapezoid(fit.density(grey), grey) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(("levels", "noise"), [((5.0, 5.0), 1.0), ((5.0, 9.0), 0.0)])
def test_levels_that_do_not_ascend_and_no_noise_are_refused(levels, noise):
    with pytest.raises(ValueError, match="ascending levels"):
        fit_mixture(np.ones(10), np.arange(10.0), levels, noise=noise)
