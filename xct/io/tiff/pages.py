"""One TIFF file: which frames it holds and where they lie. In: a path; out: `Pages`."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from xct.errors import ScanError
from xct.io.tiff.calibration import read_calibration

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffFrame, TiffPage, TiffPageSeries

# Classic TIFF and BigTIFF in either byte order.
TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_PALETTE = 3  # of TIFF's ways to show a value
# TIFF orientation: (flip the stored rows, flip the stored columns, then transpose)
ORIENTATIONS: dict[int, tuple[bool, bool, bool]] = {
    1: (False, False, False),
    2: (False, True, False),
    3: (True, True, False),
    4: (True, False, False),
    5: (False, False, True),
    6: (True, False, True),
    7: (True, True, True),
    8: (False, True, True),
}


@dataclass(frozen=True)
class Form:
    """What all frames of a stack must have in common.

    Attributes
    ----------
    height, width : int
        Rows and columns as they are stored, before `orientation` is applied.
    stored : numpy.dtype
        Type in the byte order of the file.
    orientation : int
        TIFF orientation, 1 to 8.
    """

    height: int
    width: int
    stored: np.dtype
    orientation: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns as the frame is to be seen."""
        turned = ORIENTATIONS[self.orientation][2]
        return (self.width, self.height) if turned else (self.height, self.width)

    @property
    def dtype(self) -> np.dtype:
        """Type in the byte order of this machine."""
        return self.stored.newbyteorder("=")

    @property
    def nbytes(self) -> int:
        """Bytes of one frame without compression."""
        return self.height * self.width * self.stored.itemsize

    def agrees(self, other: Form) -> bool:
        """Whether frames of the two can stand in one stack; byte order does not matter."""
        mine, others = ((*form.shape, form.dtype, form.orientation) for form in (self, other))
        return mine == others

    def __str__(self) -> str:
        turned = f", orientation {self.orientation}" if self.orientation != 1 else ""
        rows, columns = self.shape
        return f"{rows} x {columns} {self.dtype}{turned}"


@dataclass(frozen=True)
class Pages:
    """The frames of one file, in the order that its metadata give.

    Attributes
    ----------
    form : Form
        What they have in common.
    page : ndarray of int, shape (frame,)
        Number of the page in the file.
    offset : ndarray of int, shape (frame,)
        Where the values begin, in bytes; -1 where they must be decoded.
    pixel_size_um : float or None
        From ImageJ or OME metadata that are calibrated in a unit of length.
    """

    form: Form
    page: np.ndarray
    offset: np.ndarray
    pixel_size_um: float | None


@contextmanager
def opened(path: Path) -> Iterator[TiffFile]:
    """Open a TIFF file; whatever goes wrong inside becomes a ScanError that names it."""
    from tifffile import TiffFile

    try:
        # Other files that OME metadata name are never followed: the user names the files.
        with TiffFile(path, _multifile=False) as tiff:
            yield tiff
    except (ScanError, MemoryError):
        raise
    except FileNotFoundError:
        raise ScanError(f"{path}: there is no such file") from None
    except OSError as error:
        raise ScanError(f"{path}: cannot be read: {error.strerror or error}") from error
    except Exception as error:  # what a damaged file raises in a decoder has no common type
        raise ScanError(f"{path}: {_why_unreadable(path, error)}") from error


def _why_unreadable(path: Path, error: Exception) -> str:
    size = path.stat().st_size if path.exists() else 0
    if size == 0:
        return "the file is empty; copy it again, or check that the acquisition had ended"
    with path.open("rb") as file:
        start = file.read(4)
    if start not in TIFF_STARTS:
        return f"not a TIFF file (it begins with {start!r})"
    reason = " ".join(str(error).split())[:120] or type(error).__name__
    return f"the file is damaged or truncated ({size:,} bytes: {reason}); copy it again"


def form_of(page: TiffPage, path: Path) -> Form:
    """Say what a page looks like; refuse what cannot be detector counts."""
    if page.samplesperpixel != 1 or page.imagedepth != 1:
        raise ScanError(
            f"{path}: a pixel has {page.samplesperpixel} values (color?), but a detector frame "
            "has one; export it as grey values"
        )
    if page.photometric == _PALETTE and not page.parent.is_imagej and not _is_ramp(page.colormap):
        raise ScanError(
            f"{path}: its values are numbers of colors in a palette, in no order of brightness; "
            "export it as grey values, without a palette"
        )
    dtype = page.dtype
    if dtype is None or dtype.kind not in "iuf" or page.bitspersample < 8:
        raise ScanError(
            f"{path}: values of type {dtype or 'unknown'} with {page.bitspersample} bits are not "
            "supported; expected integers or real numbers of 8 to 64 bits"
        )
    orientation = int(page.tags.valueof(274, default=1))
    if orientation not in ORIENTATIONS:
        raise ScanError(f"{path}: TIFF orientation {orientation} is unknown; expected 1 to 8")
    stored = dtype.newbyteorder(page.parent.byteorder)
    return Form(page.imagelength, page.imagewidth, stored, orientation)


