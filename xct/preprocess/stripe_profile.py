"""Stripes as constants of columns. In: a sinogram; out: what to take off each column.

The angles vote in ranges: in each the sample lies elsewhere, the stripes not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from xct.parallel.kernels import njit
from xct.preprocess.columns.sample_columns import RESOLVED, mirrored, mirrored_bands
from xct.preprocess.sorting import sliding_median

# Ranges of angles that vote.
SECTORS = 32
# On a slope the median lags behind at a stripe, and leaves a part of it to the next pass.
_PASSES = 3
# Correlation of a vote with the next that chance makes.
_CHANCE = 0.35
_SD_OF_QUARTILES = 1.349  # distance of the quartiles of a normal distribution, in sd
_SD_OF_MEDIAN = 1.4826  # of a normal distribution, in medians of the amount

# A step from column to column belongs to a wide stripe where it exceeds this many sd of such
# steps, this many standard errors of the votes, and this part of noise-free line integrals.
_LEAST_STEP, _SURE_STEP = 6.0, 6.0
# The step down is the step up but for this part; the steps beside them are less than that one.
_SAME_STEP, _STEP_BESIDE = 0.3, 0.3
# Columns on either side that tell whether the step holds, within this part of it.
_HELD, _HELD_PART = 5, 0.5
# Widest of them, as part of the detector.
_WIDEST_PART = 8


class Constants(NamedTuple):
    """How constants of columns are found: the ranges of angles, and how sure they must be."""

    sectors: int
    significance: float


CONSTANTS = {
    # Measured on dense particles: subtracting what does not exceed two standard errors, their
    # slices change by half the grey value of the electrolyte; so, by less than their noise, and
    # real rings are still several times weaker.
    "profile": Constants(SECTORS, 2.0),
    # In ranges of about a degree edges of the sample hardly move: they spoil few votes, and what
    # the others agree on is the stripe, however weak.
    "weak": Constants(192, 0.0),
    # Before sorting, stripes are taken off as far as they exceed one standard error.
    "both": Constants(SECTORS, 1.0),
}


def sector_means(sinograms: np.ndarray, row: int, sectors: int = SECTORS) -> np.ndarray:
    """Give the means over ranges of angles, at most so many, shape (column, sector)."""
    means: np.ndarray = _sector_means(sinograms, row, min(sectors, len(sinograms)))
    return means


def column_constants(
    sinograms: np.ndarray, row: int, size: int, axis: float, how: str
) -> tuple[np.ndarray, np.ndarray]:
    """Find what stripes add to the columns of a sinogram, one of `CONSTANTS`.

    Parameters
    ----------
    sinograms : ndarray of float32, shape (angle, row, column)
        Line integrals, finite.
    row : int
        Which sinogram.
    size, axis
        As of `constant_stripes`.
    how : {"profile", "weak", "both"}

    Returns
    -------
    added, sample
        As `constant_stripes` gives them.
    """
    sectors, significance = CONSTANTS[how]
    votes = sector_means(sinograms, row, sectors)
    added, sample = constant_stripes(votes, size, axis, significance)
    if significance == 0:
        # Among many weak ones the walls of a tube do not stand out; among sure ones they do.
        sure, certain = CONSTANTS["profile"]
        sample |= constant_stripes(sector_means(sinograms, row, sure), size, axis, certain)[1]
    return added, sample


def constant_stripes(
    profiles: np.ndarray, size: int, axis: float, significance: float
) -> tuple[np.ndarray, np.ndarray]:
    """Find what stripes add to each column, and what is the sample's.

    Parameters
    ----------
    profiles : ndarray of float32, shape (column, sector)
        As `sector_means` gives them.
    size : int
        Width of the sliding median: more than twice that of the widest narrow stripe.
    axis : float
        Column of the rotation axis, within a pixel or so; NaN if it is not known.
    significance : float
        A narrow stripe counts as far as it exceeds this many standard errors of the votes.

    Returns
    -------
    added : ndarray of float32, shape (column,)
        Also where it is the sample's.
    sample : ndarray of bool, shape (column,)
        Columns with what is at the same place at all angles, but mirrored about the axis.
    """
    # Those with sharp edges first, as a median takes their edges off, and again after the others.
    sharp = sharp_stripes(profiles, size)
    other = narrow_stripes(profiles - sharp[:, None], size, significance)
    sharp += sharp_stripes(profiles - (sharp + other)[:, None], size)
    sample = mirrored(other, axis) | mirrored_bands(sharp, axis)
    return sharp + other, sample


def narrow_stripes(profiles: np.ndarray, size: int, significance: float) -> np.ndarray:
    """Find what narrow stripes add to each column.

    Parameters
    ----------
    profiles : ndarray of float32, shape (column, sector)
        As `sector_means` gives them.
    size : int
        Width of the sliding median: more than twice that of the widest stripe.
    significance : float
        A stripe counts as far as it exceeds this many standard errors of the votes.

    Returns
    -------
    ndarray of float32, shape (column,)
    """
    size |= 1  # the median of an even number of pixels lags by half a pixel
    stripe = np.zeros((len(profiles), 1), np.float32)
    smooth, rest = np.empty_like(profiles), np.empty_like(profiles)
    for _ in range(_PASSES):
        np.subtract(profiles, stripe, out=rest)
        _median_on_slopes(rest, size, smooth)
        rest -= smooth
        stripe += _agreed(rest, significance)
    return stripe[:, 0]


def _median_on_slopes(profiles: np.ndarray, size: int, smooth: np.ndarray) -> None:
    """Sliding median, beyond the ends of what goes on as steeply: a slope there is no stripe."""
    beyond = min(size // 2, len(profiles) - 1)
    begin = 2 * profiles[:1] - profiles[beyond:0:-1]
    end = 2 * profiles[-1:] - profiles[-2 : -2 - beyond : -1]
    longer = np.concatenate([begin, profiles, end])
    wide = np.empty_like(longer)
    sliding_median(longer, size, wide)
    smooth[:] = wide[beyond : len(longer) - beyond]


def sharp_stripes(profiles: np.ndarray, size: int) -> np.ndarray:
    """Find what stripes with sharp edges add, also wide ones: the large stripes of [1]_.

    Such a stripe begins and ends with the same step, from one column to the next and in all
    ranges of angles; what the sample is made of begins gradually, or elsewhere in each.

    Parameters
    ----------
    profiles : ndarray of float32, shape (column, sector)
        Means over ranges of angles, less the narrow stripes.
    size : int
        As of `narrow_stripes`.

    Returns
    -------
    ndarray of float32, shape (column,)

    References
    ----------
    .. [1] Vo, Atwood & Drakopoulos (2018), Opt. Express 26, 28396. doi:10.1364/OE.26.028396
    """
    steps = np.diff(profiles, axis=0)
    smooth = np.empty_like(steps)
    sliding_median(steps, size | 1, smooth)
    votes = steps - smooth
    mean, error = _votes(votes)
    sd = _SD_OF_MEDIAN * np.median(np.abs(mean))
    least = np.maximum(np.maximum(_LEAST_STEP * sd, _SURE_STEP * error), RESOLVED)
    added = np.zeros(len(profiles), np.float32)
    edges = np.flatnonzero((np.abs(mean) > least) & _stands_alone(mean))
    slope = smooth.mean(axis=1)
    level = profiles.mean(axis=1)
    for left, right in _pairs(mean, edges, len(profiles) // _WIDEST_PART):
        height = (mean[left] - mean[right]) / 2
        up = _held(level, slope[left], left, right)
        down = _held(level[::-1], -slope[right], level.size - 2 - right, level.size - 2 - left)
        if abs(up - height) < _HELD_PART * abs(height) > abs(down - height):
            added[left + 1 : right + 1] = height
    return added


def _pairs(step: np.ndarray, edges: np.ndarray, widest: int) -> Iterator[tuple[int, int]]:
    """Pair each step with the next one back; a step belongs to one pair, of narrow stripes too."""
    free = -1
    for number, left in enumerate(edges):
        for right in edges[number + 1 :] if left > free else ():
            if right - left > widest:
                break
            if _same(step[left], -step[right]):
                free = right
                yield int(left), int(right)
                break


def _same(one: float, other: float) -> bool:
    return bool(one * other > 0 and abs(one - other) < _SAME_STEP * max(abs(one), abs(other)))


def _held(level: np.ndarray, slope: float, left: int, right: int) -> float:
    """Give the step between a few columns before a band and a few in it, less the slope."""
    before, inside = level[max(left + 1 - _HELD, 0) : left + 1], level[left + 1 : right + 1][:_HELD]
    apart = (before.size + inside.size) / 2
    return float(np.median(inside) - np.median(before) - apart * slope)


def _stands_alone(step: np.ndarray) -> np.ndarray:
    """Whether the steps before and behind are much smaller."""
    amount = np.pad(np.abs(step), 1)
    beside = np.maximum(amount[:-2], amount[2:])
    return np.asarray(beside < _STEP_BESIDE * amount[1:-1])


def _votes(votes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean of the middle half of the votes and its standard error, shapes (column,).

    Votes that follow each other alike, as of a wire that passes slowly, count as fewer.
    """
    mean, error = np.empty(len(votes)), np.empty(len(votes))
    _middle_half(votes, np.sort(votes, axis=1), mean, error)
    return mean, error


