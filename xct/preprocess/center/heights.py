"""The axis at several heights. In: line integrals of rows; out: the line that it lies on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import hypot, sqrt
from typing import NamedTuple

import numpy as np

from xct.preprocess.center.search import search_axis

_PARTS = 5  # of rows that all follow each other
_LEAST_CONFIDENCE = 0.5  # of an axis that was found at one height
_LEAST_SD_PX, _LARGEST_SD_PX = 0.03, 1.0
_AWAY_SD, _AWAY_PX = 3.0, 0.1  # from the line, within which an axis lies on it
LEAST_HEIGHTS = 3  # two lie on a line by chance
_STEEPEST = 0.1  # of a line; columns a row


class Height(NamedTuple):
    """The axis at one height.

    Attributes
    ----------
    rows : ndarray of int
        Indices of the rows in which it was looked for.
    row_px : float
        Their mean place in the frame.
    center_px, sd_px : float
        The axis; infinite `sd_px` where it was not found.
    """

    rows: np.ndarray
    row_px: float
    center_px: float
    sd_px: float


@dataclass(frozen=True)
class AxisLine:
    """A straight line through the axis at several heights.

    Attributes
    ----------
    slope, slope_sd : float
        Columns a row.
    heights : list of int
        Those that lie on it.
    """

    slope: float
    slope_sd: float
    heights: list[int]


def at_heights(
    views: np.ndarray, theta_deg: np.ndarray, row_px: np.ndarray, search_px: float | None = None
) -> list[Height]:
    """Find the axis in each group of rows that follow each other.

    Parameters
    ----------
    views : ndarray, shape (angle, row, column)
        Line integrals, finite.
    theta_deg : ndarray, shape (angle,)
        Angle of each projection in degrees.
    row_px : ndarray, shape (row,)
        Which rows of the frame these are, ascending.
    search_px : float, optional
        How far from the middle of the detector the axis may be.
    """
    theta = np.asarray(theta_deg, np.float64)
    groups = np.split(np.arange(len(row_px)), np.flatnonzero(np.diff(row_px) > 1) + 1)
    if len(groups) == 1:
        groups = [g for g in np.array_split(groups[0], _PARTS) if g.size]
    found = []
    for rows in groups:
        axis = search_axis(views[:, rows], theta, search_px)
        is_found = axis.confidence > _LEAST_CONFIDENCE and not axis.at_edge
        sd = hypot(axis.sd_px, _LEAST_SD_PX) if is_found else np.inf
        sd = sd if sd < _LARGEST_SD_PX else np.inf
        found.append(Height(rows, float(np.mean(row_px[rows])), axis.center_px, sd))
    return found


def on_a_line(heights: Sequence[Height], slope: float | None = None) -> AxisLine | None:
    """Find the straight line on which most of the heights lie, and fit it to these.

    Parameters
    ----------
    heights : sequence of Height
        The axis at several heights.
    slope : float, optional
        Columns a row, where they are known.

    Returns
    -------
    AxisLine or None
        None where fewer than three heights lie on a line.
    """
    known = [i for i, one in enumerate(heights) if np.isfinite(one.sd_px)]
    row = np.array([one.row_px for one in heights])
    center = np.array([one.center_px for one in heights])
    sd = np.array([one.sd_px for one in heights])
    best: list[int] = []
    for a, b in combinations(known, 2):
        steep = (center[b] - center[a]) / (row[b] - row[a]) if slope is None else slope
        if abs(steep) > _STEEPEST:
            continue
        for foot in (a, b):
            away = np.abs(center - center[foot] - steep * (row - row[foot]))
            on = [i for i in known if away[i] < _AWAY_PX + _AWAY_SD * hypot(sd[i], sd[foot])]
            if (len(on), -_scatter(away, sd, on)) > (len(best), -_scatter(away, sd, best)):
                best = on
    if len(best) < LEAST_HEIGHTS:
        return None
    return AxisLine(*_fitted(row[best], center[best], sd[best]), best)


def could_lean(heights: Sequence[Height], line: AxisLine, number: int) -> bool:
    """Whether an axis that leans could be where a height off a level line sees it.

    Parameters
    ----------
    heights : sequence of Height
        The axis at several heights.
    line : AxisLine
        A level line through most of them.
    number : int
        Of the height.
    """
    one, on = heights[number], [heights[i] for i in line.heights]
    if not np.isfinite(one.sd_px):
        return False
    rows = abs(one.row_px - float(np.mean([o.row_px for o in on])))
    away = abs(one.center_px - float(np.mean([o.center_px for o in on])))
    return away < _AWAY_PX + _AWAY_SD * one.sd_px + _STEEPEST * rows


def _scatter(away: np.ndarray, sd: np.ndarray, on: list[int]) -> float:
    return float(np.sum((away[on] / sd[on]) ** 2))


def _fitted(row: np.ndarray, center: np.ndarray, sd: np.ndarray) -> tuple[float, float]:
    """Fit a line; its slope, and the uncertainty of it, wider where the centers scatter more."""
    weight = sd**-2.0
    away = row - np.average(row, weights=weight)
    spread = float(np.sum(weight * away**2))
    middle = np.average(center, weights=weight)
    slope = float(np.sum(weight * away * (center - middle)) / spread)
    rest = float(np.sum(weight * (center - middle - slope * away) ** 2))
    return slope, sqrt(max(1.0, rest / (len(row) - 2)) / spread)
