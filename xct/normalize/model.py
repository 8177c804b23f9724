"""A smooth model of the electrolyte's value. In: peaks of blocks; out: m(z, r) of low order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.polynomial import legendre

# Orders in z and in r²: few, so that the model follows the instrument and not the grains.
_ALONG, _ACROSS = range(4), range(3)
# A density that stops changing somewhere is a kink, which no low order follows.
_MOST_KINKS = 3
_BETWEEN_KINKS = 0.1  # of the range of heights
_SAME_HEIGHT, _SAME_RADIUS = 0.01, 0.1  # of the ranges: blocks that are closer count as one
# What curves along z is carried on beyond the blocks, where it grows: such a term counts twice.
_CURVED = 1.0
_OUTLIER = 5.0  # standard deviations; what is further away counts as that


@dataclass(frozen=True)
class SmoothModel:
    """Polynomials in height and in the squared radius, added; constant beyond their range.

    Attributes
    ----------
    z_low_um, z_high_um, r_high_um : float
        Range for which it was fitted.
    along, across : tuple of float
        Coefficients of Legendre series in z, and of one in r² without its constant.
    covariance : tuple of tuple of float
        Of all coefficients: `along`, `bends`, `across`.
    kinks_um, bends : tuple of float
        Heights at which the slope along z changes, and by how much over half of the range.
    """

    z_low_um: float
    z_high_um: float
    r_high_um: float
    along: tuple[float, ...]
    across: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    kinks_um: tuple[float, ...] = ()
    bends: tuple[float, ...] = ()

    def value(self, z_um: np.ndarray | float, r_um: np.ndarray | float) -> np.ndarray:
        """Give m at heights and radii, which are broadcast."""
        coefficients = np.array([*self.along, *self.bends, *self.across])
        return np.asarray(np.tensordot(coefficients, self._terms(z_um, r_um), axes=1))

    def sd(self, z_um: np.ndarray | float, r_um: np.ndarray | float) -> np.ndarray:
        """Give its standard deviation at heights and radii."""
        terms = self._terms(z_um, r_um)
        variance = np.einsum("i...,ij,j...->...", terms, np.array(self.covariance), terms)
        return np.asarray(np.sqrt(np.maximum(variance, 0)))

    def _terms(self, z_um: np.ndarray | float, r_um: np.ndarray | float) -> np.ndarray:
        z, r = np.broadcast_arrays(np.asarray(z_um, float), np.asarray(r_um, float))
        shape = _Shape(len(self.along) - 1, len(self.across), self.kinks_um)
        return _basis(z, r, shape, (self.z_low_um, self.z_high_um), self.r_high_um)


@dataclass(frozen=True)
class _Shape:
    """Which terms a model has."""

    along: int
    across: int
    kinks_um: tuple[float, ...] = ()

    @property
    def count(self) -> int:
        return 1 + self.along + len(self.kinks_um) + self.across


def _basis(
    z: np.ndarray, r: np.ndarray, shape: _Shape, z_range: tuple[float, float], r_high: float
) -> np.ndarray:
    low, high = z_range
    half = max(0.5 * (high - low), 1e-9)
    z = np.clip(z, low, high)
    t = (z - 0.5 * (low + high)) / half
    terms = [legendre.legval(t, np.eye(shape.along + 1)[k]) for k in range(shape.along + 1)]
    terms += [np.maximum(z - kink, 0) / half for kink in shape.kinks_um]
    # 2q - 1 runs from -1 on the axis to 1 at the rim.
    q = (np.clip(r, 0, r_high) / max(r_high, 1e-9)) ** 2
    for k in range(1, shape.across + 1):
        terms.append(legendre.legval(2 * q - 1, np.eye(shape.across + 1)[k]))
    return np.stack([np.broadcast_to(term, np.shape(z)) for term in terms])


@dataclass(frozen=True)
class _Blocks:
    """What a model is fitted to."""

    z: np.ndarray
    r: np.ndarray
    peak: np.ndarray
    sd: np.ndarray
    z_range: tuple[float, float]
    r_high: float

    def solve(self, shape: _Shape) -> tuple[float, np.ndarray, np.ndarray]:
        """Give the criterion (BIC), the coefficients and their covariance."""
        terms = self.terms(shape)
        answer, covariance = _solve(terms, self.peak, self.sd)
        left = np.abs(self.peak - answer @ terms) / self.sd
        price = shape.count + _CURVED * (max(shape.along - 1, 0) + len(shape.kinks_um))
        cost = float((np.minimum(left, _OUTLIER) ** 2).sum()) + price * np.log(self.z.size)
        return cost, answer, covariance

    def terms(self, shape: _Shape) -> np.ndarray:
        """Give the values of a shape's terms at the blocks."""
        return _basis(self.z, self.r, shape, self.z_range, self.r_high)

    def allows(self, shape: _Shape) -> bool:
        """Say whether there are enough blocks, heights and radii for so many terms."""
        heights = len(_apart(self.z, _SAME_HEIGHT * max(float(np.ptp(self.z_range)), 1e-9)))
        radii = len(_apart(self.r, _SAME_RADIUS * self.r_high))
        # A kink takes a height for itself, or it is fitted to how blocks of one height differ.
        needed = max(shape.along + 1, 2 * shape.along) + len(shape.kinks_um)
        enough_along = shape.along == 0 or heights >= needed
        enough_across = shape.across == 0 or radii >= shape.across + 2
        return enough_along and enough_across and self.z.size >= shape.count + 2


