"""HDF5 files opened for reading, and frames that are read only where asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401  registers the compression filters
import numpy as np

from xct.errors import ScanError

# Bytes of decompressed chunks that are kept while one block of frames is read.
_CHUNK_CACHE = 64 * 2**20


def open_hdf5(file: Path, *, chunk_cache: int = _CHUNK_CACHE) -> h5py.File:
    """Open an HDF5 file for reading.

    Raises
    ------
    ScanError
        If it is missing, no HDF5 file, or truncated; the message says which.
    """
    try:
        # Without locks: beamline file systems often have none.
        return h5py.File(file, "r", locking=False, rdcc_nbytes=chunk_cache)
    except FileNotFoundError:
        raise ScanError(f"{file}: there is no such file") from None
    except OSError as error:
        raise ScanError(f"{file}: {_why_not_open(file, str(error))}") from None


def _why_not_open(file: Path, message: str) -> str:
    sizes = re.search(r"eof = (\d+), .*stored_eof = (\d+)", message)
    if sizes:
        found, expected = (int(size) for size in sizes.groups())
        return (
            f"the file is truncated: it has {found:,} bytes, but its header says "
            f"{expected:,}; copy it again, or check that the acquisition had ended"
        )
    if "signature not found" in message:
        start = file.read_bytes()[:8] if file.stat().st_size < 2**20 else b""
        return f"not an HDF5 file (it begins with {start!r})" if start else "not an HDF5 file"
    return f"cannot be opened ({message})"


@dataclass(frozen=True)
class Hdf5Frames:
    """Frames of one dataset; the file is opened by each `read`.

    Attributes
    ----------
    file, path : Path, str
        The file that holds the dataset, links followed, and the path inside it.
    shape : tuple of int
        Frames, rows, columns.
    dtype : numpy.dtype
        In the byte order of this machine, whatever the file's is.
    whole_frames : bool
        True where chunks that span much of a frame's height are compressed.
    filtered : bool
        Whether chunks are compressed at all.
    """

    file: Path
    path: str
    shape: tuple[int, int, int]
    dtype: np.dtype
    whole_frames: bool
    filtered: bool

    def read(self, frames: slice | np.ndarray, rows: slice, columns: slice) -> np.ndarray:
        """Read some frames (a slice, or ascending indices) cut to rows and columns."""
        count, height, width = self.shape
        index = np.arange(count)[frames]
        lines, cells = range(height)[rows], range(width)[columns]
        values = np.empty((len(index), len(lines), len(cells)), self.dtype)
        if values.size:
            self._fill(values, index, rows, columns)
        return values

    def _fill(self, values: np.ndarray, index: np.ndarray, rows: slice, columns: slice) -> None:
        # Without compression, a part of a chunk is read on its own unless it is to be cached.
        with open_hdf5(self.file, chunk_cache=_CHUNK_CACHE if self.filtered else 0) as file:
            dataset = file[self.path]
            single = dataset.ndim == 2  # a single frame, (row, column)
            for wanted, place in _runs(index):
                part = (rows, columns) if single else (wanted, rows, columns)
                try:
                    dataset.read_direct(values, part, np.s_[0] if single else np.s_[place])
                except (OSError, RuntimeError) as error:
                    raise self._unreadable(dataset, wanted, error) from error

    def _unreadable(self, dataset: h5py.Dataset, wanted: slice, error: Exception) -> ScanError:
        """Name the first frame that cannot be read."""
        bad = wanted.start
        for frame in range(wanted.start, wanted.stop, wanted.step):
            try:
                dataset[frame if dataset.ndim == 3 else ...]
            except (OSError, RuntimeError):
                bad = frame
                break
        reason = str(error)
        if "filter" in reason and "not" in reason:
            reason += "; a compression filter is missing or broken"
        return ScanError(
            f"{self.file}: frame {bad} of {self.path} cannot be read (while reading frames "
            f"{wanted.start} to {wanted.stop - 1}): {reason}. The file is damaged there; "
            "copy it again"
        )


def _runs(index: np.ndarray) -> Iterator[tuple[slice, slice]]:
    """Cut ascending indices into ranges of the file, each with its place in the answer."""
    steps = np.diff(index)
    if len(steps) and np.all(steps == steps[0]):
        yield slice(int(index[0]), int(index[-1]) + 1, int(steps[0])), slice(0, len(index))
        return
    edges = [0, *(np.flatnonzero(steps != 1) + 1).tolist(), len(index)]
    for first, stop in pairwise(edges):
        yield slice(int(index[first]), int(index[stop - 1]) + 1, 1), slice(first, stop)
