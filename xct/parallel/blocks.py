"""Blocks: how arrays and volumes are cut, with overlap. In: lengths; out: ranges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, Protocol

import numpy as np


@dataclass(frozen=True)
class Block:
    """A half-open range along an axis, and the wider range that its answer depends on."""

    first: int
    stop: int
    outer_first: int
    outer_stop: int

    @property
    def inner(self) -> slice:
        """Where the block lies within its wider range."""
        return slice(self.first - self.outer_first, self.stop - self.outer_first)

    @property
    def outer(self) -> slice:
        """The wider range."""
        return slice(self.outer_first, self.outer_stop)


def cut(length: int, size: int, overlap: int = 0) -> list[Block]:
    """Cut 0 … length into blocks of `size` (the last may be smaller), seen `overlap` wider."""
    return [
        Block(
            first,
            min(first + size, length),
            max(first - overlap, 0),
            min(first + size + overlap, length),
        )
        for first in range(0, length, size)
    ]


GRANULE = 16  # slices that share chunks on disk: what is written is cut at multiples of it
CHUNK_SLICES = 8  # of one chunk: what is read up to multiples of it is decompressed once
_SLAB_BYTES = 64 * 2**20


class Voxels(Protocol):
    """A volume (z, y, x) read in parts: a numpy array, a Zarr array, a lazy volume in 1/cm."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along z, y and x."""
        ...

    @property
    def dtype(self) -> np.dtype:
        """Type of the values."""
        ...

    def __getitem__(self, index: Any, /) -> np.ndarray:
        """Read a part."""
        ...


def slabs(
    shape: Sequence[int], overlap: int = 0, rows: int | None = None, least: int = GRANULE
) -> list[Block]:
    """Cut a volume along z into slabs of about 64 MiB of float32, seen `overlap` slices wider.

    Parameters
    ----------
    shape : sequence of int
        Voxels along z, y and x.
    overlap : int, optional
        Slices beyond a slab that its answer depends on, on each side.
    rows : int, optional
        Height of a slab; no answer may depend on it.
    least : int, optional
        Lowest height if `rows` is not given, a multiple of `GRANULE`: for work that is wasted on
        the overlap of low slabs.

    Returns
    -------
    list of Block
        In order; unless `rows` is given, cut at multiples of `GRANULE`.
    """
    plane_bytes = 4 * max(1, int(np.prod(shape[1:])))
    height = rows or max(least, _SLAB_BYTES // (plane_bytes * GRANULE) * GRANULE)
    return cut(shape[0], min(height, ceil(shape[0] / GRANULE) * GRANULE), overlap)
