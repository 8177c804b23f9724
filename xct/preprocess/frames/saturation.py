"""Pixels at the end of the camera's range. In: a frame of counts; out: how many, at which value.

A camera ends at the full scale of its numbers, or below: where 12 of 16 bits are used, or an
offset was subtracted. There many pixels share one value, and hardly any hold those just below.
"""

from __future__ import annotations

import numpy as np

_ENOUGH = 2**20  # pixels
_LEAST = 1e-3  # of the pixels: fewer are hot ones
_TIMES = 5  # as many as hold the next lower values: a smooth beam without noise has twice as many
_LOOKED_AT = 4  # highest values: stuck pixels may lie above the end of the range
_FULL_SCALES = 2.0 ** np.arange(8, 33) - 1


def saturated(frame: np.ndarray) -> tuple[float, float]:
    """Find the part of a frame's pixels that are saturated.

    Parameters
    ----------
    frame : ndarray, shape (row, column)
        Counts as the camera gave them.

    Returns
    -------
    part : float
        Of the pixels; 0 where none are.
    value : float
        What they hold; NaN where there are none.
    """
    rows = frame[:: max(1, frame.size // _ENOUGH)]
    values, counts = np.unique(rows[np.isfinite(rows)], return_counts=True)
    for k in range(1, min(_LOOKED_AT, values.size) + 1):
        value, count, lower = (
            float(values[-k]),
            int(counts[-k]),
            counts[max(-k - 2, -values.size) : -k],
        )
        alone = count > _TIMES * lower.max() if lower.size else value in _FULL_SCALES
        if count > _LEAST * rows.size and alone:
            return count / rows.size, value
    return 0.0, float("nan")
