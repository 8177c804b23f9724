"""A volume made coarse across, full along z. In: voxels, slab by slab; out: means of columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xct.parallel.blocks import Voxels, slabs
from xct.parallel.kernels import njit
from xct.parallel.threads import over_ranges

# Quantiles of rows that may hold NaN, all at once: numpy's own take each row by itself.


def known_quantile(values: np.ndarray, share: float) -> np.ndarray:
    """Give the quantile of the known values of each row; NaN where there are none.

    Parameters
    ----------
    values : ndarray, shape (row, n)
        Values, or NaN.
    share : float
        0 … 1.
    """
    ordered = np.sort(values, axis=1)  # NaN comes last
    count = np.count_nonzero(~np.isnan(ordered), axis=1)
    at = share * np.maximum(count - 1, 0)
    low = at.astype(int)
    high = np.minimum(low + 1, np.maximum(count - 1, 0))
    rows = np.arange(len(ordered))
    part = at - low
    return np.asarray(ordered[rows, low] * (1 - part) + ordered[rows, high] * part)


_ACROSS = 128  # about so many columns stand side by side


@dataclass(frozen=True)
class Coarse:
    """Means over square columns of voxels, slice by slice.

    Attributes
    ----------
    values : ndarray of float32, shape (z, y, x)
        Means of the finite values; NaN where there are none.
    bin : int
        Voxels along an edge of a column.
    voxel_size_um : tuple of float
        Edges of a voxel of the volume along z, y and x.
    shape : tuple of int
        Voxels of the volume.
    missing : float
        Share of the volume's voxels that are not finite.
    field_radius_um : float or None
        Radius of the reconstructed circle about the middle; None where slices are filled to
        their corners.
    """

    values: np.ndarray
    bin: int
    voxel_size_um: tuple[float, float, float]
    shape: tuple[int, int, int]
    missing: float
    field_radius_um: float | None

    @property
    def edge_um(self) -> tuple[float, float]:
        """Edges of a column along y and x."""
        return self.bin * self.voxel_size_um[1], self.bin * self.voxel_size_um[2]

    def positions_um(self) -> tuple[np.ndarray, np.ndarray]:
        """Give y, shape (y, 1), and x, shape (1, x), of the middles of columns."""
        (_, rows, columns), off = self.values.shape, (self.bin - 1) / 2
        y = (np.arange(rows) * self.bin + off) * self.voxel_size_um[1]
        x = (np.arange(columns) * self.bin + off) * self.voxel_size_um[2]
        return y[:, None], x[None, :]

    def in_field(self, margin_um: float = 0.0) -> np.ndarray:
        """Tell which columns lie wholly in what was reconstructed, shape (y, x)."""
        inside: np.ndarray = np.isfinite(self.values).any(axis=0)
        if self.field_radius_um is None:
            return inside
        y, x = self.positions_um()
        corner = 0.5 * float(np.hypot(*self.edge_um))
        off = np.hypot(y - _middle(self.shape[1]) * self.voxel_size_um[1],
                       x - _middle(self.shape[2]) * self.voxel_size_um[2])  # fmt: skip
        return np.asarray(inside & (off <= self.field_radius_um - corner - margin_um))


def make_coarse(
    volume: Voxels, voxel_size_um: Sequence[float], *, rows: int | None = None
) -> Coarse:
    """Average a volume over columns of voxels; it is read once.

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
    ValueError
        If it is no volume, too small, without a finite value, or the same everywhere.
    """
    shape = tuple(int(n) for n in volume.shape)
    if len(shape) != 3 or min(shape) < 8:
        raise ValueError(f"the volume has shape {shape}; a cell needs (z, y, x), at least 8 each")
    size = max(1, round(min(shape[1:]) / _ACROSS))
    values = np.empty((shape[0], shape[1] // size, shape[2] // size), np.float32)
    missing = np.zeros(shape[0], np.int64)
    lowest, highest = np.inf, -np.inf
    for block in slabs(shape, rows=rows):
        slab = np.asarray(volume[block.first : block.stop])
        part, lost = values[block.first : block.stop], missing[block.first : block.stop]

        def average(
            first: int,
            stop: int,
            slab: np.ndarray = slab,
            part: np.ndarray = part,
            lost: np.ndarray = lost,
        ) -> None:
            _average(slab, size, part, lost, first, stop)

        over_ranges(average, len(slab))
        if np.isfinite(part).any():
            lowest = min(lowest, float(np.nanmin(part)))
            highest = max(highest, float(np.nanmax(part)))
    _refuse_empty(lowest, highest)
    edges = (float(voxel_size_um[0]), float(voxel_size_um[1]), float(voxel_size_um[2]))
    share = float(missing.sum() / np.prod(shape))
    return Coarse(values, size, edges, shape, share, _field_radius(volume, edges))


def _refuse_empty(lowest: float, highest: float) -> None:
    if not np.isfinite(lowest):
        raise ValueError("no voxel of the volume holds a finite value; was it reconstructed?")
    if lowest == highest:
        raise ValueError(
            f"every voxel of the volume is {lowest:.6g}; there is nothing to find a cell by"
        )


def _middle(count: int) -> float:
    return (count - 1) / 2


def _field_radius(volume: Voxels, voxel_size_um: tuple[float, float, float]) -> float | None:
    """Radius beyond which every voxel of three slices has one value, if it is a circle's."""
    z, rows, columns = volume.shape
    picked = np.stack([np.asarray(volume[i : i + 1])[0] for i in {0, z // 2, z - 1}])
    empty = (picked == picked[0, 0, 0]) | ~np.isfinite(picked)
    held = ~empty.all(axis=0)
    y = (np.arange(rows) - _middle(rows))[:, None] * voxel_size_um[1]
    x = (np.arange(columns) - _middle(columns))[None, :] * voxel_size_um[2]
    off = np.hypot(y, x)
    widest = float(off[held].max(initial=0.0))
    inscribed = min(_middle(rows) * voxel_size_um[1], _middle(columns) * voxel_size_um[2])
    if 0.85 * inscribed <= widest <= inscribed + max(voxel_size_um[1:]):
        return widest
    return None


@njit(cache=True, nogil=True)
def _average(
    slab: np.ndarray, size: int, means: np.ndarray, missing: np.ndarray, first: int, stop: int
) -> None:
    """Mean of the finite values of each square column."""
    for z in range(first, stop):
        lost = 0
        for j in range(means.shape[1]):
            for i in range(means.shape[2]):
                total, count = 0.0, 0
                for y in range(j * size, (j + 1) * size):
                    for x in range(i * size, (i + 1) * size):
                        value = float(slab[z, y, x])
                        if np.isfinite(value):
                            total += value
                            count += 1
                lost += size * size - count
                means[z, j, i] = total / count if count else np.nan
        missing[z] = lost
