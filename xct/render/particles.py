"""Particles as bodies. In: labels; out: the cathode's active material, and drifted particles.

The cathode is seen in voxels that are coarser the larger the cell is, and read in slabs, so memory
does not grow with it. Of drifted particles, which are few, each is cut out in its own voxels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from xct.geometry import CellGeometry, Label
from xct.parallel.blocks import GRANULE, Block, cut
from xct.parallel.executors import map_blocks
from xct.render.layers import compacted
from xct.render.scene import Body, World, is_cut_out

if TYPE_CHECKING:
    from pandas import DataFrame

_SMOOTH_PX = 0.7  # coarse voxels: marks of whole voxels would show as stairs
_MARGIN_UM = 30.0  # beyond the mean planes of the cathode
_MOST_CUT_OUT = 3000  # drifted particles: beyond that, balls of their volumes
_MOST_VOXELS = 64  # along an edge of what is cut out


@dataclass(frozen=True)
class _Piece:
    """A particle in a box of the volume: first voxel, and which voxels it fills."""

    first: tuple[int, int, int]
    mask: np.ndarray


def coarseness(cell: CellGeometry, across: int) -> int:
    """Choose how many voxels along an edge make one, so that the bore is about `across` wide."""
    diameter = 2 * cell.bore_radius_um / max(cell.voxel_size_um[1:])
    return max(1, int(np.ceil(diameter / across - 1e-9)))


def particle_bodies(
    cell: CellGeometry,
    labels: Any,
    particles: Any | None,
    table: DataFrame | None,
    world: World,
    across: int,
) -> list[Body]:
    """Give the active material, and the particles that drifted away from it.

    Parameters
    ----------
    cell : CellGeometry
        Where it lies.
    labels, particles : array, shape (z, y, x)
        Materials, and numbers of particles; read in parts.
    table : DataFrame or None
        Particles, with their places and whether they drifted.
    world : World
        Coordinates.
    across : int
        Coarse voxels across the bore, at most.
    """
    drifted: list[_Piece] = []
    bodies: list[Body] = []
    if table is not None and "drifted" in table:
        chosen = table[table["drifted"]]
        if particles is not None and len(chosen) <= _MOST_CUT_OUT:
            drifted = [_cut_out(particles, row, cell) for row in chosen.to_dict("records")]
            made = [_surface_of(piece, cell, world) for piece in drifted]
        else:
            made = [_ball(row, world) for row in chosen.to_dict("records")]
        bodies.append(_joined("drifted", [body for body in made if body is not None]))
    factor = coarseness(cell, across)
    bodies.insert(0, _active_material(cell, labels, drifted, world, factor))
    return bodies


def _cut_out(particles: Any, row: dict[Any, Any], cell: CellGeometry) -> _Piece:
    """Find the voxels of a particle: its box grows until the particle does not touch its sides."""
    edges = np.array(cell.voxel_size_um)
    middle = np.array([row["z_um"], row["y_um"], row["x_um"]]) / edges
    half = row["equivalent_diameter_um"] / edges * 0.8 + 2
    while True:
        first = np.maximum(np.floor(middle - half), 0).astype(int)
        stop = np.minimum(np.ceil(middle + half) + 1, particles.shape).astype(int)
        box = tuple(slice(a, b) for a, b in zip(first, stop, strict=True))
        mask = np.asarray(particles[box]) == row["particle"]
        inner = mask[1:-1, 1:-1, 1:-1].sum()
        if inner == mask.sum() or half.max() > _MOST_VOXELS:
            return _Piece((int(first[0]), int(first[1]), int(first[2])), mask)
        half = half * 1.5


def _surface_of(piece: _Piece, cell: CellGeometry, world: World) -> Body | None:
    from scipy import ndimage

    if not piece.mask.any():
        return None
    smooth = ndimage.gaussian_filter(np.pad(piece.mask, 2).astype(np.float32), _SMOOTH_PX)
    first = np.array(piece.first) - 2
    return _isosurface("drifted", smooth, piece.mask.sum(), first, cell, world)


def _ball(row: dict[Any, Any], world: World) -> Body:
    """Give a ball of a particle's volume."""
    height, turn = np.linspace(-1, 1, 9)[:, None], np.linspace(0, 2 * np.pi, 13)[None, :]
    radius = np.sqrt(1 - height**2)
    unit = np.stack(
        [radius * np.cos(turn), radius * np.sin(turn), np.broadcast_to(height, (9, 13))], -1
    )
    middle = world.points(*(np.array([row[name]]) for name in ("z_um", "y_um", "x_um")))
    number = np.arange(9 * 13).reshape(9, 13)
    a, b, c, d = (
        n.ravel() for n in (number[:-1, :-1], number[1:, :-1], number[1:, 1:], number[:-1, 1:])
    )
    triangles = np.concatenate([np.stack([a, b, c], -1), np.stack([a, c, d], -1)])
    points = middle + unit.reshape(-1, 3) * row["equivalent_diameter_um"] / 2
    return Body("drifted", points.astype(np.float32), triangles.astype(np.int32))


