"""Which files are the slices of one volume, in which order. In: paths; out: places, or why not.

The number of a slice is the run of digits that counts, wherever it stands in the name. Files named
in another way are left out, gaps are kept open, and what cannot be known is an error.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xct.errors import ScanError, ranges
from xct.io.tiff.stacks import decimal_numbers, named

_STRANGERS = 0.25  # of the files of the series: more of another name are a series of their own
_MOST_MISSING = 0.5  # of all slices: more missing ones, and the numbers mean something else
_MOST_NAMED = 6  # ranges of missing numbers in a message
_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True)
class Slices:
    """Files of single slices, and where each belongs.

    Attributes
    ----------
    files : tuple of Path
        In order.
    places : ndarray of int, shape (file,)
        Place of each slice in the volume, from 0; numbers that no file has are left out.
    count : int
        Slices of the volume, missing ones included.
    notes, warnings : tuple of str
        What was assumed; what is missing or left out.
    """

    files: tuple[Path, ...]
    places: np.ndarray
    count: int
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def in_order(files: Sequence[Path], what: str) -> Slices:
    """Put the slices of a volume in order.

    Parameters
    ----------
    files : sequence of Path
        In any order; one slice each.
    what : str
        Folder or pattern, for messages.

    Raises
    ------
    ScanError
        If there are two series, two files with one number, or several numbers that disagree.
    """
    series, left_out = _one_series(files, what)
    if len(series) == 1:
        return Slices(tuple(series), np.zeros(1, int), 1, warnings=left_out)
    numbers, said = _numbers(series, what)
    order = sorted(range(len(series)), key=lambda at: numbers[at])
    ordered = [series[at] for at in order]
    along = [numbers[at] for at in order]
    for first, second, one, other in zip(along, along[1:], ordered, ordered[1:], strict=False):
        if first == second:
            raise ScanError(
                f"file: {what}: {one.name} and {other.name} have the same number, so the order of "
                "the slices is not known; name one series by a pattern, or rename them"
            )
    places, notes, missing = _places(along, what)
    return Slices(
        tuple(ordered), places, int(places[-1]) + 1, (*said, *notes), (*left_out, *missing)
    )


def _one_series(files: Sequence[Path], what: str) -> tuple[list[Path], tuple[str, ...]]:
    """Take the files that are named alike; say which are left out."""
    folder = os.path.commonpath([os.path.dirname(os.path.abspath(path)) for path in files])
    families: dict[str, list[Path]] = {}
    for path in files:
        name = os.path.relpath(os.path.abspath(path), folder).lower()
        families.setdefault(_DIGITS.sub("#", name), []).append(path)
    series = max(families.values(), key=len)
    others = [path for family in families.values() if family is not series for path in family]
    if not others:
        return series, ()
    if len(others) > _STRANGERS * len(series):
        several = sorted(families.items(), key=lambda item: -len(item[1]))
        listed = named([f"{name} ({len(found)})" for name, found in several], 4)
        raise ScanError(
            f"file: {what}: holds TIFF files of several series: {listed}; name one by a pattern, "
            f"such as {_pattern(series)}"
        )
    kept = next(name for name, family in families.items() if family is series)
    return series, (
        f"{len(others)} of {len(files)} TIFF files are left out, as they are not named as the "
        f"others ({kept}): {named([path.name for path in others])}",
    )


def _pattern(series: Sequence[Path]) -> str:
    """Give a pattern that matches a series alone."""
    first = series[0]
    return str(first.parent / _DIGITS.sub("*", first.name))


def _numbers(series: Sequence[Path], what: str) -> tuple[list[tuple[float, ...]], tuple[str, ...]]:
    """Find the numbers by which slices are ordered."""
    decimals = decimal_numbers(series)
    if decimals is not None:
        return [(number,) for number in decimals], ("slices are ordered by numbers with decimals",)
    folder = os.path.commonpath([str(path.parent) for path in series])
    runs = [[int(d) for d in _DIGITS.findall(os.path.relpath(path, folder))] for path in series]
    columns = list(zip(*runs, strict=True))
    varying = [number for number, column in enumerate(columns) if len(set(column)) > 1]
    alone = [number for number in varying if len(set(columns[number])) == len(series)]
    if not alone:
        return [tuple(run[number] for number in varying) for run in runs], ()
    orders = {number: np.argsort(columns[number]).tolist() for number in alone}
    if len({tuple(order) for order in orders.values()}) > 1:
        example = named([series[0].name, series[-1].name])
        raise ScanError(
            f"file: {what}: names hold several numbers ({example}) that order the slices in "
            "different ways; name slices by one number"
        )
    even = [number for number in alone if len(set(np.diff(sorted(columns[number])).tolist())) == 1]
    chosen = (even or alone)[-1]
    return [(float(number),) for number in columns[chosen]], ()


def _places(
    numbers: Sequence[tuple[float, ...]], what: str
) -> tuple[np.ndarray, tuple[str, ...], tuple[str, ...]]:
    """Find the place of each slice, leaving gaps open where numbers are missing."""
    count = len(numbers)
    everything = np.arange(count)
    if len(numbers[0]) > 1:  # several numbers together: parts, each with its own slices
        return everything, ("slices are ordered by several numbers of their names",), ()
    values = np.array([number for (number,) in numbers])
    steps = np.diff(values)
    step = Counter(np.round(steps, 9).tolist()).most_common(1)[0][0]
    wanted = (values - values[0]) / step
    places = np.rint(wanted).astype(int)
    if np.abs(wanted - places).max() > 0.01 or len(set(places.tolist())) < count:
        raise ScanError(
            f"file: {what}: the numbers of the slices are not evenly spaced (most often {step:g} "
            f"apart, but also {_others(steps, step)}), so their heights are not known; name "
            "evenly spaced slices by a pattern"
        )
    total = int(places[-1]) + 1
    missing = np.setdiff1d(np.arange(total), places)
    notes = () if step == 1 else (f"numbers of slices are {step:g} apart: taken as one voxel",)
    if not len(missing):
        return places, notes, ()
    shown = ranges([int(n) for n in np.rint(values[0] + missing * step)], _MOST_NAMED)
    if len(missing) > _MOST_MISSING * total:
        raise ScanError(
            f"file: {what}: {len(missing)} of {total} slices are missing (numbers {shown}); copy "
            "them, or name a part without gaps by a pattern"
        )
    return (
        places,
        notes,
        (
            f"{len(missing)} of {total} slices are missing (numbers {shown}); they count as data "
            "that are missing: copy them again",
        ),
    )


def _others(steps: np.ndarray, step: float) -> str:
    return named([f"{each:g}" for each in sorted(set(steps.tolist()) - {step})])
