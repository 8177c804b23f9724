"""Counts of μ above the electrolyte's. In: values, strip by strip; out: quantiles of them all.

Counts are integers: their sum, and so each quantile, is the same however the volume was cut.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

_BINS_PER_ELECTROLYTE = 2000
_LOWEST, _HIGHEST = -4, 60  # times the electrolyte; what lies beyond counts as the outermost


class ExcessCounts(NamedTuple):
    """How often each excess of μ occurs.

    Attributes
    ----------
    counts : ndarray of int64, shape (bin,)
        Voxels by excess, from the lowest on.
    width : float
        Of a bin, 1/cm.
    """

    counts: np.ndarray
    width: float

    @classmethod
    def of(cls, values: np.ndarray, electrolyte: float) -> ExcessCounts:
        """Count the finite of some values, 1/cm, in bins relative to the electrolyte's μ."""
        width = electrolyte / _BINS_PER_ELECTROLYTE
        known = values[np.isfinite(values)].astype(np.float64)
        last = (_HIGHEST - _LOWEST) * _BINS_PER_ELECTROLYTE - 1
        number = np.clip(np.floor(known / width) - _LOWEST * _BINS_PER_ELECTROLYTE, 0, last)
        return cls(np.bincount(number.astype(np.int64), minlength=last + 1), width)

    def plus(self, other: ExcessCounts) -> ExcessCounts:
        """Add the counts of other values."""
        return ExcessCounts(self.counts + other.counts, self.width)

    def quantile(self, fraction: float, *, above: float = -np.inf) -> float:
        """Give a quantile of all values, or of those above one; NaN where there are none."""
        edges = (np.arange(self.counts.size + 1) + _LOWEST * _BINS_PER_ELECTROLYTE) * self.width
        below = np.append(0, np.cumsum(self.counts)).astype(np.float64)
        first = float(np.interp(above, edges, below))
        if not below[-1] > first:
            return float("nan")
        wanted = first + fraction * (below[-1] - first)
        number = int(np.searchsorted(below, wanted, side="left")) - 1
        number = min(max(number, 0), self.counts.size - 1)
        part = (wanted - below[number]) / max(float(self.counts[number]), 1.0)
        return float(edges[number] + part * self.width)
