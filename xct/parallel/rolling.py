"""A window that moves along z. In: how planes are made; out: planes, each of which is made once.

A filter looks at planes beyond those that it gives. Where blocks follow each other, planes that
two of them look at are kept from one to the next.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np

from xct.parallel.blocks import GRANULE, Block, cut

_ALONE = 3  # references to an array that nobody looks at: the window's, a name, the count itself


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
        self._room = np.empty(0)
        self._own = False  # the room is an array of its own, not a view of somebody's

    def keep(self, behind: int) -> None:
        """Keep at least so many planes before the first that was asked for last."""
        self._behind = max(self._behind, behind)

    def planes(self, first: int, stop: int) -> np.ndarray:
        """Give planes first … stop, without those beyond the ends.

        A request should begin no earlier than what is kept before the last one: what was given up
        is made again.
        """
        first, stop = max(first, 0), min(stop, self.depth)
        if not len(self._room) or not self._first <= first <= self._stop:
            self._room, self._first, self._stop = np.empty(0), first, first
        if not len(self._room) or stop > self._stop:
            end = min(-(-stop // self._step) * self._step, self.depth)
            new = self._make(self._stop, end)
            self._advance(max(self._first, first - self._behind), new)
            self._stop = end
        return self._room[first - self._first : stop - self._first]

    def _advance(self, kept: int, new: np.ndarray) -> None:
        """Give up planes before `kept`, and put new ones behind the last.

        Within the same memory where it holds them, as a second array beside it would be the most
        that a step takes; not while somebody still looks at planes that were given.
        """
        gone, count = kept - self._first, self._stop - kept
        self._first, room = kept, self._room
        if not len(room) or count <= 0:
            self._room, self._own = new, new.base is None
            return
        wanted = count + len(new)
        if not self._own or len(room) < wanted or sys.getrefcount(room) > _ALONE:
            room = np.empty((wanted, *new.shape[1:]), new.dtype)
            room[:count] = self._room[gone : gone + count]
        elif gone:
            for plane in range(count):  # one by one: numpy copies aside what overlaps
                room[plane] = room[plane + gone]
        room[count:wanted] = new
        self._room, self._own = room, True


def runs(depth: int, count: int) -> list[Block]:
    """Cut slices into about `count` runs of blocks, at multiples of `GRANULE`.

    Within a run nothing is made twice; what two runs share is.
    """
    height = -(-depth // max(count, 1))
    return cut(depth, -(-height // GRANULE) * GRANULE)
