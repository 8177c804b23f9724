"""Measures particles in a pass over the volume. In: provisional numbers; out: sums, final ones.

Each worker adds up all particles' sums over its run of slices: one answer for each slab would take
gigabytes where there are a million particles.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from xct.geometry import Label
from xct.parallel.blocks import Block, Voxels, slabs
from xct.parallel.executors import map_blocks
from xct.parallel.sweeps import Sweep
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
    factor : float
        By what the width of the point spread is multiplied, see `core_blur_factor`.
    """

    job: Separation
    parts: tuple[Part, ...]
    final: np.ndarray
    count: int
    columns: Columns
    factor: float = 1.0

    @property
    def sigma(self) -> tuple[float, float, float]:
        """Standard deviation of what a voxel of a core takes its grey value from, in voxels."""
        job = self.job
        width = self.factor * max(job.blur_um, _LEAST_BLUR_PX * job.pixel_um)
        return triple(width / FWHM_PER_SIGMA / job.size)

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


def measuring_sweep(task: Measuring, numbers: Any, rows: int | None = None) -> Sweep:
    """Ask for the sums over each particle's voxels; `numbers` are the provisional ones."""
    job = task.job
    return Sweep(
        job.ratios,
        _measure_slab,
        (task, job.labels, numbers),
        overlap=task.overlap,
        rows=rows,
        begin=partial(new_sums, task.count),
    )


def finish(task: Measuring, numbers: Any) -> None:
    """Put each particle's number in place of its provisional ones."""
    map_blocks(_finish_slab, slabs(task.job.ratios.shape), task, numbers)


def _finish_slab(block: Block, task: Measuring, numbers: Any) -> None:
    numbers[block.first : block.stop] = task.particles(numbers, block.first, block.stop)


def _measure_slab(
    block: Block,
    grey: np.ndarray,
    task: Measuring,
    labels: Voxels,
    numbers: Any,
    added: tuple[np.ndarray, np.ndarray],
) -> None:
    """Add a slab's voxels to the sums."""
    sums, crossings = added
    part = task.particles(numbers, block.outer_first, block.outer_stop)
    before, after = block.inner.start, block.inner.stop
    if not part.any():
        return
    of = np.asarray(labels[block.outer])
    mask = (of == Label.ACTIVE_MATERIAL).astype(np.float32)
    recovery = gaussian(mask, task.sigma, block.inner)
    add_voxels(
        part, grey, recovery, _LEAST_RECOVERY, block.first, before, after,
        task.job.ratios.shape[0], task.columns.sign, task.columns.steel, sums,
    )  # fmt: skip
    add_crossings(part, of, before, after, sums, crossings)
    add_cavities(part, of, grey, task.job.level, before, after, sums)
