"""Basins of a height field, across slabs. In: heights, slab by slab; out: numbers, and a graph.

Every voxel climbs to its steepest neighbor until it stands on a peak. Basins with less than a
given rise from their saddle to their peak are then merged into the neighbor beyond the saddle,
which is what a watershed from h-maxima gives. Ties are broken by the voxel's place in the volume,
so that the answer does not depend on where the slabs were cut.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xct.errors import DataError
from xct.parallel.kernels import njit
from xct.segment.connected import Joiner
from xct.segment.crofton import DIRECTIONS
from xct.segment.neighbors import mark_differing
from xct.segment.particle.pairs import (
    Known,
    further,
    highest,
    in_ranges,
    packed,
    place,
    roomier,
    unpacked,
)

# Kernels of basins: climbing to peaks, pairs of neighbors, merging. In: heights; out: numbers.

_DIRECTIONS = DIRECTIONS.astype(np.int64)
_HERE = 13  # of 27 ways: none
_WAYS = 32
_MOST = 2**32 - 1  # of provisional numbers


@njit(cache=True, nogil=True)
def climb(
    heights: np.ndarray, first: int, stop: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Find for each voxel the peak, or the way out of the slab, to which it climbs."""
    _, height, width = heights.shape
    plane = height * width
    flat = heights.reshape(-1)
    ways = _ways(heights, first, stop).reshape(-1)
    offset = np.empty(27, np.int64)
    for way in range(27):
        offset[way] = (way // 9 - 1) * plane + (way // 3 % 3 - 1) * width + way % 3 - 1
    tree = np.zeros((stop - first, height, width), np.uint32)
    number = tree.reshape(-1)
    base = first * plane
    room = 1024
    peak, place = np.empty(room, np.uint16), np.empty(room, np.int64)
    down, up = np.empty((room, 2), np.int64), np.empty((room, 2), np.int64)
    count = downs = ups = 0
    path = np.empty(4096, np.int64)
    for start in range(base, stop * plane):
        if flat[start] == 0 or number[start - base]:
            continue
        at, steps, found = start, 0, np.uint32(0)
        while True:
            if steps == path.size:
                longer = np.empty(2 * steps, np.int64)
                longer[:steps] = path
                path = longer
            path[steps] = at
            steps += 1
            upward = at + offset[ways[at - base]]
            if upward != at and base <= upward < stop * plane:
                found = number[upward - base]
                if found:
                    break
                at = upward
                continue
            if count == peak.size:
                peak, place = _longer(peak), _longer(place)
            peak[count] = flat[at] if upward == at else 0
            place[count] = at
            count += 1
            found = np.uint32(count)
            if upward < base:
                if downs == len(down):
                    down = _taller(down)
                down[downs, 0], down[downs, 1] = found, upward - base + plane
                downs += 1
            elif upward >= stop * plane:
                if ups == len(up):
                    up = _taller(up)
                up[ups, 0], up[ups, 1] = found, upward - stop * plane
                ups += 1
            break
        for step in range(steps):
            number[path[step] - base] = found
    return tree, peak[:count].copy(), place[:count].copy(), down[:downs].copy(), up[:ups].copy()


@njit(cache=True, nogil=True)
def _longer(values: np.ndarray) -> np.ndarray:
    longer = np.empty(2 * values.size, values.dtype)
    longer[: values.size] = values
    return longer


@njit(cache=True, nogil=True)
def _taller(pairs: np.ndarray) -> np.ndarray:
    taller = np.empty((2 * len(pairs), 2), np.int64)
    taller[: len(pairs)] = pairs
    return taller


@njit(cache=True, nogil=True)
def _ways(heights: np.ndarray, first: int, stop: int) -> np.ndarray:
    """Which of 27 ways goes up most steeply from each voxel; of equal ones the last; 13 on a peak.

    Slopes are compared by six times their square, which is a whole number.
    """
    depth, height, width = heights.shape
    ways = np.empty((stop - first, height, width), np.uint8)
    best = np.empty(width, np.float64)
    for z in range(first, stop):
        for y in range(height):
            row = heights[z, y]
            low, high = _filled(row)
            best[low:high] = _HERE
            for k in range(27):
                dz, dy, dx = k // 9 - 1, k // 3 % 3 - 1, k % 3 - 1
                w, v = z + dz, y + dy
                if k == _HERE or w < 0 or w >= depth or v < 0 or v >= height or low == high:
                    continue
                start, end = max(low, -dx), min(high, width - dx)
                factor = np.float64(_WAYS * 6 // (dz * dz + dy * dy + dx * dx))
                least = 0.0 if k > _HERE else 1.0
                other = heights[w, v, start + dx : end + dx]
                _take_steeper(row[start:end], other, factor, least, np.float64(k), best[start:end])
            for x in range(low, high):
                ways[z - first, y, x] = np.int64(best[x]) % _WAYS
    return ways


@njit(cache=True, nogil=True)
def _take_steeper(
    row: np.ndarray, other: np.ndarray, factor: float, least: float, way: float, best: np.ndarray
) -> None:
    """Keep the steeper way of each voxel, where the other row is higher by at least `least`."""
    for x in range(row.size):
        rise = np.float64(np.int32(other[x]) - np.int32(row[x]))
        steep = factor * rise * rise + way if rise >= least else 0.0
        best[x] = max(best[x], steep)


@njit(cache=True, nogil=True)
def _filled(row: np.ndarray) -> tuple[int, int]:
    """Where a row is not 0: the first such voxel, and the one behind the last."""
    low, high = 0, row.size
    while low < high and row[low] == 0:
        low += 1
    while high > low and row[high - 1] == 0:
        high -= 1
    return low, high


@njit(cache=True, nogil=True)
def pairs_within(heights: np.ndarray, tree: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the pairs of neighboring trees, packed, and the highest saddle of each."""
    depth, height, width = heights.shape
    keys, saddles, used = np.zeros(4096, np.uint64), np.zeros(4096, np.uint16), 0
    differs = np.empty(width, np.bool_)
    for z in range(depth):
        for y in range(height):
            mark_differing(tree, z, y, False, differs)
            for x in range(width):
                a = tree[z, y, x]
                if a == 0 or not differs[x]:
                    continue
                for step in range(14, 27):
                    w, v, u = z + step // 9 - 1, y + step // 3 % 3 - 1, x + step % 3 - 1
                    if w >= depth or v < 0 or v >= height or u < 0 or u >= width:
                        continue
                    b = tree[w, v, u]
                    if b == 0 or a == b:
                        continue
                    if 2 * used > keys.size:
                        keys, saddles = roomier(keys, saddles)
                    key = (np.uint64(min(a, b)) << np.uint64(32)) | np.uint64(max(a, b))
                    at = place(keys, key)
                    used += keys[at] == 0
                    keys[at] = key
                    saddles[at] = max(saddles[at], min(heights[z, y, x], heights[w, v, u]))
    kept = keys > 0
    return keys[kept], saddles[kept]


@njit(cache=True, nogil=True)
def pairs_across(
    under: np.ndarray, last: np.ndarray, over: np.ndarray, next_: np.ndarray, offset: int
) -> tuple[np.ndarray, np.ndarray]:
    """As `pairs_within`, between the last plane of a slab and the first of the next."""
    height, width = under.shape
    keys, saddles, used = np.zeros(4096, np.uint64), np.zeros(4096, np.uint16), 0
    for y in range(height):
        for x in range(width):
            if last[y, x] == 0:
                continue
            for v in range(max(y - 1, 0), min(y + 2, height)):
                for u in range(max(x - 1, 0), min(x + 2, width)):
                    if next_[v, u] == 0:
                        continue
                    if 2 * used > keys.size:
                        keys, saddles = roomier(keys, saddles)
                    key = np.uint64(last[y, x]) << np.uint64(32) | np.uint64(next_[v, u] + offset)
                    at = place(keys, key)
                    used += keys[at] == 0
                    keys[at] = key
                    saddles[at] = max(saddles[at], min(under[y, x], over[v, u]))
    kept = keys > 0
    return keys[kept], saddles[kept]


@njit(cache=True, nogil=True)
def merge_over_saddles(
    peak: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    saddle: np.ndarray,
    rise: float,
    fraction: float,
) -> np.ndarray:
    """Join over the saddles from the highest down; the higher peak is the root."""
    parents = np.arange(peak.size)
    for edge in range(first.size):
        a, b = first[edge], second[edge]
        while parents[a] != a:
            parents[a] = parents[parents[a]]
            a = parents[a]
        while parents[b] != b:
            parents[b] = parents[parents[b]]
            b = parents[b]
        if a == b:
            continue
        if peak[a] < peak[b] or (peak[a] == peak[b] and a > b):
            a, b = b, a
        above = peak[b] - saddle[edge]
        if above < rise or above < fraction * peak[b]:
            parents[b] = a
    for basin in range(parents.size):
        root = basin
        while parents[root] != root:
            root = parents[root]
        parents[basin] = root
    return parents


@dataclass(frozen=True)
class Graph:
    """Basins and the saddles between them.

    Attributes
    ----------
    number : ndarray of int64, shape (1 + provisional,)
        Basin, from 1, of each provisional number; 0 for 0.
    peak : ndarray of uint16, shape (1 + basin,)
        Height of each peak.
    first, second : ndarray of uint32, shape (edge,)
        Neighboring basins.
    saddle : ndarray of uint16, shape (edge,)
        Height of the pass between them.
    """

    number: np.ndarray
    peak: np.ndarray
    first: np.ndarray
    second: np.ndarray
    saddle: np.ndarray


@dataclass(frozen=True)
class _Bottom:
    """The first plane of a slab: provisional numbers, heights, and ways down out of it."""

    tree: np.ndarray
    heights: np.ndarray
    down: np.ndarray


class Basins:
    """Takes slabs in order, numbers their voxels provisionally, and joins them at the seams."""

    def __init__(self) -> None:
        self._joiner = Joiner()
        self._peaks: list[np.ndarray] = []
        self._places: list[np.ndarray] = []
        self._edges: list[Known] = []
        self._bottom: _Bottom | None = None
        self._last: np.ndarray | None = None
        self._top = np.empty((0, 0), np.uint16)  # heights of the last plane
        self._leaving: tuple[np.ndarray, np.ndarray] | None = None

    def add(self, heights: np.ndarray, before: int, after: int, first: int) -> np.ndarray:
        """Give the voxels of the next slab numbers.

        Parameters
        ----------
        heights : ndarray of uint16, shape (z, y, x)
            0 is outside; with one slice more on each side where the volume goes on.
        before, after : int
            How many slices more there are: 0 or 1.
        first : int
            The volume's slice with which the slab begins (without the one more).

        Returns
        -------
        ndarray of uint32, shape (z, y, x)
            Provisional numbers, 0 outside; without the slices more.
        """
        stop = len(heights) - after
        tree, peak, place, down, up = climb(heights, before, stop)
        plane = heights.shape[1] * heights.shape[2]
        offset = self._joiner.add(peak.size)
        if self.count > _MOST:
            raise DataError(
                f"{self.count} basins, more than {_MOST}: the mask is noise; denoise more before "
                "labeling"
            )
        self._peaks.append(peak)
        self._places.append(place + (first - before) * plane)
        keys, saddles = highest(*pairs_within(heights[before:stop], tree))
        self._edges.append((further(keys, offset), saddles))
        bottom = _Bottom(tree[0].copy(), heights[before].copy(), down)
        if self._last is None:
            self._bottom = bottom
        else:
            self._join(bottom, offset)
        self._leaving = (up[:, 0] + offset, up[:, 1])
        tree[tree > 0] += np.uint32(offset)
        self._last, self._top = tree[-1].copy(), heights[stop - 1].copy()
        return tree

    def append(self, later: Basins) -> int:
        """Take the slabs that follow, which were added elsewhere; give what to add to a number."""
        offset = self._joiner.append(later._joiner)
        self._peaks += later._peaks
        self._places += later._places
        self._edges += [(further(keys, offset), saddles) for keys, saddles in later._edges]
        if later._last is None or later._bottom is None or later._leaving is None:
            return offset
        if self._last is None:
            self._bottom = later._bottom
        else:
            self._join(later._bottom, offset)
        self._leaving = later._leaving[0] + offset, later._leaving[1]
        last = later._last.astype(np.int64)
        self._last = np.where(last > 0, last + offset, 0).astype(np.uint32)
        self._top = later._top
        return offset

    @property
    def count(self) -> int:
        """Provisional numbers so far."""
        return self._joiner.count

    def _join(self, bottom: _Bottom, offset: int) -> None:
        """Join the last plane to the first of what follows."""
        if self._last is None or self._leaving is None:
            return
        down, tree = bottom.down, bottom.tree
        self._joiner.join(down[:, 0] + offset, self._last.reshape(-1)[down[:, 1]])
        numbers, places = self._leaving
        self._joiner.join(numbers, tree.reshape(-1)[places].astype(np.int64) + offset)
        across = pairs_across(self._top, self._last, bottom.heights, tree, offset)
        self._edges.append(highest(*across))

    def graph(self) -> Graph:
        """Give the basins of the whole volume."""
        roots = self._joiner.roots()
        peak = np.concatenate([np.zeros(1, np.uint16), *self._peaks])
        place = np.concatenate([np.zeros(1, np.int64), *self._places])
        tops = np.flatnonzero(peak)
        # A tree that leaves its slab has no peak of its own; its root is where it goes to.
        order = tops[np.argsort(place[tops])]
        basin_of_root = np.zeros(roots.size, np.int64)
        basin_of_root[roots[order]] = np.arange(1, order.size + 1)
        number = basin_of_root[roots]
        number[0] = 0
        peaks = np.append(np.zeros(1, np.uint16), peak[order])
        return Graph(number, peaks, *self._saddles(number.astype(np.uint32)))

    def _saddles(self, number: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Give pairs of different basins, and the saddle between them; the trees' are given up."""
        parts, self._edges = self._edges, []
        for at, (keys, saddles) in enumerate(parts):
            first, second = (number[some] for some in unpacked(keys))
            differ = first != second
            parts[at] = highest(packed(first[differ], second[differ]), saddles[differ])
        found = [highest(*some) for some in in_ranges(parts)]
        saddles = np.concatenate([some for _, some in found])
        return *unpacked(np.concatenate([keys for keys, _ in found])), saddles


def merge(graph: Graph, rise: float, fraction: float = 0.0) -> np.ndarray:
    """Merge basins whose peak stands less than a rise above the saddle.

    Parameters
    ----------
    graph : Graph
        Basins and saddles.
    rise : float
        Least height of a peak above its saddle.
    fraction : float, optional
        … and least fraction of the peak that this must be.

    Returns
    -------
    ndarray of int64, shape (1 + basin,)
        Number, from 1 and without gaps, of each basin after merging.
    """
    order = np.lexsort((graph.second, graph.first, ~graph.saddle))
    parents: np.ndarray = merge_over_saddles(
        graph.peak.astype(np.float64),
        graph.first[order],
        graph.second[order],
        graph.saddle[order].astype(np.float64),
        rise,
        fraction,
    )
    _, number = np.unique(parents[1:], return_inverse=True)
    return np.append(0, number.ravel() + 1)


def groups(graph: Graph, least_saddle: float = 0.0) -> np.ndarray:
    """Give the connected group of each basin, over saddles of at least some height.

    Returns
    -------
    ndarray of int64, shape (1 + basin,)
        Number of the group, from 1; 0 for 0.
    """
    joiner = Joiner()
    joiner.add(graph.peak.size - 1)
    passed = graph.saddle >= least_saddle
    joiner.join(graph.first[passed], graph.second[passed])
    return joiner.numbers()[0].astype(np.int64)
