"""One frame from many. In: single flats or darks; out: their mean, median or trimmed mean."""

from __future__ import annotations

from typing import Literal

import numpy as np

from xct.parallel.kernels import njit
from xct.parallel.threads import over_ranges

Combine = Literal["mean", "median", "trimmed"]

# Part of the frames that a trimmed mean leaves out at either end.
_TRIM = 0.1


def combine_frames(frames: np.ndarray, which: np.ndarray, combine: Combine) -> np.ndarray:
    """Combine some of the frames into one.

    Parameters
    ----------
    frames : ndarray, shape (frame, row, column)
        Counts.
    which : ndarray of int
        Indices of the frames to take.
    combine : {"mean", "median", "trimmed"}
        The trimmed mean leaves out the smallest and the largest tenth, at least one of each
        where there are three frames or more.

    Returns
    -------
    ndarray of float32, shape (row, column)
        Counts. A pixel that is NaN in one of the frames is NaN.
    """
    which = np.asarray(which)
    out = left_out(len(which), combine)
    flattened = _flattened(frames)
    answer = np.empty(frames.shape[1:], np.float32)
    kernel = _mean if out == 0 else _middle
    over_ranges(
        lambda first, stop: kernel(flattened, which, out, answer.reshape(-1), first, stop),
        answer.size,
        least=4096,
    )
    return answer


def left_out(count: int, combine: Combine) -> int:
    """How many of `count` sorted values are left out at either end before the mean is taken."""
    if combine == "median":
        return (count - 1) // 2
    if combine == "trimmed" and count >= 3:
        return max(1, int(_TRIM * count))
    return 0


def sd_of_frames(frames: np.ndarray) -> np.ndarray:
    """Measure the standard deviation of each pixel over the frames; 0 for a single frame.

    Parameters
    ----------
    frames : ndarray, shape (frame, row, column)
        Counts.

    Returns
    -------
    ndarray of float32, shape (row, column)
        Counts.
    """
    flattened = _flattened(frames)
    answer = np.zeros(frames.shape[1:], np.float32)
    if len(frames) > 1:
        over_ranges(
            lambda first, stop: _deviations(flattened, answer.reshape(-1), first, stop),
            answer.size,
            least=4096,
        )
    return answer


def _flattened(frames: np.ndarray) -> np.ndarray:
    if frames.dtype != np.uint16:
        frames = frames.astype(np.float32, copy=False)
    return np.ascontiguousarray(frames).reshape(len(frames), -1)


@njit(cache=True, nogil=True)
def _mean(
    frames: np.ndarray, which: np.ndarray, _: int, answer: np.ndarray, first: int, stop: int
) -> None:
    total = np.empty(min(2048, stop - first), np.float64)
    for start in range(first, stop, total.size):
        size = min(total.size, stop - start)
        total[:] = 0.0
        for frame in which:
            for p in range(size):
                total[p] += frames[frame, start + p]
        for p in range(size):
            answer[start + p] = total[p] / which.size


@njit(cache=True, nogil=True)
def _middle(
    frames: np.ndarray, which: np.ndarray, out: int, answer: np.ndarray, first: int, stop: int
) -> None:
    # Many pixels at a time: comparing neighbors in order is then a few vector instructions.
    width, count = 64, which.size
    values = np.empty((count, width), np.float32)
    total = np.empty(width, np.float64)
    for start in range(first, stop, width):
        size = min(width, stop - start)
        total[:] = 0.0
        for n in range(count):
            for p in range(size):
                values[n, p] = frames[which[n], start + p]
                # NaN would be lost among minima and maxima: what is not finite shows up here.
                total[p] += values[n, p]
        _sort_columns(values)
        missing = np.isnan(total)
        total[:] = 0.0
        for n in range(out, count - out):
            for p in range(size):
                total[p] += values[n, p]
        for p in range(size):
            mean = total[p] / (count - 2 * out)
            answer[start + p] = np.nan if missing[p] else mean


@njit(cache=True, nogil=True)
def _sort_columns(values: np.ndarray) -> None:
    count, width = values.shape
    for last in range(count - 1, 0, -1):
        for n in range(last):
            lower, upper = values[n], values[n + 1]
            for p in range(width):
                a, b = lower[p], upper[p]
                lower[p] = a if a < b else b
                upper[p] = b if a < b else a


@njit(cache=True, nogil=True)
def _deviations(frames: np.ndarray, answer: np.ndarray, first: int, stop: int) -> None:
    total = np.empty(min(2048, stop - first), np.float64)
    squares = np.empty(total.size, np.float64)
    for start in range(first, stop, total.size):
        size = min(total.size, stop - start)
        total[:] = 0.0
        squares[:] = 0.0
        for frame in range(len(frames)):
            for p in range(size):
                # Relative to the first frame: the squares of counts would lose the digits.
                value = np.float64(frames[frame, start + p]) - frames[0, start + p]
                total[p] += value
                squares[p] += value * value
        for p in range(size):
            variance = (squares[p] - total[p] * total[p] / len(frames)) / (len(frames) - 1)
            answer[start + p] = np.sqrt(max(variance, 0.0))
