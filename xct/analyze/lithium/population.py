"""What particles of one size have in common. In: readings, voids; out: better ones, uncertainties.

Voids that are seen in a core's scatter are uncertain by more than half: by chance, and as cracks
and cavities scatter it otherwise. How much darker, among neighbors, particles are that scatter
more tells what scatter means in this cell; and how far neighbors still differ from each other
tells how well all is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import scipy

_LEAST = 100  # particles, below which each is taken for itself
_CLASS, _MOST_CLASSES = 400, 32  # particles of about one size
_NEIGHBORS = 24
_AT_ONCE = 50_000  # particles whose neighbors are in memory
_WINDOW = 100  # particles of about as many voids
_STEEPEST = 3.0  # times what is expected of voids
# What neighbors differ by may be lithium: no more of it counts than may be noise and voids.
_WIDER = 1.5
_WITHIN = 0.9545  # of a normal distribution, within two standard deviations
_HUBER = 2.5  # robust standard deviations
_ROUNDS = 12


class Readings(NamedTuple):
    """Arrays (particle,).

    Attributes
    ----------
    logarithm : ndarray
        Of μ, with what voids take put back.
    sd : ndarray
        Relative standard uncertainty of each alone.
    typical : ndarray
        Mean logarithm that voids take from particles of this size: as it is known by a model
        alone, all of a size may be wrong by a fraction of it.
    """

    logarithm: np.ndarray
    sd: np.ndarray
    typical: np.ndarray


def readings_among_others(
    mu: np.ndarray,
    noise: np.ndarray,
    voids: np.ndarray,
    voids_sd: np.ndarray,
    place_um: np.ndarray,
    diameter_um: np.ndarray,
    level: np.ndarray | None = None,
) -> Readings:
    """Put back what voids take from μ, as far as others of the same size bear it out.

    What differs slowly over the cell, as lithium content and glare do, has no part in it.

    Parameters
    ----------
    mu, noise : ndarray, shape (particle,)
        μ of each core, and the relative standard deviation by noise.
    voids, voids_sd : ndarray, shape (particle,)
        Fraction of the core in voids, and its uncertainty; NaN where it is not known.
    place_um : ndarray, shape (particle, 3)
        Middles.
    diameter_um : ndarray, shape (particle,)
        Equivalent diameters.
    level : ndarray, shape (particle,), optional
        Fraction that voids open in a particle of its size and place; the mean of what is seen
        unless given.
    """
    with np.errstate(invalid="ignore", divide="ignore"):  # what has no core is not a number
        logarithm, taken = np.log(mu), -np.log1p(-voids)
    sd, typical = np.hypot(noise, voids_sd), taken.copy()
    known = np.flatnonzero(np.isfinite(logarithm + taken + sd))
    if known.size < _LEAST:
        return Readings(logarithm + taken, sd, typical)
    classes = [known[some] for some in _by_size(diameter_um[known])]
    for own in classes:
        typical[own] = taken[own].mean() if level is None else -np.log1p(-level[own])
    tree = scipy.spatial.cKDTree(place_um[known])
    nearest = np.asarray(tree.query(place_um[known], _NEIGHBORS + 1)[1], np.int32)
    near = known.astype(np.int32)[nearest[:, 1:]]
    darker = _beside_neighbors(logarithm, classes, near, known)
    emptier = _beside_neighbors(taken, classes, near, known)
    for own in classes:
        steep = float(np.clip(-_slope(emptier[own], darker[own]), 0, _STEEPEST))
        # Chance flattens the slope, but not what is typical; steeper is only what voids hide.
        typical[own] *= max(steep, 1.0)
        more = taken[own] - taken[own].mean() if level is None else emptier[own]
        taken[own] = typical[own] + steep * more
    logarithm = logarithm + taken
    left = _beside_neighbors(logarithm, classes, near, known)
    for own in classes:
        among = _spread(np.abs(left[own]), voids[own])
        sd[own] = np.maximum(np.minimum(_WIDER * sd[own], among), noise[own])
    return Readings(logarithm, sd, typical)


def fraction_alike(which: np.ndarray, diameter_um: np.ndarray) -> np.ndarray:
    """Give of how many of the particles of about its own size something holds, for each.

    Parameters
    ----------
    which : ndarray of bool, shape (particle,)
        Of which it holds.
    diameter_um : ndarray, shape (particle,)
        Equivalent diameters: the hundred nearest in their order are looked at.
    """
    count = which.size
    width = min(_WINDOW, count)
    order = np.argsort(diameter_um, kind="stable")
    sums = np.append(0, np.cumsum(which[order]))
    first = np.clip(np.arange(count) - width // 2, 0, count - width)
    fraction = np.empty(count)
    fraction[order] = (sums[first + width] - sums[first]) / max(width, 1)
    return fraction


def _by_size(diameter_um: np.ndarray) -> Iterator[np.ndarray]:
    """Give the particles of each class of sizes, of as many each."""
    count = int(np.clip(diameter_um.size // _CLASS, 1, _MOST_CLASSES))
    yield from np.array_split(np.argsort(diameter_um, kind="stable"), count)


def _beside_neighbors(
    values: np.ndarray, classes: list[np.ndarray], near: np.ndarray, known: np.ndarray
) -> np.ndarray:
    """Give values less those typical of their size, and less those of the neighbors."""
    values = values.copy()
    for own in classes:
        values[own] -= np.median(values[own])
    parts = np.array_split(near, max(1, len(near) // _AT_ONCE))
    values[known] -= np.concatenate([np.median(values[part], axis=1) for part in parts])
    return values


def _slope(x: np.ndarray, y: np.ndarray) -> float:
    """Fit a line that outliers hardly turn, and give its slope."""
    weight: np.ndarray = np.ones(x.size)
    line: np.ndarray = np.zeros(2)
    for _ in range(_ROUNDS):
        design = np.column_stack([np.ones(x.size), x]) * weight[:, None]
        line = np.linalg.lstsq(design, y * weight, rcond=None)[0]
        away = np.abs(y - line[0] - line[1] * x)
        limit = _HUBER * 1.4826 * np.median(away)
        weight = np.sqrt(np.minimum(1, limit / np.maximum(away, max(limit, 1e-12) * 1e-6)))
    return float(line[1])


def _spread(away: np.ndarray, voids: np.ndarray) -> np.ndarray:
    """Give the standard deviation among particles with about as many voids."""
    found = np.empty(away.size)
    whole, open_ = np.flatnonzero(voids == 0), np.flatnonzero(voids > 0)
    open_ = open_[np.argsort(voids[open_], kind="stable")]
    parts = np.array_split(open_, max(1, open_.size // _WINDOW))
    for part in (whole, *parts):
        if part.size:
            enough = part if part.size >= _WINDOW // 2 else np.arange(away.size)
            found[part] = np.quantile(away[enough], _WITHIN) / 2
    return found
