"""Which way of removing stripes suits a scan. In: some sinograms; out: the way, and what is left.

What stripes there are is measured by products of votes: means of a column over ranges of angles,
less their sliding median along the columns. Noise has no part in the product of two of them.

What a way takes off by mistake is measured on the same votes, sheared: each range of angles is
moved along the columns, by more than the one before. No stripe is straight any more, but edges of
the sample still turn somewhere, as they did elsewhere before.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from xct.preprocess.columns.drifting import Drift, drift_message
from xct.preprocess.columns.mirror_axis import mirror_axis
from xct.preprocess.sorting import sliding_median
from xct.preprocess.stripe_profile import (
    CONSTANTS,
    column_constants,
    constant_stripes,
    sector_means,
)
from xct.quantity import Number

Way = Literal["none", "profile", "weak", "sorting", "both"]

# What a way takes off must be so many times (of variances) what it takes off by mistake: few
# columns may make up a profile of shrunk constants, and they scatter more.
_LEAST_EVIDENCE = {"profile": 9.0, "weak": 5.0}
# Where it is not, as in dense layers of a sample whose other layers show the stripes, it may take
# off this part of the noise by mistake (variances).
_MOST_HARM = 0.2
# Columns by which the last range of angles is sheared against the first, to either side.
_SHEARS_PX = (-32, -16, 16, 32)
# Part of what is taken off that is found mirrored about the axis, above which it is the sample:
# shells, a winding, the wall of a tube, also some columns off, where the axis is not their middle.
_MOST_MIRRORED, _OFF_PX = 0.48, 8
# Columns side by side that are compared; closer to the axis than this part of the detector, a
# wide stripe may be its own mirror image.
_TOGETHER_PX, _NEAR_PART = 33, 16
# Correlation of such columns; its square times the number of columns, above which it is no chance;
# part of the power that must be there, too.
_ALIKE, _NO_CHANCE, _AS_STRONG = 0.5, 4.0, 0.1
# Sorting reshapes noise and detail: it may change values by this part of the noise (variances),
# of which at least this part must be stripes that went, found with this certainty.
_MOST_CHANGE, _LEAST_GAIN, _LEAST_CERTAINTY = 0.1, 0.1, 3.0
# Ranges of angles between two votes whose product is taken: the sample has moved on.
_APART = 2
_SD_OF_MEDIAN = 1.4826


@dataclass(frozen=True)
class Taken:
    """What a way takes off the columns of a sinogram, as mean squares over the columns.

    Attributes
    ----------
    squares : float
        In all.
    mistaken : float
        Where there are no stripes: where votes are sheared.
    mirrored : float
        Part of it that is found on the other side of the axis, too; 0 if that is not known.
    left : float
        Stripes that it leaves; below 0 by chance.
    """

    squares: float
    mistaken: float
    mirrored: float
    left: float


@dataclass(frozen=True)
class Weighed:
    """What is known of the stripes of one sinogram, and of the ways to remove them.

    Attributes
    ----------
    profile, weak : Taken
        Of the two ways that take constants off.
    stripes, left_by_both : float
        Mean squares of stripes before, and after sorting, too; below 0 by chance.
    certainty : float
        Stripes that `profile` leaves, in standard errors.
    change : float
        Mean square of the difference that sorting makes.
    noise : float
        Variance of the noise of a value.
    """

    profile: Taken
    weak: Taken
    stripes: float
    left_by_both: float
    certainty: float
    change: float
    noise: float


@dataclass(frozen=True)
class StripeChoice:
    """The way that suits a scan, the sd of stripes before and after it, and what drifts."""

    way: Way
    stripes_sd: float
    left_sd: float
    noise_sd: float
    drifting: tuple[Drift, ...] = ()


class Chosen(NamedTuple):
    """What `stripes` is told: the way, and the columns whose gain drifts."""

    way: Way
    drifting: tuple[Drift, ...] = ()


def weigh(
    before: np.ndarray, both: np.ndarray, size: int, size_of_both: int
) -> tuple[Weighed, dict[str, np.ndarray]]:
    """Compare what the ways make of a sinogram.

    Parameters
    ----------
    before, both : ndarray of float32, shape (angle, column)
        Line integrals without bad columns: as they are, and after ``both``.
    size, size_of_both : int
        Widths of the sliding medians.

    Returns
    -------
    Weighed
    dict of str to ndarray, shape (column,)
        What the ways ``profile`` and ``weak`` take off.
    """
    sinogram = np.ascontiguousarray(before)[:, None]
    axis, votes = mirror_axis(sinogram, 0), sector_means(sinogram, 0)
    tried = {way: _tried(sinogram, size, axis, way) for way in ("profile", "weak")}
    weakest = tried["weak"][1]
    taken, left = {}, {}
    for way, (stripe, every, mistaken) in tried.items():
        left[way] = _remaining(votes - stripe[:, None], size_of_both)
        squares = float(np.mean(stripe**2))
        mirrored = max(mirrored_part(stripe, other, axis) for other in (every, weakest))
        taken[way] = Taken(squares, mistaken, mirrored, left[way][0])
    value, error = left["profile"]
    sorting = both - before + tried["profile"][0]
    weighed = Weighed(
        profile=taken["profile"],
        weak=taken["weak"],
        stripes=_remaining(votes, size_of_both)[0],
        left_by_both=_remaining(sector_means(both[:, None], 0), size_of_both)[0],
        certainty=value / error if error > 0 else 0.0,
        change=float(np.mean(sorting**2)),
        noise=_noise(before),
    )
    return weighed, {way: stripe for way, (stripe, _, _) in tried.items()}


def choose(weighed: Sequence[Weighed]) -> StripeChoice:
    """Choose the way that suits most of some sinograms: the one that removes more, if it is safe.

    Parameters
    ----------
    weighed : sequence of Weighed
        Of each of them.

    Returns
    -------
    StripeChoice
        ``none`` where what would be taken off is not clearly more than what the sample alone makes
        a way take off, or is mirrored about the axis, or where one of the sinograms would lose
        detail that stands above its noise; ``both``, that is sorting after constants,
        where stripes are left that change with the angle and where sorting changes values by much
        less than the noise; else ``profile`` or ``weak``, whichever takes off more stripes.
    """

    def middle(name: str) -> float:
        return float(np.median([getattr(w, name) for w in weighed]))

    change, both, stripes, noise = map(middle, ("change", "left_by_both", "stripes", "noise"))
    certainty = middle("certainty") * np.sqrt(len(weighed))
    ways = {way: _middle_of([getattr(w, way) for w in weighed]) for way in ("profile", "weak")}
    way: Way = "none"
    left, best = stripes, 0.0
    for name in ("profile", "weak"):
        gain = float(np.mean([_gain(w, name) for w in weighed]))
        if _is_safe(weighed, name) and gain > best:
            way, left, best = name, ways[name].left, gain
    gains = ways["profile"].left - both > _LEAST_GAIN * change and certainty > _LEAST_CERTAINTY
    if way != "none" and gains and all(w.change < _MOST_CHANGE * w.noise for w in weighed):
        way, left = "both", both
    sd = [float(np.sqrt(max(value, 0.0))) for value in (stripes, left, noise)]
    return StripeChoice(way, sd[0], sd[1], sd[2])


def choice_number(choice: StripeChoice, rows: int) -> Number:
    """Give the entry of ``summary.json``: what was picked, and what is left."""
    details: dict[str, Any] = {
        "stripes_sd": choice.stripes_sd,
        "left_sd": choice.left_sd,
        "noise_sd": choice.noise_sd,
    }
    message = drift_message(choice.drifting)
    if message is not None:
        warnings.warn(message, stacklevel=2)
        details["drifting"] = [
            [d.first, d.stop - 1, [round(level, 4) for level in d.levels]] for d in choice.drifting
        ]
    return Number(choice.way, "method", n=rows, details=details)


def chosen_of(entry: Mapping[str, Any]) -> Way | Chosen:
    """Give what `stripes` is told, of an entry of ``summary.json``: the way, and what drifts."""
    drifting = [
        Drift(first, last + 1, tuple(levels)) for first, last, levels in entry.get("drifting", [])
    ]
    way: Way = entry["value"]
    return Chosen(way, tuple(drifting)) if drifting else way


def mirrored_part(stripe: np.ndarray, every: np.ndarray, axis: float) -> float:
    """Give the part of stripes that is found on the other side of the axis, too.

    Either all of them at one place, such as the two walls of a tube; or some columns at a time
    wherever they fit best, as shells do that are not quite concentric. The latter counts where so
    many columns fit so well that it is no chance.

    Parameters
    ----------
    stripe : ndarray, shape (column,)
        What was found.
    every : ndarray, shape (column,)
        The same before anything was left out of it, however weak.
    axis : float
        Column of the rotation axis; NaN if it is not known.

    Returns
    -------
    float
        1 if all is; 0 if the axis is not known.
    """
    column = np.arange(stripe.size)
    here = np.where(np.abs(column - axis) > stripe.size // _NEAR_PART, stripe, 0.0)
    squares, counts = _around(here**2), _around(here**4)
    total, limit = float(stripe @ stripe), np.abs(here)
    if total == 0 or np.isnan(axis):
        return 0.0
    at_once, fits = 0.0, np.zeros(stripe.size, np.bool_)
    for pair in range(round(2 * axis) - _OFF_PX, round(2 * axis) + _OFF_PX + 1):
        other = pair - column
        there = np.where((other >= 0) & (other < stripe.size), every.take(other, mode="clip"), 0.0)
        at_once = max(at_once, float(here @ np.clip(there, -limit, limit)) / total)
        # Correlation, and how many columns it rests on: one that is far above the others is one.
        squares_there = _around(there**2)
        with np.errstate(divide="ignore", invalid="ignore"):
            likeness = _around(here * there) / np.sqrt(squares * squares_there)
            rests_on = np.minimum(squares**2 / counts, squares_there**2 / _around(there**4))
            sure = (likeness**2 * rests_on > _NO_CHANCE) & (squares_there > _AS_STRONG * squares)
            fits |= sure & (likeness > _ALIKE)
    return max(at_once, float(np.sum(here[fits] ** 2)) / total)


def _around(values: np.ndarray) -> np.ndarray:
    """Sum over some columns side by side."""
    sums = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    column = np.arange(values.size)
    half = _TOGETHER_PX // 2
    return np.asarray(
        sums[np.minimum(column + half + 1, values.size)] - sums[np.maximum(column - half, 0)]
    )


def _tried(
    sinogram: np.ndarray, size: int, axis: float, way: str
) -> tuple[np.ndarray, np.ndarray, float]:
    """Give what is taken off, the same with what is the sample's, and what is so by mistake."""
    every, sample = column_constants(sinogram, 0, size, axis, way)
    sectors, significance = CONSTANTS[way]
    votes = sector_means(sinogram, 0, sectors) - every[:, None]
    mistaken = [
        constant_stripes(_sheared(votes, shear), size, np.nan, significance)[0]
        for shear in _SHEARS_PX
    ]
    largest = max(float(np.mean(stripe**2)) for stripe in mistaken)
    return np.where(sample, np.float32(0), every), every, largest


