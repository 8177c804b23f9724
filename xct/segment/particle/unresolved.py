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
# Rings of as many well-known cores each, by which is told how the detector's rings scatter them.
_RINGS, _LEAST_VOXELS, _LEAST_CORES = 12, 16, 20
_LEAST_RINGS, _NEAREST_PX = 3, 2.0
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
    excess, noise : ndarray
        Variance of a core's values, relative to the square of their mean: beyond noise, which by
        chance is below 0, and of noise.
    slope : ndarray
        The fraction that is open, over the root of the excess.
    """

    fraction: np.ndarray
    sd: np.ndarray
    at_most: np.ndarray
    excess: np.ndarray
    noise: np.ndarray
    slope: np.ndarray


def unresolved_voids(
    particles: pd.DataFrame,
    mean: np.ndarray,
    scatter: np.ndarray,
    noise: np.ndarray,
    blur_um: float,
    radius: np.ndarray | None = None,
    depth: np.ndarray | float = 0.0,
    from_axis_px: np.ndarray | None = None,
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
    from_axis_px : ndarray, shape (particle,), optional
        Distance from the axis of rotation in voxels, about which rings lie; none are unless given.
    """
    count = particles["core_voxels"].to_numpy(float)
    away = np.ones(count.shape) if radius is None else radius
    noise = noise / particles["core_share"].to_numpy(float)
    noise = noise * _over_that_at_the_wall(away, np.broadcast_to(depth, away.shape))
    with np.errstate(invalid="ignore", divide="ignore"):
        if from_axis_px is not None:
            noise = noise * _with_rings(count, (scatter / noise) ** 2, from_axis_px)
        excess, variance = (scatter**2 - noise**2) / mean**2, (noise / mean) ** 2
        beyond = np.maximum(excess, 0)
        chance = np.sqrt(2 / (count - 1)) * variance
        shape = blur_um / particles["equivalent_diameter_um"].to_numpy(float)
        slope = np.maximum(_TYPICAL * shape, _PLANES * np.sqrt(shape))
        seen = slope * np.sqrt(np.maximum(beyond - chance, 0))
        by_chance = slope * (np.sqrt(beyond + chance) - np.sqrt(beyond))
        sd = np.hypot(_SHAPES * seen, by_chance)
        most = (_MOST * shape + _FLAT) * np.sqrt(beyond + _ONE_SIDED * chance)
    known = (count >= _LEAST_CORE) & np.isfinite(sd)
    some = np.minimum(seen, _ALL), sd, np.minimum(most, _ALL), excess
    fraction, sd, most, excess = (np.where(known, values, np.nan) for values in some)
    return Unresolved(fraction, sd, most, excess, variance, slope)


def _with_rings(count: np.ndarray, variance: np.ndarray, from_axis_px: np.ndarray) -> np.ndarray:
    """Give noise with that of rings over noise alone, (particle,).

    What is wrong with a pixel of the detector all rays of a ring share: the variance falls as the
    radius rises. What scatters cores alike at all radii is left, as voids do.

    Parameters
    ----------
    count : ndarray, shape (particle,)
        Voxels of each core.
    variance : ndarray, shape (particle,)
        Of their values, over that of noise.
    from_axis_px : ndarray, shape (particle,)
        Distance from the axis of rotation, voxels.
    """
    usable = np.flatnonzero((count >= _LEAST_VOXELS) & np.isfinite(variance))
    rings = min(_RINGS, usable.size // _LEAST_CORES)
    if rings < _LEAST_RINGS:
        return np.ones(count.shape)
    near = 1 / np.maximum(from_axis_px, _NEAREST_PX)
    free = count[usable] - 1
    whole = variance[usable] / (scipy.stats.chi2.ppf(0.5, free) / free)
    parts = np.array_split(np.argsort(near[usable]), rings)
    # Medians: cavities scatter some by far more.
    level = np.array([np.median(whole[part]) for part in parts])
    closeness = np.array([near[usable][part].mean() for part in parts])
    design = np.column_stack([np.ones(rings), closeness]) / level[:, None]
    steep = float(np.linalg.lstsq(design, np.ones(rings))[0][1])
    return np.asarray(np.sqrt(1 + max(steep, 0.0) * near))


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
