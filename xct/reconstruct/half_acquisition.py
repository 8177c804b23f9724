"""Half acquisition. In: a full turn about an axis near an edge; out: half a turn, twice as wide.

The view half a turn later is the mirror image: it shows what lies beyond the near edge [1]_.

.. [1] Vo, Atwood, Drakopoulos & Connolley (2021), Opt. Express 29, 17849.
   doi:10.1364/OE.418448
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from xct.parallel.kernels import njit
from xct.parallel.threads import over_ranges

LARGEST_OVERLAP = 0.7  # of the width: a wider one is a full turn about a middle axis
LEAST_TURN_DEG = 300.0


class Views(NamedTuple):
    """Line integrals with their angles and axis.

    Attributes
    ----------
    line_integrals : ndarray of float32, shape (angle, row, column)
    theta_deg : ndarray, shape (angle,)
    center_px : ndarray, shape (row,)
    """

    line_integrals: np.ndarray
    theta_deg: np.ndarray
    center_px: np.ndarray


def overlap(center_px: float, columns: int) -> float:
    """Give the part of the width that views half a turn apart share."""
    return 2 * min(center_px + 0.5, columns - 0.5 - center_px) / columns


def turn_deg(theta_deg: np.ndarray) -> float:
    """Give the angle that a scan covers, its last step included."""
    theta = np.asarray(theta_deg, float)
    return float(np.ptp(theta)) * theta.size / max(theta.size - 1, 1)


def is_half_acquisition(theta_deg: np.ndarray, center_px: float, columns: int) -> bool:
    """Whether a scan is a full turn about an axis near one edge of the view."""
    return (
        turn_deg(theta_deg) > LEAST_TURN_DEG
        and overlap(center_px, columns) < LARGEST_OVERLAP
        and columns >= 8
    )


def stitched(views: Views) -> Views:
    """Put the two half turns of a half acquisition side by side.

    Where both show the same, they are blended from one edge of the overlap to the other. What is
    taken from the later half turn is interpolated between four of its columns, and between two
    angles where none is half a turn away.

    Parameters
    ----------
    views : Views
        A full turn.

    Returns
    -------
    Views
        Half a turn; columns are added at the side of the axis, whose numbers shift with them.
    """
    values, theta, center = views
    columns = values.shape[2]
    flip = float(np.mean(center)) > (columns - 1) / 2
    if flip:  # so that the axis is near the first column
        values, center = values[:, :, ::-1], columns - 1 - center
    order = np.argsort((theta - theta.min()) % 360, kind="stable")
    turned = ((theta - theta.min()) % 360)[order]
    first = order[turned < 180]
    partner, weight = _partners(turned, turned[turned < 180] + 180)
    added = int(np.floor(columns - 1 - 2 * center.min()))
    wide = np.empty((first.size, values.shape[1], columns + added), np.float32)
    source = np.ascontiguousarray(values, np.float32)
    pairs = order[partner]

    def kernel(a: int, b: int) -> None:
        _stitch(source, first, pairs, weight, center, added, wide, a, b)

    over_ranges(kernel, first.size)
    moved = center + added
    if flip:
        wide, moved = np.ascontiguousarray(wide[:, :, ::-1]), columns - 1 - center
    return Views(wide, theta[first], moved)


def _partners(turned: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give the two views between which each angle lies, and how far towards the later one."""
    after = np.searchsorted(turned, wanted)
    before = after - 1
    later = np.where(after < turned.size, turned[np.minimum(after, turned.size - 1)], 360.0)
    gap = np.maximum(later - turned[before], 1e-9)
    weight = np.clip((wanted - turned[before]) / gap, 0, 1)
    return np.stack([before, after % turned.size], axis=1), weight.astype(np.float32)


@njit(cache=True, nogil=True)
def _stitch(
    values: np.ndarray,
    own: np.ndarray,
    pairs: np.ndarray,
    weight: np.ndarray,
    center: np.ndarray,
    added: int,
    wide: np.ndarray,
    first: int,
    stop: int,
) -> None:
    columns = values.shape[2]
    line = np.empty(columns, np.float32)
    for a in range(first, stop):
        early, late, w = pairs[a, 0], pairs[a, 1], weight[a]
        for r in range(values.shape[1]):
            for c in range(columns):
                line[c] = values[early, r, c] + w * (values[late, r, c] - values[early, r, c])
            shared = 2 * center[r]  # both views show the columns 0 … this
            out = wide[a, r]
            for column in range(columns + added):
                s = column - added
                if s >= shared:
                    out[column] = values[own[a], r, s]
                    continue
                mirrored = _between(line, shared - s)
                if s <= 0:
                    out[column] = mirrored
                else:
                    part = np.float32(s / shared)
                    out[column] = part * values[own[a], r, s] + (1 - part) * mirrored


@njit(cache=True, nogil=True)
def _between(line: np.ndarray, at: float) -> np.float32:
    """Interpolate by the cubic through four values; beyond the ends the last one goes on."""
    last = line.size - 1
    at = min(max(at, 0.0), np.float64(last))
    i = min(int(at), last - 1)
    t = np.float32(at - i)
    a, b = line[max(i - 1, 0)], line[i]
    c, d = line[i + 1], line[min(i + 2, last)]
    return np.float32(
        -t * (t - 1) * (t - 2) / 6 * a
        + (t + 1) * (t - 1) * (t - 2) / 2 * b
        - (t + 1) * t * (t - 2) / 2 * c
        + (t + 1) * t * (t - 1) / 6 * d
    )
