"""The back of the collector, where steel begins again. In: volume, collector; out: a plane.

Next to steel the half level is crossed too deep: light is blurred before its logarithm is taken.
By how much is computed, as for steel's other face.
"""

from __future__ import annotations

import numpy as np

from xct.segment.columns import Columns
from xct.segment.normalized import Ratios
from xct.segment.opaque import REACH, OpaqueEdge, opaque_edge

_TILE = 8  # voxels along y and x that are averaged before the crossing is looked for
_ROWS = 16
_SHEET = 1.0  # aluminium, about
_LEAST_STEEL = 3.0  # times the electrolyte: nothing else behind the sheet is brighter
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
        return nowhere
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


def _too_deep(ratios: Ratios, z: np.ndarray, means: np.ndarray, crossing: np.ndarray) -> np.ndarray:
    """Tell by how many slices each tile's crossing lies behind the face."""
    cell = ratios.cell
    pixel_um, z_um = min(cell.voxel_size_um[1:]), abs(z[-1]) * cell.voxel_size_um[0]
    radius_um = _tiles(cell.radius_um(abs(z[-1])))
    clear = min(np.nanmedian(crossing) + REACH, z[-1])
    steel = np.median(means[z >= clear], axis=0)
    # The sheet dims all rows alike: what steel attenuates beyond it looks as if next to air.
    beyond = (steel - _SHEET) * ratios.reference.mu_per_cm(z_um, radius_um)
    bore = cell.bore_radius_um / pixel_um
    edge = opaque_edge(beyond, radius_um / pixel_um, bore, pixel_um * 1e-4, _LIGHT_BLUR)
    shift = _shift_by_ring(edge)
    return np.asarray(np.interp(edge.ring, np.arange(shift.size), shift))


def _shift_by_ring(edge: OpaqueEdge) -> np.ndarray:
    """Give the rows from an opaque face to where its half level is crossed, shape (ring,).

    Of all positions of the face within a voxel, the mean: the crossing itself hardly tells which.
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
        off = height - design @ plane
        spread = max(1.4826 * float(np.median(np.abs(off[kept]))), 0.05)
        kept = np.abs(off) <= _OUTLIER * spread
    return np.asarray(plane)