def fit_model(
    z_um: np.ndarray,
    r_um: np.ndarray,
    peak: np.ndarray,
    sd: np.ndarray,
    *,
    z_range_um: tuple[float, float],
    r_high_um: float,
) -> SmoothModel:
    """Fit the model that explains the peaks best for its number of terms (BIC).

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
    blocks = _honest(_Blocks(z_um, r_um, peak, sd, z_range_um, r_high_um))
    shapes = [_Shape(a, b) for a, b in product(_ALONG, _ACROSS)]
    allowed = [shape for shape in shapes if blocks.allows(shape)] or [_Shape(0, 0)]
    best = min(allowed, key=lambda shape: blocks.solve(shape)[0])
    best = _with_kinks(blocks, best)
    _, answer, covariance = blocks.solve(best)
    values, bends = tuple(float(v) for v in answer), 1 + best.along
    across = bends + len(best.kinks_um)
    return SmoothModel(
        *z_range_um,
        r_high_um,
        values[:bends],
        values[across:],
        tuple(tuple(float(v) for v in row) for row in covariance),
        best.kinks_um,
        values[bends:across],
    )


def _apart(places: np.ndarray, least: float) -> list[float]:
    """List places in order, leaving out those that are hardly beyond the last one."""
    kept: list[float] = []
    for place in np.sort(places).tolist():
        if not kept or place > kept[-1] + least:
            kept.append(place)
    return kept


def _with_kinks(blocks: _Blocks, shape: _Shape) -> _Shape:
    """Add the kink that helps most, as long as one does.

    Blocks of one height differ a little in it. A kink among them, or two, would have a slope that
    rests on that difference alone, and be carried to the layer's end: a kink keeps away from the
    outermost blocks and from other kinks.
    """
    least = _BETWEEN_KINKS * float(np.ptp(blocks.z))
    ends = blocks.z.min() + least, blocks.z.max() - least
    places = [place for place in _apart(blocks.z, 0.1 * least) if ends[0] <= place <= ends[1]]
    cost = blocks.solve(shape)[0]
    for _ in range(_MOST_KINKS):
        richer = [
            _Shape(max(1, shape.along), shape.across, (*shape.kinks_um, place))
            for place in places
            if all(abs(place - other) >= least for other in shape.kinks_um)
        ]
        tried = [(blocks.solve(one)[0], one) for one in richer if blocks.allows(one)]
        found = min(tried, key=lambda pair: pair[0], default=(np.inf, shape))
        if found[0] >= cost - np.log(max(2, len(places))):  # its place was chosen, too
            break
        cost, shape = found
    return shape


def _honest(blocks: _Blocks) -> _Blocks:
    """Raise the standard deviations together to what the richest polynomial leaves.

    Grains make blocks differ by more than the noise of their cubes does.
    """
    safe = np.maximum(blocks.sd, 1e-9 * max(1e-12, float(np.abs(blocks.peak).max())))
    blocks = replace(blocks, sd=safe)
    rich = [_Shape(a, b) for a, b in product(_ALONG, _ACROSS) if blocks.allows(_Shape(a, b))]
    if not rich:
        return blocks
    terms = blocks.terms(rich[-1])
    left = np.abs(blocks.peak - _solve(terms, blocks.peak, safe)[0] @ terms) / safe
    free = blocks.peak.size - len(terms)
    scale = 1.4826 * float(np.median(left)) * np.sqrt(blocks.peak.size / free)
    return replace(blocks, sd=safe * max(1.0, scale))


def _solve(terms: np.ndarray, peak: np.ndarray, sd: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    weight = np.ones_like(peak)
    for _ in range(15):
        scaled = terms * (np.sqrt(weight) / sd)
        covariance = np.linalg.pinv(scaled @ scaled.T)
        answer = covariance @ (scaled @ (peak * np.sqrt(weight) / sd))
        left = (peak - answer @ terms) / sd
        weight = np.clip(1 - (left / 6.0) ** 2, 0, None) ** 2
        if np.count_nonzero(weight) <= len(terms):
            weight = np.ones_like(peak)
    return answer, covariance
