"""Frames on disk, read only where asked for; and a view of them, cropped and binned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np


class Frames(Protocol):
    """A stack of detector frames (frame, row, column) in one or more files.

    Objects are small and can be pickled: files are opened by `read`, not kept.
    """

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, rows, columns."""
        ...

    @property
    def dtype(self) -> np.dtype:
        """Type of the values as `read` gives them."""
        ...

    @property
    def whole_frames(self) -> bool:
        """Whether a few rows of a frame cost as much to read as the whole frame."""
        ...

    def read(self, frames: slice | np.ndarray, rows: slice, columns: slice) -> np.ndarray:
        """Read some frames (a slice, or ascending indices) cut to rows and columns."""
        ...


@dataclass(frozen=True)
class View:
    """Frames cut to a region of interest, then binned; indexed in cropped and binned pixels.

    Attributes
    ----------
    frames : Frames
        Where the values come from.
    index : ndarray of int, shape (frame,)
        Which frames of the file these are, in order of time.
    rows, columns : (first, stop)
        Raw rows and columns that are kept; a remainder that fills no bin is left out.
    bin : int
        Pixels summed along each side.
    """

    frames: Frames
    index: np.ndarray
    rows: tuple[int, int]
    columns: tuple[int, int]
    bin: int = 1

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, rows, columns after cropping and binning."""
        rows, columns = ((stop - first) // self.bin for first, stop in (self.rows, self.columns))
        return len(self.index), rows, columns

    @property
    def whole_frames(self) -> bool:
        """Whether a few rows cost as much to read as the whole frame."""
        return self.frames.whole_frames

    def read(self, frames: slice = slice(None), rows: slice = slice(None)) -> np.ndarray:
        """Read frames and binned rows.

        Returns
        -------
        ndarray, shape (frame, row, column)
            Counts: as in the file where `bin` is 1, otherwise sums in float32.
        """
        raise NotImplementedError
