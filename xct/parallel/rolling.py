"""A window that moves along z. In: how planes are made; out: planes, each of which is made once.

A filter looks at planes beyond those that it gives. Where blocks follow each other, planes that
two of them look at are kept from one to the next.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from xct.parallel.blocks import GRANULE, Block, cut


class Rolling:
    """Planes along z that are made when they are asked for, and kept while they may be again.

    What `make` gives for a plane must not depend on which other planes are asked for with it; then
    it does not matter where a run of blocks begins.

    Parameters
    ----------
    make : callable
        ``make(first, stop)`` gives planes, shape (z, ...). It may ask other windows for theirs.
    depth : int
        How many planes there are.
    step : int, optional
        Planes are made up to multiples of it: as many as share a chunk on disk.

    Notes
    -----
    `make` should not hold the object that holds the window: such a circle keeps its planes in
    memory until the garbage collector comes by, long after the last one was asked for.
    """

    def __init__(self, make: Callable[[int, int], np.ndarray], depth: int, step: int = 1) -> None:
        self.depth = depth
        self._make, self._step, self._behind = make, step, 0
        self._first = self._stop = 0
        self._kept: np.ndarray | None = None

    def keep(self, behind: int) -> None:
        """Keep at least so many planes before the first that was asked for last."""
        self._behind = max(self._behind, behind)

    def planes(self, first: int, stop: int) -> np.ndarray:
        """Give planes first … stop, without those beyond the ends.

        A request should begin no earlier than what is kept before the last one: what was given up
        is made again.
        """
        first, stop = max(first, 0), min(stop, self.depth)
        if self._kept is None or not self._first <= first <= self._stop:
            self._kept, self._first, self._stop = None, first, first
        if self._kept is None or stop > self._stop:
            end = min(-(-stop // self._step) * self._step, self.depth)
            new = self._make(self._stop, end)
            kept = max(self._first, first - self._behind)
            old = None if self._kept is None else self._kept[kept - self._first :]
            self._kept = new if old is None or not len(old) else np.concatenate([old, new])
            self._first, self._stop = kept, end
        return self._kept[first - self._first : stop - self._first]


def runs(depth: int, count: int) -> list[Block]:
    """Cut slices into about `count` runs of blocks, at multiples of `GRANULE`.

    Within a run nothing is made twice; what two runs share is.
    """
    height = -(-depth // max(count, 1))
    return cut(depth, -(-height // GRANULE) * GRANULE)
