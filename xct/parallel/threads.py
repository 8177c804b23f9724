"""Threads inside a stage: how many, and a loop over ranges that shares work among them."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from itertools import pairwise

_M_ARENA_MAX, _HEAPS = -8, 2  # of glibc's mallopt

_allowed: ContextVar[int | None] = ContextVar("xct_threads", default=None)


def thread_count() -> int:
    """Threads that a stage may use here: all cores, or what `limit_threads` allows."""
    return _allowed.get() or len(os.sched_getaffinity(0))


@contextmanager
def limit_threads(count: int) -> Iterator[None]:
    """Let stages called inside use at most `count` threads (one worker of several)."""
    token = _allowed.set(count)
    try:
        yield
    finally:
        _allowed.reset(token)


def share_heaps() -> None:
    """Let all threads of this process share few heaps, where the C library is glibc.

    It gives every thread one, and what is freed in one serves no other: a fifth more memory.
    """
    try:
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _HEAPS)
    except (OSError, TypeError, AttributeError):  # another system, another library
        return


def over_ranges(
    kernel: Callable[[int, int], object], length: int, *, least: int = 1, pieces: int = 1
) -> None:
    """Call ``kernel(first, stop)`` over ranges that together cover 0 … length, in threads.

    For kernels that release the GIL. The ranges never overlap, so the kernel needs no lock.

    Parameters
    ----------
    kernel : callable
        Works on the half-open range that it is given.
    length : int
        Length of the whole range.
    least : int, optional
        Shortest range worth a thread of its own.
    pieces : int, optional
        Ranges for each thread: with several, one that is done early takes over from others.
    """
    threads = max(1, min(thread_count(), length // max(least, 1)))
    if threads == 1:
        kernel(0, length)
        return
    parts = max(threads, min(threads * pieces, length // max(least, 1)))
    edges = [length * part // parts for part in range(parts + 1)]
    with ThreadPoolExecutor(threads) as pool:
        jobs = [
            pool.submit(copy_context().run, kernel, first, stop) for first, stop in pairwise(edges)
        ]
        for job in jobs:
            job.result()
