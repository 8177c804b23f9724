"""Binning of detector frames. In: counts of any real type; out: sums over b × b pixels."""

from __future__ import annotations

import numpy as np

from xct.compiling import njit
from xct.threads import over_ranges


@njit(cache=True, nogil=True)
def _sum_pixels(frames: np.ndarray, factor: int, binned: np.ndarray, first: int, stop: int) -> None:
    """Sum `factor` × `factor` pixels of the lines `first` … `stop` of all binned frames."""
    rows, columns = binned.shape[1:]
    line = np.empty(columns, np.float64)
    for number in range(first, stop):
        frame, row = divmod(number, rows)
        line[:] = 0.0
        for raw_row in range(row * factor, (row + 1) * factor):
            for column in range(columns):
                total = 0.0
                for raw_column in range(column * factor, (column + 1) * factor):
                    total += frames[frame, raw_row, raw_column]
                line[column] += total
        for column in range(columns):
            binned[frame, row, column] = line[column]


def bin_frames(frames: np.ndarray, factor: int, out: np.ndarray | None = None) -> np.ndarray:
    """Sum counts over squares of pixels; rows and columns that fill no square are left out.

    Sums keep the statistics of the counts: a binned pixel has the noise of a larger pixel.

    Parameters
    ----------
    frames : ndarray, shape (frame, row, column)
        Detector counts: integers or floats.
    factor : int
        Pixels summed along each side.
    out : ndarray of float32, optional
        Where to put the sums.

    Returns
    -------
    ndarray of float32, shape (frame, row // factor, column // factor)
        Sums, added up in double precision. NaN where one of the pixels is NaN.

    Raises
    ------
    ValueError
        If `factor` is below 1 or larger than the frame, or `out` has another shape.
    """
    count, rows, columns = frames.shape
    if not 1 <= factor <= min(rows, columns):
        raise ValueError(
            f"bin = {factor} does not fit frames of {rows} rows × {columns} columns; "
            f"it may be 1 to {min(rows, columns)}"
        )
    shape = (count, rows // factor, columns // factor)
    binned = np.empty(shape, np.float32) if out is None else out
    if binned.shape != shape:
        raise ValueError(f"out has shape {binned.shape}, but the binned frames have {shape}")
    native = frames.astype(frames.dtype.newbyteorder("="), copy=False)
    over_ranges(
        lambda first, stop: _sum_pixels(native, factor, binned, first, stop),
        count * shape[1],
        least=max(1, 2**16 // (columns * factor)),
    )
    return binned
