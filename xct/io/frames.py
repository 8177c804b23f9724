"""Frames on disk, read only where asked for; and a view of them, cropped and binned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from xct.parallel.kernels import njit
from xct.parallel.threads import over_ranges

# Binning of detector frames. In: counts of any real type; out: sums over b × b pixels.


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


# Raw bytes read at a time where frames are binned.
_FEW_BYTES = 32 * 2**20


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
class Turned:
    """Frames turned by 90° clockwise, so that a horizontal axis of rotation stands upright.

    Attributes
    ----------
    frames : Frames
        As they are in the file; their left edge is the top here.
    """

    frames: Frames
    whole_frames: bool = True  # a few rows here are a few columns there

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, rows, columns, as they are turned."""
        count, rows, columns = self.frames.shape
        return count, columns, rows

    @property
    def dtype(self) -> np.dtype:
        """Type of the values."""
        return self.frames.dtype

    def read(self, frames: slice | np.ndarray, rows: slice, columns: slice) -> np.ndarray:
        """Read some frames cut to rows and columns, as they are turned."""
        height = self.frames.shape[1]
        first, stop, _ = columns.indices(height)
        part = self.frames.read(frames, slice(height - stop, height - first), rows)
        return np.ascontiguousarray(part[:, ::-1].transpose(0, 2, 1))


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
    mean : bool
        Pixels are averaged, not summed: values that are no counts.
    """

    frames: Frames
    index: np.ndarray
    rows: tuple[int, int]
    columns: tuple[int, int]
    bin: int = 1
    mean: bool = False

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, rows, columns after cropping and binning."""
        rows, columns = ((stop - first) // self.bin for first, stop in (self.rows, self.columns))
        return len(self.index), rows, columns

    @property
    def whole_frames(self) -> bool:
        """Whether a few rows cost as much to read as the whole frame."""
        return self.frames.whole_frames

    @property
    def dtype(self) -> np.dtype:
        """Type of the values that `read` gives."""
        return self.frames.dtype if self.bin == 1 else np.dtype(np.float32)

    def read(self, frames: slice = slice(None), rows: slice = slice(None)) -> np.ndarray:
        """Read frames and binned rows.

        Raw frames are read a few at a time where they are binned, so that the memory needed
        is little more than the answer.

        Parameters
        ----------
        frames, rows : slice, optional
            Which frames and which binned rows; steps are allowed along frames only.

        Returns
        -------
        ndarray, shape (frame, row, column)
            Counts: as in the file where `bin` is 1, otherwise sums (or means) in float32.

        Raises
        ------
        ScanError
            If frames cannot be read; the message names the file and the frames.
        """
        index = self.index[frames]
        raw_rows, raw_columns = self._raw_ranges(rows)
        if self.bin == 1:
            return self._read_raw(index, raw_rows, raw_columns)
        from xct.io.frames import bin_frames

        height, width = (part.stop - part.start for part in (raw_rows, raw_columns))
        shape = (len(index), height // self.bin, width // self.bin)
        binned = np.empty(shape, np.float32)
        few = max(1, _FEW_BYTES // max(1, height * width * self.frames.dtype.itemsize))
        for first in range(0, len(index) if binned.size else 0, few):
            part = slice(first, first + few)
            raw = self._read_raw(index[part], raw_rows, raw_columns)
            bin_frames(raw, self.bin, out=binned[part])
        if self.mean:
            binned /= self.bin**2
        return binned

    def _raw_ranges(self, rows: slice) -> tuple[slice, slice]:
        """Translate binned rows, and all binned columns, into raw ones."""
        _, height, width = self.shape
        first, stop, step = rows.indices(height)
        if step != 1:
            raise ValueError(f"rows {rows} have a step of {step}; only 1 is possible")
        row, column = self.rows[0], self.columns[0]
        last = row + max(first, stop) * self.bin
        return (
            slice(row + first * self.bin, last),
            slice(column, column + width * self.bin),
        )

    def _read_raw(self, index: np.ndarray, rows: slice, columns: slice) -> np.ndarray:
        """Read frames in the order of `index`, which need not ascend in the file."""
        if len(index) < 2 or np.all(np.diff(index) > 0):
            return self.frames.read(index, rows, columns)
        sorted_index, places = np.unique(index, return_inverse=True)
        return self.frames.read(sorted_index, rows, columns)[places]
