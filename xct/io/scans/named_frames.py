"""What the names of frames say of a series. In: files of projections; out: angles, lost frames."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from xct.io.scans.raw import Raw, Series
from xct.io.scans.series import series_of, with_series
from xct.io.tiff.stacks import decimal_numbers, frame_number

# Numbers with decimals are angles where they span so much and are spaced about evenly.
_LEAST_SPAN_DEG, _MOST_DEG = 90.0, 1080.0
_LARGEST_STEP = 6.0  # of the median one


def named_series(raw: Raw, files: Sequence[Path]) -> Raw:
    """Add what the names of the projections say: angles with decimals, or which are missing.

    Parameters
    ----------
    raw : Raw
        What a reader found.
    files : sequence of Path
        One for each projection, in their order.
    """
    decimals = decimal_numbers(files)
    if decimals is None:
        return with_series(raw, _numbered(files))
    angles = np.asarray(decimals)
    if raw.theta_deg is not None or not _are_angles(angles):
        return raw
    origin = {**raw.origin, "theta_deg": "names of the files (degrees)"}
    return replace(raw, theta_deg=angles, origin=origin)


def _are_angles(numbers: np.ndarray) -> bool:
    steps = np.diff(numbers)
    if len(numbers) < 3 or np.any(steps <= 0):
        return False
    span = numbers[-1] - numbers[0]
    return bool(
        _LEAST_SPAN_DEG <= span <= _MOST_DEG and steps.max() <= _LARGEST_STEP * np.median(steps)
    )


def _numbered(files: Sequence[Path]) -> Series:
    """Find lost frames by gaps in the numbers that no other frame fills."""
    numbers = [frame_number(path) for path in files]
    others = set(_other_numbers(files))
    if others & set(numbers):
        others = set()  # flats are numbered on their own
    between = np.array(sorted(n for n in others if numbers[0] < n < numbers[-1]), np.int64)
    counted = np.asarray(numbers, np.int64) - np.searchsorted(between, numbers)
    series = series_of(counted, f"numbers in the names, the first is {numbers[0]}")
    step = max(1, int(counted[1] - counted[0])) if len(counted) > 1 else 1
    whole = numbers[0] % step == 0
    return replace(series, before=numbers[0] // step if whole and not others else 0)


def _other_numbers(files: Sequence[Path]) -> Iterable[int]:
    """Read the numbers of the other frames in the same folders."""
    own, suffix = set(files), files[0].suffix.lower()
    for folder in {path.parent for path in files}:
        for path in folder.iterdir():
            if path not in own and path.suffix.lower() == suffix and path.is_file():
                yield frame_number(path)
