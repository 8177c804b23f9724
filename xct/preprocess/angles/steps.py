"""How far the sample turned between views. In: line integrals; out: degrees and pixels, by gap.

From one view to the next, line integrals change as the sample turns, as it is shifted, and by an
offset where the dose changes. How fast they change with the angle is known from the views before
and after; how much of that a gap holds is how far the sample turned in it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import scipy

REACH = 3  # views on either side that say how fast line integrals change
_MOST_ROWS = 8
_LEAST_ROWS = 3  # whose answers are compared
_MOST_COLUMNS = 256  # as many as are compared, after smoothing
_CHUNK = 128  # gaps
_AGREE = 0.5  # of the faster side: less, in the mean of both, is no common rate
_TINY = 1e-20
MAD = 1.4826


class Steps(NamedTuple):
    """What lies between views and the ones after them.

    Attributes
    ----------
    turned_deg : ndarray, shape (gap,)
        How far the sample turned between the views that are compared; NaN where too few lie
        beside the gap.
    stated_deg : ndarray, shape (gap,)
        How far it did by the angles.
    shift_px : ndarray, shape (gap,)
        How far it went towards larger columns.
    misfit : ndarray, shape (gap,)
        Rms of what neither explains.
    turned_sd_deg, shift_sd_px : ndarray, shape (gap,)
        By how much rows disagree on the turn and on the shift.
    """

    turned_deg: np.ndarray
    stated_deg: np.ndarray
    shift_px: np.ndarray
    misfit: np.ndarray
    turned_sd_deg: np.ndarray
    shift_sd_px: np.ndarray


def few_rows(views: np.ndarray) -> np.ndarray:
    """Choose some rows of (angle, row, column)."""
    rows = views.shape[1]
    chosen = np.linspace(0, rows - 1, min(rows, _MOST_ROWS)).round().astype(np.intp)
    return np.asarray(views[:, np.unique(chosen)], np.float32)


def least_width_px(columns: int) -> float:
    """Give the least width by which views are smoothed, so that few columns are compared."""
    return max(1.0, columns / _MOST_COLUMNS)


def smoothed(views: np.ndarray, width_px: float) -> tuple[np.ndarray, int]:
    """Smooth along columns, and keep as many as are independent; give the distance of these."""
    every = max(1, int(width_px))
    return np.asarray(views @ _weights(views.shape[-1], width_px, every)), every


@lru_cache(maxsize=8)
def _weights(columns: int, width_px: float, every: int) -> np.ndarray:
    """Give what each column (first axis) adds to those that are kept: the others cost nothing."""
    one_each = np.eye(columns, dtype=np.float32)
    wide = scipy.ndimage.gaussian_filter1d(one_each, width_px, axis=0, mode="nearest")
    return np.ascontiguousarray(wide[::every].T)


def steps_between(
    views: np.ndarray, theta_deg: np.ndarray, column_px: float, together: int = 1
) -> Steps:
    """Measure how far the sample turned from each view to the next.

    Parameters
    ----------
    views : ndarray, shape (angle, row, column)
        Smoothed line integrals, ascending in angle.
    theta_deg : ndarray, shape (angle,)
        Their angles; no two alike.
    column_px : float
        Distance of columns.
    together : int, optional
        So many views on either side of a gap are compared as one: one odd view counts less.
    """
    count = len(views)
    parts = np.full((6, count - 1), np.nan)
    gaps = np.arange(together + REACH - 1, count - together - REACH)
    for first in range(0, len(gaps), _CHUNK):
        some = gaps[first : first + _CHUNK]
        parts[:, some] = _fitted(views, theta_deg, some, together)
    # What goes towards larger columns changes by minus the slope.
    turned, stated, shift, misfit, turned_sd, shift_sd = parts
    return Steps(turned, stated, -shift * column_px, misfit, turned_sd, shift_sd * column_px)


def _fitted(views: np.ndarray, theta: np.ndarray, gaps: np.ndarray, together: int) -> Steps:
    """Fit what changes across gaps by a turn, a shift and an offset."""
    inside = range(together)
    before = np.mean([views[gaps - k] for k in inside], axis=0)
    after = np.mean([views[gaps + 1 + k] for k in inside], axis=0)
    # Of views near by whose noise is not, or little, in the change.
    ends = ((gaps - REACH, gaps - 1), (gaps + 2, gaps + 1 + REACH))
    rates = [(views[b] - views[a]) / (theta[b] - theta[a])[:, None, None] for a, b in ends]
    slope = np.gradient((before + after) / 2, axis=-1)
    parts = np.stack([_in_parts(p) for p in (_common(*rates), slope)], axis=1)
    parts -= parts.mean(axis=(2, 3), keepdims=True)  # an offset is a change of the dose
    change = _in_parts(after - before)
    change -= change.mean(axis=(1, 2), keepdims=True)
    normal = np.einsum("girc,gjrc->grij", parts, parts, dtype=np.float64)
    right = np.einsum("girc,grc->gri", parts, change, dtype=np.float64)
    whole_normal, whole_right = normal.sum(axis=1), right.sum(axis=1)
    found = solved(whole_normal, whole_right)
    rest = change - np.einsum("gi,girc->grc", found, parts)
    stated = np.mean([theta[gaps + 1 + k] - theta[gaps - k] for k in inside], axis=0)
    count = normal.shape[1]
    without = solved(whole_normal[:, None] - normal, whole_right[:, None] - right)
    sd = np.sqrt((count - 1) * np.mean((without - found[:, None]) ** 2, axis=1))
    misfit = np.sqrt(np.mean(rest**2, axis=(1, 2)))
    return Steps(found[:, 0], stated, found[:, 1], misfit, sd[:, 0], sd[:, 1])


def _in_parts(values: np.ndarray) -> np.ndarray:
    """Give (gap, part, pixel): rows, or parts of them where there are few."""
    gaps, rows, columns = values.shape
    if rows >= _LEAST_ROWS:
        return values
    size = columns // _LEAST_ROWS
    return values[..., : size * _LEAST_ROWS].reshape(gaps, rows * _LEAST_ROWS, size)


def solved(normal: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solve (…, 2, 2) equations of least squares, whose unknowns may be as good as unknown."""
    scale = np.sqrt(np.maximum(np.einsum("...ii->...i", normal), _TINY))
    normal = normal / scale[..., :, None] / scale[..., None, :] + 1e-6 * np.eye(2)
    return np.asarray(np.linalg.solve(normal, (right / scale)[..., None])[..., 0] / scale)


def _common(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Give the mean of two rates, or the faster one where they do not agree."""
    mean = (left + right) / 2
    power = [np.sum(part**2, axis=(1, 2)) for part in (left, right, mean)]
    faster = np.where((power[0] > power[1])[:, None, None], left, right)
    agree = power[2] > _AGREE**2 * np.maximum(power[0], power[1])
    return np.where(agree[:, None, None], mean, faster)
