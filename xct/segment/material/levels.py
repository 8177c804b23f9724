"""Partial-volume mixtures: levels and thresholds of materials that share voxels.

In: a histogram of grey values; out: levels, noise and shares of the materials, and where a
voxel is as likely more than half of one as less.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import scipy

from xct.statistics.mixed_voxels import pure, shared

_ROUNDS = 40  # of expectation and maximization for the shares, at each trial of the levels
_TINY = 1e-30
_GRID = 512


@dataclass(frozen=True)
class LevelMixture:
    """Materials, and pairs of them within one voxel, under a common noise.

    Attributes
    ----------
    levels : tuple of float
        Grey value of each pure material, ascending.
    noise : float
        Standard deviation of the noise.
    shares : dict of (int, int) to float
        Share of the voxels: of material i under (i, i), of the pair i and j under (i, j).
    fixed : tuple of bool
        Which levels were given and not fitted.
    """

    levels: tuple[float, ...]
    noise: float
    shares: dict[tuple[int, int], float]
    fixed: tuple[bool, ...]

    def density(self, grey_value: np.ndarray) -> np.ndarray:
        """Give the probability density at each grey value."""
        grey = np.atleast_1d(np.asarray(grey_value, float))
        parts = _parts(grey, np.array(self.levels), self.noise, list(self.shares))
        return np.asarray(parts @ np.array(list(self.shares.values())))

    def share(self, grey_value: np.ndarray, material: int) -> np.ndarray:
        """Give the share of one material to expect in voxels of each grey value.

        Parameters
        ----------
        grey_value : ndarray
            Grey values.
        material : int
            Number of the material, counted from the darkest.
        """
        grey = np.atleast_1d(np.asarray(grey_value, float))
        pairs = list(self.shares)
        parts = _parts(grey, np.array(self.levels), self.noise, pairs)
        weighted = parts * np.array(list(self.shares.values()))
        within = np.stack([self._within(grey, pair, material) for pair in pairs], axis=1)
        total = weighted.sum(axis=1)
        nearest = np.abs(grey[:, None] - np.array(self.levels)).argmin(axis=1) == material
        with np.errstate(invalid="ignore", divide="ignore"):
            share = (weighted * within).sum(axis=1) / total
        return np.asarray(np.where(total > _TINY, share, nearest))

    def threshold(self, material: int) -> float:
        """Give the grey value above which a voxel holds more than half of `material`.

        Parameters
        ----------
        material : int
            Number of the material, counted from the darkest; not 0.
        """
        grey = np.linspace(self.levels[material - 1], self.levels[material], _GRID)
        heavier = sum(self.share(grey, above) for above in range(material, len(self.levels)))
        below = np.flatnonzero(np.asarray(heavier) < 0.5)
        at = min(int(below[-1]) + 1, grey.size - 1) if below.size else 0
        return float(grey[at])

    def _within(self, grey: np.ndarray, pair: tuple[int, int], material: int) -> np.ndarray:
        """Share of `material` in a voxel that holds a pair, given its grey value."""
        first, second = pair
        if first == second:
            return np.full(grey.shape, float(first == material))
        if material not in pair:
            return np.zeros(grey.shape)
        low, high = self.levels[first], self.levels[second]
        upper = (_mean_between(grey, low, high, self.noise) - low) / (high - low)
        return upper if material == second else 1 - upper


def fit_mixture(
    counts: np.ndarray,
    grey_value: np.ndarray,
    levels: Sequence[float],
    *,
    noise: float,
    fixed: Sequence[bool] | None = None,
    fixed_noise: bool = False,
) -> LevelMixture:
    """Fit a partial-volume mixture to a histogram, by maximum likelihood.

    ``p(g) = Σ w_i N(g; m_i, s) + Σ w_ij [Φ((g - m_i)/s) - Φ((g - m_j)/s)] / (m_j - m_i)`` [1]_:
    every mixing ratio of two materials is equally frequent.

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
    LevelMixture
        Levels, noise and shares.

    Raises
    ------
    ValueError
        If there are no counts, or the levels do not ascend.

    References
    ----------
    .. [1] Santago & Gage (1995), IEEE Trans. Image Process. 4, 1531. doi:10.1109/83.469934
    """
    counts = np.asarray(counts, float)
    start = np.asarray(levels, float)
    if counts.sum() <= 0 or np.any(np.diff(start) <= 0) or noise <= 0:
        raise ValueError(
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

    def misfit(free: np.ndarray) -> float:
        trial, spread = unpack(free)
        if np.any(np.diff(trial) <= spread):
            return 1e30
        parts = _parts(grey, trial, spread, pairs)
        return -float(counts @ np.log(parts @ _shares(counts, parts) + _TINY) / counts.sum())

    first = np.append(start[~held], [] if fixed_noise else [np.log(noise)])
    if first.size:
        steps = np.append(np.full(np.count_nonzero(~held), 0.1 * np.ptp(start)), 0.3)[: first.size]
        corners = np.vstack([first, first - np.diag(steps)])
        first = scipy.optimize.minimize(
            misfit,
            first,
            method="Nelder-Mead",
            options={"initial_simplex": corners, "xatol": 1e-3 * noise, "fatol": 1e-8},
        ).x
    best, spread = unpack(first)
    shares = _shares(counts, _parts(grey, best, spread, pairs), rounds=8 * _ROUNDS)
    return LevelMixture(
        tuple(map(float, best)),
        spread,
        dict(zip(pairs, map(float, shares), strict=True)),
        tuple(map(bool, held)),
    )


def _parts(
    grey: np.ndarray, levels: np.ndarray, noise: float, pairs: Sequence[tuple[int, int]]
) -> np.ndarray:
    """Densities of the pure materials and of the pairs, shape (grey value, pair)."""
    columns = [
        pure(grey, levels[i], noise) if i == j else shared(grey, levels[i], levels[j], noise)
        for i, j in pairs
    ]
    return np.stack(columns, axis=1)


def _shares(counts: np.ndarray, parts: np.ndarray, rounds: int = _ROUNDS) -> np.ndarray:
    """Most likely shares of the parts, which is a convex problem."""
    shares = np.full(parts.shape[1], 1 / parts.shape[1])
    weights = counts / counts.sum()
    for _ in range(rounds):
        ratio = weights / (parts @ shares + _TINY)
        shares = shares * (ratio @ parts)
        shares /= shares.sum()
    return shares


def _mean_between(grey: np.ndarray, low: float, high: float, noise: float) -> np.ndarray:
    """Mean of a normal distribution about each grey value, cut off below low and above high."""
    a, b = (low - grey) / noise, (high - grey) / noise
    mass = np.maximum(scipy.special.ndtr(b) - scipy.special.ndtr(a), _TINY)
    shift = noise * (np.exp(-0.5 * a**2) - np.exp(-0.5 * b**2)) / (np.sqrt(2 * np.pi) * mass)
    return np.asarray(np.clip(grey + shift, low, high))
