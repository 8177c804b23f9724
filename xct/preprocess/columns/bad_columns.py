"""Columns that do not follow the sample. In: a sinogram; out: which they are, and bridged ones.

A scratch of the scintillator, a dead block of the sensor or a row of hot pixels spoils columns
side by side, of which neither neighbor says that the other is wrong. What gives them away is that
the columns on either side of the band agree with each other, and those inside with neither.
"""

from __future__ import annotations

import numpy as np

from xct.parallel.kernels import njit
from xct.preprocess.columns.mirror_axis import mirror_axis
from xct.preprocess.columns.scatter import (
    LEAST_VARIANCE,
    centered_columns,
    covariance,
    is_noise,
    median_of,
    off_line,
    scatter_of_columns,
    scatter_of_steps,
)
from xct.preprocess.sorting import sliding_median

# The step to the next column scatters more than those around it by this factor (of variances)
# where a band may begin or end, and less by this one inside a band that stands still.
_BROKEN, _QUIET = 6.0, 0.1
# Steps around one, over which the median is taken.
_AROUND = 61
# A band is at most this part of the detector, and between so many broken steps.
_WIDEST_PART, _MOST_BETWEEN, _MOST_BANDS = 8, 40, 4000
# A column responds where it shares this part of what either side shares …
_RESPONSE = 0.5
# … and the sides must be this much alike for that to mean anything.
_LEAST_LIKENESS, _LEAST_SIGNIFICANCE = 0.5, 5.0
# Steps on either side that tell how much neighbors differ where all is well.
_BESIDE = 5
# The step into a band of wandering columns scatters more than those by this factor.
_SHARP = 2.0
# Distance from the axis, as it is roughly known, at which a column may be on it.
_ON_AXIS = 2.5
# Widest band that stands still where the sample turns back, on both sides of the axis.
_STILL_PX = 6
# Columns of a band that may wander together, slowly; more must do so as noise does.
_NARROW = 3
# A column whose own scatter is slow, and more than this part of that on either side, sees the
# sample: between two shells about the axis, say. Faults drift less, or are narrow.
_OWN_SCATTER = 0.08
# Part of the scatter that is found mirrored about the axis where the sample makes it, so many
# columns off: more where it is slow, as the wall of a tube is that goes about the axis.
_MIRRORED, _OFF, _OFF_SLOW = 0.2, 1, 8
# Part of the columns of a band that must be bad: in its middle, chance may resemble the sample.
_BAD_PART = 0.75


