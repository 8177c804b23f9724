"""Columns made to agree in rank. In: a sinogram; out: the same, smoothed along equal ranks."""

from __future__ import annotations

import numpy as np

from xct.parallel.kernels import njit

# Sliding medians along columns, many side by side. In: values of columns; out: their medians.
#
# A window is kept sorted while it moves: one value leaves, another comes. Windows of neighboring
# ranks lie side by side, so that each step is the same few vector instructions for all of them.

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


# Columns that are worked on together: what they take of a line of the sinogram is one cache line.
_TOGETHER = 16
_LINES = 16  # of the sinogram that are taken together, for the same reason
# Values are sorted by whole numbers of two digits, then put right where those are equal.
_DIGIT_BITS = 10
_DIGITS = 1 << _DIGIT_BITS
_ANGLE_BITS = 32 - _DIGIT_BITS
# Steps down, for each value, until a slower way of sorting is quicker.
_MOST_STEPS = 8


@njit(cache=True, nogil=True)
def smooth_ranks(sinograms: np.ndarray, row: int, size: int) -> None:
    """Sort each column of a sinogram, take medians along equal ranks, restore the order.

    A few columns at a time, from the left to the right: what is sorted stays in the cache until
    the window has passed it.

    Parameters
    ----------
    sinograms : ndarray of float32, shape (angle, row, column)
        Finite values, of at most 4 million angles. One sinogram is changed.
    row : int
        Which one.
    size : int
        Width of the sliding median, which is mirrored at the ends; of an even one, the larger
        of the two middle values is taken.
    """
    angles, _, columns = sinograms.shape
    before, after = size // 2, size - 1 - size // 2
    # Line n of the ring is column n - before; columns beyond the ends are mirrored.
    slots = size + 2 * _TOGETHER
    ring, angle = new_ring(slots, angles), np.empty((slots, angles), np.uint32)
    windows, smooth = new_windows(size, angles), np.empty((_TOGETHER, ring.shape[1]), np.float32)
    values = np.empty((_TOGETHER, angles), np.float32)
    done = 0
    for first in range(0, columns, _TOGETHER):
        stop = min(first + _TOGETHER, columns)
        while done < min(stop + after, columns):
            done = _sort_columns(sinograms, row, done, before, values, ring, angle)
        for beyond in range(-before if first == 0 else 0, 0):
            ring[(beyond + before) % slots] = ring[(mirrored(beyond, columns) + before) % slots]
        for beyond in range(columns, stop + after):
            ring[(beyond + before) % slots] = ring[(mirrored(beyond, columns) + before) % slots]
        slide(ring, windows, first + size - 1 if first else 0, stop + size - 1, smooth)
        _put_back(smooth, angle, first, stop, before, values, sinograms, row)


@njit(cache=True, nogil=True)
def _sort_columns(
    sinograms: np.ndarray,
    row: int,
    first: int,
    before: int,
    values: np.ndarray,
    ring: np.ndarray,
    angle: np.ndarray,
) -> int:
    """Sort the next columns into the ring; give the first one behind them."""
    angles, _, columns = sinograms.shape
    width = min(_TOGETHER, columns - first)
    for begin in range(0, angles, _LINES):
        for c in range(width):
            column = values[c]
            for a in range(begin, min(begin + _LINES, angles)):
                column[a] = sinograms[a, row, first + c]
    for c in range(width):
        slot = (first + c + before) % len(ring)
        sort_values(values[c], ring[slot], angle[slot])
    return int(first + width)


@njit(cache=True, nogil=True)
def _put_back(
    smooth: np.ndarray,
    angle: np.ndarray,
    first: int,
    stop: int,
    before: int,
    values: np.ndarray,
    sinograms: np.ndarray,
    row: int,
) -> None:
    """Put columns back into the order of the angles."""
    angles, width = angle.shape[1], stop - first
    for c in range(width):
        own, line, ordered = angle[(first + c + before) % len(angle)], values[c], smooth[c]
        for rank in range(angles):
            line[np.uint64(own[rank])] = ordered[rank]
    for a in range(angles):
        for c in range(width):
            sinograms[a, row, first + c] = values[c, a]


@njit(cache=True, nogil=True)
def sort_values(values: np.ndarray, ordered: np.ndarray, angle: np.ndarray) -> None:
    """Sort values, remembering where each came from; equal ones keep their order.

    Parameters
    ----------
    values : ndarray of float32
        Finite values.
    ordered : ndarray of float32
        Begins with the values in ascending order afterwards.
    angle : ndarray of uint32
        Where in `values` each of them was.
    """
    keys, halfway = np.empty(values.size, np.uint32), np.empty(values.size, np.uint32)
    starts = np.zeros((2, _DIGITS), np.uint32)
    _whole_numbers(values, keys)
    _count_digits(keys, starts)
    _by_low_digit(keys, starts[0], halfway)
    _by_high_digit(halfway, starts[1], values, ordered, angle)
    if not _put_right(ordered, angle):
        angle[:] = np.argsort(values, kind="mergesort")
        ordered[: values.size] = values[angle]


