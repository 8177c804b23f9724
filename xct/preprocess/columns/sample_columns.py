"""Columns whose stripes are the sample's. In: what seems to be added; out: those to spare."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

# Part of line integrals that no measurement resolves.
RESOLVED = 1e-4
# Columns side by side that are the same on the other side of the axis: of this height, in
# medians of all, and alike but for this part.
_LEAST_MIRRORED, _AROUND = 3, 4  # and columns on either side that belong to them
# Sum of two places, less twice the axis, by which they may be off being mirrored.
_OFF_AXIS = 3.0
_MIRRORED_HEIGHT, _SAME_HEIGHT = 8.0, 0.5


def mirrored(stripe: np.ndarray, axis: float) -> np.ndarray:
    """Find columns whose stripes are the same on the other side of the axis, as a sample's are.

    A wire on the axis, or the wall of a tube about it, is at the same columns at all angles, but
    at both sides alike. Faults of a detector are so by chance, one column or two.

    Parameters
    ----------
    stripe : ndarray, shape (column,)
        What seems to be added.
    axis : float
        Column of the rotation axis, within a pixel or so; nothing is found if it is NaN.

    Returns
    -------
    ndarray of bool, shape (column,)
    """
    spared = np.zeros(stripe.size, np.bool_)
    if np.isnan(axis):
        return spared
    column, best = np.arange(stripe.size), -np.inf
    other = np.zeros_like(stripe)
    for total in range(round(2 * axis) - 2, round(2 * axis) + 3):
        place = total - column
        there = np.where((place >= 0) & (place < stripe.size), stripe.take(place, mode="clip"), 0)
        product = float(stripe @ there)
        if product > best:
            best, other = product, there
    least = max(_MIRRORED_HEIGHT * np.median(np.abs(stripe)), RESOLVED)
    low, high = np.minimum(np.abs(stripe), np.abs(other)), np.maximum(np.abs(stripe), np.abs(other))
    same = (stripe * other > 0) & (high > least) & (low > _SAME_HEIGHT * high)
    for first, stop in _runs(same):
        if stop - first >= _LEAST_MIRRORED:
            spared[max(first - _AROUND, 0) : stop + _AROUND] = True
    return spared


def mirrored_bands(added: np.ndarray, axis: float) -> np.ndarray:
    """Whether a sharp stripe lies symmetrically about the axis, or another on its other side."""
    spared = np.zeros(added.size, np.bool_)
    if np.isnan(axis):
        return spared
    bands = [b for b in _runs(added) if b[1] - b[0] >= _LEAST_MIRRORED]
    for first, stop in bands:
        for other, end in bands:
            opposite = abs(first + end - 1 - 2 * axis) <= _OFF_AXIS
            opposite &= abs(stop - 1 + other - 2 * axis) <= _OFF_AXIS
            low, high = sorted((abs(added[first]), abs(added[other])))
            if opposite and added[first] * added[other] > 0 and low > _SAME_HEIGHT * high:
                spared[first:stop] = True
    return spared


def _runs(values: np.ndarray) -> Iterator[tuple[int, int]]:
    """Give the ranges of equal values that are not 0."""
    borders = np.flatnonzero(np.diff(values.astype(np.float32), prepend=0, append=0))
    for first, stop in pairwise(borders):
        if values[first] != 0:
            yield int(first), int(stop)
