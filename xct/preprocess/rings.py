"""Stripes in sinograms, rings in slices. In: line integrals; out: the same without them."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge

from xct.preprocess.sorting import sliding_median, sort_columns, unsort_columns
from xct.stages import stage
from xct.threads import over_ranges


@stage(gives="line_integrals", cut=("row",))
def stripes(
    line_integrals: np.ndarray,
    *,
    method: Literal["sorting"] = "sorting",
    size_px: Annotated[int, Ge(3)] = 21,
) -> np.ndarray:
    """Remove stripes from each sinogram.

    Parameters
    ----------
    line_integrals : ndarray, shape (angle, row, column)
        Finite values.
    method : {"sorting"}, optional
        How stripes are found.
    size_px : int, optional
        Width of the median window in pixels.

    Returns
    -------
    ndarray of float32, shape (angle, row, column)
        Line integrals.
    """
    values = np.ascontiguousarray(line_integrals, np.float32)
    answer = np.empty_like(values)

    def work(first: int, stop: int) -> None:
        angles, _, columns = values.shape
        ordered = np.empty((columns, angles), np.float32)
        smooth = np.empty_like(ordered)
        angle = np.empty(ordered.shape, np.int32)
        for row in range(first, stop):
            sort_columns(values[:, row], ordered, angle)
            sliding_median(ordered, size_px, smooth)
            unsort_columns(smooth, angle, answer[:, row])

    over_ranges(work, values.shape[1])
    return answer
