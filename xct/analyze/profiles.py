"""Thick line profiles. In: grey values and a line in any direction; out: mean along it, with sd."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np
import scipy

from xct.analyze.roi.shapes import LineRoi
from xct.errors import DataError
from xct.geometry import CellGeometry
from xct.parallel.blocks import Voxels

if TYPE_CHECKING:
    import pandas as pd

CrossSection = Literal["disc", "square"]

_REACH = 3  # samples: noise of voxels farther from each other is independent
_LARGEST_BOX = 2**28  # voxels


def thick_profile(
    grey_values: Voxels,
    start: Sequence[float],
    stop: Sequence[float],
    *,
    voxel_size_um: Sequence[float],
    width_um: float,
    step_um: float | None = None,
    cross_section: CrossSection = "disc",
) -> pd.DataFrame:
    """Average grey values across a thick line, point by point along it.

    Values between voxels are interpolated linearly; only the box around the line is read. The
    standard deviation of a mean follows from the scatter across the line and its autocorrelation,
    since the noise of neighbors is correlated.

    Parameters
    ----------
    grey_values : Voxels, shape (z, y, x)
        Never denoised ones.
    start, stop : sequence of float
        Ends of the line, voxel indices along z, y and x.
    voxel_size_um : sequence of float
        Edges of a voxel along z, y and x.
    width_um : float
        Diameter of the disc, or edge of the square, over which is averaged.
    step_um : float, optional
        Distance between points; unless given, the smallest edge of a voxel.
    cross_section : {"disc", "square"}, optional
        Shape across the line.

    Returns
    -------
    DataFrame
        ``distance_um`` from the start, ``grey_value``, ``grey_value_sd`` of that mean, ``n``
        samples, about one a voxel. Points outside of the volume have none, and NaN.

    Raises
    ------
    DataError
        If the line has no length, lies outside of the volume, or its box is too large to be read.
    """
    size = np.asarray(voxel_size_um, float)
    first, last = np.asarray(start, float) * size, np.asarray(stop, float) * size
    length = float(np.linalg.norm(last - first))
    if not length > 0 or not width_um > 0:
        raise DataError(f"a line of {length:g} µm and {width_um:g} µm width has no profile")
    step = step_um or float(size.min())
    distance = np.arange(0, length + step * 1e-6, step)
    direction = (last - first) / length
    across, within = _cross_section(direction, width_um, float(size.min()), cross_section)
    points = first + distance[:, None, None] * direction + across[within]
    values = np.full((distance.size, *within.shape), np.nan)
    values[:, within] = _sampled(grey_values, points / size)
    return _averaged(distance, values)


def profile_of_roi(
    grey_values: Voxels, cell: CellGeometry, roi: LineRoi, *, step_um: float | None = None
) -> pd.DataFrame:
    """Average grey values across a thick line in cell coordinates; see `thick_profile`."""
    start, stop = roi.corners(cell)
    return thick_profile(
        grey_values,
        start,
        stop,
        voxel_size_um=cell.voxel_size_um,
        width_um=roi.width_um,
        step_um=step_um,
    )


def _cross_section(
    direction: np.ndarray, width: float, spacing: float, shape: CrossSection
) -> tuple[np.ndarray, np.ndarray]:
    """Offsets of samples across the line, µm, shape (row, column, 3), and which of them count."""
    other = np.eye(3)[int(np.argmin(np.abs(direction)))]
    u = np.cross(direction, other)
    u /= np.linalg.norm(u)
    v = np.cross(direction, u)
    count = max(1, round(width / spacing))
    places = (np.arange(count) - (count - 1) / 2) * (width / count)
    a, b = np.meshgrid(places, places, indexing="ij")
    within = np.hypot(a, b) <= width / 2 if shape == "disc" else np.ones(a.shape, bool)
    return a[..., None] * u + b[..., None] * v, within


def _sampled(grey_values: Voxels, points: np.ndarray) -> np.ndarray:
    """Interpolate at indices, shape (point, sample, 3); NaN outside of the volume."""
    limit = np.array(grey_values.shape) - 1
    inside = ((points >= -0.5) & (points <= limit + 0.5)).all(axis=-1)
    if not inside.any():
        raise DataError(
            f"the line lies outside of the volume of {' × '.join(map(str, grey_values.shape))} "
            "voxels"
        )
    held = np.clip(points, 0, limit)
    low = np.floor(held[inside].min(axis=0)).astype(int)
    high = np.minimum(np.ceil(held[inside].max(axis=0)).astype(int), limit) + 1
    if np.prod(high - low, dtype=float) > _LARGEST_BOX:
        raise DataError(
            f"the box around the line holds {np.prod(high - low, dtype=float):.2g} voxels; take a "
            "shorter line"
        )
    box = np.asarray(grey_values[tuple(slice(a, b) for a, b in zip(low, high, strict=True))])
    values = np.full(inside.shape, np.nan)
    at = (held[inside] - low).T
    values[inside] = scipy.ndimage.map_coordinates(
        box.astype(np.float64), at, order=1, mode="nearest"
    )
    return values


def _averaged(distance: np.ndarray, values: np.ndarray) -> pd.DataFrame:
    """Average samples, shape (point, row, column), NaN where there is none."""
    import pandas as pd

    known = np.isfinite(values)
    n = known.sum(axis=(1, 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(known, values, 0).sum(axis=(1, 2)) / n
        residual = np.where(known, values - mean[:, None, None], 0)
        sd = np.sqrt((residual**2).sum(axis=(1, 2)) * _variance_of_mean(residual, known)) / n
    sd = np.where(n > 1, sd, np.nan)
    return pd.DataFrame({"distance_um": distance, "grey_value": mean, "grey_value_sd": sd, "n": n})


def _variance_of_mean(residual: np.ndarray, known: np.ndarray) -> float:
    """Variance of a mean of n samples, as a multiple of their mean square over n.

    The autocorrelation within `_REACH` is that of all points of the line together. Residuals
    about a mean lack the variance V of that mean at every lag: ``V = Σ N(r + V) / n²``, with N
    pairs at a lag and r the mean product of their residuals.
    """
    reach = min(_REACH, (residual.shape[1] - 1) // 2)
    height, width = residual.shape[1:]
    n = known.sum() / max(len(known), 1)
    square = (residual**2).sum() / max(known.sum(), 1)
    if n <= 1 or square == 0:
        return 1.0
    products, pairs = 0.0, 0.0
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            one = np.s_[:, max(dy, 0) : height + min(dy, 0), max(dx, 0) : width + min(dx, 0)]
            two = np.s_[:, max(-dy, 0) : height - max(dy, 0), max(-dx, 0) : width - max(dx, 0)]
            products += float(np.vdot(residual[one], residual[two]))
            pairs += np.count_nonzero(known[one] & known[two])
    correlated = products / (known.sum() * square)
    independent = 1 - pairs / (len(known) * n**2)
    return float(max(correlated, 0.1) / max(independent, 1 / n))


# Edges and cracks in a profile. In: grey values along a line; out: positions and openings.

_SIGNIFICANT = 5.0  # standard deviations of a step that is taken for an edge
_OF_LARGEST, _FOOT = 0.05, 3.0  # of the largest slope within so many point spreads
_UNEQUAL = 0.2  # of the contrast: by so much the sides of a crack may differ
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
    import pandas as pd

    known = profile[np.isfinite(profile["grey_value"])]
    s = known["distance_um"].to_numpy(float)
    g = known["grey_value"].to_numpy(float)
    if s.size < 7:
        return pd.DataFrame(columns=list(COLUMNS))
    sd = _noise(g, known["grey_value_sd"].to_numpy(float))
    sigma = (blur_um or 1.5 * (s[1] - s[0])) / (s[1] - s[0])
    places = _steepest(g, _beside(sd, sigma), sigma)
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

    Blur only widens what is missing; the integral keeps it.

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
    DataError
        If the profile is too short, has gaps, or there is no contrast; if its ends do not lie in
        the same material, as where it leaves the electrolyte; if what lies between is brighter.
    """
    s, g, sd = (profile[c].to_numpy(float) for c in ("distance_um", "grey_value", "grey_value_sd"))
    if s.size < 10 or not np.isfinite(g).all():
        raise DataError("a crack needs a profile of at least 10 points, all inside the volume")
    length = s[-1] - s[0]
    ends = (s <= s[0] + length / 5) | (s >= s[-1] - length / 5)
    sd = _noise(g, sd)
    beside, beside_sd = grey_electrolyte, 0.0
    if beside is None:
        beside = float(np.median(g[ends]))
        beside_sd = 1.25 * float(sd[ends].mean()) / np.sqrt(ends.sum())  # of a median
    contrast = beside - grey_low
    if contrast <= 0:
        raise DataError(
            f"grey value {beside:.6g} beside the crack is not above that within, {grey_low:.6g}"
        )
    _check_sides(s, g, sd, beside, contrast)
    part = ~ends if between_um is None else (s >= between_um[0]) & (s <= between_um[1])
    step = s[1] - s[0]
    opening = float((beside - g[part]).sum() * step / contrast)
    own = float(np.sqrt((sd[part] ** 2).sum())) * step / contrast
    level = beside_sd * (part.sum() * step - opening) / contrast
    error = float(np.hypot(own, level))
    if opening < -_SIGNIFICANT * error:
        raise DataError(
            f"what lies between the ends of the line is brighter than they are (an opening of "
            f"{opening:.3g} ± {error:.2g} µm): it crosses a particle, or no crack"
        )
    return opening, error


