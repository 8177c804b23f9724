"""What stands still in the beam. In: a prepared sample, an axis; out: columns, and what they take.

A view half a turn later is the mirror image about the axis. A rod, a screw or a frame that stands
before the sample, and in no flat, is not mirrored: it stays where it is, and misleads the search.
"""

from __future__ import annotations

from math import exp
from typing import NamedTuple

import numpy as np
import scipy

from xct.preprocess.center.sample import Sample, median_step

_MOST_PAIRS = 16
_APART = 1.5  # steps that may miss to half a turn
_NEAR_PX, _STEP_PX = 4.0, 0.25  # of the axis that is given
_LEAST_COLUMNS = 24
_SMOOTH = 3  # columns
# Chosen on discs of seeds 0 and 1.
_LEAST, _SURE_SD = 0.05, 8.0  # line integral, and scatter of what else is no mirror image
_ALWAYS, _SELDOM, _BESIDE = 0.4, 0.2, 3  # of it, above columns beside, mostly and nearly always
_MOST = 1 / 3  # of the columns
# A plate: so wide at least and at most, of the columns, as even within, and so sharp at its sides.
_PLATE, _EVEN, _STEP = (0.15, 0.45), 0.2, 0.5
_FREE = 20  # percent of the columns that a plate and its mirror image leave free, at least
_FREE_SD = 0.253  # of noise, that this percentile of its size is


class Still(NamedTuple):
    """What stands still.

    Attributes
    ----------
    first, last : int
        Columns.
    light : float
        That it lets pass, where it takes most.
    """

    first: int
    last: int
    light: float


def still_clause(still: Still) -> str:
    """Say where it stands, and what helps."""
    return (
        f"something stands still in the beam before columns {still.first}–{still.last}, which "
        f"takes {1 - still.light:.0%} of the light there at all angles and is in no flat: take it "
        "out and scan again, or give flats with it in place by scan.flats; with the axis given, "
        "slices hold it as a broad ring"
    )


def find_still(sample: Sample, center_px: float) -> Still | None:
    """Find what is no mirror image half a turn later, and is there at all angles.

    Parameters
    ----------
    sample : Sample
        Line integrals, ascending in angle.
    center_px : float
        Axis, about, in binned columns.
    """
    early, late = _pairs(sample)
    if early is None or late is None or not np.isfinite(center_px):
        return None
    return _rod(sample, early, late, center_px) or _plate(sample, early, late, center_px)


def _rod(sample: Sample, early: np.ndarray, late: np.ndarray, center_px: float) -> Still | None:
    """Find what stands out from the columns on either side."""
    columns = early.size
    tried = np.arange(center_px - _NEAR_PX, center_px + _NEAR_PX, _STEP_PX)
    apart = [_apart(early, late, axis) for axis in tried]
    usual = [np.median(np.abs(one)) if one.size >= _LEAST_COLUMNS else np.inf for one in apart]
    best = int(np.argmin(usual))
    if not np.isfinite(usual[best]):
        return None
    away = scipy.ndimage.uniform_filter1d(apart[best], _SMOOTH, mode="nearest")
    least = max(_LEAST, _SURE_SD * 1.4826 * float(np.median(np.abs(away))))
    most = int(np.argmax(away))
    if away[most] < least:
        return None
    band = scipy.ndimage.label(away > away[most] / 3)[0]
    inside = np.flatnonzero(band == band[most]) + _first(columns, tried[best])
    if inside.size > _MOST * columns:
        return None
    if not _is_always_there(sample.views, inside, float(away[most])):
        return None
    bin_ = sample.bin
    return Still(int(inside[0]) * bin_, (int(inside[-1]) + 1) * bin_ - 1, exp(-float(away[most])))


