"""Averages along a rough face instead of across it. In: a band, a first face; out: a better one.

The columns around are shifted by how much higher or lower the face lies there, then averaged and
fitted once more. So noise goes down, and a steep or curved face is not flattened.
"""

from __future__ import annotations

import math
from functools import partial
from typing import NamedTuple

import numpy as np

from xct.parallel.kernels import njit
from xct.parallel.threads import over_ranges
from xct.segment.surface.bands import Band, Strip
from xct.segment.surface.steps import (
    Prior,
    empty_fit,
    empty_prior,
    fit_one_step,
)
from xct.statistics.gaussian import reach_px

_HALF_WINDOW = 6  # voxels looked at to each side of the face
_SIZE = 2 * _HALF_WINDOW + 1
_FROM_STEEL = 2.5  # voxels from steel's face, up to where its blur is felt
_KNOWN = (0.3, 0.03, 0.3)  # relative sd of the lower level (of the noise), the upper, the blur
_LEAST = 3.0  # voxels that must be left to each side of the step, in sum over the window
_LEAST_WEIGHT = 0.3  # in sum over the columns around, to be an average


class Step(NamedTuple):
    """What is known about the step beforehand.

    Attributes
    ----------
    low : float
        μ before the face, 1/cm.
    blur : float
        Standard deviation of the blur, voxels.
    noise : float
        Standard deviation of a voxel of an average.
    """

    low: float
    blur: float
    noise: float


class _Columns(NamedTuple):
    """Columns of a strip, and what is known of them.

    Attributes
    ----------
    values : ndarray of float32, shape (s, y, x)
        μ, also of the rows beside the strip.
    face, steel : ndarray of float64, shape (y, x)
        First guesses of the face, NaN where a column takes no part, and of steel's.
    taps : ndarray of float64, shape (y, x)
        Weights of the columns around.
    """

    values: np.ndarray
    face: np.ndarray
    steel: np.ndarray
    taps: np.ndarray


class _Own(NamedTuple):
    """The strip's own rows: first guesses of the face, the level behind it, and what is found."""

    first_row: int
    face: np.ndarray
    high: np.ndarray
    found: np.ndarray
    sd: np.ndarray


def refine_interface(
    band: Band,
    inside: np.ndarray,
    face: np.ndarray,
    near: np.ndarray,
    high: np.ndarray,
    step: Step,
    sigma_px: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Find a face again in averages along a first guess of it.

    Parameters
    ----------
    band : Band
        Read with a reach of at least that of the Gaussian.
    inside : ndarray of bool, shape (y, x)
        Columns that take part in averages.
    face : ndarray of float64, shape (y, x)
        First guess in voxels along s; NaN where there is no face.
    near : ndarray of float64, shape (y, x)
        Where the opaque body before it ends.
    high : ndarray of float64, shape (y, x)
        μ behind the face, 1/cm.
    step : Step
        What to expect.
    sigma_px : float
        Width of the Gaussian.

    Returns
    -------
    face, sd : ndarray, shape (y, x)
        NaN where there was no first guess, or too little to fit.
    """
    used = face[inside & np.isfinite(face)]
    if not used.size:
        return np.full(face.shape, np.nan), np.full(face.shape, np.nan)
    slices, first = band.part(used.min() - _HALF_WINDOW - 1, used.max() + _HALF_WINDOW + 2)
    maps = (inside, face - first, near - first, high)
    found, sd = slices.joined(slices.map(_refine_strip, maps, step, sigma_px), 2)
    return found + first, sd


def _refine_strip(
    strip: Strip,
    inside: np.ndarray,
    face: np.ndarray,
    near: np.ndarray,
    high: np.ndarray,
    step: Step,
    sigma_px: float,
) -> tuple[np.ndarray, np.ndarray]:
    reach = reach_px(sigma_px)
    offsets = np.arange(-reach, reach + 1) / max(sigma_px, 1e-3)
    taps = np.exp(-0.5 * (offsets[:, None] ** 2 + offsets[None] ** 2))
    taps[taps < math.exp(-0.5 * 3.0**2)] = 0
    columns = _Columns(strip.values, np.where(inside, face, np.nan), near, taps)
    own, shape = strip.own, face[strip.own].shape
    found, sd = np.full(shape, np.nan), np.full(shape, np.nan)
    rows = _Own(own.start, face[own], high[own], found, sd)
    over_ranges(partial(_refine_rows, columns, rows, step), len(found), pieces=8)
    return found, sd


@njit(cache=True, nogil=True)
def _refine_rows(columns: _Columns, own: _Own, step: Step, first: int, stop: int) -> None:
    width = columns.values.shape[2]
    total, weight, profile = np.empty(_SIZE), np.empty(_SIZE), np.empty(_SIZE)
    prior, fit = empty_prior(4), empty_fit(4)
    for row in range(first, stop):
        for x in range(width):
            guess = own.face[row, x]
            if guess != guess:
                continue
            offset = math.floor(guess + 0.5) - guess
            _sum_along(columns, row + own.first_row, x, offset, total, weight)
            if not _profile_of(total, weight, profile):
                continue
            _expect(prior, step, offset, own.high[row, x])
            if fit_one_step(profile, prior, step.noise, fit):
                own.found[row, x] = guess + offset + fit.value[0] - _HALF_WINDOW
                own.sd[row, x] = fit.sd[0]


@njit(cache=True, nogil=True)
def _sum_along(
    columns: _Columns, y: int, x: int, offset: float, total: np.ndarray, weight: np.ndarray
) -> None:
    """Sum the columns around, each shifted by how much higher or lower its face lies."""
    values, taps = columns.values, columns.taps
    count, rows, width = values.shape
    reach = taps.shape[0] // 2
    total[:] = 0.0
    weight[:] = 0.0
    for j in range(max(0, y - reach), min(rows, y + reach + 1)):
        for i in range(max(0, x - reach), min(width, x + reach + 1)):
            tap = taps[j - y + reach, i - x + reach]
            face = columns.face[j, i]
            if tap == 0.0 or face != face:
                continue
            at = face + offset - _HALF_WINDOW
            below = math.floor(at)
            part = at - below
            clear = columns.steel[j, i] + _FROM_STEEL
            for k in range(_SIZE):
                s = below + k
                if s < 0 or s + 1 >= count or s < clear:
                    continue
                value = (1 - part) * values[s, j, i] + part * values[s + 1, j, i]
                if value == value:
                    total[k] += tap * value
                    weight[k] += tap


@njit(cache=True, nogil=True)
def _profile_of(total: np.ndarray, weight: np.ndarray, profile: np.ndarray) -> bool:
    """Average; return whether enough is left before and behind the face."""
    before, behind = 0.0, 0.0
    for k in range(_SIZE):
        if weight[k] > _LEAST_WEIGHT:
            profile[k] = total[k] / weight[k]
            if k < _HALF_WINDOW:
                before += 1.0
            elif k > _HALF_WINDOW:
                behind += 1.0
        else:
            profile[k] = math.nan
    return before >= 1.0 and behind >= _LEAST


@njit(cache=True, nogil=True)
def _expect(prior: Prior, step: Step, offset: float, high: float) -> None:
    """Set the face, both levels, and the blur, as far as they are known."""
    prior.value[0], prior.sd[0] = -offset + _HALF_WINDOW, 0.0
    prior.value[1], prior.sd[1] = step.low, _KNOWN[0] * step.noise
    prior.value[2], prior.sd[2] = high, _KNOWN[1] * (high - step.low)
    prior.value[3], prior.sd[3] = step.blur, _KNOWN[2] * step.blur
