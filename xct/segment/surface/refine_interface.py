"""Averages along a rough face instead of across it. In: a band, a first face; out: a better one.

The columns around are shifted by how much higher or lower the face lies there, then averaged and
fitted once more. So noise goes down, and a steep or curved face is not flattened.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from xct.parallel.kernels import njit
from xct.parallel.threads import over_ranges
from xct.segment.surface.bands import Band
from xct.segment.surface.steps import fit_one_step
from xct.statistics.gaussian import reach_px

_HALF_WINDOW = 6  # voxels looked at to each side of the face
_OFF_STEEL = 2.5  # voxels from steel's face, up to where its blur is felt
_KNOWN = (0.3, 0.03, 0.3)  # relative sd of the lower level (of the noise), the upper, the blur
_LEAST = 3.0  # voxels that must be left to each side of the step, in sum over the window


@dataclass(frozen=True)
class Step:
    """What is known about the step beforehand.

    Attributes
    ----------
    low : float
        μ before the face, 1/cm.
    high : ndarray of float64, shape (y, x)
        μ behind it.
    blur : float
        Standard deviation of the blur, voxels.
    noise : float
        Standard deviation of a voxel of an average.
    """

    low: float
    high: np.ndarray
    blur: float
    noise: float


def follow(
    band: Band,
    inside: np.ndarray,
    face: np.ndarray,
    near: np.ndarray,
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
    step : Step
        What to expect.
    sigma_px : float
        Width of the Gaussian.

    Returns
    -------
    face, sd : ndarray, shape (y, x)
        NaN where there was no first guess, or too little to fit.
    """
    found, sd = np.full(face.shape, np.nan), np.full(face.shape, np.nan)
    reach = reach_px(sigma_px)
    offsets = np.arange(-reach, reach + 1) / max(sigma_px, 1e-3)
    taps = np.exp(-0.5 * (offsets[:, None] ** 2 + offsets[None] ** 2))
    taps[taps < math.exp(-0.5 * 3.0**2)] = 0
    numbers = (step.low, step.blur, step.noise)
    for strip in band:
        guesses = np.where(inside[strip.seen], face[strip.seen], np.nan)
        given = [np.ascontiguousarray(part) for part in (
            guesses, near[strip.seen], face[strip.rows], step.high[strip.rows]
        )]  # fmt: skip
        parts = [found[strip.rows], sd[strip.rows]]
        kernel: Callable[..., object] = _follow_rows
        data = (strip.values, strip.own.start, *given, taps, *numbers, *parts)
        over_ranges(partial(kernel, *data), len(given[2]), pieces=8)
    return found, sd


@njit(cache=True, nogil=True)
def _follow_rows(
    values: np.ndarray,
    own: int,
    first_guess: np.ndarray,
    steel: np.ndarray,
    wanted: np.ndarray,
    high: np.ndarray,
    taps: np.ndarray,
    low: float,
    blur: float,
    noise: float,
    found: np.ndarray,
    sd: np.ndarray,
    first: int,
    stop: int,
) -> None:
    count, rows, width = values.shape
    reach = taps.shape[0] // 2
    size = 2 * _HALF_WINDOW + 1
    total, weight = np.empty(size), np.empty(size)
    profile = np.empty(size)
    start, spread, answer, errors = np.empty(4), np.empty(4), np.empty(4), np.empty(4)
    for row in range(first, stop):
        for x in range(width):
            guess = wanted[row, x]
            if guess != guess:
                continue
            offset = math.floor(guess + 0.5) - guess
            total[:] = 0.0
            weight[:] = 0.0
            y = row + own
            for j in range(max(0, y - reach), min(rows, y + reach + 1)):
                for i in range(max(0, x - reach), min(width, x + reach + 1)):
                    tap = taps[j - y + reach, i - x + reach]
                    face = first_guess[j, i]
                    if tap == 0.0 or face != face:
                        continue
                    at = face + offset - _HALF_WINDOW
                    below = math.floor(at)
                    share = at - below
                    clear = steel[j, i] + _OFF_STEEL
                    for k in range(size):
                        s = below + k
                        if s < 0 or s + 1 >= count or s < clear:
                            continue
                        value = (1 - share) * values[s, j, i] + share * values[s + 1, j, i]
                        if value == value:
                            total[k] += tap * value
                            weight[k] += tap
            before, behind = 0.0, 0.0
            for k in range(size):
                if weight[k] > 0.3:
                    profile[k] = total[k] / weight[k]
                    if k < _HALF_WINDOW:
                        before += 1.0
                    elif k > _HALF_WINDOW:
                        behind += 1.0
                else:
                    profile[k] = math.nan
            if before < 1.0 or behind < _LEAST:
                continue
            start[0], start[1], start[2], start[3] = -offset + _HALF_WINDOW, low, high[row, x], blur
            spread[0], spread[1] = 0.0, _KNOWN[0] * noise
            spread[2], spread[3] = _KNOWN[1] * (high[row, x] - low), _KNOWN[2] * blur
            if fit_one_step(profile, start, spread, noise, answer, errors):
                found[row, x] = guess + offset + answer[0] - _HALF_WINDOW
                sd[row, x] = errors[0]
