"""What particles of one size tell about each other: truth drawn by hand, no volume."""

import numpy as np
import pytest

from xct.analyze.lithium.population import fraction_alike, readings_among_others

LEVEL, NOISE, VOIDS_SD = 48.0, 0.006, 0.008
COUNT = 900


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def drawn(rng, taken, seen, level=LEVEL, noise=NOISE):
    """Particles of one size, what voids take of them, and what is seen of the voids."""
    mu = level * (1 - taken) * (1 + noise * rng.standard_normal(COUNT))
    seen = np.maximum(seen + VOIDS_SD * rng.standard_normal(COUNT), 0)
    place, diameter = rng.uniform(0, 200, (COUNT, 3)), rng.uniform(12, 13, COUNT)
    given = np.full(COUNT, noise), seen, np.full(COUNT, VOIDS_SD), place, diameter
    return readings_among_others(mu, *given)


def error(readings, level=LEVEL):
    return readings.logarithm - np.log(level)


def test_voids_are_put_back_and_the_spread_of_what_is_left_is_known(rng):
    taken = rng.uniform(0, 0.12, COUNT)
    found = drawn(rng, taken, taken)
    off = error(found)
    assert abs(off.mean()) < 0.003
    assert off.std() < 0.5 * taken.std()
    assert 0.93 < np.mean(np.abs(off) < 1.96 * found.sd) < 0.99


def test_whole_particles_are_read_as_well_as_noise_allows(rng):
    found = drawn(rng, np.zeros(COUNT), np.zeros(COUNT))
    assert error(found).std() < 1.2 * NOISE
    assert np.median(found.sd) < 1.3 * NOISE


def test_cracks_that_scatter_half_as_much_as_expected_are_known_by_the_darkness_of_neighbors(rng):
    taken = rng.uniform(0, 0.12, COUNT)
    found = drawn(rng, taken, taken / 2)
    assert abs(error(found).mean()) < 0.01  # 0.03 if all were as expected
    assert found.typical.mean() == pytest.approx(0.062, abs=0.012)


def test_lithium_that_differs_from_place_to_place_is_no_uncertainty(rng):
    place_x = np.sort(rng.uniform(0, 200, COUNT))
    level = LEVEL * (1 + 0.07 * (place_x > 100))
    mu = level * (1 + NOISE * rng.standard_normal(COUNT))
    place = np.column_stack([rng.uniform(0, 60, (COUNT, 2)), place_x])
    none = np.zeros(COUNT)
    given = np.full(COUNT, NOISE), none, np.full(COUNT, VOIDS_SD), place, np.full(COUNT, 12.0)
    found = readings_among_others(mu, *given)
    assert np.median(found.sd) < 1.3 * NOISE
    np.testing.assert_allclose(found.logarithm, np.log(mu))


def test_two_kinds_of_particles_side_by_side_do_not_hide_each_other(rng):
    two = LEVEL * (1 + 0.07 * rng.integers(0, 2, COUNT))
    found = drawn(rng, np.zeros(COUNT), np.zeros(COUNT), two)
    alone = np.hypot(NOISE, VOIDS_SD)
    assert (found.sd <= 1.5 * alone + 1e-12).all()


def test_few_particles_are_each_taken_for_itself(rng):
    mu, voids = np.array([48.0, 40.0, np.nan]), np.array([0.0, 0.1, np.nan])
    found = readings_among_others(
        mu, np.full(3, 0.01), voids, np.full(3, 0.02), np.zeros((3, 3)), np.full(3, 12.0)
    )
    np.testing.assert_allclose(found.logarithm[:2], np.log(mu[:2] / (1 - voids[:2])))
    np.testing.assert_allclose(found.sd, np.hypot(0.01, 0.02))
    assert np.isnan(found.logarithm[2])


def test_particles_of_one_size_are_those_next_to_it_in_order():
    diameter = np.random.default_rng(1).permutation(np.linspace(5, 15, 1000))
    found = fraction_alike(diameter > 10, diameter)
    np.testing.assert_allclose(found[diameter < 9.4], 0)
    np.testing.assert_allclose(found[diameter > 10.6], 1)
    assert found[np.abs(diameter - 10).argmin()] == pytest.approx(0.5, abs=0.02)
    assert fraction_alike(np.array([True, False]), np.array([4.0, 9.0])).tolist() == [0.5, 0.5]
    assert fraction_alike(np.zeros(0, bool), np.zeros(0)).size == 0
