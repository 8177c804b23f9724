"""How far a stage stands off between projections. In: line integrals of rows; out: pixels.

A view that lies between its neighbors differs from their mean by noise, and by its own shift times
the slope of what is seen.
"""

from __future__ import annotations

import numpy as np
import scipy

_SMOOTH_PX = 1.5
_MOST_ROWS = 4
LEAST_PX, _SURE = 0.1, 3.0  # below which, and within its noise, nothing is said


def unsteadiness_px(views: np.ndarray) -> float:
    """Measure the standard deviation of shifts along columns, from view to view.

    Slow drifts are not seen.

    Parameters
    ----------
    views : ndarray, shape (angle, row, column)
        Line integrals, ascending in angle, free of fixed stripes.

    Returns
    -------
    float
        Pixels; 0 where it is below a tenth of a pixel, or not distinguished from noise.
    """
    smooth = scipy.ndimage.gaussian_filter1d(_few(views), _SMOOTH_PX, axis=-1)
    return _scatter_px(smooth, np.gradient(smooth, axis=-1))


def unsteadiness_of_rows_px(upper: np.ndarray, lower: np.ndarray) -> float:
    """Measure the same along rows, from rows and those that follow them."""
    smooth, next_row = (
        scipy.ndimage.gaussian_filter1d(_few(v), _SMOOTH_PX, axis=-1) for v in (upper, lower)
    )
    return _scatter_px((smooth + next_row) / 2, next_row - smooth)


def _few(views: np.ndarray) -> np.ndarray:
    rows = views.shape[1]
    chosen = np.linspace(0, rows - 1, min(rows, _MOST_ROWS)).round().astype(np.intp)
    return views[:, np.unique(chosen)]


def _scatter_px(seen: np.ndarray, slope: np.ndarray) -> float:
    """Find the shifts by which views differ from the mean of their neighbors; their scatter."""
    between = (slope[:-2] + slope[2:]) / 2
    away = seen[1:-1] - (seen[:-2] + seen[2:]) / 2
    steep = np.maximum(np.sum(between**2, axis=2), 1e-30)
    product = np.sum(away * between, axis=2)
    # Smoothing correlates neighbors: so many columns have the noise of one.
    alike = np.sqrt(4 * np.pi) * _SMOOTH_PX
    left = np.mean(away**2, axis=2) - product**2 / steep / seen.shape[2]
    noise = np.median(left, axis=0) * alike
    noise = np.maximum(noise, 1e-30)  # by row: the quietest rows say most
    certain = np.sum(steep / noise, axis=1)
    shift = -np.sum(product / noise, axis=1) / certain
    scatter = (1.4826 * np.median(np.abs(shift - np.median(shift)))) ** 2
    expected = float(np.median(1 / certain))
    # A shift less the mean of two others varies by half as much more than one.
    found = float(np.sqrt(max(scatter - expected, 0.0) / 1.5))
    return found if found > LEAST_PX and scatter > _SURE * expected else 0.0
