"""Light of whole frames, coarsely. In: rows; out: means of cells.

A slab of rows does not know the frame: coarse means of all of it are gathered first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy

# Rows of a frame that are looked at, cells that a row is averaged to, and their widest.
_ROWS, _CELLS, _WIDEST_PX = 64, 80, 32


@dataclass(frozen=True)
class FrameLight:
    """Mean transmission of whole frames, coarsely.

    Attributes
    ----------
    transmission : ndarray of float32, shape (angle, light_row, cell)
        Single rows, averaged over cells of columns.
    row_px : ndarray of int, shape (light_row,)
        Which rows of the frame these are.
    cell_px : int
        Columns of a cell; the last one may be narrower.
    shape : tuple of int
        Rows and columns of the frame.
    still : ndarray of float32, shape (light_row, column)
        The same rows, averaged over all angles instead; NaN where no pixel is known.
    """

    transmission: np.ndarray
    row_px: np.ndarray
    cell_px: int
    shape: tuple[int, int]
    still: np.ndarray

    def averaged(self, row_px: np.ndarray, range_px: float) -> np.ndarray:
        """Average the light over a Gaussian about some rows.

        Parameters
        ----------
        row_px : ndarray, shape (row,)
            Rows of the frame.
        range_px : float
            Standard deviation of the Gaussian; beyond the frame it is as bright as at its edge.

        Returns
        -------
        ndarray of float32, shape (angle, row, cell)
        """
        return self._averaged(self.transmission, row_px, range_px)

    def in_groups(self, most: int) -> np.ndarray:
        """Average the light over a few groups of angles, shape (group, light_row, cell)."""
        parts = np.array_split(self.transmission, min(most, len(self.transmission)))
        return np.stack([part.mean(axis=0, dtype=np.float64) for part in parts])

    def about(self, light: np.ndarray, range_px: float) -> np.ndarray:
        """Average over a Gaussian what `in_groups` gave, at the same rows and cells."""
        return self._averaged(light, self.row_px, range_px)

    def _averaged(self, light: np.ndarray, row_px: np.ndarray, range_px: float) -> np.ndarray:
        along = _fractions_between(np.asarray(row_px, np.float64), _borders(self.row_px), range_px)
        middles = self.middles()
        across = _fractions_between(middles, _borders(middles), range_px)
        return np.asarray(along @ light @ across.T, np.float32)

    def middles(self) -> np.ndarray:
        """Give the column in the middle of each cell, shape (cell,)."""
        first = np.arange(self.transmission.shape[2]) * self.cell_px
        stop = np.minimum(first + self.cell_px, self.shape[1])
        return np.asarray((first + stop - 1) / 2)


def _borders(places: np.ndarray) -> np.ndarray:
    """Put borders half-way between places; the outermost reach as far as light comes from."""
    between = (places[1:] + places[:-1]) / 2
    return np.concatenate([[-np.inf], between, [np.inf]])


def _fractions_between(at: np.ndarray, borders: np.ndarray, range_px: float) -> np.ndarray:
    """Give the fraction of a Gaussian about `at` between borders, shape (at, between)."""
    below = scipy.special.ndtr((borders[None, :] - at[:, None]) / range_px)
    return np.diff(below, axis=1)


def gather_light(
    read: Callable[[int, int], np.ndarray], rows: int, columns: int, *, most: int = _ROWS
) -> FrameLight:
    """Look at rows over the whole height of the frames.

    Parameters
    ----------
    read : callable
        Gives the transmission of rows first … stop, shape (angle, row, column), NaN where it is
        not known.
    rows, columns : int
        Of a frame.
    most : int, optional
        Rows to look at; one at a time is held in memory.

    Returns
    -------
    FrameLight
    """
    chosen = np.unique(np.linspace(0, rows - 1, min(most, rows)).round().astype(int))
    cell_px = min(max(1, columns // _CELLS), _WIDEST_PX)
    parts, still = [], np.empty((len(chosen), columns), np.float32)
    for number, row in enumerate(chosen.tolist()):
        values = read(row, row + 1)
        parts.append(_coarse(values, cell_px))
        still[number] = _mean(values[:, 0])
    return FrameLight(np.concatenate(parts, axis=1), chosen, cell_px, (rows, columns), still)


def _mean(row: np.ndarray) -> np.ndarray:
    """Average a row over angles, leaving out NaN; (angle, column) → (column,)."""
    known = np.isfinite(row)
    counts = known.sum(axis=0)
    sums = np.where(known, row, 0).sum(axis=0, dtype=np.float64)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _coarse(transmission: np.ndarray, cell_px: int) -> np.ndarray:
    """Average cells of columns, leaving out NaN: (angle, row, column) → (angle, row, cell)."""
    starts = np.arange(0, transmission.shape[2], cell_px)
    known = np.isfinite(transmission)
    sums = np.add.reduceat(np.where(known, transmission, 0), starts, axis=2, dtype=np.float64)
    counts = np.add.reduceat(known, starts, axis=2, dtype=np.float64)
    of_row = sums.sum(axis=2, keepdims=True) / np.maximum(counts.sum(axis=2, keepdims=True), 1)
    # A cell without a single known pixel is as bright as its row.
    return np.asarray(np.where(counts > 0, sums / np.maximum(counts, 1), of_row), np.float32)
