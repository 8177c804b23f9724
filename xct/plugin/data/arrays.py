"""Arrays that napari reads in parts. In: a function that reads; out: something array-like."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from math import prod
from typing import Any

import numpy as np

_KEPT_BYTES = 512 * 2**20

Reads = Callable[[tuple[slice, ...]], np.ndarray]


_Key = tuple[tuple[int, int], ...]
_AHEAD = ThreadPoolExecutor(1, thread_name_prefix="xct-ahead")


class LazyArray:
    """Looks like an array; every part is read when it is asked for, the latest are kept.

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
        many as lie in one chunk on disk, so that the next slice is there already, unless that
        would be too much to keep. Who goes on in one direction finds the next planes read ahead.
    """

    def __init__(self, shape: Sequence[int], dtype: Any, read: Reads, keep: int = 1) -> None:
        self.shape = tuple(int(length) for length in shape)
        self.dtype = np.dtype(dtype)
        self._read, self._keep = read, keep
        self._kept: dict[_Key, Future[np.ndarray]] = {}
        self._last = 0

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

    def __getitem__(self, index: Any) -> Any:
        """Read a part; where no axis is left out, nothing is read yet.

        napari cuts a volume to what is in view before it takes one slice of it.
        """
        wanted = _expanded(index, self.ndim)
        parts, within = [], []
        for item, length in zip(wanted, self.shape, strict=True):
            part, inner = _part(item, length)
            parts.append(part)
            within.append(inner)
        if all(inner == slice(None, None, 1) for inner in within):
            return self._view(tuple(parts))
        return np.asarray(self._part(tuple(parts))[tuple(within)])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self._part(tuple(slice(0, length) for length in self.shape)), dtype)

    def _view(self, parts: tuple[slice, ...]) -> LazyArray:
        """Give a part of it that is read when it is asked for."""
        shape = tuple(part.stop - part.start for part in parts)
        if shape == self.shape:
            return self

        def read(inner: tuple[slice, ...]) -> np.ndarray:
            pairs = zip(inner, parts, strict=True)
            return self._part(tuple(slice(i.start + p.start, i.stop + p.start) for i, p in pairs))

        return LazyArray(shape, self.dtype, read)

    def _part(self, parts: tuple[slice, ...]) -> np.ndarray:
        first = parts[0]
        values = self._keep * prod(part.stop - part.start for part in parts[1:])
        too_many = values * self.dtype.itemsize > _KEPT_BYTES
        if first.stop - first.start != 1 or self._keep == 1 or too_many:
            return self._read(parts)
        number = first.start // self._keep
        wider = self._together(number, parts)
        if _key(wider) not in self._kept:
            self._kept = {_key(wider): _finished(self._read(wider))}
        values = self._kept[_key(wider)].result()
        self._look_ahead(first.start, number, parts)
        start = number * self._keep
        return values[first.start - start : first.stop - start]

    def _together(self, number: int, parts: tuple[slice, ...]) -> tuple[slice, ...]:
        start = number * self._keep
        return (slice(start, min(start + self._keep, self.shape[0])), *parts[1:])

    def _look_ahead(self, index: int, number: int, parts: tuple[slice, ...]) -> None:
        """Have the next planes read, in the direction in which slices are gone through."""
        direction, self._last = int(np.sign(index - self._last)), index
        coming = number + direction
        if direction == 0 or not 0 <= coming * self._keep < self.shape[0]:
            return
        here, next_ = self._together(number, parts), self._together(coming, parts)
        wanted = (_key(here), _key(next_))
        kept = {key: future for key, future in self._kept.items() if key in wanted}
        if wanted[1] not in kept:
            kept[wanted[1]] = _AHEAD.submit(self._read, next_)
        self._kept = kept


def _key(parts: tuple[slice, ...]) -> _Key:
    return tuple((part.start, part.stop) for part in parts)


def _finished(values: np.ndarray) -> Future[np.ndarray]:
    future: Future[np.ndarray] = Future()
    future.set_result(values)
    return future


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
            return slice(0, 0), slice(None, None, 1)
        low, high = min(numbers[0], numbers[-1]), max(numbers[0], numbers[-1])
        step = numbers.step
        return slice(low, high + 1), slice(None, None, step)
    number = int(item)
    if not -length <= number < length:
        raise IndexError(f"index {number} is out of bounds for an axis of {length}")
    return slice(number % length, number % length + 1), 0