def _is_ramp(colors: np.ndarray | None) -> bool:
    """Whether a palette, shape (3, color), is greys in the order of their numbers, or against it.

    The tables of ImageJ, which only color what is shown, are not looked at.
    """
    if colors is None:
        return False
    steps = np.diff(np.asarray(colors, np.int64), axis=1)
    grey = not np.ptp(colors, axis=0).any()
    return bool(grey and ((steps >= 0).all() or (steps <= 0).all()))


def segments_fit(page: TiffPage | TiffFrame, size: int) -> bool:
    """Whether all pieces of a page lie inside a file of `size` bytes, none left out."""
    starts, counts = np.asarray(page.dataoffsets), np.asarray(page.databytecounts)
    if len(starts) == 0 or len(starts) != len(counts):
        return False
    return bool((starts > 0).all() and (counts > 0).all() and (starts + counts).max() <= size)


def read_pages(path: Path) -> Pages:
    """Find the frames of a file: one, or several pages, in the order of its metadata.

    Raises
    ------
    ScanError
        If it is no TIFF file, truncated, its pages differ, or its type is not supported.
    """
    with opened(path) as tiff:
        form = form_of(tiff.pages.first, path)
        written = _count_pages(path)
        series = tiff.series
        if len(series) != 1:
            kinds = sorted({" x ".join(map(str, (*part.keyframe.shape, part.dtype)))
                            for part in series})  # fmt: skip
            raise ScanError(
                f"{path}: its {written} pages differ ({', '.join(kinds)}); all frames of a stack "
                "must have one size and type"
            )
        pages = _located(series[0], form, path)
        _check_end(pages, tiff, path)
        size_um = read_calibration(tiff).pixel_um
    return Pages(form, *pages, size_um)


def _located(series: TiffPageSeries, form: Form, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Find number and offset of each frame of a series."""
    axes, sizes = series.get_axes(False), series.get_shape(False)
    long = {axis: n for axis, n in zip(axes, sizes, strict=True) if axis not in "YX" and n > 1}
    if len(long) > 1:
        found = ", ".join(f"{axis} = {n}" for axis, n in long.items())
        raise ScanError(
            f"{path}: frames are ordered along several axes ({found}); expected one stack. "
            "Save the frames of one scan as one stack"
        )
    count = int(np.prod(sizes)) // (form.height * form.width)
    start = series.dataoffset
    if start is not None:
        return np.arange(count), start + np.arange(count, dtype=np.int64) * form.nbytes
    pages = [page for page in series.pages if page is not None]
    if len(pages) != count:
        raise ScanError(
            f"{path}: its metadata name {count} frames, but it holds {len(pages)}; "
            "it is truncated, or belongs to a set of files of which all must be named"
        )
    offset = [page.dataoffsets[0] if page.is_final else -1 for page in pages]
    return np.array([page.index for page in pages]), np.array(offset, np.int64)


def _check_end(found: tuple[np.ndarray, np.ndarray], tiff: TiffFile, path: Path) -> None:
    """See that the last frame lies inside the file."""
    page, offset = found
    size, first = tiff.filehandle.size, tiff.pages.first
    # Where ImageJ wrote one page only, only its metadata say how many frames follow.
    images = max(len(page), int((tiff.imagej_metadata or {}).get("images", 1)))
    if offset[-1] < 0:
        complete = segments_fit(tiff.pages[int(page[-1])], size)
    elif len(page) < images:
        complete = int(offset[0]) + images * first.nbytes <= size
    else:
        complete = int(offset.max()) + first.nbytes <= size
    if not complete:
        raise ScanError(
            f"{path}: the file is truncated: it ends at byte {size:,}, before the end of its "
            f"{images} frames of {first.nbytes:,} bytes; copy it again"
        )


def _count_pages(path: Path) -> int:
    """Follow the chain of pages to its end; tifffile would forgive a break in it."""
    size = os.path.getsize(path)
    with path.open("rb") as file:

        def number(code: str) -> int:
            raw = file.read(struct.calcsize(order + code))
            return int(struct.unpack(order + code, raw)[0]) if raw else size

        order = "<" if file.read(2) == b"II" else ">"
        big = number("H") == 43
        file.seek(8 if big else 4)
        pointer, count, entry = ("Q", "Q", 20) if big else ("I", "H", 12)
        seen = set[int]()
        while start := number(pointer):
            if start >= size or start in seen:
                raise ScanError(
                    f"{path}: the file is truncated or damaged: page {len(seen)} should begin at "
                    f"byte {start:,} of {size:,}; copy it again"
                )
            seen.add(start)
            file.seek(start)
            file.seek(number(count) * entry, os.SEEK_CUR)
    return len(seen)
