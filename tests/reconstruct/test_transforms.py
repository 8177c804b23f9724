"""Transforms of rows side by side against scipy's."""

import numpy as np
import pytest
import scipy.fft

from xct.reconstruct.gridding.fft import inverse_columns, inverse_rows, plan, transform
from xct.reconstruct.gridding.polar import fast_even


def numbers(*shape):
    values = np.random.default_rng(0).normal(size=(*shape, 2)).astype(np.float32)
    return values.view(np.complex64)[..., 0]


@pytest.mark.parametrize("length", [2, 6, 8, 30, 40, 90, 96, 150, 250, 1620, 2048, 4000])
@pytest.mark.parametrize("lanes", [2, 16])
@pytest.mark.parametrize("beside", [1, 4])
def test_sequences_side_by_side_are_transformed_as_each_alone(length, lanes, beside):
    given = numbers(length, beside, lanes // 2)
    values, spare = given.copy().view(np.float32).ravel(), np.empty(given.size * 2, np.float32)
    passes = plan(length)
    ends = transform(values, spare, beside, passes.radices, passes.twiddles, (0,) * lanes)
    result = (spare if ends else values).view(np.complex64).reshape(given.shape)
    expected = scipy.fft.ifft(given.astype(np.complex128), axis=0, norm="forward")
    error = np.sqrt(np.mean(abs(result - expected) ** 2) / np.mean(abs(expected) ** 2))
    assert error < 4e-7


@pytest.mark.parametrize("size", [1, 6, 7, 17, 30])
def test_the_kept_part_of_the_grid_is_the_transform_in_two_directions(size):
    given = numbers(40, 40, 4)
    grid = given.copy().view(np.float32)
    inverse_rows(grid, size)
    inverse_columns(grid, size)
    expected = scipy.fft.ifft2(given.astype(np.complex128), axes=(0, 1), norm="forward")
    kept = np.ix_(np.arange(size) - size // 2, np.arange(size) - size // 2)
    np.testing.assert_allclose(grid.view(np.complex64)[kept], expected[kept], atol=2e-4)


def test_every_length_that_is_taken_can_be_divided():
    for least in range(1, 6000, 37):
        assert plan(fast_even(least)).radices.prod() == fast_even(least)


def test_a_length_with_another_factor_is_refused():
    with pytest.raises(ValueError, match="length=14 must be a product of 2, 3 and 5"):
        plan(14)