@njit(cache=True, nogil=True)
def find_bands(sinograms: np.ndarray, row: int, ratio: float, bad: np.ndarray) -> None:
    """Find bands of columns that do not follow what both of their sides agree on.

    A band begins and ends where the difference of two neighbors scatters unlike the others.
    It is bad if most of its columns, against the line between the columns left and right of it,

    - scatter more than these from each other, `ratio` times in standard deviation, or
    - share less than half with it of what the two sides share: they do not respond, or
    - stand still, where both sides do not.

    These are the dead, stuck, unresponsive and fluctuating stripes of [1]_. The order of the
    angles does not matter. What has no good column on one side is no band.

    Parameters
    ----------
    sinograms : ndarray of float32, shape (angle, row, column)
        Line integrals, finite.
    row : int
        Which sinogram.
    ratio : float
        By how many times columns of a band scatter more, see above.
    bad : ndarray of bool, shape (column,)
        Columns that are known to be bad; those of bands are added.

    References
    ----------
    .. [1] Vo, Atwood & Drakopoulos (2018), Opt. Express 26, 28396. doi:10.1364/OE.26.028396
    """
    columns = centered_columns(sinograms, row)
    steps, scatter = scatter_of_steps(columns), scatter_of_columns(columns)
    axis = mirror_axis(sinograms, row)
    for c in range(1, bad.size - 1):
        if not (bad[c - 1] or bad[c]):
            bad[c] = _is_bad(columns, scatter, steps, c - 1, c + 1, ratio, axis, bad)
    edges = _edges(steps)
    widest = max(2, bad.size // _WIDEST_PART)
    tried = 0
    for between in range(1, _MOST_BETWEEN + 1):
        for e in range(edges.size - between):
            left, right = edges[e], edges[e + between] + 1
            width = right - left - 1
            if width > widest or bad[left] or bad[right] or bad[left + 1 : right].all():
                continue
            tried += 1
            if tried > _MOST_BANDS:
                return
            if _is_bad(columns, scatter, steps, left, right, ratio, axis, bad):
                bad[left + 1 : right] = True


@njit(cache=True, nogil=True, fastmath={"reassoc"})
def all_finite(sinograms: np.ndarray, row: int) -> bool:
    """Whether a sinogram holds neither NaN nor infinity."""
    nothing = np.float32(0)
    for angle in range(len(sinograms)):
        line = sinograms[angle, row]
        for c in range(line.size):
            nothing += line[c] * np.float32(0)
    return bool(nothing == 0)


@njit(cache=True, nogil=True)
def _edges(steps: np.ndarray) -> np.ndarray:
    """Find steps at which bands may begin or end, ascending."""
    usual = np.empty((steps.size, 1), np.float32)
    sliding_median(steps.reshape(-1, 1), min(_AROUND, steps.size | 1), usual)
    edge = np.zeros(steps.size, np.bool_)
    # A wide band that stands still is what is usual about it, but not on the whole detector.
    middle = np.median(steps)
    quiet = np.empty(steps.size, np.bool_)
    for s in range(steps.size):
        quiet[s] = steps[s] < _QUIET * max(usual[s, 0], middle)
        edge[s] |= steps[s] > _BROKEN * usual[s, 0] + LEAST_VARIANCE
        if quiet[s]:
            edge[max(s - 1, 0)] = True
            edge[min(s + 1, steps.size - 1)] = True
    edge &= ~quiet  # inside a band that stands still nothing begins
    return np.flatnonzero(edge)


_GOOD, _IDLE, _STILL, _WANDERING = 0, 1, 2, 3


@njit(cache=True, nogil=True)
def _is_bad(
    columns: np.ndarray,
    scatter: np.ndarray,
    steps: np.ndarray,
    left: int,
    right: int,
    ratio: float,
    axis: float,
    bad: np.ndarray,
) -> bool:
    """Judge the columns between `left` and `right`; those that are bad already count."""
    outside = max(median_of(steps, left - _BESIDE, left), median_of(steps, right, right + _BESIDE))
    lively = min(
        median_of(scatter, left + 1 - _BESIDE, left + 1), median_of(scatter, right, right + _BESIDE)
    )
    shared = covariance(columns[left], columns[right], False)
    count = right - left - 1
    span = right - left
    found = np.zeros(4, np.int64)
    slow = False
    for c in range(left + 1, right):
        kind = _IDLE
        if not bad[c]:
            kind = _kind(columns, scatter, steps, c, left, right, shared, outside, lively, ratio)
        if kind in (_IDLE, _STILL) and not bad[c]:
            f = np.float32((c - left) / span)
            if _scatters_slowly(columns[c], columns[left], columns[right], f, lively):
                sharp = min(steps[left], steps[right - 1]) > _SHARP * outside
                slow = True
                kind = kind if sharp and count <= _NARROW else _GOOD
        if kind == _WANDERING and not is_noise(columns[c], columns[c + 1]):
            slow = True
            kind = _WANDERING if count <= _NARROW else _GOOD
        if kind == _GOOD and (c == left + 1 or c == right - 1):
            return False  # what begins or ends like the column beside it is no band
        found[kind] += 1
    least = _BAD_PART * count
    if count - found[_GOOD] < least:
        return False
    if count == 1 and found[_STILL] and abs(left + 1 - axis) < _ON_AXIS:
        return False  # there the middle of a wire stands still
    if count <= _STILL_PX and found[_STILL] and _stands_still_there(scatter, left, right, axis):
        return False
    if found[_IDLE] + found[_STILL] >= least and not slow:
        return True
    return not _is_mirrored(columns, left, right, axis, _OFF_SLOW if slow else _OFF)


@njit(cache=True, nogil=True)
def _kind(
    columns: np.ndarray,
    scatter: np.ndarray,
    steps: np.ndarray,
    c: int,
    left: int,
    right: int,
    shared: float,
    outside: float,
    lively: float,
    ratio: float,
) -> int:
    """Say what is wrong with a column, against the line between those left and right of a band."""
    one, other, column = columns[left], columns[right], columns[c]
    own, own_other = np.float64(scatter[left]), np.float64(scatter[right])
    f, variance = (c - left) / (right - left), np.float64(scatter[c])
    with_line = (1 - f) * covariance(column, one, False) + f * covariance(column, other, False)
    likeness = max(_LEAST_LIKENESS, _LEAST_SIGNIFICANCE / np.sqrt(one.size))
    alike = shared > likeness * np.sqrt(own * own_other)
    if alike and with_line < _RESPONSE * shared:
        return _IDLE
    if variance < _QUIET * lively:
        # Where sides so close go their own ways, slowly, a column stands still between two edges.
        between = right - left - 1 <= _NARROW and not alike and not is_noise(one, other)
        return _GOOD if between else _STILL
    line = (1 - f) ** 2 * own + f**2 * own_other + 2 * f * (1 - f) * shared
    off_line, apart = variance + line - 2 * with_line, own + own_other - 2 * shared
    sharp = min(steps[left], steps[right - 1]) > _SHARP * outside
    if sharp and off_line > ratio**2 * apart + LEAST_VARIANCE:
        return _WANDERING
    restless = min(steps[c - 1], steps[c]) > _BROKEN * outside + LEAST_VARIANCE
    return _WANDERING if restless else _GOOD


@njit(cache=True, nogil=True)
def _scatters_slowly(
    column: np.ndarray, one: np.ndarray, other: np.ndarray, f: np.float32, lively: float
) -> bool:
    """Whether a column has scatter of its own, besides what it shares with its sides, and slow."""
    line = one + f * (other - one)
    squares = covariance(line, line, False)
    own = column.copy()
    if squares > LEAST_VARIANCE:
        own -= np.float32(covariance(column, line, False) / squares) * line
    much = covariance(own, own, False) > _OWN_SCATTER * lively + LEAST_VARIANCE
    return bool(much and not is_noise(own, np.zeros_like(own)))


@njit(cache=True, nogil=True)
def _stands_still_there(scatter: np.ndarray, left: int, right: int, axis: float) -> bool:
    """Whether a column on the other side of the axis stands still, too: the bend of an edge."""
    if np.isnan(axis):
        return False
    pair = round(2 * axis)
    for c in range(
        max(pair - right - _OFF_SLOW, 0), min(pair - left + _OFF_SLOW + 1, scatter.size)
    ):
        beside = min(median_of(scatter, c - _BESIDE, c), median_of(scatter, c + 1, c + 1 + _BESIDE))
        if not left < c < right and scatter[c] < _QUIET * beside:
            return True
    return False


@njit(cache=True, nogil=True)
def _is_mirrored(columns: np.ndarray, left: int, right: int, axis: float, off: int) -> bool:
    """Whether the other side of the axis wanders as well: then it is the sample, near the axis."""
    if np.isnan(axis):
        return False
    here, middle = off_line(columns, left, right), round(2 * axis)
    for shift in range(-off, off + 1):
        first, last = middle + shift - right, middle + shift - left
        if first >= 0 and last < len(columns):
            there = off_line(columns, first, last)
            # Much more than here is a fault of its own.
            if _MIRRORED * here < there and (off == _OFF or _MIRRORED * there < here):
                return True
    return False


@njit(cache=True, nogil=True)
def bridge_columns(sinograms: np.ndarray, row: int, bad: np.ndarray) -> None:
    """Replace bad columns of a sinogram by the line between the good ones on either side.

    Parameters
    ----------
    sinograms : ndarray of float32, shape (angle, row, column)
        Is changed.
    row : int
        Which sinogram.
    bad : ndarray of bool, shape (column,)
        Never the first or the last one.
    """
    for column in np.flatnonzero(bad):
        left, right = column - 1, column + 1
        while bad[left]:
            left -= 1
        while bad[right]:
            right += 1
        fraction = np.float32((column - left) / (right - left))
        for angle in range(len(sinograms)):
            line = sinograms[angle, row]
            line[column] = line[left] + fraction * (line[right] - line[left])
