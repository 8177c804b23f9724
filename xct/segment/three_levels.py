"""Three levels in a histogram. In: values; out: means, shares and common noise of three classes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

_BINS = 200
_BEYOND = 0.001  # part of the values on either side that is counted into the outermost bins
_STEPS = 300


@dataclass(frozen=True)
class Levels:
    """Three normal distributions of common noise.

    Attributes
    ----------
    means : tuple of float
        Rising.
    shares : tuple of float
        Together 1.
    noise : float
        Standard deviation of each.
    gain : float
        By how much the three are likelier than one normal distribution: logarithm, per voxel.
    """

    means: tuple[float, float, float]
    shares: tuple[float, float, float]
    noise: float
    gain: float

    def probability_lowest(self, values: np.ndarray) -> np.ndarray:
        """Probability that a value belongs to the lowest of the three."""
        # Relative to the lowest, whose density cancels: nothing vanishes far out.
        low = self.means[0]
        values = np.asarray(values, np.float64)
        odds = sum(
            share / self.shares[0] * np.exp(np.clip(
                (mean - low) * (2 * values - mean - low) / (2 * self.noise**2), -600, 600
            ))
            for mean, share in zip(self.means[1:], self.shares[1:], strict=True)
        )  # fmt: skip
        return np.asarray(1 / (1 + odds))


def split_levels(values: np.ndarray) -> tuple[float, float]:
    """Find the two thresholds that make the variance between three classes largest (Otsu)."""
    shares, grey = _histogram(values)
    first, second = _split(shares, grey)
    return float(grey[first]), float(grey[second])


def fit_levels(values: np.ndarray) -> Levels:
    """Fit three normal distributions of common noise, starting at Otsu's three classes."""
    shares, grey = _histogram(values)
    first, second = _split(shares, grey)
    classes = np.digitize(np.arange(grey.size), [first, second])
    belongs = (classes == np.arange(3)[:, None]) * shares  # (class, bin)
    for _ in range(_STEPS):
        weight = np.maximum(belongs.sum(axis=1), 1e-12)
        mean = belongs @ grey / weight
        off = grey - mean[:, None]
        noise = float(np.sqrt((belongs * off**2).sum()))
        logs = np.log(weight)[:, None] - 0.5 * (off / noise) ** 2
        density = np.exp(logs - logs.max(axis=0))
        belongs = density / density.sum(axis=0) * shares
    a, b, c = (float(m) for m in mean)
    u, v, w = (float(m) for m in weight)
    return Levels((a, b, c), (u, v, w), noise, _gain(shares, grey, weight, mean, noise))


def _gain(
    shares: np.ndarray, grey: np.ndarray, weight: np.ndarray, mean: np.ndarray, noise: float
) -> float:
    middle = float(shares @ grey)
    spread = float(np.sqrt(shares @ (grey - middle) ** 2))
    three = weight / noise @ np.exp(-0.5 * ((grey - mean[:, None]) / noise) ** 2)
    one = np.exp(-0.5 * ((grey - middle) / spread) ** 2) / spread
    return float(shares @ (np.log(np.maximum(three, 1e-30)) - np.log(np.maximum(one, 1e-30))))


def _histogram(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    low, high = np.quantile(values, [_BEYOND, 1 - _BEYOND])
    if not high > low:
        low, high = float(values.min()), float(values.max()) + 1e-6
    counts, edges = np.histogram(np.clip(values, low, high), _BINS, (low, high))
    return counts / counts.sum(), (edges[:-1] + edges[1:]) / 2


def _split(shares: np.ndarray, grey: np.ndarray) -> tuple[int, int]:
    """Bins at which the second and the third class start."""
    below = np.concatenate([[0.0], np.cumsum(shares)])
    moment = np.concatenate([[0.0], np.cumsum(shares * grey)])
    first, second = np.triu_indices(grey.size, 1)
    first, second = first[first > 0], second[first > 0]
    between = np.zeros(first.size)
    bounds = (np.zeros_like(first), first, second, np.full_like(first, grey.size))
    for start, stop in pairwise(bounds):
        weight = below[stop] - below[start]
        between += (moment[stop] - moment[start]) ** 2 / np.maximum(weight, 1e-12)
    best = int(np.argmax(between))
    return int(first[best]), int(second[best])
