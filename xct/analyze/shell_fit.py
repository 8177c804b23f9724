"""Layers around a particle. In: a profile across its surface; out: their widths and depths, ± sd.

A particle, layers and electrolyte, each of one grey value, under a Gaussian point spread:
``g(s) = Σ g_k [Φ((s − e_k)/σ) − Φ((s − e_k+1)/σ)]``. Where the surface lies is fitted as well: by
a layer much narrower than the point spread it only seems to move.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
import scipy

from xct.physics.optics import FWHM_PER_SIGMA
from xct.statistics.gaussian import gaussian_density

_EMPTY = 0.8  # a layer this far down from the electrolyte to what fills gaps is a gap
_CERTAIN = 3.0  # standard deviations
_GAIN = 25.0  # of χ², for an edge or a level more
_ROUGH = 0.1  # of σ: how well a surface made of voxels is known
_TRIALS = (
    0.3,
    0.6,
    1.0,
    1.6,
    2.5,
    4.0,
    6.5,
    10.0,
)  # widths of a layer, in those of the point spread


@dataclass(frozen=True)
class Layered:
    """What was fitted to a profile.

    Attributes
    ----------
    edges_um : ndarray, shape (layer + 1,)
        Where a particle and the layers around it end, from its surface as labelled.
    levels : ndarray, shape (layer + 2,)
        Grey values of particle, layers and electrolyte.
    covariance : ndarray
        Of edges and levels, in this order.
    misfit : float
        χ² of the profile.
    freedom : int
        Points less parameters.
    """

    edges_um: np.ndarray
    levels: np.ndarray
    covariance: np.ndarray = field(repr=False)
    misfit: float
    freedom: int

    def sd(self, weights: np.ndarray) -> float:
        """Give the sd of a weighted sum of edges and levels."""
        return float(np.sqrt(max(self.covariance_of(weights, weights), 0)))

    def covariance_of(self, first: np.ndarray, second: np.ndarray) -> float:
        """Give the covariance of two weighted sums of edges and levels."""
        return float(first @ self.covariance @ second)


def fit_layers(
    away_um: np.ndarray, grey: np.ndarray, sd: np.ndarray, sigma_um: float, gap: float
) -> Layered:
    """Fit as many layers as a profile demands: none, one, or a gap and a layer around it.

    Parameters
    ----------
    away_um : ndarray, shape (point,)
        Distance from the surface, negative inside the particle, ascending.
    grey, sd : ndarray, shape (point,)
        Mean grey value, and its standard deviation.
    sigma_um : float
        Standard deviation of the point spread.
    gap : float
        Grey value of what fills gaps.

    Returns
    -------
    Layered
        The simplest that is not much worse than the next. Without layers too where they are so
        narrow that a gap and a lighter, wider layer look the same.
    """
    fwhm = FWHM_PER_SIGMA * sigma_um
    best = _fit(away_um, grey, sd, sigma_um, [(0.0,)], {})
    sd = np.hypot(sd, _ROUGH * sigma_um * np.abs(np.gradient(grey, away_um)))
    best = _fit(away_um, grey, sd, sigma_um, [tuple(best.edges_um)], {})
    p = float(best.edges_um[0])
    widths = [k * fwhm for k in _TRIALS if k * fwhm < away_um[-1] - p]
    one: list[tuple[float, ...]] = [
        (p + shift * sigma_um, p + shift * sigma_um + w) for shift in (-1, 0, 1) for w in widths
    ]
    two: list[tuple[float, ...]] = [
        (p, p + a, p + a + b) for a, b in product(widths, widths) if p + a + b < away_um[-1]
    ]
    beside = float(best.levels[-1])
    empty, light = {1: gap}, {1: (gap + beside) / 2}

    def fit(starts: list[tuple[float, ...]], held: dict[int, float]) -> Layered:
        return _fit(away_um, grey, sd, sigma_um, starts, held)

    def explains_more(better: Layered, than: Layered) -> bool:
        scale = max(1.0, better.misfit / better.freedom)
        return than.misfit - better.misfit > _GAIN * scale

    if not one:
        return best
    hollow, layer = fit(one, empty), fit(one, {})
    rival = best
    if explains_more(layer, hollow):
        best = layer if explains_more(layer, best) else best
    elif explains_more(hollow, best):
        # What is narrow may as well be wider and half as dark: only if not, it is a gap.
        rival = hollow
        best = hollow if explains_more(hollow, fit(one, light)) else best
    if two:
        both = fit(two, empty)
        if (
            explains_more(both, best)
            and explains_more(both, rival)
            and explains_more(both, fit(two, light))
        ):
            return both
    return best


def _design(s: np.ndarray, edges: np.ndarray, sigma: float) -> np.ndarray:
    """Fraction of each material by distance, shape (point, material)."""
    beyond = scipy.special.ndtr((s[:, None] - edges) / sigma)
    ends = np.column_stack([np.ones(s.size), beyond, np.zeros(s.size)])
    return np.asarray(ends[:, :-1] - ends[:, 1:])


def _levels(
    s: np.ndarray, g: np.ndarray, sd: np.ndarray, edges: np.ndarray, sigma: float,
    held: dict[int, float],
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Best grey values for given edges, and the weighted residuals."""
    fractions = _design(s, edges, sigma)
    levels = np.zeros(edges.size + 1)
    for number, value in held.items():
        levels[number] = value
    free = [k for k in range(levels.size) if k not in held]
    rest = (g - fractions @ levels) / sd
    levels[free] = np.linalg.lstsq(fractions[:, free] / sd[:, None], rest, rcond=None)[0]
    return levels, (g - fractions @ levels) / sd


