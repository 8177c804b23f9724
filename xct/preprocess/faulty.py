"""Faulty columns: pixels that do not follow what comes. In: sinograms; out: these interpolated."""

from __future__ import annotations

import numpy as np

from xct.compiling import njit

# Scatter of line integrals that no measurement resolves; rounding alone gives less.
_LEAST_VARIANCE = 1e-10


@njit(cache=True, nogil=True)
def find_faulty(sinograms: np.ndarray, row: int, ratio: float) -> np.ndarray:
    """Find columns that contradict two neighbors which agree.

    A pixel differs from the mean of its two neighbors by the curvature of the sample's profile
    and by noise; the neighbors differ from each other by its slope and by noise, which is more.
    A pixel whose readings wander by themselves turns this around.

    Parameters
    ----------
    sinograms : ndarray of float32, shape (angle, row, column)
        Line integrals.
    row : int
        Which sinogram.
    ratio : float
        How many times more, in standard deviation over the angles, a column must differ from the
        mean of its neighbors than these from each other.

    Returns
    -------
    ndarray of bool, shape (column,)
        True where a column is faulty; never the first or the last. An empty array if the
        sinogram holds values that are not finite.
    """
    angles, _, columns = sinograms.shape
    sums = np.zeros((4, columns - 2))
    own, own_square, slope, slope_square = sums[0], sums[1], sums[2], sums[3]
    for angle in range(angles):
        line = sinograms[angle, row]
        left, middle, right = line[:-2], line[1:-1], line[2:]
        for c in range(columns - 2):
            before, value, after = np.float64(left[c]), np.float64(middle[c]), np.float64(right[c])
            deviation, difference = value - 0.5 * (before + after), after - before
            own[c] += deviation
            own_square[c] += deviation * deviation
            slope[c] += difference
            slope_square[c] += difference * difference
    if not np.isfinite(sums).all():
        return np.zeros(0, np.bool_)
    faulty = np.zeros(columns, np.bool_)
    for c in range(columns - 2):
        own_variance = (own_square[c] - own[c] ** 2 / angles) / angles
        slope_variance = (slope_square[c] - slope[c] ** 2 / angles) / angles
        faulty[c + 1] = own_variance > ratio**2 * slope_variance + _LEAST_VARIANCE
    return faulty


@njit(cache=True, nogil=True)
def interpolate_faulty(sinograms: np.ndarray, row: int, faulty: np.ndarray) -> None:
    """Replace faulty columns of a sinogram by the line between the good ones on either side.

    Parameters
    ----------
    sinograms : ndarray of float32, shape (angle, row, column)
        Is changed.
    row : int
        Which sinogram.
    faulty : ndarray of bool, shape (column,)
        As `find_faulty` gives it.
    """
    for column in np.flatnonzero(faulty):
        left, right = column - 1, column + 1
        while faulty[left]:
            left -= 1
        while faulty[right]:
            right += 1
        share = np.float32((column - left) / (right - left))
        for angle in range(len(sinograms)):
            line = sinograms[angle, row]
            line[column] = line[left] + share * (line[right] - line[left])
