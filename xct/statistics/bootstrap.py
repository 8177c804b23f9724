"""Bootstrap: how far numbers would scatter if the sample were drawn again.

Neighbors share noise and particles, so whole blocks are drawn, not voxels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

LEVEL = 0.95  # of every interval


@dataclass(frozen=True)
class Interval:
    """A value with its standard deviation and the ends of its 95 % interval."""

    value: float
    sd: float
    low: float
    high: float


def resample(blocks: np.ndarray, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """Draw sums over as many blocks as there are, with replacement.

    Parameters
    ----------
    blocks : ndarray, shape (block, value)
        What each block adds, such as its histogram.
    resamples : int
        How often to draw.
    rng : Generator
        Source of chance.

    Returns
    -------
    ndarray of float, shape (resample, value)
        Sums.
    """
    count = len(blocks)
    drawn = rng.multinomial(count, np.full(count, 1 / count), size=resamples)
    used = np.flatnonzero(blocks.any(axis=0))  # most bins of a histogram are empty
    sums = np.zeros((resamples, blocks.shape[1]))
    sums[:, used] = drawn.astype(np.float32) @ blocks[:, used].astype(np.float32)
    return sums


def interval(value: float, drawn: np.ndarray) -> Interval:
    """Give a value the scatter of the values that were drawn again; NaN among them are left out."""
    finite = drawn[np.isfinite(drawn)]
    if finite.size < max(2, drawn.size // 2) or not np.isfinite(value):
        return Interval(value, np.nan, np.nan, np.nan)
    low, high = np.quantile(finite, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(value, float(finite.std(ddof=1)), float(low), float(high))


def median_sd(values: np.ndarray) -> float:
    """Give the standard deviation of the median of independent values.

    As a bootstrap gives it, without drawing: the chance that each value becomes the median of a
    resample is known [1]_. No distribution is assumed.

    Parameters
    ----------
    values : ndarray, shape (n,)
        At least two; NaN are left out.

    Returns
    -------
    float
        NaN for fewer than two values.

    References
    ----------
    .. [1] Maritz & Jarrett (1978), J. Am. Stat. Assoc. 73, 194. doi:10.2307/2286545
    """
    known = np.sort(values[np.isfinite(values)]).astype(np.float64)
    if known.size < 2:
        return float("nan")
    middle = (known.size + 1) / 2
    chance = np.diff(scipy.special.betainc(middle, middle, np.linspace(0, 1, known.size + 1)))
    mean = float(chance @ known)
    return float(np.sqrt(chance @ (known - mean) ** 2))
