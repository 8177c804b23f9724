"""Sorting a sinogram column by column. In: a sinogram; out: one whose columns agree in rank."""

from __future__ import annotations

import numpy as np
from numba import njit

_DIGIT_BITS = 11
_DIGITS = 1 << _DIGIT_BITS
# Columns that are worked on together: what they take of a line of the sinogram is one cache line.
_TOGETHER = 16
_LANES = 64


@njit(cache=True, nogil=True)
def sort_columns(sinograms: np.ndarray, row: int, ordered: np.ndarray, angle: np.ndarray) -> None:
    """Sort each column of a sinogram, remembering where each value came from.

    Parameters
    ----------
    sinograms : ndarray of float32, shape (angle, row, column)
        Finite values.
    row : int
        Which sinogram.
    ordered : ndarray of float32, shape (column, rank)
        Is filled with the values of each column in ascending order.
    angle : ndarray of int32, shape (column, rank)
        Is filled with the angle that each of them came from.
    """
    angles, _, columns = sinograms.shape
    values = np.empty((_TOGETHER, angles), np.float32)
    keys, swap = np.empty(angles, np.uint32), np.empty(angles, np.uint32)
    index = np.empty(angles, np.int32)
    for first in range(0, columns, _TOGETHER):
        width = min(_TOGETHER, columns - first)
        for a in range(angles):
            for c in range(width):
                # Minus zero, whose bits sort apart from those of zero, becomes zero.
                values[c, a] = sinograms[a, row, first + c] + np.float32(0.0)
        for c in range(width):
            _keys_from_values(values[c].view(np.uint32), keys)
            _radix_sort(keys, index, swap, angle[first + c])
            for rank in range(angles):
                ordered[first + c, rank] = values[c, angle[first + c, rank]]


@njit(cache=True, nogil=True)
def unsort_columns(ordered: np.ndarray, angle: np.ndarray, sinograms: np.ndarray, row: int) -> None:
    """Put sorted columns back into the order of the angles.

    Parameters
    ----------
    ordered : ndarray of float32, shape (column, rank)
        Values by rank.
    angle : ndarray of int32, shape (column, rank)
        Angle that each rank came from, as `sort_columns` gives it.
    sinograms : ndarray of float32, shape (angle, row, column)
        Its sinogram `row` is filled.
    row : int
        Which sinogram.
    """
    columns, angles = ordered.shape
    values = np.empty((_TOGETHER, angles), np.float32)
    for first in range(0, columns, _TOGETHER):
        width = min(_TOGETHER, columns - first)
        for c in range(width):
            for rank in range(angles):
                values[c, angle[first + c, rank]] = ordered[first + c, rank]
        for a in range(angles):
            for c in range(width):
                sinograms[a, row, first + c] = values[c, a]


@njit(cache=True, nogil=True)
def sliding_median(ordered: np.ndarray, size: int, smooth: np.ndarray) -> None:
    """Median over neighboring columns, mirrored at the ends (d c b a | a b c d).

    Parameters
    ----------
    ordered : ndarray of float32, shape (column, rank)
        Finite values.
    size : int
        Width of the window; of an even one, the larger of the two middle values is taken.
    smooth : ndarray of float32, shape (column, rank)
        Is filled.
    """
    columns, ranks = ordered.shape
    # Sorted windows of many ranks side by side: each step is then a few vector instructions.
    windows = np.empty((size, _LANES), np.float32)
    before = size // 2
    for first in range(0, ranks, _LANES):
        stop = min(first + _LANES, ranks)
        windows[:] = 0.0
        for offset in range(size):
            windows[offset, : stop - first] = ordered[
                _mirrored(offset - before, columns), first:stop
            ]
        for lane in range(stop - first):
            windows[:, lane] = np.sort(windows[:, lane])
        smooth[0, first:stop] = windows[before, : stop - first]
        for column in range(1, columns):
            leaving = _mirrored(column - 1 - before, columns)
            coming = _mirrored(column - 1 - before + size, columns)
            _exchange(windows, ordered[leaving, first:stop], ordered[coming, first:stop])
            smooth[column, first:stop] = windows[before, : stop - first]


@njit(cache=True, nogil=True)
def _mirrored(position: int, length: int) -> int:
    position %= 2 * length
    return position if position < length else 2 * length - 1 - position


@njit(cache=True, nogil=True)
def _exchange(windows: np.ndarray, leaving: np.ndarray, coming: np.ndarray) -> None:
    """Take one value out of each sorted window and put another in."""
    carried = np.empty(_LANES, np.float32)
    carried[: coming.size] = coming
    for place in range(len(windows) - 1):
        own, following = windows[place], windows[place + 1]
        for lane in range(leaving.size):
            # From the place of the leaving value on, all move up by one.
            value, higher, x = own[lane], following[lane], carried[lane]
            left = value if value < leaving[lane] else higher
            own[lane] = left if left < x else x
            carried[lane] = x if left < x else left
    windows[-1, : coming.size] = carried[: coming.size]


@njit(cache=True, nogil=True)
def _keys_from_values(bits: np.ndarray, keys: np.ndarray) -> None:
    """Turn the bits of floats into unsigned integers of the same order."""
    for n in range(bits.size):
        negative = np.uint32(bits[n] >> np.uint32(31))
        mask = np.uint32(0) - negative
        keys[n] = bits[n] ^ (mask | np.uint32(0x80000000))


@njit(cache=True, nogil=True)
def _radix_sort(
    keys: np.ndarray, index: np.ndarray, keys_swap: np.ndarray, index_swap: np.ndarray
) -> None:
    """Sort 32-bit keys in three passes; equal keys keep their order. The answer is in swap."""
    starts = np.zeros((3, _DIGITS), np.int32)
    for n in range(keys.size):
        index[n] = n
        key = keys[n]
        starts[0, key & np.uint32(_DIGITS - 1)] += 1
        starts[1, (key >> np.uint32(_DIGIT_BITS)) & np.uint32(_DIGITS - 1)] += 1
        starts[2, key >> np.uint32(2 * _DIGIT_BITS)] += 1
    for digit in range(3):
        total = 0
        for value in range(_DIGITS):
            count = starts[digit, value]
            starts[digit, value] = total
            total += count
    _one_pass(keys, index, keys_swap, index_swap, starts[0], 0)
    _one_pass(keys_swap, index_swap, keys, index, starts[1], _DIGIT_BITS)
    _one_pass(keys, index, keys_swap, index_swap, starts[2], 2 * _DIGIT_BITS)


@njit(cache=True, nogil=True)
def _one_pass(
    keys: np.ndarray,
    index: np.ndarray,
    keys_to: np.ndarray,
    index_to: np.ndarray,
    starts: np.ndarray,
    shift: int,
) -> None:
    for n in range(keys.size):
        digit = np.intp((keys[n] >> np.uint32(shift)) & np.uint32(_DIGITS - 1))
        place = starts[digit]
        starts[digit] = place + 1
        keys_to[place] = keys[n]
        index_to[place] = index[n]
