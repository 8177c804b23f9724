"""A camera or scintillator with afterglow. In: all frames, coarsely; out: how much each one keeps.

Each frame holds a part of the one before. Within the scan that turns views by a part of a step;
where flats follow projections, or projections flats, the first frames hold what is not theirs.
"""

from __future__ import annotations

from itertools import pairwise
from math import ceil, log
from typing import NamedTuple

import numpy as np

_LEAST = 0.01  # of the frame before; less leaves no frame unlike the others
_LEFT = 0.003  # of the light, that may be left over in a frame
_ALIKE = {True: 0.9, False: 0.6}  # correlation with the frame before: in flats, nothing moves
_TIMES = 2.0  # by which flats and projections may disagree
_LEAST_FLATS = 4  # of a block, so that most of them are clean
_MOST_PART = 0.5  # of a block may be left out


class Afterglow(NamedTuple):
    """What frames keep of the one before.

    Attributes
    ----------
    part : float
        Of its light.
    flats, projections : ndarray of int
        Those that hold too much of frames of the other kind.
    """

    part: float
    flats: np.ndarray
    projections: np.ndarray


def find_afterglow(
    projections: np.ndarray, flats: np.ndarray, times: tuple[np.ndarray, np.ndarray]
) -> Afterglow | None:
    """Look for what first flats keep of projections before them, and projections of flats.

    Parameters
    ----------
    projections, flats : ndarray, shape (frame, row, cell)
        Counts.
    times : tuple of ndarray
        When projections and flats were taken.

    Returns
    -------
    Afterglow or None
        None where one of both is not seen: a sample that stood in the first flats is in them alone.
    """
    blocks = _blocks(*times)
    kept: dict[bool, list[float]] = {True: [], False: []}
    for (_, before), (is_flat, frames) in pairwise(blocks):
        own, other = (flats, projections) if is_flat else (projections, flats)
        if len(frames) >= _LEAST_FLATS and len(before):
            kept[is_flat].append(_kept(own[frames], other[before[-1]], is_flat))
    if not kept[True] or not kept[False]:
        return None
    both = [float(np.median(kept[kind])) for kind in (True, False)]
    part = both[0]  # nothing moves in flats
    if not (min(both) > _LEAST and max(both) < _TIMES * min(both) and part < 1):
        return None
    count = max(1, ceil(log(_LEFT) / log(part)))
    first: dict[bool, list[int]] = {True: [], False: []}
    for is_flat, frames in (blocks[n] for n in range(1, len(blocks))):
        first[is_flat] += frames[: min(count, int(_MOST_PART * len(frames)))].tolist()
    return Afterglow(part, np.array(first[True], int), np.array(first[False], int))


def _blocks(of_projections: np.ndarray, of_flats: np.ndarray) -> list[tuple[bool, np.ndarray]]:
    """Give runs of flats and of projections in the order of time: whether flats, which frames."""
    time = np.concatenate([of_projections, of_flats])
    is_flat = np.arange(time.size) >= len(of_projections)
    number = np.concatenate([np.arange(len(of_projections)), np.arange(len(of_flats))])
    order = np.argsort(time, kind="stable")
    cuts = np.flatnonzero(np.diff(is_flat[order].astype(int))) + 1
    return [(bool(is_flat[run[0]]), number[run]) for run in np.split(order, cuts) if run.size]


def _kept(frames: np.ndarray, before: np.ndarray, still: bool) -> float:
    """Give what the first frame of a block keeps of the one before the block; 0 where unsure."""
    second, third = frames[1], frames[2]
    own = np.median(frames[len(frames) // 2 :], axis=0) if still else 2.0 * second - third
    extra, foreign = (frames[0] - own).ravel(), (before - own).ravel()
    extra, foreign = extra - extra.mean(), foreign - foreign.mean()
    power = float(foreign @ foreign) * float(extra @ extra)
    if power <= 0 or float(extra @ foreign) < _ALIKE[still] * power**0.5:
        return 0.0
    return float(extra @ foreign) / float(foreign @ foreign)
