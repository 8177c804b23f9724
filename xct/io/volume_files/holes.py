"""Chunks of a volume that are not there. In: which are absent; out: voxels with NaN in place.

Zarr reads a chunk that is absent as the fill value: one that was lost looks like a void, one that
holds nothing but background is never written. What lies beside it tells the two apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from xct.errors import ScanError, ranges
from xct.parallel.blocks import Voxels

_ALONG_Z = 0.1  # of a face towards a neighbor along z that is no background: the chunk was lost
_BESIDE = 0.9  # likewise beside a column of chunks that is absent at every height
_MOST_LOST = 0.5  # of all chunks: no volume is left to be measured
_MOST_NAMED = 6  # ranges of slices in a message

Chunk = tuple[int, int, int]


@dataclass(frozen=True)
class Holed:
    """Voxels of which some chunks are missing.

    Attributes
    ----------
    voxels : Voxels
        What is there.
    lost : ndarray of bool, shape (z, y, x) of chunks
        Which chunks are missing.
    chunk : tuple of int
        Voxels of a chunk along z, y and x.
    """

    voxels: Voxels
    lost: np.ndarray
    chunk: Chunk

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along z, y and x."""
        return self.voxels.shape

    @property
    def dtype(self) -> np.dtype:
        """Real numbers, as NaN stands for what is missing."""
        return np.dtype(np.float32)

    def __getitem__(self, index: Any) -> np.ndarray:
        """Read a part; NaN where a chunk is missing."""
        values = np.asarray(self.voxels[index], np.float32)
        parts = list(index) if isinstance(index, tuple) else [index]
        parts += [slice(None)] * (3 - len(parts))
        place = [
            np.atleast_1d(np.arange(length)[part]) // size
            for length, part, size in zip(self.shape, parts, self.chunk, strict=True)
        ]
        if self.lost[np.unique(place[0])].any():
            values = np.array(values)  # may be read-only
            values[self.lost[np.ix_(*place)].reshape(values.shape)] = np.nan
        return values


def holed(
    voxels: Voxels, absent: np.ndarray, chunk: Chunk, path: str, *, fill: float | None
) -> tuple[Voxels, tuple[str, ...]]:
    """Give voxels with NaN in place of the chunks that were lost, and say so.

    Parameters
    ----------
    voxels : Voxels
        A volume.
    absent : ndarray of bool, shape (z, y, x) of chunks
        Which chunks are not there.
    chunk : tuple of int
        Voxels of a chunk along z, y and x.
    path : str
        For messages.
    fill : float or None
        What is read in their place, where a chunk of nothing else is never written; None where
        every chunk that has a value is written.

    Raises
    ------
    ScanError
        If more than half of the chunks are missing.
    """
    lost = absent if fill is None else _lost(voxels, absent, chunk, fill)
    if not lost.any():
        return voxels, ()
    slices = np.flatnonzero(np.repeat(lost.any(axis=(1, 2)), chunk[0])[: voxels.shape[0]])
    said = (
        f"{int(lost.sum())} of {lost.size} chunks of {path} are missing (slices "
        f"{ranges(slices.tolist(), _MOST_NAMED)})"
    )
    if lost.mean() > _MOST_LOST:
        raise ScanError(f"file: {said}; copy the volume again")
    return Holed(voxels, lost, chunk), (
        f"{said}; they count as data that are missing: copy it again",
    )


def _lost(voxels: Voxels, absent: np.ndarray, chunk: Chunk, fill: float) -> np.ndarray:
    """Tell the chunks that were lost from those of background alone."""
    lost = np.zeros_like(absent)
    always = absent.all(axis=0)
    for z, j, i in np.argwhere(absent & ~always):
        column = np.flatnonzero(~absent[:, j, i])
        above, below = column[column < z], column[column > z]
        planes = [(above[-1] + 1) * chunk[0] - 1] if above.size else []
        planes += [below[0] * chunk[0]] if below.size else []
        y, x = (
            _range(n, at, size)
            for n, at, size in zip(voxels.shape[1:], (j, i), chunk[1:], strict=True)
        )
        faces = [np.asarray(voxels[int(p) : int(p) + 1, y, x]) for p in planes]
        lost[z, j, i] = any(_other(face, fill) > _ALONG_Z for face in faces)
    for j, i in np.argwhere(always):
        lost[:, j, i] = any(share > _BESIDE for share in _beside(voxels, absent, chunk, fill, j, i))
    return lost


def _beside(
    voxels: Voxels, absent: np.ndarray, chunk: Chunk, fill: float, j: int, i: int
) -> list[float]:
    """Measure what part of the faces beside a column of absent chunks is no background."""
    found = []
    middle = absent.shape[0] // 2
    for dj, di in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        at = (j + dj, i + di)
        if min(at) < 0 or at[0] >= absent.shape[1] or at[1] >= absent.shape[2]:
            continue
        if absent[middle, at[0], at[1]]:
            continue
        z = _range(voxels.shape[0], middle, chunk[0])
        y, x = (_range(n, k, c) for n, k, c in zip(voxels.shape[1:], at, chunk[1:], strict=True))
        if dj:
            y = slice(y.stop - 1, y.stop) if dj < 0 else slice(y.start, y.start + 1)
        else:
            x = slice(x.stop - 1, x.stop) if di < 0 else slice(x.start, x.start + 1)
        found.append(_other(np.asarray(voxels[z, y, x]), fill))
    return found


def _range(length: int, at: int, size: int) -> slice:
    return slice(int(at) * size, min((int(at) + 1) * size, length))


def _other(values: np.ndarray, fill: float) -> float:
    """Fraction of values that are not the fill value."""
    same = np.isnan(values) if np.isnan(fill) else values == fill
    return 1.0 - float(np.mean(same))
