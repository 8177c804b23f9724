"""Grey values of one or two materials. In: a histogram; out: a fitted model, with its threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import scipy
from annotated_types import Gt, Le

from xct.statistics.mixed_voxels import pure, shared

# Densities of the parts of a mixture, and where its histogram is split to begin with.


def densities(a: float, b: float, sd_a: float, sd_b: float, grey: np.ndarray) -> np.ndarray:
    """Densities of pure a, pure b and mixed voxels, shape (3, bin)."""
    return np.stack(
        [pure(grey, a, sd_a), pure(grey, b, sd_b), between(a, b, (sd_a + sd_b) / 2, grey)]
    )


def between(a: float, b: float, sd: float, grey: np.ndarray) -> np.ndarray:
    """Density of voxels with any share of a and b, all as likely."""
    if abs(b - a) < 1e-6 * sd:
        return pure(grey, a, sd)
    return shared(grey, a, b, sd)


def lower_class(counts: np.ndarray, grey: np.ndarray) -> np.ndarray:
    """Mark the bins of the lower class, by the largest variance between two classes."""
    below = np.cumsum(counts)[:-1]
    moment = np.cumsum(counts * grey)[:-1]
    total, whole = counts.sum(), float(counts @ grey)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (whole * below / total - moment) ** 2 / (below * (total - below))
    cut = int(np.nanargmax(between))
    return np.asarray(np.arange(grey.size) <= cut)


Kind = Literal["one", "two", "mixture"]
KINDS: tuple[Kind, ...] = ("one", "two", "mixture")

_LEAST = 1e-12  # a probability density is never taken to be less, so that one stray count is borne

_Shape = tuple[float, float, float, float]  # a, b and their noise
_Weights = tuple[float, float, float]  # of pure a, pure b, mixed


@dataclass(frozen=True)
class Mixture:
    """A model of a histogram: materials a and b, and the voxels that hold some of both.

    Attributes
    ----------
    kind : {"one", "two", "mixture"}
        One Gaussian, two Gaussians with widths of their own, or two with a common width and
        voxels between them of any share.
    a, b : float
        Grey values of the pure materials; with one Gaussian both are the same.
    sd_a, sd_b : float
        Their noise.
    weight_a, weight_b, weight_ab : float
        Parts of the voxels that are pure a, pure b, and mixed; together 1.
    log_likelihood, bic : float
        Of the histogram, and Bayes' information criterion; the lower of two is the better model.
    n : float
        Voxels, or independent ones if that was given.
    """

    kind: Kind
    a: float
    b: float
    sd_a: float
    sd_b: float
    weight_a: float
    weight_b: float
    weight_ab: float
    log_likelihood: float
    bic: float
    n: float

    @property
    def fraction_b(self) -> float:
        """Part of the volume that is b: pure voxels and half of the mixed ones."""
        return self.weight_b + self.weight_ab / 2

    def density(self, grey_value: np.ndarray) -> np.ndarray:
        """Probability density of grey values."""
        parts = densities(self.a, self.b, self.sd_a, self.sd_b, np.asarray(grey_value, float))
        return np.asarray(np.array([self.weight_a, self.weight_b, self.weight_ab]) @ parts)

    def probability_b(self, grey_value: np.ndarray | float) -> np.ndarray:
        """Probability that more than half of a voxel with this grey value is b."""
        grey = np.atleast_1d(np.asarray(grey_value, float))
        half = (self.a + self.b) / 2
        pure_a, pure_b, mixed = densities(self.a, self.b, self.sd_a, self.sd_b, grey)
        mostly_b = between(half, self.b, (self.sd_a + self.sd_b) / 2, grey) / 2
        upper = self.weight_b * pure_b + self.weight_ab * mostly_b
        whole = self.weight_a * pure_a + self.weight_b * pure_b + self.weight_ab * mixed
        sure = (grey > half) == (self.b > self.a)  # where both vanish, the nearer one
        return np.asarray(np.where(whole > 1e-280, upper / np.maximum(whole, 1e-280), sure))

    def threshold(self) -> float:
        """Give the grey value at which a voxel is as likely mostly a as mostly b.

        Raises
        ------
        ValueError
            If there is one material only.
        """
        if self.kind == "one" or self.a == self.b:
            raise ValueError(
                "the histogram holds one material only, so there is no threshold between two"
            )
        if (self.probability_b(self.a)[0] - 0.5) * (self.probability_b(self.b)[0] - 0.5) > 0:
            return (self.a + self.b) / 2  # one of them is too rare to win even at its own peak
        return float(
            scipy.optimize.brentq(lambda g: float(self.probability_b(g)[0]) - 0.5, self.a, self.b)
        )


def fit_mixture(
    counts: np.ndarray,
    grey_value: np.ndarray,
    *,
    kind: Kind | None = None,
    held: tuple[float, float] | None = None,
    independent: Annotated[float, Gt(0), Le(1)] = 1.0,
    start: Mixture | None = None,
) -> Mixture:
    """Fit a histogram by one Gaussian, two, or two materials with partial volume between them.

    The mixture is that of [1]_: materials a and b with common noise s, and voxels that hold some
    of both, every share being as likely as every other::

        p(g) = w_a N(g; a, s) + w_b N(g; b, s) + w_ab [Φ((g − a)/s) − Φ((g − b)/s)] / (b − a)

    Two plain Gaussians take the mixed voxels for a broad material, and put b far too near to a. So
    does the mixture, though less, where hardly a voxel is pure b (weight_b near 0): in particles
    hardly wider than the blur; their cores are then read one by one. Held with more noise than
    there is, it puts b lower still, by up to that noise: a blurred edge at b falls off as steeply
    as the noise, not as the scatter.

    Parameters
    ----------
    counts : ndarray, shape (bin,)
        Voxels in equal bins, no wider than the noise.
    grey_value : ndarray, shape (bin,)
        Centers of the bins, rising.
    kind : {"one", "two", "mixture"}, optional
        The model; unless given, the one with the lowest Bayes' information criterion.
    held : tuple of float, optional
        Grey value and noise of a material that is known from elsewhere: a and s stay at these;
        b may then lie on either side.
    independent : float, optional
        Part of the voxels that counts as independent, since noise of neighbors is correlated;
        matters for the choice among models only.
    start : Mixture, optional
        Where to start, such as the fit of a similar histogram: about five times quicker.

    Returns
    -------
    Mixture
        With a < b unless a was held.

    Raises
    ------
    ValueError
        If the histogram is empty, has one value only, or does not match its grey values.

    References
    ----------
    .. [1] Santago & Gage (1995), IEEE Trans. Image Process. 4, 1531. doi:10.1109/83.469934
    """
    counts, grey = _checked(counts, grey_value)
    scaled = counts * independent
    if kind is not None:
        return _fit(kind, scaled, grey, held, start)
    fits = [_fit(each, scaled, grey, held, None) for each in KINDS]
    return min(fits, key=lambda fit: fit.bic)


def _checked(counts: np.ndarray, grey_value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    counts, grey = np.asarray(counts, float), np.asarray(grey_value, float)
    if counts.ndim != 1 or counts.shape != grey.shape:
        raise ValueError(
            f"counts have shape {counts.shape} and grey values {grey.shape}; "
            "they must be lists of the same length"
        )
    if not np.isfinite(counts).all() or (counts < 0).any():
        raise ValueError("counts of a histogram must be finite and not negative")
    if np.count_nonzero(counts) < 2:
        raise ValueError(
            f"the histogram has {np.count_nonzero(counts)} bins with voxels; a fit needs at least "
            "2: take narrower bins, or another range"
        )
    used = np.flatnonzero(counts)
    part = slice(used[0], used[-1] + 1)
    return counts[part], grey[part]


def _fit(
    kind: Kind,
    counts: np.ndarray,
    grey: np.ndarray,
    held: tuple[float, float] | None,
    start: Mixture | None,
) -> Mixture:
    total = counts.sum()
    mean = float(counts @ grey / total)
    sd = float(np.sqrt(counts @ (grey - mean) ** 2 / total))
    if kind == "one":
        a, s = held or (mean, sd)
        return _finish(kind, (a, a, s, s), (1.0, 0.0, 0.0), counts, grey, 0 if held else 2)
    axes = _Axes(kind, held, mean, sd)
    first_shapes = [start] if start else _starts(counts, grey, held)

    def cost(parameters: np.ndarray) -> float:
        shape, weights = axes.unpack(parameters)
        density = np.maximum(np.dot(weights, densities(*shape, grey)) * sd, _LEAST)
        return float(-(counts @ np.log(density)) / total)

    found = [
        scipy.optimize.minimize(cost, axes.pack(first), method="BFGS") for first in first_shapes
    ]
    shape, weights = axes.unpack(min(found, key=lambda fit: float(fit.fun)).x)
    return _finish(kind, shape, weights, counts, grey, found[0].x.size)


def _finish(
    kind: Kind, shape: _Shape, weights: _Weights, counts: np.ndarray, grey: np.ndarray, free: int
) -> Mixture:
    density = np.dot(weights, densities(*shape, grey))
    likelihood = float(counts @ np.log(np.maximum(density, _LEAST)))
    n = float(counts.sum())
    bic = free * float(np.log(max(n, 2.0))) - 2 * likelihood
    return Mixture(kind, *shape, *weights, likelihood, bic, n)


@dataclass(frozen=True)
class _Axes:
    """Parameters without bounds, all of order 1, in place of grey values, widths and weights."""

    kind: Kind
    held: tuple[float, float] | None
    mean: float
    unit: float

    def unpack(self, parameters: np.ndarray) -> tuple[_Shape, _Weights]:
        values = list(np.clip(parameters, -30, 30))
        if self.held:
            a, sd_a = self.held
            b = a + values.pop(0) * self.unit
        else:
            a = self.mean + values.pop(0) * self.unit
            b = a + np.exp(values.pop(0)) * self.unit
            sd_a = np.exp(values.pop(0)) * self.unit
        if self.kind == "two":
            sd_b = np.exp(values.pop(0)) * self.unit
            raw = np.exp([0.0, values[0], -np.inf])
        else:
            sd_b = sd_a
            raw = np.exp([0.0, *values])
        w_a, w_b, w_ab = raw / raw.sum()
        return (float(a), float(b), float(sd_a), float(sd_b)), (float(w_a), float(w_b), float(w_ab))

    def pack(self, guess: Mixture) -> np.ndarray:
        distance = (guess.b - guess.a) / self.unit
        logs = [np.log(guess.sd_a / self.unit)]
        values = [(guess.a - self.mean) / self.unit, np.log(max(distance, 1e-3)), *logs]
        if self.held:
            values = [(guess.b - self.held[0]) / self.unit]
        weight_a = max(guess.weight_a, 1e-6)
        values += [np.log(guess.sd_b / self.unit)] if self.kind == "two" else []
        values += [np.log(max(guess.weight_b, 1e-6) / weight_a)]
        values += [np.log(max(guess.weight_ab, 1e-6) / weight_a)] if self.kind != "two" else []
        return np.asarray(np.clip(values, -25, 25))


def _starts(
    counts: np.ndarray, grey: np.ndarray, held: tuple[float, float] | None
) -> list[Mixture]:
    """Guesses: two peaks split at Otsu's threshold; one peak with a tail to either side."""
    share = np.cumsum(counts) / counts.sum()
    low, quarter, high = (float(np.interp(q, share, grey)) for q in (0.003, 0.25, 0.997))
    split = lower_class(counts, grey)
    means = [float(np.average(grey[part], weights=counts[part])) for part in (split, ~split)]
    peak = float(grey[np.argmax(np.convolve(counts, np.ones(5), "same"))])
    s = max(abs(float(np.interp(0.5, share, grey)) - quarter), float(grey[1] - grey[0]))
    weight = float(counts[split].sum() / counts.sum())
    pairs = [(*means, weight, s / 2), (peak, high, 0.8, s), (low, peak, 0.1, s)]
    if held:
        pairs = [(held[0], b, w, held[1]) for b, w in ((means[1], 0.5), (high, 0.8), (low, 0.8))]
    return [
        Mixture("mixture", a, b, sd, sd, 0.8 * w, 0.8 * (1 - w), 0.2, 0, 0, 0)
        for a, b, w, sd in pairs
        if held or b > a
    ]
