"""Steps along columns: where one material ends and the next begins. In: columns; out: heights.

A column is a profile of μ along s, the direction away from the anode, in voxels.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

_SQRT2 = math.sqrt(2.0)
_SQRT_2PI = math.sqrt(2.0 * math.pi)
_ROUNDS = 12
_NEAR = 6.0  # sd of the point spread that a fit looks beyond a step
_CLEAR = 2.5  # sd of the point spread beyond which a step is over
_EVIDENCE = 12.0  # log likelihood ratio at which a change is believed
_MOST = 3.0  # … of which one voxel may bring this much, so that no single one decides
_BIWEIGHT = 4.7
_SLOPPY = 0.02  # relative error of the point spread's form, taken as noise on the steel's edge


@njit(cache=True, nogil=True)
def falls_below(column: np.ndarray, level: float, start: int) -> float:
    """Tell where a column falls below a level for good (two voxels), between voxels; NaN: never."""
    for s in range(max(start, 1), column.size - 1):
        if column[s] < level and column[s + 1] < level and column[s - 1] >= level:
            return s - 1 + (column[s - 1] - level) / (column[s - 1] - column[s])
    return math.nan


@njit(cache=True, nogil=True)
def change_point(column: np.ndarray, start: int, low: float, high: float, noise: float) -> float:
    """Tell where a column goes up from one level to another, by Page's cumulative sum.

    The first change counts that the noise cannot explain; what lies beyond it does not.
    NaN where there is none.
    """
    middle, gain = 0.5 * (low + high), (high - low) / (noise * noise)
    total, least, at = 0.0, 0.0, float(start) - 0.5
    for s in range(start, column.size):
        if column[s] != column[s]:
            continue
        total += min(max(gain * (column[s] - middle), -_MOST), _MOST)
        if total < least:
            least, at = total, s + 0.5
        elif total - least > _EVIDENCE:
            return at
    return math.nan


@njit(cache=True, nogil=True)
def _normal(u: float) -> float:
    return 0.5 * (1.0 + math.erf(u / _SQRT2))


@njit(cache=True, nogil=True)
def _density(u: float) -> float:
    return math.exp(-0.5 * u * u) / _SQRT_2PI


@njit(cache=True, nogil=True)
def fit_two_steps(
    column: np.ndarray,
    start: np.ndarray,
    spread: np.ndarray,
    sigma: float,
    noise: float,
    answer: np.ndarray,
    sd: np.ndarray,
) -> bool:
    """Fit steel | lithium of thickness t ≥ 0 | electrolyte, blurred by a Gaussian.

    Parameters
    ----------
    column : ndarray
        μ along s.
    start : ndarray, shape (5,)
        Step from steel, thickness, levels of steel, lithium and electrolyte.
    spread : ndarray, shape (5,)
        Standard deviation with which `start` is known beforehand; 0: not at all.
    sigma : float
        Point spread, voxels.
    noise : float
        Standard deviation of the noise.
    answer, sd : ndarray, shape (5,)
        Filled with the fit and its standard deviations.

    Returns
    -------
    bool
        Whether the fit settled.
    """
    p = start.copy()
    normal = np.zeros((5, 5))
    right = np.zeros(5)
    slope = np.zeros(5)
    first = max(0, int(p[0] - _NEAR * sigma))
    settled = False
    for number in range(_ROUNDS):
        stop = min(column.size, int(p[0] + p[1] + _NEAR * sigma) + 2)
        normal[:] = 0.0
        right[:] = 0.0
        for s in range(first, stop):
            value = column[s]
            if value != value:
                continue
            u1, u2 = (s - p[0]) / sigma, (s - p[0] - p[1]) / sigma
            f1, f2 = _normal(u1), _normal(u2)
            d1, d2 = _density(u1) / sigma, _density(u2) / sigma
            slope[0] = (p[2] - p[3]) * d1 - (p[4] - p[3]) * d2
            slope[1] = -(p[4] - p[3]) * d2
            slope[2], slope[3], slope[4] = 1.0 - f1, f1 - f2, f2
            rest = value - (p[2] * slope[2] + p[3] * slope[3] + p[4] * slope[4])
            sloppy = _SLOPPY * (p[2] - p[3]) * (d1 * sigma + 1.0 - f1)
            weight = 1.0 / (noise * noise + sloppy * sloppy)
            if u2 > 2.0 or (u1 > 2.0 and u2 < -2.0):  # chips, particles, pores
                off = rest / (_BIWEIGHT * noise)
                weight *= max(0.0, 1.0 - off * off) ** 2 if number > 1 else 1.0
            for i in range(5):
                right[i] += weight * slope[i] * rest
                for j in range(i + 1):
                    normal[i, j] += weight * slope[i] * slope[j]
        for i in range(5):
            for j in range(i):
                normal[j, i] = normal[i, j]
            if spread[i] > 0.0:
                normal[i, i] += 1.0 / spread[i] ** 2
                right[i] += (start[i] - p[i]) / spread[i] ** 2
            normal[i, i] = normal[i, i] * (1.0 + 1e-9) + 1e-12
        step = np.linalg.solve(normal, right)
        most = 1.5 * sigma
        step[0] = min(max(step[0], -most), most)
        step[1] = min(max(step[1], -most), most)
        p += step
        p[1] = max(p[1], 0.0)
        if abs(step[0]) + abs(step[1]) < 1e-3 and number > 2:
            settled = True
            break
    covariance = np.linalg.inv(normal)
    for i in range(5):
        answer[i] = p[i]
        sd[i] = math.sqrt(max(covariance[i, i], 0.0))
    return settled
