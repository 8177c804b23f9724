"""How far a stage stands off between projections. In: line integrals of rows; out: pixels.

A view that lies between its neighbors differs from their mean by noise, and by its own shift times
the slope of what is seen.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

_SMOOTH_PX = 1.5
_MOST_ROWS = 4
_LEAST_PX, _SURE = 0.1, 3.0  # below which, and in its noise, nothing is said


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
    rows = views.shape[1]
    chosen = np.unique(np.linspace(0, rows - 1, min(rows, _MOST_ROWS)).round().astype(np.intp))
    smooth = gaussian_filter1d(views[:, chosen], _SMOOTH_PX, axis=-1)
    between = (smooth[:-2] + smooth[2:]) / 2
    away = smooth[1:-1] - between
    slope = np.gradient(between, axis=-1)
    steep = np.maximum(np.sum(slope**2, axis=(1, 2)), 1e-30)
    shift = -np.sum(away * slope, axis=(1, 2)) / steep
    away += shift[:, None, None] * slope
    # Smoothing correlates neighbors: so many columns have the noise of one.
    alike = np.sqrt(4 * np.pi) * _SMOOTH_PX
    noise = np.median(np.mean(away**2, axis=(1, 2)) * alike / steep)
    scatter = (1.4826 * np.median(np.abs(shift - np.median(shift)))) ** 2
    # A shift less the mean of two others varies by half as much more than one.
    found = float(np.sqrt(max(scatter - noise, 0.0) / 1.5))
    return found if found > _LEAST_PX and scatter > _SURE * noise else 0.0
