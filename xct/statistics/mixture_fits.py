"""Fits of mixtures to histograms. In: counts by grey value; out: a mixture of materials.

`fit_mixture` chooses how much of the model a histogram of two materials needs, `fit_levels` takes
any number of levels of which some are known, `fit_gaussians` leaves partial volumes out, and
`fit_robust` serves where part of the voxels follows no such model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Annotated

import numpy as np
import scipy
from annotated_types import Gt, Le

from xct.errors import DataError
from xct.statistics.mixture import KINDS, Kind, Mixture, densities

_LEAST = 1e-12  # no probability density is taken to be less: a stray count is tolerated
_TINY = 1e-30
_ROUNDS = 40  # of expectation and maximization for the weights, at each trial of the levels
_ROUNDS_OF_GAUSSIANS = 300

# Two materials: how much of the model a histogram needs.


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
    of both, every fraction being as likely as every other::

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
        return _most_likely(kind, scaled, grey, held, start)
    fits = [_most_likely(each, scaled, grey, held, None) for each in KINDS]
    return min(fits, key=lambda fit: fit.bic)


def _checked(counts: np.ndarray, grey_value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    counts, grey = np.asarray(counts, float), np.asarray(grey_value, float)
    if counts.ndim != 1 or counts.shape != grey.shape:
        raise DataError(
            f"counts have shape {counts.shape} and grey values {grey.shape}; "
            "they must be lists of the same length"
        )
    if not np.isfinite(counts).all() or (counts < 0).any():
        raise DataError("counts of a histogram must be finite and not negative")
    if np.count_nonzero(counts) < 2:
        raise DataError(
            f"the histogram has {np.count_nonzero(counts)} bins with voxels; a fit needs at least "
            "2: take narrower bins, or another range"
        )
    used = np.flatnonzero(counts)
    part = slice(used[0], used[-1] + 1)
    return counts[part], grey[part]


def _most_likely(
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
        return _judged(Mixture((a,), (s,), {(0, 0): 1.0}), counts, grey, 0 if held else 2)
    axes = _Axes(kind, held, mean, sd)
    guesses = [start] if start else _guesses(counts, grey, held)

    def cost(parameters: np.ndarray) -> float:
        density = axes.unpack(parameters).density(grey)
        return float(-(counts @ np.log(np.maximum(density * sd, _LEAST))) / total)

    found = [scipy.optimize.minimize(cost, axes.pack(guess), method="BFGS") for guess in guesses]
    best = min(found, key=lambda fit: float(fit.fun))
    return _judged(axes.unpack(best.x), counts, grey, best.x.size)


def _judged(found: Mixture, counts: np.ndarray, grey: np.ndarray, free: int) -> Mixture:
    """Add how likely it is, and the criterion for so many free parameters."""
    likelihood = float(counts @ np.log(np.maximum(found.density(grey), _LEAST)))
    n = float(counts.sum())
    bic = free * float(np.log(max(n, 2.0))) - 2 * likelihood
    return Mixture(found.levels, found.noises, found.weights, likelihood, bic, n)


@dataclass(frozen=True)
class _Axes:
    """Parameters without bounds, all of order 1, in place of grey values, widths and weights."""

    kind: Kind
    held: tuple[float, float] | None
    mean: float
    unit: float

    def unpack(self, parameters: np.ndarray) -> Mixture:
        values = list(np.clip(parameters, -30, 30))
        if self.held:
            a, sd_a = self.held
            b = a + values.pop(0) * self.unit
        else:
            a = self.mean + values.pop(0) * self.unit
            b = a + np.exp(values.pop(0)) * self.unit
            sd_a = np.exp(values.pop(0)) * self.unit
        sd_b = np.exp(values.pop(0)) * self.unit if self.kind == "two" else sd_a
        raw = np.exp([0.0, *values])
        weights = zip(((0, 0), (1, 1), (0, 1)), (raw / raw.sum()).tolist(), strict=False)
        return Mixture((float(a), float(b)), (float(sd_a), float(sd_b)), dict(weights))

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


def _guesses(
    counts: np.ndarray, grey: np.ndarray, held: tuple[float, float] | None
) -> list[Mixture]:
    """Two peaks split at Otsu's threshold; one peak with a tail to either side."""
    below = np.cumsum(counts) / counts.sum()
    low, quarter, high = (float(np.interp(q, below, grey)) for q in (0.003, 0.25, 0.997))
    split = _lower_class(counts, grey)
    means = [float(np.average(grey[part], weights=counts[part])) for part in (split, ~split)]
    peak = float(grey[np.argmax(np.convolve(counts, np.ones(5), "same"))])
    s = max(abs(float(np.interp(0.5, below, grey)) - quarter), float(grey[1] - grey[0]))
    weight = float(counts[split].sum() / counts.sum())
    pairs = [(*means, weight, s / 2), (peak, high, 0.8, s), (low, peak, 0.1, s)]
    if held:
        pairs = [(held[0], b, w, held[1]) for b, w in ((means[1], 0.5), (high, 0.8), (low, 0.8))]
    return [
        Mixture((a, b), (sd, sd), {(0, 0): 0.8 * w, (1, 1): 0.8 * (1 - w), (0, 1): 0.2})
        for a, b, w, sd in pairs
        if held or b > a
    ]