def _fit(
    s: np.ndarray, g: np.ndarray, sd: np.ndarray, sigma: float,
    starts: list[tuple[float, ...]], held: dict[int, float],
) -> Layered:  # fmt: skip
    def residuals(trial: np.ndarray) -> np.ndarray:
        widths = np.append(trial[:1], np.abs(trial[1:]))
        return _levels(s, g, sd, np.cumsum(widths), sigma, held)[1]

    trials = [np.append(start[:1], np.diff(start)) for start in starts]
    first = min(trials, key=lambda trial: float(np.sum(residuals(trial) ** 2)))
    found = scipy.optimize.least_squares(residuals, first, x_scale=sigma, method="lm").x
    edges = np.cumsum(np.append(found[:1], np.abs(found[1:])))
    levels, left = _levels(s, g, sd, edges, sigma, held)
    misfit = float(left @ left)
    freedom = max(1, s.size - edges.size - levels.size + len(held))
    covariance = _covariance(s, sd, edges, levels, sigma, held)
    return Layered(edges, levels, covariance * max(1.0, misfit / freedom), misfit, freedom)


def _covariance(
    s: np.ndarray, sd: np.ndarray, edges: np.ndarray, levels: np.ndarray, sigma: float,
    held: dict[int, float],
) -> np.ndarray:  # fmt: skip
    bell = gaussian_density(s[:, None], edges, sigma)
    slopes = np.hstack([-np.diff(levels) * bell, _design(s, edges, sigma)]) / sd[:, None]
    free = [k for k in range(slopes.shape[1]) if k - edges.size not in held]
    covariance = np.zeros((slopes.shape[1],) * 2)
    covariance[np.ix_(free, free)] = np.linalg.pinv(slopes[:, free].T @ slopes[:, free])
    return covariance


def resolved_layers(
    fit: Layered, *, farthest_um: float, least_um: float, gap: float, face_um: float
) -> dict[str, Any]:
    """Find gap and shell, where they are wide and certain enough and end in view.

    Parameters
    ----------
    fit : Layered
        From `fit_layers`.
    farthest_um : float
        Where the profile ends, less the blur of what lies there.
    least_um : float
        Narrower layers are not resolved.
    gap : float
        Grey value of what fills gaps.
    face_um : float
        How well a width between two surfaces made of voxels is known.

    Returns
    -------
    dict
        The columns of `particle_shells` that are known.
    """
    found: dict[str, Any] = {}
    contrast = fit.levels[-1] - gap
    if contrast <= 0 or fit.edges_um[-1] > farthest_um or fit.levels[0] <= fit.levels[-1]:
        return found
    for number in range(1, fit.edges_um.size):
        width, by_width = _width(fit, number)
        depth, by_depth = _depth(fit, number, contrast)
        width_sd = float(np.hypot(fit.sd(by_width), face_um))
        # As far as a narrower layer may as well be a darker one, faces leave the depth open too.
        darker = fit.covariance_of(by_width, by_depth) / max(fit.sd(by_width) ** 2, 1e-12)
        depth_sd = float(np.hypot(fit.sd(by_depth), darker * face_um))
        if width < least_um or width < _CERTAIN * width_sd:
            continue
        if depth > 2 - _EMPTY:
            continue  # darker than anything that fills gaps
        if depth >= _EMPTY:
            found.update(gap_um=width * depth, gap_sd_um=width_sd, gap_resolved=True)
        elif depth > _CERTAIN * depth_sd:
            found.update(
                shell_um=width, shell_sd_um=width_sd, shell_depth=depth,
                shell_depth_sd=depth_sd, shell_resolved=True,
            )  # fmt: skip
    return found


def _width(fit: Layered, number: int) -> tuple[float, np.ndarray]:
    """Give the width of a layer, and its derivatives by edges and levels."""
    weights = np.zeros(len(fit.covariance))
    weights[[number - 1, number]] = -1, 1
    return float(fit.edges_um[number] - fit.edges_um[number - 1]), weights


def _depth(fit: Layered, number: int, contrast: float) -> tuple[float, np.ndarray]:
    """Give the depth of a layer, and its derivatives by edges and levels."""
    level, beside, first = fit.levels[number], fit.levels[-1], fit.edges_um.size
    depth = float((beside - level) / contrast)
    weights = np.zeros(len(fit.covariance))
    weights[first + number] = -1 / contrast
    weights[-1] = (1 - depth) / contrast
    return depth, weights
