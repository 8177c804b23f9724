"""Pieces of one cracked particle. In: how pieces face each other; out: which are one.

A crack separates a particle into pieces that face each other over a narrow gap as wide as they are:
together they are about as round as the rounder of them, or rounder, or their middles are nearer to
each other than those of two spheres of their volumes could be. Two spheres that touch are together
less round than each, by a fifth where they are of one size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xct.parallel.kernels import njit
from xct.segment.crofton import DIRECTIONS, crofton_weights
from xct.segment.neighbors import mark_differing
from xct.segment.particle.pairs import (
    Known,
    further,
    in_ranges,
    packed,
    place,
    roomier,
    totals,
    unpacked,
)

# How pieces of active material face each other. In: numbers, slab by slab; out: areas.
#
# Areas are counted along 13 directions by whole numbers, so that they do not depend on where the
# volume was cut.

LEAST_BRIGHT = 0.3  # of the particles' grey value: a gap that is darker is none of their cracks
UNIT = 2**16  # of areas, in a square voxel
_GAP_PX = 2.0  # the widest crack that is looked across, along each axis


@dataclass(frozen=True)
class Faces:
    """How much surface pieces have, and how much of it faces another piece.

    Attributes
    ----------
    outer : ndarray of int64, shape (1 + piece,)
        Surface of each piece but what faces itself; half of it, in `UNIT`.
    first, second : ndarray of uint32, shape (pair,)
        Pieces that face each other.
    common : ndarray of int64, shape (pair,)
        Over which surface, in `UNIT`.
    volume_px : float
        Of a voxel, where the shortest of its edges is 1.
    """

    outer: np.ndarray
    first: np.ndarray
    second: np.ndarray
    common: np.ndarray
    volume_px: float


class Facing:
    """Takes slabs of provisional numbers in order, and looks from piece to piece.

    Parameters
    ----------
    size_um : ndarray, shape (3,)
        Edges of a voxel.
    """

    def __init__(self, size_um: np.ndarray) -> None:
        size = np.asarray(size_um, float) / np.min(size_um)
        self._steps = DIRECTIONS.astype(np.int64)
        self._weights = np.rint(crofton_weights(size) * UNIT).astype(np.int64)
        self._reach = (_GAP_PX / np.abs(DIRECTIONS * size).max(axis=1)).astype(np.int64)
        self._planes = 1 + int(self._reach[DIRECTIONS[:, 0] > 0].max())
        self._volume_px = float(size.prod())
        self._outer = np.zeros(1, np.int64)
        self._found: list[Known] = []
        # Numbers, and what may be a crack: the first slices, and the last, which wait for others.
        self._begin: tuple[np.ndarray, np.ndarray] | None = None
        self._pending: tuple[np.ndarray, np.ndarray] | None = None

    def add(self, numbers: np.ndarray, bright: np.ndarray, count: int) -> None:
        """Take the next slab.

        Parameters
        ----------
        numbers : ndarray of uint32, shape (z, y, x)
            Provisional numbers of pieces, 0 outside.
        bright : ndarray of bool, shape (z, y, x)
            Which voxels outside may belong to a crack.
        count : int
            How many numbers there are so far.
        """
        self._outer = np.append(self._outer, np.zeros(count + 1 - self._outer.size, np.int64))
        if self._begin is None:
            self._begin = numbers[:0].copy(), bright[:0].copy()
        lacking = max(self._planes - len(self._begin[0]), 0)
        if lacking:
            more = numbers[:lacking], bright[:lacking]
            self._begin = _one_after_the_other(self._begin, more)
        if self._pending is not None:
            seam = self._seam(numbers, bright)
            if len(numbers) < self._planes:
                numbers, bright = seam
            else:
                self._look(*seam, len(self._pending[0]))
        seen = max(len(numbers) - self._planes, 0)
        self._look(numbers, bright, seen)
        self._pending = numbers[seen:].copy(), bright[seen:].copy()

    def append(self, later: Facing, offset: int) -> None:
        """Take the slabs that follow, which were added elsewhere; `offset` is added to numbers."""
        self._outer = np.append(self._outer, later._outer[1:])
        self._found += [(further(keys, offset), areas) for keys, areas in later._found]
        if later._begin is None or later._pending is None:
            return
        if self._pending is None:
            self._begin = _further(later._begin, offset)
        else:
            self._look(*self._seam(*_further(later._begin, offset)), len(self._pending[0]))
        self._pending = _further(later._pending, offset)

    def _seam(self, numbers: np.ndarray, bright: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Put the slices that wait before the next ones."""
        assert self._pending is not None
        ahead = slice(self._planes)
        return _one_after_the_other(self._pending, (numbers[ahead], bright[ahead]))

    def faces(self) -> Faces:
        """Give what was seen, once the last slab was added."""
        if self._pending is not None:
            self._look(*self._pending, len(self._pending[0]))
            self._pending = None
        keys, areas = [], []
        for some in in_ranges(self._found):
            pairs, common = totals(some[0], some[1].astype(np.int64))
            keys.append(pairs)
            areas.append(common)
        return Faces(
            self._outer, *unpacked(np.concatenate(keys)), np.concatenate(areas), self._volume_px
        )

    def _look(self, numbers: np.ndarray, bright: np.ndarray, stop: int) -> None:
        found = _faces(
            numbers, bright, stop, self._steps, self._weights, self._reach, self._outer
        )  # fmt: skip
        keys, areas = totals(*found)
        fits = areas.max(initial=0) < 2**32  # of one slab; sums of all are made of int64
        self._found.append((keys, areas.astype(np.uint32) if fits else areas))


