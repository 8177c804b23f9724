"""Voxels: whatever can be read slab by slab along z, and how it is cut."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any, Protocol

import numpy as np

from xct.blocks import Block, cut

GRANULE = 16  # slices that share chunks on disk: what is written is cut at multiples of it
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
