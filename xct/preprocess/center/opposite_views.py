"""The axis from views half a turn apart. In: line integrals of some rows; out: an estimate."""

from __future__ import annotations

import numpy as np
import scipy

from xct.parallel.threads import thread_count
from xct.preprocess.center.mirror_symmetry import (
    Agreement,
    Estimate,
    independent,
    most_likely,
    spectra,
    usable,
)
from xct.preprocess.center.sample import median_step

MOST_PAIRS = 96
LONGEST_GAP_DEG = 3.0
_ENOUGH_PX, _FEW_SD = 24, 0.5  # in fewer columns a wrong fold may look as good
_REFINED_PX = 1.5  # to either side of what correlation gives


def register(
    views: np.ndarray,
    theta_deg: np.ndarray,
    weight: np.ndarray,
    half_px: float,
    search: tuple[float, float],
    *,
    cut: bool = False,
) -> Estimate | None:
    """Register views half a turn apart; None where the scan has no such views.

    Where the scan ends a little before 180°, pairs that miss half a turn by δ, δ + step, … are
    registered, and the axis is what their answers tend to as δ goes to 0.

    Parameters
    ----------
    views : ndarray, shape (angle, row, column)
        Line integrals, free of fixed stripes.
    theta_deg : ndarray, shape (angle,)
        Ascending angles in degrees.
    weight : ndarray, shape (column,)
        As `window` gives it.
    half_px : float
        Half the width of the window.
    search : tuple of float
        First and last column where the axis may be.
    cut : bool
        Whether the sample leaves the field of view.
    """
    first, second = exact_pairs(views, theta_deg)
    if len(first):
        return most_likely(_compared(first, second, weight, half_px, cut=cut), *search)
    missing = 180.0 - (theta_deg[-1] - theta_deg[0])
    if missing > LONGEST_GAP_DEG:
        return None
    return _extrapolated(views, theta_deg, weight, half_px, search, cut=cut)


