"""The collector's face, by geometry: particles reach up to it. In: a band; out: heights in voxels.

Aluminium attenuates as the electrolyte does, so its face is not seen; but the particles that were
pressed against it end there. The outermost points of particles lie on a smooth sheet.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from xct.compiling import njit
from xct.segment.bands import Band, average_across
from xct.threads import over_ranges

_ACROSS_PX = 0.5  # against noise; more would round the particles off
_PEAK_PX = 2  # a point is outermost among so many neighbors on each side
_SAMPLE = 0.75  # quantile of what exceeds the plateau: a particle's contrast
_WINDOW = (5, 6)  # voxels before and behind the half share
_AT_SHEET = 0.75  # voxels that points on the sheet lie off it at most
_LEAST_POINTS = 30
_OUTER = 0.9  # quantile of points near the sheet that lies on it
_SMOOTH_UM = 24.0
_LEAST_WEIGHT = 0.05  # of that of one point in the middle of the average
_SD_PX = 0.25  # of the face itself: particles need not touch, and are not spheres


def sheet_face(
    band: Band,
    inside: np.ndarray,
    base: np.ndarray,
    back: np.ndarray,
    plateau: float,
    *,
    blur_px: float,
    radius_px: float,
    pixel_um: float,
) -> tuple[np.ndarray, np.ndarray] | None:
    """Find the sheet on which the outermost points of particles lie.

    Parameters
    ----------
    band : Band
        Slices to beyond the cathode.
    inside : ndarray of bool, shape (y, x)
        Columns off the wall.
    base : ndarray of float64, shape (s,)
        μ without active material.
    back : ndarray of float64, shape (y, x)
        Where the share of active material falls to half, along s.
    plateau : float
        Excess of μ in the cathode.
    blur_px, radius_px : float
        Standard deviation of the blur, and a particle's radius, voxels.
    pixel_um : float
        Edge of a voxel across.

    Returns
    -------
    (face, sd), ndarrays of shape (y, x), or None
        None where too few particles end there.
    """
    points = np.full(back.shape, np.nan)
    spread = math.hypot(blur_px, _ACROSS_PX)
    # A blurred sphere has this share of its contrast at its outermost point.
    share = max(0.5 - spread / (math.sqrt(2 * math.pi) * radius_px), 0.2)
    for strip in band:
        values = average_across(strip.values, inside[strip.seen], _ACROSS_PX, strip.own)
        near = np.ascontiguousarray(back[strip.rows])
        level = share * _contrast(values, base, near, plateau)
        over_ranges(partial(_ends, values, base, near, level, points[strip.rows]), len(near))
    outermost = np.where(_is_peak(points, _PEAK_PX) & inside, points, np.nan)
    return _sheet_through(outermost, back, _SMOOTH_UM / pixel_um)


def _contrast(values: np.ndarray, base: np.ndarray, back: np.ndarray, plateau: float) -> float:
    excess = values[:, ::4, ::4] - base[:, None, None].astype(np.float32)
    s = np.arange(len(values))[:, None, None]
    deep = (s < back[::4, ::4] - 2) & (s > back[::4, ::4] - 12)
    bright = excess[deep & (excess > plateau)]
    return float(np.quantile(bright, _SAMPLE)) if bright.size else 2 * plateau


@njit(cache=True, nogil=True)
def _ends(
    values: np.ndarray,
    base: np.ndarray,
    back: np.ndarray,
    level: float,
    points: np.ndarray,
    first: int,
    stop: int,
) -> None:
    """Find the last fall through a level in each column, near the half share."""
    count, _, width = values.shape
    for y in range(first, stop):
        for x in range(width):
            if not back[y, x] >= 0:
                continue
            last = min(count - 2, int(back[y, x]) + _WINDOW[1])
            for s in range(last, max(0, int(back[y, x]) - _WINDOW[0]) - 1, -1):
                this, following = values[s, y, x] - base[s], values[s + 1, y, x] - base[s + 1]
                if this >= level and following < level:
                    points[y, x] = s + (this - level) / (this - following)
                    break


@njit(cache=True, nogil=True)
def _is_peak(points: np.ndarray, reach: int) -> np.ndarray:
    rows, columns = points.shape
    peak = np.zeros(points.shape, np.bool_)
    for y in range(rows):
        for x in range(columns):
            here = points[y, x]
            if here != here:
                continue
            highest = True
            for j in range(max(0, y - reach), min(rows, y + reach + 1)):
                for i in range(max(0, x - reach), min(columns, x + reach + 1)):
                    if points[j, i] > here:
                        highest = False
            peak[y, x] = highest
    return peak


def _sheet_through(
    points: np.ndarray, back: np.ndarray, sigma_px: float
) -> tuple[np.ndarray, np.ndarray] | None:
    """Smooth the points that lie on a common sheet, of which none lie far behind."""
    known = np.isfinite(points)
    if np.count_nonzero(known) < _LEAST_POINTS:
        return None
    wanted = np.isfinite(back)
    plane = _plane_through(points, known)
    sheet = plane
    for width in (2 * _AT_SHEET, _AT_SHEET, _AT_SHEET):
        sheet = sheet + _mode((points - sheet)[known])
        near = known & (np.abs(points - sheet) < width)
        if np.count_nonzero(near) < _LEAST_POINTS:
            return None
        smooth, variance = _averaged(points - plane, near, sigma_px)
        sheet = np.where(np.isfinite(smooth), plane + smooth, sheet)
    off = (points - sheet)[near]
    scatter = float(np.std(off))
    sheet = sheet + np.quantile(off, _OUTER)  # some particles do not touch; none reaches beyond
    sd = np.sqrt(scatter**2 * np.nan_to_num(variance, nan=1.0) + _SD_PX**2 + scatter**2)
    return np.where(wanted, sheet, np.nan), np.where(wanted, sd, np.nan)


def _averaged(
    values: np.ndarray, used: np.ndarray, sigma_px: float
) -> tuple[np.ndarray, np.ndarray]:
    """Average by a Gaussian what is used; tell the variance of the mean, in that of one value."""
    from scipy.ndimage import gaussian_filter

    weight, total, squared = (
        gaussian_filter(part, width, mode="constant")
        for part, width in (
            (used.astype(np.float64), sigma_px),
            (np.where(used, values, 0.0), sigma_px),
            # The square of a Gaussian is one, narrower and lower.
            (used / (4 * np.pi * sigma_px**2), sigma_px / math.sqrt(2)),
        )
    )
    seen = weight > _LEAST_WEIGHT / (2 * np.pi * sigma_px**2)
    scale = np.where(seen, weight, np.nan)
    return total / scale, squared / scale**2


def _plane_through(points: np.ndarray, known: np.ndarray) -> np.ndarray:
    y, x = np.indices(points.shape)
    design = np.stack([np.ones(points.shape), y, x], axis=-1)
    kept = known.copy()
    plane = np.zeros(points.shape)
    for _ in range(6):
        plane = design @ np.linalg.lstsq(design[kept], points[kept])[0]
        off = points - plane
        kept = known & (off > np.nanquantile(off[known], 0.4))
    return np.asarray(plane)


def _mode(values: np.ndarray) -> float:
    """Tell where most values lie, counted over half a voxel."""
    steps = np.arange(-4, 4.01, 0.05)
    ordered = np.sort(values)
    counts = np.searchsorted(ordered, steps + 0.25) - np.searchsorted(ordered, steps - 0.25)
    best = steps[counts > 0.95 * counts.max()]
    return float(best.mean())
