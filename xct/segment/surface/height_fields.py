"""Height fields made smooth, no hole filled. In: heights by column; out: the same, cleaned."""

from __future__ import annotations

from math import ceil

import numpy as np

from xct.parallel.kernels import njit
from xct.parallel.threads import over_ranges

_MAD = 1.4826  # sd of a normal distribution in median absolute deviations
_TRUNCATE = 3.0


def hampel(
    height: np.ndarray, valid: np.ndarray, *, reach: int = 3, times: float = 3.0, least: float = 0.3
) -> np.ndarray:
    """Mark heights that stand out from the median of their neighbors.

    Parameters
    ----------
    height : ndarray of float64, shape (y, x)
        Heights.
    valid : ndarray of bool, shape (y, x)
        Where there is one.
    reach : int, optional
        Neighbors on each side.
    times : float, optional
        An outlier lies this many standard deviations (from the median absolute deviation) off …
    least : float, optional
        … and at least as far as this.

    Returns
    -------
    ndarray of bool, shape (y, x)
        True for outliers.
    """
    odd = np.zeros(height.shape, np.bool_)
    over_ranges(lambda a, b: _hampel(height, valid, reach, times, least, odd, a, b), len(height))
    return odd


@njit(cache=True, nogil=True)
def _hampel(
    height: np.ndarray,
    valid: np.ndarray,
    reach: int,
    times: float,
    least: float,
    odd: np.ndarray,
    first: int,
    stop: int,
) -> None:
    rows, columns = height.shape
    near = np.empty((2 * reach + 1) ** 2, np.float64)
    for y in range(first, stop):
        for x in range(columns):
            if not valid[y, x]:
                continue
            count = 0
            for j in range(max(0, y - reach), min(rows, y + reach + 1)):
                for i in range(max(0, x - reach), min(columns, x + reach + 1)):
                    if valid[j, i]:
                        near[count] = height[j, i]
                        count += 1
            middle = np.median(near[:count])
            sd = _MAD * np.median(np.abs(near[:count] - middle))
            odd[y, x] = abs(height[y, x] - middle) > max(times * sd, least)


def median_of(
    height: np.ndarray, wanted: np.ndarray, *, reach: int = 2, least: int = 5
) -> np.ndarray:
    """Take the median of the neighbors that have a height.

    Parameters
    ----------
    height : ndarray of float64, shape (y, x)
        NaN where there is none.
    wanted : ndarray of bool, shape (y, x)
        Columns that get an answer; the others stay NaN.
    reach : int, optional
        Neighbors on each side.
    least : int, optional
        Neighbors that must have a height.

    Returns
    -------
    ndarray of float64, shape (y, x)
    """
    middle = np.full(height.shape, np.nan)
    over_ranges(lambda a, b: _median_of(height, wanted, reach, least, middle, a, b), len(height))
    return middle


@njit(cache=True, nogil=True)
def _median_of(
    height: np.ndarray,
    wanted: np.ndarray,
    reach: int,
    least: int,
    middle: np.ndarray,
    first: int,
    stop: int,
) -> None:
    rows, columns = height.shape
    near = np.empty((2 * reach + 1) ** 2, np.float64)
    for y in range(first, stop):
        for x in range(columns):
            if not wanted[y, x]:
                continue
            count = 0
            for j in range(max(0, y - reach), min(rows, y + reach + 1)):
                for i in range(max(0, x - reach), min(columns, x + reach + 1)):
                    if height[j, i] == height[j, i]:
                        near[count] = height[j, i]
                        count += 1
            if count >= least:
                middle[y, x] = np.median(near[:count])


def smoothed(
    height: np.ndarray, weight: np.ndarray, wanted: np.ndarray, sigma_px: float
) -> tuple[np.ndarray, np.ndarray]:
    """Smooth by a local plane, weighted by a Gaussian about each column.

    Parameters
    ----------
    height : ndarray of float64, shape (y, x)
        Heights.
    weight : ndarray of float64, shape (y, x)
        How far each is to be believed: 0 not at all; 1 / variance elsewhere.
    wanted : ndarray of bool, shape (y, x)
        Columns that get an answer; the others stay NaN.
    sigma_px : float
        Width of the Gaussian.

    Returns
    -------
    smooth : ndarray of float64, shape (y, x)
        NaN where not wanted, or where nothing in reach can be believed.
    shrinking : ndarray of float64, shape (y, x)
        Variance of `smooth` from that of the heights, if those are independent of each other.
    """
    reach = ceil(_TRUNCATE * sigma_px)
    offsets = np.arange(-reach, reach + 1)
    taps = np.exp(-0.5 * (np.hypot(offsets[:, None], offsets[None]) / max(sigma_px, 1e-6)) ** 2)
    smooth = np.full(height.shape, np.nan)
    variance = np.full(height.shape, np.nan)
    over_ranges(
        lambda a, b: _local_plane(height, weight, wanted, taps, smooth, variance, a, b), len(height)
    )
    return smooth, variance


@njit(cache=True, nogil=True)
def _local_plane(
    height: np.ndarray,
    weight: np.ndarray,
    wanted: np.ndarray,
    taps: np.ndarray,
    smooth: np.ndarray,
    variance: np.ndarray,
    first: int,
    stop: int,
) -> None:
    rows, columns = height.shape
    reach = taps.shape[0] // 2
    for y in range(first, stop):
        for x in range(columns):
            if not wanted[y, x]:
                continue
            s0 = sy = sx = syy = sxx = sxy = t0 = ty = tx = 0.0
            for j in range(max(0, y - reach), min(rows, y + reach + 1)):
                for i in range(max(0, x - reach), min(columns, x + reach + 1)):
                    w = weight[j, i]
                    if w == 0.0:
                        continue
                    w *= taps[j - y + reach, i - x + reach]
                    b, a, h = j - y, i - x, height[j, i]
                    s0 += w
                    sy += w * b
                    sx += w * a
                    syy += w * b * b
                    sxx += w * a * a
                    sxy += w * a * b
                    t0 += w * h
                    ty += w * b * h
                    tx += w * a * h
            if s0 == 0.0:
                continue
            my, mx, mh = sy / s0, sx / s0, t0 / s0
            # Ridge of a tenth of a column²: where all neighbors lie in a line, no slope across it.
            cyy = syy / s0 - my * my + 0.1
            cxx = sxx / s0 - mx * mx + 0.1
            cxy = sxy / s0 - mx * my
            cyh, cxh = ty / s0 - my * mh, tx / s0 - mx * mh
            det = cyy * cxx - cxy * cxy
            by = (cxx * cyh - cxy * cxh) / det
            bx = (cyy * cxh - cxy * cyh) / det
            smooth[y, x] = mh - by * my - bx * mx
            gy = (cxx * my - cxy * mx) / det
            gx = (cyy * mx - cxy * my) / det
            variance_here = 0.0
            for j in range(max(0, y - reach), min(rows, y + reach + 1)):
                for i in range(max(0, x - reach), min(columns, x + reach + 1)):
                    w = weight[j, i]
                    if w == 0.0:
                        continue
                    g = taps[j - y + reach, i - x + reach]
                    factor = w * g / s0 * (1 - gy * (j - y - my) - gx * (i - x - mx))
                    variance_here += factor * factor / w
            variance[y, x] = variance_here
