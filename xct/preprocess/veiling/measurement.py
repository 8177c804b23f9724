"""Which fraction of the light is glare. In: light of whole frames; out: a number, or none.

Behind something opaque nothing arrives but glare: its fraction of the light about it. What is
opaque is known by its edges: a rod whose rim lets through so little at so small a depth lets
through nothing in its middle.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import scipy

from xct.preprocess.veiling.frame_light import FrameLight

# How far glare may reach, pixels.
RANGES_PX = np.geomspace(12, 4096, 41)
# Logarithm of the ratio of ranges between which others do not fit.
_GAP = 3.5 * float(np.log(RANGES_PX[1] / RANGES_PX[0]))
# What is brighter than this fraction of the beam is no shadow.
DARK = 0.05
# The rim of a shadow is where so much passes; further in pass these.
_RIM, _LEVELS = 0.4, (0.05, 0.1, 0.2)
_SMOOTH_PX = 3
# Rims are known to so many pixels.
_RIM_PX = 0.5
_ROUND = 0.03  # and rods are as round
_LEAST_FLOOR = 3e-4  # no floor is looked for below
# Shadow is where less than this fraction of what is seen there passes.
_LITTLE = 0.3
_LEAST_CELLS = 12
# Of a shadow so much at least is no brighter than so many times its darkest places: beside a gap
# it is lit.
_MOST, _LEAK = 0.5, 1.3
# There so many cells are even, within so much of the floor.
_EVEN, _WITHIN = 0.8, 0.08
_GROUPS, _TURNING = 8, 0.15  # of angles, and by how much they may differ
# What a Gaussian does not describe is the same in many cells: they count as so many.
_INDEPENDENT = 15
# What is not known as well is not measured: relative, or of the light.
_SURE, _SURE_WITHIN = 0.35, 3e-4
# Of the fraction: glare that falls off as no Gaussian does, or reaches beyond the frame.
_MODEL_SD = 0.08


@dataclass(frozen=True)
class Glare:
    """Which fraction of the light is glare, and how far it reaches.

    Attributes
    ----------
    fraction, sd : float
        Fraction of the light, and its standard uncertainty.
    range_px : float
        Standard deviation of the Gaussian over which it is distributed.
    n : int
        Cells of shadow that it was measured in.
    """

    fraction: float
    sd: float
    range_px: float
    n: int


@dataclass(frozen=True)
class Fit:
    """The shadow with glare of one range.

    Attributes
    ----------
    range_px, fraction, n
        As in `Glare`.
    misfit : float
        Mean square of what is left, over that of noise and model.
    passed : float
        How much more than expected may pass, over the light about it.
    """

    range_px: float
    fraction: float
    misfit: float
    passed: float
    n: int


def measure_glare(frame_light: FrameLight, range_px: float | None = None) -> Glare | None:
    """Measure glare where nothing else arrives: in the shadow of something opaque.

    There the transmission is the glare's fraction of the light about it, everywhere the same. A
    place that is merely dark passes more, the shorter the way through it.

    Parameters
    ----------
    frame_light : FrameLight
        From `gather_light`.
    range_px : float, optional
        How far the glare reaches: standard deviation of a Gaussian. Unless given, that with
        which the shadow is evenest.

    Returns
    -------
    Glare or None
        None where the frames hold no such shadow, or none that is even with any range.
    """
    passed = passed_in_shadow(frame_light)
    shadow = np.isfinite(passed[0])
    if shadow.sum() < _LEAST_CELLS:
        return None
    mean = frame_light.in_groups(1)
    noise = shadow_noise(mean, shadow)
    ranges = RANGES_PX if range_px is None else [float(range_px)]
    fits = [_fit(frame_light, mean, passed, float(each), noise) for each in ranges]
    good = [fit for fit in fits if fit is not None]
    if not good:
        return None
    found = _averaged(good, noise)
    sure = found.sd < max(_SURE * found.fraction, _SURE_WITHIN)
    return found if sure and is_steady(frame_light, shadow, found.range_px, noise) else None


def passed_in_shadow(frame_light: FrameLight) -> tuple[np.ndarray, np.ndarray]:
    """Find cells where hardly anything passes, by the rims of the shadow that they lie in.

    Returns
    -------
    expected, most : ndarray, shape (light_row, cell)
        What passes there, and what may pass at most; NaN in all other cells.
    """
    _, expected, most = rods(frame_light)
    light = frame_light.in_groups(1)[0]
    little = most < _LITTLE * np.maximum(light, _LEAST_FLOOR)
    return np.where(little, expected, np.nan), np.where(little, most, np.nan)


def rods(frame_light: FrameLight) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Say what passes dark rods by their rims alone.

    Returns
    -------
    least, expected, most : ndarray, shape (light_row, cell)
        NaN beside rods, and where they are not dark.
    """
    starts = np.arange(0, frame_light.shape[1], frame_light.cell_px)
    rows = [_passed(row) for row in frame_light.still]
    least, expected, most = (
        np.stack([np.maximum.reduceat(row[which], starts) for row in rows]) for which in range(3)
    )
    return least, expected, most