def _active_material(
    cell: CellGeometry, labels: Any, drifted: Sequence[_Piece], world: World, factor: int
) -> Body:
    from scipy import ndimage

    first, stop = _heights_of_cathode(cell, factor)
    high = _slab(factor)
    blocks = [
        Block(first + b.first, first + b.stop, first + b.first, first + b.stop)
        for b in cut(stop - first, high)
    ]
    parts = map_blocks(_fraction, blocks, labels, tuple(drifted), factor)
    fraction = np.concatenate(parts)
    _keep_shown(fraction, cell, world, factor)
    filled = float(fraction.sum())
    smooth = ndimage.gaussian_filter(fraction, _SMOOTH_PX, output=fraction, mode="nearest")
    _keep_shown(smooth, cell, world, factor)
    start = np.array([first, 0, 0])
    found = _isosurface("active_material", smooth, filled, start, cell, world, factor)
    return found if found is not None else _joined("active_material", [])


def _slab(factor: int) -> int:
    """Give the slices that are read at once: about a chunk, in whole coarse voxels."""
    return factor * -(-GRANULE // factor)


def _heights_of_cathode(cell: CellGeometry, factor: int) -> tuple[int, int]:
    """Give the slices between which active material is looked for, whole coarse voxels."""
    edge, count = cell.voxel_size_um[0], cell.shape[0]
    low, high = 0.0, float(count)
    faces = [cell.planes.get(name) for name in ("electrolyte_cathode", "cathode_collector")]
    reach = 2 * _MARGIN_UM / edge
    for plane, side in zip(faces, (-cell.sign, cell.sign), strict=True):
        if plane is None:
            continue
        if side < 0:
            low = max(low, plane.height_um / edge - reach)
        else:
            high = min(high, plane.height_um / edge + reach)
    step = _slab(factor)
    first = int(low // step * step)
    return first, min(count // factor * factor, int(-(-high // step) * step))


def _fraction(block: Block, labels: Any, drifted: Sequence[_Piece], factor: int) -> np.ndarray:
    """Give the part of each coarse voxel that is active material and did not drift."""
    marked = np.asarray(labels[block.first : block.stop]) == Label.ACTIVE_MATERIAL
    for piece in drifted:
        z = piece.first[0]
        low, high = max(z, block.first), min(z + len(piece.mask), block.stop)
        if low < high:
            _, n_y, n_x = piece.mask.shape
            _, y, x = piece.first
            part = marked[low - block.first : high - block.first, y : y + n_y, x : x + n_x]
            part &= ~piece.mask[low - z : high - z]
    if factor == 1:
        return np.asarray(marked, np.float32)
    depth, rows, columns = (n // factor for n in marked.shape)
    kept = marked[: depth * factor, : rows * factor, : columns * factor]
    blocks = kept.reshape(depth, factor, rows, factor, columns, factor)
    return np.asarray(blocks.mean(axis=(1, 3, 5), dtype=np.float32))


def _keep_shown(fraction: np.ndarray, cell: CellGeometry, world: World, factor: int) -> None:
    """Take away the quarter that is cut out, and what lies outside of the bore."""
    y_um, x_um = (
        (np.arange(n) * factor + (factor - 1) / 2) * edge
        for n, edge in zip(fraction.shape[1:], cell.voxel_size_um[1:], strict=True)
    )
    y = -cell.sign * (y_um - cell.axis_y_um)[:, None]
    x = (x_um - cell.axis_x_um)[None, :]
    outside = np.hypot(y, x) > world.radius_um
    fraction[:, outside | is_cut_out(y, x)] = 0.0


def _isosurface(
    name: str,
    values: np.ndarray,
    filled: float,
    first: np.ndarray,
    cell: CellGeometry,
    world: World,
    factor: int = 1,
) -> Body | None:
    """Give the surface that holds as many voxels as are filled; None where none are.

    Smoothed, or in coarse voxels, a small particle nowhere fills half of a voxel: at that level it
    would shrink, or vanish.
    """
    from skimage import measure

    if filled < 1:
        return None
    count = min(round(filled), values.size - 1)
    level = float(np.partition(values, -count, axis=None)[-count])
    level = min(max(level, 0.01), 0.99 * float(values.max()))
    padded = np.pad(values, 1)  # a body that ends with the view is closed there
    marching_cubes: Any = measure.marching_cubes
    corners, triangles, _, _ = marching_cubes(padded, level, allow_degenerate=False)
    index = (corners - 1) * factor + (factor - 1) / 2 + first
    points = world.points(*(index * np.array(cell.voxel_size_um)).T)
    return Body(name, points, triangles.astype(np.int32))


def _joined(name: str, bodies: Sequence[Body]) -> Body:
    """Make one body of several."""
    if not bodies:
        return Body(name, np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32))
    starts = np.cumsum([0, *(len(body.points) for body in bodies)])
    triangles = [body.triangles + start for body, start in zip(bodies, starts, strict=False)]
    points = np.concatenate([body.points for body in bodies])
    return compacted(Body(name, points, np.concatenate(triangles)))
