"""Columns whose gain drifts during a scan. In: some sinograms; out: bands of columns, and how.

Flats know a pixel as it was when they were taken. Where a column, or a tap of the sensor, grows
brighter or darker from then on, it begins and ends with a step that grows from quarter to quarter
of the scan, in all rows; what the sample is made of passes such a place, and is gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from xct.preprocess.columns.mirror_axis import mirror_axis
from xct.preprocess.sorting import sliding_median
from xct.preprocess.stripe_profile import sector_means

_QUARTERS, _LEAST_ROWS = 4, 4
_LEAST = 0.02  # of line integrals, over the scan
# … in standard errors, and in standard deviations of other columns. Chosen on discs of seeds 0, 1.
_SURE, _STANDS_OUT = 6.0, 8.0
_EVENLY = 0.12  # of the whole change, from each quarter to the next
_SAME = 0.35  # by which both steps of a band may differ
_WIDEST_PART = 2  # of the detector
_NARROW = 3  # columns that are bridged; of wider bands what they drifted by is taken off
_NEAR_AXIS = 5  # columns in which the sample hardly moves
_OFF, _MIRRORED = 3, 0.5  # columns, and part of the step that is found on the other side
_OUTERMOST = 4
_SD_OF_MEDIAN, _ERROR_OF_MEDIAN = 1.4826, 1.2533


class Drift(NamedTuple):
    """A band of columns whose gain drifts.

    Attributes
    ----------
    first, stop : int
        Its first column, and the one behind its last.
    levels : tuple of float
        What is added to line integrals in each quarter of the scan, but for a constant.
    """

    first: int
    stop: int
    levels: tuple[float, ...]

    @property
    def is_narrow(self) -> bool:
        """Whether its columns are bridged; else what they drifted by is taken off."""
        return self.stop - self.first <= _NARROW

    @property
    def gain(self) -> float:
        """Light that it shows at the end, over that at the beginning."""
        change = (self.levels[-1] - self.levels[0]) / (1 - 1 / _QUARTERS)
        return float(np.exp(-change))


def drift_message(drifting: Sequence[Drift]) -> str | None:
    """Say which columns drift and by how much; None where none does."""
    if not drifting:
        return None
    said = [
        f"{'column' if d.stop - d.first == 1 else 'columns'} {d.first}"
        + (f"–{d.stop - 1}" if d.stop - d.first > 1 else "")
        + f" {'darker' if d.gain < 1 else 'brighter'} by {abs(1 - d.gain):.0%}"
        + ("" if d.is_narrow else " (taken off)")
        for d in drifting
    ]
    return (
        f"the gain of some columns drifts over the scan: {', '.join(said)}. Up to {_NARROW} side "
        "by side are interpolated over, of wider bands the drift is taken off, and a ring of what "
        "is not even may be left: flats before and after the scan, or between, follow it"
    )


def find_drifting(sinograms: np.ndarray, size: int) -> tuple[Drift, ...]:
    """Find bands of columns that drift in most of some rows.

    Parameters
    ----------
    sinograms : ndarray of float32, shape (angle, row, column)
        Line integrals, finite, in order of time.
    size : int
        Width of the sliding median along the columns.
    """
    count, rows, columns = sinograms.shape
    if rows < _LEAST_ROWS or count < 8 * _QUARTERS or columns < 8 * _OUTERMOST:
        return ()
    every, borders, axes = [], [], []
    for row in range(rows):
        profiles = sector_means(sinograms, row)
        every.append(_levels(profiles, size))
        quarters = np.array_split(profiles, _QUARTERS, axis=1)
        borders.append(np.median(quarters[-1], axis=1) - np.median(quarters[0], axis=1))
        axes.append(mirror_axis(sinograms, row))
    levels = np.median(every, axis=0)
    grown = levels[:, -1] - levels[:, 0]
    of_rows = np.stack(every)
    away = np.abs(of_rows[..., -1] - of_rows[..., 0] - grown)
    error = _ERROR_OF_MEDIAN * _SD_OF_MEDIAN * np.median(away, axis=0) / np.sqrt(rows)
    axis = float(np.nanmedian(axes)) if np.isfinite(axes).any() else float("nan")
    return tuple(_bands(levels, error, np.median(borders, axis=0), axis))


def level(sinograms: np.ndarray, row: int, drifting: Sequence[Drift], bad: np.ndarray) -> None:
    """Mark narrow bands, and take off wide ones what they drifted by.

    Parameters
    ----------
    sinograms : ndarray of float32, shape (angle, row, column)
        Line integrals, in order of time; is changed.
    row : int
        Which sinogram.
    drifting : sequence of Drift
        From `find_drifting`.
    bad : ndarray of bool, shape (column,)
        Columns that are to be bridged; narrow bands are added.
    """
    time = (np.arange(len(sinograms)) + 0.5) / len(sinograms)
    middles = (np.arange(_QUARTERS) + 0.5) / _QUARTERS
    for band in drifting:
        if band.is_narrow:
            bad[max(band.first, 1) : min(band.stop, bad.size - 1)] = True
            continue
        # With what the step is in the mean: of a wide band no other step takes that off.
        levels = band.levels
        drifted = np.interp(time, middles, levels)
        for end, (one, other) in ((time < middles[0], (0, 1)), (time > middles[-1], (-1, -2))):
            slope = (levels[one] - levels[other]) / (middles[one] - middles[other])
            drifted[end] += slope * (time[end] - middles[one])
        sinograms[:, row, band.first : band.stop] -= drifted.astype(np.float32)[:, None]


def _levels(profiles: np.ndarray, size: int) -> np.ndarray:
    """Give the steps between columns in each quarter, less those around, (column - 1, quarter)."""
    quarters = np.array_split(np.diff(profiles, axis=0), _QUARTERS, axis=1)
    levels = np.stack([np.median(part, axis=1) for part in quarters], axis=1)
    usual = np.empty_like(levels)
    sliding_median(levels, size | 1, usual)
    return np.asarray(levels - usual)


def _bands(
    levels: np.ndarray, error: np.ndarray, borders: np.ndarray, axis: float
) -> Iterator[Drift]:
    grown = levels[:, -1] - levels[:, 0]
    sd = _SD_OF_MEDIAN * float(np.median(np.abs(grown)))
    edges = np.flatnonzero(np.abs(grown) > np.maximum(_SURE * error, max(_STANDS_OUT * sd, _LEAST)))
    used: set[int] = set()
    for left, right in _pairs(grown, edges):
        both = (levels[left] - levels[right]) / 2
        band = Drift(left + 1, right + 1, tuple(both.tolist()))
        grows = _grows(both) or (band.is_narrow and _jumps(both))
        if grows and not _is_samples(grown, left, right, axis):
            used |= {left, right}
            yield band
    for edge in edges.tolist():
        if edge not in used and _grows(levels[edge]):
            yield from _to_the_border(borders, edge, levels[edge])


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


def _jumps(levels: np.ndarray) -> bool:
    """Whether it is one thing in the first half of the scan, and another in the second."""
    parts = np.diff(levels) / (levels[-1] - levels[0])
    return bool(parts[1] > 1 - _EVENLY and parts.min() > -_EVENLY / 2)


def _is_samples(grown: np.ndarray, left: int, right: int, axis: float) -> bool:
    """Whether it is near the axis, or as strong on its other side: what goes, comes back there.

    Where no two projections are mirror images that is not known, and it counts as the sample's.
    """
    if np.isnan(axis):
        return True
    if left - _NEAR_AXIS < axis < right + 1 + _NEAR_AXIS and right - left <= 2 * _NEAR_AXIS:
        return True
    height = _MIRRORED * max(abs(grown[left]), abs(grown[right]))
    total = round(2 * axis) - 1  # of a step and its mirror image
    there = {
        place
        for step in (total - left, total - right)
        for place in range(max(step - _OFF, 0), min(step + _OFF + 1, grown.size))
    } - {left, right}
    return any(abs(grown[place]) > height for place in there)


def _to_the_border(borders: np.ndarray, edge: int, levels: np.ndarray) -> Iterator[Drift]:
    """Give the part of the view beyond a step, if the air at its border drifts by as much."""
    sides = float(np.median(borders[:_OUTERMOST])), float(np.median(borders[-_OUTERMOST:]))
    whole = float(levels[-1] - levels[0])
    most = _SAME * abs(whole)
    if abs(sides[1] - whole) < most and abs(sides[0]) < most:
        yield Drift(edge + 1, len(borders), tuple(levels.tolist()))
    elif abs(sides[0] + whole) < most and abs(sides[1]) < most:
        yield Drift(0, edge + 1, tuple((-levels).tolist()))
