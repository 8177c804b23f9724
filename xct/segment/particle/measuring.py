"""The pass over the volume that measures particles. In: provisional numbers; out: final ones, sums.

Each worker goes through a run of slices; within a run, what blocks look at beyond themselves is
made once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from xct.geometry import Label
from xct.parallel.blocks import Block
from xct.parallel.executors import map_blocks, worker_count
from xct.parallel.rolling import Rolling, runs
from xct.physics.optics import FWHM_PER_SIGMA
from xct.segment.denoise import gaussian
from xct.segment.material.columns import Columns
from xct.segment.particle.separation import Part, Separation, triple
from xct.segment.particle.sums import (
    REACH,
    add_cavities,
    add_crossings,
    add_voxels,
    new_sums,
)
from xct.statistics.gaussian import reach_px

_LEAST_RECOVERY = 0.85  # of what the point spread takes from active material
_LEAST_BLUR_PX = 1.3  # FWHM: voxels of a face are partly of something else, however sharp


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
        return triple(max(job.blur_um, _LEAST_BLUR_PX * job.pixel_um) / FWHM_PER_SIGMA / job.size)

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
    job, run = task.job, seen.run
    sums, crossings = new_sums(task.count)
    windows = _Around(
        Rolling(partial(_particles, seen, task, numbers), job.ratios.shape[0]),
        job.planes_of_labels(),
        job.planes_of_ratios(),
    )
    for first in range(run.first, run.stop, job.rows):
        stop = min(first + job.rows, run.stop)
        numbers[first:stop] = _measure_block(task, first, stop, windows, sums, crossings)
    return sums, crossings


@dataclass(frozen=True)
class _Around:
    """Windows on what sums are made of."""

    particles: Rolling
    labels: Rolling
    ratios: Rolling


def _particles(seen: _Seen, task: Measuring, numbers: Any, first: int, stop: int) -> np.ndarray:
    """Give the particles in slices of a run, and around it."""
    run, start = seen.run, seen.run.first - len(seen.before)
    middle = task.particles(numbers, max(first, run.first), min(stop, run.stop))
    before = seen.before[max(first - start, 0) : max(stop - start, 0)]
    after = seen.after[max(first - run.stop, 0) : max(stop - run.stop, 0)]
    return np.concatenate([before, middle, after]) if len(before) + len(after) else middle


def _measure_block(
    task: Measuring,
    first: int,
    stop: int,
    windows: _Around,
    sums: np.ndarray,
    crossings: np.ndarray,
) -> np.ndarray:
    """Add a block's voxels to the sums; give its particles."""
    job, overlap = task.job, task.overlap
    outer = max(first - overlap, 0), stop + overlap
    before, after = first - outer[0], stop - outer[0]
    part = windows.particles.planes(*outer)
    inner: np.ndarray = part[before:after]
    if not part.any():
        return inner
    of, grey = windows.labels.planes(*outer), windows.ratios.planes(*outer)
    mask = (of == Label.ACTIVE_MATERIAL).astype(np.float32)
    recovery = gaussian(mask, task.sigma, slice(before, after))
    add_voxels(
        part, grey, recovery, _LEAST_RECOVERY, first, before, after, job.ratios.shape[0],
        task.columns.sign, task.columns.steel, sums,
    )  # fmt: skip
    add_crossings(part, of, before, after, sums, crossings)
    add_cavities(part, of, grey, job.level, before, after, sums)
    return inner