def _check_sides(
    s: np.ndarray, g: np.ndarray, sd: np.ndarray, beside: float, contrast: float
) -> None:
    """Refuse a line whose two ends do not both hold what lies beside the crack."""
    length = s[-1] - s[0]
    ends = s <= s[0] + length / 5, s >= s[-1] - length / 5
    levels = [float(np.median(g[end])) for end in ends]
    error = max(1.25 * float(sd[end].mean()) / np.sqrt(end.sum()) for end in ends)
    if np.abs(np.subtract(levels, beside)).max() > _UNEQUAL * contrast + _SIGNIFICANT * error:
        raise DataError(
            f"the line begins at grey value {levels[0]:.6g} and ends at {levels[1]:.6g}: one of "
            "its ends leaves the electrolyte; draw it so that both lie in electrolyte"
        )


def _noise(grey: np.ndarray, sd: np.ndarray) -> np.ndarray:
    """Take standard deviations; where they are not known, from the second differences."""
    rough = np.abs(np.diff(grey, 2))
    typical = float(np.median(rough)) / 0.6745 / np.sqrt(6) if rough.size else 1.0
    typical = max(typical, 1e-9 * max(1.0, float(np.abs(grey).max())))
    return np.where(np.isfinite(sd) & (sd > 0), sd, typical)


