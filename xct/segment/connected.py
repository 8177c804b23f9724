"""Connected components across slabs. In: masks, slab by slab; out: numbers that join at seams."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from xct.parallel.kernels import njit


class Joiner:
    """Provisional numbers of pieces in slabs, and which of them are one.

    The final numbers do not depend on where the slabs were cut: they follow the first voxel of
    each component in the order of the volume.
    """

    def __init__(self) -> None:
        self._pairs: list[np.ndarray] = []
        self.count = 0

    def add(self, pieces: int) -> int:
        """Take `pieces` new numbers; give the number before the first of them."""
        before = self.count
        self.count += pieces
        return before

    def join(self, first: np.ndarray, second: np.ndarray) -> None:
        """Record that pieces are one, pair by pair."""
        if len(first):
            self._pairs.append(np.stack([first, second], axis=1).astype(np.int64))

    def append(self, later: Joiner) -> int:
        """Take the numbers of slabs that follow; give what to add to them."""
        before = self.add(later.count)
        self._pairs += [pairs + before for pairs in later._pairs]
        return before

    def roots(self) -> np.ndarray:
        """Give the smallest number that is one with each number, shape (1 + count,)."""
        parents = np.arange(self.count + 1, dtype=np.int64)
        for pairs in self._pairs:
            _join_all(parents, pairs)
        _flatten(parents)
        return parents

    def numbers(self) -> tuple[np.ndarray, int]:
        """Give the final number of each piece (0 stays 0), and how many there are."""
        roots = self.roots()
        kept, number = np.unique(roots[1:], return_inverse=True)
        return np.append(0, number.ravel() + 1).astype(np.uint32), kept.size


def label_pieces(mask: np.ndarray, connectivity: int = 26) -> tuple[np.ndarray, int]:
    """Give the connected pieces of a mask numbers, in the order of their first voxels.

    Parameters
    ----------
    mask : ndarray of bool or uint8, shape (z, y, x)
        What is connected: everything but 0.
    connectivity : {6, 18, 26}, optional
        Neighbors of a voxel.

    Returns
    -------
    labels : ndarray of uint32, shape (z, y, x)
        0 where the mask is.
    count : int
        How many pieces.
    """
    import cc3d

    find: Any = cc3d.connected_components  # its own annotations know no mask
    labels, count = find(
        np.ascontiguousarray(mask, np.uint8) != 0,
        connectivity=connectivity,
        return_N=True,
        out_dtype=np.uint32,
    )
    return _in_order(labels, count), int(count)


def touching(
    above: np.ndarray, below: np.ndarray, connectivity: int = 26
) -> tuple[np.ndarray, np.ndarray]:
    """List the pairs of numbers that touch across two neighboring planes, each once.

    Parameters
    ----------
    above, below : ndarray of int, shape (y, x)
        Numbers in the last plane of a slab and in the first of the next; 0 is nothing.
    connectivity : {6, 18, 26}, optional
        Neighbors of a voxel.

    Returns
    -------
    first, second : ndarray of int
        Numbers of `above` and of `below`.
    """
    reach = {6: 0, 18: 1, 26: 2}[connectivity]
    pairs = _touching(above.astype(np.int64), below.astype(np.int64), reach)
    pairs = np.unique(pairs, axis=0)
    return pairs[:, 0], pairs[:, 1]


@dataclass(frozen=True)
class Pieces:
    """The connected pieces of a slab, as far as others may hang together with them.

    Attributes
    ----------
    count : int
        How many there are.
    first, last : tuple of ndarray
        In the first and the last plane: places of the flattened plane, and numbers from 1.
    shape : tuple of int
        Of a plane.
    """

    count: int
    first: tuple[np.ndarray, np.ndarray]
    last: tuple[np.ndarray, np.ndarray]
    shape: tuple[int, int]

    @classmethod
    def of(cls, labels: np.ndarray, count: int) -> Pieces:
        """Take what is needed from what `label_pieces` gave."""
        _, height, width = labels.shape
        return cls(count, _filled(labels[0]), _filled(labels[-1]), (height, width))

    def plane(self, filled: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        """Give a plane with 0 where there is nothing."""
        places, numbers = filled
        plane = np.zeros(self.shape, np.uint32)
        plane.reshape(-1)[places] = numbers
        return plane


def _filled(plane: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    places = np.flatnonzero(plane)
    return places, plane.reshape(-1)[places]


def join_slabs(slabs: Sequence[Pieces], connectivity: int = 26) -> tuple[Joiner, list[int]]:
    """Join the pieces of slabs that follow each other.

    Parameters
    ----------
    slabs : sequence of Pieces
        From the first slab to the last.
    connectivity : {6, 18, 26}, optional
        Neighbors of a voxel.

    Returns
    -------
    joiner : Joiner
        Knows which provisional numbers are one.
    before : list of int
        What to add to the numbers of each slab.
    """
    joiner, before = Joiner(), []
    for number, slab in enumerate(slabs):
        before.append(joiner.add(slab.count))
        if number:
            under = slabs[number - 1]
            last, first = under.plane(under.last), slab.plane(slab.first)
            above, below = touching(last, first, connectivity)
            joiner.join(above + before[-2], below + before[-1])
    return joiner, before


@njit(cache=True, nogil=True)
def _find(parents: np.ndarray, piece: int) -> int:
    while parents[piece] != piece:
        parents[piece] = parents[parents[piece]]
        piece = parents[piece]
    return piece


@njit(cache=True, nogil=True)
def _join_all(parents: np.ndarray, pairs: np.ndarray) -> None:
    for pair in range(len(pairs)):
        a, b = _find(parents, pairs[pair, 0]), _find(parents, pairs[pair, 1])
        if a < b:
            parents[b] = a
        else:
            parents[a] = b


@njit(cache=True, nogil=True)
def _flatten(parents: np.ndarray) -> None:
    for piece in range(parents.size):
        parents[piece] = _find(parents, piece)


@njit(cache=True, nogil=True)
def _in_order(labels: np.ndarray, count: int) -> np.ndarray:
    """Renumber labels by their first voxel, in place."""
    new = np.zeros(count + 1, np.uint32)
    used = 0
    flat = labels.reshape(-1)
    for voxel in range(flat.size):
        label = flat[voxel]
        if label:
            if new[label] == 0:
                used += 1
                new[label] = used
            flat[voxel] = new[label]
    return labels


@njit(cache=True, nogil=True)
def _touching(above: np.ndarray, below: np.ndarray, reach: int) -> np.ndarray:
    height, width = above.shape
    pairs = np.empty((256, 2), np.int64)
    used = 0
    for y in range(height):
        for x in range(width):
            a = above[y, x]
            if a == 0:
                continue
            for dy in range(-1, 2):
                for dx in range(-1, 2):
                    if abs(dy) + abs(dx) > reach:
                        continue
                    v, u = y + dy, x + dx
                    if v < 0 or u < 0 or v >= height or u >= width or below[v, u] == 0:
                        continue
                    if used and pairs[used - 1, 0] == a and pairs[used - 1, 1] == below[v, u]:
                        continue
                    if used == len(pairs):
                        grown = np.empty((2 * used, 2), np.int64)
                        grown[:used] = pairs
                        pairs = grown
                    pairs[used, 0], pairs[used, 1] = a, below[v, u]
                    used += 1
    return pairs[:used].copy()
