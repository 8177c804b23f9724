"""The collector's face to the cathode. In: a band; out: heights in voxels.

Aluminium attenuates as the electrolyte does, so its face is not seen; but the particles that were
pressed against it end there. The outermost points of particles lie on a smooth surface.
"""

from __future__ import annotations

import math
import warnings
from functools import partial, reduce
from typing import NamedTuple

import numpy as np

from xct.parallel.kernels import njit
from xct.parallel.threads import over_ranges
from xct.segment.surface.averages import average_across
from xct.segment.surface.bands import Band, Strip
from xct.segment.surface.excess import ExcessCounts
from xct.statistics.gaussian import reach_px

_ACROSS_PX = 0.5  # against noise; more would round the particles off
_PEAK_PX = 2  # a point is outermost among so many neighbors on each side
_CONTRAST_QUANTILE = 0.75  # of what exceeds the plateau: a particle's contrast
_EVERY = 4  # column, along y and x, from which it is taken …
_DEEP = (12, 2)  # … between so many voxels before the half fraction
_WINDOW = (5, 6)  # voxels before and behind the half fraction
_RISEN = 0.05  # of the mean excess at the half fraction: more behind it is steel's
_AT_FACE = 0.75  # voxels that points on the face lie from it at most
_LEAST_POINTS = 30
_OUTER = 0.9  # quantile of points near the face that lies on it
_SMOOTH_UM = 24.0
_LEAST_WEIGHT = 0.05  # of that of one point in the middle of the average
_SD_PX = 0.25  # of the face itself: particles need not touch, and are not spheres
# Voxels beyond the face, where no particle is, and the part of the points that lie there by which
# the face is in doubt: 0.065 and 0.08 by streaks beside opaque steel (12.5 keV), where it was up to
# 4 voxels off, 0.011 and less in all other cells.
_BEYOND_PX, _BEYOND = 1.5, 0.03


class Particles(NamedTuple):
    """What is known of the particles before the collector.

    Attributes
    ----------
    base : ndarray of float64, shape (s,)
        μ without active material.
    plateau : float
        Excess of μ in the cathode.
    blur_px, radius_px : float
        Standard deviation of the blur, and a particle's radius, voxels.
    """

    base: np.ndarray
    plateau: float
    blur_px: float
    radius_px: float


def collector_surface(
    band: Band, inside: np.ndarray, back: np.ndarray, particles: Particles, pixel_um: float
) -> tuple[np.ndarray, np.ndarray] | None:
    """Find the surface on which the outermost points of particles lie.

    Parameters
    ----------
    band : Band
        Slices to beyond the cathode.
    inside : ndarray of bool, shape (y, x)
        Columns clear of the wall.
    back : ndarray of float64, shape (y, x)
        Where the fraction of active material falls to half, along s.
    particles : Particles
        What lies before it.
    pixel_um : float
        Edge of a voxel across.

    Returns
    -------
    (face, sd), ndarrays of shape (y, x), or None
        None where too few particles end there.
    """
    if not np.isfinite(back).any():
        return None
    blur = math.hypot(particles.blur_px, _ACROSS_PX)
    # A blurred sphere has this fraction of its contrast at its outermost point.
    fraction = max(0.5 - blur / (math.sqrt(2 * math.pi) * particles.radius_px), 0.2)
    low, high = float(np.nanmin(back)), float(np.nanmax(back))
    near, first = band.part(low - _DEEP[0], high + _WINDOW[1] + 1, reach_px(_ACROSS_PX))
    base = particles.base[first : first + near.span.count]
    maps = (inside, back - first)
    electrolyte = float(np.mean(particles.base))
    excess = reduce(ExcessCounts.plus, near.sampled().map(_excess, maps, base, electrolyte))
    contrast = excess.quantile(_CONTRAST_QUANTILE, above=particles.plateau)
    contrast = contrast if np.isfinite(contrast) else 2 * particles.plateau
    behind = _before_steel(np.sum(near.sampled().map(_means_behind, maps, base), axis=0))
    found = near.map(_particle_ends, maps, base, fraction * contrast, behind)
    points = near.joined([(part,) for part in found], 1)[0] + first
    outermost = np.where(_is_peak(points, _PEAK_PX) & inside, points, np.nan)
    return _surface_through(outermost, back, _SMOOTH_UM / pixel_um)


def _excess(
    strip: Strip, inside: np.ndarray, back: np.ndarray, base: np.ndarray, electrolyte: float
) -> ExcessCounts:
    """Count what the cathode exceeds the electrolyte by, close to its back."""
    first = -strip.block.first % _EVERY  # the same columns, however the band is cut
    values = average_across(strip.values, inside, _ACROSS_PX, strip.own)
    near = back[strip.own][first::_EVERY, ::_EVERY]
    excess = values[:, first::_EVERY, ::_EVERY] - base[:, None, None].astype(np.float32)
    s = np.arange(len(values))[:, None, None]
    return ExcessCounts.of(excess[(s < near - _DEEP[1]) & (s > near - _DEEP[0])], electrolyte)


