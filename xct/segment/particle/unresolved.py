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

# What a core lacks, over the standard deviation of its grey values, both relative to the mean: at
# most (95 %), and in the median, for a particle as wide as the point spread. A plane that opens a
# particle scatters it by √(diameter / blur) of that; the less of it is core, the less is seen.
# From the virtual cells ncm-0 and ncm-100 of seed 0.
_MOST, _TYPICAL = 7.0, 4.4
_FLAT = 0.2  # … and for one that is much wider, whose cracks cross in its core
_ONE_SIDED = 1.645  # standard deviations beyond which 5 % lie
_ROUGHER = 1.1  # what rings and the labels' own errors scatter a core by, in units of noise
_QUIET, _LEAST_VOXELS, _LEAST_CORES = 0.1, 20, 10  # the quietest of well-known cores
_ALL = 0.9  # no particle is emptier


@dataclass(frozen=True)
class Unresolved:
    """Fraction of each core that is open, unseen by labels; arrays (particle,).

    Attributes
    ----------
    fraction : ndarray
        What is seen of it: 0 where grey values scatter like noise, NaN where no core tells.
    at_most : ndarray
        Upper bound (95 %); NaN where no core tells.
    """

    fraction: np.ndarray
    at_most: np.ndarray


def unresolved_voids(
    particles: pd.DataFrame,
    mean: np.ndarray,
    scatter: np.ndarray,
    noise: np.ndarray,
    blur_um: float,
) -> Unresolved:
    """Bound what cracks and cavities take from the mean of each core.

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
    """
    count = particles["core_voxels"].to_numpy(float)
    noise = noise / particles["core_share"].to_numpy(float)
    noise = noise * _excess(count, scatter, noise)
    with np.errstate(invalid="ignore", divide="ignore"):
        beyond = (scatter**2 - noise**2) / mean**2
        chance = np.sqrt(2 / (count - 1)) * (noise / mean) ** 2
        shape = blur_um / particles["equivalent_diameter_um"].to_numpy(float)
        most = (_MOST * shape + _FLAT) * np.sqrt(np.maximum(beyond, 0) + _ONE_SIDED * chance)
        seen = _TYPICAL * shape * np.sqrt(np.maximum(beyond - chance, 0))
    known = (count > 1) & np.isfinite(most)
    return Unresolved(*(np.where(known, np.minimum(some, _ALL), np.nan) for some in (seen, most)))


def _excess(count: np.ndarray, scatter: np.ndarray, noise: np.ndarray) -> float:
    """Scatter of the quietest cores, which are whole if any are, over the noise of a voxel."""
    usable = (count >= _LEAST_VOXELS) & np.isfinite(scatter) & (noise > 0)
    if np.count_nonzero(usable) < _LEAST_CORES:
        return 1.0
    free = count[usable] - 1
    by_chance = scipy.stats.chi2.ppf(_QUIET, free) / free
    quiet = float(np.quantile((scatter[usable] / noise[usable]) ** 2 / by_chance, _QUIET))
    return min(float(np.sqrt(quiet)), _ROUGHER)


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
