"""The series that was planned, of which frames may be missing. In: angles; out: those there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from xct.errors import ScanError, ranges
from xct.io.scans.angles import given_angles
from xct.io.scans.raw import Raw, Series

# Numbers of which fewer follow each other are no counter: times, or names of something else.
_LEAST_REGULAR = 0.8
# Ranges of frames that a message names.
_MOST_NAMED = 6


def series_of(
    numbers: Sequence[int] | np.ndarray,
    where: str,
    planned: int | None = None,
    *,
    sure: bool = False,
) -> Series:
    """Find the place of each projection in the series that was planned.

    Parameters
    ----------
    numbers : sequence of int, shape (projection,)
        By a counter that also counts frames that were lost; it may count in steps.
    where : str
        What to call the counter in a message.
    planned : int, optional
        Projections that were planned, where something says it.
    sure : bool, optional
        The numbers are known to count frames one by one; otherwise nearly all steps must be
        equal.

    Returns
    -------
    Series
        Its `place` is None where the numbers are no counter.
    """
    number = np.asarray(numbers, np.int64)
    steps = np.diff(number)
    if len(number) < 2 or np.any(steps <= 0):
        return Series(None, planned, where)
    sizes, times = np.unique(steps, return_counts=True)
    usual = 1 if sure else int(sizes[np.argmax(times)])
    regular = times.max() >= _LEAST_REGULAR * len(steps) and np.all(steps % usual == 0)
    if not (sure or regular):
        return Series(None, planned, where)
    place = (number - number[0]) // usual
    if planned is not None and place[-1] >= planned:
        return Series(None, planned, where)
    return Series(place, planned, where)


def missing(series: Series | None) -> np.ndarray:
    """List the places of a series between its first and last frame that no frame has."""
    if series is None or series.place is None:
        return np.zeros(0, np.int64)
    return np.setdiff1d(np.arange(series.place[-1] + 1), series.place)


def missing_note(series: Series | None) -> str | None:
    """Say which frames of a series are missing, if any are."""
    lost = missing(series)
    if series is None or series.place is None:
        return None
    count, planned = len(series.place), series.planned
    if lost.size:
        note = (
            f"missing projections: {_named(lost)} (counted from 0; {series.where}); the {count} "
            "others are used with their own angles"
        )
        ends = 0 if planned is None else planned - int(series.place[-1]) - 1
        if ends > 0:
            note += (
                f"; {ends} more are missing at the beginning or the end, taken as those at the "
                "end: slices may be turned by so many steps"
            )
        return note
    if planned is not None and planned > series.place[-1] + 1:
        return (
            f"the scan was interrupted: {planned} projections were planned, the first {count} "
            f"are there and are used ({series.where})"
        )
    return None


def _named(places: np.ndarray) -> str:
    return ranges(places.tolist(), _MOST_NAMED)


def fit_angles(raw: Raw, given: Any = None) -> np.ndarray | None:
    """Choose the angles of the projections that are there.

    Angles of the whole series that was planned are cut to the frames that arrived, as far as a
    counter says which these are. Angles are never spread over another number of frames.

    Parameters
    ----------
    raw : Raw
        What the files say.
    given : object
        Angles of the configuration, which overrule those of the files; None: there are none.

    Returns
    -------
    ndarray or None
        Degrees, without jumps by whole turns. Of another length than the projections where
        nothing says which angles are theirs.

    Raises
    ------
    ScanError
        If evenly spaced angles are given for frames of which some are missing.
    """
    count, series = len(raw.projections.index), raw.series
    angles = raw.theta_deg if given is None else given_angles(given)
    if angles is None:
        return None
    if isinstance(given, Mapping) and "count" in given and len(angles) == count:
        _refuse_stretched(raw, angles)
    if series is not None and series.place is not None and len(angles) != count:
        places = _places(series, len(angles))
        angles = angles if places is None else angles[places]
    return unwrapped(angles)


# Of a step between angles, how far given ones may be from those of the file without a word.
_TOLERATED_STEPS = 0.25


def other_angles(raw: Raw, given: np.ndarray) -> str | None:
    """Say that given angles are other ones than those of the file, but for a constant."""
    own = fit_angles(raw)
    if own is None or len(own) != len(given) or len(own) < 3 or not np.all(np.isfinite(own)):
        return None
    apart = given - own
    most = float(np.max(np.abs(apart - np.median(apart))))
    step = float(np.median(np.abs(np.diff(own))))
    if most <= _TOLERATED_STEPS * step or step == 0:
        return None
    return (
        f"the given angles are up to {most:.3g}° apart from those of the file "
        f"({raw.origin.get('theta_deg', 'theta_deg')}), whose step is {step:.3g}°; the given ones "
        "are used"
    )


def _places(series: Series, length: int) -> np.ndarray | None:
    """Find the places of the frames in a list of angles; None where it cannot be theirs.

    A list that was planned; or one up to the last frame, counted from the first one that is
    there or, where the counter begins so late that frames before it are missing, from 0 or 1.
    """
    place = series.place
    if place is None or series.planned is not None:
        return place if length == series.planned else None
    lengths = {int(place[-1]) + 1 + late: late for late in (0, series.before, series.before - 1)}
    if length == place[-1] + 1:
        return place
    if series.before > 1 and length in lengths:
        return np.asarray(place + lengths[length])
    return None


def _refuse_stretched(raw: Raw, angles: np.ndarray) -> None:
    """Refuse angles that are spread evenly over frames of which some are missing."""
    name = raw.files[0] if raw.files else raw.layout
    count, series = len(angles), raw.series
    lost = missing(series)
    if lost.size and series is not None and series.place is not None:
        whole = max(int(series.place[-1]) + 1, series.planned or 0)
        raise ScanError(
            f"{name}: missing projections: {_named(lost)} (counted from 0; {series.where}); so "
            f"the {count} others do not lie at {count} evenly spaced angles. Give theta_deg for "
            f"all {whole} that were planned, {{first: …, last: …, count: {whole}}}: the angles of "
            f"missing frames are then left out. Or name a text file with the {count} angles"
        )
    own = raw.theta_deg
    planned = series.planned if series is not None and series.planned else None
    if own is not None and len(own) > count:
        planned = len(own)
    if planned is None or planned <= count or count < 2:
        return
    step = float(np.median(np.abs(np.diff(angles))))
    if own is not None and len(own) >= 2 and np.all(np.isfinite(own)):
        usual = float(np.median(np.abs(np.diff(own))))
        if abs(step - usual) <= 2e-3 * usual:
            return
        said = f"{usual:.6g}° apart ({raw.origin.get('theta_deg', 'theta_deg')})"
    elif series is not None and series.place is not None:
        return
    else:
        said = "by the file"
    raise ScanError(
        f"{name}: {planned} angles were planned, {said}, but {count} projections are there: "
        f"{count} angles that are {step:.6g}° apart belong to another scan. {_remedy(raw, count)}"
    )


def _remedy(raw: Raw, count: int) -> str:
    own = raw.theta_deg
    first_ones = ""
    if own is not None and len(own) > count and np.all(np.isfinite(own[[0, count - 1]])):
        first_ones = (
            f"If the scan was interrupted, so that these are its first {count} projections, give "
            f"theta_deg: {{first: {own[0]:g}, last: {own[count - 1]:g}, count: {count}}}. "
        )
    return (
        f"{first_ones}If frames were lost in between, name a text file with the angle of each of "
        f"the {count} projections; angles must not be spread over them"
    )


def disagreement(raw: Raw, theta_deg: np.ndarray) -> str:
    """Say that there are more or fewer angles than projections, and what can be done."""
    count = len(raw.projections.index)
    where = raw.origin.get("theta_deg", "theta_deg")
    name = raw.files[0] if raw.files else raw.layout
    start = f"{name}: {count} projections, but {len(theta_deg)} angles ({where})"
    if len(theta_deg) > count and where != "configuration":
        return f"{start}. {_remedy(raw, count)}"
    return (
        f"{start}; give scan.theta_deg with the angle of each of the {count} projections, as they "
        "were measured"
    )


def unwrapped(theta_deg: np.ndarray) -> np.ndarray:
    """Undo jumps by a whole turn, as of encoders that begin anew at 360° or at ±180°.

    Only where nearly all steps are small: angles that jump throughout stay as they are.
    """
    if len(theta_deg) < 3 or not np.all(np.isfinite(theta_deg)):
        return theta_deg
    steps = np.abs(np.diff(theta_deg))
    jumps = steps > 180
    if not jumps.any() or jumps.mean() > 0.05 or np.median(steps) > 20:
        return theta_deg
    return np.asarray(np.unwrap(theta_deg, period=360.0))


def with_series(raw: Raw, series: Series) -> Raw:
    """Put a series into what a reader found, and say which of its frames are missing."""
    note = missing_note(series)
    return replace(raw, series=series, notes=(*raw.notes, note) if note else raw.notes)
