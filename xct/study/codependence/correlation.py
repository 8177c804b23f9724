"""Correlation of two maps of one bore. In: samples of both; out: coefficients by scale, one p.

Whether it is chance is judged by turning one map about the axis, and mirroring it: that keeps its
values, its spectrum, its noise and whatever depends on the radius, and breaks only the link of the
two. Where a bore has no preferred direction the test is exact: under chance alone, 5 % of cells
get p ≤ 0.05, however smooth their maps are [1]_. Shuffled pixels would call nearly all of them so.

References
----------
.. [1] Lehmann & Romano (2005), Testing Statistical Hypotheses, 3rd ed., ch. 15.2.
   doi:10.1007/0-387-27605-X
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import atanh, inf, isfinite, nan, sqrt, tanh
from types import MappingProxyType

import numpy as np

from xct.study.codependence.smoothing import RingMap, Samples, ring_map, ring_radii_um

SCALES_UM = (25.0, 50.0, 100.0, 200.0, 400.0)
WANTED = 0.7  # the correlation that a bore should be able to show
_WIDEST = 0.35  # of the radius: the coarsest scale
_SURE = 1.96  # standard deviations on each side
_POWER = 0.84  # standard deviations: seen in four of five cells
# Noise alone varies by √2 `chance_sd` of its variance from map to map: so many of them are chance.
_SURE_OF_SIGNAL = 1.645
_ALPHA = 0.05


@dataclass(frozen=True)
class AtScale:
    """How two maps correlate at one scale.

    Attributes
    ----------
    first, second : str
        Names of the maps.
    fwhm_um : float
        Of the Gaussian that both were smoothed with.
    seen : float
        Pearson's coefficient of the smoothed maps, noise included.
    value, low, high : float
        Corrected for the noise of both maps, with its 95 % interval; NaN where a map is not told
        from noise.
    signal_first, signal_second : float
        Part of each map's variance that is neither noise nor in the pristine cell, too.
    chance_sd : float
        Standard deviation of `seen` when one map is mirrored and turned.
    detectable : float
        The true coefficient that would be seen in four of five such bores; infinite where a map is
        not told from noise.
    to_plan_with : float
        The same with less signal, by one standard deviation, than was found; where a map is not
        told from noise, with as much as could hide there: then it is a lower bound.
    """

    first: str
    second: str
    fwhm_um: float
    seen: float
    value: float
    low: float
    high: float
    signal_first: float
    signal_second: float
    chance_sd: float
    detectable: float
    to_plan_with: float


@dataclass(frozen=True)
class Codependence:
    """How two layers of one cell belong together.

    Attributes
    ----------
    rows : list of AtScale
        Every pair of maps at every scale.
    p_value : float
        Of the strongest of all rows, among what turned and mirrored maps give: one for the cell.
    radius_um : float
        Of the part of the bore that was looked at.
    """

    rows: list[AtScale]
    p_value: float
    radius_um: float

    @property
    def best(self) -> AtScale:
        """The row that would show the weakest correlation: chosen without looking at what it is."""
        return min(self.rows, key=lambda row: (row.detectable, row.to_plan_with))

    @property
    def strongest(self) -> AtScale:
        """The row that is farthest from chance: what the p-value is of."""
        return max(self.rows, key=lambda row: abs(row.seen) / row.chance_sd)

    @property
    def can_tell(self) -> bool:
        """Whether this bore would show a correlation of `WANTED`."""
        return self.best.detectable <= WANTED

    @property
    def diameter_needed_um(self) -> float:
        """Give the bore that would show `WANTED`: chance falls with the diameter.

        Where a map is not told from noise, a lower bound.
        """
        return 2 * self.radius_um * self.best.to_plan_with / WANTED

    @property
    def verdict(self) -> str:
        """Give the answer in a word: together, opposed, not_seen, or too_small."""
        if self.p_value <= _ALPHA:
            return "together" if self.strongest.seen > 0 else "opposed"
        return "not_seen" if self.can_tell else "too_small"


def codependence(
    firsts: Sequence[Samples],
    second: Samples,
    radius_um: float,
    scales_um: Sequence[float] = SCALES_UM,
    before: Mapping[str, Samples] = MappingProxyType({}),
) -> Codependence:
    """Correlate maps of one layer with a map of another.

    Parameters
    ----------
    firsts : sequence of Samples
        One or more maps of the first layer.
    second : Samples
        The map of the other.
    radius_um : float
        Of the bore.
    scales_um : sequence of float, optional
        Widths (FWHM) to which both maps are smoothed; those above a third of the radius are left
        out.
    before : mapping of str to Samples, optional
        Maps of the pristine cell by name: structure that it has as well is no damage, and counts
        like noise.

    Returns
    -------
    Codependence

    Raises
    ------
    ValueError
        If the bore is narrower than three of the finest scale, or a map says nothing in it.
    """
    scales = [scale for scale in scales_um if scale <= _WIDEST * radius_um]
    if not scales:
        raise ValueError(
            f"a bore of {2 * radius_um:.0f} µm is too narrow for maps at {min(scales_um):g} µm; at "
            f"least {2 * min(scales_um) / _WIDEST:.0f} µm are needed"
        )
    rows, all_turned = [], []
    for scale in scales:
        other = ring_map(second, radius_um, scale)
        signal = _signal(second, other, before, scale, radius_um)
        for first in firsts:
            this = ring_map(first, radius_um, scale)
            turned = correlations(this, other, radius_um)
            signals = (_signal(first, this, before, scale, radius_um), signal)
            row = _at_scale(turned, scale, signals)
            if isfinite(row.seen) and row.chance_sd > 0:
                rows.append(replace(row, first=first.name, second=second.name))
                # By all of them, so that no one is set apart.
                all_turned.append(np.abs(turned) / np.sqrt(np.nanmean(turned**2)))
    if not rows:
        raise ValueError("the maps have no place in common where both are known")
    strongest = np.nanmax(all_turned, axis=0).ravel()
    p_value = float(np.mean(strongest >= strongest[0] * (1 - 1e-9)))
    return Codependence(rows, p_value, radius_um)


def correlations(first: RingMap, second: RingMap, radius_um: float) -> np.ndarray:
    """Correlate two maps for every turn of one of them, as it is and mirrored.

    Returns
    -------
    ndarray, shape (2, azimuth)
        Pearson's coefficient; [0, 0] is that of the maps as they are.
    """
    weight = ring_radii_um(radius_um)[:, None]  # rings stand for areas
    mirrored = replace(second, value=second.value[:, ::-1])
    return np.stack([_by_turn(first, other, weight) for other in (second, mirrored)])


def _by_turn(first: RingMap, second: RingMap, weight: np.ndarray) -> np.ndarray:
    parts = [[np.fft.rfft(power, axis=1) for power in _powers(each)] for each in (first, second)]

    def summed(a: int, b: int) -> np.ndarray:
        products = (weight * parts[0][a] * np.conj(parts[1][b])).sum(axis=0)
        return np.asarray(np.fft.irfft(products, n=first.value.shape[1]))

    n = np.maximum(summed(0, 0), 1e-12)
    mean_a, mean_b = summed(1, 0) / n, summed(0, 1) / n
    var_a, var_b = summed(2, 0) / n - mean_a**2, summed(0, 2) / n - mean_b**2
    with np.errstate(invalid="ignore", divide="ignore"):
        found = (summed(1, 1) / n - mean_a * mean_b) / np.sqrt(var_a * var_b)
    return np.where((var_a > 0) & (var_b > 0), found, np.nan)


def _powers(ring: RingMap) -> list[np.ndarray]:
    value = np.where(ring.known, ring.value, 0.0)
    return [ring.known.astype(float), value, value**2]


def _at_scale(turned: np.ndarray, fwhm_um: float, signals: tuple[float, float]) -> AtScale:
    seen, by_chance = float(turned[0, 0]), turned[1]
    chance_sd = float(np.sqrt(np.nanmean(by_chance**2)))
    needed = float(np.nanquantile(np.abs(by_chance), 1 - _ALPHA)) + _POWER * chance_sd
    could_hide = 1 - 1 / (1 + _SURE_OF_SIGNAL * sqrt(2) * chance_sd)
    ends, detectable = (nan, nan, nan), inf
    plan = [max(signal, could_hide) for signal in signals]
    if min(signals) > could_hide:
        ends = _corrected(seen, chance_sd, sqrt(signals[0] * signals[1]))
        detectable = needed / sqrt(signals[0] * signals[1])
        plan = [1 - (1 - signal) * (1 + sqrt(2) * chance_sd) for signal in signals]
    to_plan_with = needed / sqrt(plan[0] * plan[1])
    return AtScale("", "", fwhm_um, seen, *ends, *signals, chance_sd, detectable, to_plan_with)


def _signal(
    samples: Samples,
    ring: RingMap,
    before: Mapping[str, Samples],
    fwhm_um: float,
    radius_um: float,
) -> float:
    """Part of the variance of a map that is neither noise nor in the pristine cell."""
    whole, noise = _variances(ring, radius_um)
    if samples.name in before:
        earlier, of_it = _variances(ring_map(before[samples.name], radius_um, fwhm_um), radius_um)
        noise += max(0.0, earlier - of_it)
    return max(0.0, 1 - noise / whole) if whole > 0 else 0.0


def _variances(ring: RingMap, radius_um: float) -> tuple[float, float]:
    """Variance of a map over the area, and that of its noise."""
    weight = np.broadcast_to(ring_radii_um(radius_um)[:, None], ring.value.shape)[ring.known]
    if not weight.size:
        return 0.0, 0.0
    return (
        float(np.average(ring.value[ring.known] ** 2, weights=weight)),
        float(np.average(ring.variance[ring.known], weights=weight)),
    )


def _corrected(seen: float, chance_sd: float, kept: float) -> tuple[float, float, float]:
    """Undo what the noise of both maps takes from a coefficient; value, and 95 % interval."""
    middle = atanh(max(-0.999, min(0.999, seen)))
    ends = (tanh(middle + side * _SURE * chance_sd) for side in (0, -1, 1))
    value, low, high = (max(-1.0, min(1.0, end / kept)) for end in ends)
    return value, low, high


def lag_um(
    first: Samples, second: Samples, radius_um: float, fwhm_um: float
) -> tuple[float, float]:
    """Find by how much the first map must be moved to agree best with the second.

    Parameters
    ----------
    first, second : Samples
        Maps of one bore.
    radius_um : float
        Of the bore.
    fwhm_um : float
        Scale; lags up to as much along y and x are tried, in steps of a quarter.

    Returns
    -------
    tuple of float
        Along y and x, µm.
    """
    other = ring_map(second, radius_um, fwhm_um)
    found: Mapping[tuple[float, float], float] = {
        (dy, dx): float(
            correlations(_moved(first, dy, dx, radius_um, fwhm_um), other, radius_um)[0, 0]
        )
        for dy in np.linspace(-fwhm_um, fwhm_um, 9)
        for dx in np.linspace(-fwhm_um, fwhm_um, 9)
    }
    known = {lag: r for lag, r in found.items() if isfinite(r)}
    dy, dx = max(known, key=lambda lag: abs(known[lag]))
    return float(dy), float(dx)


def _moved(samples: Samples, dy: float, dx: float, radius_um: float, fwhm_um: float) -> RingMap:
    return ring_map(
        replace(samples, y_um=samples.y_um + dy, x_um=samples.x_um + dx), radius_um, fwhm_um
    )