def _sheared(votes: np.ndarray, shear_px: int) -> np.ndarray:
    """Move each range of angles along the columns, by whole columns; what is at the edge stays."""
    columns, sectors = votes.shape
    moves = np.rint(shear_px * (np.arange(sectors) / max(sectors - 1, 1) - 0.5)).astype(int)
    place = np.clip(np.arange(columns)[:, None] - moves, 0, columns - 1)
    return np.take_along_axis(votes, place, axis=0)


def _gain(weighed: Weighed, way: str) -> float:
    """Give the mean square error without a way, less that with it, in variances of the noise."""
    taken: Taken = getattr(weighed, way)
    gain = taken.squares - 2 * taken.mistaken
    return gain / weighed.noise if weighed.noise > 0 else gain


def _is_safe(weighed: Sequence[Weighed], way: str) -> bool:
    """Whether what a way takes off is stripes in most sinograms, and no great harm in any."""
    found = [(getattr(w, way), w.noise) for w in weighed]
    clear = [t.squares > _LEAST_EVIDENCE[way] * t.mistaken for t, _ in found]
    # Shells about the axis that do not stand out to one way may do so to the other.
    every = {name: _middle_of([getattr(w, name) for w in weighed]) for name in _LEAST_EVIDENCE}
    found_mirrored = [
        taken.mirrored
        for name, taken in every.items()
        if taken.squares > _LEAST_EVIDENCE[name] * taken.mistaken
    ]
    harmless = [t.mistaken < _MOST_HARM * noise for t, noise in found]
    return bool(
        every[way].squares > _LEAST_EVIDENCE[way] * every[way].mistaken
        and max(found_mirrored) < _MOST_MIRRORED
        and all(one or other for one, other in zip(clear, harmless, strict=True))
    )


def _middle_of(taken: Sequence[Taken]) -> Taken:
    return Taken(*np.median([astuple(one) for one in taken], axis=0))


def _remaining(profiles: np.ndarray, size: int) -> tuple[float, float]:
    """Mean product of votes of a column, some apart, and its standard error."""
    if profiles.shape[1] <= _APART:
        return 0.0, 0.0
    smooth = np.empty_like(profiles)
    sliding_median(profiles, size | 1, smooth)
    votes = profiles - smooth
    products = np.mean(votes[:, _APART:] * votes[:, :-_APART], axis=1, dtype=np.float64)
    return float(products.mean()), float(products.std() / np.sqrt(products.size))


def _noise(sinogram: np.ndarray) -> float:
    """Variance of the noise: from differences along angles or columns, whichever is less."""
    along = np.median(np.mean(np.diff(sinogram, axis=0) ** 2, axis=0)) / 2
    bend = sinogram[:, 2:] - 2 * sinogram[:, 1:-1] + sinogram[:, :-2]
    across = (_SD_OF_MEDIAN * np.median(np.abs(bend[:: max(1, len(bend) // 64)]))) ** 2 / 6
    return float(min(along, across))
