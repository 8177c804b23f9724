"""Averages across the columns of a band. In: slices, which columns take part; out: averages."""

from __future__ import annotations

import numpy as np

from xct.parallel.kernels import njit
from xct.parallel.threads import over_ranges
from xct.statistics.gaussian import gaussian_taps

_FAST = {"contract", "reassoc", "nsz", "arcp"}  # not: as if there were no NaN
_LEAST_WEIGHT = 1e-3  # of a full neighborhood, to be an average at all


def average_across(
    block: np.ndarray, inside: np.ndarray, sigma_px: float, rows: slice = slice(None)
) -> np.ndarray:
    """Average each slice by a Gaussian over the voxels inside that hold a value.

    Parameters
    ----------
    block : ndarray of float32, shape (s, y, x)
        Slices.
    inside : ndarray of bool, shape (y, x)
        Which columns take part.
    sigma_px : float
        Width of the Gaussian.
    rows : slice, optional
        Which y are wanted.

    Returns
    -------
    ndarray of float32, shape (s, wanted y, x)
        NaN where no voxel in reach takes part.
    """
    first, stop, _ = rows.indices(block.shape[1])
    taps = gaussian_taps(sigma_px)
    smooth = np.empty((len(block), stop - first, block.shape[2]), np.float32)
    whole = np.empty(smooth.shape[1:], np.float32)
    _spread(inside.astype(np.float32), taps, first, whole)
    over_ranges(
        lambda a, b: _average(block, inside, taps, first, whole, smooth, a, b), len(block), pieces=4
    )
    return smooth


@njit(cache=True, nogil=True, fastmath=_FAST)
def _average(
    block: np.ndarray,
    inside: np.ndarray,
    taps: np.ndarray,
    first_row: int,
    whole: np.ndarray,
    smooth: np.ndarray,
    first: int,
    stop: int,
) -> None:
    """Average some slices; `whole` is the sum of weights where no voxel lacks a value."""
    _, height, width = block.shape
    values, weights = np.empty((2, height, width), np.float32)
    some = np.empty(whole.shape, np.float32)
    for s in range(first, stop):
        without = 0
        for y in range(height):
            for x in range(width):
                value = block[s, y, x]
                good = inside[y, x] and value == value
                without += inside[y, x] and not good
                values[y, x] = value if good else np.float32(0)
                weights[y, x] = np.float32(1) if good else np.float32(0)
        _spread(values, taps, first_row, smooth[s])
        if without:
            _spread(weights, taps, first_row, some)
        known = some if without else whole
        for row in range(smooth.shape[1]):
            for x in range(width):
                if known[row, x] > np.float32(_LEAST_WEIGHT):
                    smooth[s, row, x] /= known[row, x]
                else:
                    smooth[s, row, x] = np.nan


@njit(cache=True, nogil=True, fastmath=_FAST)
def _spread(values: np.ndarray, taps: np.ndarray, first_row: int, found: np.ndarray) -> None:
    """Sum over the neighborhood, by weight, in the rows of `found`."""
    height, width = values.shape
    reach = taps.size // 2
    # Room on either side, so that the inner loop has no conditions.
    total = np.zeros(width + 2 * reach, np.float32)
    for row in range(found.shape[0]):
        y = row + first_row
        total[reach : reach + width] = np.float32(0)
        for k in range(max(0, reach - y), min(taps.size, height + reach - y)):
            line, tap = y + k - reach, taps[k]
            for x in range(width):
                total[reach + x] += tap * values[line, x]
        found[row] = np.float32(0)
        for k in range(taps.size):
            tap = taps[k]
            for x in range(width):
                found[row, x] += tap * total[x + k]
