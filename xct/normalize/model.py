"""A smooth model of the electrolyte's value. In: peaks of blocks; out: m(z, r) of low order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.polynomial import legendre

# Orders in z and in r²: few, so that the model follows the instrument and not the grains.
_ORDERS = [(a, b) for a in range(4) for b in range(3)]


@dataclass(frozen=True)
class SmoothModel:
    """Legendre series in height and even powers of the radius, added; constant beyond its range.

    Attributes
    ----------
    z_low_um, z_high_um, r_high_um : float
        Range for which it was fitted.
    along, across : tuple of float
        Coefficients of the series in z, and of those of r², which have no constant.
    covariance : tuple of tuple of float
        Of all coefficients, in that order.
    """

    z_low_um: float
    z_high_um: float
    r_high_um: float
    along: tuple[float, ...]
    across: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]

    def value(self, z_um: np.ndarray | float, r_um: np.ndarray | float) -> np.ndarray:
        """Give m at heights and radii, which are broadcast."""
        terms = self._terms(z_um, r_um)
        return np.asarray(np.tensordot(np.array([*self.along, *self.across]), terms, axes=1))

    def sd(self, z_um: np.ndarray | float, r_um: np.ndarray | float) -> np.ndarray:
        """Give its standard deviation at heights and radii."""
        terms = self._terms(z_um, r_um)
        spread = np.einsum("i...,ij,j...->...", terms, np.array(self.covariance), terms)
        return np.asarray(np.sqrt(np.maximum(spread, 0)))

    def _terms(self, z_um: np.ndarray | float, r_um: np.ndarray | float) -> np.ndarray:
        z, r = np.broadcast_arrays(np.asarray(z_um, float), np.asarray(r_um, float))
        t = _scaled(np.clip(z, self.z_low_um, self.z_high_um), self.z_low_um, self.z_high_um)
        q = (np.clip(r, 0, self.r_high_um) / max(self.r_high_um, 1e-9)) ** 2
        return _basis(t, q, len(self.along) - 1, len(self.across))


def _scaled(z: np.ndarray, low: float, high: float) -> np.ndarray:
    return np.asarray((2 * z - low - high) / max(high - low, 1e-9))


def _basis(t: np.ndarray, q: np.ndarray, along: int, across: int) -> np.ndarray:
    terms = [legendre.legval(t, np.eye(along + 1)[k]) for k in range(along + 1)]
    # 2q - 1 runs from -1 on the axis to 1 at the rim.
    terms += [legendre.legval(2 * q - 1, np.eye(across + 1)[k]) for k in range(1, across + 1)]
    return np.stack([np.broadcast_to(term, np.shape(t)) for term in terms])


def fit_model(
    z_um: np.ndarray,
    r_um: np.ndarray,
    peak: np.ndarray,
    sd: np.ndarray,
    *,
    z_range_um: tuple[float, float],
    r_high_um: float,
) -> SmoothModel:
    """Fit the model of the order that explains the peaks best for its number of terms (BIC).

    Blocks that disagree with the others count less (Tukey's biweight).

    Parameters
    ----------
    z_um, r_um, peak, sd : ndarray, shape (n,)
        Middle of each block, its peak and the peak's standard deviation.
    z_range_um : tuple of float
        Where the layer begins and ends: beyond, the model is constant.
    r_high_um : float
        Beyond this radius the model is constant.
    """
    low, high = z_range_um
    t, q = _scaled(z_um, low, high), np.minimum(r_um / r_high_um, 1.0) ** 2
    best = None
    # Peaks may scatter more than they say: grains are no noise. What is left sets the scale.
    floor = _robust_sd(peak, sd, t, q)
    for along, across in _ORDERS:
        count = 1 + along + across
        if (
            peak.size < count + 2
            or np.unique(t).size < max(along + 1, 2 * along)
            or np.unique(np.round(q, 3)).size < across + 2
        ):
            continue
        terms = _basis(t, q, along, across)
        answer, weight, covariance = _solve(terms, peak, floor)
        left = (peak - answer @ terms) / floor
        cost = float((weight * left**2 + (1 - weight) * 9).sum()) + count * np.log(peak.size)
        if best is None or cost < best[0]:
            best = cost, along, answer, covariance
    if best is None:
        weight = 1 / floor**2
        mean = float(np.sum(weight * peak) / weight.sum())
        return SmoothModel(low, high, r_high_um, (mean,), (), ((float(1 / weight.sum()),),))
    _, along, answer, covariance = best
    values = tuple(float(v) for v in answer)
    rows = tuple(tuple(float(v) for v in row) for row in covariance)
    return SmoothModel(low, high, r_high_um, values[: along + 1], values[along + 1 :], rows)


def _robust_sd(peak: np.ndarray, sd: np.ndarray, t: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Raise the standard deviations together to what the richest model leaves."""
    safe: np.ndarray = np.maximum(sd, 1e-9 * max(1e-12, float(np.abs(peak).max())))
    along = min(3, max(0, (np.unique(t).size - 1) // 2))
    across = 1 if np.unique(np.round(q, 3)).size > 2 else 0
    terms = _basis(t, q, along, across)
    if peak.size <= len(terms) + 1:
        return safe
    answer, _, _ = _solve(terms, peak, safe)
    free = peak.size - len(terms)
    left = (peak - answer @ terms) / safe
    scale = 1.4826 * float(np.median(np.abs(left))) * np.sqrt(peak.size / free)
    return np.asarray(safe * max(1.0, scale))


def _solve(
    terms: np.ndarray, peak: np.ndarray, sd: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    weight = np.ones_like(peak)
    for _ in range(15):
        scaled = terms * (np.sqrt(weight) / sd)
        covariance = np.linalg.pinv(scaled @ scaled.T)
        answer = covariance @ (scaled @ (peak * np.sqrt(weight) / sd))
        left = (peak - answer @ terms) / sd
        weight = np.clip(1 - (left / 4.7) ** 2, 0, None) ** 2
        if not weight.any():
            weight = np.ones_like(peak)
    return answer, weight, covariance
