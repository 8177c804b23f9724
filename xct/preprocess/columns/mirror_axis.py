"""Where the rotation axis is, roughly. In: a sinogram, of unknown angles; out: a column, or NaN.

What is the sample's looks the same half a turn later, mirrored about the axis. A fault of a column
does not.
"""

from __future__ import annotations

import numpy as np

from xct.parallel.kernels import njit

# Projections that are averaged: this part of all.
_PART = 200
# Groups of columns that are compared first, against noise; then columns about the best of them.
_COARSE = 128
# The axis is looked for in the middle part of the detector.
_NEAREST, _FARTHEST = 0.2, 0.8
# Difference of two projections over their scatter, below which they are mirror images.
_MOST_DIFFERENT = 0.45


@njit(cache=True, nogil=True)
def mirror_axis(sinograms: np.ndarray, row: int) -> float:
    """Find the column about which two projections are mirror images of each other.

    The first one is compared with the last, which is half a turn later in a scan of 180°, and
    with the middle one, which is so in a scan of 360°.

    Parameters
    ----------
    sinograms : ndarray of float32, shape (angle, row, column)
        Line integrals, finite.
    row : int
        Which sinogram.

    Returns
    -------
    float
        Within about a pixel; NaN where no two are alike, as with other ranges or orders of the
        angles, or where there is hardly any sample.
    """
    angles = len(sinograms)
    some = max(1, angles // _PART)
    first = _mean(sinograms, row, 0, some)
    axis, least = np.nan, _MOST_DIFFERENT
    for begin in (angles - some, angles // 2):
        other = _mean(sinograms, row, begin, begin + some)
        found, different = _best_mirror(first, other)
        if different < least:
            axis, least = found, different
    return axis


@njit(cache=True, nogil=True)
def _mean(sinograms: np.ndarray, row: int, first: int, stop: int) -> np.ndarray:
    total = np.zeros(sinograms.shape[2], np.float32)
    for angle in range(first, stop):
        total += sinograms[angle, row]
    return total / np.float32(stop - first)


@njit(cache=True, nogil=True)
def _best_mirror(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """Axis about which `other` is most like `one`, and how different they are there."""
    size = max(1, one.size // _COARSE)
    coarse, coarse_other = _binned(one, size), _binned(other, size)
    low, high = 2 * _NEAREST * coarse.size, 2 * _FARTHEST * coarse.size
    best, different = _least_different(coarse, coarse_other, int(low), int(high))
    middle = best * size + size - 1  # sum of the numbers of two columns that mirror each other
    fine, _ = _least_different(one, other, middle - 2 * size, middle + 2 * size + 1)
    return fine / 2, different


@njit(cache=True, nogil=True)
def _binned(line: np.ndarray, size: int) -> np.ndarray:
    binned = np.zeros(line.size // size, np.float32)
    for c in range(binned.size):
        for own in range(size):
            binned[c] += line[c * size + own]
    return binned


@njit(cache=True, nogil=True)
def _least_different(one: np.ndarray, other: np.ndarray, low: int, high: int) -> tuple[int, float]:
    best, least = low, np.inf
    for total in range(low, high):
        different = _different(one, other, total)
        if different < least:
            best, least = total, different
    return best, least


@njit(cache=True, nogil=True, fastmath={"reassoc"})
def _different(one: np.ndarray, other: np.ndarray, total: int) -> float:
    """Scatter of the difference of mirrored columns over that of the columns themselves."""
    first, stop = max(0, total - one.size + 1), min(one.size, total + 1)
    if stop - first < 4:
        return np.inf
    a, b = one[first:stop], other[total - stop + 1 : total - first + 1][::-1]
    sums, squares, apart = np.float32(0), np.float32(0), np.float32(0)
    for c in range(a.size):
        step = a[c] - b[c]
        sums += a[c] + b[c]
        squares += a[c] * a[c] + b[c] * b[c]
        apart += step * step
    scatter = squares - sums * sums / (2 * a.size)
    return float(apart / scatter) if scatter > 0 else np.inf
