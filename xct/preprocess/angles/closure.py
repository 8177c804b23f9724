"""Are views half a turn apart mirror images? In: a prepared sample, its axis; out: how nearly.

A view half a turn later is the mirror image about the axis. Mirrored, the views before it go on in
those of the beginning: one more gap, in which the sample should turn by the usual step.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy

from xct.preprocess.angles.jumps import Excess, Scales, widths_px
from xct.preprocess.angles.steps import REACH, few_rows, steps_between
from xct.preprocess.center.sample import Sample, median_step

_BESIDE = 2 * REACH + 2  # views on either side of the seam
_SEAMS = 5
_LONGEST = 3.5  # steps that may miss to half a turn
_LEAST_COLUMNS = 8
_UNSHARED = 3.0  # times the usual: then it is worth knowing how many steps apart that is
_LARGEST_SD = 0.5  # steps; of widths that say how far the sample turned


class Closure(NamedTuple):
    """What views look like half a turn after others.

    Attributes
    ----------
    steps : float
        Steps by which the gap is larger than stated: the sample turned less.
    sd : float
        Its standard uncertainty.
    misfit : float
        What is not shared, over what neighboring views usually do not share.
    like_steps : float
        So many steps apart views share as little; 1 where they share much.
    """

    steps: float
    sd: float
    misfit: float
    like_steps: float


def find_closure(sample: Sample, scales: Scales, center_px: float) -> Closure | None:
    """Compare views with those half a turn before.

    Parameters
    ----------
    sample : Sample
        Line integrals, ascending in angle.
    scales : list
        From `excess_steps`.
    center_px : float
        Axis, in binned columns.

    Returns
    -------
    Closure or None
        The least of what is seen at all widths; None where no views are half a turn apart.
    """
    # Not those free of stripes: what is taken off with them is no mirror image of itself.
    views = few_rows(sample.views)
    found, sure = [], []
    for width, (single, _) in zip(widths_px(sample), scales, strict=True):
        one = _at_width(sample, views, width, single, center_px)
        if one is not None:
            found.append(one)
            sure += [one] if single.sd < _LARGEST_SD else []
    if not sure:
        return None
    steps = min(sure, key=lambda one: abs(one.steps))
    worst = max(found, key=lambda one: one.misfit)
    return Closure(steps.steps, steps.sd, worst.misfit, worst.like_steps)


def _at_width(
    sample: Sample, views: np.ndarray, width: float, usual: Excess, center_px: float
) -> Closure | None:
    theta, step = sample.theta_deg, median_step(sample.theta_deg)
    every = max(1, int(width))
    half = int(min(center_px, views.shape[-1] - 1 - center_px) / every)
    last = int(np.searchsorted(theta, theta[-1] - 180 + _LONGEST * step))
    last = min(last, len(theta) - _BESIDE)
    if half < _LEAST_COLUMNS // 2 or last < 0:
        return None
    place = center_px + np.arange(-half, half + 1) * every
    mean = about(views.mean(axis=0, keepdims=True), width, place)[0]
    uneven = mean - mean[:, ::-1]
    found = []
    for start in np.unique(np.linspace(0, last, _SEAMS).astype(int)).tolist():
        stop = int(np.searchsorted(theta, theta[start] + 180 - 0.3 * step))
        if stop < _BESIDE or theta[start] + 180 - theta[stop - 1] > _LONGEST * step:
            continue
        before, after = slice(stop - _BESIDE, stop), slice(start, start + _BESIDE)
        angles = np.append(theta[before] - 180, theta[after])
        mirrored, later = (about(views[part], width, place) for part in (before, after))
        mirrored = mirrored[..., ::-1]
        # The mean of half a turn is uneven by the sample as well, which may look like a turn.
        fitted, plain = (
            _across(np.concatenate([one, later]), angles, every, max(usual.scale, 1e-3))
            for one in (_fitting(mirrored, later, uneven), mirrored)
        )
        excess = min(fitted[0], plain[0], key=abs) / step
        found.append((excess, fitted[1], np.diff(angles)[_BESIDE - 1] / step))
    if not found:
        return None
    shortest = min(gap for *_, gap in found)  # of longer ones the rate is less known
    excess = float(np.median([one for one, _, gap in found if gap < shortest + 0.5]))
    misfit = float(np.median([one for _, one, _ in found]))
    unshared = misfit / usual.usual
    apart = _lag(about(views, width, place), misfit) if unshared > _UNSHARED else 1.0
    return Closure(excess, usual.sd * max(unshared, 1.0), unshared, apart)


def _across(seam: np.ndarray, angles: np.ndarray, every: int, scale: float) -> tuple[float, float]:
    """Give by how many degrees the sample turned more than stated in the middle gap, and misfit."""
    steps, gap = steps_between(seam, angles, every), _BESIDE - 1
    turned = float(steps.turned_deg[gap]) / scale - float(np.diff(angles)[gap])
    return turned, float(steps.misfit[gap])


def _fitting(mirrored: np.ndarray, later: np.ndarray, uneven: np.ndarray) -> np.ndarray:
    """Take off what differs by row, not by angle: where its axis is, and what flats left.

    Parameters
    ----------
    mirrored, later : ndarray, shape (angle, row, column)
        Views before the seam and behind it.
    uneven : ndarray, shape (row, column)
        By how much the mean of all views is no mirror image of itself: as what is fixed is none.
    """
    fitting = mirrored.copy()
    for row in range(mirrored.shape[1]):
        slope = np.gradient((mirrored[-1, row] + later[0, row]) / 2)
        parts = np.stack([slope, uneven[row], np.ones_like(slope)], axis=1)
        away = later[0, row] - mirrored[-1, row]
        fitting[:, row] += parts @ np.linalg.lstsq(parts, away, rcond=1e-4)[0]
    return fitting


def about(views: np.ndarray, width: float, place: np.ndarray) -> np.ndarray:
    """Smooth views; give them at columns that lie evenly about the axis."""
    smooth = scipy.ndimage.gaussian_filter1d(views, width, axis=-1, mode="nearest")
    low = np.clip(np.floor(place).astype(np.intp), 0, smooth.shape[-1] - 2)
    part = (place - low).astype(np.float32)
    return np.asarray(smooth[..., low] * (1 - part) + smooth[..., low + 1] * part)


def _lag(views: np.ndarray, misfit: float) -> float:
    """Find how many steps apart views differ as much."""
    lag = 1
    while lag < len(views) // 2:
        pairs = np.arange(0, len(views) - lag, max(1, len(views) // 32))
        away = views[pairs + lag] - views[pairs]
        away = away - away.mean(axis=(1, 2), keepdims=True)
        if np.median(np.sqrt(np.mean(away**2, axis=(1, 2)))) > misfit:
            break
        lag *= 2
    return float(lag)