def _lower_class(counts: np.ndarray, grey: np.ndarray) -> np.ndarray:
    """Mark the bins of the lower class, by the largest variance between two classes (Otsu)."""
    below = np.cumsum(counts)[:-1]
    moment = np.cumsum(counts * grey)[:-1]
    total, whole = counts.sum(), float(counts @ grey)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (whole * below / total - moment) ** 2 / (below * (total - below))
    cut = int(np.nanargmax(between))
    return np.asarray(np.arange(grey.size) <= cut)


# Any number of materials, of which some are known.


def fit_levels(
    counts: np.ndarray,
    grey_value: np.ndarray,
    levels: Sequence[float],
    *,
    noise: float,
    fixed: Sequence[bool] | None = None,
    fixed_noise: bool = False,
) -> Mixture:
    """Fit levels, common noise and weights to a histogram, by maximum likelihood.

    For given levels and noise the weights are a convex problem, solved by expectation and
    maximization; what is not held of levels and noise is searched for.

    Parameters
    ----------
    counts : ndarray, shape (bin,)
        Voxels in each bin.
    grey_value : ndarray, shape (bin,)
        Middle of each bin.
    levels : sequence of float
        Where the materials are looked for, ascending.
    noise : float
        Where the noise is looked for.
    fixed : sequence of bool, optional
        Levels that are known and held.
    fixed_noise : bool, optional
        Whether the noise is known and held.

    Returns
    -------
    Mixture
        Of every material and every pair of them.

    Raises
    ------
    ValueError
        If there are no counts, or the levels do not ascend.
    """
    counts = np.asarray(counts, float)
    start = np.asarray(levels, float)
    if counts.sum() <= 0 or np.any(np.diff(start) <= 0) or noise <= 0:
        raise DataError(
            f"a mixture needs voxels (got {counts.sum():.0f}), ascending levels (got "
            f"{list(levels)}) and a noise above 0 (got {noise})"
        )
    held = np.array(fixed if fixed is not None else [False] * start.size)
    kept = counts > 0
    counts, grey = counts[kept], np.asarray(grey_value, float)[kept]
    pairs = [(i, i) for i in range(start.size)] + list(combinations(range(start.size), 2))

    def unpack(free: np.ndarray) -> tuple[np.ndarray, float]:
        trial = start.copy()
        trial[~held] = free[: np.count_nonzero(~held)]
        return trial, noise if fixed_noise else float(np.exp(free[-1]))

    def parts(trial: np.ndarray, sd: float) -> np.ndarray:
        return densities(grey, trial.tolist(), [sd] * trial.size, pairs).T

    def misfit(free: np.ndarray) -> float:
        trial, sd = unpack(free)
        if np.any(np.diff(trial) <= sd):
            return 1e30
        found = parts(trial, sd)
        return -float(counts @ np.log(found @ _weights(counts, found) + _TINY) / counts.sum())

    first = np.append(start[~held], [] if fixed_noise else [np.log(noise)])
    if first.size:
        steps = np.append(np.full(np.count_nonzero(~held), 0.1 * np.ptp(start)), 0.3)[: first.size]
        first = _descended(misfit, first, steps, 1e-3 * noise)
    best, sd = unpack(first)
    weights = _weights(counts, parts(best, sd), rounds=8 * _ROUNDS).tolist()
    return Mixture(tuple(best.tolist()), (sd,) * best.size, dict(zip(pairs, weights, strict=True)))


def _descended(
    misfit: Callable[..., float], first: np.ndarray, steps: np.ndarray, near: float
) -> np.ndarray:
    """Nelder and Mead's answer from a simplex below the start."""
    corners = np.vstack([first, first - np.diag(steps)])
    return np.asarray(
        scipy.optimize.minimize(
            misfit,
            first,
            method="Nelder-Mead",
            options={"initial_simplex": corners, "xatol": near, "fatol": 1e-8},
        ).x
    )


def _weights(counts: np.ndarray, parts: np.ndarray, rounds: int = _ROUNDS) -> np.ndarray:
    """Most likely weights of parts whose densities (grey value, part) are known."""
    weights = np.full(parts.shape[1], 1 / parts.shape[1])
    seen = counts / counts.sum()
    for _ in range(rounds):
        ratio = seen / (parts @ weights + _TINY)
        weights = weights * (ratio @ parts)
        weights /= weights.sum()
    return weights


