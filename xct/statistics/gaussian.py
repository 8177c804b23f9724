"""The Gaussian: its density, and the weights of a discrete filter."""

from __future__ import annotations

from math import ceil

import numpy as np

TRUNCATE = 3.0  # a filter ends after so many standard deviations


def gaussian_density(grey: np.ndarray, level: float | np.ndarray, sd: float) -> np.ndarray:
    """Give the probability density about a level.

    Parameters
    ----------
    grey : ndarray
        Where.
    level : float or ndarray
        Mean.
    sd : float
        Standard deviation.
    """
    deviation = (grey - level) / sd
    return np.asarray(np.exp(-0.5 * deviation**2) / (sd * np.sqrt(2 * np.pi)))


def reach_px(sigma_px: float) -> int:
    """Give the number of voxels on each side that a filter takes in."""
    return max(0, ceil(TRUNCATE * sigma_px))


def gaussian_taps(sigma_px: float) -> np.ndarray:
    """Give the weights of a filter: of sum 1, float32, of odd length."""
    if sigma_px <= 0:
        return np.ones(1, np.float32)
    reach = reach_px(sigma_px)
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma_px) ** 2)
    return np.asarray(taps / taps.sum(), np.float32)
