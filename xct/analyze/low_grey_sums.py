"""Sums over the voxels of low-grey regions. In: slabs; out: whole numbers, joined at seams."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xct.geometry import Label
from xct.parallel.kernels import njit
from xct.segment.crofton import DIRECTIONS

GREY_STEP = 1e-4  # of the electrolyte's attenuation
COUNT, Z, Y, X, ZZ, YY, XX, ZY, ZX, YX, GREY, DARK, OPEN, LITHIUM, FIELDS = range(15)

_DIRECTIONS = DIRECTIONS.astype(np.int64)
_SE, _LI = int(Label.ELECTROLYTE), int(Label.LITHIUM)


@dataclass
class Extent:
    """Lowest and highest projection of each region on 13 directions, in µm.

    Attributes
    ----------
    values : ndarray, shape (1 + region, 13, 2)
        Lowest, and the negative of the highest: both shrink as voxels are added.
    steps : ndarray, shape (13, 3)
        Projection of one voxel along z, y and x on each direction.
    """

    values: np.ndarray
    steps: np.ndarray

    @classmethod
    def of(cls, count: int, voxel_size_um: Sequence[float]) -> Extent:
        """Start with nothing, for `count` regions."""
        size = np.asarray(voxel_size_um, float)
        along = DIRECTIONS * size
        unit = along / np.linalg.norm(along, axis=1)[:, None]
        return cls(np.full((count + 1, len(DIRECTIONS), 2), np.inf), unit * size)

    def add(self, pieces: np.ndarray, first: int) -> None:
        """Add a slab's voxels."""
        place = np.argwhere(pieces)
        number = pieces[tuple(place.T)]
        z, y, x = place.T[:, :, None]
        s = self.steps.T
        projected = (z + first) * s[0] + y * s[1] + x * s[2]
        np.minimum.at(self.values[:, :, 0], number, projected)
        np.minimum.at(self.values[:, :, 1], number, -projected)


@dataclass(frozen=True)
class Total:
    """Sums, crossings and extents of whole regions, without the region 0."""

    sums: np.ndarray
    crossings: np.ndarray
    extents: np.ndarray


def joined(
    numbers: np.ndarray,
    count: int,
    sums: Sequence[np.ndarray],
    crossings: Sequence[np.ndarray],
    extents: Sequence[np.ndarray],
) -> Total:
    """Add up the pieces of each region.

    Parameters
    ----------
    numbers : ndarray, shape (piece,)
        Region of each piece, from 1.
    count : int
        How many regions.
    sums, crossings, extents : sequence of ndarray
        Of the pieces, slab by slab.
    """
    total = np.zeros((count, FIELDS), np.int64)
    crossed = np.zeros((count, len(DIRECTIONS)), np.int64)
    extent = np.full((count, len(DIRECTIONS), 2), np.inf)
    region = numbers.astype(np.int64) - 1
    np.add.at(total, region, np.concatenate([*sums, np.zeros((0, FIELDS), np.int64)]))
    np.add.at(crossed, region, np.concatenate([*crossings, crossed[:0]]))
    np.minimum.at(extent, region, np.concatenate([*extents, extent[:0]]))
    return Total(total, crossed, extent)


@njit(cache=True, nogil=True)
def add_low_grey(
    pieces: np.ndarray,
    region: np.ndarray,
    labels: np.ndarray,
    ratios: np.ndarray,
    first: int,
    start: int,
    sums: np.ndarray,
    crossings: np.ndarray,
) -> None:
    """Add each voxel of a slab: place, grey value, what is dark around it, and where it ends.

    `region`, `labels` and `ratios` begin `start` slices before `pieces`, which begin with the
    volume's slice `first`.
    """
    depth, height, width = region.shape
    for z in range(len(pieces)):
        for y in range(height):
            for x in range(width):
                p = pieces[z, y, x]
                if p == 0:
                    continue
                w = z + first
                row = sums[p]
                row[COUNT] += 1
                row[Z] += w
                row[Y] += y
                row[X] += x
                row[ZZ] += w * w
                row[YY] += y * y
                row[XX] += x * x
                row[ZY] += w * y
                row[ZX] += w * x
                row[YX] += y * x
                grey = np.int64(np.rint(ratios[z + start, y, x] / GREY_STEP))
                row[GREY] += grey
                row[DARK] += np.int64(np.rint(1 / GREY_STEP)) - grey
                for k in range(26):
                    d = _DIRECTIONS[k // 2]
                    turn = 1 - 2 * (k % 2)
                    c, b, a = z + start + turn * d[0], y + turn * d[1], x + turn * d[2]
                    if c < 0 or c >= depth or b < 0 or b >= height or a < 0 or a >= width:
                        row[OPEN] = 1
                        continue
                    if region[c, b, a]:
                        continue
                    crossings[p, k // 2] += 1
                    if labels[c, b, a] == _SE:
                        shared = _beside(region, c, b, a)
                        rest = (1 - ratios[c, b, a]) / shared
                        row[DARK] += np.int64(np.rint(rest / GREY_STEP))
                    else:
                        row[OPEN] = 1
                        if labels[c, b, a] == _LI:
                            row[LITHIUM] = 1


@njit(cache=True, nogil=True)
def _beside(region: np.ndarray, z: int, y: int, x: int) -> int:
    """Count how many neighbors of a voxel belong to a region."""
    depth, height, width = region.shape
    found = 0
    for c in range(max(z - 1, 0), min(z + 2, depth)):
        for b in range(max(y - 1, 0), min(y + 2, height)):
            for a in range(max(x - 1, 0), min(x + 2, width)):
                found += region[c, b, a]
    return found
