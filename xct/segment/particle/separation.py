"""Both passes over the volume that separate particles: basins, then numbers and sums.

Each worker goes through a run of slices; within a run, what blocks look at beyond themselves is
made once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from xct.geometry import Label
from xct.normalize.grey_scale import Ratios
from xct.parallel.blocks import CHUNK_SLICES, Block, Voxels
from xct.parallel.executors import map_blocks, worker_count
from xct.parallel.rolling import Rolling, runs
from xct.physics.optics import FWHM_PER_SIGMA
from xct.segment.denoise import Triple, gaussian
from xct.segment.material.columns import Columns
from xct.segment.material.sharpened import blur_um
from xct.segment.particle.distance import distances
from xct.segment.particle.pieces import LEAST_BRIGHT, Faces, Facing
from xct.segment.particle.specks import NEAR, THOUSANDTHS, specks
from xct.segment.particle.sums import (
    REACH,
    add_cavities,
    add_crossings,
    add_voxels,
    new_sums,
)
from xct.segment.particle.watershed import Basins, Graph
from xct.statistics.gaussian import reach_px

HEIGHT_STEP = 0.01  # voxels: what heights are rounded to
_SMOOTH_PX = 0.85
_GREY_WEIGHT_PX = 2.0  # what the grey value of a pure particle counts, beside its distance
_LEAST_RECOVERY = 0.85  # of what the point spread takes from active material
_LEAST_BLUR_PX = 1.3  # FWHM: voxels of a face are partly of something else, however sharp
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
    held : ndarray of float64, shape (1 + provisional,)
        Volume in voxels of specks, by their grey values; 0 for others.
    faces : Faces
        How pieces face each other.
    parts : tuple of Part
        Where which provisional numbers were written.
    """

    graph: Graph
    voxels: np.ndarray
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
        smooth = _triple(_SMOOTH_PX * job.pixel_um / job.size)
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


def _weighed(values: Rolling, distance: Rolling, level: float, first: int, stop: int) -> np.ndarray:
    """Add grey values, as far as they are those of particles, to distances."""
    weighed: np.ndarray = np.clip(values.planes(first, stop), 0, level)
    weighed *= np.float32(_GREY_WEIGHT_PX / level)
    weighed += distance.planes(first, stop)
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


@dataclass(frozen=True)
class _Found:
    """What a run gave: pieces by numbers that count from 1 in it."""

    basins: Basins
    facing: Facing
    voxels: np.ndarray
    specks: tuple[np.ndarray, np.ndarray]  # their numbers, and thousandths of voxels


def separate(job: Separation, numbers: Any) -> Pieces:
    """Fill `numbers` with provisional ones, and give what is known of each."""
    blocks = runs(job.ratios.shape[0], worker_count())
    basins, facing = Basins(), Facing(job.size)
    voxels, parts = [np.zeros(1, np.int64)], []
    held: list[tuple[np.ndarray, np.ndarray]] = []
    for block, found in zip(blocks, map_blocks(_separate_run, blocks, job, numbers), strict=True):
        offset = basins.append(found.basins)
        facing.append(found.facing, offset)
        voxels.append(found.voxels[1:])
        held.append((found.specks[0] + offset, found.specks[1]))
        parts.append(Part(block.first, block.stop, offset, found.voxels.size - 1))
    return Pieces(
        basins.graph(),
        np.concatenate(voxels),
        _held(held, basins.count),
        facing.faces(),
        tuple(parts),
    )


def _separate_run(run: Block, job: Separation, numbers: Any) -> _Found:
    depth = job.ratios.shape[0]
    basins, facing, heights = Basins(), Facing(job.size), _Heights(job)
    voxels = [np.zeros(1, np.int64)]
    held = [(np.zeros(0, np.int64), np.zeros(0, np.int64))]
    for first in range(run.first, run.stop, job.rows):
        stop = min(first + job.rows, run.stop)
        before, after = int(first > 0), int(stop < depth)
        if not heights.any(first, stop):
            nothing = np.zeros((before + stop - first + after, *job.ratios.shape[1:]), np.uint16)
            tree = basins.add(nothing, before, after, first)
            facing.add(tree, tree > 0, basins.count)
            numbers[first:stop] = tree
            continue
        low = max(first - NEAR, 0)
        around = heights.planes(first - NEAR, stop + NEAR)
        values = heights.values.planes(first - NEAR, stop + NEAR)
        inner = slice(first - low, stop - low)
        index, volume = specks(around > 0, values, inner, job.level)
        seen = around[inner.start - before : inner.stop + after]
        tree = basins.add(np.ascontiguousarray(seen), before, after, first)
        numbers[first:stop] = tree
        bright = values[inner] > np.float32(LEAST_BRIGHT * job.level)
        facing.add(tree, bright, basins.count)
        held.append((tree.reshape(-1)[index].astype(np.int64), volume))
        done = sum(len(v) for v in voxels)
        part = tree[tree > 0].astype(np.int64) - done
        voxels.append(np.bincount(part, minlength=basins.count + 1 - done).astype(np.int64))
    index, volume = (np.concatenate(some) for some in zip(*held, strict=True))
    return _Found(basins, facing, np.concatenate(voxels), (index, volume))


