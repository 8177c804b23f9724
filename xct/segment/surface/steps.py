"""Steps along columns: where one material ends and the next begins. In: columns; out: heights.

A column is a profile of μ along s, the direction away from the anode, in voxels.
"""

from __future__ import annotations

import math

import numpy as np

from xct.parallel.kernels import njit

_SQRT2 = math.sqrt(2.0)
_SQRT_2PI = math.sqrt(2.0 * math.pi)
_ROUNDS = 12
_NEAR = 6.0  # sd of the point spread that a fit looks beyond a step
_EVIDENCE = 12.0  # log likelihood ratio at which a change is believed
_MOST = 3.0  # … of which one voxel may bring this much, so that no single one decides
_BIWEIGHT = 4.7
# Errors of the form of steel's edge, taken as noise: relative, and where little of it is left.
_SLOPPY, _TAIL, _WEAK = 0.06, 0.3, 6.0
_TINY = 0.05
_MOST_STEP = 0.7
_SETTLED = 2e-3
_THIN = 3.0


@njit(cache=True, nogil=True)
def falls_below(column: np.ndarray, level: float, start: int) -> float:
    """Tell where a column falls below a level for good (two voxels), between voxels; NaN: never."""
    for s in range(max(start, 1), column.size - 1):
        if column[s] < level and column[s + 1] < level and column[s - 1] >= level:
            return float(s - 1 + (column[s - 1] - level) / (column[s - 1] - column[s]))
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
    return float(0.5 * (1.0 + math.erf(u / _SQRT2)))


@njit(cache=True, nogil=True)
def _density(u: float) -> float:
    return math.exp(-0.5 * u * u) / _SQRT_2PI


@njit(cache=True, nogil=True)
def _looked_up(edge: np.ndarray, s: int, face: float) -> float:
    """Apparent μ of the opaque body in row s, its face at `face`."""
    reach = edge.shape[1] // 2
    row = math.floor(face + 0.5)
    k = s - row
    if k > reach:
        return 0.0
    k = max(k, -reach) + reach
    at = (face - row + 0.5) * (edge.shape[0] - 1)
    low = min(int(at), edge.shape[0] - 2)
    return float(edge[low, k] + (at - low) * (edge[low + 1, k] - edge[low, k]))


@njit(cache=True, nogil=True)
def fit_two_steps(
    column: np.ndarray,
    edge: np.ndarray,
    start: np.ndarray,
    spread: np.ndarray,
    noise: float,
    steel_noise: float,
    answer: np.ndarray,
    sd: np.ndarray,
) -> float:
    """Fit steel | lithium of thickness t ≥ 0 | electrolyte.

    Parameters
    ----------
    column : ndarray
        μ along s.
    edge : ndarray, shape (phase, row)
        How steel's face looks, as `opaque_edge` tells.
    start : ndarray, shape (5,)
        Steel's face, thickness, levels of lithium and electrolyte, blur of their step (voxels).
    spread : ndarray, shape (5,)
        Standard deviation with which `start` is known beforehand; 0: not at all.
    noise, steel_noise : float
        Standard deviation of the noise, and in steel.
    answer, sd : ndarray, shape (5,)
        Filled with the fit and its standard deviations.

    Returns
    -------
    float
        Weighted sum of squared residuals, robust.
    """
    p = start.copy()
    normal = np.zeros((5, 5))
    right = np.zeros(5)
    slope = np.zeros(5)
    first = max(0, int(p[0]) - 2)
    last = int(max(p[1], _THIN) + p[0] + _NEAR * p[4]) + 2
    cost = 0.0
    for number in range(_ROUNDS):
        stop = min(column.size, max(last, int(p[0] + p[1] + _NEAR * p[4]) + 2))
        normal[:] = 0.0
        right[:] = 0.0
        cost = 0.0
        for s in range(first, stop):
            value = column[s]
            if value != value:
                continue
            steel = _looked_up(edge, s, p[0])
            u1, u2 = (s - p[0]) / p[4], (s - p[0] - p[1]) / p[4]
            f1, f2 = _normal(u1), _normal(u2)
            d1, d2 = _density(u1) / p[4], _density(u2) / p[4]
            step = p[3] - p[2]
            steep = _looked_up(edge, s, p[0] + _TINY) - _looked_up(edge, s, p[0] - _TINY)
            slope[0] = steep / (2 * _TINY) - p[2] * d1 - step * d2
            slope[1] = -step * d2
            slope[2], slope[3] = f1 - f2, f2
            slope[4] = -step * d2 * u2
            rest = value - (steel + p[2] * slope[2] + p[3] * f2)
            share = steel / max(edge[0, 0], 1e-6)
            sloppy = (_SLOPPY * steel) ** 2 + (_TAIL * min(steel, _WEAK)) ** 2
            weight = 1.0 / (noise * noise + sloppy + (share * steel_noise) ** 2)
            off = rest * math.sqrt(weight) / _BIWEIGHT
            trust = max(0.0, 1.0 - off * off) ** 2
            cost += weight * rest * rest * trust + _BIWEIGHT**2 * (1.0 - trust)
            if number > 1 and (u2 > 2.0 or u2 < -2.0):  # chips, particles, pores
                weight *= trust
            for i in range(5):
                right[i] += weight * slope[i] * rest
                for j in range(i + 1):
                    normal[i, j] += weight * slope[i] * slope[j]
        change = _solved(normal, right, p, start, spread)
        change[0] = min(max(change[0], -_MOST_STEP), _MOST_STEP)
        change[1] = min(max(change[1], -2 * _MOST_STEP), 2 * _MOST_STEP)
        change[4] = min(max(change[4], -0.3 * p[4]), 0.3 * p[4])
        p += change
        p[1] = max(p[1], 0.0)
        if abs(change[0]) + abs(change[1]) < _SETTLED and number > 2:
            break
    _report(normal, p, answer, sd)
    return cost


