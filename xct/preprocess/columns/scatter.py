"""How columns of a sinogram scatter. In: columns over the angles; out: variances."""

from __future__ import annotations

import numpy as np

from xct.parallel.kernels import njit

# Angles that are looked at; the statistics of a column need no more.
_ANGLES = 512
# Scatter of line integrals that no measurement resolves; rounding alone gives less.
LEAST_VARIANCE = 1e-10


@njit(cache=True, nogil=True)
def centered_columns(sinograms: np.ndarray, row: int) -> np.ndarray:
    """Take a sinogram at some angles, less the linear trend of each column.

    The trend goes, since a column that is stuck drifts where flats are interpolated in time.

    Returns
    -------
    ndarray of float32, shape (column, angle)
    """
    angles, _, width = sinograms.shape
    stride = max(1, angles // _ANGLES)
    count = (angles + stride - 1) // stride
    columns = np.empty((width, count), np.float32)
    for a in range(count):
        line = sinograms[a * stride, row]
        for c in range(width):
            columns[c, a] = line[c]
    middle = (count - 1) / 2
    squares = max(count * (count**2 - 1) / 12, 1.0)
    for c in range(width):
        total, moment = 0.0, 0.0
        for a in range(count):
            value = np.float64(columns[c, a])
            total += value
            moment += value * (a - middle)
        mean, slope = total / count, moment / squares
        for a in range(count):
            columns[c, a] -= np.float32(mean + slope * (a - middle))
    return columns


@njit(cache=True, nogil=True)
def scatter_of_columns(columns: np.ndarray) -> np.ndarray:
    """Mean square of each column, shape (column,)."""
    scatter = np.empty(len(columns), np.float32)
    for c in range(scatter.size):
        scatter[c] = covariance(columns[c], columns[c], False)
    return scatter


@njit(cache=True, nogil=True)
def scatter_of_steps(columns: np.ndarray) -> np.ndarray:
    """Variance of the differences between neighbors, shape (column - 1,).

    By their mean amount, as of a normal distribution: what passes a column now and then, such as
    a thin fiber, is not what scatters all the time.
    """
    steps = np.empty(len(columns) - 1, np.float32)
    for c in range(steps.size):
        amount = _mean_amount(columns[c + 1], columns[c])
        steps[c] = 0.5 * np.pi * amount * amount
    return steps


@njit(cache=True, nogil=True, fastmath={"reassoc"})
def _mean_amount(one: np.ndarray, other: np.ndarray) -> float:
    total = np.float32(0)
    for a in range(one.size):
        total += abs(one[a] - other[a])
    return np.float64(total) / one.size


@njit(cache=True, nogil=True, fastmath={"reassoc"})
def covariance(one: np.ndarray, other: np.ndarray, differ: bool) -> float:
    """Mean of the products of two columns, or of the squares of their differences."""
    total = np.float32(0)
    if differ:
        for a in range(one.size):
            step = one[a] - other[a]
            total += step * step
    else:
        for a in range(one.size):
            total += one[a] * other[a]
    return np.float64(total) / one.size


@njit(cache=True, nogil=True, fastmath={"reassoc"})
def is_noise(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether the difference of two columns is another at each angle, as the sample's is not."""
    changes, squares = np.float32(0), np.float32(0)
    for a in range(one.size - 1):
        here, later = one[a] - other[a], one[a + 1] - other[a + 1]
        change = later - here
        changes += change * change
        squares += here * here
    return bool(changes > squares)


@njit(cache=True, nogil=True)
def off_line(columns: np.ndarray, left: int, right: int) -> float:
    """Mean square of what is between two columns, off the line from one to the other."""
    total = 0.0
    line = np.empty_like(columns[left])
    for c in range(left + 1, right):
        f = np.float32((c - left) / (right - left))
        line[:] = columns[left] + f * (columns[right] - columns[left])
        total += covariance(columns[c], line, True)
    return total


@njit(cache=True, nogil=True)
def median_of(values: np.ndarray, first: int, stop: int) -> float:
    """Median of a range of values, as far as it exists; infinity where it does not."""
    beside = values[max(first, 0) : min(stop, values.size)]
    return float(np.median(beside)) if beside.size else np.inf
