"""Arrays that napari reads in parts. In: a function that reads; out: something array-like."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from math import ceil, prod
from typing import Any

import numpy as np

_KEPT_BYTES = 512 * 2**20
_AT_ONCE_BYTES = 128 * 2**20  # more is read in the background

Reads = Callable[[tuple[slice, ...]], np.ndarray]
Decodes = Callable[[np.ndarray], np.ndarray]


_Key = tuple[tuple[int, int], ...]
_Kept = dict[_Key, Future[np.ndarray]]
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
    keep : int or sequence of int, optional
        Planes along the first axis, or along each axis, that are read together, where a single
        one is asked for: as many as lie in one chunk on disk, so that the next slice or
        cross-section is there already; fewer, where that would be too much to keep. Who goes on
        in one direction finds the next planes read ahead.
    decode : callable, optional
        Makes values of what `read` gave, once they are taken: what is kept is kept as it was read.
    kept_as : numpy dtype, optional
        Of what `read` gives, where it is to be decoded.
    """

    def __init__(
        self,
        shape: Sequence[int],
        dtype: Any,
        read: Reads,
        keep: int | Sequence[int] = 1,
        *,
        decode: Decodes = np.asarray,
        kept_as: Any = None,
    ) -> None:
        self.shape = tuple(int(length) for length in shape)
        self.dtype = np.dtype(dtype)
        several = (keep,) if isinstance(keep, int) else tuple(int(n) for n in keep)
        self._read, self._decode = read, decode
        self._kept_bytes: int = np.dtype(kept_as or dtype).itemsize
        self._keep = several + (1,) * (len(self.shape) - len(several))
        self._kept: _Kept = {}
        self._last = (0, 0)  # axis, and the plane that was asked for last

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
        axis, keep = self._across(parts)
        if axis is None:
            return self._decode(self._read(parts))
        index = parts[axis].start
        number = index // keep
        wider = self._together(axis, keep, number, parts)
        if _key(wider) not in self._kept:
            self._kept = self._begun(wider, parts)
        if _key(parts) in self._kept and not self._kept[_key(wider)].done():
            return self._decode(self._kept[_key(parts)].result())
        values = self._kept[_key(wider)].result()
        self._look_ahead(axis, keep, parts)
        start = number * keep
        within = [slice(None)] * self.ndim
        within[axis] = slice(index - start, index - start + 1)
        return self._decode(values[tuple(within)])

    def _begun(self, wider: tuple[slice, ...], parts: tuple[slice, ...]) -> _Kept:
        """Read planes that lie together; of many, the one that is waited for is read first."""
        if self._bytes(wider) <= _AT_ONCE_BYTES:
            return {_key(wider): _finished(self._read(wider))}
        plane = _finished(self._read(parts))
        return {_key(parts): plane, _key(wider): _AHEAD.submit(self._read, wider)}

    def _bytes(self, parts: tuple[slice, ...]) -> int:
        return int(prod(part.stop - part.start for part in parts)) * self._kept_bytes

    def _across(self, parts: tuple[slice, ...]) -> tuple[int | None, int]:
        """Give the axis of which a single plane is asked for, and how many are read together.

        None where no others are kept. Of a chunk that is too much to keep, equal parts are.
        """
        lengths = [part.stop - part.start for part in parts]
        for axis, (length, keep) in enumerate(zip(lengths, self._keep, strict=True)):
            if length == 1 and keep > 1:
                most = _KEPT_BYTES // max(1, self._bytes(parts))
                fewer = ceil(keep / ceil(keep / most)) if most else 1
                return (axis, fewer) if fewer > 1 else (None, 1)
        return None, 1

    def _together(
        self, axis: int, keep: int, number: int, parts: tuple[slice, ...]
    ) -> tuple[slice, ...]:
        wider = list(parts)
        wider[axis] = slice(number * keep, min((number + 1) * keep, self.shape[axis]))
        return tuple(wider)

    def _look_ahead(self, axis: int, keep: int, parts: tuple[slice, ...]) -> None:
        """Have the next planes read, in the direction in which slices are gone through."""
        index = parts[axis].start
        before = self._last[1] if self._last[0] == axis else index
        direction, self._last = int(np.sign(index - before)), (axis, index)
        number = index // keep
        coming = number + direction
        if direction == 0 or not 0 <= coming * keep < self.shape[axis]:
            return
        here, next_ = (self._together(axis, keep, n, parts) for n in (number, coming))
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
