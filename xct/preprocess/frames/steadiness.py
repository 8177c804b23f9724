"""Light that changes where no air shows it. In: coarse transmission of all frames; out: how much.

Light adds the same to all line integrals of a frame; what a sample changes from one angle to the
next is not the same at the left and at the right, above and below.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import sqrt

import numpy as np

_LIT = 0.02  # transmission, of cells that are looked at
_LEAST_VIEWS, _LEAST_CELLS = 24, 8
_OUTLIER_SD, _MAD = 4.0, 1.4826
_OF_CURVATURE = 6.0  # variance of a second difference of white noise
_SURE_SD, _FLICKERS = 5.0, 0.005  # of the light
# A jump that lasts, of the light, and in what is usual between frames.
_JUMPS, _JUMP_SD = 0.03, 10.0
_BESIDE = 5  # frames on either side of a jump
_LASTS = 0.5  # of the jump, once they are averaged


@dataclass(frozen=True)
class LightChanges:
    """How the light changes over the scan.

    Attributes
    ----------
    flicker : float
        Standard deviation from frame to frame, as a fraction; 0 where it is not sure or small.
    jumps : tuple of (int, float)
        Frames behind which the light is another, and what it is then over what it was.
    """

    flicker: float = 0.0
    jumps: tuple[tuple[int, float], ...] = ()


def light_changes(transmission: np.ndarray, theta_deg: np.ndarray) -> LightChanges:
    """Find flicker, and jumps of the light that last.

    Parameters
    ----------
    transmission : ndarray, shape (angle, row, cell)
        Coarse transmission, NaN beyond the beam; good frames only, in order of time.
    theta_deg : ndarray, shape (angle,)
        Angles.
    """
    quarters = _quarters(transmission)
    if quarters is None:
        return LightChanges()
    order = np.argsort(np.asarray(theta_deg) % 360, kind="stable")
    in_turn = np.array_equal(order, np.arange(len(order)))
    jumps = _jumps(quarters) if in_turn or np.array_equal(order[::-1], np.sort(order)) else ()
    return LightChanges(_flicker(quarters[:, order]), jumps)


def _quarters(transmission: np.ndarray) -> np.ndarray | None:
    """Average line integrals over four disjoint parts of the frame, (part, angle)."""
    if len(transmission) < _LEAST_VIEWS:
        return None
    with np.errstate(invalid="ignore"):
        lit = np.nanmin(np.nan_to_num(transmission), axis=0) > _LIT
    rows, cells = lit.shape
    found = []
    for part_of_rows in (np.arange(rows) < (rows + 1) // 2, np.arange(rows) >= rows // 2):
        for part_of_cells in (np.arange(cells) < cells // 2, np.arange(cells) >= cells // 2):
            part = lit & part_of_rows[:, None] & part_of_cells
            if part.sum() < _LEAST_CELLS:
                return None
            found.append(-np.log(transmission[:, part]).mean(axis=1, dtype=np.float64))
    return np.stack(found)


def _flicker(quarters: np.ndarray) -> float:
    curved = np.diff(quarters, 2, axis=1)
    # About the middle of the quartiles: where two exposures alternate, the median is one of them.
    curved -= np.percentile(curved, [25, 75], axis=1).mean(axis=0)[:, None]
    most = _OUTLIER_SD * _MAD * np.median(np.abs(curved), axis=1, keepdims=True)
    curved = np.clip(curved, -most, most)
    least, least_sd = np.inf, 0.0
    for a, b in combinations(curved, 2):
        product = a * b
        if product.mean() < least:
            least, least_sd = float(product.mean()), float(product.std() / sqrt(product.size))
    sd = sqrt(max(least, 0.0) / _OF_CURVATURE)
    return sd if least > _SURE_SD * least_sd and sd > _FLICKERS else 0.0


def _jumps(quarters: np.ndarray) -> tuple[tuple[int, float], ...]:
    """Find where all parts jump by nearly the same, and stay there."""
    steps = np.diff(quarters, axis=1)
    steps = steps - np.median(steps, axis=1, keepdims=True)
    usual = _MAD * float(np.median(np.abs(steps)))
    least = np.abs(steps).min(axis=0) * (np.abs(np.sign(steps).sum(axis=0)) == len(steps))
    found = []
    for frame in np.flatnonzero(least > max(_JUMPS, _JUMP_SD * usual)).tolist():
        before = quarters[:, max(frame + 1 - _BESIDE, 0) : frame + 1].mean(axis=1)
        after = quarters[:, frame + 1 : frame + 1 + _BESIDE].mean(axis=1)
        jump = float(np.median(steps[:, frame]))
        if float(np.min((after - before) * np.sign(jump))) > _LASTS * abs(jump):
            found.append((frame, float(np.exp(-jump))))
    return tuple(found)
