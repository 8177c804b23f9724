"""HDF5 files opened for reading, and frames that are read only where asked for."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np

from xct.errors import ScanError, XctError

log = logging.getLogger("xct")

# Bytes of decompressed chunks that are kept while one block of frames is read.
_CHUNK_CACHE = 64 * 2**20
# Bytes read at a time where values must be put into another order.
_FEW_BYTES = 32 * 2**20


def open_hdf5(file: Path, *, chunk_cache: int = _CHUNK_CACHE) -> h5py.File:
    """Open an HDF5 file for reading.

    Raises
    ------
    ScanError
        If it is missing, no HDF5 file, or truncated; the message says which.
    """
    import hdf5plugin  # noqa: F401  registers the compression filters

    if file.exists() and not file.is_file():
        raise ScanError(f"{file}: is no file")
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
    if "already open for write" in message:
        return (
            "the file is still open for writing, or what wrote it ended before closing it; wait "
            "until the acquisition has ended. If it has: copy the file, run `h5clear -s COPY` "
            "(of the HDF5 tools), and read the copy"
        )
    if "signature not found" in message:
        start = file.read_bytes()[:8] if file.stat().st_size < 2**20 else b""
        return f"not an HDF5 file (it begins with {start!r})" if start else "not an HDF5 file"
    return f"cannot be opened ({message})"


@contextmanager
def damage_named(place: Path) -> Iterator[None]:
    """Name the file or folder in whatever goes wrong inside: damage shows in errors of any type.

    Raises
    ------
    ScanError
        In place of all but errors that name it already, and of lack of memory.
    """
    try:
        yield
    except (XctError, MemoryError):
        raise
    except OSError as error:
        raise ScanError(f"{place} cannot be read: {error.strerror or error}") from error
    except Exception as error:  # of h5py and of decoders, which have no common type
        log.debug("%s cannot be read", place, exc_info=error)
        message = " ".join(str(error).split())[:200]
        raise ScanError(
            f"{place} is damaged, or is not what its layout expects: {type(error).__name__}: "
            f"{message}; copy it again, or name its parts by scan.paths"
        ) from error


def readable_type(stored: np.dtype) -> np.dtype:
    """Find the type in which counts of a stored type are read.

    Whole numbers of 64 bit, which numpy writes unless told otherwise, become floats of 64 bit:
    counts below 2^53 keep their value. Floats of 16 bit become floats of 32.
    """
    if stored.kind in "iu" and stored.itemsize == 8:
        return np.dtype(np.float64)
    if stored.kind == "f" and stored.itemsize == 2:
        return np.dtype(np.float32)
    return stored.newbyteorder("=") if stored.kind in "iuf" else stored


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
    axes : tuple of int
        Which axes of the dataset are frames, rows and columns; a single frame has two. Of other
        axes the first entry counts.
    mean_axis : int or None
        An axis of the dataset that is averaged over: repeated exposures.
    """

    file: Path
    path: str
    shape: tuple[int, int, int]
    dtype: np.dtype
    whole_frames: bool
    filtered: bool
    axes: tuple[int, ...] = (0, 1, 2)
    mean_axis: int | None = None

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
            dataset = file.get(self.path)
            if not isinstance(dataset, h5py.Dataset):
                raise ScanError(f"{self.file}: there is no dataset {self.path} any more")
            for wanted, place in _runs(index):
                try:
                    self._fill_run(dataset, wanted, rows, columns, values[place])
                except (OSError, RuntimeError, ValueError, TypeError) as error:
                    raise self._unreadable(dataset, wanted, error) from error

    def _fill_run(
        self,
        dataset: h5py.Dataset,
        wanted: slice,
        rows: slice,
        columns: slice,
        values: np.ndarray,
    ) -> None:
        single = len(self.axes) == 2
        if self.mean_axis is None and list(self.axes) == sorted(self.axes):
            part = self._selection(dataset, wanted, rows, columns)
            dataset.read_direct(values, part, np.s_[0] if single else np.s_[:])
            return
        frames = range(wanted.start, wanted.stop, wanted.step)
        repeats = 1 if self.mean_axis is None else dataset.shape[self.mean_axis]
        few = max(1, _FEW_BYTES // max(1, repeats * values[0].size * dataset.dtype.itemsize))
        for first in range(0, len(frames), few):
            some = frames[first : first + few]
            part = self._selection(
                dataset, slice(some.start, some[-1] + 1, wanted.step), rows, columns
            )
            values[first : first + few] = self._ordered(dataset[part])

    def _selection(
        self, dataset: h5py.Dataset, frames: slice, rows: slice, columns: slice
    ) -> tuple[slice | int, ...]:
        part: list[slice | int] = [0] * dataset.ndim
        wanted = (frames, rows, columns)
        for axis, one in zip(self.axes, wanted[-len(self.axes) :], strict=True):
            part[axis] = one
        if self.mean_axis is not None:
            part[self.mean_axis] = slice(None)
        return tuple(part)

    def _ordered(self, read: np.ndarray) -> np.ndarray:
        """Put what was read into the order (frame, row, column), repeats averaged."""
        kept = sorted((*self.axes, *(() if self.mean_axis is None else (self.mean_axis,))))
        wanted = [*self.axes, *([] if self.mean_axis is None else [self.mean_axis])]
        ordered = read.transpose([kept.index(axis) for axis in wanted])
        return ordered if self.mean_axis is None else ordered.mean(axis=-1, dtype=np.float64)

    def _unreadable(self, dataset: h5py.Dataset, wanted: slice, error: Exception) -> ScanError:
        """Name the first frame that cannot be read."""
        bad = wanted.start
        for frame in range(wanted.start, wanted.stop, wanted.step):
            everything = slice(None)
            try:
                dataset[self._selection(dataset, slice(frame, frame + 1), everything, everything)]
            except (OSError, RuntimeError, ValueError, TypeError):
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
