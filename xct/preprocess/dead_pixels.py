"""Dead pixels. In: transmission with NaN; out: the same with values from good neighbors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge, Le

from xct.errors import DataError
from xct.parallel.kernels import njit
from xct.parallel.threads import over_ranges
from xct.stages import Band, RowCounts, name_bands, replaced, stage

# Weight is distance to this power. On real noisy frames -1 and -2 leave the same error and
# steeper ones a larger one, as they average over too few neighbors.
_POWER = -2.0
# Widest band of dead columns that is interpolated, as part of the detector.
_WIDEST_PART = 8
# Dead pixels without a good one nearer than this, in squared pixels, lie in wide bands or clusters.
_FAR = 9


def _reach(settings: Mapping[str, Any]) -> int:
    return int(settings.get("reach_px", 5))


def bridged_bands(bands: Sequence[Band]) -> str | None:
    """Name the bands of dead columns that no good pixel reaches, and their rows."""
    if not bands:
        return None
    return (
        f"{name_bands(bands)} are dead and far from good pixels, so they are interpolated: what "
        "the sample has there is lost in a ring about the rotation axis; move the sample between "
        "two scans, or the detector, so that other columns see it"
    )


@stage(
    gives="transmission",
    cut=("angle", "row"),
    overlap=_reach,
    counts=RowCounts("bridged_pixels", True, wide_px=1, band_warning=bridged_bands),
)
def fill_dead_pixels(
    transmission: np.ndarray, *, reach_px: Annotated[int, Ge(1), Le(100)] = 5
) -> np.ndarray:
    """Give dead pixels the mean of the good neighbors in their frame, weighted by distance.

    Shepard's interpolation [1]_ with the inverse square of the distance. Dead columns and clusters
    are filled as far as good pixels are within reach. What of a band of dead columns is farther
    from them, up to an eighth of the detector, becomes the line between the values on either
    side of it in its row. Pixels three or more from a good one are counted.

    Parameters
    ----------
    transmission : ndarray, shape (angle, row, column)
        NaN where a pixel is dead.
    reach_px : int, optional
        Distance in pixels up to which good neighbors are taken.

    Returns
    -------
    ndarray of float32, shape (angle, row, column)
        No value that was there is changed. A pixel within reach of the first or last row may
        stay NaN where nothing reaches it: its neighbors may lie beyond the rows given here.

    Raises
    ------
    DataError
        If a frame holds no values, or no good neighbor is within reach of a pixel.

    References
    ----------
    .. [1] Shepard (1968), Proc. 23rd ACM National Conference, 517. doi:10.1145/800186.810616
    """
    transmission = np.ascontiguousarray(transmission, np.float32)
    filled = transmission.copy()
    weights = _weights(reach_px)
    left = np.zeros(transmission.shape[:2], np.intp)
    bridged = np.zeros(transmission.shape[1:], np.bool_)
    over_ranges(
        lambda first, stop: _fill(transmission, weights, filled, left, bridged, first, stop),
        len(transmission),
    )
    if left.any():
        over_ranges(
            lambda first, stop: _bridge(transmission, filled, left, bridged, first, stop),
            len(bridged),
        )
    replaced(bridged)
    _refuse_unreached(transmission, filled, left, reach_px)
    return filled


def _weights(reach: int) -> np.ndarray:
    """Weights of the neighbors on a square about a pixel; 0 on the pixel and beyond reach."""
    offset = np.arange(-reach, reach + 1)
    distance = np.hypot(offset[:, None], offset)
    distance[distance == 0] = np.inf
    return np.where(distance <= reach, distance**_POWER, 0.0)


def _refuse_unreached(
    transmission: np.ndarray, filled: np.ndarray, left: np.ndarray, reach: int
) -> None:
    """Refuse pixels that stay NaN, though every row that could help was seen."""
    if not left.any():
        return
    empty = np.flatnonzero(left.sum(axis=1) == transmission[0].size)
    if empty.size:
        raise DataError(
            f"frame {empty[0]} (counted from 0) holds no values, only NaN"
            f"{_and_others(empty.size)}; leave the bad frame out of the scan"
        )
    rows = left.shape[1]
    seen = left[:, reach : rows - reach]
    if not seen.any():
        return
    frame, row = np.argwhere(seen > 0)[0] + (0, reach)
    column = int(np.flatnonzero(np.isnan(filled[frame, row]))[0])
    missing = np.isnan(transmission[frame]).mean()
    remedy = (
        f"{missing:.0%} of this frame is NaN: if it is a bad frame, leave it out"
        if missing > 0.5
        else "enlarge reach_px, or crop what the beam does not reach with scan.roi"
    )
    raise DataError(
        f"no good pixel within reach_px = {reach} of the dead pixel at frame {frame}, row {row}, "
        f"column {column} (counted from 0){_and_others(int(seen.sum()))}; {remedy}"
    )


def _and_others(count: int) -> str:
    return f", and {count - 1} more" if count > 1 else ""


@njit(cache=True, nogil=True)
def _fill(
    transmission: np.ndarray,
    weights: np.ndarray,
    filled: np.ndarray,
    left: np.ndarray,
    far: np.ndarray,
    first: int,
    stop: int,
) -> None:
    _, rows, columns = transmission.shape
    for frame in range(first, stop):
        for row in range(rows):
            line = transmission[frame, row]
            missing = 0
            for column in range(columns):
                missing += line[column] != line[column]
            if missing == 0:
                continue
            for column in range(columns):
                if line[column] == line[column]:
                    continue
                value, nearest = _mean_around(transmission[frame], weights, row, column)
                filled[frame, row, column] = value
                left[frame, row] += np.isnan(value)
                if nearest >= _FAR and value == value:
                    far[row, column] = True


@njit(cache=True, nogil=True)
def _bridge(
    transmission: np.ndarray,
    filled: np.ndarray,
    left: np.ndarray,
    bridged: np.ndarray,
    first: int,
    stop: int,
) -> None:
    """Draw lines over what was left of bands that are narrow and known on both sides."""
    frames, _, columns = filled.shape
    for frame in range(frames):
        for row in range(first, stop):
            if left[frame, row] == 0:
                continue
            dead, line = np.isnan(transmission[frame, row]), filled[frame, row]
            column = 0
            while column < columns:
                end = column
                while end < columns and dead[end]:
                    end += 1
                if 0 < column < end < columns and end - column <= columns // _WIDEST_PART:
                    left[frame, row] -= _draw_line(line, column, end, bridged[row])
                column = end + 1


@njit(cache=True, nogil=True)
def _draw_line(line: np.ndarray, first: int, stop: int, bridged: np.ndarray) -> int:
    """Fill what is NaN from first to stop with the line between what is known; say how many."""
    while line[first] == line[first] and first < stop:
        first += 1
    while line[stop - 1] == line[stop - 1] and first < stop:
        stop -= 1
    before, step = line[first - 1], (line[stop] - line[first - 1]) / np.float32(stop - first + 1)
    for c in range(first, stop):
        line[c] = before + step * np.float32(c - first + 1)
        bridged[c] = True
    return stop - first


@njit(cache=True, nogil=True)
def _mean_around(
    picture: np.ndarray, weights: np.ndarray, row: int, column: int
) -> tuple[float, int]:
    """Give the weighted mean of good pixels, and how far the nearest is, squared."""
    rows, columns = picture.shape
    reach = len(weights) // 2
    total, weight, nearest = 0.0, 0.0, picture.size
    for y in range(max(0, row - reach), min(rows, row + reach + 1)):
        for x in range(max(0, column - reach), min(columns, column + reach + 1)):
            value = picture[y, x]
            if value == value:
                w = weights[y - row + reach, x - column + reach]
                total += w * value
                weight += w
                if w > 0.0:
                    nearest = min(nearest, (y - row) ** 2 + (x - column) ** 2)
    return (total / weight if weight > 0.0 else np.nan), nearest
