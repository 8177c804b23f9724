"""Large arrays that are used again and again. In: a shape; out: an array, lent for a while.

Fresh memory costs the system time to clear, at every call; slabs call again and again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from threading import Lock

import numpy as np

ALIGNED = 64  # bytes: a cache line, and the longest vector
KEPT_BYTES = 2 * 2**30
_lock = Lock()
_free: list[np.ndarray] = []


@contextmanager
def borrowed(*shape: int) -> Iterator[np.ndarray]:
    """Lend an array of float32 that holds anything; it is kept for the next who asks.

    Arrays that are too small are let go when a larger one must be made: what is kept was in use
    at one time, and is never more than `KEPT_BYTES`.
    """
    block = _take(4 * prod(shape))
    try:
        yield block[: 4 * prod(shape)].view(np.float32).reshape(shape)
    finally:
        _give_back(block)


def release() -> None:
    """Give the memory that is kept back to the system."""
    with _lock:
        _free.clear()


def kept_bytes() -> int:
    """Memory that is kept and not in use."""
    with _lock:
        return sum(block.nbytes for block in _free)


def _take(size: int) -> np.ndarray:
    with _lock:
        fitting = [i for i, block in enumerate(_free) if size <= block.nbytes]
        if fitting:
            return _free.pop(min(fitting, key=lambda i: _free[i].nbytes))
        _free.clear()
    raw = np.empty(size + ALIGNED, dtype=np.uint8)
    first = -raw.ctypes.data % ALIGNED
    return raw[first : first + size]


def _give_back(block: np.ndarray) -> None:
    with _lock:
        while _free and sum(kept.nbytes for kept in _free) + block.nbytes > KEPT_BYTES:
            _free.pop(0)
        if block.nbytes <= KEPT_BYTES:
            _free.append(block)
