"""Sliding medians along columns, many side by side. In: values of columns; out: their medians.

A window is kept sorted while it moves: one value leaves, another comes. Windows of neighboring
ranks lie side by side, so that each step is the same few vector instructions for all of them.
"""

from __future__ import annotations

import numpy as np

from xct.compiling import njit

# Windows side by side: two sets of them, old and new, should stay in the L1 cache.
LANES = 64


@njit(cache=True, nogil=True)
def sliding_median(values: np.ndarray, size: int, smooth: np.ndarray) -> None:
    """Median over neighboring columns, mirrored at the ends (d c b a | a b c d).

    Parameters
    ----------
    values : ndarray of float32, shape (column, rank)
        Finite values.
    size : int
        Width of the window; of an even one, the larger of the two middle values is taken.
    smooth : ndarray of float32, shape (column, rank)
        Is filled.
    """
    columns, ranks = values.shape
    before = size // 2
    ring = new_ring(columns + size, ranks)
    for position in range(columns + size - 1):
        ring[position, :ranks] = values[mirrored(position - before, columns)]
    windows, wide = new_windows(size, ranks), np.empty((columns, ring.shape[1]), np.float32)
    slide(ring, windows, 0, columns + size - 1, wide)
    smooth[:] = wide[:, :ranks]


@njit(cache=True, nogil=True)
def mirrored(position: int, length: int) -> int:
    """Column that a position beyond the ends shows."""
    position %= 2 * length
    return position if position < length else 2 * length - 1 - position


@njit(cache=True, nogil=True)
def new_ring(slots: int, ranks: int) -> np.ndarray:
    """Make room for `slots` lines, as long as windows side by side are wide."""
    return np.zeros((slots, -(-ranks // LANES) * LANES), np.float32)


@njit(cache=True, nogil=True)
def new_windows(size: int, ranks: int) -> np.ndarray:
    """Make windows, shape (tile, place, lane), that hold nothing: infinity, in every place.

    Below the first place is a value that never leaves, above the last one that never comes.
    """
    windows = np.full((-(-ranks // LANES), size + 2, LANES), np.inf, np.float32)
    windows[:, 0] = -np.inf
    return windows


@njit(cache=True, nogil=True)
def slide(ring: np.ndarray, windows: np.ndarray, first: int, stop: int, smooth: np.ndarray) -> None:
    """Let the lines first … stop come into the windows, and those that leave them go.

    Parameters
    ----------
    ring : ndarray of float32, shape (slot, rank)
        Line n is in slot n modulo their number, which is more than the windows hold.
    windows : ndarray of float32, shape (tile, place, lane)
        As `new_windows` makes them, or left by the lines before. Are changed.
    first, stop : int
        Half-open range of lines, counted from the first that was ever there.
    smooth : ndarray of float32, shape (line, rank)
        Is filled from its first line on, as soon as windows are full.
    """
    slots, size = ring.shape[0], windows.shape[1] - 2
    begin = max(first, size - 1)
    spare, nothing = windows[0].copy(), np.full(LANES, np.inf, np.float32)
    for tile in range(len(windows)):
        lanes = slice(tile * LANES, (tile + 1) * LANES)
        old, new = windows[tile], spare
        for line in range(first, stop):
            leaving = ring[(line - size) % slots, lanes] if line >= size else nothing
            _exchange(old, new, leaving, ring[line % slots, lanes])
            old, new = new, old
            if line >= begin:
                smooth[line - begin, lanes] = old[1 + size // 2]
        if (stop - first) % 2 == 1:
            windows[tile] = spare


@njit(cache=True, nogil=True)
def _exchange(old: np.ndarray, new: np.ndarray, leaving: np.ndarray, coming: np.ndarray) -> None:
    """Take one value out of each sorted window and put another in."""
    for place in range(1, len(old) - 1):
        below, here, above, target = old[place - 1], old[place], old[place + 1], new[place]
        for lane in range(LANES):
            # From the place of the leaving value on, all move down by one.
            low = below[lane] if below[lane] < leaving[lane] else here[lane]
            high = here[lane] if here[lane] < leaving[lane] else above[lane]
            # Of what is below, what is here, and what comes, the middle one.
            least = high if high < coming[lane] else coming[lane]
            target[lane] = low if low > least else least
