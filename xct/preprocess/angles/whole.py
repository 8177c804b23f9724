"""The sample, whole, in front of air. In: line integrals of rows; out: the same less the air."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from xct.preprocess.center.sample import flat_beside, sample_cut

_AIR = 0.02  # line integral above that at the border, in the mean of all views
_BESIDE = 2  # columns that may hold the sample's edge


class Whole(NamedTuple):
    """Rows in which the whole sample is in view.

    Attributes
    ----------
    body : ndarray of float32, shape (angle, row, column)
        Line integrals of the columns that see the sample at some angle, less those of the air at
        both sides.
    first : int
        Number of the first of these columns.
    """

    body: np.ndarray
    first: int


def less_air(views: np.ndarray) -> Whole | None:
    """Take the air off; None where the sample leaves the view, or no air is beside it.

    Parameters
    ----------
    views : ndarray, shape (angle, row, column)
        Line integrals.
    """
    if any(sample_cut(views)) or not flat_beside(views):
        return None
    mean = views.mean(axis=(0, 1))
    left, right = _air_columns(mean), _air_columns(mean[::-1])
    columns = mean.size
    sides = [views[..., :left].mean(axis=-1), views[..., columns - right :].mean(axis=-1)]
    middles = (left - 1) / 2, columns - (right + 1) / 2
    part = (np.arange(left, columns - right) - middles[0]) / (middles[1] - middles[0])
    air = sides[0][..., None] + (sides[1] - sides[0])[..., None] * part.astype(np.float32)
    return Whole(views[..., left : columns - right] - air, left)


def _air_columns(profile: np.ndarray) -> int:
    """Count the columns from the first one on that show no sample."""
    margin = max(2, profile.size // 50)
    above = profile - profile[:margin].mean() > _AIR
    return max(margin, int(np.argmax(above)) - _BESIDE)
