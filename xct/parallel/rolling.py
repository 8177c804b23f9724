"""A window that moves along z. In: how planes are made; out: planes, each of which is made once.

A filter looks at planes beyond those that it gives. Where blocks follow each other, planes that
two of them look at are kept from one to the next.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


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
    behind : int, optional
        Planes that are kept before the first that was asked for last.
    """

    def __init__(
        self, make: Callable[[int, int], np.ndarray], depth: int, behind: int = 0
    ) -> None:
        self.depth = depth
        self._make, self._behind = make, behind
        self._first = self._stop = 0
        self._kept: np.ndarray | None = None

    def keep(self, behind: int) -> None:
        """Keep at least so many planes before the first that was asked for last."""
        self._behind = max(self._behind, behind)

    def planes(self, first: int, stop: int) -> np.ndarray:
        """Give planes first … stop, without those beyond the ends.

        Each request should begin no earlier than `behind` planes before the last one: what was
        given up is made again.
        """
        first, stop = max(first, 0), min(stop, self.depth)
        if self._kept is None or not self._first <= first <= self._stop:
            self._kept, self._first, self._stop = self._make(first, stop), first, stop
        elif stop > self._stop:
            new = self._make(self._stop, stop)
            kept = max(self._first, first - self._behind)
            old = self._kept[kept - self._first :]
            self._kept = np.concatenate([old, new]) if len(old) else new
            self._first, self._stop = kept, stop
        return self._kept[first - self._first : stop - self._first]
