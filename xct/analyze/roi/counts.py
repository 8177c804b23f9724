"""Voxels of ROIs by grey value and block. In: grey values, a cell, ROIs; out: counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, prod

import numpy as np

from xct.analyze.grey_bins import GreyBins, count_blocks
from xct.analyze.roi.coordinates import Region, Roi
from xct.geometry import CellGeometry
from xct.parallel.blocks import Voxels, slabs

_FEWEST, _MOST = (
    24,
    4096,
)  # blocks: below, the bootstrap is blind; above, it takes memory for nothing
_LEAST_EDGE = 4


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
    """Count the voxels of ROIs by grey value, block by block; each ROI is read once.

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
    ValueError
        If a ROI has no voxel in the volume: all such complaints at once.
    """
    regions, complaints = [], []
    for roi in rois:
        try:
            regions.append(roi.region(cell))
        except ValueError as error:
            complaints.append(str(error))
    if complaints:
        raise ValueError("\n".join(complaints))
    return [_count(grey_values, cell, region, bins, block_um, rows) for region in regions]


def _count(
    grey_values: Voxels,
    cell: CellGeometry,
    region: Region,
    bins: GreyBins,
    block_um: float,
    rows: int | None,
) -> RoiCounts:
    grid = _grid(region.shape, [block_um / size for size in cell.voxel_size_um])
    edges = [ceil(n / parts) for n, parts in zip(region.shape, grid, strict=True)]
    counts = np.zeros((prod(grid), bins.count), np.int32)
    z, y, x = region.slices
    nothing = np.empty((0, 0, 0), np.bool_)
    missing = 0
    for block in slabs(region.shape, rows=rows):
        part = slice(z.start + block.first, z.start + block.stop)
        values = np.asarray(grey_values[part, y, x])
        mask = nothing if region.is_box else region.mask(block.first, block.stop)
        missing += count_blocks(
            values, np.ascontiguousarray(mask), not region.is_box, block.first, edges[0],
            edges[1], edges[2], grid[1], grid[2], bins.low, bins.width, counts,
        )  # fmt: skip
    middle = [
        (part.start + part.stop - 1) / 2 * size
        for part, size in zip(region.slices, cell.voxel_size_um, strict=True)
    ]
    held = np.flatnonzero(counts.any(axis=1))
    places = _places_um(region.shape, edges, grid, cell.voxel_size_um)[held]
    at = (middle[0], middle[1], middle[2])
    return RoiCounts(region.name, counts[held], places, missing, region.in_view, at)


def _places_um(
    shape: Sequence[int], edges: Sequence[int], grid: Sequence[int], voxel_um: Sequence[float]
) -> np.ndarray:
    axes = []
    for n, edge, parts, size in zip(shape, edges, grid, voxel_um, strict=True):
        first = np.minimum(np.arange(parts) * edge, n)
        axes.append((first + np.minimum(first + edge, n) - 1) / 2 * size)
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)


def _grid(shape: Sequence[int], wanted: Sequence[float]) -> list[int]:
    """Blocks along each axis, all about as large: as wanted, if neither too few nor too many."""
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
    return grid
