"""Particles that drifted off the cathode. In: strips of a band; out: their voxels, erased.

Particles are followed across strips: which of them are detached does not depend on the cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from xct.parallel.blocks import Block
from xct.parallel.kernels import njit
from xct.parallel.threads import over_ranges
from xct.segment.connected import Joiner, label_pieces, touching

_LEAST_VOXELS = 8
_AHEAD = 0.8  # of its diameter that a detached particle's middle lies ahead of the front
RIM = 2  # voxels that a particle's blur reaches
_FINE = 1024  # parts of a voxel in which distances are summed: integers, in any order
_FAR = 1_000_000.0  # voxels ahead, where there is no front


class Body(NamedTuple):
    """What distinguishes active material.

    Attributes
    ----------
    base : ndarray of float64, shape (s,)
        μ without active material, 1/cm.
    least_excess : float
        More than this above `base` is active material.
    stop : int
        s behind which all belongs to the cathode.
    """

    base: np.ndarray
    least_excess: float
    stop: int


class Pieces(NamedTuple):
    """Connected pieces of active material in a strip.

    Attributes
    ----------
    size, ahead : ndarray of int64, shape (1 + piece,)
        Voxels, and the sum of their distances ahead of the front (in 1/1024 voxel).
    attached : ndarray of bool, shape (1 + piece,)
        Connected with the middle of the cathode, as far as the strip shows.
    first, last : ndarray of uint32, shape (s, x)
        Pieces in the outermost rows.
    voxels : ndarray of int32, shape (voxel, 3)
        s, y and x in the volume of pieces that are, or may be, detached.
    owner : ndarray of uint32, shape (voxel,)
        Their pieces.
    """

    size: np.ndarray
    ahead: np.ndarray
    attached: np.ndarray
    first: np.ndarray
    last: np.ndarray
    voxels: np.ndarray
    owner: np.ndarray


def find_pieces(
    values: np.ndarray, first_row: int, front: np.ndarray, middle: np.ndarray, body: Body
) -> Pieces:
    """Find the pieces of active material in the rows of a strip.

    Parameters
    ----------
    values : ndarray of float32, shape (s, y, x)
        μ along s, 1/cm.
    first_row : int
        Row of the volume in which they begin.
    front, middle : ndarray of float64, shape (y, x)
        A first guess of the front, and the middle of the cathode, along s.
    body : Body
        What active material is.
    """
    labels, count = label_pieces(active_material(values, middle, body))
    size, ahead, attached = _measured(labels, middle, front, count)
    crossing = np.zeros(count + 1, bool)
    for edge in (labels[:, 0], labels[:, -1]):
        crossing[np.unique(edge)] = True
    candidate = ~attached & (crossing | _is_detached(size, ahead, attached))
    candidate[0] = False
    voxels = np.argwhere(candidate[labels]).astype(np.int32)
    owner = labels[tuple(voxels.T)]
    voxels[:, 1] += first_row
    return Pieces(size, ahead, attached, labels[:, 0], labels[:, -1], voxels, owner)


def detached_voxels(blocks: Sequence[Block], found: Sequence[Pieces]) -> np.ndarray:
    """Give s, y and x of all voxels of detached particles, shape (voxel, 3).

    A particle is detached that is not connected to the cathode's middle, and whose own middle
    lies ahead of the front by most of its diameter at least.

    Parameters
    ----------
    blocks : sequence of Block
        Rows of the strips, in order.
    found : sequence of Pieces
        Of each strip.
    """
    joiner = Joiner()
    before = [joiner.add(pieces.size.size - 1) for pieces in found]
    for (a, this), (b, following) in pairwise(enumerate(found)):
        if blocks[a].stop == blocks[b].first:
            pairs = touching(this.last, following.first)
            joiner.join(pairs[0] + before[a], pairs[1] + before[b])
    roots = joiner.roots()
    size, ahead, attached = (np.zeros(joiner.count + 1, np.int64) for _ in range(3))
    for start, pieces in zip(before, found, strict=True):
        root = roots[start + 1 : start + pieces.size.size]
        np.add.at(size, root, pieces.size[1:])
        np.add.at(ahead, root, pieces.ahead[1:])
        np.add.at(attached, root, pieces.attached[1:])
    detached = _is_detached(size, ahead, attached > 0)
    kept = [
        pieces.voxels[detached[roots[start + pieces.owner.astype(np.int64)]]]
        for start, pieces in zip(before, found, strict=True)
    ]
    return np.concatenate([np.empty((0, 3), np.int32), *kept])


def without_detached(
    values: np.ndarray, first_row: int, middle: np.ndarray, body: Body, voxels: np.ndarray
) -> np.ndarray:
    """Put the electrolyte's μ in place of detached particles and of their blur.

    Parameters
    ----------
    values : ndarray of float32, shape (s, y, x)
        μ along s, 1/cm; not changed.
    first_row : int
        Row of the volume in which they begin.
    middle : ndarray of float64, shape (y, x)
        The middle of the cathode along s.
    body : Body
        What active material is.
    voxels : ndarray of int, shape (voxel, 3)
        As `detached_voxels` gives them.

    Returns
    -------
    ndarray of float32, shape (s, y, x)
    """
    rows = values.shape[1]
    here = voxels[(voxels[:, 1] >= first_row) & (voxels[:, 1] < first_row + rows)]
    if not len(here):
        return values
    here = here - np.array([0, first_row, 0], here.dtype)
    mask = active_material(values, middle, body)
    mask[tuple(here.T)] = 0
    cleaned = values.copy()
    _erase(cleaned, body.base.astype(np.float32), mask, here)
    return cleaned


def active_material(values: np.ndarray, middle: np.ndarray, body: Body) -> np.ndarray:
    """Mark active material, and all that lies in the cathode's farther half, uint8."""
    mask = np.empty((body.stop, *values.shape[1:]), np.uint8)
    over_ranges(partial(_mark, values, middle, body, mask), body.stop)
    return mask


