"""What voids take from the particles of a neighborhood. In: scatter of cores; out: levels, bounds.

Whether one core scatters by more than noise is known by chance only; of a hundred together it is
known well. So what voids take in the mean rests on neighbors, and is wrong by what is not known of
the noise, for all of them alike.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy

from xct.segment.particle.unresolved import Unresolved

_NEIGHBORS, _LEAST = 100, 20
_AT_ONCE = 50_000  # particles whose neighbors are in memory
_LEAST_VOXELS = 16  # of a core whose scatter counts
# Of the variance of noise in a core, which is that of the electrolyte carried on by transmission,
# radius and rings, relative: medium cells without voids have 0.99 and 1.00 of it, small ones 1.08
# to 1.20, and those of which the voids are known 0.8 to 1.1 of what both make.
_NOISE_SD = 0.1
_INTERVAL = 1.96


class VoidLevel(NamedTuple):
    """Fractions of a core, arrays (particle,).

    Attributes
    ----------
    typical : ndarray
        What voids open in a particle of its size and place.
    low, high : ndarray
        95 % interval, by what is not known of the noise.
    """

    typical: np.ndarray
    low: np.ndarray
    high: np.ndarray


def void_level(voids: Unresolved, voxels: np.ndarray, place_um: np.ndarray) -> VoidLevel:
    """Tell what voids take in the mean of neighbors, from how much more they scatter than noise.

    Parameters
    ----------
    voids : Unresolved
        What each core shows alone.
    voxels : ndarray, shape (particle,)
        Of each core.
    place_um : ndarray, shape (particle, 3)
        Middles.

    Returns
    -------
    VoidLevel
        Zeros where fewer than twenty cores tell.
    """
    count = voxels.size
    known = np.flatnonzero(
        (voxels >= _LEAST_VOXELS) & np.isfinite(voids.excess) & (voids.noise > 0)
    )
    if known.size < _LEAST:
        return VoidLevel(*np.zeros((3, count)))
    free = voxels[known] - 1
    by_chance = scipy.stats.chi2.ppf(0.5, free) / free
    noise = voids.noise[known]
    # Medians: cavities are of few particles, and scatter them by far more.
    beyond = (voids.excess[known] + noise) / by_chance - noise
    around = _medians(beyond, place_um[known], place_um)
    around, doubt = np.maximum(around, 0), _NOISE_SD * voids.noise
    with np.errstate(invalid="ignore"):
        # So little that noise may have made it is no voids.
        typical = around / np.sqrt(around + doubt)
        low = np.minimum(np.sqrt(np.maximum(around - _INTERVAL * doubt, 0)), typical)
        high = np.sqrt(around + _INTERVAL * doubt)
        return VoidLevel(*(voids.slope * some for some in (typical, low, high)))


def _medians(values: np.ndarray, place_um: np.ndarray, at_um: np.ndarray) -> np.ndarray:
    """Give the median of the values around the nearest of their places."""
    tree, count = scipy.spatial.cKDTree(place_um), min(_NEIGHBORS, len(values))
    parts = np.array_split(place_um, max(1, len(place_um) // _AT_ONCE))
    smooth = [np.median(values[tree.query(part, count)[1]], axis=1) for part in parts]
    return np.asarray(np.concatenate(smooth)[tree.query(at_um)[1]])
