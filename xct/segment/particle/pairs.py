"""Pairs of numbers, and what is known of each pair. In: pairs as they are met; out: each once.

A pair is packed into one number that sorts like it: below 2³² each, and the smaller one first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from xct.parallel.kernels import njit

Known = tuple[np.ndarray, np.ndarray]  # packed pairs in order, each once, and a value of each
_RANGES = 16


def packed(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Put pairs of numbers into one each, uint64."""
    keys: np.ndarray = np.minimum(first, second).astype(np.uint64) << np.uint64(32)
    keys |= np.maximum(first, second).astype(np.uint64)
    return keys


def unpacked(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give both numbers of each pair, uint32."""
    return (keys >> np.uint64(32)).astype(np.uint32), keys.astype(np.uint32)


def further(keys: np.ndarray, by: int) -> np.ndarray:
    """Give pairs whose numbers are both higher by as much."""
    return keys + (np.uint64(by) << np.uint64(32) | np.uint64(by)) if by else keys


def totals(keys: np.ndarray, values: np.ndarray) -> Known:
    """Add up the values of each pair."""
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    starts = np.flatnonzero(np.append(np.ones(min(keys.size, 1), bool), keys[1:] != keys[:-1]))
    values = values[order]
    return keys[starts], np.add.reduceat(values, starts) if starts.size else values


def highest(keys: np.ndarray, values: np.ndarray) -> Known:
    """Keep the highest value of each pair."""
    order = np.lexsort((values, keys))
    keys = keys[order]
    last = np.append(keys[1:] != keys[:-1], np.ones(min(keys.size, 1), bool))
    return keys[last], values[order[last]]


def in_ranges(parts: Sequence[Known]) -> Iterator[Known]:
    """Give all pairs of several parts, range by range: little of them is in memory twice."""
    top = max((int(keys[-1]) >> 32 for keys, _ in parts if keys.size), default=0) + 1
    edges = [np.uint64((top * k // _RANGES) << 32) for k in range(_RANGES + 1)]
    cuts = [np.searchsorted(keys, edges) for keys, _ in parts]
    for k in range(_RANGES):
        some = [
            (keys[cut[k] : cut[k + 1]], values[cut[k] : cut[k + 1]])
            for (keys, values), cut in zip(parts, cuts, strict=True)
        ]
        yield np.concatenate([part[0] for part in some]), np.concatenate([part[1] for part in some])


@njit(cache=True, nogil=True)
def place(keys: np.ndarray, key: np.uint64) -> int:
    """Where a pair is in a table by its hash, or may be put; the table's size is a power of 2."""
    last = np.uint64(keys.size - 1)
    at = ((key * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)) & last
    while keys[at] != 0 and keys[at] != key:
        at = (at + np.uint64(1)) & last
    return int(at)


@njit(cache=True, nogil=True)
def roomier(keys: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give a table with the same pairs that is four times as large."""
    more, moved = np.zeros(4 * keys.size, np.uint64), np.zeros(4 * keys.size, values.dtype)
    for old in range(keys.size):
        if keys[old]:
            at = place(more, keys[old])
            more[at], moved[at] = keys[old], values[old]
    return more, moved
