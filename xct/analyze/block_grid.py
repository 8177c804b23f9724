"""Blocks of voxels for the bootstrap. In: a box and an edge; out: a grid, counts put together.

Slabs of a box count into the layers of blocks that they touch; whole numbers are added up, so that
the counts do not depend on where the box was cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil, prod
from typing import NamedTuple

import numpy as np

from xct.parallel.blocks import Block


class BlockGrid(NamedTuple):
    """A box of voxels, cut into blocks; the last along an axis may be smaller.

    Attributes
    ----------
    edges : tuple of int
        Voxels of a block along z, y and x.
    blocks : tuple of int
        Blocks along z, y and x.
    """

    edges: tuple[int, int, int]
    blocks: tuple[int, int, int]

    @classmethod
    def of(cls, shape: Sequence[int], edges: Sequence[int]) -> BlockGrid:
        """Cut a box of this shape into blocks with these edges."""
        z, y, x = (ceil(n / edge) for n, edge in zip(shape, edges, strict=True))
        return cls((int(edges[0]), int(edges[1]), int(edges[2])), (z, y, x))

    @property
    def layer(self) -> int:
        """Blocks in one layer."""
        return self.blocks[1] * self.blocks[2]

    def touched(self, slab: Block) -> range:
        """Give the blocks that a slab of the box touches: those of whole layers."""
        first, last = slab.first // self.edges[0], (slab.stop - 1) // self.edges[0]
        return range(first * self.layer, (last + 1) * self.layer)

    def combined(self, parts: Iterable[tuple[Block, np.ndarray]]) -> np.ndarray:
        """Add up counts of touched blocks, shape (block, …), slab by slab."""
        total: np.ndarray | None = None
        for slab, counts in parts:
            if total is None:
                total = np.zeros((prod(self.blocks), *counts.shape[1:]), counts.dtype)
            at = self.touched(slab)
            total[at.start : at.stop] += counts
        return np.zeros((0,)) if total is None else total
