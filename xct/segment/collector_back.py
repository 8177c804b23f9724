"""The back of the collector, where steel begins again. In: volume, collector; out: a plane."""

from __future__ import annotations

import numpy as np

from xct.segment.columns import Columns
from xct.segment.normalized import Ratios

_TILE = 8  # voxels along y and x that are averaged before the crossing is looked for
_ROWS = 16
_SHEET = 1.0  # aluminium, about
_LEAST_STEEL = 3.0  # times the electrolyte: nothing else behind the sheet is brighter
_LEAST_TILES = 12
_ROUNDS = 5
_OUTLIER = 3.0
_MARGIN_PX = 4.0


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
        return nowhere
    z, means = _tile_means(ratios, columns, inside)
    crossing = _crossing(z, means, _tiles(np.where(inside, face, np.nan)), columns.sign)
    known = np.argwhere(np.isfinite(crossing))
    if len(known) < _LEAST_TILES:
        return nowhere
    middle = (known + 0.5) * _TILE - 0.5
    plane = _robust_plane(middle, crossing[np.isfinite(crossing)])
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
    means: list[np.ndarray] = []
    for z in range(first, stop, _ROWS):
        block = ratios.read(z, min(z + _ROWS, stop))
        means.extend(_tiles(np.where(inside, plane, np.nan)) for plane in block)
    order = np.argsort(columns.sign * np.arange(first, stop))
    return columns.sign * np.arange(first, stop)[order], np.array(means)[order]


def _tiles(plane: np.ndarray) -> np.ndarray:
    """Mean of each tile; NaN where a tile is not whole."""
    height, width = (n // _TILE * _TILE for n in plane.shape)
    cut = plane[:height, :width].reshape(height // _TILE, _TILE, width // _TILE, _TILE)
    return np.asarray(cut.mean(axis=(1, 3)))


def _crossing(z: np.ndarray, means: np.ndarray, face: np.ndarray, sign: int) -> np.ndarray:
    """Height at which a tile rises to half of the steel, between slices."""
    crossing = np.full(face.shape, np.nan)
    for tile in np.argwhere(np.isfinite(face)):
        at = (slice(None), *tile)
        beyond = z > face[tuple(tile)] + 1
        profile = means[at][beyond]
        if profile.size < 3 or (top := np.percentile(profile, 90)) < _LEAST_STEEL:
            continue
        half = (_SHEET + top) / 2
        above = np.flatnonzero(profile >= half)
        if above.size == 0 or above[0] == 0:
            continue
        i = above[0]
        rise = profile[i] - profile[i - 1]
        crossing[tuple(tile)] = z[beyond][i - 1] + (half - profile[i - 1]) / rise
    return crossing


def _robust_plane(position: np.ndarray, height: np.ndarray) -> np.ndarray:
    """Plane through points, without the outliers."""
    design = np.column_stack([np.ones(len(position)), position])
    kept = np.ones(len(position), bool)
    for _ in range(_ROUNDS):
        plane = np.linalg.lstsq(design[kept], height[kept])[0]
        off = height - design @ plane
        spread = max(1.4826 * float(np.median(np.abs(off[kept]))), 0.05)
        kept = np.abs(off) <= _OUTLIER * spread
    return np.asarray(plane)
