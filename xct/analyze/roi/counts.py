"""Voxels of ROIs by grey value and block. In: grey values, a cell, ROIs; out: counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, prod
from typing import NamedTuple

import numpy as np

from xct.analyze.block_grid import BlockGrid
from xct.analyze.grey_counts import GreyBins
from xct.analyze.roi.coordinates import Region, Roi
from xct.errors import DataError
from xct.geometry import CellGeometry
from xct.parallel.blocks import Block, Voxels, slabs
from xct.parallel.boxes import Window, around
from xct.parallel.executors import map_blocks
from xct.parallel.kernels import njit
from xct.parallel.sweeps import View

# Blocks of a ROI: fewer, and the bootstrap cannot know their scatter; more only take memory.
_FEWEST, _MOST = 24, 4096
_LEAST_EDGE = 4  # voxels
_LABELS = 256


@dataclass(frozen=True)
class RoiCounts:
    """Histograms of the blocks of one ROI.

    Attributes
    ----------
    name : str
        Of the ROI.
    blocks : ndarray of int32, shape (block, bin)
        Voxels; blocks without voxels are left out.
    places_um : ndarray, shape (block, 3)
        Middle of each block within the ROI's box, along z, y and x.
    missing : int
        Voxels without a value (NaN).
    in_view : float
        Part of the ROI's box that lies in the volume.
    middle : tuple of float
        Middle of the ROI's box, µm, along z, y and x.
    """

    name: str
    blocks: np.ndarray
    places_um: np.ndarray
    missing: int
    in_view: float
    middle: tuple[float, float, float]

    @property
    def total(self) -> np.ndarray:
        """Histogram of the ROI."""
        return np.asarray(self.blocks.sum(axis=0, dtype=np.int64))


def count_rois(
    grey_values: Voxels,
    cell: CellGeometry,
    rois: Sequence[Roi],
    bins: GreyBins,
    *,
    block_um: float = 40.0,
    rows: int | None = None,
) -> list[RoiCounts]:
    """Count the voxels of ROIs by grey value, block by block; what ROIs share is read once.

    Parameters
    ----------
    grey_values : Voxels, shape (z, y, x)
        Never denoised ones.
    cell : CellGeometry
        Turns cell coordinates into voxels.
    rois : sequence of Roi
        Regions.
    bins : GreyBins
        Bins.
    block_um : float, optional
        Edge of the blocks, several particles wide; less where a ROI holds few of them.
    rows : int, optional
        Slices read at a time; the answer does not depend on it.

    Raises
    ------
    DataError
        If a ROI has no voxel in the volume: all such errors at once.
    """
    regions, errors = [], []
    for roi in rois:
        try:
            regions.append(roi.region(cell))
        except ValueError as error:
            errors.append(str(error))
    if errors:
        raise DataError("\n".join(errors))
    grids = [
        _grid(region.shape, [block_um / size for size in cell.voxel_size_um]) for region in regions
    ]
    parts = _parts(regions, rows)
    found = map_blocks(_count, parts, grey_values, regions, grids, bins)
    by_region: list[list[tuple[Block, np.ndarray, int]]] = [[] for _ in regions]
    for part, several in zip(parts, found, strict=True):
        for number, (counts, missing) in zip(part.regions, several, strict=True):
            by_region[number].append((_rows_of(regions[number], part.slab), counts, missing))
    return [
        _put_together(region, grid, of_it, cell)
        for region, grid, of_it in zip(regions, grids, by_region, strict=True)
    ]


def count_labels(
    labels: Voxels, regions: Sequence[Region], *, rows: int | None = None
) -> np.ndarray:
    """Count the voxels of regions by label; what several of them share is read once.

    Returns
    -------
    ndarray of int, shape (region, 256)
        Voxels.
    """
    total = np.zeros((len(regions), _LABELS), np.int64)
    parts = _parts(regions, rows)
    for part, several in zip(parts, map_blocks(_label, parts, labels, regions), strict=True):
        for number, counts in zip(part.regions, several, strict=True):
            total[number] += counts
    return total


class _Part(NamedTuple):
    """A slab of the volume, and the regions that it holds a part of."""

    slab: Block
    regions: list[int]


def _parts(regions: Sequence[Region], rows: int | None) -> list[_Part]:
    """Cut the volume where its chunks end, so that each is decompressed once."""
    if not regions:
        return []
    z, y, x = around([region.slices for region in regions])
    shape = (z.stop, y.stop - y.start, x.stop - x.start)
    held = [(region.slices[0].start, region.slices[0].stop) for region in regions]
    parts = [
        _Part(slab, [n for n, (a, b) in enumerate(held) if a < slab.stop and slab.first < b])
        for slab in slabs(shape, rows=rows)
    ]
    return [part for part in parts if part.regions]


def _rows_of(region: Region, slab: Block) -> Block:
    """Give the rows of a region's box that a slab of the volume holds."""
    z = region.slices[0]
    first, stop = max(slab.first, z.start) - z.start, min(slab.stop, z.stop) - z.start
    return Block(first, stop, first, stop)


