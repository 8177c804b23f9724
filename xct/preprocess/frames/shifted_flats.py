"""Flats that stand elsewhere than the projections. In: a scan; out: by how much, or how turned.

Every pixel has a gain of its own, which flats and projections show at the same place, whatever the
sample: unless the camera, its read-out window, or the beam moved between them.
"""

from __future__ import annotations

import numpy as np
import scipy

from xct.io.frames import View
from xct.scan import Scan

_BANDS, _ROWS, _FRAMES = 3, 10, 32  # that are looked at
_SMOOTH_PX = 3.0
_TURNS = {"mirrored left to right": (1, -1), "upside down": (-1, 1), "turned by 180°": (-1, -1)}
_MOST_ROWS, _MOST_COLUMNS = 3, 12  # of a shift
_LEAST, _THERE = 0.25, 0.5  # likeness at the shift, and that without over it
_CHANCE = 8.0  # standard deviations of the likeness at other shifts
_OF_STEPS = 6**0.5  # second differences of white noise
_PATTERN, _LACKS = 0.005, 0.6  # rms of what pixels have of their own, and the part that is left


def misplaced_flats(scan: Scan) -> str | None:
    """Say how the flats' pattern stands off that of the projections, or is its mirror image.

    Parameters
    ----------
    scan : Scan
        Good frames only.

    Returns
    -------
    str or None
        A clause without its subject; None where the pattern stands where it should, or shows too
        little.
    """
    if scan.flats is None or scan.flats.shape[2] < 4 * _MOST_COLUMNS:
        return None
    found = _likeness(scan)
    if not _stands_out(found):
        turned = (how for how, turn in _TURNS.items() if _stands_out(_likeness(scan, turn)))
        return next((f"are {how} against the projections" for how in turned), None)
    middle = found.shape[0] // 2, found.shape[1] // 2
    best = np.unravel_index(int(np.argmax(found)), found.shape)
    if found[middle] > _THERE * found[best]:
        return None
    rows, columns = (int(a - b) for a, b in zip(best, middle, strict=True))
    said = []
    if rows:
        said.append(f"{_count(rows, 'row')} {'below' if rows > 0 else 'above'}")
    if columns:
        said.append(f"{_count(columns, 'column')} to the {'right' if columns > 0 else 'left'}")
    return f"stand {' and '.join(said)} of the projections"


def _count(number: int, noun: str) -> str:
    return f"{abs(number)} {noun}" + ("" if abs(number) == 1 else "s")


def pattern_missing(scan: Scan, air: np.ndarray | None) -> float:
    """Find how much of the pixels' pattern the flats lack, where they do not hold most of it.

    Flats that were binned, smoothed or taken with another camera are even where the projections
    show what every pixel has of its own.

    Parameters
    ----------
    scan : Scan
        Good frames only.
    air : ndarray of bool, shape (column,), or None
        Columns that show air at all angles.

    Returns
    -------
    float
        Rms of the pattern that is left, as a fraction of the light; 0 where flats hold it.
    """
    if air is None or scan.flats is None or min(scan.flats.shape[0], scan.projections.shape[0]) < 2:
        return 0.0
    total = scan.flats.shape[1]
    height = min(_ROWS, total)
    found = np.zeros(2)
    firsts = np.unique(np.linspace(0, total - height, _BANDS).round().astype(int)).tolist()
    for first in firsts:
        rows = slice(first, first + height)
        dark = 0.0 if scan.darks is None else np.median(scan.darks.read(rows=rows), axis=0)
        # Halves, whose noise is not the same.
        seen = [_steps(_mean_log(scan.projections, rows, dark, half), air) for half in (0, 1)]
        flats = [_steps(_mean_log(scan.flats, rows, dark, half), air) for half in (0, 1)]
        left = np.mean((seen[0] - flats[0]) * (seen[1] - flats[1]))
        found += np.array([np.mean(seen[0] * seen[1]), left]) / len(firsts)
    there, left = np.sqrt(np.maximum(found, 0)).tolist()
    return float(left) if there > _PATTERN and left > _LACKS * there else 0.0


def _stands_out(likeness: np.ndarray) -> bool:
    chance = 1.4826 * float(np.median(np.abs(likeness - np.median(likeness))))
    return bool(likeness.max() >= max(_LEAST, _CHANCE * chance))


def _likeness(scan: Scan, turn: tuple[int, int] = (1, 1)) -> np.ndarray:
    """Correlate the patterns at all shifts, (row, column), flats in that order of both."""
    assert scan.flats is not None  # asked before
    total = scan.flats.shape[1]
    height = min(_ROWS, total)
    firsts = np.unique(np.linspace(0, total - height, _BANDS).round().astype(int)).tolist()
    found = []
    for first in firsts:
        own = first if turn[0] > 0 else total - height - first
        flats = _pattern(scan, scan.flats, slice(own, own + height))[:: turn[0], :: turn[1]]
        found.append(_alike(flats, _pattern(scan, scan.projections, slice(first, first + height))))
    return np.asarray(np.mean(found, axis=0))


def _alike(flats: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Correlate the patterns of a band of rows at all shifts, (row, column)."""
    most_rows = min(_MOST_ROWS, (len(flats) - 1) // 3)
    inner = seen[most_rows : len(seen) - most_rows or None, _MOST_COLUMNS:-_MOST_COLUMNS]
    found = np.empty((2 * most_rows + 1, 2 * _MOST_COLUMNS + 1))
    for i, j in np.ndindex(found.shape):
        part = flats[i : i + inner.shape[0], j : j + inner.shape[1]]
        norm = np.sqrt(np.mean(part**2) * np.mean(inner**2))
        found[i, j] = np.mean(part * inner) / max(norm, 1e-12)
    return found


def _steps(log: np.ndarray, air: np.ndarray) -> np.ndarray:
    """Give by how much pixels in air differ from those beside: nothing of the sample's edge."""
    within = air[2:] & air[1:-1] & air[:-2]
    return _clipped(np.diff(log, 2, axis=1)[:, within] / _OF_STEPS)


def _pattern(scan: Scan, view: View, rows: slice) -> np.ndarray:
    """Give what differs from pixel to pixel in all frames alike, without what stands out by far."""
    dark = 0.0 if scan.darks is None else np.median(scan.darks.read(rows=rows), axis=0)
    log = _mean_log(view, rows, dark)
    smooth = scipy.ndimage.gaussian_filter1d(log, _SMOOTH_PX, axis=1, mode="nearest")
    return _clipped(log - smooth)


def _clipped(away: np.ndarray) -> np.ndarray:
    most = 4 * 1.4826 * float(np.median(np.abs(away)))
    return np.asarray(np.clip(away, -most, most))


def _mean_log(
    view: View, rows: slice, dark: np.ndarray | float, half: int | None = None
) -> np.ndarray:
    """Average the logarithm of some frames, or of every other one of them."""
    count = view.shape[0]
    numbers = np.unique(np.linspace(0, count - 1, min(count, _FRAMES)).astype(int)).tolist()
    if half is not None:
        numbers = numbers[half::2]
    frames = np.stack([view.read(slice(n, n + 1), rows)[0] for n in numbers]) - dark
    return np.asarray(np.log(np.clip(frames, 1.0, None)).mean(axis=0))