# Any number of materials without partial volumes.


def fit_gaussians(counts: np.ndarray, grey: np.ndarray, classes: np.ndarray) -> Mixture:
    """Fit normal distributions of common noise by expectation and maximization [1]_.

    Parameters
    ----------
    counts : ndarray, shape (bin,)
        Voxels in each bin.
    grey : ndarray, shape (bin,)
        Middle of each bin.
    classes : ndarray of int, shape (bin,)
        To begin with, the material of each bin, counted from 0.

    References
    ----------
    .. [1] Dempster, Laird & Rubin (1977), J. R. Stat. Soc. B 39, 1.
       doi:10.1111/j.2517-6161.1977.tb01600.x
    """
    total = counts.sum()
    seen, materials = counts / total, range(int(classes.max()) + 1)
    belongs = (classes == np.array(materials)[:, None]) * seen  # (material, bin)
    for _ in range(_ROUNDS_OF_GAUSSIANS):
        weight = np.maximum(belongs.sum(axis=1), 1e-12)
        mean = belongs @ grey / weight
        deviation = grey - mean[:, None]
        noise = float(np.sqrt((belongs * deviation**2).sum()))
        logs = np.log(weight)[:, None] - 0.5 * (deviation / noise) ** 2
        density = np.exp(logs - logs.max(axis=0))
        belongs = density / density.sum(axis=0) * seen
    weights = {(k, k): float(weight[k]) for k in materials}
    found = Mixture(tuple(mean.tolist()), (noise,) * len(materials), weights)
    return _judged(found, counts, grey, 2 * len(materials))


# Two materials, and some that are neither.


@dataclass(frozen=True)
class RobustFit:
    """Two materials in a histogram part of which is neither.

    Attributes
    ----------
    mixture : Mixture
        Both materials, with common noise.
    dark_sd : float
        Standard deviation of the dark level, from the curvature of the fit.
    misfit : float
        Root mean square of what is left, relative to the highest density.
    """

    mixture: Mixture
    dark_sd: float
    misfit: float


def fit_robust(
    counts: np.ndarray, edges: np.ndarray, *, dark: float, bright: float, noise: float
) -> RobustFit:
    """Fit two materials and their partial volumes where bins that disagree count less.

    Pores and carbon in a composite are neither electrolyte nor active material: a likelihood would
    follow them. Least squares with a soft L1 loss do not.

    Parameters
    ----------
    counts : ndarray, shape (n,)
        Voxels in each bin.
    edges : ndarray, shape (n + 1,)
        Of equal bins.
    dark, bright, noise : float
        Where to start.

    Raises
    ------
    ValueError
        If there are fewer than 500 voxels, or no contrast to start from.
    """
    total = float(counts.sum())
    if total < 500 or bright <= dark:
        raise DataError(
            f"a mixture of two materials needs 500 voxels and a bright above a dark value; there "
            f"are {total:.0f} voxels, dark {dark:.4g} and bright {bright:.4g}"
        )
    unit = 1.0 if 0.01 < noise < 100 else noise  # tolerances of the fit are absolute
    edges, (dark, bright, noise) = edges / unit, (dark / unit, bright / unit, noise / unit)
    middles, width = 0.5 * (edges[1:] + edges[:-1]), float(edges[1] - edges[0])
    seen = counts / total / width
    weight = 1 / np.sqrt(np.maximum(counts, 4) / total / width)

    def unpacked(p: np.ndarray) -> Mixture:
        raw = np.exp(np.array([p[3], p[4], 0.0]) - max(p[3], p[4], 0.0))
        sd = float(abs(p[2]) + 1e-9)
        weights = zip(((0, 0), (1, 1), (0, 1)), (raw / raw.sum()).tolist(), strict=True)
        return Mixture((float(p[0]), float(p[1])), (sd, sd), dict(weights))

    def left(p: np.ndarray) -> np.ndarray:
        return np.asarray((unpacked(p).density(middles) - seen) * weight)

    start = np.array([dark, bright, noise, 0.5, 0.0])
    fit = scipy.optimize.least_squares(
        left, start, x_scale=[noise, noise, noise, 1, 1], loss="soft_l1"
    )
    found, slopes = unpacked(fit.x), np.asarray(fit.jac)
    covariance = np.linalg.pinv(slopes.T @ slopes) * float(np.mean(left(fit.x) ** 2))
    misfit = float(np.sqrt(np.mean((found.density(middles) - seen) ** 2)) / seen.max())
    levels = (unit * found.a, unit * found.b)
    mixture = Mixture(levels, tuple(unit * sd for sd in found.noises), found.weights)
    return RobustFit(mixture, unit * float(np.sqrt(max(covariance[0, 0], 0))), misfit)
