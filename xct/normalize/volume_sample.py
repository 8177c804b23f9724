"""What normalization needs of a volume, gathered in one pass over it.

In: a volume, its cell, layers; out: noise of each slice, air, point spread, means of small cubes.

A cube's mean has a tenth of the noise of a voxel: the peak of many cubes hardly depends on the
noise, whereas the peak of voxels is drawn towards pores and partial volumes the more the noisier
they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from xct.geometry import CellGeometry
from xct.normalize.blur import GROUP, blur_at_wall, groups_at_wall, point_spread_um
from xct.normalize.sampling import (
    Cubes,
    Span,
    cube_edge,
    cube_means,
    cubes_inside,
    gather_cubes,
    join_cubes,
)
from xct.parallel.blocks import Block, Voxels, slabs
from xct.parallel.executors import map_blocks

_AIR_SLICES = 9
_MARGIN_VOXELS = 4.0
_LEAST_VOXELS = 50
_SAMPLED = 96  # voxels across, in each direction
# Lower quartile of |x| of a normal distribution, in sd: structure, which is rare, is above it.
_LOWER_QUARTILE = 0.3186


class AboveAir:
    """A volume less the value of air; float32, computed when it is read.

    Parameters
    ----------
    volume : Voxels, shape (z, y, x)
        Any linear scale.
    air : float
        What is subtracted.
    """

    def __init__(self, volume: Voxels, air: float) -> None:
        self.volume, self.air = volume, air
        self.shape = volume.shape
        self.dtype = np.dtype(np.float32)

    def __getitem__(self, index: Any, /) -> np.ndarray:
        """Read a part."""
        return np.asarray(self.volume[index], np.float32) - np.float32(self.air)


def air_level(volume: Voxels, cell: CellGeometry) -> float:
    """Find the value of what lies around the tube, or where no tube is in view around the bore.

    Parameters
    ----------
    volume : Voxels, shape (z, y, x)
        Any linear scale.
    cell : CellGeometry
        Where tube and bore lie.

    Returns
    -------
    float
        Median of the voxels beyond; NaN where the wall is not in view. What was not reconstructed
        (one value, the corner's, everywhere) does not count.
    """
    return _typical([
        _air_of(np.asarray(volume[z : z + 1], np.float32)[0], z, cell) for z in _air_slices(cell)
    ])  # fmt: skip


@dataclass(frozen=True)
class VolumeSample:
    """What one pass over a volume gives.

    Attributes
    ----------
    noise : ndarray of float32, shape (z,)
        Standard deviation of a voxel inside the bore; NaN where nothing can be measured.
    air : float
        As `air_level`.
    middle : float
        Median of the bore's voxels in the middle of the wall's slices; NaN without these.
    blur_um, blur_sd_um : float
        Full width at half maximum of the point spread, and its standard deviation; NaN where the
        wall is not in view or nowhere sharp.
    layers : tuple of Span
        Layers whose cubes were gathered.
    means : tuple of (int, ndarray)
        Of each layer the first slice, and from there the mean of every cube.
    """

    noise: np.ndarray
    air: float
    middle: float
    blur_um: float
    blur_sd_um: float
    layers: tuple[Span, ...]
    means: tuple[tuple[int, np.ndarray], ...]

    def cubes(self, volume: Voxels, wide: Span, margin_um: float, air: float) -> Cubes:
        """Give the cubes of a layer that lie a margin inside of it, less the value of air.

        A layer that is thin within its margin needs smaller cubes: it is read again.
        """
        first, means = self.means[self.layers.index(wide)]
        span = replace(wide, margin_um=margin_um)
        edge = cube_edge(span)
        if edge != cube_edge(wide):
            return gather_cubes(AboveAir(volume, air) if air else volume, span)
        return join_cubes([cubes_inside(means - float(np.float32(air)), first, edge, span)], span)


def sample_volume(
    volume: Voxels,
    cell: CellGeometry,
    layers: Sequence[Span],
    *,
    wall: tuple[int, int] | None = None,
    rows: int | None = None,
) -> VolumeSample:
    """Read a volume once.

    Noise is measured from second differences along z, in which the sample hardly shows: noise of
    neighboring slices is independent, since each comes from a detector row of its own.

    Parameters
    ----------
    volume : Voxels, shape (z, y, x)
        Any linear scale.
    cell : CellGeometry
        Where tube, bore and layers lie.
    layers : sequence of Span
        Layers whose cubes are wanted.
    wall : tuple of int, optional
        Slices, half open, at which the point spread is measured across the bore's wall.
    rows : int, optional
        Height of a slab, a multiple of `GRANULE`; no number depends on it.
    """
    plan = _Plan(
        cell,
        tuple(layers),
        tuple(groups_at_wall(cell, wall)) if wall else (),
        min((wall[0] + wall[1]) // 2, cell.shape[0] - 1) if wall else -1,
    )
    parts: list[_Part] = map_blocks(
        _sampled, slabs(cell.shape, rows=rows), volume, plan, read=_read
    )
    sparse = np.concatenate([part.sparse for part in parts])
    step = _step(cell)
    blur, blur_sd = point_spread_um([one for part in parts for one in part.blurs])
    means = []
    for several in zip(*(part.means for part in parts), strict=True):
        first = next((p.first for p, one in zip(parts, several, strict=True) if one.size), 0)
        means.append((first, np.concatenate(several)))
    return VolumeSample(
        np.array([_noise_of(sparse, z, cell, step) for z in range(len(sparse))], np.float32),
        _typical([one for part in parts for one in part.airs]),
        _typical([one for part in parts for one in part.middles]),
        blur,
        blur_sd,
        plan.layers,
        tuple(means),
    )


class _Plan(NamedTuple):
    cell: CellGeometry
    layers: tuple[Span, ...]
    groups: tuple[int, ...]
    middle: int


class _Part(NamedTuple):
    first: int
    sparse: np.ndarray
    means: list[np.ndarray]
    airs: list[float]
    middles: list[float]
    blurs: list[tuple[float, float]]


def _read(block: Block, volume: Voxels, plan: _Plan) -> np.ndarray:
    """Read a slab, and what the groups that start in it need beyond."""
    ends = [first + GROUP for first in plan.groups if block.first <= first < block.stop]
    return np.asarray(volume[block.first : max([block.stop, *ends])], np.float32)


def _sampled(block: Block, slab: np.ndarray, volume: Voxels, plan: _Plan) -> _Part:
    cell, step = plan.cell, _step(plan.cell)
    held = range(block.first, block.stop)
    own = slab[: len(held)]
    return _Part(
        block.first,
        np.array(own[:, ::step, ::step]),
        [_means(block, own, layer) for layer in plan.layers],
        [_air_of(slab[z - block.first], z, cell) for z in _air_slices(cell) if z in held],
        [_bore_median(slab[z - block.first], z, cell) for z in (plan.middle,) if z in held],
        [blur_at_wall(slab[z - block.first :][:GROUP], z, cell) for z in plan.groups if z in held],
    )


def _means(block: Block, slab: np.ndarray, layer: Span) -> np.ndarray:
    first, stop = layer.rows()
    wanted = block.stop > first and block.first < stop
    return cube_means(slab if wanted else slab[:0], cube_edge(layer))


def _air_slices(cell: CellGeometry) -> list[int]:
    if not np.isfinite(cell.bore_radius_sd_um):
        return []
    return [int(z) for z in np.linspace(0.1, 0.9, _AIR_SLICES) * (cell.shape[0] - 1)]


def _air_of(image: np.ndarray, z: int, cell: CellGeometry) -> float:
    """Median beyond tube or bore; NaN where too little of it is in view."""
    margin = _MARGIN_VOXELS * max(cell.voxel_size_um[1:])
    radius = (cell.tube_radius_um or cell.bore_radius_um) + margin
    beyond = image[(cell.radius_um(z) > radius) & np.isfinite(image)]
    beyond = beyond[beyond != image[0, 0]]
    return float(np.median(beyond)) if beyond.size > _LEAST_VOXELS else float("nan")


def _bore_median(image: np.ndarray, z: int, cell: CellGeometry) -> float:
    inside = image[cell.in_bore(z)]
    inside = inside[np.isfinite(inside)]
    return float(np.median(inside)) if inside.size else float("nan")


def _typical(values: Sequence[float]) -> float:
    found = [one for one in values if np.isfinite(one)]
    return float(np.median(found)) if found else float("nan")


def _step(cell: CellGeometry) -> int:
    return max(1, min(cell.shape[1:]) // _SAMPLED)


def _noise_of(sparse: np.ndarray, z: int, cell: CellGeometry, step: int) -> float:
    """Noise of one slice from every so many voxels of it and of its neighbors."""
    off_y, off_x = cell.offsets_um(z)
    radius = np.hypot(off_y[::step], off_x[:, ::step])
    inside = radius <= cell.bore_radius_um - 2 * max(cell.voxel_size_um[1:])
    this = sparse[z][inside]
    with np.errstate(invalid="ignore"):
        if 0 < z < len(sparse) - 1:
            others = sparse[z - 1][inside], sparse[z + 1][inside]
            difference = (2 * this - others[0] - others[1]) / np.sqrt(6)
        elif len(sparse) > 1:
            difference = (this - sparse[1 if z == 0 else z - 1][inside]) / np.sqrt(2)
        else:
            return float("nan")
    size = np.abs(difference[np.isfinite(difference)])
    if size.size < _LEAST_VOXELS:
        return float("nan")
    return float(np.quantile(size, 0.25) / _LOWER_QUARTILE)
