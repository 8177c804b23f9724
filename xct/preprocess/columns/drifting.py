"""Columns whose gain drifts during a scan. In: a sinogram; out: columns to bridge, or leveled ones.

Flats know a pixel as it was when they were taken. Where one column, or a tap of the sensor, grows
brighter or darker from then on, it begins and ends with a step that grows from quarter to quarter
of the scan; what the sample is made of passes such a place, and is gone.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from xct.preprocess.sorting import sliding_median
from xct.preprocess.stripe_profile import sector_means

_QUARTERS = 4
_LEAST = 0.02  # of line integrals, over the scan
# … in standard errors, and in standard deviations of those of other columns. Chosen on seeds 0 to
# 4 of the scans of `xct bench axis`.
_SURE, _STANDS_OUT = 6.0, 8.0
_EVENLY = 0.12  # of the whole change, from each quarter to the next
_SAME = 0.3  # by which both steps of a band may differ
_WIDEST_PART = 2  # of the detector
_NARROW = 3  # columns that are bridged; of wider bands what they drifted by is taken off
_NEAR_AXIS = 10  # columns in which the sample hardly moves
_OFF, _MIRRORED = 3, 0.5  # columns, and part of the step that is found on the other side
_OUTERMOST = 4
_SD_OF_MEDIAN, _ERROR_OF_MEDIAN = 1.4826, 1.2533


def level_drifts(sinograms: np.ndarray, row: int, size: int, axis: float, bad: np.ndarray) -> None:
    """Find columns that drift: mark narrow bands, and take off wide ones what they drifted by.

    Parameters
    ----------
    sinograms : ndarray of float32, shape (angle, row, column)
        Line integrals, finite, in order of time; is changed.
    row : int
        Which sinogram.
    size : int
        Width of the sliding median, as of `constant_stripes`.
    axis : float
        Column of the rotation axis, within a pixel or so; NaN where it is not known.
    bad : ndarray of bool, shape (column,)
        Columns that are to be bridged; narrow bands that drift are added.
    """
    profiles = sector_means(sinograms, row)
    count = len(sinograms)
    if profiles.shape[1] < 2 * _QUARTERS:
        return
    for first, stop, levels in drifting_bands(profiles, size, axis):
        if stop - first <= _NARROW:
            bad[max(first, 1) : min(stop, bad.size - 1)] = True
            continue
        middles = (np.arange(_QUARTERS) + 0.5) / _QUARTERS
        time = (np.arange(count) + 0.5) / count
        drifted = np.interp(time, middles, levels - levels.mean())
        for end, (one, other) in ((time < middles[0], (0, 1)), (time > middles[-1], (-1, -2))):
            slope = (levels[one] - levels[other]) / (middles[one] - middles[other])
            drifted[end] += slope * (time[end] - middles[one])
        sinograms[:, row, first:stop] -= drifted.astype(np.float32)[:, None]


def drifting_bands(
    profiles: np.ndarray, size: int, axis: float
) -> Iterator[tuple[int, int, np.ndarray]]:
    """Give bands of columns that drift: their first one, the one behind, and how they drift.

    Parameters
    ----------
    profiles : ndarray of float32, shape (column, sector)
        Means over ranges of time, from `sector_means`.
    size, axis
        As of `level_drifts`.

    Yields
    ------
    first, stop : int
        Columns.
    levels : ndarray, shape (4,)
        What is added to their line integrals in each quarter, but for a constant.
    """
    steps = np.diff(profiles, axis=0)
    quarters = np.array_split(steps, _QUARTERS, axis=1)
    levels = np.stack([np.median(part, axis=1) for part in quarters], axis=1)
    usual = np.empty_like(levels)
    sliding_median(levels, size | 1, usual)
    levels -= usual
    grown = levels[:, -1] - levels[:, 0]
    sd = _SD_OF_MEDIAN * float(np.median(np.abs(grown)))
    least = np.maximum(np.maximum(_SURE * _errors(quarters), _STANDS_OUT * sd), _LEAST)
    edges = np.flatnonzero(np.abs(grown) > least)
    used: set[int] = set()
    for left, right in _pairs(grown, edges):
        both = (levels[left] - levels[right]) / 2
        if _grows(both) and not _is_samples(grown, left, right, axis):
            used |= {left, right}
            yield left + 1, right + 1, both
    for edge in edges.tolist():
        if edge not in used and _grows(levels[edge]):
            yield from _to_the_border(profiles, edge, levels[edge], axis)


def _errors(quarters: list[np.ndarray]) -> np.ndarray:
    """Give the standard error of what steps differ by between the first and the last quarter."""
    squares = 0.0
    for part in (quarters[0], quarters[-1]):
        away = np.abs(part - np.median(part, axis=1, keepdims=True))
        sd = _SD_OF_MEDIAN * np.median(away, axis=1)
        squares = squares + (_ERROR_OF_MEDIAN * sd) ** 2 / part.shape[1]
    return np.sqrt(squares)


def _pairs(grown: np.ndarray, edges: np.ndarray) -> Iterator[tuple[int, int]]:
    """Pair each step with the next one that goes back by as much."""
    widest, free = len(grown) // _WIDEST_PART, -1
    for number, left in enumerate(edges.tolist()):
        for right in edges[number + 1 :].tolist() if left > free else ():
            if right - left > widest:
                break
            low, high = sorted((abs(grown[left]), abs(grown[right])))
            if grown[left] * grown[right] < 0 and high - low < _SAME * high:
                free = right
                yield left, right
                break


def _grows(levels: np.ndarray) -> bool:
    """Whether it changes from each quarter to the next, as what passes does not."""
    parts = np.diff(levels) / (levels[-1] - levels[0])
    return bool(parts.min() > _EVENLY)


def _is_samples(grown: np.ndarray, left: int, right: int, axis: float) -> bool:
    """Whether it is near the axis, or as strong on its other side: what goes, comes back there."""
    if np.isnan(axis):
        return False
    if left - _NEAR_AXIS < axis < right + 1 + _NEAR_AXIS and right - left <= 2 * _NEAR_AXIS:
        return True
    height = _MIRRORED * max(abs(grown[left]), abs(grown[right]))
    total = round(2 * axis) - 1  # of a step and its mirror image
    for step in (total - left, total - right):
        beside = np.abs(grown[max(step - _OFF, 0) : max(step + _OFF + 1, 0)])
        there = np.arange(max(step - _OFF, 0), max(step - _OFF, 0) + beside.size)
        other = beside[(there != left) & (there != right)]
        if other.size and other.max() > height:
            return True
    return False


def _to_the_border(
    profiles: np.ndarray, edge: int, levels: np.ndarray, axis: float
) -> Iterator[tuple[int, int, np.ndarray]]:
    """Give the part of the view beyond a step, if the air at its border drifts by as much."""
    early, late = (
        np.median(part, axis=1)
        for part in np.array_split(profiles, _QUARTERS, axis=1)[:: _QUARTERS - 1]
    )
    change = late - early
    sides = float(np.median(change[:_OUTERMOST])), float(np.median(change[-_OUTERMOST:]))
    whole = float(levels[-1] - levels[0])
    near = [abs(side - sign * whole) < _SAME * abs(whole) for side, sign in zip(sides, (-1, 1))]
    still = [abs(side) < _SAME * abs(whole) for side in sides]
    if near[1] and still[0]:
        yield edge + 1, len(profiles), levels
    elif near[0] and still[1]:
        yield 0, edge + 1, -levels
