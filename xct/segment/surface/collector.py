"""The collector's faces. In: a band, or a volume and its columns; out: heights in voxels.

Aluminium attenuates as the electrolyte does, so its face is not seen; but the particles that were
pressed against it end there. The outermost points of particles lie on a smooth surface.
"""

from __future__ import annotations

import math
import warnings
from functools import partial, reduce
from typing import NamedTuple

import numpy as np

from xct.io.overview import columns_of
from xct.normalize.grey_scale import Ratios
from xct.parallel.blocks import Block, cut
from xct.parallel.executors import map_blocks
from xct.parallel.kernels import njit
from xct.parallel.threads import over_ranges
from xct.segment.material.columns import Columns
from xct.segment.surface.averages import average_across
from xct.segment.surface.bands import Band, Strip
from xct.segment.surface.excess import ExcessCounts
from xct.segment.surface.opaque_edge import REACH, OpaqueEdge, opaque_edge
from xct.segment.surface.steel_behind import steel_behind
from xct.statistics.gaussian import reach_px

_ACROSS_PX = 0.5  # against noise; more would round the particles off
_PEAK_PX = 2  # a point is outermost among so many neighbors on each side
_CONTRAST_QUANTILE = 0.75  # of what exceeds the plateau: a particle's contrast
_EVERY = 4  # column, along y and x, from which it is taken …
_DEEP = (12, 2)  # … between so many voxels before the half fraction
_WINDOW = (5, 6)  # voxels before and behind the half fraction
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
    found = near.map(_particle_ends, maps, base, fraction * contrast)
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


def _particle_ends(
    strip: Strip, inside: np.ndarray, back: np.ndarray, base: np.ndarray, level: float
) -> np.ndarray:
    values = average_across(strip.values, inside, _ACROSS_PX, strip.own)
    near = back[strip.own]
    points = np.full(near.shape, np.nan)
    over_ranges(partial(_ends, values, base, near, level, points), len(near))
    return points


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
    """Find the last fall through a level in each column, near the half fraction."""
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


# The back of the collector, where steel begins again. In: volume, collector; out: a plane.
#
# Next to steel the half level is crossed too deep: light is blurred before its logarithm is taken.
# By how much is computed, as for steel's other face.

_TILE = 8  # voxels along y and x that are averaged before the crossing is looked for
_ROWS = 16
_ALUMINIUM = 1.0  # in multiples of the electrolyte, about
_LEAST_STEEL = 3.0  # times the electrolyte: nothing else behind the collector is brighter
_LEAST_TILES = 12
_ROUNDS = 5
_OUTLIER = 3.0
_MARGIN_PX = 4.0
_LIGHT_BLUR = 0.5  # voxels along z, as at steel's other face


def find_back(ratios: Ratios, columns: Columns) -> np.ndarray:
    """Find the plane in which the collector ends and steel begins.

    Parameters
    ----------
    ratios : Ratios
        The volume in multiples of the electrolyte.
    columns : Columns
        Where the collector's face is.

    Returns
    -------
    ndarray of float32, shape (y, x)
        Height in slices times the cell's sign, as in `Columns`; infinity where no steel is in
        view.
    """
    depth, height, width = ratios.shape
    nowhere = np.full((height, width), np.inf, np.float32)
    inside = ratios.cell.in_bore(depth / 2, _MARGIN_PX * max(ratios.cell.voxel_size_um[1:]))
    face = columns.collector
    if not np.isfinite(face[inside]).any():
        begins = steel_behind(ratios, columns)
        return nowhere if begins is None else np.full_like(nowhere, columns.sign * begins)
    z, means = _tile_means(ratios, columns, inside)
    crossing = _crossing(z, means, _tiles(np.where(inside, face, np.nan)), columns.sign)
    known = np.argwhere(np.isfinite(crossing))
    if len(known) < _LEAST_TILES:
        return nowhere
    middle = (known + 0.5) * _TILE - 0.5
    true = crossing - _too_deep(ratios, z, means, crossing)
    plane = _robust_plane(middle, true[np.isfinite(crossing)])
    y, x = np.arange(height)[:, None], np.arange(width)[None]
    back = np.maximum(plane[0] + plane[1] * y + plane[2] * x, face)
    return np.asarray(back, np.float32)


