"""Peaks of histograms. In: counts in equal bins; out: position and width of the main peak."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_HALVINGS = 3  # down to the densest eighth of the voxels: beyond, single bins decide


@dataclass(frozen=True)
class Peak:
    """The main peak of a histogram.

    Attributes
    ----------
    position : float
        Grey value.
    width : float
        Standard deviation of the Gaussian through its top half.
    """

    position: float
    width: float


def find_peak(counts: np.ndarray, grey_value: np.ndarray) -> Peak:
    """Find the main peak: the half-sample mode [1]_, then a Gaussian through the top half.

    What lies below half of the peak's height, such as a tail of mixed voxels, has no say.

    Parameters
    ----------
    counts : ndarray, shape (bin,)
        Voxels.
    grey_value : ndarray, shape (bin,)
        Centers of equal bins.

    Returns
    -------
    Peak
        NaN where there are no voxels; a width of NaN where the top is no peak.

    References
    ----------
    .. [1] Bickel & Frühwirth (2006), Comput. Stat. Data Anal. 50, 3500.
       doi:10.1016/j.csda.2005.07.011
    """
    counts = np.asarray(counts, float)
    if not counts.any():
        return Peak(np.nan, np.nan)
    first, stop = 0, counts.size
    for _ in range(_HALVINGS):
        first, stop = _densest_half(counts, first, stop)
    smooth = _smoothed(counts, max(1, (stop - first) // 4))
    top = first + int(np.argmax(smooth[first:stop]))
    for _ in range(2):  # the second time about the fitted center
        peak = _through_top(counts, smooth, grey_value, top)
        if not np.isfinite(peak.width):
            break
        top = int(np.clip(np.searchsorted(grey_value, peak.position), 0, counts.size - 1))
    return peak


def _densest_half(counts: np.ndarray, first: int, stop: int) -> tuple[int, int]:
    """Find the shortest range of bins with half of the voxels of a range."""
    below = np.concatenate([[0.0], np.cumsum(counts[first:stop])])
    ends = np.searchsorted(below, below + below[-1] / 2)
    starts = np.flatnonzero(ends < below.size)
    # Where several are as short, the one with most voxels.
    length = ends[starts] - starts
    short = starts[length == length.min()]
    best = int(short[np.argmax(below[short + length.min()] - below[short])])
    return first + best, first + best + int(length.min())


def _smoothed(counts: np.ndarray, reach: int) -> np.ndarray:
    kernel = np.ones(2 * reach + 1) / (2 * reach + 1)
    return np.convolve(counts, kernel, mode="same")


def _through_top(counts: np.ndarray, smooth: np.ndarray, grey: np.ndarray, top: int) -> Peak:
    low = smooth < smooth[top] / 2
    left = top - int(np.argmax(low[top::-1])) if low[: top + 1].any() else -1
    right = top + int(np.argmax(low[top:])) if low[top:].any() else counts.size
    part = slice(left + 1, right)
    used = np.flatnonzero(counts[part] > 0) + left + 1
    if used.size < 3:
        return Peak(float(grey[top]), np.nan)
    unit = (grey[used[-1]] - grey[used[0]]) / 2
    off = (grey[used] - grey[top]) / unit
    curve = np.polyfit(off, np.log(counts[used]), 2, w=np.sqrt(counts[used]))
    if curve[0] >= 0:
        return Peak(float(grey[top]), np.nan)
    position = float(grey[top] - curve[1] / (2 * curve[0]) * unit)
    width = float(unit / np.sqrt(-2 * curve[0]))
    inside = grey[part.start] <= position <= grey[part.stop - 1]
    return Peak(position, width) if inside else Peak(float(grey[top]), np.nan)