def _means_behind(
    strip: Strip, inside: np.ndarray, back: np.ndarray, base: np.ndarray
) -> np.ndarray:
    """Sum excess and count columns, so many voxels behind the half fraction."""
    excess = strip.values[:, strip.own] - base[:, None, None].astype(np.float32)
    near, used = back[strip.own], inside[strip.own] & np.isfinite(back[strip.own])
    y, x = np.nonzero(used & (near + _WINDOW[1] + 1 < len(excess)))
    steps = np.arange(_WINDOW[1] + 1)[:, None]
    values = excess[np.rint(near[y, x]).astype(int) + steps, y, x]
    return np.stack([np.nansum(values, axis=1), np.isfinite(values).sum(axis=1)])


def _before_steel(means: np.ndarray) -> int:
    """Give the voxels behind the half fraction before the light of steel shows."""
    total, count = means
    if not count.all():
        return _WINDOW[1]
    mean = total / count
    return int(np.flatnonzero(mean <= mean.min() + _RISEN * abs(mean[0]))[-1])


def _particle_ends(
    strip: Strip, inside: np.ndarray, back: np.ndarray, base: np.ndarray, level: float, behind: int
) -> np.ndarray:
    values = average_across(strip.values, inside, _ACROSS_PX, strip.own)
    near = back[strip.own]
    points = np.full(near.shape, np.nan)
    over_ranges(partial(_ends, values, base, near, level, behind, points), len(near))
    return points


@njit(cache=True, nogil=True)
def _ends(
    values: np.ndarray,
    base: np.ndarray,
    back: np.ndarray,
    level: float,
    behind: int,
    points: np.ndarray,
    first: int,
    stop: int,
) -> None:
    """Find the last fall through a level in each column, near the half fraction."""
    count, _, width = values.shape
    for y in range(first, stop):
        for x in range(width):
            if not back[y, x] >= 0:
                continue
            last = min(count - 2, int(back[y, x]) + behind)
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


def _surface_through(
    points: np.ndarray, back: np.ndarray, sigma_px: float
) -> tuple[np.ndarray, np.ndarray] | None:
    """Smooth the points that lie on a common surface, of which none lie far behind."""
    known = np.isfinite(points)
    if np.count_nonzero(known) < _LEAST_POINTS:
        return None
    wanted = np.isfinite(back)
    plane = _plane_through(points, known)
    face = plane
    for width in (2 * _AT_FACE, _AT_FACE, _AT_FACE):
        face = face + _mode((points - face)[known])
        near = known & (np.abs(points - face) < width)
        if np.count_nonzero(near) < _LEAST_POINTS:
            return None
        smooth, variance = _averaged(points - plane, near, sigma_px)
        face = np.where(np.isfinite(smooth), plane + smooth, face)
    offset = (points - face)[near]
    scatter = float(np.std(offset))
    face = face + np.quantile(offset, _OUTER)  # some particles do not touch; none reaches beyond
    sd = np.sqrt(scatter**2 * np.nan_to_num(variance, nan=1.0) + _SD_PX**2 + scatter**2)
    away = (points - face)[known]
    beyond, spread = float(np.mean(away > _BEYOND_PX)), float(np.nanstd(away))
    if beyond > _BEYOND:  # then any of the points may be none of a particle
        sd = np.hypot(sd, spread)
        warnings.warn(
            f"cathode_collector: {beyond:.0%} of the places where active material ends lie behind "
            f"it, as streaks beside opaque steel make them: the face is uncertain by {spread:.1f} "
            "voxels, and the collector has no volume; more light or a higher energy helps",
            UserWarning,
            stacklevel=2,
        )
    return np.where(wanted, face, np.nan), np.where(wanted, sd, np.nan)


def _averaged(
    values: np.ndarray, used: np.ndarray, sigma_px: float
) -> tuple[np.ndarray, np.ndarray]:
    """Average by a Gaussian what is used; give the variance of the mean, in that of one value."""
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
        offset = points - plane
        kept = known & (offset > np.nanquantile(offset[known], 0.4))
    return np.asarray(plane)


def _mode(values: np.ndarray) -> float:
    """Find where most values lie, counted over half a voxel."""
    steps = np.arange(-4, 4.01, 0.05)
    ordered = np.sort(values)
    counts = np.searchsorted(ordered, steps + 0.25) - np.searchsorted(ordered, steps - 0.25)
    best = steps[counts > 0.95 * counts.max()]
    return float(best.mean())
