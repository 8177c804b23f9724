"""Quantiles of rows that may hold NaN, all at once: numpy's own take each row by itself."""

from __future__ import annotations

import numpy as np


def known_quantile(values: np.ndarray, share: float) -> np.ndarray:
    """Give the quantile of the known values of each row; NaN where there are none.

    Parameters
    ----------
    values : ndarray, shape (row, n)
        Values, or NaN.
    share : float
        0 … 1.
    """
    ordered = np.sort(values, axis=1)  # NaN comes last
    count = np.count_nonzero(~np.isnan(ordered), axis=1)
    at = share * np.maximum(count - 1, 0)
    low = at.astype(int)
    high = np.minimum(low + 1, np.maximum(count - 1, 0))
    rows = np.arange(len(ordered))
    part = at - low
    return np.asarray(ordered[rows, low] * (1 - part) + ordered[rows, high] * part)