def _one_after_the_other(
    first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    return np.concatenate([first[0], second[0]]), np.concatenate([first[1], second[1]])


def _further(slices: tuple[np.ndarray, np.ndarray], by: int) -> tuple[np.ndarray, np.ndarray]:
    numbers, bright = slices
    return np.where(numbers > 0, numbers + np.uint32(by), numbers), bright


def summed(
    first: np.ndarray, second: np.ndarray, area: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Add up the areas of each pair, whichever of both comes first.

    Parameters
    ----------
    first, second : ndarray of int, shape (n,)
        Pairs of pieces.
    area : ndarray of int64, shape (n,)
        What they have in common.

    Returns
    -------
    first, second : ndarray of uint32, shape (pair,)
        Each pair once, in order, the smaller number first.
    area : ndarray of int64, shape (pair,)
        Of each pair.
    """
    keys, area = totals(packed(first, second), area)
    return *unpacked(keys), area


@njit(cache=True, nogil=True)
def _faces(
    numbers: np.ndarray,
    bright: np.ndarray,
    stop: int,
    steps: np.ndarray,
    weights: np.ndarray,
    reach: np.ndarray,
    outer: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Look from every voxel of a piece along 13 directions; slices before `stop` are begun from."""
    depth, height, width = numbers.shape
    keys, areas, used = np.zeros(4096, np.uint64), np.zeros(4096, np.int64), 0
    differs = np.empty(width, np.bool_)
    for z in range(stop):
        for y in range(height):
            mark_differing(numbers, z, y, False, differs)
            for x in range(width):
                piece = numbers[z, y, x]
                if piece == 0 or not differs[x]:
                    continue
                for k in range(len(steps)):
                    dz, dy, dx = steps[k]
                    w, v, u = z + dz, y + dy, x + dx
                    if w >= depth or v < 0 or v >= height or u < 0 or u >= width:
                        continue
                    other = numbers[w, v, u]
                    if other == piece:
                        continue
                    outer[piece] += weights[k]
                    gap = 0
                    while other == 0 and gap < reach[k] and bright[w, v, u]:
                        gap += 1
                        w, v, u = w + dz, v + dy, u + dx
                        if w >= depth or v < 0 or v >= height or u < 0 or u >= width:
                            break
                        other = numbers[w, v, u]
                    if other == 0:
                        continue
                    if other == piece:
                        outer[piece] -= weights[k]
                        continue
                    if 2 * used > keys.size:
                        keys, areas = roomier(keys, areas)
                    low, high = np.uint64(min(piece, other)), np.uint64(max(piece, other))
                    key = (low << np.uint64(32)) | high
                    at = place(keys, key)
                    used += keys[at] == 0
                    keys[at] = key
                    areas[at] += weights[k]
    kept = keys > 0
    return keys[kept], areas[kept]


_LEAST_CHANGE = -0.07  # of roundness, for pieces of one particle: -0.2 for two equal spheres
_LEAST_VOXELS = 4  # in a piece: fewer have no roundness
# Pieces of one particle, too: middles nearer than this fraction of what two spheres that touch
# have, and this fraction of the smaller one's surface facing the other. Of neighbors in a virtual
# cathode without cracks, hardly any pair is so near.
_NEAR, _FACING = 0.95, 0.2


def joined(
    pieces: np.ndarray, voxels: np.ndarray, faces: Faces, places_px: np.ndarray | None = None
) -> np.ndarray:
    """Join the pieces of cracked particles.

    Parameters
    ----------
    pieces : ndarray of int64, shape (1 + provisional,)
        To which piece, from 1, each provisional number belongs; 0 for 0.
    voxels : ndarray of int64, shape (1 + provisional,)
        How many voxels have each provisional number.
    faces : Faces
        Of the provisional numbers.
    places_px : ndarray, shape (1 + provisional, 3), optional
        Sums over the voxels of their places, in the shortest edge of a voxel; without them pieces
        are joined by their roundness alone.

    Returns
    -------
    ndarray of int64, shape (1 + piece,)
        Number, from 1 and without gaps, of the particle to which each piece belongs.
    """
    count = int(pieces.max(initial=0)) + 1
    size = np.bincount(pieces, voxels, count)
    outer = np.bincount(pieces, faces.outer, count)
    of = pieces.astype(np.uint32)
    first, second, common = of[faces.first], of[faces.second], faces.common
    within = first == second
    outer -= np.bincount(first[within], common[within], count)
    large = ~within & (np.minimum(size[first], size[second]) >= _LEAST_VOXELS)
    first, second, common = summed(first[large], second[large], common[large])
    body, place = np.arange(count), None
    if places_px is not None:
        place = np.stack([np.bincount(pieces, part, count) for part in places_px.T], axis=1)
    while first.size:
        change = _rounder(size * faces.volume_px, outer, first, second, common)
        if place is not None:
            facing = common / np.minimum(outer[first], outer[second])
            nearer = _NEAR - _apart(place, size, faces.volume_px, first, second)
            change = np.where(facing > _FACING, np.maximum(change, _LEAST_CHANGE + nearer), change)
        pairs = _best(change, first, second, count)
        if not pairs.any():
            break
        into, gone = first[pairs], second[pairs]
        size[into] += size[gone]
        if place is not None:
            place[into] += place[gone]
        outer[into] += outer[gone] - common[pairs]
        step = np.arange(count)
        step[gone] = into
        body = step[body]
        first, second, common = summed(step[first], step[second], common)
        differ = first != second
        first, second, common = first[differ], second[differ], common[differ]
    _, number = np.unique(body[1:], return_inverse=True)
    return np.append(0, number.ravel() + 1)


def _rounder(
    volume: np.ndarray,
    outer: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    common: np.ndarray,
) -> np.ndarray:
    """Give by how much two together are rounder than the rounder one (sphericity)."""
    whole = _roundness(volume[first] + volume[second], outer[first] + outer[second] - common)
    alone = _roundness(volume, outer)
    return np.asarray(whole - np.maximum(alone[first], alone[second]))


def _apart(
    place: np.ndarray, size: np.ndarray, volume_px: float, first: np.ndarray, second: np.ndarray
) -> np.ndarray:
    """Give the distance of two middles over that of two touching spheres of their volumes."""
    away = place[first] / size[first, None] - place[second] / size[second, None]
    radius = np.cbrt(0.75 / np.pi * volume_px * size)
    return np.asarray(np.linalg.norm(away, axis=1) / (radius[first] + radius[second]))


def _roundness(volume: np.ndarray, outer: np.ndarray) -> np.ndarray:
    surface = 2 * np.maximum(outer, 1) / UNIT
    return np.asarray(np.cbrt(36 * np.pi * volume**2) / surface)


def _best(change: np.ndarray, first: np.ndarray, second: np.ndarray, count: int) -> np.ndarray:
    """Mark the pairs that are the best, of those good enough, for both of their pieces."""
    good = np.flatnonzero(change > _LEAST_CHANGE)
    order = good[np.lexsort((second[good], first[good], -change[good]))]
    chosen = np.zeros(change.size, bool)
    _choose(order, first, second, np.zeros(count, bool), chosen)
    return chosen


@njit(cache=True, nogil=True)
def _choose(
    order: np.ndarray, first: np.ndarray, second: np.ndarray, taken: np.ndarray, chosen: np.ndarray
) -> None:
    for pair in order:
        a, b = first[pair], second[pair]
        chosen[pair] = not taken[a] and not taken[b]
        taken[a] = taken[b] = True
