"""Tilt of the axis by views half a turn apart. In: line integrals of rows; out: columns a row.

Such a view, mirrored at the axis, shows the same. Where the axis leans within the detector's plane
by a small angle α, the two are turned against each other by 2α: at x columns from the axis one
stands 2αx rows higher. Faces of layers, and particles, show that in every column, so a single pair
tells more than where the axis lies in a few rows, which lie close to each other.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

_MOST_PAIRS = 8
_STEPS, _MOST_DEG = 1.05, 1.5  # between views, by which a pair may miss half a turn
_LEAST_COLUMNS = 12  # to either side of the axis
_LEAST_VALUES = 200
_RIM = 0.9  # of the columns that both views show
# Rows: what moves by less is straight in its first derivative. Where the rim moves by twice as
# much, a tilt of 1° came out as 0.7 to 1.3°.
_MOVED, _FAR_SD = 0.5, 0.3
_TURNS, _ROUNDS = 4, 8
_OVER_NOISE, _MOST_NOISE = 1.5, 0.5
# What differences of rows make of the slope of edges as sharp as a voxel. And what no pair is surer
# of, columns a row.
_STEEPER, _STEEPER_SD, _LEAST_SD = 0.92, 0.1, 5e-4


class Slope(NamedTuple):
    """How the axis leans.

    Attributes
    ----------
    value, sd : float
        Columns a row, and its standard uncertainty.
    """

    value: float
    sd: float


def slope_by_half_turns(
    views: np.ndarray, theta_deg: np.ndarray, row_px: np.ndarray, center_px: float
) -> Slope | None:
    """Measure how views half a turn apart are turned against each other.

    Parameters
    ----------
    views : ndarray, shape (angle, row, column)
        Line integrals, finite.
    theta_deg : ndarray, shape (angle,)
        Angle of each projection in degrees.
    row_px : ndarray, shape (row,)
        Which rows of the frame these are; two that follow each other, at least.
    center_px : float
        The axis, about.

    Returns
    -------
    Slope or None
        None where no two views are half a turn apart, or hardly anything is seen in both.
    """
    groups = np.split(np.arange(len(row_px)), np.flatnonzero(np.diff(row_px) > 1) + 1)
    groups = [group for group in groups if group.size >= 2]
    found = [
        slope
        for first, second in _pairs(np.asarray(theta_deg, np.float64))
        if (slope := _of_pair(views[first], views[second], groups, center_px)) is not None
    ]
    if not found:
        return None
    value, sd = np.transpose(found)
    weight = sd**-2.0
    mean = float(np.average(value, weights=weight))
    scatter = float(np.average((value - mean) ** 2, weights=weight) / max(len(found) - 1, 1))
    spread = np.sqrt(1 / weight.sum() + scatter + _LEAST_SD**2)
    return Slope(mean / _STEEPER, float(np.hypot(spread, _STEEPER_SD * mean)) / _STEEPER)


def _pairs(theta: np.ndarray) -> list[tuple[int, int]]:
    """Give views half a turn apart, some of them where there are many."""
    if theta.size < 3:
        return []
    step = float(np.median(np.abs(np.diff(theta))))
    order = np.argsort(theta)
    ahead = np.searchsorted(theta[order], theta + 180)
    near = order[np.clip(np.stack([ahead - 1, ahead]), 0, theta.size - 1)]
    apart = np.abs(theta[near] - theta - 180)
    nearest, miss = np.where(apart[0] <= apart[1], near[0], near[1]), apart.min(axis=0)
    most = min(_STEPS * step, _MOST_DEG)
    first = np.flatnonzero(miss <= most)
    if not first.size:
        return []
    best = first[miss[first] <= miss[first].min() + 0.1 * step]
    chosen = best[np.unique(np.linspace(0, best.size - 1, _MOST_PAIRS).round().astype(int))]
    return [(int(n), int(nearest[n])) for n in chosen]


def _of_pair(
    view: np.ndarray, opposite: np.ndarray, groups: list[np.ndarray], center_px: float
) -> tuple[float, float] | None:
    """Fit what a view and its mirrored opposite differ by, for one pair."""
    columns = np.arange(view.shape[1])
    mirrored = np.array(
        [np.interp(2 * center_px - columns, columns, row, np.nan, np.nan) for row in opposite]
    )
    mean, apart = (view + mirrored) / 2, mirrored - view
    # Between each row and the next, where differences tell the slope best.
    parts = [
        (np.diff(mean[rows], axis=0), _between(np.gradient(mean[rows], axis=1)),
         _between(apart[rows]))
        for rows in groups
    ]  # fmt: skip
    if not parts:
        return None
    along, across, difference = (np.concatenate(some) for some in zip(*parts, strict=True))
    noise = _noise(difference)
    difference = np.where(_tells(along, noise), difference, np.nan)
    noise = np.broadcast_to(noise, difference.shape)
    x = np.broadcast_to(columns - center_px, difference.shape)
    known = np.isfinite(difference) & np.isfinite(along) & np.isfinite(across)
    if not known.any():
        return None
    most = _RIM * float(np.abs(x[known]).max())
    reach, found = most, None
    for _ in range(_TURNS):
        used = known & (np.abs(x) < reach)
        if np.count_nonzero(used) < _LEAST_VALUES or reach < _LEAST_COLUMNS:
            break
        found = _fitted(x[used], along[used], across[used], difference[used], noise[used])
        reach = min(most, max(_MOVED / max(2 * abs(found[0]), 1e-6), _LEAST_COLUMNS))
    if found is None:
        return None
    value, sd = found
    # What the first look saw moved too far to be told well.
    far = _FAR_SD * abs(value) if 2 * abs(value) * most > 2 * _MOVED else 0.0
    return value, float(np.hypot(sd, far))


def _between(rows: np.ndarray) -> np.ndarray:
    return np.asarray((rows[1:] + rows[:-1]) / 2)


def _noise(difference: np.ndarray) -> np.ndarray:
    """Give the noise of each row's differences, shape (row, 1), by those of neighbors."""
    rough = np.nanmedian(np.abs(np.diff(difference, 3, axis=1)), axis=1, keepdims=True)
    return np.asarray(1.4826 / np.sqrt(20) * np.maximum(rough, 1e-6))


