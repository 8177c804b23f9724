"""Specks: isolated pieces of few voxels. In: a slab; out: their volume, from grey values.

A particle about as wide as the point spread brightens more voxels than it fills, and none of them
fully: few are labelled. What all of them exceed the electrolyte by, together, is as much as the
particle had without blur, but for the tail that reaches beyond the next voxels. Noise, or an arc
of a ring in one slice, does not hold that much.
"""

from __future__ import annotations

import numpy as np

from xct.parallel.kernels import njit
from xct.parallel.threads import over_ranges

THOUSANDTHS = 1000.0  # of a voxel: volumes are whole numbers, whatever the slabs
NEAR = 2  # slices that are looked at beyond those that are asked for
_MOST_VOXELS = 3
_ALONE = 2  # voxels along each axis within which there is no other piece


def specks(
    mask: np.ndarray, ratios: np.ndarray, inner: slice, level: float
) -> tuple[np.ndarray, np.ndarray]:
    """Give the voxels of specks, and the volume that each of them stands for.

    Parameters
    ----------
    mask : ndarray of bool, shape (z, y, x)
        Active material; valid `NEAR` slices beyond `inner`, where the volume goes on.
    ratios : ndarray of float32, shape (z, y, x)
        Grey values as multiples of the electrolyte.
    inner : slice
        Slices to look at.
    level : float
        Grey value of a wide particle.

    Returns
    -------
    index : ndarray of int64, shape (voxel,)
        Place in the flattened slices `inner`.
    volume : ndarray of int64, shape (voxel,)
        What it and its dark neighbors hold, in thousandths of a voxel.
    """
    isolated = np.zeros((inner.stop - inner.start, *mask.shape[1:]), bool)
    over_ranges(lambda a, b: _mark(mask, inner.start, isolated, a, b), len(isolated))
    index = np.flatnonzero(isolated)
    return index, _volumes(mask, ratios, inner.start, index, level)


@njit(cache=True, nogil=True)
def _mark(mask: np.ndarray, start: int, isolated: np.ndarray, first: int, stop: int) -> None:
    for z in range(first, stop):
        for y in range(mask.shape[1]):
            for x in range(mask.shape[2]):
                if mask[z + start, y, x]:
                    isolated[z, y, x] = _count(mask, z + start, y, x, _ALONE) <= _MOST_VOXELS


@njit(cache=True, nogil=True)
def _count(mask: np.ndarray, z: int, y: int, x: int, reach: int) -> int:
    """How many voxels of a cube are set; counting stops above `_MOST_VOXELS`."""
    found = 0
    for k in range(max(0, z - reach), min(mask.shape[0], z + reach + 1)):
        for j in range(max(0, y - reach), min(mask.shape[1], y + reach + 1)):
            for i in range(max(0, x - reach), min(mask.shape[2], x + reach + 1)):
                if mask[k, j, i]:
                    found += 1
                    if found > _MOST_VOXELS:
                        return found
    return found


@njit(cache=True, nogil=True)
def _volumes(
    mask: np.ndarray, ratios: np.ndarray, start: int, index: np.ndarray, level: float
) -> np.ndarray:
    """Sum what voxels exceed the electrolyte by; what touches several labelled ones is divided."""
    volumes = np.zeros(index.size, np.int64)
    height, width = mask.shape[1:]
    for n in range(index.size):
        z = index[n] // (height * width) + start
        y, x = index[n] // width % height, index[n] % width
        total = 0.0
        for k in range(max(0, z - 1), min(mask.shape[0], z + 2)):
            for j in range(max(0, y - 1), min(height, y + 2)):
                for i in range(max(0, x - 1), min(width, x + 2)):
                    if k == z and j == y and i == x:
                        total += ratios[k, j, i] - 1.0
                    elif not mask[k, j, i]:
                        total += (ratios[k, j, i] - 1.0) / _count(mask, k, j, i, 1)
        volumes[n] = np.int64(np.rint(THOUSANDTHS * total / (level - 1.0)))
    return volumes