@njit(cache=True, nogil=True)
def _middle_half(
    votes: np.ndarray, ordered: np.ndarray, mean: np.ndarray, error: np.ndarray
) -> None:
    count = votes.shape[1]
    ignored = count // 4
    for c in range(len(votes)):
        line, vote = ordered[c], votes[c]
        total = 0.0
        for n in range(ignored, count - ignored):
            total += line[n]
        mean[c] = total / (count - 2 * ignored)
        quartiles = np.float64(line[count - 1 - ignored]) - np.float64(line[ignored])
        error[c] = quartiles / _SD_OF_QUARTILES / np.sqrt(count)
        middle, squares, products, before = line[count // 2], 0.0, 0.0, 0.0
        for n in range(count):
            off = np.float64(vote[n] - middle)
            squares += off * off
            products += off * before
            before = off
        likeness = products / squares if squares > 0 else 0.0
        likeness = min(likeness, 0.9) if likeness > _CHANCE else 0.0
        error[c] *= np.sqrt((1 + likeness) / (1 - likeness))


def _agreed(votes: np.ndarray, significance: float) -> np.ndarray:
    """Mean of the middle half of the votes, shrunk where they disagree; shape (column, 1)."""
    mean, error = _votes(votes)
    with np.errstate(divide="ignore", invalid="ignore"):
        kept = np.clip(1 - (significance * error / mean) ** 2, 0, 1)
    return np.where(mean == 0, 0, mean * kept).astype(np.float32)[:, None]


@njit(cache=True, nogil=True)
def _sector_means(sinograms: np.ndarray, row: int, sectors: int) -> np.ndarray:
    angles, _, columns = sinograms.shape
    profiles = np.empty((columns, sectors), np.float32)
    total = np.empty(columns, np.float64)
    for sector in range(sectors):
        first, stop = angles * sector // sectors, angles * (sector + 1) // sectors
        total[:] = 0.0
        for angle in range(first, stop):
            line = sinograms[angle, row]
            for column in range(columns):
                total[column] += line[column]
        for column in range(columns):
            profiles[column, sector] = total[column] / (stop - first)
    return profiles


@njit(cache=True, nogil=True)
def subtract(sinograms: np.ndarray, row: int, stripe: np.ndarray) -> None:
    """Take a stripe off each column of a sinogram, which is changed."""
    for angle in range(len(sinograms)):
        line = sinograms[angle, row]
        for column in range(stripe.size):
            line[column] -= stripe[column]
