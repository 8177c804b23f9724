"""Steps along columns: where one material ends and the next begins. In: columns; out: heights.

A column is a profile of μ along s, the direction away from the anode, in voxels.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from xct.parallel.kernels import njit

_SQRT2 = math.sqrt(2.0)
_SQRT_2PI = math.sqrt(2.0 * math.pi)
_ROUNDS = 12
_FAR = 7.0  # sd from a step, beyond which less than 1e-11 of it is left
_NEAR = 6.0  # sd of the point spread that a fit looks beyond a step
_EVIDENCE = 12.0  # log likelihood ratio at which a change is believed
_MOST = 3.0  # … of which one voxel may bring this much, so that no single one decides
_BIWEIGHT = 4.7
# Errors of the form of steel's edge, taken as noise: relative, and where little of it is left.
_FORM, _TAIL, _WEAK = 0.06, 0.3, 6.0
_TINY = 0.05
_MOST_STEP = 0.7
_SETTLED = 2e-3
_THIN = 3.0


class Prior(NamedTuple):
    """What is known before a fit: where it starts.

    Attributes
    ----------
    value, sd : ndarray, shape (parameter,)
        Values, and the standard deviations with which they are known; 0: not at all.
    """

    value: np.ndarray
    sd: np.ndarray


class StepFit(NamedTuple):
    """What a fit found.

    Attributes
    ----------
    value, sd : ndarray, shape (parameter,)
        Values and their standard deviations.
    """

    value: np.ndarray
    sd: np.ndarray


class Noise(NamedTuple):
    """Standard deviation of the noise of a voxel, and of one in steel."""

    voxel: float
    steel: float


class _Equations(NamedTuple):
    """Normal equations of a least-squares fit: the lower triangle, and the right-hand side."""

    matrix: np.ndarray
    right: np.ndarray


@njit(cache=True, nogil=True)
def _empty_equations(count: int) -> _Equations:
    return _Equations(np.zeros((count, count)), np.zeros(count))


@njit(cache=True, nogil=True)
def empty_prior(count: int) -> Prior:
    """Give room for what is known of so many parameters."""
    return Prior(np.empty(count), np.empty(count))


@njit(cache=True, nogil=True)
def empty_fit(count: int) -> StepFit:
    """Give room for a fit of so many parameters."""
    return StepFit(np.empty(count), np.empty(count))


@njit(cache=True, nogil=True)
def drop_point(column: np.ndarray, level: float) -> float:
    """Find where a column falls from above a level to below it, between voxels; NaN: nowhere.

    At the end of the piece that exceeds it by the largest sum: steel that hardly any light passed
    is so noisy that single voxels of it lie below.
    """
    total, largest, last = 0.0, 0.0, -1
    for s in range(column.size):
        if column[s] == column[s]:
            total = max(total, 0.0) + column[s] - level
            if total > largest:
                largest, last = total, s
    if last < 0 or last + 1 >= column.size or not column[last + 1] < level:
        return math.nan
    return float(last + (column[last] - level) / (column[last] - column[last + 1]))


@njit(cache=True, nogil=True)
def change_point(column: np.ndarray, start: int, low: float, high: float, noise: float) -> float:
    """Find where a column goes up from one level to another, by Page's cumulative sum.

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
def _normal(u: float) -> tuple[float, float]:
    """Give the normal distribution's cumulative function, and its density."""
    if u > _FAR or u < -_FAR:
        return (1.0 if u > 0.0 else 0.0), 0.0
    return 0.5 * (1.0 + math.erf(u / _SQRT2)), math.exp(-0.5 * u * u) / _SQRT_2PI


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
    column: np.ndarray, edge: np.ndarray, prior: Prior, noise: Noise, fit: StepFit
) -> float:
    """Fit steel | lithium of thickness t ≥ 0 | electrolyte.

    Parameters
    ----------
    column : ndarray
        μ along s.
    edge : ndarray, shape (phase, row)
        How steel's face looks, as `opaque_edge` computes it.
    prior : Prior
        Steel's face, thickness, levels of lithium and electrolyte, blur of their step (voxels).
    noise : Noise
        Of a voxel.
    fit : StepFit
        Filled.

    Returns
    -------
    float
        Weighted sum of squared residuals, robust.
    """
    p = prior.value.copy()
    normal = _empty_equations(5)
    first = max(0, int(p[0]) - 2)
    last = int(max(p[1], _THIN) + p[0] + _NEAR * p[4]) + 2
    cost = 0.0
    for number in range(_ROUNDS):
        stop = min(column.size, max(last, int(p[0] + p[1] + _NEAR * p[4]) + 2))
        normal.matrix[:] = 0.0
        normal.right[:] = 0.0
        cost = 0.0
        for s in range(first, stop):
            if column[s] == column[s]:
                cost += _add_voxel(column[s], s, edge, p, noise, normal, number > 1)
        change = _solution(normal, p, prior)
        change[0] = min(max(change[0], -_MOST_STEP), _MOST_STEP)
        change[1] = min(max(change[1], -2 * _MOST_STEP), 2 * _MOST_STEP)
        change[4] = min(max(change[4], -0.3 * p[4]), 0.3 * p[4])
        p += change
        p[1] = max(p[1], 0.0)
        if abs(change[0]) + abs(change[1]) < _SETTLED and number > 2:
            break
    _report(normal.matrix, p, fit)
    return cost


