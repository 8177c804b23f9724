"""Arrays that napari reads in parts. In: a function that reads; out: something array-like."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Reads = Callable[[tuple[slice, ...]], np.ndarray]


class LazyArray:
    """Looks like an array; every part is read when it is asked for, the latest is kept.

    Parameters
    ----------
    shape : sequence of int
        Of the whole.
    dtype : numpy dtype
        Of what is read.
    read : callable
        ``read(slices)``, one slice of step 1 for every axis, gives that part.
    keep : int, optional
        Planes along the first axis that are read together, where a single one is asked for: as
        many as lie in one chunk on disk, so that the next slice is there already.
    """

    def __init__(self, shape: Sequence[int], dtype: Any, read: Reads, keep: int = 1) -> None:
        self.shape = tuple(int(length) for length in shape)
        self.dtype = np.dtype(dtype)
        self._read, self._keep = read, keep
        self._kept: tuple[tuple[slice, ...], np.ndarray] | None = None

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of values."""
        return int(np.prod(self.shape))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> np.ndarray:
        """Read a part, given by integers and slices."""
        wanted = _expanded(index, self.ndim)
        parts, within = [], []
        for item, length in zip(wanted, self.shape, strict=True):
            part, inner = _part(item, length)
            parts.append(part)
            within.append(inner)
        return np.asarray(self._part(tuple(parts))[tuple(within)])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[...], dtype)

    def _part(self, parts: tuple[slice, ...]) -> np.ndarray:
        first = parts[0]
        if first.stop - first.start != 1 or self._keep == 1:
            return self._read(parts)
        start = first.start // self._keep * self._keep
        wider = (slice(start, min(start + self._keep, self.shape[0])), *parts[1:])
        kept = self._kept
        if kept is None or kept[0] != wider:
            kept = self._kept = (wider, self._read(wider))
        return kept[1][first.start - start : first.stop - start]


def _expanded(index: Any, ndim: int) -> tuple[Any, ...]:
    """Write out an index for every axis."""
    given = index if isinstance(index, tuple) else (index,)
    if any(item is Ellipsis for item in given):
        where = next(n for n, item in enumerate(given) if item is Ellipsis)
        middle = (slice(None),) * (ndim - len(given) + 1)
        given = (*given[:where], *middle, *given[where + 1 :])
    return (*given, *(slice(None),) * (ndim - len(given)))


def _part(item: Any, length: int) -> tuple[slice, Any]:
    """Give the range to read along an axis, and what to take of it."""
    if isinstance(item, slice):
        numbers = range(*item.indices(length))
        if not numbers:
            return slice(0, 0), slice(None)
        low, high = min(numbers[0], numbers[-1]), max(numbers[0], numbers[-1])
        step = numbers.step
        return slice(low, high + 1), slice(None, None, step)
    number = int(item)
    if not -length <= number < length:
        raise IndexError(f"index {number} is out of bounds for an axis of {length}")
    return slice(number % length, number % length + 1), 0