@njit(cache=True, nogil=True)
def fit_one_step(
    column: np.ndarray,
    start: np.ndarray,
    spread: np.ndarray,
    noise: float,
    answer: np.ndarray,
    sd: np.ndarray,
) -> bool:
    """Fit a step: its place, both levels, its blur; arguments as of `fit_two_steps`."""
    p = start.copy()
    normal = np.zeros((4, 4))
    right = np.zeros(4)
    slope = np.zeros(4)
    for number in range(_ROUNDS):
        normal[:] = 0.0
        right[:] = 0.0
        for s in range(column.size):
            value = column[s]
            if value != value:
                continue
            u = (s - p[0]) / p[3]
            f, d = _normal(u), _density(u) / p[3]
            step = p[2] - p[1]
            slope[0], slope[1], slope[2], slope[3] = -step * d, 1.0 - f, f, -step * d * u
            rest = value - p[1] - step * f
            weight = 1.0 / (noise * noise)
            if number > 1 and abs(u) > 2.0:
                off = rest / (noise * _BIWEIGHT)
                weight *= max(0.0, 1.0 - off * off) ** 2
            for i in range(4):
                right[i] += weight * slope[i] * rest
                for j in range(i + 1):
                    normal[i, j] += weight * slope[i] * slope[j]
        change = _solved(normal, right, p, start, spread)
        change[0] = min(max(change[0], -_MOST_STEP), _MOST_STEP)
        change[3] = min(max(change[3], -0.3 * p[3]), 0.3 * p[3])
        p += change
        if abs(change[0]) < _SETTLED and number > 2:
            break
    _report(normal, p, answer, sd)
    return bool(0 < p[0] < column.size - 1)


@njit(cache=True, nogil=True)
def _solved(
    normal: np.ndarray, right: np.ndarray, p: np.ndarray, start: np.ndarray, spread: np.ndarray
) -> np.ndarray:
    """Add what is known beforehand to the normal equations, and solve them."""
    for i in range(p.size):
        for j in range(i):
            normal[j, i] = normal[i, j]
    for i in range(p.size):
        if spread[i] > 0.0:
            normal[i, i] += 1.0 / spread[i] ** 2
            right[i] += (start[i] - p[i]) / spread[i] ** 2
        normal[i, i] = normal[i, i] * (1.0 + 1e-9) + 1e-12
    return np.linalg.solve(normal, right)


@njit(cache=True, nogil=True)
def _report(normal: np.ndarray, p: np.ndarray, answer: np.ndarray, sd: np.ndarray) -> None:
    covariance = np.linalg.inv(normal)
    for i in range(p.size):
        answer[i] = p[i]
        sd[i] = math.sqrt(max(covariance[i, i], 0.0))
