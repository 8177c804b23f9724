"""Regions of the electrolyte that are darker than it. In: volume, labels; out: sums over each.

Sums over their voxels are whole numbers, so that they do not depend on where the volume was cut.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import scipy

from xct.analyze.filaments import REGION, joined_nodes, nodes_of
from xct.geometry import CellGeometry, Label, Surface
from xct.normalize.grey_scale import Ratios
from xct.normalize.reference import ElectrolyteReference
from xct.parallel.blocks import Block, Voxels
from xct.parallel.kernels import njit
from xct.parallel.sweeps import Asking, Sweep, sweeping
from xct.segment.connected import Pieces, join_slabs, label_pieces
from xct.segment.crofton import DIRECTIONS
from xct.segment.material.columns import Columns, find_columns

GREY_STEP = 1e-4  # of the electrolyte's attenuation, in which grey values are summed
_OVERLAP = 2  # slices: an electrolyte voxel beside an inclusion, and what is around that

# Sums over the voxels of a region; the last ones are flags.
COUNT, Z, Y, X, ZZ, YY, XX, ZY, ZX, YX, GREY, DARK, OPEN, LITHIUM, FRONT, FIELDS = range(16)
_FLAGS = (OPEN, LITHIUM, FRONT)

_DIRECTIONS = DIRECTIONS.astype(np.int64)
_SE, _LI = int(Label.ELECTROLYTE), int(Label.LITHIUM)


@sweeping
def low_grey_regions(
    volume: Voxels,
    labels: Voxels,
    cell: CellGeometry,
    surfaces: Mapping[str, Surface],
    reference: ElectrolyteReference,
    *,
    front_reach_um: float = 0.0,
    rows: int | None = None,
) -> Asking[Total]:
    """Sum over each low-grey region of the electrolyte, slab by slab.

    Parameters
    ----------
    volume, labels, cell, surfaces, reference
        As for `inclusions`.
    front_reach_um : float, optional
        What comes so near to the cathode's front, from above or from the side, is flagged as being
        at it: a pocket of the front is as full of the cathode's pores as what lies around it.
    rows : int, optional
        Height of a slab; the answer does not depend on it.
    """
    ratios, columns = Ratios(volume, cell, reference), find_columns(cell, surfaces)
    task = (labels, columns, cell.voxel_size_um, _begins(columns, front_reach_um, cell))
    return _joined((yield Sweep(ratios, _sum_slab, task, overlap=_OVERLAP, rows=rows)))


def _begins(columns: Columns, reach_um: float, cell: CellGeometry) -> np.ndarray:
    """Give the heights from which on something is at the front, shape (y, x), in voxels."""
    above, *aside = (reach_um / size for size in cell.voxel_size_um)
    width = [2 * round(reach) + 1 for reach in aside]
    beside = scipy.ndimage.minimum_filter(columns.front, width, mode="nearest")
    return np.minimum(columns.front - above, beside)


@dataclass(frozen=True)
class Total:
    """Sums over regions or pieces of them.

    Attributes
    ----------
    sums : ndarray of int64, shape (region, field)
        Over their voxels.
    crossings : ndarray of int64, shape (region, 13)
        How often lines along each of `DIRECTIONS` leave or enter them.
    extents : ndarray, shape (region, 13, 2)
        Lowest projection on each direction, µm, and the negative of the highest: both shrink as
        voxels are added.
    nodes : ndarray of int64, shape (node, field)
        Of `xct.analyze.filaments.nodes_of`, in the order of the regions.
    """

    sums: np.ndarray
    crossings: np.ndarray
    extents: np.ndarray
    nodes: np.ndarray

    @classmethod
    def of(cls, count: int) -> Total:
        """Start with nothing, for `count` regions."""
        return cls(
            np.zeros((count, FIELDS), np.int64),
            np.zeros((count, len(DIRECTIONS)), np.int64),
            np.full((count, len(DIRECTIONS), 2), np.inf),
            nodes_of(np.zeros((1, 1, 1), np.uint32), 0),
        )


class _Part(NamedTuple):
    """Pieces of regions in a slab, and sums over each."""

    total: Total
    pieces: Pieces


def _sum_slab(
    slab: Block,
    ratios: np.ndarray,
    labels: Voxels,
    columns: Columns,
    voxel_size_um: Sequence[float],
    begins: np.ndarray,
) -> _Part:
    depth = labels.shape[0]
    low, high = columns.rows(columns.lithium, columns.front, depth)
    if slab.stop <= low or slab.first >= high:
        return _Part(Total.of(0), Pieces.of(np.zeros((1, *labels.shape[1:]), np.uint32), 0))
    around = np.asarray(labels[slab.outer])
    region = around == Label.LOW_GREY
    at_front = np.zeros_like(region)
    for k in np.flatnonzero(region.any(axis=(1, 2))).tolist():
        height = columns.height(slab.outer_first + k)
        region[k] &= (height >= columns.lithium) & (height < columns.front)
        at_front[k] = region[k] & (height >= begins)
    numbers, count = label_pieces(region[slab.inner])
    total = Total.of(count)
    if count:
        total.sums[np.unique(numbers[at_front[slab.inner]]) - 1, FRONT] = 1
        seen = _Seen(region, around, ratios)
        _add(numbers, seen, slab.first, slab.inner.start, total.sums, total.crossings)
        _extend(total.extents, numbers, slab.first, voxel_size_um)
        total = replace(total, nodes=nodes_of(numbers, slab.first))
    return _Part(total, Pieces.of(numbers, count))


def _extend(
    extents: np.ndarray, numbers: np.ndarray, first: int, voxel_size_um: Sequence[float]
) -> None:
    """Extend pieces to their voxels; the slab begins with slice `first`."""
    size = np.asarray(voxel_size_um, float)
    along = DIRECTIONS * size
    steps = (along / np.linalg.norm(along, axis=1)[:, None] * size).T
    place = np.argwhere(numbers)
    number = numbers[tuple(place.T)] - 1
    z, y, x = place.T[:, :, None]
    projected = (z + first) * steps[0] + y * steps[1] + x * steps[2]
    np.minimum.at(extents[:, :, 0], number, projected)
    np.minimum.at(extents[:, :, 1], number, -projected)


def _joined(found: Sequence[_Part]) -> Total:
    """Add up the pieces of each region, in the order of their first voxels."""
    joiner, before = join_slabs([part.pieces for part in found])
    numbers, count = joiner.numbers()
    region, total = numbers[1:].astype(np.int64) - 1, Total.of(count)
    np.add.at(total.sums, region, np.concatenate([part.total.sums for part in found]))
    total.sums[:, _FLAGS] = np.minimum(total.sums[:, _FLAGS], 1)
    np.add.at(total.crossings, region, np.concatenate([part.total.crossings for part in found]))
    np.minimum.at(total.extents, region, np.concatenate([part.total.extents for part in found]))
    nodes = [part.total.nodes.copy() for part in found]
    for own, start in zip(nodes, before, strict=True):
        own[:, REGION] = region[own[:, REGION] + start]
    empty = Total.of(0).nodes
    return replace(total, nodes=joined_nodes(np.concatenate([empty, *nodes])))


class _Seen(NamedTuple):
    """A slab and what lies around it: the regions, labels, and multiples of the electrolyte."""

    region: np.ndarray
    labels: np.ndarray
    ratios: np.ndarray


@njit(cache=True, nogil=True)
def _add(
    numbers: np.ndarray,
    seen: _Seen,
    first: int,
    start: int,
    sums: np.ndarray,
    crossings: np.ndarray,
) -> None:
    """Add each voxel of a slab: place, grey value, what is dark around it, and where it ends.

    The slab begins with the volume's slice `first`, `start` slices after what is seen.
    """
    region, labels, ratios = seen
    depth, height, width = region.shape
    for z in range(len(numbers)):
        for y in range(height):
            for x in range(width):
                if numbers[z, y, x] == 0:
                    continue
                p = numbers[z, y, x] - 1
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
                        beside = _beside(region, c, b, a)
                        rest = (1 - ratios[c, b, a]) / beside
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