@njit(cache=True, nogil=True)
def _whole_numbers(values: np.ndarray, keys: np.ndarray) -> None:
    """Spread values evenly over whole numbers of two digits, none of them out of order."""
    lowest, highest = _extremes(values)
    largest = np.float32(_DIGITS * _DIGITS - 1)
    span = np.float32(highest - lowest)
    # Of a span that is nothing or beyond all numbers, all keys are 0.
    scale = np.float32(largest / span) if span > 1e-30 else np.float32(0)
    for n in range(values.size):
        key = np.float32(np.float32(values[n] - lowest) * scale)
        keys[n] = np.int32(key if key < largest else largest)


@njit(cache=True, nogil=True)
def _extremes(values: np.ndarray) -> tuple[np.float32, np.float32]:
    """Find the lowest and the highest value; four at a time, none of which waits for another."""
    low, low_1, low_2, low_3 = values[0], values[0], values[0], values[0]
    high, high_1, high_2, high_3 = values[0], values[0], values[0], values[0]
    fours = values.size - values.size % 4
    for n in range(0, fours, 4):
        low, high = min(low, values[n]), max(high, values[n])
        low_1, high_1 = min(low_1, values[n + 1]), max(high_1, values[n + 1])
        low_2, high_2 = min(low_2, values[n + 2]), max(high_2, values[n + 2])
        low_3, high_3 = min(low_3, values[n + 3]), max(high_3, values[n + 3])
    for n in range(fours, values.size):
        low, high = min(low, values[n]), max(high, values[n])
    return min(low, low_1, low_2, low_3), max(high, high_1, high_2, high_3)


@njit(cache=True, nogil=True)
def _count_digits(keys: np.ndarray, starts: np.ndarray) -> None:
    """Find where the first of all keys with one digit goes, for each of both digits."""
    # Unsigned indices throughout: signed ones are tested for counting from the end.
    for n in range(keys.size):
        starts[0, np.uint64(keys[n] & np.uint32(_DIGITS - 1))] += np.uint32(1)
        starts[1, np.uint64(keys[n] >> np.uint32(_DIGIT_BITS))] += np.uint32(1)
    low, high = np.uint32(0), np.uint32(0)
    for digit in range(_DIGITS):
        of_low, of_high = starts[0, digit], starts[1, digit]
        starts[0, digit], starts[1, digit] = low, high
        low += of_low
        high += of_high


@njit(cache=True, nogil=True)
def _by_low_digit(keys: np.ndarray, starts: np.ndarray, halfway: np.ndarray) -> None:
    """Order by the low digit: what is left are the high digit and the angle, in one number."""
    for n in range(keys.size):
        digit = np.uint64(keys[n] & np.uint32(_DIGITS - 1))
        place = starts[digit]
        starts[digit] = place + np.uint32(1)
        high = np.uint32(keys[n] >> np.uint32(_DIGIT_BITS))
        halfway[np.uint64(place)] = (high << np.uint32(_ANGLE_BITS)) | np.uint32(n)


@njit(cache=True, nogil=True)
def _by_high_digit(
    halfway: np.ndarray,
    starts: np.ndarray,
    values: np.ndarray,
    ordered: np.ndarray,
    angle: np.ndarray,
) -> None:
    """Order by the high digit, and fetch the values."""
    for n in range(halfway.size):
        digit = np.uint64(halfway[n] >> np.uint32(_ANGLE_BITS))
        place = starts[digit]
        starts[digit] = place + np.uint32(1)
        own = np.uint32(halfway[n] & np.uint32((1 << _ANGLE_BITS) - 1))
        angle[np.uint64(place)] = own
        ordered[np.uint64(place)] = values[np.uint64(own)]


@njit(cache=True, nogil=True)
def _put_right(ordered: np.ndarray, angle: np.ndarray) -> bool:
    """Sort values that nearly are; say whether that was no more than a little work."""
    steps = 0
    for n in range(1, angle.size):
        value, own = ordered[n], angle[n]
        place = n
        while place > 0 and ordered[place - 1] > value:
            ordered[place], angle[place] = ordered[place - 1], angle[place - 1]
            place -= 1
        if place < n:
            ordered[place], angle[place] = value, own
            steps += n - place
            if steps > _MOST_STEPS * angle.size:
                return False
    return True
