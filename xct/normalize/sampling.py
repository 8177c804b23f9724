"""Means of small cubes inside a layer. In: a volume, a span; out: values with height and radius.

A cube's mean has a tenth of the noise of a voxel: the peak of many cubes hardly depends on the
noise, whereas the peak of voxels is drawn towards pores and partial volumes the more the noisier
they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, log2
from typing import Any

import numpy as np

from xct.geometry import CellGeometry
from xct.io.overview import Overview
from xct.parallel.blocks import CHUNK_SLICES, GRANULE, Block, Voxels, slabs
from xct.parallel.executors import map_blocks
from xct.parallel.kernels import njit
from xct.parallel.threads import over_ranges

_NARROW_PX = 640  # slices up to so wide are taken by whole groups

# Where a layer surely lies. In: a cell; out: ranges of slices, limits of height by position.


@dataclass(frozen=True)
class Span:
    """A layer between two planes, less a margin; None: to the end of the volume.

    Attributes
    ----------
    cell : CellGeometry
        The cell.
    near, far : str or None
        Surfaces on the anode's and on the collector's side.
    margin_um : float
        How far from either surface, and from the bore's wall.
    heights : int, optional
        How many cubes fit into it along z, at least, where slices are as many.
    """

    cell: CellGeometry
    near: str | None
    far: str | None
    margin_um: float
    heights: int = 1

    def limits_um(self, y_um: np.ndarray, x_um: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Give the lowest and highest z that lie inside, at positions across."""
        ends = [self.near, self.far] if self.cell.sign > 0 else [self.far, self.near]
        last = (self.cell.shape[0] - 1) * self.cell.voxel_size_um[0]
        step = self.cell.voxel_size_um[0]
        low = self._height(ends[0], -step, y_um, x_um) + (self.margin_um if ends[0] else 0)
        high = self._height(ends[1], last + step, y_um, x_um) - (self.margin_um if ends[1] else 0)
        return low, high

    def _height(self, surface: str | None, end: float, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        if surface is None:
            return np.broadcast_to(end, np.broadcast_shapes(np.shape(y), np.shape(x)))
        plane = self.cell.planes[surface]
        return np.asarray(
            plane.height_um
            + plane.slope_y * (y - self.cell.axis_y_um)
            + plane.slope_x * (x - self.cell.axis_x_um)
        )

    def rows(self) -> tuple[int, int]:
        """Give the first slice that may hold some of it, and the one behind the last."""
        reach = self.cell.bore_radius_um
        y = self.cell.axis_y_um + reach * np.array([-1.0, 1.0])[:, None]
        x = self.cell.axis_x_um + reach * np.array([-1.0, 1.0])[None, :]
        low, high = self.limits_um(y, x)
        step = self.cell.voxel_size_um[0]
        first = int(np.clip(np.floor(low.min() / step), 0, self.cell.shape[0]))
        stop = int(np.clip(np.ceil(high.max() / step) + 1, first, self.cell.shape[0]))
        return first, stop


def electrolyte_span(cell: CellGeometry, margin_um: float) -> Span | None:
    """Find the electrolyte between the planes that are in view; None where it is not in view."""
    if cell.only == "cathode":
        return None
    near = next((s for s in ("lithium_electrolyte", "steel_lithium") if s in cell.planes), None)
    far = "electrolyte_cathode" if "electrolyte_cathode" in cell.planes else None
    if far is None and "cathode_collector" in cell.planes:
        return None
    return Span(cell, near, far, margin_um, _HEIGHTS)


def cathode_span(cell: CellGeometry, margin_um: float) -> Span | None:
    """Find the cathode between the planes that are in view; None where it is not in view."""
    if cell.only == "cathode":
        return Span(cell, None, None, margin_um)
    near = "electrolyte_cathode" if "electrolyte_cathode" in cell.planes else None
    far = "cathode_collector" if "cathode_collector" in cell.planes else None
    if near is None and (far is None or "steel_lithium" in cell.planes):
        return None
    return Span(cell, near, far, margin_um)


_EDGE_UM = 8.0
# Of the electrolyte, so that a density that changes along z is seen in a thin layer, too: in one of
# 42 voxels two heights gave a constant that was 6 % off at either end.
_HEIGHTS = 6
_FLATTEST = 2  # slices of a cube
_ACROSS = 14  # at least so many cubes fit across a narrow bore
_ENOUGH = 2**16  # columns of cubes that determine the electrolyte as well as any more
_GROUP_ROWS, _LEAST_GROUPS = 64, 5  # rows that are read together where not all are


@dataclass(frozen=True)
class Cubes:
    """Cubes that lie wholly inside a layer.

    Attributes
    ----------
    mean : ndarray of float32, shape (n,)
        Mean value.
    z_um, y_um, x_um, r_um : ndarray of float32, shape (n,)
        Middle, and distance from the axis.
    edge : tuple of int
        Voxels along z, y and x.
    """

    mean: np.ndarray
    z_um: np.ndarray
    y_um: np.ndarray
    x_um: np.ndarray
    r_um: np.ndarray
    edge: tuple[int, int, int]


def cube_edge(span: Span) -> tuple[int, int, int]:
    """Choose the edges of a cube in voxels: powers of two, about as wide as a particle."""
    cell = span.cell
    first, stop = span.rows()
    widest = min(2 * cell.bore_radius_um / _ACROSS, (stop - first) * cell.voxel_size_um[0] / 4)
    wanted = [min(_EDGE_UM, widest) / size for size in cell.voxel_size_um]
    z, y, x = (2 ** round(log2(max(1.0, count))) for count in wanted)
    z = min(z, GRANULE)
    while z > _FLATTEST and stop - first < span.heights * z:
        z //= 2
    return z, y, x


def gather_cubes(volume: Voxels, span: Span, air: float = 0.0) -> Cubes:
    """Average the cubes that lie inside of a span and of the bore; NaN in a cube leaves it out.

    Cubes as wide as the columns of an overview that is kept with the volume are made of those.

    Parameters
    ----------
    volume : Voxels, shape (z, y, x)
        Read by slabs, only where the span lies.
    span : Span
        The layer; its margin is kept to the bore's wall too.
    air : float, optional
        What is subtracted: the value of air.

    Returns
    -------
    Cubes
        In the order of z, y, x.
    """
    kept, edge = getattr(volume, "overview", None), cube_edge(span)
    whole = kept is not None and not any(across % kept.edge for across in edge[1:])
    source = kept if whole else volume
    rows = _all_rows(volume.shape) if whole else _rows_read(span, edge)
    read = _read_columns if whole else _read_rows
    parts = map_blocks(_cubes_of, slabs_of(span), source, span, rows, float(air), read=read)
    return join_cubes(parts, span)


def _all_rows(shape: Sequence[int]) -> list[slice]:
    return [slice(0, shape[1])]


def _rows_read(span: Span, edge: tuple[int, int, int]) -> list[slice]:
    """Choose rows: all, or some groups of them where there are many more cubes than are needed."""
    _, height, width = span.cell.shape
    every = (height // edge[1]) * (width // edge[2]) // _ENOUGH
    every = min(every, height // (_LEAST_GROUPS * _GROUP_ROWS))
    if every < 2:
        return _all_rows(span.cell.shape)
    starts = range(every // 2 * _GROUP_ROWS, height, every * _GROUP_ROWS)
    return [slice(start, min(start + _GROUP_ROWS, height)) for start in starts]


def slabs_of(span: Span) -> list[Block]:
    """Give the slabs that hold a span, without what lies beyond it by whole granules."""
    first, stop = span.rows()
    low, high = first // GRANULE * GRANULE, min(ceil(stop / GRANULE) * GRANULE, span.cell.shape[0])
    ends = [(max(b.first, low), min(b.stop, high)) for b in slabs(span.cell.shape)]
    return [Block(low, high, low, high) for low, high in ends if low < high]


def thin_group(first: int, stop: int, width: int) -> tuple[int, int]:
    """Leave out the outer slices of a group where slices are wide: each holds so much more.

    Parameters
    ----------
    first, stop : int
        A group of slices, half open.
    width : int
        Voxels across a slice.

    Returns
    -------
    first, stop : int
        Those about its middle; all of them up to 640 voxels.
    """
    needed = ceil((stop - first) * min(_NARROW_PX / width, 1.0))
    margin = (stop - first - needed) // 2
    return first + margin, stop - margin


def slices_by_slab(first: int, last: int, most: int) -> list[list[int]]:
    """Choose slices evenly, and sort them by the chunks that they are stored in.

    A chunk is read as a whole: where slices would lie far apart, two are taken of every chunk.

    Parameters
    ----------
    first, last : int
        The range that they are chosen from; each is looked at with the slice behind it.
    most : int
        How many, at most.
    """
    apart = CHUNK_SLICES // 2
    if last - first > most * apart:
        at = np.linspace(first, last - apart, max(most // 2, 1)).astype(int)
        starts = np.unique(np.clip(at // CHUNK_SLICES * CHUNK_SLICES + 1, first, last - apart))
        return [[int(z), int(z) + apart] for z in starts]
    groups: dict[int, list[int]] = {}
    for z in np.unique(np.linspace(first, last, most).astype(int)):
        groups.setdefault(int(z) // CHUNK_SLICES, []).append(int(z))
    return list(groups.values())


def read_slab(block: Block, volume: Voxels, *_: object) -> np.ndarray:
    """Read the slices of a block."""
    return np.asarray(volume[block.first : block.stop], np.float32)


def _read_rows(block: Block, volume: Voxels, span: Span, rows: list[slice], *_: object) -> Any:
    """Read groups of rows of a block, one behind the other."""
    return np.concatenate(
        [np.asarray(volume[block.first : block.stop, some], np.float32) for some in rows], axis=1
    )


def _read_columns(block: Block, overview: Overview, *_: object) -> np.ndarray:
    """Read the columns of a block; NaN where a voxel is not finite."""
    means = np.asarray(overview.columns[block.outer])
    return np.where(np.asarray(overview.missing[block.outer]) > 0, np.float32(np.nan), means)


def _cubes_of(
    block: Block,
    slab: np.ndarray,
    source: Voxels | Overview,
    span: Span,
    rows: list[slice],
    air: float,
) -> np.ndarray:
    edge = cube_edge(span)
    across = source.edge if isinstance(source, Overview) else 1
    means = cube_means(slab, (edge[0], edge[1] // across, edge[2] // across))
    first_rows = np.concatenate(
        [np.arange(some.start, some.stop - edge[1] + 1, edge[1]) for some in rows]
    )
    return cubes_inside(means - float(np.float32(air)), block.first, first_rows, edge, span)


def cube_means(slab: np.ndarray, edge: tuple[int, int, int]) -> np.ndarray:
    """Give the mean of each whole cube of a slab that starts at one."""
    means = np.empty(tuple(n // e for n, e in zip(slab.shape, edge, strict=True)))
    over_ranges(lambda a, b: _average(slab, np.array(edge), means, a, b), len(means))
    return means


def join_cubes(parts: Sequence[np.ndarray], span: Span) -> Cubes:
    """Make cubes of what `cubes_inside` gave, slab by slab."""
    mean, z, y, x = np.concatenate([np.empty((4, 0), np.float32), *parts], axis=1)
    slope_y, slope_x = span.cell.axis_slope_y, span.cell.axis_slope_x
    from_middle = z - (span.cell.shape[0] - 1) / 2 * span.cell.voxel_size_um[0]
    r = np.hypot(
        y - span.cell.axis_y_um - slope_y * from_middle,
        x - span.cell.axis_x_um - slope_x * from_middle,
    )
    return Cubes(mean, z, y, x, r.astype(np.float32), cube_edge(span))


def cubes_inside(
    means: np.ndarray,
    first: int,
    first_rows: np.ndarray,
    edge: tuple[int, int, int],
    span: Span,
) -> np.ndarray:
    """Give mean, z, y and x of the cubes that lie inside, shape (4, n).

    They begin in slice `first`, and in `first_rows` along y.
    """
    size = span.cell.voxel_size_um
    starts = [np.arange(count) * e for count, e in zip(means.shape, edge, strict=True)]
    z, y, x = (
        (start + (e - 1) / 2) * s
        for start, e, s in zip((starts[0] + first, first_rows, starts[2]), edge, size, strict=True)
    )
    half_z = 0.5 * edge[0] * size[0]
    corner = 0.5 * float(np.hypot(edge[1] * size[1], edge[2] * size[2]))
    low, high = span.limits_um(y[:, None], x[None, :])
    kept = []
    for number, height in enumerate(z):
        y_axis, x_axis = span.cell.axis_at(height)
        r = np.hypot(y[:, None] - y_axis, x[None, :] - x_axis)
        held = r < span.cell.bore_radius_um - span.margin_um - corner
        held &= (low < height - half_z) & (high > height + half_z) & np.isfinite(means[number])
        j, i = np.nonzero(held)
        kept.append(np.stack([means[number, j, i], np.full(j.size, height), y[j], x[i]]))
    return np.concatenate(kept, axis=1).astype(np.float32) if kept else np.empty((4, 0), np.float32)


@njit(cache=True, nogil=True)
def _average(slab: np.ndarray, edge: np.ndarray, means: np.ndarray, first: int, stop: int) -> None:
    ez, ey, ex = edge
    count = np.float64(ez * ey * ex)
    for k in range(first, stop):
        for j in range(means.shape[1]):
            for i in range(means.shape[2]):
                total = 0.0
                for z in range(k * ez, (k + 1) * ez):
                    for y in range(j * ey, (j + 1) * ey):
                        for x in range(i * ex, (i + 1) * ex):
                            total += slab[z, y, x]
                means[k, j, i] = total / count
