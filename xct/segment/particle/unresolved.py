"""Cracks and cavities too fine to be labelled. In: particles, the noise of planes; out: fractions.

A crack much narrower than the point spread takes from a core's mean what it opens of it, and from
the voxels beside it more than from others: their grey values scatter by more than noise does. How
much more tells what the mean lacks, but for the shape of what opened.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy

from xct.geometry import CellGeometry
from xct.normalize.reference import ElectrolyteReference

if TYPE_CHECKING:
    import pandas as pd

# What a core lacks, over the standard deviation of its grey values, both relative to the mean, for
# a particle as wide as the point spread: at most (95 %), in the median, and by what fraction that
# differs from particle to particle (sd). The less of a particle is core, the less is seen. From
# the virtual cells ncm-0 and ncm-100 of seed 0.
_MOST, _TYPICAL, _SHAPES = 7.0, 4.4, 0.3
# For a particle that is much wider: at most, where cracks cross in its core; and between one plane
# and two that open it, which scatter it by √(diameter / blur) / 1.5 of that, and / 2.1.
_FLAT, _PLANES = 0.2, 1.8
_ONE_SIDED = 1.645  # standard deviations beyond which 5 % lie
# What rings and the labels' own errors scatter a core by, in units of the noise of quanta.
_ROUGHER = 1.1
_RINGS = 8  # of equal width, from the axis to the wall: rings of the detector are strong in few
_QUIET, _LEAST_VOXELS, _LEAST_CORES = 0.1, 16, 20  # the quietest of well-known cores
_LEAST_CORE = 8  # voxels, below which their scatter says nothing
_DIRECTIONS = 64  # of rays through a voxel, over a quarter of a turn
_ALL = 0.9  # no particle is emptier


@dataclass(frozen=True)
class Unresolved:
    """Fraction of each core that is open, unseen by labels; arrays (particle,).

    Attributes
    ----------
    fraction : ndarray
        What is seen of it: 0 where grey values scatter like noise, NaN where no core tells.
    sd : ndarray
        Its standard uncertainty.
    at_most : ndarray
        Upper bound (95 %); NaN where no core tells.
    """

    fraction: np.ndarray
    sd: np.ndarray
    at_most: np.ndarray


def unresolved_voids(
    particles: pd.DataFrame,
    mean: np.ndarray,
    scatter: np.ndarray,
    noise: np.ndarray,
    blur_um: float,
    radius: np.ndarray | None = None,
    depth: np.ndarray | float = 0.0,
) -> Unresolved:
    """Measure what cracks and cavities take from the mean of each core.

    Parameters
    ----------
    particles : DataFrame
        With ``core_voxels``, ``core_share`` and ``equivalent_diameter_um``.
    mean, scatter : ndarray, shape (particle,)
        Of the grey values of a core, above air; the standard deviation in the unit of the mean.
    noise : ndarray, shape (particle,)
        Standard deviation of a voxel's noise there, in the same unit.
    blur_um : float
        Width of the point spread (FWHM).
    radius : ndarray, shape (particle,), optional
        Distance from the axis, the bore's radius being 1; all at the wall unless given.
    depth : ndarray, shape (particle,), optional
        Line integral through the bore in the plane of each particle.
    """
    count = particles["core_voxels"].to_numpy(float)
    noise = noise / particles["core_share"].to_numpy(float)
    away = np.ones(count.shape) if radius is None else radius
    rough = _ROUGHER * _over_that_at_the_wall(away, np.broadcast_to(depth, away.shape))
    noise = noise * np.minimum(_quiet_cores(count, scatter, noise, away), rough)
    with np.errstate(invalid="ignore", divide="ignore"):
        beyond = np.maximum((scatter**2 - noise**2) / mean**2, 0)
        chance = np.sqrt(2 / (count - 1)) * (noise / mean) ** 2
        shape = blur_um / particles["equivalent_diameter_um"].to_numpy(float)
        slope = np.maximum(_TYPICAL * shape, _PLANES * np.sqrt(shape))
        seen = slope * np.sqrt(np.maximum(beyond - chance, 0))
        by_chance = slope * (np.sqrt(beyond + chance) - np.sqrt(beyond))
        sd = np.hypot(_SHAPES * seen, by_chance)
        most = (_MOST * shape + _FLAT) * np.sqrt(beyond + _ONE_SIDED * chance)
    known = (count >= _LEAST_CORE) & np.isfinite(sd)
    some = np.minimum(seen, _ALL), sd, np.minimum(most, _ALL)
    return Unresolved(*(np.where(known, values, np.nan) for values in some))


def _quiet_cores(
    count: np.ndarray, scatter: np.ndarray, noise: np.ndarray, radius: np.ndarray
) -> np.ndarray:
    """Scatter of the quietest cores, which are whole if any are, over the noise of a voxel.

    Ring by ring, (particle,); that of all where a ring holds too few.
    """
    usable = (count >= _LEAST_VOXELS) & np.isfinite(scatter) & (noise > 0)
    if np.count_nonzero(usable) < _LEAST_CORES:
        return np.ones(count.shape)
    free = count[usable] - 1
    by_chance = scipy.stats.chi2.ppf(_QUIET, free) / free
    ratio = (scatter[usable] / noise[usable]) ** 2 / by_chance
    ring = np.clip((radius * _RINGS).astype(int), 0, _RINGS - 1)
    level = np.full(_RINGS, np.quantile(ratio, _QUIET))
    for number in range(_RINGS):
        own = ratio[ring[usable] == number]
        if own.size >= _LEAST_CORES:
            level[number] = np.quantile(own, _QUIET)
    return np.asarray(np.sqrt(level)[ring])


def _over_that_at_the_wall(radius: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Noise of a voxel over that of one at the wall: rays near the axis all pass the whole bore."""
    across = np.sin(np.linspace(0, np.pi / 2, _DIRECTIONS))

    def noise(away: np.ndarray) -> np.ndarray:
        variance = np.zeros(away.shape)
        for side in across:
            chord = np.sqrt(np.maximum(1 - (away * side) ** 2, 0))
            variance += np.exp(depth * (chord - 1))
        return np.sqrt(variance)

    return np.asarray(noise(np.clip(radius, 0, 1)) / noise(np.ones(radius.shape)))


def quantum_noise(
    reference: ElectrolyteReference, cell: CellGeometry, transmission: np.ndarray
) -> np.ndarray:
    """Give the noise of a voxel in each slice, 1/cm, from that of the electrolyte's slices.

    What is stated for the cathode's own slices holds the scatter of its particles. Quanta make
    noise as 1/√transmission.

    Parameters
    ----------
    reference : ElectrolyteReference
        With the noise, slice by slice or everywhere.
    cell : CellGeometry
        Where the layers lie.
    transmission : ndarray, shape (z,)
        Of each plane.
    """
    if np.ndim(reference.noise_per_cm) == 0:
        return np.full(transmission.shape, float(reference.noise_per_cm))
    scaled = np.asarray(reference.noise_per_cm, float) * np.sqrt(transmission)
    faces = [
        cell.planes[name].height_um / cell.voxel_size_um[0]
        for name in ("lithium_electrolyte", "electrolyte_cathode")
        if name in cell.planes
    ]
    among = np.arange(scaled.size)
    layer = np.ones(scaled.size, bool)
    if len(faces) == 2:
        layer = (among > min(faces)) & (among < max(faces)) & np.isfinite(scaled)
    level = float(np.nanmedian(scaled[layer] if layer.any() else scaled))
    return np.asarray(level / np.sqrt(np.maximum(transmission, 1e-30)))