def _passed(row: np.ndarray) -> np.ndarray:
    """Say what passes a rod as round as it is wide, or steeper, at least, expected and at most.

    A ray at u radii from the middle of a rod passes ``exp(-P sqrt(1 - u**2))``. How much further
    in its rim passes a tenth than it passes two fifths tells P; steeper sides give a larger one.
    """
    nothing = np.full((3, row.size), np.nan)
    known = np.flatnonzero(np.isfinite(row))
    if known.size < 8:
        return nothing
    filled = np.interp(np.arange(row.size), known, row[known])
    light = scipy.ndimage.uniform_filter1d(filled.astype(np.float64), _SMOOTH_PX)
    few = max(3, row.size // 50)
    darkest = np.argpartition(light, few)[:few]
    if np.median(light[darkest]) > DARK:
        return nothing
    middle = int(np.sort(darkest)[few // 2])
    first, stop = _run(light, _RIM, middle)
    if first < 0 and stop > row.size - 1:
        return nothing  # no rim is in view
    radius = max((stop - first) / 2, 1.0)
    inner = [_half_width(_run(light, level, middle), (first, stop), row.size) for level in _LEVELS]
    u = (np.arange(row.size) - (first + stop) / 2) / radius
    depths = [_depth(radius, np.array(inner) + more) for more in (_RIM_PX, 0.0, -_RIM_PX)]
    depths[0] *= 1 + _ROUND
    passed = np.exp(-np.outer(depths, np.sqrt(np.clip(1 - u**2, 0, None))))
    return np.where(np.abs(u) < 1, passed, np.nan)


def _half_width(inner: tuple[float, float], rim_px: tuple[float, float], columns: int) -> float:
    """Give half the width of a shadow further in than its rim.

    One that goes on beyond the view is taken to be as narrow as what is seen of it, and so less
    deep than it is: the rim in view says how far further in the level is.
    """
    if rim_px[0] < 0:
        return (rim_px[1] - rim_px[0]) / 2 - (rim_px[1] - inner[1])
    if rim_px[1] > columns - 1:
        return (rim_px[1] - rim_px[0]) / 2 - (inner[0] - rim_px[0])
    return (inner[1] - inner[0]) / 2


def _depth(radius: float, inner: np.ndarray) -> float:
    """Give P of a rod by the half-widths of its shadow at `_RIM` and at `_LEVELS`."""
    narrower = np.square(np.clip(inner, 0, None) / radius)
    deep, rim = np.square(np.log(_LEVELS)), np.log(_RIM) ** 2
    squares = (deep - narrower * rim) / np.maximum(1 - narrower, 1e-4)
    return float(np.sqrt(np.median(squares)))


def rim(row: np.ndarray) -> tuple[float, float]:
    """Give the columns at which the shadow about the darkest place of a row ends."""
    light = scipy.ndimage.uniform_filter1d(row, _SMOOTH_PX)
    few = max(3, row.size // 50)
    darkest = np.argpartition(light, few)[:few]
    return _run(light, _RIM, int(np.sort(darkest)[few // 2]))


def reaches_side(rim_px: tuple[float, float], columns: int) -> bool:
    """Whether a shadow goes on beyond the view, as in half acquisition.

    Parameters
    ----------
    rim_px : (float, float)
        From `rim`.
    columns : int
        Of the row.
    """
    return rim_px[0] < 0 or rim_px[1] > columns - 1


def _run(light: np.ndarray, level: float, place: int) -> tuple[float, float]:
    """Give where the light about a dark place crosses a level, in columns; the row's end if not."""
    brighter = np.flatnonzero(light >= level)
    at = int(np.searchsorted(brighter, place))
    left, right = -0.5, light.size - 0.5
    if at:
        column = int(brighter[at - 1])
        left = column + (light[column] - level) / (light[column] - light[column + 1])
    if at < brighter.size:
        column = int(brighter[at])
        right = column - (light[column] - level) / (light[column] - light[column - 1])
    return left, right


def shadow_noise(groups: np.ndarray, shadow: np.ndarray) -> float:
    """Estimate the noise of cells in shadow from what is not smooth along rows."""
    inside = shadow[:, 1:-1] & shadow[:, 2:] & shadow[:, :-2]
    bend = np.abs(np.diff(groups, 2, axis=2)[:, inside])
    return float(1.4826 * np.median(bend) / np.sqrt(6)) if bend.size else 1e-4


def lowest(ratio: np.ndarray, noise: np.ndarray) -> float:
    """Give what the fraction of glare cannot exceed: nowhere arrives less than it."""
    values = np.sort((ratio + 2 * noise)[np.isfinite(ratio)], axis=None)
    return float(values[min(_LEAST_CELLS, values.size) - 1]) if values.size else 1.0


def _fit(
    frame_light: FrameLight,
    mean: np.ndarray,
    passed: tuple[np.ndarray, np.ndarray],
    range_px: float,
    noise: float,
) -> Fit | None:
    """Compare the shadow with glare of one range; None where it does not fit."""
    about = np.maximum(frame_light.about(mean, range_px)[0], 1e-9)
    most = lowest(mean[0] / about, noise / about)
    seen = (mean[0] - passed[0]) / about
    with np.errstate(invalid="ignore"):
        lit = about > 10 * noise
        good = lit & (seen <= _LEAK * most + 4 * noise / about)
    total = int((np.isfinite(seen) & lit).sum())
    if good.sum() < max(_LEAST_CELLS, _MOST * total):
        return None
    weight = np.square(about[good])  # noise is the same everywhere
    fraction = max(float(seen[good] @ weight / weight.sum()), 0.0)
    residual = np.abs(seen - fraction)[good] * about[good]
    unsure = (passed[1] - passed[0])[good]
    allowed = _WITHIN * fraction * about[good] + 3 * noise + unsure
    if (residual <= allowed).mean() < _EVEN:
        return None
    of_passed = float(np.median(unsure / about[good]))
    model = np.square(_WITHIN * fraction * about[good]) * good.sum() / _INDEPENDENT
    misfit = float(np.mean(np.square(residual) / (noise**2 + model + 1e-18)))
    return Fit(range_px, fraction, misfit, of_passed, int(good.sum()))


def _averaged(fits: list[Fit], noise: float) -> Glare:
    """Average over the ranges by their likelihood; their scatter adds to the uncertainty.

    In a frame that is hardly as high as glare reaches, a short range and a long one may both fit,
    and none between them: then either may be true, whichever fits better.
    """
    n = max(fit.n for fit in fits)
    fractions = np.array([fit.fraction for fit in fits])
    probability = np.concatenate([_probability(some, n) for some in _apart(fits)])
    probability /= probability.sum()
    fraction = float(probability @ fractions)
    scatter = float(probability @ np.square(fractions - fraction))
    of_passed = float(probability @ [fit.passed for fit in fits])
    sd = np.sqrt(scatter + (_MODEL_SD * fraction) ** 2 + of_passed**2 + noise**2)
    range_px = float(np.exp(probability @ np.log([fit.range_px for fit in fits])))
    return Glare(fraction, float(sd), range_px, n)


def _probability(fits: list[Fit], n: int) -> np.ndarray:
    likelihood = -n / 2 * np.array([fit.misfit for fit in fits])
    probability = np.exp(likelihood - likelihood.max())
    return np.asarray(probability / probability.sum())


def _apart(fits: list[Fit]) -> list[list[Fit]]:
    """Sort fits into those of ranges that follow each other."""
    steps = [np.log(after.range_px / fit.range_px) for fit, after in pairwise(fits)]
    cuts = [0, *(1 + n for n, step in enumerate(steps) if step > _GAP), len(fits)]
    return [fits[first:stop] for first, stop in pairwise(cuts)]


def is_steady(frame_light: FrameLight, cells: np.ndarray, range_px: float, noise: float) -> bool:
    """Whether cells are as dark at all angles: what is flat, not round, is darker edge on."""
    groups = frame_light.in_groups(_GROUPS)
    about = np.maximum(frame_light.about(groups, range_px)[:, cells], 1e-9)
    ratio = np.median(groups[:, cells] / about, axis=1)
    scatter = 10 * noise / float(np.median(about))
    return bool(np.ptp(ratio) <= _TURNING * np.median(ratio) + scatter)
