"""The cathode's faces: the share of active material falls to half. In: volume; out: heights.

Both are steps of μ averaged over about a particle; what the particles lie in attenuates little.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from xct.segment.bands import Span, gaussian_taps, strips
from xct.threads import over_ranges
from xct.voxels import Voxels


def front_columns(
    volume: Voxels,
    span: Span,
    inside: np.ndarray,
    base: np.ndarray,
    middle: np.ndarray,
    quarter: float,
    sigma_px: tuple[float, float],
) -> tuple[np.ndarray, np.ndarray, float]:
    """Find both faces of the cathode in every column of the bore.

    Parameters
    ----------
    volume : Voxels
        μ in 1/cm.
    span : Span
        Slices: the cathode and as much beside it as its faces may be off.
    inside : ndarray of bool, shape (y, x)
        Columns of the bore that take part in the average.
    base : ndarray, shape (s, ) or (s, y, x) that broadcasts
        μ without active material.
    middle : ndarray, shape (y, x)
        s of the middle of the cathode.
    quarter : float
        A quarter of its thickness, voxels.
    sigma_px : tuple of float
        Width of the Gaussian across the columns, and along them.

    Returns
    -------
    front, back : ndarray, shape (y, x)
        s of the faces; NaN where there is none.
    plateau : float
        Median excess of μ over `base` in the middle half.
    """
    front, back = (np.full(inside.shape, np.nan) for _ in range(2))
    taps = gaussian_taps(sigma_px[1]).astype(np.float64)
    plateau = _plateau(volume, span, inside, base, middle, quarter, sigma_px[0], taps)
    for strip in strips(volume, span, inside, sigma_px[0]):
        rows = strip.rows
        values, near = strip.values, np.ascontiguousarray(middle[rows])
        parts = front[rows], back[rows]

        def find(
            a: int,
            b: int,
            values: np.ndarray = values,
            near: np.ndarray = near,
            parts: tuple[np.ndarray, np.ndarray] = parts,
        ) -> None:
            _find_rows(values, base, near, 0.5 * plateau, taps, *parts, a, b)

        over_ranges(find, values.shape[1], pieces=4)
    return front, back, plateau


def _plateau(
    volume: Voxels,
    span: Span,
    inside: np.ndarray,
    base: np.ndarray,
    middle: np.ndarray,
    quarter: float,
    sigma_px: float,
    taps: np.ndarray,
) -> float:
    medians, counts = [], []
    for strip in strips(volume, span, inside, sigma_px):
        near = np.ascontiguousarray(middle[strip.rows])
        sample = _middle_half(strip.values, base, near, quarter, taps)
        if sample.size:
            medians.append(float(np.median(sample)))
            counts.append(sample.size)
    return float(np.average(medians, weights=counts)) if counts else math.nan


@njit(cache=True, nogil=True)
def _smooth_column(raw: np.ndarray, taps: np.ndarray, smooth: np.ndarray) -> None:
    reach = taps.size // 2
    for s in range(raw.size):
        total, weight = 0.0, 0.0
        for k in range(max(0, reach - s), min(taps.size, raw.size + reach - s)):
            value = raw[s + k - reach]
            if value == value:
                total += taps[k] * value
                weight += taps[k]
        smooth[s] = total / weight if weight > 0.3 else math.nan


@njit(cache=True, nogil=True)
def _middle_half(
    values: np.ndarray, base: np.ndarray, middle: np.ndarray, quarter: float, taps: np.ndarray
) -> np.ndarray:
    count, rows, width = values.shape
    raw, smooth = np.empty(count), np.empty(count)
    found = np.empty((rows // 4 + 1) * (width // 4 + 1) * (int(2 * quarter) + 2), np.float32)
    number = 0
    for y in range(0, rows, 4):
        for x in range(0, width, 4):
            if not middle[y, x] >= 0:
                continue
            for s in range(count):
                raw[s] = values[s, y, x] - base[s]
            _smooth_column(raw, taps, smooth)
            low = max(0, int(middle[y, x] - quarter))
            for s in range(low, min(count, int(middle[y, x] + quarter) + 1)):
                if smooth[s] == smooth[s]:
                    found[number] = smooth[s]
                    number += 1
    return found[:number]


@njit(cache=True, nogil=True)
def _find_rows(
    values: np.ndarray,
    base: np.ndarray,
    middle: np.ndarray,
    half: float,
    taps: np.ndarray,
    front: np.ndarray,
    back: np.ndarray,
    first: int,
    stop: int,
) -> None:
    count, _, width = values.shape
    columns = np.empty((width, count))
    smooth = np.empty(count)
    for y in range(first, stop):
        for s in range(count):
            for x in range(width):
                columns[x, s] = values[s, y, x] - base[s]
        for x in range(width):
            if not middle[y, x] >= 0:
                continue
            _smooth_column(columns[x], taps, smooth)
            start = min(max(int(middle[y, x]), 1), count - 2)
            front[y, x] = _crossing(smooth, start, -1, half)
            back[y, x] = _crossing(smooth, start, 1, half)


@njit(cache=True, nogil=True)
def _crossing(smooth: np.ndarray, start: int, direction: int, half: float) -> float:
    """Walk from inside until the share stays below half for three voxels."""
    s = start
    while 0 < s + direction < smooth.size - 1:
        ahead = s + direction
        if smooth[s] >= half and smooth[ahead] < half:
            further = min(max(ahead + 3 * direction, 0), smooth.size - 1)
            if smooth[further] < half:
                return s + direction * (smooth[s] - half) / (smooth[s] - smooth[ahead])
        s = ahead
    return math.nan
