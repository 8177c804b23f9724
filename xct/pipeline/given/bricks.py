"""A volume cut for slices across its file's. In: voxels read slice by slice; out: a temporary file.

Along one axis of the file, every `GRANULE` planes lie together: slices across it, which would each
touch the whole file, are read a slab at a time at the speed of the disk.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xct.parallel.blocks import GRANULE, Block, Voxels


@dataclass(frozen=True)
class Bricks:
    """Voxels of a volume in a file of slabs along one of its axes.

    Attributes
    ----------
    path : Path
        The file: for each slab along `axis` its voxels in the order of the volume.
    shape : tuple of int
        Voxels of the volume along z, y and x.
    kind : str
        Type of the values, with its byte order.
    axis : int
        Along which slabs are cut.
    """

    path: Path
    shape: tuple[int, int, int]
    kind: str
    axis: int

    @property
    def dtype(self) -> np.dtype:
        """Type of the values."""
        return np.dtype(self.kind)

    @property
    def slabs(self) -> int:
        """Number of slabs; the last is filled up."""
        return -(-self.shape[self.axis] // GRANULE)

    @property
    def nbytes(self) -> int:
        """Bytes of the file."""
        return self.slabs * int(np.prod(self._slab, dtype=np.int64)) * self.dtype.itemsize

    @property
    def _slab(self) -> tuple[int, ...]:
        return tuple(GRANULE if a == self.axis else n for a, n in enumerate(self.shape))

    def create(self) -> None:
        """Make the file, empty."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("wb") as file:
            file.truncate(self.nbytes)

    def write(self, block: Block, stored: Voxels) -> None:
        """Write slices of the volume, whose first is a multiple of `GRANULE`."""
        values = np.asarray(stored[block.outer], self.dtype)
        size = int(np.prod(self._slab, dtype=np.int64))
        with self.path.open("r+b") as file:  # not mapped: a full disk is then an error in words
            for number, part in self._parts(block, values):
                within = 0 if self.axis == 0 else block.first * size // self.shape[0]
                file.seek((number * size + within) * self.dtype.itemsize)
                file.write(np.ascontiguousarray(part).data)

    def _parts(self, block: Block, values: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
        """Cut slices into what lies in one slab each."""
        start = block.first // GRANULE if self.axis == 0 else 0
        for number in range(-(-values.shape[self.axis] // GRANULE)):
            index: list[Any] = [slice(None)] * 3
            index[self.axis] = slice(number * GRANULE, (number + 1) * GRANULE)
            part = values[tuple(index)]
            lacking = GRANULE - part.shape[self.axis]
            if lacking:
                part = np.pad(part, [(0, lacking if a == self.axis else 0) for a in range(3)])
            yield start + number, part

    def __getitem__(self, index: Any, /) -> np.ndarray:
        """Read a part, given by slices along z, y and x."""
        parts = list(index) if isinstance(index, tuple) else [index]
        parts += [slice(None)] * (3 - len(parts))
        first, stop, _ = parts[self.axis].indices(self.shape[self.axis])
        low, high = first // GRANULE, max(-(-stop // GRANULE), first // GRANULE)
        parts[self.axis] = slice(None)
        mapped = np.memmap(self.path, self.dtype, "r", shape=(self.slabs, *self._slab))
        read = np.moveaxis(mapped[(slice(low, high), *parts)], 0, self.axis)
        shape = list(read.shape)
        shape[self.axis : self.axis + 2] = [(high - low) * GRANULE]
        joined = read.reshape(shape)
        kept: list[Any] = [slice(None)] * 3
        kept[self.axis] = slice(first - low * GRANULE, stop - low * GRANULE)
        return np.array(joined[tuple(kept)])
