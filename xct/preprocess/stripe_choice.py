"""Which way of removing stripes suits a scan. In: some sinograms; out: the way, and what is left.

What stripes there are is measured by products of votes: means of a column over ranges of angles,
less their sliding median along the columns. Noise has no part in the product of two of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from xct.preprocess.sorting import sliding_median
from xct.preprocess.stripe_profile import sector_means
from xct.quantity import Number

Way = Literal["none", "profile", "sorting", "both"]

# The votes of one column agree by at least this part of their squares where stripes are there all
# the time: noise, of which only what looks like a stripe is taken, agrees by less.
_LEAST_AGREEMENT = 0.5
# Sorting reshapes noise and detail: it may change values by this part of the noise (variances),
# of which at least this part must be stripes that went, found with this certainty.
_MOST_CHANGE, _LEAST_GAIN, _LEAST_CERTAINTY = 0.1, 0.1, 3.0
# Ranges of angles between two votes whose product is taken: the sample has moved on.
_APART = 2
_SD_OF_MEDIAN = 1.4826


@dataclass(frozen=True)
class Weighed:
    """What is known of the stripes of one sinogram, and of two ways to remove them.

    Attributes
    ----------
    agreement : float
        How far the votes of columns with a stripe agree, at most 1; NaN if there is none.
    stripes, left_by_profile, left_by_both : float
        Mean squares of stripes before, and after the two ways; below 0 by chance.
    certainty : float
        `left_by_profile` in its standard errors.
    change : float
        Mean square of the difference of the two ways.
    noise : float
        Variance of the noise of a value.
    """

    agreement: float
    stripes: float
    left_by_profile: float
    left_by_both: float
    certainty: float
    change: float
    noise: float


@dataclass(frozen=True)
class StripeChoice:
    """The way that suits a scan, and the standard deviation of stripes before and after it."""

    way: Way
    stripes_sd: float
    left_sd: float
    noise_sd: float


def weigh(
    before: np.ndarray, profile: np.ndarray, both: np.ndarray, stripe: np.ndarray, size: int
) -> Weighed:
    """Compare a sinogram with what two ways make of it.

    Parameters
    ----------
    before, profile, both : ndarray of float32, shape (angle, column)
        Line integrals without bad columns: before, and after removing stripes.
    stripe : ndarray, shape (column,)
        What the first way took off.
    size : int
        Width of the sliding median.

    Returns
    -------
    Weighed
    """
    votes = _votes(before, size)
    stripes, _ = _product(votes)
    kept = _votes(profile, size)
    left, error = _product(kept)
    # Inside a wide stripe a median sees nothing.
    hidden = np.abs(votes.mean(axis=1)) < 0.5 * np.abs(stripe)
    seen = np.where(hidden[:, None], kept + stripe[:, None], votes)
    left_by_both, _ = _product(_votes(both, size))
    return Weighed(
        agreement=_agreement(seen[stripe != 0]),
        stripes=stripes,
        left_by_profile=left,
        left_by_both=left_by_both,
        certainty=left / error if error > 0 else 0.0,
        change=float(np.mean((both - profile) ** 2)),
        noise=_noise(before),
    )


def choose(weighed: Sequence[Weighed]) -> StripeChoice:
    """Choose the way that suits most of some sinograms: the one that removes more, if it is safe.

    Parameters
    ----------
    weighed : sequence of Weighed
        Of each of them.

    Returns
    -------
    StripeChoice
        ``none`` where there are no stripes; ``both``, that is ``sorting`` after ``profile``,
        where stripes are left that change with the angle and where sorting changes values by much
        less than the noise; else ``profile``.
    """

    def middle(values: Sequence[float]) -> float:
        return float(np.median(values))

    noise, change = middle([w.noise for w in weighed]), middle([w.change for w in weighed])
    profile = middle([w.left_by_profile for w in weighed])
    both = middle([w.left_by_both for w in weighed])
    stripes = middle([w.stripes for w in weighed])
    certainty = middle([w.certainty for w in weighed]) * np.sqrt(len(weighed))
    agreement = middle([w.agreement if np.isfinite(w.agreement) else 0.0 for w in weighed])
    way: Way = "none"
    if agreement > _LEAST_AGREEMENT:
        way = "profile"
    gains = profile - both > _LEAST_GAIN * change and certainty > _LEAST_CERTAINTY
    if gains and change < _MOST_CHANGE * noise:
        way = "both"
    left = {"none": stripes, "profile": profile, "both": both}[way]
    sd = [float(np.sqrt(max(value, 0.0))) for value in (stripes, left, noise)]
    return StripeChoice(way, *sd)


def choice_number(choice: StripeChoice, rows: int) -> Number:
    """Give the entry of ``summary.json``: what was picked, and what is left."""
    details = {
        "stripes_sd": choice.stripes_sd,
        "left_sd": choice.left_sd,
        "noise_sd": choice.noise_sd,
    }
    return Number(choice.way, "method", n=rows, details=details)


def _votes(sinogram: np.ndarray, size: int) -> np.ndarray:
    profiles = sector_means(np.ascontiguousarray(sinogram)[:, None], 0)
    smooth = np.empty_like(profiles)
    sliding_median(profiles, size | 1, smooth)
    return np.asarray(profiles - smooth)


def _product(votes: np.ndarray) -> tuple[float, float]:
    """Mean product of votes of a column, some apart, and its standard error."""
    if votes.shape[1] <= _APART:
        return 0.0, 0.0
    products = np.mean(votes[:, _APART:] * votes[:, :-_APART], axis=1, dtype=np.float64)
    return float(products.mean()), float(products.std() / np.sqrt(products.size))


def _agreement(votes: np.ndarray) -> float:
    """Mean product of the four quarters of the votes with each other, over their mean square."""
    if votes.size == 0 or votes.shape[1] < 4:
        return float("nan")
    quarters = np.array([part.mean(axis=1) for part in np.array_split(votes, 4, axis=1)])
    squares = np.sum(quarters**2)
    total = np.sum(quarters.sum(axis=0) ** 2)
    return float((total - squares) / 3 / squares) if squares > 0 else float("nan")


def _noise(sinogram: np.ndarray) -> float:
    """Variance of the noise: from differences along angles or columns, whichever is less."""
    along = np.median(np.mean(np.diff(sinogram, axis=0) ** 2, axis=0)) / 2
    bend = sinogram[:, 2:] - 2 * sinogram[:, 1:-1] + sinogram[:, :-2]
    across = (_SD_OF_MEDIAN * np.median(np.abs(bend[:: max(1, len(bend) // 64)]))) ** 2 / 6
    return float(min(along, across))