def _tells(along: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Whether a row, shape (row, 1), changes to the next by more than noise makes it.

    Where hardly any light passes it does not, and noise in what is fitted makes a tilt look small.
    """
    spread = np.nanstd(along, axis=1, keepdims=True)
    return np.asarray(spread > _OVER_NOISE * noise)  # both have two rows of two views


def _fitted(
    x: np.ndarray, along: np.ndarray, across: np.ndarray, difference: np.ndarray, noise: np.ndarray
) -> tuple[float, float]:
    """Fit ``−2αx ∂p/∂row`` beside a shift along both and an offset, outliers weighted down."""
    terms = np.stack([-2 * x * along, along, across, np.ones(x.size)], axis=1) / noise[:, None]
    difference, weight = difference / noise, np.ones(x.size)
    for _ in range(_ROUNDS):
        answer = np.linalg.lstsq(terms * weight[:, None], difference * weight)[0]
        left = difference - terms @ answer
        scale = max(1.4826 * float(np.median(np.abs(left))), 1e-12)
        weight = 1 / np.sqrt(1 + np.square(left / (2 * scale)))
    square = (terms * weight[:, None]).T @ (terms * weight[:, None])
    # Noise in what is fitted, too, makes the answer small; of its part half may be structure.
    of_noise = float(np.sum(np.square(weight * 2 * x)) / square[0, 0])
    least = 1 - min(of_noise, _MOST_NOISE)
    value = float(answer[0]) / least
    # Neighbors share noise and structure: some four of them count as one.
    sd = 2 * scale * float(np.sqrt(np.linalg.pinv(square)[0, 0])) / least
    return value, float(np.hypot(sd, (1 - least) / 2 * value))
