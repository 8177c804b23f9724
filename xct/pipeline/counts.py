"""Counts: how many values a stage marked, filled or replaced, by detector row."""

from __future__ import annotations

import numpy as np

from xct.parallel.kernels import njit
from xct.parallel.threads import over_ranges


def count_by_row(before: np.ndarray, after: np.ndarray, *, same_quantity: bool) -> np.ndarray:
    """Count the values that a stage touched.

    Parameters
    ----------
    before, after : ndarray, shape (angle, row, column)
        What the stage got and gave.
    same_quantity : bool
        Whether both are the same quantity: then every value that differs counts. Otherwise only
        values that became NaN or are no longer so.

    Returns
    -------
    ndarray of int64, shape (row,)
    """
    counts = np.zeros(after.shape[1], np.int64)
    integers = not np.issubdtype(before.dtype, np.floating)

    def some(first: int, stop: int) -> None:
        if integers:
            _count_marked(after, counts, first, stop)
        else:
            _count_touched(before, after, same_quantity, counts, first, stop)

    over_ranges(some, after.shape[1])
    return counts


@njit(cache=True, nogil=True)
def _count_marked(after: np.ndarray, counts: np.ndarray, first: int, stop: int) -> None:
    for angle in range(after.shape[0]):
        for row in range(first, stop):
            marked = 0
            for column in range(after.shape[2]):
                marked += after[angle, row, column] != after[angle, row, column]
            counts[row] += marked


@njit(cache=True, nogil=True)
def _count_touched(
    before: np.ndarray, after: np.ndarray, every: bool, counts: np.ndarray, first: int, stop: int
) -> None:
    for angle in range(after.shape[0]):
        for row in range(first, stop):
            touched = 0
            for column in range(after.shape[2]):
                a, b = before[angle, row, column], after[angle, row, column]
                a_marked, b_marked = a != a, b != b
                touched += (a_marked != b_marked) or (every and not a_marked and a != b)
            counts[row] += touched
