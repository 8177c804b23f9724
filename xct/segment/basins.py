"""Basins of a height field, across slabs. In: heights, slab by slab; out: numbers, and a graph.

Every voxel climbs to its steepest neighbor until it stands on a peak. Basins with less than a
given rise from their saddle to their peak are then merged into the neighbor beyond the saddle,
which is what a watershed from h-maxima gives. Ties are broken by the voxel's place in the volume,
so that the answer does not depend on where the slabs were cut.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xct.segment.climbing import (
    NUMBER_BITS,
    climb,
    merge_over_saddles,
    pairs_across,
    pairs_within,
)
from xct.segment.labeling import Joiner

_MOST = 2**NUMBER_BITS - 1


@dataclass(frozen=True)
class Graph:
    """Basins and the saddles between them.

    Attributes
    ----------
    number : ndarray of int64, shape (1 + provisional,)
        Basin, from 1, of each provisional number; 0 for 0.
    peak : ndarray of uint16, shape (1 + basin,)
        Height of each peak.
    first, second : ndarray of int64, shape (edge,)
        Neighboring basins.
    saddle : ndarray of uint16, shape (edge,)
        Height of the pass between them.
    """

    number: np.ndarray
    peak: np.ndarray
    first: np.ndarray
    second: np.ndarray
    saddle: np.ndarray


class Basins:
    """Takes slabs in order, numbers their voxels provisionally, and joins them at the seams."""

    def __init__(self) -> None:
        self._joiner = Joiner()
        self._peaks: list[np.ndarray] = []
        self._places: list[np.ndarray] = []
        self._edges: list[np.ndarray] = []
        self._last: np.ndarray | None = None
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
        if peak.size > _MOST:
            raise ValueError(
                f"{peak.size} basins in one slab, more than {_MOST}: the mask is noise; denoise "
                "more before labeling"
            )
        plane = heights.shape[1] * heights.shape[2]
        offset = self._joiner.add(peak.size)
        self._peaks.append(peak)
        self._places.append(place + (first - before) * plane)
        self._join(tree, offset, down)
        self._gather(heights[before:stop], tree, offset, heights[before - 1] if before else None)
        self._leaving = (up[:, 0] + offset, up[:, 1])
        tree[tree > 0] += np.uint32(offset)
        self._last = tree[-1].copy()
        return tree

    @property
    def count(self) -> int:
        """Provisional numbers so far."""
        return self._joiner.count

    def _join(self, tree: np.ndarray, offset: int, down: np.ndarray) -> None:
        if self._last is not None:
            self._joiner.join(down[:, 0] + offset, self._last.reshape(-1)[down[:, 1]])
        if self._leaving is not None and self._leaving[0].size:
            numbers, places = self._leaving
            self._joiner.join(numbers, tree[0].reshape(-1)[places].astype(np.int64) + offset)

    def _gather(
        self, heights: np.ndarray, tree: np.ndarray, offset: int, under: np.ndarray | None
    ) -> None:
        inside = _unpack(_highest(pairs_within(heights, tree)), offset, offset)
        self._edges.append(inside)
        if self._last is not None and under is not None:
            base = int(self._last.max(initial=0)) and int(self._last[self._last > 0].min()) - 1
            across = pairs_across(under, self._last, heights[0], tree[0], base)
            self._edges.append(_unpack(_highest(across), base, offset))

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
        edges = np.concatenate(self._edges) if self._edges else np.empty((0, 3), np.int64)
        first, second, saddle = _reduced(number[edges[:, 0]], number[edges[:, 1]], edges[:, 2])
        peaks = np.append(np.zeros(1, np.uint16), peak[order])
        return Graph(number, peaks, first, second, saddle)


def merge(graph: Graph, rise: float, share: float = 0.0) -> np.ndarray:
    """Merge basins whose peak stands less than a rise above the saddle.

    Parameters
    ----------
    graph : Graph
        Basins and saddles.
    rise : float
        Least height of a peak above its saddle.
    share : float, optional
        … and least share of the peak that this must be.

    Returns
    -------
    ndarray of int64, shape (1 + basin,)
        Number, from 1 and without gaps, of each basin after merging.
    """
    order = np.lexsort((graph.second, graph.first, -graph.saddle.astype(np.int64)))
    parents: np.ndarray = merge_over_saddles(
        graph.peak.astype(np.float64),
        graph.first[order],
        graph.second[order],
        graph.saddle[order].astype(np.float64),
        rise,
        share,
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


def _reduced(
    first: np.ndarray, second: np.ndarray, saddle: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Keep the highest saddle of each pair of different basins."""
    low, high = np.minimum(first, second), np.maximum(first, second)
    differ = low != high
    low, high, saddle = low[differ], high[differ], saddle[differ]
    order = np.lexsort((saddle, high, low))
    low, high, saddle = low[order], high[order], saddle[order]
    differ = (low[1:] != low[:-1]) | (high[1:] != high[:-1])
    last = np.append(differ, np.ones(min(low.size, 1), bool))
    return low[last], high[last], saddle[last].astype(np.uint16)


def _highest(packed: np.ndarray) -> np.ndarray:
    """Keep, of packed pairs with a saddle, the highest of each pair."""
    packed = np.sort(packed)
    pair = packed >> np.uint64(16)
    last = np.append(pair[1:] != pair[:-1], np.ones(min(pair.size, 1), bool))
    return np.asarray(packed[last])


def _unpack(packed: np.ndarray, first_offset: int, second_offset: int) -> np.ndarray:
    mask = np.uint64(_MOST)
    first = (packed >> np.uint64(16 + NUMBER_BITS)).astype(np.int64) + first_offset
    second = ((packed >> np.uint64(16)) & mask).astype(np.int64) + second_offset
    saddle = (packed & np.uint64(0xFFFF)).astype(np.int64)
    return np.stack([first, second, saddle], axis=1)
