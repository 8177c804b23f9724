"""Edges and cracks in a profile. In: grey values along a line; out: positions and openings."""

from __future__ import annotations

import warnings
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter1d
from scipy.optimize import OptimizeWarning, curve_fit
from scipy.special import erf

_SIGNIFICANT = 5.0  # standard deviations of a step that is taken for an edge
COLUMNS = ("position_um", "position_sd_um", "step", "step_sd", "blur_um")


def profile_edges(profile: pd.DataFrame, *, blur_um: float | None = None) -> pd.DataFrame:
    """Find the edges in a profile, and where they lie within their blur.

    Candidates are the steepest places; around each, up to the middle of the way to its neighbors,
    ``A + B ½[1 + erf((s − p)/(√2 σ))]`` is fitted.

    Parameters
    ----------
    profile : DataFrame
        From `thick_profile`.
    blur_um : float, optional
        Standard deviation of the point spread, with which steps are looked for; unless given,
        one and a half steps of the profile.

    Returns
    -------
    DataFrame
        ``position_um`` from the start of the line and its sd, ``step`` (positive where it gets
        brighter) and its sd, ``blur_um`` (σ). No rows where there is no edge.
    """
    known = profile[np.isfinite(profile["grey_value"])]
    s = known["distance_um"].to_numpy(float)
    g = known["grey_value"].to_numpy(float)
    if s.size < 7:
        return pd.DataFrame(columns=list(COLUMNS))
    sd = _noise(g, known["grey_value_sd"].to_numpy(float))
    sigma = (blur_um or 1.5 * (s[1] - s[0])) / (s[1] - s[0])
    places = _steepest(g, sd, sigma)
    bounds = [0, *[(a + b) // 2 for a, b in pairwise(places)], s.size]
    rows = [
        _fit(s[a : b + 1], g[a : b + 1], sd[a : b + 1], s[place], sigma * (s[1] - s[0]))
        for place, (a, b) in zip(places, pairwise(bounds), strict=False)
    ]
    found = [row for row in rows if row is not None]
    return pd.DataFrame(found, columns=list(COLUMNS))


def crack_opening(
    profile: pd.DataFrame,
    *,
    grey_low: float,
    grey_electrolyte: float | None = None,
    between_um: tuple[float, float] | None = None,
) -> tuple[float, float]:
    """Measure the opening of a crack, also below a voxel: w = ∫(1 − (g − g_low)/(g_SE − g_low)) ds.

    Blur only spreads what is missing; the integral keeps it.

    Parameters
    ----------
    profile : DataFrame
        Across the crack, from `thick_profile`.
    grey_low : float
        Grey value of what fills the crack: 20,000 for air.
    grey_electrolyte : float, optional
        Grey value beside the crack; unless given, the median of the first and last fifth.
    between_um : tuple of float, optional
        Part of the profile that holds the crack, with its blur; unless given, all but those fifths.

    Returns
    -------
    opening, sd : float
        µm. The sd includes that of the grey value beside the crack, if it was measured here.

    Raises
    ------
    ValueError
        If the profile is too short, has gaps, or there is no contrast.
    """
    s, g, sd = (profile[c].to_numpy(float) for c in ("distance_um", "grey_value", "grey_value_sd"))
    if s.size < 10 or not np.isfinite(g).all():
        raise ValueError("a crack needs a profile of at least 10 points, all inside the volume")
    length = s[-1] - s[0]
    ends = (s <= s[0] + length / 5) | (s >= s[-1] - length / 5)
    sd = _noise(g, sd)
    beside, beside_sd = grey_electrolyte, 0.0
    if beside is None:
        beside = float(np.median(g[ends]))
        beside_sd = 1.25 * float(sd[ends].mean()) / np.sqrt(ends.sum())  # of a median
    contrast = beside - grey_low
    if contrast <= 0:
        raise ValueError(
            f"grey value {beside:.6g} beside the crack is not above that within, {grey_low:.6g}"
        )
    part = ~ends if between_um is None else (s >= between_um[0]) & (s <= between_um[1])
    step = s[1] - s[0]
    opening = float((beside - g[part]).sum() * step / contrast)
    own = float(np.sqrt((sd[part] ** 2).sum())) * step / contrast
    level = beside_sd * (part.sum() * step - opening) / contrast
    return opening, float(np.hypot(own, level))


def _noise(grey: np.ndarray, sd: np.ndarray) -> np.ndarray:
    """Take standard deviations; where they are not known, from the second differences."""
    rough = np.abs(np.diff(grey, 2))
    typical = float(np.median(rough)) / 0.6745 / np.sqrt(6) if rough.size else 1.0
    typical = max(typical, 1e-9 * max(1.0, float(np.abs(grey).max())))
    return np.where(np.isfinite(sd) & (sd > 0), sd, typical)


def _steepest(grey: np.ndarray, sd: np.ndarray, sigma: float) -> list[int]:
    """Find indices where the slope is largest, and the step significant."""
    slope = gaussian_filter1d(grey, sigma, order=1, mode="nearest")
    size = np.abs(slope)
    # sd of that slope for independent points: white noise through a Gaussian's derivative
    limit = _SIGNIFICANT * sd / np.sqrt(4 * np.sqrt(np.pi) * sigma**3)
    inner = (size[1:-1] >= size[:-2]) & (size[1:-1] > size[2:]) & (size[1:-1] > limit[1:-1])
    places = np.flatnonzero(inner) + 1
    keep = size[places] > 0.05 * size.max()
    return [int(place) for place in places[keep]]


def _fit(
    s: np.ndarray, g: np.ndarray, sd: np.ndarray, place: float, sigma: float
) -> tuple[float, ...] | None:
    if s.size < 5:
        return None
    span, unit, base = float(s[-1] - s[0]), float(np.ptp(g)), float(g[0])
    if unit == 0:
        return None
    # All four of order 1: the fit does not see how large grey values or positions are.
    first = (0.0, float(g[-1] - base) / unit, (place - s[0]) / span, sigma / span)
    bounds = ((-5.0, -5.0, 0.0, 1e-4), (5.0, 5.0, 1.0, 1.0))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", OptimizeWarning)
            values, covariance = curve_fit(
                _step, (s - s[0]) / span, (g - base) / unit, first, sd / unit,
                absolute_sigma=True, bounds=bounds,
            )  # fmt: skip
    except (RuntimeError, ValueError, OptimizeWarning):
        return None
    error = np.sqrt(np.diag(covariance))
    if abs(values[1]) < _SIGNIFICANT * error[1] or error[2] > 0.5:
        return None
    found = (s[0] + values[2] * span, error[2] * span, values[1] * unit, error[1] * unit)
    return tuple(float(v) for v in (*found, values[3] * span))


def _step(s: np.ndarray, low: float, step: float, place: float, sigma: float) -> np.ndarray:
    return np.asarray(low + step / 2 * (1 + erf((s - place) / (np.sqrt(2) * sigma))))