def _plate(sample: Sample, early: np.ndarray, late: np.ndarray, center_px: float) -> Still | None:
    """Find what takes as much light from many columns, with sharp sides, at all angles."""
    columns = early.size
    tried = np.arange(center_px - _NEAR_PX, center_px + _NEAR_PX, _STEP_PX)
    apart = [_apart(early, late, axis) for axis in tried]
    usual = [
        np.percentile(np.abs(one), _FREE) if one.size >= _LEAST_COLUMNS else np.inf for one in apart
    ]
    best = int(np.argmin(usual))
    if not np.isfinite(usual[best]):
        return None
    away = scipy.ndimage.median_filter(apart[best], _SMOOTH, mode="nearest")
    if away.max() <= 0:
        return None  # nothing is there that the mirror image lacks
    level = float(np.median(away[away > away.max() / 2]))
    if level < max(_LEAST, _SURE_SD * float(usual[best]) / _FREE_SD):
        return None
    band, count = scipy.ndimage.label(away > level / 2)
    widest = 1 + int(np.argmax(np.bincount(band.ravel(), minlength=count + 1)[1:]))
    inside = np.flatnonzero(band == widest)
    is_even = 1.4826 * np.median(np.abs(away[inside] - level)) < _EVEN * level
    if not (_PLATE[0] * columns < inside.size < _PLATE[1] * columns and is_even):
        return None
    before = _first(columns, tried[best])
    # Columns beyond those that have a mirror image are taken to go on as the last of these.
    first = 0 if inside[0] == 0 else int(inside[0]) + before
    stop = columns if inside[-1] == away.size - 1 else int(inside[-1]) + before + 1
    if not _has_steady_sides(sample.views, first, stop, level):
        return None
    return Still(first * sample.bin, stop * sample.bin - 1, exp(-level))


def _has_steady_sides(views: np.ndarray, first: int, stop: int, level: float) -> bool:
    """Whether line integrals step up at the sides of a band that are in view, at all angles."""
    steps = []
    for side, sign in ((first, 1), (stop, -1)):
        if _BESIDE < side < views.shape[2] - _BESIDE:
            later, before = (
                views[:, :, part].mean(axis=(1, 2))
                for part in (slice(side + 1, side + 1 + _BESIDE), slice(side - _BESIDE, side - 1))
            )
            steps.append(sign * (later - before))
    return bool(steps) and all(
        np.median(step) > _STEP * level and np.percentile(step, 10) > _SELDOM * level
        for step in steps
    )


def _is_always_there(views: np.ndarray, columns: np.ndarray, height: float) -> bool:
    """Whether columns stand out from those on either side at nearly all angles."""
    first, stop = int(columns[0]), int(columns[-1]) + 1
    middle = views[:, :, (first + stop) // 2 - 1 : (first + stop) // 2 + 2].mean(axis=(1, 2))
    beside = [views[:, :, max(first - _BESIDE, 0) : first], views[:, :, stop : stop + _BESIDE]]
    known = [part.mean(axis=(1, 2)) for part in beside if part.shape[2]]
    over = middle - np.mean(known, axis=0)
    return bool(np.median(over) > _ALWAYS * height and np.percentile(over, 10) > _SELDOM * height)


def _pairs(sample: Sample) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Average views, and those half a turn later, over rows and pairs, shape (column,)."""
    theta = sample.theta_deg
    near = _APART * median_step(theta)
    last = int(np.searchsorted(theta, theta[-1] - 180 + near))
    ones, others = [], []
    for start in np.unique(np.linspace(0, last - 1, _MOST_PAIRS).astype(int)) if last else ():
        partner = int(np.abs(theta - theta[start] - 180).argmin())
        if abs(theta[partner] - theta[start] - 180) <= near:
            ones.append(sample.views[start].mean(axis=0))
            others.append(sample.views[partner].mean(axis=0))
    if not ones:
        return None, None
    return np.mean(ones, axis=0), np.mean(others, axis=0)


def _first(columns: int, axis: float) -> int:
    """Give the first column that has a mirror image."""
    return max(0, int(np.ceil(2 * axis - (columns - 1))))


def _apart(early: np.ndarray, late: np.ndarray, axis: float) -> np.ndarray:
    """Give what columns attenuate more than their mirror images half a turn later."""
    columns = np.arange(early.size)
    place = 2 * axis - columns
    inside = (place >= 0) & (place <= early.size - 1)
    return np.asarray(early[inside] - np.interp(place[inside], columns, late))