@njit(cache=True, nogil=True)
def _add_voxel(
    value: float,
    s: int,
    edge: np.ndarray,
    p: np.ndarray,
    noise: Noise,
    normal: _Equations,
    robust: bool,
) -> float:
    """Add a voxel to the normal equations of two steps; give what it costs."""
    steel = steep = 0.0
    if s <= p[0] + edge.shape[1] // 2 + 1:
        steel = _looked_up(edge, s, p[0])
        steep = _looked_up(edge, s, p[0] + _TINY) - _looked_up(edge, s, p[0] - _TINY)
    u1, u2 = (s - p[0]) / p[4], (s - p[0] - p[1]) / p[4]
    f1, d1 = _normal(u1)
    f2, d2 = _normal(u2)
    d1, d2 = d1 / p[4], d2 / p[4]
    step = p[3] - p[2]
    away = -step * d2
    slope = (steep / (2 * _TINY) - p[2] * d1 + away, away, f1 - f2, f2, away * u2)
    rest = value - (steel + p[2] * (f1 - f2) + p[3] * f2)
    filled = steel / max(edge[0, 0], 1e-6)
    form = (_FORM * steel) ** 2 + (_TAIL * min(steel, _WEAK)) ** 2
    weight = 1.0 / (noise.voxel * noise.voxel + form + (filled * noise.steel) ** 2)
    deviation = rest * math.sqrt(weight) / _BIWEIGHT
    trust = max(0.0, 1.0 - deviation * deviation) ** 2
    cost = weight * rest * rest * trust + _BIWEIGHT**2 * (1.0 - trust)
    if robust and (u2 > 2.0 or u2 < -2.0):  # chips, particles, pores
        weight *= trust
    _accumulate(normal, slope, weight, rest)
    return float(cost)


@njit(cache=True, nogil=True)
def fit_one_step(column: np.ndarray, prior: Prior, noise: float, fit: StepFit) -> bool:
    """Fit a step: its place, both levels, its blur; arguments as of `fit_two_steps`."""
    p = prior.value.copy()
    normal = _empty_equations(4)
    for number in range(_ROUNDS):
        normal.matrix[:] = 0.0
        normal.right[:] = 0.0
        for s in range(column.size):
            value = column[s]
            if value != value:
                continue
            u = (s - p[0]) / p[3]
            f, d = _normal(u)
            d /= p[3]
            step = p[2] - p[1]
            slope = (-step * d, 1.0 - f, f, -step * d * u)
            rest = value - p[1] - step * f
            weight = 1.0 / (noise * noise)
            if number > 1 and abs(u) > 2.0:
                deviation = rest / (noise * _BIWEIGHT)
                weight *= max(0.0, 1.0 - deviation * deviation) ** 2
            _accumulate(normal, slope, weight, rest)
        change = _solution(normal, p, prior)
        change[0] = min(max(change[0], -_MOST_STEP), _MOST_STEP)
        change[3] = min(max(change[3], -0.3 * p[3]), 0.3 * p[3])
        p += change
        if abs(change[0]) < _SETTLED and number > 2:
            break
    _report(normal.matrix, p, fit)
    return bool(0 < p[0] < column.size - 1)


@njit(cache=True, nogil=True)
def _accumulate(normal: _Equations, slope: tuple[float, ...], weight: float, rest: float) -> None:
    """Add one row of the Jacobian: a tuple, so that the loops are unrolled."""
    for i in range(len(slope)):
        part = weight * slope[i]
        normal.right[i] += part * rest
        for j in range(i + 1):
            normal.matrix[i, j] += part * slope[j]


@njit(cache=True, nogil=True)
def _solution(normal: _Equations, p: np.ndarray, prior: Prior) -> np.ndarray:
    """Add what is known beforehand to the normal equations, and solve them in place.

    By Cholesky's factors, which take the matrix's place: it is small, and solved for each column.
    """
    lower, found = normal.matrix, normal.right
    for i in range(p.size):
        if prior.sd[i] > 0.0:
            lower[i, i] += 1.0 / prior.sd[i] ** 2
            found[i] += (prior.value[i] - p[i]) / prior.sd[i] ** 2
        lower[i, i] = lower[i, i] * (1.0 + 1e-9) + 1e-12
    for i in range(p.size):
        for j in range(i + 1):
            rest = lower[i, j]
            for k in range(j):
                rest -= lower[i, k] * lower[j, k]
            if j < i:
                lower[i, j] = rest / lower[j, j]
            else:  # what rounding leaves of a parameter that others determine
                lower[i, i] = math.sqrt(max(rest, 1e-12))
    for i in range(p.size):
        for k in range(i):
            found[i] -= lower[i, k] * found[k]
        found[i] /= lower[i, i]
    for i in range(p.size - 1, -1, -1):
        for k in range(i + 1, p.size):
            found[i] -= lower[k, i] * found[k]
        found[i] /= lower[i, i]
    return found


@njit(cache=True, nogil=True)
def _report(lower: np.ndarray, p: np.ndarray, fit: StepFit) -> None:
    """Give the parameters and, from Cholesky's factors, the diagonal of their covariance."""
    count = p.size
    column = np.empty(count)
    for i in range(count):
        fit.value[i] = p[i]
        variance = 0.0  # of parameter i: the squares in column i of the factors' inverse
        for k in range(i, count):
            rest = 1.0 if k == i else 0.0
            for m in range(i, k):
                rest -= lower[k, m] * column[m]
            column[k] = rest / lower[k, k]
            variance += column[k] ** 2
        fit.sd[i] = math.sqrt(variance)