def _read(
    part: _Part, volume: Voxels, regions: Sequence[Region]
) -> Iterator[tuple[int, Block, np.ndarray, np.ndarray]]:
    """Give each region of a slab: number, rows, values, and mask; empty where all belong to it."""
    view = volume if isinstance(volume, View) else None
    rows = [_rows_of(regions[number], part.slab) for number in part.regions]
    boxes = [
        (slice(z.start + own.first, z.start + own.stop), y, x)
        for own, (z, y, x) in zip(rows, (regions[n].slices for n in part.regions), strict=True)
    ]
    whole = around(boxes)
    held = Window(np.asarray((view.volume if view is not None else volume)[whole]), whole)
    for number, own, box in zip(part.regions, rows, boxes, strict=True):
        values = held[box] if view is None else view.normalized(held[box], box)
        values = np.ascontiguousarray(values)
        mask = np.empty((0, 0, 0), np.bool_)
        if not regions[number].is_box:
            mask = np.ascontiguousarray(regions[number].mask(own.first, own.stop))
        yield number, own, values, mask


def _count(
    part: _Part,
    grey_values: Voxels,
    regions: Sequence[Region],
    grids: Sequence[BlockGrid],
    bins: GreyBins,
) -> list[tuple[np.ndarray, int]]:
    """Count the blocks of each region that a slab touches, and its voxels without a value."""
    found = []
    for number, own, values, mask in _read(part, grey_values, regions):
        grid = grids[number]
        counts = np.zeros((len(grid.touched(own)), bins.count), np.int32)
        missing = _count_blocks(values, mask, own.first, grid, bins.low, bins.width, counts)
        found.append((counts, missing))
    return found


def _label(part: _Part, labels: Voxels, regions: Sequence[Region]) -> list[np.ndarray]:
    """Count each region's voxels in a slab by label."""
    return [
        np.bincount((values[mask] if mask.size else values).ravel(), minlength=_LABELS)[:_LABELS]
        for _, _, values, mask in _read(part, labels, regions)
    ]


def _put_together(
    region: Region,
    grid: BlockGrid,
    found: Sequence[tuple[Block, np.ndarray, int]],
    cell: CellGeometry,
) -> RoiCounts:
    counts = grid.combined((slab, part) for slab, part, _ in found)
    missing = sum(count for *_, count in found)
    z, y, x = (
        (part.start + part.stop - 1) / 2 * size
        for part, size in zip(region.slices, cell.voxel_size_um, strict=True)
    )
    held = np.flatnonzero(counts.any(axis=1))
    places = _places_um(region.shape, grid, cell.voxel_size_um)[held]
    return RoiCounts(region.name, counts[held], places, missing, region.in_view, (z, y, x))


def _places_um(shape: Sequence[int], grid: BlockGrid, voxel_um: Sequence[float]) -> np.ndarray:
    axes = []
    for n, edge, parts, size in zip(shape, grid.edges, grid.blocks, voxel_um, strict=True):
        first = np.minimum(np.arange(parts) * edge, n)
        axes.append((first + np.minimum(first + edge, n) - 1) / 2 * size)
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)


def _grid(shape: Sequence[int], wanted: Sequence[float]) -> BlockGrid:
    """Cut a box into blocks about as large as wanted, if these are neither too few nor too many."""
    edges = [max(float(_LEAST_EDGE), edge) for edge in wanted]
    grid = [1, 1, 1]
    for _ in range(200):
        grid = [max(1, round(n / edge)) for n, edge in zip(shape, edges, strict=True)]
        if prod(grid) < _FEWEST and max(edges) > _LEAST_EDGE:
            edges = [max(_LEAST_EDGE, edge * 0.9) for edge in edges]
        elif prod(grid) > _MOST:
            edges = [edge * 1.2 for edge in edges]
        else:
            break
    z, y, x = (ceil(n / parts) for n, parts in zip(shape, grid, strict=True))
    return BlockGrid((z, y, x), (grid[0], grid[1], grid[2]))


@njit(cache=True, nogil=True)
def _count_blocks(
    values: np.ndarray,
    mask: np.ndarray,
    first: int,
    grid: BlockGrid,
    low: float,
    width: float,
    counts: np.ndarray,
) -> int:
    """Add a slab to the counts (block, bin) of the blocks that it touches; return the NaN.

    `first` is the row of the box that comes first in `values`; an empty mask leaves nothing out.
    """
    edge_z, edge_y, edge_x = grid.edges
    _, blocks_y, blocks_x = grid.blocks
    bins = counts.shape[1]
    masked = mask.size > 0
    missing = 0
    inverse = 1.0 / width
    for z in range(values.shape[0]):
        block_z = ((first + z) // edge_z - first // edge_z) * blocks_y
        for y in range(values.shape[1]):
            block_y = (block_z + y // edge_y) * blocks_x
            for x in range(values.shape[2]):
                if masked and not mask[z, y, x]:
                    continue
                value = values[z, y, x]
                if value != value:
                    missing += 1
                    continue
                place = (value - low) * inverse
                number = int(min(max(place, 0.0), bins - 1.0))
                counts[block_y + x // edge_x, number] += 1
    return missing
