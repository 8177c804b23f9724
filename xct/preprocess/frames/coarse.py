"""Every frame of a scan, coarsely. In: some rows of all frames; out: means over cells of columns.

Enough to tell frames that are unlike the others, at a few bytes a frame.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

ROWS, CELLS = 16, 64  # of a frame


@dataclass(frozen=True)
class CoarseFrames:
    """Frames of one kind.

    Attributes
    ----------
    counts : ndarray of float32, shape (frame, row, cell)
        Mean counts of some rows spread over the height, in cells of columns.
    repeated : ndarray of bool, shape (frame,)
        Whether all of these rows are, count by count, those of the frame before: noise does not
        repeat itself.
    """

    counts: np.ndarray
    repeated: np.ndarray

    def only(self, kept: np.ndarray) -> CoarseFrames:
        """Give some of the frames, by a mask or by numbers."""
        return CoarseFrames(self.counts[kept], self.repeated[kept])


def chosen_rows(rows: int) -> np.ndarray:
    """Choose rows over the whole height of a frame."""
    return np.unique(np.linspace(0, rows - 1, min(ROWS, rows)).round().astype(int))


def borders(columns: int) -> np.ndarray:
    """Give where cells of columns begin, and where the last one ends."""
    return np.linspace(0, columns, min(CELLS, columns) + 1).astype(int)


def coarse_frames(read: Callable[[int], np.ndarray], shape: tuple[int, int, int]) -> CoarseFrames:
    """Look at a few rows of all frames, one row at a time.

    Parameters
    ----------
    read : callable
        ``read(row)`` gives the counts of a row of all frames, shape (frame, column).
    shape : tuple of int
        Frames, rows and columns.

    Returns
    -------
    CoarseFrames
    """
    frames, rows, columns = shape
    edges = borders(columns)
    chosen = chosen_rows(rows)
    counts = np.empty((frames, len(chosen), len(edges) - 1), np.float32)
    repeated = np.ones(frames, bool)
    repeated[:1] = False
    for number, row in enumerate(chosen.tolist()):
        values = read(row)
        sums = np.add.reduceat(values, edges[:-1], axis=1, dtype=np.float64)
        counts[:, number] = sums / np.diff(edges)
        repeated[1:] &= (values[1:] == values[:-1]).all(axis=1)
    return CoarseFrames(counts, repeated)
