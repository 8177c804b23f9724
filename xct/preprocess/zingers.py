"""Zingers. In: transmission with single hot or dark pixels; out: the same without them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Gt

from xct.parallel.kernels import njit
from xct.parallel.threads import over_ranges
from xct.stages import stage

Kind = Literal["both", "bright", "dark"]

# Pixels of its kind that may stand around an outlier: more is an edge or a line of the sample.
_COMPANIONS = 3
# Values around a pixel without which nothing can be said about it.
_LEAST = 5


@stage(gives="transmission", cut=("angle", "row"), overlap=2, counts="outliers")
def outliers(
    transmission: np.ndarray,
    *,
    kind: Kind = "both",
    threshold: Annotated[float, Gt(0)] = 0.1,
) -> np.ndarray:
    """Replace zingers, single pixels or small clusters hit by stray photons, in each frame.

    A pixel is an outlier where it exceeds (or, for dark ones, falls short of) all but at most
    three of the 24 pixels around it by more than `threshold`. So clusters of up to four pixels
    go, while edges, corners and lines of the sample, even of one pixel's width, stay. It becomes
    the median of those of its eight neighbors that it exceeds. At its edges the frame is mirrored.

    Parameters
    ----------
    transmission : ndarray, shape (angle, row, column)
        Dimensionless; NaN is left alone, here and in the neighborhood.
    kind : {"both", "bright", "dark"}, optional
        Which outliers to replace.
    threshold : float, optional
        Difference of transmission, dimensionless, that makes an outlier: several times the noise.

    Returns
    -------
    ndarray of float32, shape (angle, row, column)
        All other values are those that came, bit by bit.
    """
    transmission = np.ascontiguousarray(transmission, np.float32)
    cleaned = np.empty_like(transmission)
    bright, dark = kind != "dark", kind != "bright"
    limit: Any = np.float32(threshold)  # in double precision the kernel would take twice as long
    over_ranges(
        lambda first, stop: _clean(
            transmission[first:stop], limit, bright, dark, cleaned[first:stop]
        ),
        len(transmission),
    )
    return cleaned


@njit(cache=True, nogil=True)
def _clean(
    transmission: np.ndarray, threshold: float, bright: bool, dark: bool, cleaned: np.ndarray
) -> None:
    frames, rows, columns = transmission.shape
    # Lines with a margin of NaN, so that the edges need no case of their own.
    lines = np.full((3, columns + 2), np.float32(np.nan))
    flags = np.empty(columns, np.int32)
    for frame in range(frames):
        picture = transmission[frame]
        lines[:, 1:-1] = np.nan
        lines[1, 1:-1] = picture[0]
        for row in range(rows):
            below = lines[(row + 2) % 3]
            if row + 1 < rows:
                below[1:-1] = picture[row + 1]
            else:
                below[:] = np.nan
            cleaned[frame, row] = picture[row]
            _suspect(lines[row % 3], lines[(row + 1) % 3], below, threshold, bright, dark, flags)
            for column in range(columns):
                if flags[column]:
                    _judge(picture, row, column, threshold, bright, dark, cleaned[frame, row])


@njit(cache=True, nogil=True)
def _suspect(
    above: np.ndarray,
    line: np.ndarray,
    below: np.ndarray,
    threshold: float,
    bright: bool,
    dark: bool,
    flags: np.ndarray,
) -> None:
    """Flag what may be an outlier, from its eight neighbors: fast, never too few."""
    # Shifted views instead of shifted indices: only then is the loop vectorized.
    a, b, c = above[:-2], above[1:-1], above[2:]
    d, middle, e = line[:-2], line[1:-1], line[2:]
    f, g, h = below[:-2], below[1:-1], below[2:]
    allowed = np.int32(_COMPANIONS)
    for p in range(flags.size):
        low, high = middle[p] - threshold, middle[p] + threshold
        up = np.int32(a[p] >= low) + np.int32(b[p] >= low) + np.int32(c[p] >= low)
        up += np.int32(d[p] >= low) + np.int32(e[p] >= low)
        up += np.int32(f[p] >= low) + np.int32(g[p] >= low) + np.int32(h[p] >= low)
        down = np.int32(a[p] <= high) + np.int32(b[p] <= high) + np.int32(c[p] <= high)
        down += np.int32(d[p] <= high) + np.int32(e[p] <= high)
        down += np.int32(f[p] <= high) + np.int32(g[p] <= high) + np.int32(h[p] <= high)
        flags[p] = np.int32((up <= allowed) & bright) | np.int32((down <= allowed) & dark)


@njit(cache=True, nogil=True)
def _judge(
    picture: np.ndarray,
    row: int,
    column: int,
    threshold: float,
    bright: bool,
    dark: bool,
    cleaned: np.ndarray,
) -> None:
    value = picture[row, column]
    if np.isnan(value):
        return
    for sign, wanted in ((1, bright), (-1, dark)):
        if not wanted:
            continue
        near, _ = _exceeded(picture, row, column, threshold, sign, 1)
        wide, companions = _exceeded(picture, row, column, threshold, sign, 2)
        if companions <= _COMPANIONS and wide.size >= _LEAST:
            cleaned[column] = np.median(near if near.size else wide)


@njit(cache=True, nogil=True)
def _exceeded(
    picture: np.ndarray, row: int, column: int, threshold: float, sign: int, reach: int
) -> tuple[np.ndarray, int]:
    """Values around a pixel that it exceeds by more than the threshold; how many it does not."""
    rows, columns = picture.shape
    value = picture[row, column]
    values = np.empty((2 * reach + 1) ** 2, np.float32)
    found, companions = 0, -1
    for y in range(row - reach, row + reach + 1):
        for x in range(column - reach, column + reach + 1):
            # Mirrored at the edges of the frame, so that lines of the sample do not end there.
            j, i = _mirrored(y, rows), _mirrored(x, columns)
            if j < 0 or i < 0:
                continue
            other = picture[j, i]
            # The same expressions as in `_suspect`: rounding must not part them.
            if (other >= value - threshold) if sign > 0 else (other <= value + threshold):
                companions += 1
            elif other == other:
                values[found] = other
                found += 1
    return values[:found], companions


@njit(cache=True, nogil=True)
def _mirrored(position: int, length: int) -> int:
    position = abs(position)
    position = position if position < length else 2 * (length - 1) - position
    return position if position < length else -1
