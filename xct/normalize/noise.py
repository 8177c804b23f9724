"""Noise of each slice. In: a volume, its bore; out: a voxel's standard deviation by slice."""

from __future__ import annotations

import numpy as np

from xct.geometry import CellGeometry
from xct.parallel.blocks import Voxels, slabs

_SAMPLED = 96  # voxels across, in each direction
# Lower quartile of |x| of a normal distribution, in sd: structure, which is rare, is above it.
_LOWER_QUARTILE = 0.3186


def noise_by_slice(volume: Voxels, cell: CellGeometry) -> np.ndarray:
    """Measure the noise from second differences along z, in which the sample hardly shows.

    Noise of neighboring slices is independent: each comes from a detector row of its own.

    Returns
    -------
    ndarray of float32, shape (z,)
        Standard deviation of a voxel inside the bore; NaN where nothing can be measured.
    """
    step = max(1, min(cell.shape[1:]) // _SAMPLED)
    noise = np.full(cell.shape[0], np.nan, np.float32)
    for block in slabs(cell.shape, overlap=1):
        slab = np.asarray(volume[block.outer_first : block.outer_stop], np.float32)
        slab = slab[:, ::step, ::step]
        slab = np.where(np.isfinite(slab), slab, np.float32(np.nan))
        for z in range(block.first, block.stop):
            at = z - block.outer_first
            inside = cell.in_bore(z, 2 * max(cell.voxel_size_um[1:]))[::step, ::step]
            noise[z] = _of_slice(slab, at, inside)
    return noise


def _of_slice(slab: np.ndarray, at: int, inside: np.ndarray) -> float:
    this = slab[at][inside]
    if 0 < at < len(slab) - 1:
        difference = (2 * this - slab[at - 1][inside] - slab[at + 1][inside]) / np.sqrt(6)
    elif len(slab) > 1:
        difference = (this - slab[1 if at == 0 else at - 1][inside]) / np.sqrt(2)
    else:
        return float("nan")
    size = np.abs(difference[np.isfinite(difference)])
    return float(np.quantile(size, 0.25) / _LOWER_QUARTILE) if size.size >= 50 else float("nan")