def _tile_means(
    ratios: Ratios, columns: Columns, inside: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Means over tiles of the slices behind the collector's face, from the anode's side on."""
    depth = ratios.shape[0]
    face = columns.collector[inside & np.isfinite(columns.collector)]
    end = np.float32(columns.sign * (depth - 1 if columns.sign > 0 else 0))
    first, stop = columns.rows(face, np.full(1, end), depth)
    blocks, whole = cut(stop - first, _ROWS), np.isfinite(_tiles(np.where(inside, 1.0, np.nan)))
    found = map_blocks(_means_of_slices, blocks, ratios, first, whole)
    means = np.concatenate([np.empty((0, *_tiles(columns.collector).shape)), *found])
    order = np.argsort(columns.sign * np.arange(first, stop))
    return columns.sign * np.arange(first, stop)[order], means[order]


def _means_of_slices(block: Block, ratios: Ratios, first: int, inside: np.ndarray) -> np.ndarray:
    """Average the columns of each tile, as multiples of the electrolyte."""
    start, size = first + block.first, ratios.cell.voxel_size_um
    values, edge = columns_of(ratios.volume, start, first + block.stop)
    middle = [(np.arange(n) * edge + (edge - 1) / 2) * s
              for n, s in zip(values.shape[1:], size[1:], strict=True)]  # fmt: skip
    means = []
    for z, (plane, axis) in enumerate(
        zip(values, ratios.axes(start, start + len(values)), strict=True), start
    ):
        radius = np.hypot(middle[0][:, None] - axis[0], middle[1][None] - axis[1])
        model = ratios.reference.mu_per_cm(z * size[0], radius)
        ratio = np.nan_to_num((plane - ratios.reference.air) / model)
        means.append(np.where(inside, _tiles(ratio, _TILE // edge), np.nan))
    return np.array(means)


def _tiles(plane: np.ndarray, edge: int = _TILE) -> np.ndarray:
    """Mean of each tile of so many values along y and x; NaN where a tile is not whole."""
    height, width = (n // edge * edge for n in plane.shape)
    tiles = plane[:height, :width].reshape(height // edge, edge, width // edge, edge)
    return np.asarray(tiles.mean(axis=(1, 3)))


def _crossing(z: np.ndarray, means: np.ndarray, face: np.ndarray, sign: int) -> np.ndarray:
    """Height at which a tile rises to half of the steel, between slices."""
    crossing = np.full(face.shape, np.nan)
    for tile in np.argwhere(np.isfinite(face)):
        at = (slice(None), *tile)
        beyond = z > face[tuple(tile)] + 1
        profile = means[at][beyond]
        if profile.size < 3 or (top := np.percentile(profile, 90)) < _LEAST_STEEL:
            continue
        half = (_ALUMINIUM + top) / 2
        above = np.flatnonzero(profile >= half)
        if above.size == 0 or above[0] == 0:
            continue
        i = above[0]
        rise = profile[i] - profile[i - 1]
        crossing[tuple(tile)] = z[beyond][i - 1] + (half - profile[i - 1]) / rise
    return crossing


def _too_deep(ratios: Ratios, z: np.ndarray, means: np.ndarray, crossing: np.ndarray) -> np.ndarray:
    """Give by how many slices each tile's crossing lies behind the face."""
    cell = ratios.cell
    pixel_um, z_um = min(cell.voxel_size_um[1:]), abs(z[-1]) * cell.voxel_size_um[0]
    radius_um = _tiles(cell.radius_um(abs(z[-1])))
    clear = min(np.nanmedian(crossing) + REACH, z[-1])
    steel = np.median(means[z >= clear], axis=0)
    # The collector dims all rows alike: what steel attenuates beyond it looks as if next to air.
    electrolyte = ratios.reference.per_cm * ratios.reference.mu_per_cm(z_um, radius_um)
    beyond = (steel - _ALUMINIUM) * electrolyte
    bore = cell.bore_radius_um / pixel_um
    edge = opaque_edge(beyond, radius_um / pixel_um, bore, pixel_um * 1e-4, _LIGHT_BLUR)
    shift = _shift_by_ring(edge)
    return np.asarray(np.interp(edge.ring, np.arange(shift.size), shift))


def _shift_by_ring(edge: OpaqueEdge) -> np.ndarray:
    """Give the rows from an opaque face to where its half level is crossed, shape (ring,).

    Of all positions of the face within a voxel, the mean: the crossing itself hardly shows which.
    """
    table = edge.table[:-1]  # the last position is the first of the next voxel
    half = table[:, :1] / 2
    if not (half > 0).all():
        return np.zeros(table.shape[2])
    beyond = np.argmax(table < half, axis=1, keepdims=True)
    low, high = (np.take_along_axis(table, beyond - k, axis=1) for k in (0, 1))
    crossing = beyond - REACH - (half - low) / (high - low)
    face = np.arange(len(table))[:, None, None] / len(table) - 0.5
    return np.asarray((face - crossing).mean(axis=(0, 1)))


def _robust_plane(position: np.ndarray, height: np.ndarray) -> np.ndarray:
    """Plane through points, without the outliers."""
    design = np.column_stack([np.ones(len(position)), position])
    kept = np.ones(len(position), bool)
    for _ in range(_ROUNDS):
        plane = np.linalg.lstsq(design[kept], height[kept])[0]
        offset = height - design @ plane
        sd = max(1.4826 * float(np.median(np.abs(offset[kept]))), 0.05)
        kept = np.abs(offset) <= _OUTLIER * sd
    return np.asarray(plane)
