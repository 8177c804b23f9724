"""What passes through the beam. In: coarse transmission; out: short runs of frames to leave out.

A tool, a cable, a hand, or a stage that went astray and came back: for some frames the views are
unlike those before and after, which fit each other as if nothing had been between them.
"""

from __future__ import annotations

import numpy as np

_LEAST_FRAMES = 48  # of a scan, so that most of them say what is usual
_LONGEST, _MOST = 24, 0.08  # frames of a run, and part of the scan
_MOST_RUNS = 6
# Chosen on seeds 0 and 1 of discs and of the demo's cells.
_SUDDEN = 4.0  # times the steps around, at its first and its last frame
_UNLIKE, _LEAST = 4.0, 0.015  # times what is usual between the ends of a run, and of the light
_FIT = 1.6  # times what views so far apart usually differ by


def passing(transmission: np.ndarray, light: np.ndarray) -> list[np.ndarray]:
    """Find runs of frames that are unlike the frames around them, which fit each other.

    Parameters
    ----------
    transmission : ndarray, shape (frame, row, cell)
        In the order of angles.
    light : ndarray, shape (frame,)
        From `light_of`.

    Returns
    -------
    list of ndarray of int
        The numbers of each run of two frames or more. Single ones are for `unlike`.
    """
    if len(light) < _LEAST_FRAMES:
        return []
    known = np.isfinite(transmission).all(axis=0)
    views = np.asarray((transmission / light[:, None, None])[:, known], np.float32)
    longest = min(_LONGEST, int(_MOST * len(views)))
    found: list[np.ndarray] = []
    for first, last in _sudden(_apart(views, 1), longest):
        if _passes(views, first, last):
            found.append(np.arange(first + 1, last + 1))
    return found if len(found) <= _MOST_RUNS else []


def _apart(views: np.ndarray, lag: int) -> np.ndarray:
    """Give by how much views so far apart differ, rms."""
    return np.asarray(np.sqrt(np.mean(np.square(views[lag:] - views[:-lag]), axis=1)))


def _sudden(steps: np.ndarray, longest: int) -> list[tuple[int, int]]:
    """Give pairs of sudden steps that may begin and end a run, by the frames before them."""
    ahead = np.maximum(np.append(np.inf, steps[:-1]), np.append([np.inf, np.inf], steps[:-2]))
    behind = np.maximum(np.append(steps[1:], np.inf), np.append(steps[2:], [np.inf, np.inf]))
    usual = float(np.median(steps))
    begins = np.flatnonzero(steps > _SUDDEN * np.maximum(ahead, usual / 2)).tolist()
    ends = np.flatnonzero(steps > _SUDDEN * np.maximum(behind, usual / 2)).tolist()
    found: list[tuple[int, int]] = []
    for begin in begins:
        within = [end for end in ends if 2 <= end - begin <= longest]
        if within and (not found or begin >= found[-1][1]):
            found.append((begin, within[0]))
    return found


def _passes(views: np.ndarray, first: int, last: int) -> bool:
    """Whether the views from after `first` to `last` stand out, and those around them fit."""
    lag = last + 1 - first
    across = _apart(views, lag)
    beside = slice(max(first - 2 * _LONGEST, 0), first + 2 * _LONGEST)
    if across[first] > _FIT * np.median(across[beside]):
        return False
    away = [_away(views, n, lag) for n in range(len(views) - lag)[beside]]
    here = _away(views, first, lag)
    return bool(here > max(_UNLIKE * float(np.median(away)), _LEAST))


def _away(views: np.ndarray, first: int, lag: int) -> float:
    """Give how far the views within a run are from the line between its ends, rms."""
    part = (np.arange(1, lag) / lag)[:, None]
    line = (1 - part) * views[first] + part * views[first + lag]
    return float(np.sqrt(np.mean(np.square(views[first + 1 : first + lag] - line))))
