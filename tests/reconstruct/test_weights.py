"""Weights of the angles: gaps modulo 180°, by hand."""

import warnings

import numpy as np
import pytest

from xct.reconstruct.filters import angle_weights

DEGREE = np.pi / 180


def test_equal_steps_have_equal_weights():
    np.testing.assert_allclose(angle_weights(np.arange(180.0)), DEGREE)


def test_the_two_ends_of_a_half_turn_share_one_weight():
    weights = angle_weights(np.linspace(0, 180, 181))
    np.testing.assert_allclose(weights[[0, -1]], DEGREE / 2)
    np.testing.assert_allclose(weights[1:-1], DEGREE)


def test_a_full_turn_counts_each_direction_once():
    np.testing.assert_allclose(angle_weights(np.arange(360.0)), DEGREE / 2)
    weights = angle_weights(np.linspace(0, 360, 361))
    np.testing.assert_allclose(weights[[0, 180, 360]], DEGREE / 3)


def test_a_full_turn_with_encoder_noise_has_no_light_projections():
    theta = np.arange(360.0) + np.random.default_rng(0).normal(0, 1e-5, 360)
    np.testing.assert_allclose(angle_weights(theta), DEGREE / 2, rtol=1e-3)


def test_uneven_steps_weigh_by_half_the_gaps_beside():
    theta = np.array([0.0, 30, 50, 90, 120, 150])
    expected = np.array([30, 25, 30, 35, 30, 30]) * DEGREE
    np.testing.assert_allclose(angle_weights(theta), expected)


@pytest.mark.parametrize("start", [-90.0, 0.3, 179.9, 1000.0])
def test_start_and_order_do_not_matter(start):
    theta = np.cumsum(np.random.default_rng(1).uniform(0.5, 1.5, 180))
    theta *= 180 / (theta[-1] + 1)
    expected = angle_weights(theta)
    order = np.random.default_rng(2).permutation(theta.size)
    np.testing.assert_allclose(angle_weights(theta[order] + start), expected[order], rtol=1e-6)
    np.testing.assert_allclose(angle_weights(-theta), expected, rtol=1e-6)


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_few_angles_still_add_up_to_pi(count):
    assert angle_weights(np.linspace(0, 180, count, endpoint=False)).sum() == pytest.approx(np.pi)


def test_a_missing_wedge_is_named_and_not_given_to_its_neighbors():
    with pytest.warns(UserWarning, match=r"wedge is missing.*150° to 180°"):
        weights = angle_weights(np.linspace(0, 150, 151))
    np.testing.assert_allclose(weights, np.pi / 151)


def test_a_wedge_in_the_middle_is_found_in_shuffled_angles():
    theta = np.concatenate([np.arange(0, 60, 0.5), np.arange(80, 180, 0.5)])
    with pytest.warns(UserWarning, match=r"59\.5° to 80°"):
        weights = angle_weights(np.random.default_rng(0).permutation(theta) + 360)
    np.testing.assert_allclose(weights, np.pi / theta.size)


def test_a_step_that_changes_is_no_wedge():
    theta = np.concatenate([np.arange(0, 150, 0.1), np.arange(150, 180, 1.0)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        weights = angle_weights(theta)
    assert weights[-5] == pytest.approx(DEGREE)


def test_random_angles_are_no_wedge():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        angle_weights(np.random.default_rng(0).uniform(0, 180, 400))


def test_angles_in_radians_are_suspected():
    with pytest.warns(UserWarning, match="radians"):
        angle_weights(np.linspace(0, np.pi, 100))