def exact_pairs(views: np.ndarray, theta_deg: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pair views with the views half a turn later, interpolated between two angles if need be."""
    step = median_step(theta_deg)
    target = theta_deg + 180.0
    there = np.flatnonzero(target <= theta_deg[-1] + 0.05 * step)
    if there.size > MOST_PAIRS:
        there = there[np.linspace(0, there.size - 1, MOST_PAIRS).round().astype(np.intp)]
    after = np.clip(np.searchsorted(theta_deg, target[there]), 1, theta_deg.size - 1)
    gap = theta_deg[after] - theta_deg[after - 1]
    fraction = np.clip((target[there] - theta_deg[after - 1]) / gap, 0.0, 1.0)
    fraction = np.where(
        np.minimum(fraction, 1 - fraction) < 0.05, fraction.round(), fraction
    ).astype(np.float32)
    near = gap <= max(2.5 * step, 0.5)
    there, after, fraction = there[near], after[near], fraction[near, None, None]
    return views[there], (1 - fraction) * views[after - 1] + fraction * views[after]


def register_overlap(
    views: np.ndarray, theta_deg: np.ndarray, search: tuple[float, float]
) -> Estimate | None:
    """Register views half a turn apart where the sample fills the field of view.

    For every possible axis only the columns are compared that both views then share, so
    the edge of the detector favors none.

    Parameters
    ----------
    views : ndarray, shape (angle, row, column)
        Line integrals, free of fixed stripes.
    theta_deg : ndarray, shape (angle,)
        Ascending angles in degrees.
    search : tuple of float
        First and last column where the axis may be.
    """
    columns = views.shape[-1]
    first, second = exact_pairs(views, theta_deg)
    turned = 0.0
    if not len(first):
        missing = 180.0 - float(theta_deg[-1] - theta_deg[0])
        if missing > LONGEST_GAP_DEG:
            return None
        # In the angle that misses, the sample has moved: at the edge of view by the arc.
        turned = 0.1 * np.deg2rad(missing) * columns / 2
        first, second = views[:1], views[-1:]
    # Structure of some 1/8 of the width and less; what is wider depends on the detector's edge.
    one, other = (
        part - scipy.ndimage.gaussian_filter1d(part, columns / 24, axis=-1, mode="nearest")
        for part in (
            scipy.ndimage.gaussian_filter1d(first, 1.0, axis=-1),
            scipy.ndimage.gaussian_filter1d(second, 1.0, axis=-1),
        )
    )
    length = scipy.fft.next_fast_len(2 * columns, real=True)

    def folded(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Sum over pairs and rows of a(c) · b(s - c), for s = 0 … 2 columns - 2."""
        a, b = (scipy.fft.rfft(x, length, workers=thread_count()) for x in (a, b))
        return np.asarray(scipy.fft.irfft(np.sum(a * b, axis=(0, 1)), length))[: 2 * columns - 1]

    full = np.ones((1, 1, columns), np.float32)
    energy = folded(np.sum(one**2, axis=(0, 1), keepdims=True), full)
    energy *= folded(np.sum(other**2, axis=(0, 1), keepdims=True), full)
    alike = folded(one, other) / np.sqrt(np.maximum(energy, 1e-6 * energy.max()))
    center = np.arange(2 * columns - 1) / 2
    shared = 2 * np.minimum(center, columns - 1 - center) + 1
    independent_values = shared * views.shape[1] * np.sqrt(len(first)) / 8.0
    misfit = 0.5 * independent_values * np.log1p(-(np.clip(alike, 0.0, 0.99) ** 2))
    inside = np.flatnonzero((center >= search[0]) & (center <= search[1]) & (shared >= 8))
    if not inside.size:
        return None
    best = int(inside[np.argmin(misfit[inside])])
    away = inside[np.abs(center[inside] - center[best]) > 5]
    lead = float(misfit[away].min() - misfit[best]) if away.size else 0.0
    before, here, after = (
        misfit[max(best - 1, 0)],
        misfit[best],
        misfit[min(best + 1, misfit.size - 1)],
    )
    bend = before - 2 * here + after  # per half pixel squared
    if bend <= 0:
        return Estimate(float(center[best]), np.inf, lead)
    shift = float(np.clip(0.5 * (before - after) / bend, -0.5, 0.5)) / 2
    return Estimate(float(center[best]) + shift, float(np.hypot(0.5 / np.sqrt(bend), turned)), lead)


def refined_overlap(
    views: np.ndarray, free: np.ndarray, theta_deg: np.ndarray, center_px: float
) -> tuple[float, float]:
    """Refine an axis by what views half a turn apart share, column by column.

    Parameters
    ----------
    views, free : ndarray, shape (angle, row, column)
        Line integrals over a full turn, and the same free of fixed stripes.
    theta_deg : ndarray, shape (angle,)
        Ascending angles in degrees.
    center_px : float
        Where the axis is, to about a pixel.

    Returns
    -------
    center_px, sd_px : float
        The axis for which the squares of their differences are least, weighted by the light
        that came through, and its uncertainty.
    """
    # Smooth, so that interpolation does not lessen the noise between two columns.
    first, second = (
        scipy.ndimage.gaussian_filter1d(part, 1.0, axis=-1) for part in exact_pairs(free, theta_deg)
    )
    columns, margin = views.shape[-1], 5
    low, high = max(0.0, 2 * center_px - columns + 1), min(2 * center_px, columns - 1.0)
    shared = np.arange(int(np.ceil(low)) + margin, int(high) - margin + 1)
    if shared.size < 8 or not len(first):
        return center_px, np.inf
    light = np.exp(-np.clip(exact_pairs(views, theta_deg)[0][..., shared], 0, None))
    spline = scipy.interpolate.CubicSpline(np.arange(columns), second, axis=-1)
    one = first[..., shared]

    def misfit(center: float) -> float:
        return float(np.sum(light * np.square(one - spline(2 * center - shared))))

    span = (center_px - _REFINED_PX, center_px + _REFINED_PX)
    found = scipy.optimize.minimize_scalar(misfit, bounds=span, method="bounded")
    center = float(found.x)
    steep = np.sum(light * np.square(2 * spline(2 * center - shared, 1)))
    sd = float(np.sqrt(found.fun / one.size / max(steep, 1e-30)))
    return center, sd if shared.size >= _ENOUGH_PX else max(sd, _FEW_SD)


def _compared(
    first: np.ndarray, second: np.ndarray, weight: np.ndarray, half_px: float, *, cut: bool
) -> Agreement:
    kappa, one = spectra(first, weight)
    _, other = spectra(second, weight)
    keep = usable(kappa, half_px, cut=cut)
    one, other = one[..., keep], other[..., keep]
    count = np.full((1, int(keep.sum())), len(first) * independent(weight, kappa))
    power = np.asarray(np.sum(np.abs(one) ** 2 + np.abs(other) ** 2, axis=0, dtype=np.float64))
    cross = np.asarray(np.sum(one * other, axis=0, dtype=np.complex128))
    return Agreement(kappa[keep], power[:, None], cross[:, None], count)


def _extrapolated(
    views: np.ndarray,
    theta_deg: np.ndarray,
    weight: np.ndarray,
    half_px: float,
    search: tuple[float, float],
    *,
    cut: bool,
) -> Estimate | None:
    """Register pairs that miss half a turn by more and more; continue their answers to none."""
    found: list[Estimate] = []
    missed: list[float] = []
    for short in range(min(5, len(views) // 4)):
        start = np.arange(short + 1)
        stop = len(views) - 1 - short + start
        gap = 180.0 - (theta_deg[stop] - theta_deg[start])
        pairs = _compared(views[start], views[stop], weight, half_px, cut=cut)
        estimate = most_likely(pairs, *search)
        if estimate is None:
            return None
        near = abs(estimate.center_px - found[0].center_px) < 30 if found else True
        if not near or not np.isfinite(estimate.sd_px):
            break
        found.append(estimate)
        missed.append(float(gap.mean()))
    if len(found) < 2:
        return None
    design = np.vander(missed, 2)
    sd = np.array([max(f.sd_px, 0.02) for f in found])
    covariance = np.linalg.inv(design.T @ (design / sd[:, None] ** 2))
    centers = np.array([f.center_px for f in found])
    line = covariance @ design.T @ (centers / sd**2)
    scatter = np.sqrt(np.mean(((centers - design @ line) / sd) ** 2))
    # The answers bend as well: a part of what was extrapolated is uncertain.
    bent = 0.3 * float(line[1] - centers[0])
    sd_px = float(np.hypot(np.sqrt(covariance[1, 1]) * max(1.0, scatter), bent))
    return Estimate(float(line[1]), sd_px, found[0].lead)
