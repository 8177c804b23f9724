"""Flats in time. In: when frames were taken; out: blocks of flats, and where between them."""

from __future__ import annotations

from typing import Literal

import numpy as np

InTime = Literal["interpolated", "nearest", "constant"]

# A gap in time so many times the usual one ends a block of flats.
_GAP = 5


def blocks_of_flats(projection_time: np.ndarray, flat_time: np.ndarray) -> list[np.ndarray]:
    """Find which flats were taken together.

    A block ends at a gap of more than five times the usual one between flats. Where no gap
    stands out, it ends where projections lie between two flats, and at every gap of more than
    half that length: the blocks are then the same for any part of a scan that has projections
    between its first and last flat.

    Parameters
    ----------
    projection_time, flat_time : ndarray, shape (angle,) and (frame,)
        On one clock.

    Returns
    -------
    list of ndarray of int
        Indices of the flats of each block, blocks in order of time.
    """
    order = np.argsort(flat_time, kind="stable")
    time = np.asarray(flat_time, np.float64)[order]
    gaps = np.diff(time)
    if gaps.size == 0:
        return [order]
    usual = np.sort(gaps)[(gaps.size - 1) // 2]
    breaks = gaps > _GAP * usual
    if not breaks.any():
        seen = np.diff(np.searchsorted(np.sort(projection_time), time)) > 0
        breaks = gaps > 0.5 * gaps[seen].min(initial=np.inf)
    return list(np.split(order, np.flatnonzero(breaks) + 1))


def place_in_time(
    times: tuple[np.ndarray, np.ndarray] | None,
    blocks: list[np.ndarray],
    in_time: InTime,
    count: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Say between which two blocks of flats each projection lies, and where between them.

    Parameters
    ----------
    times : (projection_time, flat_time) or None
        On one clock; None where nothing is known.
    blocks : list of ndarray of int
        As `blocks_of_flats` gives them.
    in_time : {"interpolated", "nearest", "constant"}
        Nearest rounds to one of the two.
    count : int
        How many projections there are.

    Returns
    -------
    earlier : ndarray of int, shape (angle,)
        Number of the earlier block.
    share : ndarray of float32, shape (angle,)
        How far towards the later one, 0 to 1; held beyond the first and the last block.
    """
    if times is None or len(blocks) == 1:
        return np.zeros(count, np.intp), np.zeros(count, np.float32)
    projection_time, flat_time = times
    middle = np.array([flat_time[block].mean() for block in blocks])
    lower = np.clip(np.searchsorted(middle, projection_time) - 1, 0, len(blocks) - 2)
    length = middle[lower + 1] - middle[lower]
    share = np.clip((projection_time - middle[lower]) / length, 0.0, 1.0)
    if in_time == "nearest":
        share = np.where(share < 0.5, 0.0, 1.0)
    return lower, share.astype(np.float32)
