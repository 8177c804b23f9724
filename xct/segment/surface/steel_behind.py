"""Where steel begins behind the cathode. In: a volume, columns; out: a slice, or a plane.

The plane is the collector's back. Next to steel the half level is crossed too deep: light is
blurred before its logarithm is taken. By how much is computed, as for steel's other face.
"""

from __future__ import annotations

import numpy as np

from xct.io.overview import columns_of
from xct.normalize.grey_scale import Ratios
from xct.parallel.blocks import Block, cut
from xct.parallel.executors import map_blocks
from xct.segment.material.columns import Columns
from xct.segment.surface.opaque_edge import (
    REACH,
    OpaqueEdge,
    light_blur_px,
    opaque_edge,
)

# Steel goes on to the end of the volume, and each slice of it exceeds all before it by half: also
# where no light passes it, and it seems to attenuate less than it does.
_OVER = 1.5
_BLUR_PX = 3  # slices before it that blur has brightened
_FRONT_UM = 13.0  # over which a composite begins
_TILE = 8  # voxels along y and x that are averaged before the crossing is looked for
_ROWS = 16
_ALUMINIUM = 1.0  # in multiples of the electrolyte, about
_LEAST_STEEL = 3.0  # times the electrolyte: nothing else behind the collector is brighter
_LEAST_TILES = 12
_ROUNDS = 5
_OUTLIER = 3.0
_MARGIN_PX = 4.0


def steel_behind(ratios: Ratios, columns: Columns) -> int | None:
    """Find the first slice behind the cathode's front that may hold steel.

    Parameters
    ----------
    ratios : Ratios
        The volume in multiples of the electrolyte.
    columns : Columns
        Where the cathode's front is.

    Returns
    -------
    int or None
        None where the front is not known, or no steel follows.
    """
    depth, cell = ratios.shape[0], ratios.cell
    front = columns.front[cell.in_bore(depth / 2)]
    if not np.isfinite(front).any():
        return None
    heights = columns.sign * np.arange(depth)
    begins = np.median(front[np.isfinite(front)]) + _FRONT_UM / cell.voxel_size_um[0]
    behind = np.flatnonzero(heights > begins)
    slices = behind[np.argsort(heights[behind])]
    levels = np.nan_to_num([_level(ratios, z) for z in slices.tolist()])
    if levels.size <= _BLUR_PX + 1:
        return None
    before = np.maximum.accumulate(levels)[: -_BLUR_PX - 1]
    after = np.minimum.accumulate(levels[::-1])[::-1][_BLUR_PX + 1 :]
    steel = np.flatnonzero(after > _OVER * before)
    return int(slices[steel[0] + 1]) if steel.size else None


def _level(ratios: Ratios, z: int) -> float:
    """Typical value of a slice, inside the bore."""
    cell, step = ratios.cell, ratios.cell.voxel_size_um
    [plane], edge = columns_of(ratios.volume, z, z + 1)
    y, x = (((np.arange(n) + 0.5) * edge - 0.5) * s
            for n, s in zip(plane.shape, step[1:], strict=True))  # fmt: skip
    axis_y, axis_x = ratios.axes(z, z + 1)[0]
    radius = np.hypot(y[:, None] - axis_y, x[None] - axis_x)
    inside = (radius < 0.8 * cell.bore_radius_um) & np.isfinite(plane)
    if not inside.any():
        return float("nan")
    model = np.asarray(ratios.reference.mu_per_cm(z * step[0], radius[inside]))
    return float(np.median((plane[inside] - ratios.reference.air) / model))


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
    light = light_blur_px(ratios.reference, cell.voxel_size_um[0])
    edge = opaque_edge(beyond, radius_um / pixel_um, bore, pixel_um * 1e-4, light)
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
