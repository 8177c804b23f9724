"""Unsharp masking: edges made steeper. In: a frame; out: the same, less a blurred one.

Phase retrieval is an average; what it smears may be sharpened again, and with it the noise.
"""

from __future__ import annotations

from math import ceil

import numpy as np
import scipy

_TRUNCATE = 4.0  # standard deviations at which the blur ends


def reach_px(sigma_px: float, amount: float) -> int:
    """Pixels on which a sharpened one depends."""
    return ceil(_TRUNCATE * sigma_px) if amount else 0


def sharpened(frame: np.ndarray, lit: np.ndarray, sigma_px: float, amount: float) -> np.ndarray:
    """Add `amount` times what a Gaussian blur takes away.

    Parameters
    ----------
    frame : ndarray of float32, shape (row, column)
        Beyond its edges it is taken to be like its edge.
    lit : ndarray of float32, shape (row, column)
        How much a pixel counts, 0 to 1: what counts nothing stays, and sharpens nothing.
    sigma_px : float
        Standard deviation of the blur.
    amount : float
        As ``unsharp_coeff`` of nabu; of ImageJ's weight w it is w / (1 - w).

    Returns
    -------
    ndarray of float32, shape (row, column)
        Flat regions are as before, and without edges in reach of its borders so is the sum.
    """
    blurred, seen = (_blurred(values, sigma_px) for values in (lit * frame, lit))
    with np.errstate(divide="ignore", invalid="ignore"):
        around = np.where(seen > 0, blurred / seen, frame)
    return np.asarray(frame + np.float32(amount) * lit * (frame - around), np.float32)


def _blurred(values: np.ndarray, sigma_px: float) -> np.ndarray:
    blurred = scipy.ndimage.gaussian_filter(values, sigma_px, mode="nearest", truncate=_TRUNCATE)
    return np.asarray(blurred)