def _beside(sd: np.ndarray, sigma: float) -> np.ndarray:
    """Take the noise from the calmer side, where it is less than what an oblique edge scatters."""
    near, far = round(2 * sigma), round(5 * sigma)
    size = far - near + 1
    calm = scipy.ndimage.median_filter(sd, size, mode="nearest")
    shift = (near + far) // 2
    left = np.concatenate([np.full(shift, np.inf), calm])[: sd.size]
    right = np.concatenate([calm, np.full(shift, np.inf)])[shift:]
    return np.asarray(np.minimum(sd, np.minimum(left, right)))


def _steepest(grey: np.ndarray, sd: np.ndarray, sigma: float) -> list[int]:
    """Find indices where the slope is largest, and the step significant."""
    slope = scipy.ndimage.gaussian_filter1d(grey, sigma, order=1, mode="nearest")
    size = np.abs(slope)
    # sd of that slope for independent points: white noise through a Gaussian's derivative
    limit = _SIGNIFICANT * sd / np.sqrt(4 * np.sqrt(np.pi) * sigma**3)
    inner = (size[1:-1] >= size[:-2]) & (size[1:-1] > size[2:]) & (size[1:-1] > limit[1:-1])
    places = np.flatnonzero(inner) + 1
    # A large step's foot has wiggles; a small step of its own, as lithium's beside steel, does not
    # lie within it.
    foot = scipy.ndimage.maximum_filter1d(size, 2 * max(1, round(_FOOT * sigma)) + 1)
    keep = size[places] > _OF_LARGEST * foot[places]
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
            warnings.simplefilter("error", scipy.optimize.OptimizeWarning)
            values, covariance = scipy.optimize.curve_fit(
                _step, (s - s[0]) / span, (g - base) / unit, first, sd / unit,
                absolute_sigma=True, bounds=bounds,
            )  # fmt: skip
    except (RuntimeError, ValueError, scipy.optimize.OptimizeWarning):
        return None
    error = np.sqrt(np.diag(covariance))
    if abs(values[1]) < _SIGNIFICANT * error[1] or error[2] > 0.5:
        return None
    found = (s[0] + values[2] * span, error[2] * span, values[1] * unit, error[1] * unit)
    return tuple(float(v) for v in (*found, values[3] * span))


def _step(s: np.ndarray, low: float, step: float, place: float, sigma: float) -> np.ndarray:
    return np.asarray(low + step / 2 * (1 + scipy.special.erf((s - place) / (np.sqrt(2) * sigma))))
