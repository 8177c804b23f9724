"""Pieces of one cracked particle. In: how pieces face each other; out: which are one.

A crack parts a particle into pieces that face each other over a narrow gap as wide as they are:
together they are about as round as the rounder of them, or rounder. Two spheres that touch are
together less round than each, by a fifth where they are of one size.
"""

from __future__ import annotations

import numpy as np

from xct.compiling import njit
from xct.segment.particle_faces import UNIT, Faces, summed

_LEAST_CHANGE = -0.07  # of roundness, for pieces of one particle: -0.2 for two equal spheres
_LEAST_VOXELS = 4  # in a piece: fewer have no roundness


def joined(pieces: np.ndarray, voxels: np.ndarray, faces: Faces) -> np.ndarray:
    """Join the pieces of cracked particles.

    Parameters
    ----------
    pieces : ndarray of int64, shape (1 + provisional,)
        To which piece, from 1, each provisional number belongs; 0 for 0.
    voxels : ndarray of int64, shape (1 + provisional,)
        How many voxels have each provisional number.
    faces : Faces
        Of the provisional numbers.

    Returns
    -------
    ndarray of int64, shape (1 + piece,)
        Number, from 1 and without gaps, of the particle to which each piece belongs.
    """
    count = int(pieces.max(initial=0)) + 1
    size = np.bincount(pieces, voxels, count)
    outer = np.bincount(pieces, faces.outer, count)
    first, second, common = summed(pieces[faces.first], pieces[faces.second], faces.common)
    within = first == second
    outer -= np.bincount(first[within], common[within], count)
    large = ~within & (np.minimum(size[first], size[second]) >= _LEAST_VOXELS)
    first, second, common = first[large], second[large], common[large]
    body = np.arange(count)
    while first.size:
        change = _rounder(size * faces.volume_px, outer, first, second, common)
        pairs = _best(change, first, second, count)
        if not pairs.any():
            break
        into, gone = first[pairs], second[pairs]
        size[into] += size[gone]
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
    """Tell by how much two together are rounder than the rounder one (sphericity)."""
    whole = _roundness(volume[first] + volume[second], outer[first] + outer[second] - common)
    alone = _roundness(volume, outer)
    return np.asarray(whole - np.maximum(alone[first], alone[second]))


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
