"""Sorting and sliding medians: what a sort and a median written down plainly give."""

import numpy as np
import pytest

from xct.preprocess.sorting import LANES, sliding_median, smooth_ranks, sort_values

SIZES = [(3, 3), (3, 1001), (4, 2), (17, 21), (33, 16), (40, 15), (50, 99)]


def median_of_neighbors(values, size):
    """The larger middle value of each window over columns, mirrored at the ends."""
    columns, before = len(values), size // 2
    mirrored = np.pad(values, [(before, size - 1 - before), (0, 0)], mode="symmetric")
    windows = np.stack([mirrored[n : n + columns] for n in range(size)])
    return np.sort(windows, axis=0)[before]


def noise(*shape):
    return np.random.default_rng(shape).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize(("columns", "size"), SIZES)
@pytest.mark.parametrize("ranks", [1, LANES, LANES + 1])
def test_a_sliding_median_is_the_middle_of_each_window(columns, size, ranks):
    values = noise(columns, ranks).round(1)  # many are equal
    smooth = np.empty_like(values)
    sliding_median(values, size, smooth)
    np.testing.assert_array_equal(smooth, median_of_neighbors(values, size))


@pytest.mark.parametrize(
    "values",
    [
        noise(2000),
        noise(2000).round(2),
        np.float32([3, 1, 2]),
        np.float32([7]),
        np.float32([0, -0.0, 0, -1e-45, 1e-45]),
        np.zeros(50, np.float32),
        np.sort(noise(500))[::-1].copy(),
        np.append(noise(900), np.float32([3e38, -3e38])),
        np.append(1 + 1e-6 * noise(3000), np.float32(1e9)),
    ],
    ids=["noise", "equal values", "few", "one", "zeros of both signs", "all equal", "descending",
         "a span beyond all numbers", "all but one in a narrow range"],
)  # fmt: skip
def test_values_are_sorted_and_equal_ones_keep_their_order(values):
    ordered, angle = np.empty_like(values), np.empty(values.size, np.uint32)
    sort_values(values, ordered, angle)
    expected = np.argsort(values, kind="stable")
    np.testing.assert_array_equal(angle, expected)
    np.testing.assert_array_equal(ordered, values[expected])


@pytest.mark.parametrize(("columns", "size"), SIZES)
@pytest.mark.parametrize("angles", [5, LANES * 2 + 3])
def test_columns_agree_in_rank_and_keep_the_order_of_their_angles(columns, size, angles):
    sinograms = noise(angles, 3, columns)
    order = np.argsort(sinograms[:, 1], axis=0, kind="stable")
    expected = sinograms.copy()
    ranked = np.take_along_axis(sinograms[:, 1], order, axis=0)
    smooth = median_of_neighbors(ranked.T, size).T
    np.put_along_axis(expected[:, 1], order, smooth, axis=0)
    smooth_ranks(sinograms, 1, size)  # and the other sinograms stay as they are
    np.testing.assert_array_equal(sinograms, expected)
