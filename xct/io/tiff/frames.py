"""Frames in TIFF files. In: files and where their pages lie; out: parts of frames, checked."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from xct.errors import ScanError
from xct.io.tiff.pages import ORIENTATIONS, Form, form_of, opened, segments_fit
from xct.parallel.threads import over_ranges, thread_count

if TYPE_CHECKING:
    from tifffile import TiffPage

# Rows turned into columns at a time: as many as stay in the cache (a third of the time).
_TURNED_ROWS = 32


@dataclass(frozen=True)
class TiffFrames:
    """Frames in TIFF files; each file is opened by `read`, and every frame is checked there.

    Attributes
    ----------
    folder : str
        Folder that all files lie in or below.
    names : tuple of str
        Path of each file below `folder`, in the order of the frames.
    file : ndarray of int, shape (frame,)
        Which of `names` holds the frame.
    page : ndarray of int, shape (frame,)
        Number of the page in that file; -1 where the file holds one frame.
    offset : ndarray of int, shape (frame,)
        Where its values begin in that file, where that is known; otherwise -1.
    form : Form
        Size, type and orientation of every frame.
    pixel_size_um : float or None
        From calibrated ImageJ or OME metadata of the first file.
    """

    folder: str
    names: tuple[str, ...]
    file: np.ndarray
    page: np.ndarray
    offset: np.ndarray
    form: Form
    pixel_size_um: float | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, rows, columns."""
        return len(self.file), *self.form.shape

    @property
    def dtype(self) -> np.dtype:
        """Type of the values, in the byte order of this machine."""
        return self.form.dtype

    @property
    def whole_frames(self) -> bool:
        """Opening a file for a few rows costs about as much as the frame."""
        return True

    def path(self, frame: int) -> Path:
        """Find the file that holds a frame."""
        return Path(self.folder, self.names[self.file[frame]])

    def read(self, frames: slice | np.ndarray, rows: slice, columns: slice) -> np.ndarray:
        """Read some frames (a slice, or ascending indices) cut to rows and columns.

        Raises
        ------
        ScanError
            If a file is missing, truncated or damaged, or its frame has another size or type
            than the stack; the message names the file.
        """
        index = np.arange(len(self.file))[frames]
        part = _Part.cut(self.form, rows, columns)
        values = np.empty((len(index), *part.shape), self.dtype)

        def some(first: int, stop: int) -> None:
            for place in range(first, stop):
                self._read_one(int(index[place]), part, values[place])

        if values.size:
            over_ranges(some, len(index))
        return values

    def _read_one(self, frame: int, part: _Part, target: np.ndarray) -> None:
        path, offset = self.path(frame), int(self.offset[frame])
        if offset >= 0:
            _read_bytes(path, offset, self.form, part, target)
            return
        with opened(path) as tiff:
            number = int(self.page[frame])
            if number < 0 and len(tiff.pages) != 1:
                raise ScanError(
                    f"{path}: has {len(tiff.pages)} pages, but the other files of the stack have "
                    "one; name stacks and single frames apart"
                )
            page = tiff.pages[max(number, 0)].aspage()
            form = form_of(page, path)
            if not form.agrees(self.form):
                raise ScanError(difference(path, form, self.path(0), self.form))
            if not segments_fit(page, tiff.filehandle.size):
                raise ScanError(
                    f"{path}: the file is truncated: parts of its frame lie beyond its end at "
                    f"{tiff.filehandle.size:,} bytes; copy it again"
                )
            if page.is_final:
                _read_bytes(path, page.dataoffsets[0], form, part, target)
            else:
                part.copy(_decoded(page)[part.rows, part.columns], target)


def _decoded(page: TiffPage) -> np.ndarray:
    values = page.asarray(maxworkers=thread_count()).reshape(page.imagelength, page.imagewidth)
    return np.asarray(values)


@dataclass(frozen=True)
class _Part:
    """The part of a stored frame that holds the rows and columns asked for."""

    rows: slice
    columns: slice
    flips: tuple[slice, slice]
    transpose: bool

    @classmethod
    def cut(cls, form: Form, rows: slice, columns: slice) -> _Part:
        flip_rows, flip_columns, transpose = ORIENTATIONS[form.orientation]
        ranges = [_range(part, n) for part, n in zip((rows, columns), form.shape, strict=True)]
        if transpose:
            ranges.reverse()
        stored, flips = [], []
        flipped = (flip_rows, flip_columns)
        for (first, stop), n, flip in zip(ranges, (form.height, form.width), flipped, strict=True):
            stored.append(slice(n - stop, n - first) if flip else slice(first, stop))
            flips.append(slice(None, None, -1 if flip else 1))
        return cls(stored[0], stored[1], (flips[0], flips[1]), transpose)

    @property
    def shape(self) -> tuple[int, int]:
        height, width = (part.stop - part.start for part in (self.rows, self.columns))
        return (width, height) if self.transpose else (height, width)

    def copy(self, stored: np.ndarray, target: np.ndarray) -> None:
        """Copy the stored values of this part into `target`, as they are to be seen."""
        seen = stored[self.flips]
        if not self.transpose:
            target[...] = seen
            return
        for first in range(0, len(seen), _TURNED_ROWS):
            target[:, first : first + _TURNED_ROWS] = seen[first : first + _TURNED_ROWS].T


def _range(part: slice, length: int) -> tuple[int, int]:
    first, stop, step = part.indices(length)
    if step != 1:
        raise ValueError(f"{part} has a step of {step}; frames are cut with a step of 1")
    return first, max(first, stop)


def _read_bytes(path: Path, offset: int, form: Form, part: _Part, target: np.ndarray) -> None:
    """Read the rows of an uncompressed frame, and nothing else of the file."""
    rows = part.rows.stop - part.rows.start
    direct = (
        form.stored.isnative
        and form.orientation == 1
        and part.columns == slice(0, form.width)
        and target.flags.c_contiguous
    )
    stored = target if direct else np.empty((rows, form.width), form.stored)
    start = offset + part.rows.start * form.width * form.stored.itemsize
    _fill(path, start, stored)
    if not direct:
        part.copy(stored[:, part.columns], target)


def _fill(path: Path, start: int, values: np.ndarray) -> None:
    waiting = memoryview(values.reshape(-1).view(np.uint8).data)
    try:
        with path.open("rb", buffering=0) as file:
            file.seek(start)
            while len(waiting):
                count = file.readinto(waiting)
                if not count:
                    raise ScanError(
                        f"{path}: the file is truncated: it has {os.path.getsize(path):,} bytes, "
                        f"but {start + values.nbytes:,} are expected; copy it again"
                    )
                waiting = waiting[count:]
    except OSError as error:
        raise ScanError(f"{path}: cannot be read: {error.strerror or error}") from error


def difference(path: Path, form: Form, first: Path, expected: Form) -> str:
    """Say that a frame is not like the first of its stack."""
    return (
        f"{path}: the frame is {form}, but {first.name} is {expected}; all frames of a stack "
        "must agree"
    )
