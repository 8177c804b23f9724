"""A volume made coarse across, full along z. In: its overview; out: means of columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xct.errors import DataError
from xct.io.overview import Overview, coarse_edge, overview_of
from xct.parallel.blocks import Block, Voxels, slabs
from xct.parallel.executors import map_blocks


def known_quantile(values: np.ndarray, fraction: float) -> np.ndarray:
    """Give the quantile of the known values of each row, all at once; NaN where there are none.

    Parameters
    ----------
    values : ndarray, shape (row, n)
        Values, or NaN.
    fraction : float
        0 … 1.
    """
    ordered = np.sort(values, axis=1)  # NaN comes last
    count = np.count_nonzero(~np.isnan(ordered), axis=1)
    at = fraction * np.maximum(count - 1, 0)
    low = at.astype(int)
    high = np.minimum(low + 1, np.maximum(count - 1, 0))
    rows = np.arange(len(ordered))
    part = at - low
    return np.asarray(ordered[rows, low] * (1 - part) + ordered[rows, high] * part)


@dataclass(frozen=True)
class Frame:
    """The grid of a volume, and of its columns.

    Attributes
    ----------
    shape : tuple of int
        Voxels of the volume.
    voxel_size_um : tuple of float
        Edges of a voxel of the volume along z, y and x.
    bin : int
        Voxels along an edge of a column.
    field_radius_um : float or None
        Radius of the reconstructed circle about the middle; None where slices are filled to
        their corners.
    """

    shape: tuple[int, int, int]
    voxel_size_um: tuple[float, float, float]
    bin: int
    field_radius_um: float | None

    @property
    def edge_um(self) -> tuple[float, float]:
        """Edges of a column along y and x."""
        return self.bin * self.voxel_size_um[1], self.bin * self.voxel_size_um[2]

    @property
    def middle_um(self) -> tuple[float, float]:
        """The middle of a slice, along y and x."""
        return (
            (self.shape[1] - 1) / 2 * self.voxel_size_um[1],
            (self.shape[2] - 1) / 2 * self.voxel_size_um[2],
        )

    def pixels_um(self) -> tuple[np.ndarray, np.ndarray]:
        """Give y, shape (y, 1), and x, shape (1, x), of the middles of voxels."""
        y = np.arange(self.shape[1]) * self.voxel_size_um[1]
        x = np.arange(self.shape[2]) * self.voxel_size_um[2]
        return y[:, None], x[None, :]

    def reconstructed(self) -> np.ndarray | None:
        """Mark the pixels of a slice that were reconstructed, shape (y, x); None: all."""
        if self.field_radius_um is None:
            return None
        y, x = self.pixels_um()
        margin = 0.5 * max(self.voxel_size_um[1:])
        distance = np.hypot(y - self.middle_um[0], x - self.middle_um[1])
        return np.asarray(distance <= self.field_radius_um - margin)


@dataclass(frozen=True)
class Coarse:
    """Means over square columns of voxels, slice by slice.

    Attributes
    ----------
    values : ndarray of float32, shape (z, y, x)
        Means of the finite values; NaN where there are none.
    missing : float
        Fraction of the volume's voxels that are not finite.
    frame : Frame
        The volume's grid and that of the columns.
    overview : Overview or None
        What it was made of.
    """

    values: np.ndarray
    missing: float
    frame: Frame
    overview: Overview | None = None

    def positions_um(self) -> tuple[np.ndarray, np.ndarray]:
        """Give y, shape (y, 1), and x, shape (1, x), of the middles of columns."""
        size, (_, rows, columns) = self.frame.bin, self.values.shape
        y = (np.arange(rows) * size + (size - 1) / 2) * self.frame.voxel_size_um[1]
        x = (np.arange(columns) * size + (size - 1) / 2) * self.frame.voxel_size_um[2]
        return y[:, None], x[None, :]

    def in_field(self) -> np.ndarray:
        """Mark the columns that lie wholly in what was reconstructed, shape (y, x)."""
        inside: np.ndarray = np.isfinite(self.values).any(axis=0)
        if self.frame.field_radius_um is None:
            return inside
        y, x = self.positions_um()
        corner = 0.5 * float(np.hypot(*self.frame.edge_um))
        distance = np.hypot(y - self.frame.middle_um[0], x - self.frame.middle_um[1])
        return np.asarray(inside & (distance <= self.frame.field_radius_um - corner))


def make_coarse(
    volume: Voxels, voxel_size_um: Sequence[float], *, rows: int | None = None
) -> Coarse:
    """Average a volume over columns of voxels; read once where no overview is kept with it.

    Parameters
    ----------
    volume : Voxels, shape (z, y, x)
        Any scale; NaN is left out.
    voxel_size_um : sequence of float
        Edges of a voxel along z, y and x.
    rows : int, optional
        Height of the slabs that are read.

    Raises
    ------
    DataError
        If it is no volume, too small, without a finite value, or the same everywhere.
    """
    shape = tuple(int(n) for n in volume.shape)
    if len(shape) != 3 or min(shape) < 8:
        raise DataError(f"the volume has shape {shape}; a cell needs (z, y, x), at least 8 each")
    overview = overview_of(volume, rows)
    size, several = coarse_edge(shape), coarse_edge(shape) // overview.edge
    found = map_blocks(_merge_slab, slabs(overview.columns.shape), overview, several)
    values = np.concatenate([means for means, _ in found])
    missing = sum(count for _, count in found) / np.prod(shape)
    _refuse_empty(values)
    edges = (float(voxel_size_um[0]), float(voxel_size_um[1]), float(voxel_size_um[2]))
    frame = Frame(shape, edges, size, _field_radius(volume, edges))
    return Coarse(values, float(missing), frame, overview)


def _merge_slab(block: Block, overview: Overview, several: int) -> tuple[np.ndarray, int]:
    """Give means of so many columns along y and x, and how many voxels are not finite."""
    means = np.asarray(overview.columns[block.outer])
    missing = np.asarray(overview.missing[block.outer])
    count = _added(overview.edge**2 - missing.astype(np.int64), several)
    total = _added(np.where(missing == overview.edge**2, 0, means).astype(float)
                   * (overview.edge**2 - missing.astype(np.int64)), several)  # fmt: skip
    with np.errstate(invalid="ignore"):
        merged = np.where(count > 0, total / count, np.nan)
    return merged.astype(np.float32), int(missing.sum(dtype=np.int64))


def _added(values: np.ndarray, several: int) -> np.ndarray:
    depth, height, width = values.shape
    rows, columns = height // several, width // several
    whole = values[:, : rows * several, : columns * several]
    return np.asarray(whole.reshape(depth, rows, several, columns, several).sum(axis=(2, 4)))


def _refuse_empty(values: np.ndarray) -> None:
    known = values[np.isfinite(values)]
    if not known.size:
        raise DataError("no voxel of the volume holds a finite value; was it reconstructed?")
    if known.min() == known.max():
        raise DataError(
            f"every voxel of the volume is {known.min():.6g}; there is nothing to find a cell by"
        )


def _field_radius(volume: Voxels, voxel_size_um: tuple[float, float, float]) -> float | None:
    """Radius beyond which every voxel of three slices has one value, if it is a circle's."""
    z, rows, columns = volume.shape
    picked = np.stack([np.asarray(volume[i : i + 1])[0] for i in {0, z // 2, z - 1}])
    empty = (picked == picked[0, 0, 0]) | ~np.isfinite(picked)
    held = ~empty.all(axis=0)
    half = (rows - 1) / 2, (columns - 1) / 2
    y = (np.arange(rows) - half[0])[:, None] * voxel_size_um[1]
    x = (np.arange(columns) - half[1])[None, :] * voxel_size_um[2]
    distance = np.hypot(y, x)
    widest = float(distance[held].max(initial=0.0))
    inscribed = min(half[0] * voxel_size_um[1], half[1] * voxel_size_um[2])
    if 0.85 * inscribed <= widest <= inscribed + max(voxel_size_um[1:]):
        return widest
    return None
