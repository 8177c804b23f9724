"""Width of the point spread as particles show it. In: particles, grey values; out: a factor.

What is put back of the point spread into the grey value of a core rests on the particle's labels
and on the width that was measured at the wall of the bore. Along z the width may be another, noise
moves labels, and facets are not where labels have them: by a tenth of the width, a core of five to
eight voxels reads 300 grey values wrong. With the right width, voxels beneath a particle's surface
give the same value as those in its middle.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from xct.geometry import Label
from xct.segment.denoise import gaussian
from xct.segment.particle.measuring import Measuring

_FACTORS = (0.8, 0.87, 0.94, 1.0, 1.06, 1.13, 1.2)
# Of active material in what the point spread takes: voxels that are compared, and those deeper.
# Beneath the surface a Gaussian puts back too much, at the rim of the core too little: both count.
_BANDS = ((0.6, 0.85, 0.93), (0.85, 0.94, 0.965))
_LEAST_VOXELS, _LEAST_PARTICLES = 4, 100
_SAMPLES, _BLOCKS, _SLICES, _WIDE_PX = 24, 6, 8, 256
_OF_MOST = 0.5  # slices with so much of the most active material are looked at


def core_blur_factor(task: Measuring, numbers: Any) -> float:
    """Measure by what the width of the point spread is to be multiplied where cores are read.

    Parameters
    ----------
    task : Measuring
        What is known before particles are measured.
    numbers : Voxels of uint32, shape (z, y, x)
        Provisional numbers of particles.

    Returns
    -------
    float
        1 where too few particles are large enough to tell.
    """
    sums = np.zeros((len(_BANDS), len(_FACTORS), 4, task.count + 1))
    for z in _middles(task):
        _add_block(task, numbers, z, sums)
    found = [_even(of_band) for of_band in sums]
    return float(np.mean(found)) if np.isfinite(found).all() else 1.0


def _even(sums: np.ndarray) -> float:
    """Give the factor at which deeper voxels have the same value; NaN for too few particles."""
    uneven = []
    for value, shallow, below, deep in sums:
        both = (shallow >= _LEAST_VOXELS) & (deep >= _LEAST_VOXELS)
        if np.count_nonzero(both) < _LEAST_PARTICLES:
            return float("nan")
        # Medians: cavities and cracks darken some.
        difference = value[both] / shallow[both] - below[both] / deep[both]
        uneven.append(float(np.median(difference)))
    # A width too large puts back too much near the surface.
    return float(np.interp(0.0, np.maximum.accumulate(uneven), _FACTORS))


def _middles(task: Measuring) -> list[int]:
    """Choose slices of the cathode, spread over it."""
    depth = task.job.ratios.shape[0]
    slices = np.unique(np.linspace(0, depth - 1, _SAMPLES).astype(int))
    labels = task.job.labels
    active = [np.count_nonzero(np.asarray(labels[z]) == Label.ACTIVE_MATERIAL) for z in slices]
    full = slices[np.array(active) > _OF_MOST * max(active)]
    some = np.linspace(0, len(full) - 1, min(_BLOCKS, len(full))).round().astype(int)
    return full[some].tolist() if len(full) else []


def _add_block(task: Measuring, numbers: Any, middle: int, sums: np.ndarray) -> None:
    """Add the voxels of a few slices: values and counts beneath the surface, and in the middle."""
    job = task.job
    reach = task.overlap
    first, stop = max(middle - _SLICES // 2, 0), min(middle + _SLICES // 2, job.ratios.shape[0])
    low, high = max(first - reach, 0), min(stop + reach, job.ratios.shape[0])
    part = _window(job.ratios.shape[1:])
    inner = slice(first - low, stop - low)
    of = task.particles(numbers, first, stop)[(slice(None), *part)]
    grey = job.ratios.read(first, stop, part[0])[..., part[1]]
    active = np.asarray(job.labels[low:high])[(slice(None), *part)] == Label.ACTIVE_MATERIAL
    mask = np.ascontiguousarray(active, np.float32)
    own = of > 0
    particle, value = of[own], grey[own].astype(float)
    z, y, x = task.sigma
    for k, factor in enumerate(_FACTORS):
        recovery = gaussian(mask, (factor * z, factor * y, factor * x), inner)[own].astype(float)
        alone = (value - 1) / np.maximum(recovery, _BANDS[0][0]) + 1
        for (least, most, deep), added in zip(_BANDS, sums[:, k], strict=True):
            bands = ((recovery >= least) & (recovery < most), recovery >= deep)
            for place, chosen in zip((0, 2), bands, strict=True):
                added[place] += np.bincount(particle[chosen], alone[chosen], task.count + 1)
                added[place + 1] += np.bincount(particle[chosen], minlength=task.count + 1)


def _window(shape: tuple[int, ...]) -> tuple[slice, ...]:
    """Give the middle of a slice; half-way to the rim where slices are wide, and noise less."""
    beyond_y, beyond_x = (max(length - _WIDE_PX, 0) for length in shape)
    y, x = beyond_y // 2, beyond_x // (4 if beyond_x > _WIDE_PX else 2)
    return slice(y, y + _WIDE_PX), slice(x, x + _WIDE_PX)
