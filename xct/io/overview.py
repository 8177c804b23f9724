"""An overview of a volume: means of narrow columns, every few voxels. In: slabs; out: arrays.

Who looks for the cell, its noise or its electrolyte needs no single voxel but these. They are kept
beside the levels of a volume as it is written, and made in one pass over an array.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import log2
from typing import Any

import numpy as np

from xct.parallel.blocks import GRANULE, Block, Voxels, slabs
from xct.parallel.executors import map_blocks
from xct.parallel.kernels import njit
from xct.parallel.threads import over_ranges

NAMES = ("columns", "missing", "sparse")  # arrays beside the levels
_SPARSE = 96  # voxels across, in each direction, that are kept as they are
_COARSE = 128  # about so many columns stand side by side where the cell is looked for
_NARROW = 8  # voxels: the widest column, so that small cubes can be made of columns
_LEAST_EDGE = (
    4  # of columns that are kept: narrower ones take a third of a volume that is read soon
)


def coarse_edge(shape: Sequence[int]) -> int:
    """Choose the edge of the columns by which a cell is found: voxels, a power of two."""
    return int(2 ** max(0, round(log2(max(min(shape[1:]) / _COARSE, 1)))))


def column_edge(shape: Sequence[int]) -> int:
    """Choose the edge of the columns that are kept: voxels, a power of two."""
    return min(coarse_edge(shape), _NARROW)


def sparse_step(shape: Sequence[int]) -> int:
    """Choose which voxels are kept as they are: every so many along y and x."""
    return max(1, min(shape[1:]) // _SPARSE)


@dataclass(frozen=True)
class Overview:
    """What is kept of a volume.

    Attributes
    ----------
    columns : array of float32, shape (z, y, x)
        Means of the finite values of columns, one slice high; NaN where there are none.
    missing : array of uint8, shape (z, y, x)
        Voxels of each column that are not finite.
    sparse : array of float32, shape (z, y, x)
        Every `step`-th voxel along y and x.
    edge, step : int
        Voxels along the edge of a column, and from one of `sparse` to the next.
    """

    columns: Any
    missing: Any
    sparse: Any
    edge: int
    step: int


def overview_of(volume: Voxels, rows: int | None = None) -> Overview:
    """Give the overview that is kept with a volume, or make it in one pass.

    Parameters
    ----------
    volume : Voxels, shape (z, y, x)
        Any scale.
    rows : int, optional
        Height of the slabs that are read; the answer does not depend on it.
    """
    kept = getattr(volume, "overview", None)
    if kept is not None:
        return kept  # type: ignore[no-any-return]
    edge, step = column_edge(volume.shape), sparse_step(volume.shape)
    found = map_blocks(_of_block, slabs(volume.shape, rows=rows), volume, read=_read)
    columns, missing, sparse = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return Overview(columns, missing, sparse, edge, step)


def columns_of(volume: Voxels, first: int, stop: int) -> tuple[np.ndarray, int]:
    """Give means of columns in some slices, and the edge of a column in voxels."""
    kept = getattr(volume, "overview", None)
    if kept is not None:
        return np.asarray(kept.columns[first:stop]), kept.edge
    slab = np.asarray(volume[first:stop], np.float32)
    return summarized(slab, volume.shape)[0], column_edge(volume.shape)


def _read(block: Block, volume: Voxels) -> np.ndarray:
    return np.asarray(volume[block.outer], np.float32)


def _of_block(block: Block, slab: np.ndarray, volume: Voxels) -> tuple[np.ndarray, ...]:
    return summarized(slab, volume.shape)


def summarized(slab: np.ndarray, shape: Sequence[int]) -> tuple[np.ndarray, ...]:
    """Give means of columns, missing voxels and every few voxels of a slab of a volume."""
    edge, step = column_edge(shape), sparse_step(shape)
    columns = np.empty((len(slab), slab.shape[1] // edge, slab.shape[2] // edge), np.float32)
    missing = np.zeros(columns.shape, np.uint8)
    over_ranges(partial(_average, slab, edge, columns, missing), len(slab))
    return columns, missing, np.array(slab[:, ::step, ::step], np.float32)


def create_arrays(group: Any, shape: Sequence[int], compressors: Any) -> None:
    """Make the arrays of an overview beside the levels of a volume, if it is much smaller."""
    if column_edge(shape) < _LEAST_EDGE:
        return
    empty = summarized(np.zeros((1, *shape[1:]), np.float32), shape)
    for name, like in zip(NAMES, empty, strict=True):
        group.create_array(
            name,
            shape=(shape[0], *like.shape[1:]),
            chunks=(min(GRANULE, shape[0]), *(max(n, 1) for n in like.shape[1:])),
            dtype=like.dtype,
            fill_value=0,
            compressors=compressors,
            dimension_names=("z", "y", "x"),
        )


def is_kept(group: Any) -> bool:
    """Whether a volume keeps an overview of the present form."""
    shape = group["0"].shape
    edge, step = column_edge(shape), sparse_step(shape)
    columns = (shape[0], shape[1] // edge, shape[2] // edge)
    sparse = (shape[0], -(-shape[1] // step), -(-shape[2] // step))
    expected = (columns, columns, sparse)
    return all(n in group and group[n].shape == s for n, s in zip(NAMES, expected, strict=True))


def overview_bytes(shape: Sequence[int]) -> int:
    """Give what an overview takes on disk at most."""
    edge, step = column_edge(shape), sparse_step(shape)
    return 0 if edge < _LEAST_EDGE else int(np.prod(shape) * (5 / edge**2 + 4 / step**2))


def write_arrays(group: Any, first: int, values: np.ndarray) -> None:
    """Write the overview of slices from `first` on; `values` in the volume's unit."""
    for name, part in zip(NAMES, summarized(values, group["0"].shape), strict=True):
        group[name][first : first + len(values)] = part


def open_arrays(group: Any) -> Overview | None:
    """Open the overview that lies beside the levels of a volume; None where there is none."""
    if not is_kept(group):
        return None
    shape = group["0"].shape
    columns, missing, sparse = (group[name] for name in NAMES)
    return Overview(columns, missing, sparse, column_edge(shape), sparse_step(shape))


@njit(cache=True, nogil=True)
def _average(
    slab: np.ndarray, edge: int, means: np.ndarray, missing: np.ndarray, first: int, stop: int
) -> None:
    """Mean of the finite values of each square column."""
    for z in range(first, stop):
        for j in range(means.shape[1]):
            for i in range(means.shape[2]):
                total, count = 0.0, 0
                for y in range(j * edge, (j + 1) * edge):
                    for x in range(i * edge, (i + 1) * edge):
                        value = float(slab[z, y, x])
                        if np.isfinite(value):
                            total += value
                            count += 1
                missing[z, j, i] = edge * edge - count
                means[z, j, i] = total / count if count else np.nan