@dataclass(frozen=True)
class Measuring:
    """What is known before particles are measured.

    Attributes
    ----------
    job : Separation
        How they were separated.
    parts : tuple of Part
        Where which provisional numbers were written.
    final : ndarray of uint32, shape (1 + provisional,)
        The particle of each provisional number.
    count : int
        How many particles there are.
    columns : Columns
        Where the layers lie.
    """

    job: Separation
    parts: tuple[Part, ...]
    final: np.ndarray
    count: int
    columns: Columns

    @property
    def sigma(self) -> tuple[float, float, float]:
        """Standard deviation of what a voxel of a core takes its grey value from, in voxels."""
        job = self.job
        return _triple(max(job.blur_um, _LEAST_BLUR_PX * job.pixel_um) / FWHM_PER_SIGMA / job.size)

    @property
    def overlap(self) -> int:
        """Slices beyond a block that its sums depend on."""
        return max(REACH, reach_px(self.sigma[0]))

    def particles(self, numbers: Any, first: int, stop: int) -> np.ndarray:
        """Read provisional numbers, and give those of the particles."""
        found = [np.zeros((0, *self.job.ratios.shape[1:]), np.uint32)]
        for part in self.parts:
            low, high = max(first, part.first), min(stop, part.stop)
            if low < high:
                own = self.final[part.offset : part.offset + part.count + 1].copy()
                own[0] = 0
                found.append(own[np.asarray(numbers[low:high])])
        return np.concatenate(found) if len(found) > 2 else found[-1]


@dataclass(frozen=True)
class _Seen:
    """A run, and the particles in the slices around it, which other workers write meanwhile."""

    run: Block
    before: np.ndarray
    after: np.ndarray


def measure(task: Measuring, numbers: Any) -> tuple[np.ndarray, np.ndarray]:
    """Make the numbers final, and sum over each particle's voxels."""
    depth, overlap = task.job.ratios.shape[0], task.overlap
    blocks = [
        _Seen(
            run,
            task.particles(numbers, max(run.first - overlap, 0), run.first),
            task.particles(numbers, run.stop, min(run.stop + overlap, depth)),
        )
        for run in runs(depth, worker_count())
    ]
    sums, crossings = new_sums(task.count)
    for added in map_blocks(_measure_run, blocks, task, numbers):
        sums += added[0]
        crossings += added[1]
    return sums, crossings


def _measure_run(seen: _Seen, task: Measuring, numbers: Any) -> tuple[np.ndarray, np.ndarray]:
    job, run, overlap = task.job, seen.run, task.overlap
    depth = job.ratios.shape[0]
    sums, crossings = new_sums(task.count)
    labels, ratios = job.planes_of_labels(), job.planes_of_ratios()

    def particles(first: int, stop: int) -> np.ndarray:
        middle = task.particles(numbers, max(first, run.first), min(stop, run.stop))
        start = run.first - len(seen.before)
        before = seen.before[max(first - start, 0) : max(stop - start, 0)]
        after = seen.after[max(first - run.stop, 0) : max(stop - run.stop, 0)]
        return np.concatenate([before, middle, after])

    window = Rolling(particles, depth)
    for first in range(run.first, run.stop, job.rows):
        stop = min(first + job.rows, run.stop)
        part = window.planes(first - overlap, stop + overlap)
        low = max(first - overlap, 0)
        before, after = first - low, stop - low
        numbers[first:stop] = part[before:after]
        if not part.any():
            continue
        of, grey = (some.planes(first - overlap, stop + overlap) for some in (labels, ratios))
        mask = (of == Label.ACTIVE_MATERIAL).astype(np.float32)
        recovery = gaussian(mask, task.sigma, slice(before, after))
        add_voxels(
            part, grey, recovery, _LEAST_RECOVERY, first, before, after, depth,
            task.columns.sign, task.columns.steel, sums,
        )  # fmt: skip
        add_crossings(part, of, before, after, sums, crossings)
        add_cavities(part, of, grey, job.level, before, after, sums)
    return sums, crossings


def _held(parts: list[tuple[np.ndarray, np.ndarray]], count: int) -> np.ndarray:
    """Add up the volumes of each number; whole thousandths, so that their order is nothing."""
    numbers, volumes = (np.concatenate(some) for some in zip(*parts, strict=True))
    return np.bincount(numbers, volumes, minlength=count + 1) / THOUSANDTHS


def _triple(values: np.ndarray) -> tuple[float, float, float]:
    z, y, x = values.tolist()
    return z, y, x
