"""The pass over the volume that separates particles. In: labels, grey values; out: basins, pieces.

Each worker goes through a run of slices; within a run, what blocks look at beyond themselves is
made once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from xct.geometry import Label
from xct.normalize.grey_scale import Ratios
from xct.parallel.blocks import CHUNK_SLICES, Block, Voxels
from xct.parallel.counting import count, counting
from xct.parallel.executors import map_blocks, worker_count
from xct.parallel.rolling import Rolling, runs
from xct.segment.denoise import Triple, gaussian
from xct.segment.material.sharpened import blur_um
from xct.segment.particle.distance import distances
from xct.segment.particle.pieces import LEAST_BRIGHT, Faces, Facing
from xct.segment.particle.specks import NEAR, THOUSANDTHS, specks
from xct.segment.particle.watershed import Basins, Graph
from xct.statistics.gaussian import reach_px

HEIGHT_STEP = 0.01  # voxels: what heights are rounded to
_SMOOTH_PX = 0.85
_GREY_WEIGHT_PX = 2.0  # what the grey value of a pure particle counts, beside its distance
_SAMPLES = 16
_BLOCK_BYTES = 32 * 2**20  # of float32, in a block of a run
_FALLBACK_LEVEL = 8.6


@dataclass(frozen=True)
class Pieces:
    """What the first pass found.

    Attributes
    ----------
    graph : Graph
        Basins and the saddles between them.
    voxels : ndarray of int64, shape (1 + provisional,)
        Voxels of each provisional number.
    places : ndarray of int64, shape (1 + provisional, 3)
        Sums over these of z, y and x.
    held : ndarray of float64, shape (1 + provisional,)
        Volume in voxels of specks, by their grey values; 0 for others.
    faces : Faces
        How pieces face each other.
    parts : tuple of Part
        Where which provisional numbers were written.
    """

    graph: Graph
    voxels: np.ndarray
    places: np.ndarray
    held: np.ndarray
    faces: Faces
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Part:
    """Slices that were numbered together: `offset` is added to what was written there."""

    first: int
    stop: int
    offset: int
    count: int


@dataclass(frozen=True)
class Separation:
    """What is known before particles are separated.

    Attributes
    ----------
    ratios : Ratios
        The volume in multiples of the electrolyte.
    labels : Voxels, shape (z, y, x)
        Materials.
    largest_um : float
        Diameter up to which the distance from the surface counts.
    level : float
        Grey value of the particles, as a multiple of the electrolyte.
    rows : int
        Slices of a block.
    """

    ratios: Ratios
    labels: Voxels
    largest_um: float
    level: float
    rows: int

    @property
    def size(self) -> np.ndarray:
        """Edges of a voxel, µm."""
        return np.array(self.ratios.cell.voxel_size_um, float)

    @property
    def pixel_um(self) -> float:
        """The shortest edge of a voxel."""
        return float(self.size.min())

    @property
    def blur_um(self) -> float:
        """Width of the point spread (FWHM)."""
        return blur_um(self.ratios.reference, self.ratios.cell.voxel_size_um)

    @property
    def blur_px(self) -> float:
        """The same in voxels."""
        return self.blur_um / self.pixel_um

    @property
    def noise(self) -> float:
        """Standard deviation of a voxel, as a multiple of the electrolyte."""
        return self.ratios.noise(self.ratios.shape[0] / 2)

    def planes_of_labels(self) -> Rolling:
        """Give labels as they are asked for."""
        return Rolling(_Labels(self.labels), self.ratios.shape[0], CHUNK_SLICES)

    def planes_of_ratios(self) -> Rolling:
        """Give grey values as they are asked for."""
        return Rolling(self.ratios.read, self.ratios.shape[0], CHUNK_SLICES)


def separation(
    ratios: Ratios, labels: Voxels, largest_um: float, rows: int | None = None
) -> Separation:
    """Look at a sample of slices, and choose how high blocks are."""
    plane_bytes = 4 * int(np.prod(ratios.shape[1:]))
    height = rows or min(max(_BLOCK_BYTES // plane_bytes // CHUNK_SLICES, 1), 4) * CHUNK_SLICES
    return Separation(ratios, labels, largest_um, _level(ratios, labels), height)


def _level(ratios: Ratios, labels: Voxels) -> float:
    """Grey value of the particles, to weigh them: from slices over the whole volume."""
    depth = ratios.shape[0]
    values = []
    for z in np.unique(np.linspace(0, depth - 1, _SAMPLES + 2)[1:-1].astype(int)).tolist():
        active = np.asarray(labels[z : z + 1]) == Label.ACTIVE_MATERIAL
        if active.any():
            values.append(ratios.read(z, z + 1)[active])
    return float(np.percentile(np.concatenate(values), 75)) if values else _FALLBACK_LEVEL


class _Labels:
    """Reads slices of labels."""

    def __init__(self, labels: Voxels) -> None:
        self.labels = labels

    def __call__(self, first: int, stop: int) -> np.ndarray:
        return np.asarray(self.labels[first:stop])


class _Heights:
    """Distance and grey value as whole numbers, 0 outside of particles, made as asked for."""

    def __init__(self, job: Separation) -> None:
        depth = job.ratios.shape[0]
        labels, self.values = job.planes_of_labels(), job.planes_of_ratios()
        self._mask = Rolling(
            lambda first, stop: labels.planes(first, stop) == Label.ACTIVE_MATERIAL, depth
        )
        smooth = triple(_SMOOTH_PX * job.pixel_um / job.size)
        near = reach_px(smooth[0])
        limit = job.largest_um / 2 / job.pixel_um
        self.reach = int(np.ceil(job.largest_um / 2 / job.size[0])) + 2 + near
        distance = distances(self._mask, job.size / job.pixel_um, limit)
        rough = Rolling(partial(_weighed, self.values, distance, job.level), depth)
        self._heights = Rolling(partial(_rounded, rough, self._mask, near, smooth), depth)
        self._mask.keep(self.reach + NEAR)
        self.values.keep(near + 2 * NEAR)

    def any(self, first: int, stop: int) -> bool:
        """Return whether there are particles where heights of slices may depend on them."""
        return bool(self._mask.planes(first - self.reach, stop + self.reach).any())

    def planes(self, first: int, stop: int) -> np.ndarray:
        """Give slices."""
        return self._heights.planes(first, stop)


def _weighed(
    values: Rolling,
    distance: Callable[[int, int], np.ndarray],
    level: float,
    first: int,
    stop: int,
) -> np.ndarray:
    """Add grey values, as far as they are those of particles, to distances."""
    grey = values.planes(first, stop)
    weighed = distance(first, stop)
    for plane, slice_ in zip(weighed, grey, strict=True):
        plane += np.clip(slice_, 0, level) * np.float32(_GREY_WEIGHT_PX / level)
    return weighed


def _rounded(
    rough: Rolling, mask: Rolling, near: int, smooth: Triple, first: int, stop: int
) -> np.ndarray:
    """Smooth, and give whole numbers."""
    before = first - max(first - near, 0)
    around = rough.planes(first - near, stop + near)
    heights = gaussian(around, smooth, slice(before, before + stop - first))
    heights /= np.float32(HEIGHT_STEP)
    np.rint(heights, out=heights)
    np.clip(heights, 1, 65535, out=heights)
    heights *= mask.planes(first, stop)
    return np.asarray(heights, np.uint16)


def _tell_nobody(slices: int) -> None:
    """Take note of nothing."""


@dataclass(frozen=True)
class _Found:
    """What a run gave: pieces by numbers that count from 1 in it."""

    basins: Basins
    facing: Facing
    voxels: np.ndarray  # (provisional, 4): how many, and the sums of their z, y and x
    specks: tuple[np.ndarray, np.ndarray]  # their numbers, and thousandths of voxels


def separate(job: Separation, numbers: Any) -> Pieces:
    """Fill `numbers` with provisional ones, and give what is known of each."""
    blocks = runs(job.ratios.shape[0], worker_count())
    with counting(job.ratios.shape[0]):
        found = map_blocks(_separate_run, blocks, job, numbers, count)
    return _put_together(blocks, found, job)


def separate_here(job: Separation, numbers: np.ndarray) -> Pieces:
    """Do as `separate` does, of a volume that is small, without other workers."""
    blocks = runs(job.ratios.shape[0], 1)
    return _put_together(blocks, [_separate_run(block, job, numbers) for block in blocks], job)


def _put_together(blocks: list[Block], answers: list[_Found], job: Separation) -> Pieces:
    basins, facing = Basins(), Facing(job.size)
    voxels, parts = [np.zeros((1, 4), np.int64)], []
    held: list[tuple[np.ndarray, np.ndarray]] = []
    for block in blocks:
        found = answers.pop(0)  # so that nothing is in memory twice
        offset = basins.append(found.basins)
        facing.append(found.facing, offset)
        voxels.append(found.voxels[1:])
        held.append((found.specks[0] + offset, found.specks[1]))
        parts.append(Part(block.first, block.stop, offset, len(found.voxels) - 1))
    del found
    volumes = _held(held, basins.count)
    sums = np.concatenate(voxels)
    return Pieces(basins.graph(), sums[:, 0], sums[:, 1:], volumes, facing.faces(), tuple(parts))


def _separate_run(
    run: Block, job: Separation, numbers: Any, tell: Callable[[int], None] = _tell_nobody
) -> _Found:
    found, heights = _Run(job, Basins(), Facing(job.size)), _Heights(job)
    for first in range(run.first, run.stop, job.rows):
        stop = min(first + job.rows, run.stop)
        if heights.any(first, stop):
            numbers[first:stop] = found.add(first, stop, heights)
        else:
            numbers[first:stop] = found.add_nothing(first, stop)
        tell(stop - first)
    index, volume = (np.concatenate(some) for some in zip(*found.held, strict=True))
    return _Found(found.basins, found.facing, np.concatenate(found.voxels), (index, volume))


@dataclass
class _Run:
    """What a run has found so far."""

    job: Separation
    basins: Basins
    facing: Facing
    voxels: list[np.ndarray] = field(default_factory=lambda: [np.zeros((1, 4), np.int64)])
    held: list[tuple[np.ndarray, np.ndarray]] = field(
        default_factory=lambda: [(np.zeros(0, np.int64), np.zeros(0, np.int64))]
    )

    def add(self, first: int, stop: int, heights: _Heights) -> np.ndarray:
        """Give the voxels of a block numbers."""
        before, after = self._beyond(first, stop)
        low, level = max(first - NEAR, 0), self.job.level
        around = heights.planes(first - NEAR, stop + NEAR)
        values = heights.values.planes(first - NEAR, stop + NEAR)
        inner = slice(first - low, stop - low)
        index, volume = specks(around > 0, values, inner, level)
        seen = around[inner.start - before : inner.stop + after]
        tree = self.basins.add(seen, before, after, first)
        bright = values[inner] > np.float32(LEAST_BRIGHT * level)
        self.facing.add(tree, bright, self.basins.count)
        self.held.append((tree.reshape(-1)[index].astype(np.int64), volume))
        self.voxels.append(_voxels(tree, first, sum(map(len, self.voxels)), self.basins.count))
        return tree

    def add_nothing(self, first: int, stop: int) -> np.ndarray:
        """Take a block without particles."""
        before, after = self._beyond(first, stop)
        shape = before + stop - first + after, *self.job.ratios.shape[1:]
        tree = self.basins.add(np.zeros(shape, np.uint16), before, after, first)
        self.facing.add(tree, tree > 0, self.basins.count)
        return tree

    def _beyond(self, first: int, stop: int) -> tuple[int, int]:
        return int(first > 0), int(stop < self.job.ratios.shape[0])


def _voxels(tree: np.ndarray, first: int, before: int, count: int) -> np.ndarray:
    """Count the voxels of numbers `before` … `count`, and sum their places; 0 is none."""
    found = np.zeros((count + 1 - before, 4), np.int64)
    for z, plane in enumerate(tree, first):
        y, x = np.nonzero(plane)
        own = plane[y, x].astype(np.int64) - before
        voxels = np.bincount(own, minlength=len(found))
        found[:, 0] += voxels
        found[:, 1] += z * voxels
        for axis, places in ((2, y), (3, x)):
            found[:, axis] += np.bincount(own, places, len(found)).astype(np.int64)
    return found


def _held(parts: list[tuple[np.ndarray, np.ndarray]], count: int) -> np.ndarray:
    """Add up the volumes of each number; whole thousandths, so that their order is nothing."""
    numbers, volumes = (np.concatenate(some) for some in zip(*parts, strict=True))
    return np.bincount(numbers, volumes, minlength=count + 1) / THOUSANDTHS


def triple(values: np.ndarray) -> Triple:
    """Give three lengths along z, y and x as a tuple."""
    z, y, x = values.tolist()
    return z, y, x