def _is_detached(size: np.ndarray, ahead: np.ndarray, attached: np.ndarray) -> np.ndarray:
    diameter = np.cbrt(6 / np.pi * size)
    far = ahead / _FINE > _AHEAD * diameter * np.maximum(size, 1)
    return np.asarray(~attached & (size >= _LEAST_VOXELS) & far)


@njit(cache=True, nogil=True)
def _mark(
    values: np.ndarray, middle: np.ndarray, body: Body, mask: np.ndarray, first: int, stop: int
) -> None:
    for s in range(first, stop):
        for y in range(mask.shape[1]):
            for x in range(mask.shape[2]):
                deep = middle[y, x] >= 0 and s >= middle[y, x]
                bright = middle[y, x] >= 0 and values[s, y, x] - body.base[s] > body.least_excess
                mask[s, y, x] = 1 if deep or bright else 0


@njit(cache=True, nogil=True)
def _measured(
    labels: np.ndarray, middle: np.ndarray, front: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    size, ahead = np.zeros(count + 1, np.int64), np.zeros(count + 1, np.int64)
    attached = np.zeros(count + 1, np.bool_)
    for s in range(labels.shape[0]):
        for y in range(labels.shape[1]):
            for x in range(labels.shape[2]):
                label = labels[s, y, x]
                if label == 0:
                    continue
                size[label] += 1
                away = front[y, x] - s
                ahead[label] += np.int64(np.rint((away if away < _FAR else _FAR) * _FINE))
                if s >= middle[y, x]:
                    attached[label] = True
    return size, ahead, attached


@njit(cache=True, nogil=True)
def _erase(values: np.ndarray, base: np.ndarray, mask: np.ndarray, voxels: np.ndarray) -> None:
    depth, rows, columns = mask.shape
    for number in range(len(voxels)):
        s, y, x = voxels[number]
        for k in range(max(0, s - RIM), min(depth, s + RIM + 1)):
            for j in range(max(0, y - RIM), min(rows, y + RIM + 1)):
                for i in range(max(0, x - RIM), min(columns, x + RIM + 1)):
                    if mask[k, j, i] == 0:
                        values[k, j, i] = base[k]
