"""Frames in EDF files, one in each, read through fabio. In: files; out: frames, checked."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from xct.errors import ScanError
from xct.parallel.threads import over_ranges

INSTALL = (
    "pip install xct[edf]; or convert the scan into NXtomo with `nxtomomill edf2nx`, and name "
    "that file"
)
_LARGEST_HEADER = 2**16
_LINE = re.compile(r"\s*([^=;]+?)\s*=\s*(.*?)\s*$", re.DOTALL)
_TYPES = {
    "unsignedbyte": "u1", "signedbyte": "i1", "unsignedshort": "u2", "signedshort": "i2",
    "unsignedinteger": "u4", "signedinteger": "i4", "unsignedlong": "u4", "signedlong": "i4",
    "float": "f4", "floatvalue": "f4", "real": "f4", "double": "f8", "doublevalue": "f8",
}  # fmt: skip


_CURRENT = ("srcur", "machinecurrent", "machinecurrentstart", "sr_current")  # mA


def missing_reader() -> str | None:
    """Say how to install what reads EDF files, where it is not."""
    if find_spec("fabio") is not None:
        return None
    return f"ESRF's data format (.edf) is read by fabio, which is not installed: {INSTALL}"


@dataclass(frozen=True)
class Header:
    """What the header of a frame says.

    Attributes
    ----------
    shape : tuple of int
        Rows and columns.
    dtype : numpy dtype
        Type of the values.
    said : dict
        Every entry, keys in lower case.
    """

    shape: tuple[int, int]
    dtype: np.dtype
    said: dict[str, str]

    def motors(self) -> dict[str, float]:
        """Positions of motors by their names, as far as both are there."""
        return self._named("motor")

    def ring_current_ma(self) -> float:
        """Give the current of the ring that an entry or a counter says; NaN where none does."""
        counters = {name.lower(): value for name, value in self._named("counter").items()}
        for name in _CURRENT:
            value = number(self.said.get(name))
            value = counters.get(name) if value is None else value
            if value is not None and value > 0:
                return value
        return float("nan")

    def _named(self, kind: str) -> dict[str, float]:
        names = self.said.get(f"{kind}_mne", "").split()
        places = self.said.get(f"{kind}_pos", "").split()
        return {
            name: value
            for name, text in zip(names, places, strict=False)
            if (value := number(text)) is not None
        }


def number(text: str | None) -> float | None:
    """Read a finite number at the beginning of a text; None where there is none."""
    match = re.match(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", text or "")
    value = float(match[0]) if match else None
    return value if value is not None and np.isfinite(value) else None


def read_header(path: Path) -> Header:
    """Read the header of a file, and see that its frame is whole.

    Checked here, before any memory is asked for: sizes in a damaged header may be anything.

    Raises
    ------
    ScanError
        If it is no EDF file of one uncompressed frame, or shorter than that.
    """
    with path.open("rb") as file:
        start = file.read(_LARGEST_HEADER)
        size = os.fstat(file.fileno()).st_size
    end = start.find(b"}")
    if start.lstrip()[:1] != b"{" or end < 0:
        what = "the file is empty" if not start else f"it begins with {start[:8]!r}"
        raise ScanError(f"{path}: has no EDF header ({what}); copy it again")
    text = start[:end].decode("latin-1").lstrip().lstrip("{")
    found = [match.groups() for part in text.split(";") if (match := _LINE.match(part))]
    said = {key.lower(): value for key, value in found}
    if said.get("compression", "none").lower() not in ("none", "no specific value", ""):
        raise ScanError(
            f"{path}: its frame is compressed ({said['compression']}), which is not read; write "
            "it anew without compression"
        )
    wide, high = (said.get(f"dim_{axis}", "") for axis in (1, 2))
    kind = _TYPES.get(said.get("datatype", "").lower())
    if not (wide.isdigit() and high.isdigit() and int(wide) and int(high)) or kind is None:
        raise ScanError(
            f"{path}: its header says Dim_1 = {wide!r}, Dim_2 = {high!r}, DataType = "
            f"{said.get('datatype')!r}; expected the size of a frame and a type of numbers: the "
            "file is damaged, copy it again"
        )
    header = Header((int(high), int(wide)), np.dtype(kind), said)
    expected = int(high) * int(wide) * header.dtype.itemsize
    if size < end + 1 + expected:
        raise ScanError(
            f"{path}: the file is truncated: {size:,} bytes, but a header and a frame of {high} "
            f"rows × {wide} columns of {header.dtype} take {end + 1 + expected:,}; copy it again"
        )
    return header


@dataclass(frozen=True)
class EdfFrames:
    """Frames in EDF files; each file is opened by `read`, and every frame is checked there.

    Attributes
    ----------
    folder : str
        Folder of all files.
    names : tuple of str
        Names of the files, in the order of the frames.
    height, width : int
        Rows and columns of every frame.
    dtype : numpy dtype
        Type of the values as they are read.
    divisor : float
        What they are divided by: frames that were added up in a file.
    whole_frames : bool
        A few rows cost as much to read as the whole frame.
    """

    folder: str
    names: tuple[str, ...]
    height: int
    width: int
    dtype: np.dtype
    divisor: float = 1.0
    whole_frames: bool = True

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, rows, columns."""
        return len(self.names), self.height, self.width

    def read(self, frames: slice | np.ndarray, rows: slice, columns: slice) -> np.ndarray:
        """Read some frames (a slice, or ascending indices) cut to rows and columns.

        Raises
        ------
        ScanError
            If a file is missing, truncated or damaged, or its frame has another size; the
            message names the file.
        """
        index = np.arange(len(self.names))[frames]
        cut = (len(range(self.height)[rows]), len(range(self.width)[columns]))
        values = np.empty((len(index), *cut), self.dtype)

        def some(first: int, stop: int) -> None:
            for place in range(first, stop):
                values[place] = self._read_one(self.names[index[place]])[rows, columns]

        if values.size:
            over_ranges(some, len(index))
        return values

    def _read_one(self, name: str) -> np.ndarray:
        path = Path(self.folder, name)
        try:
            header = read_header(path)
        except OSError as error:
            raise ScanError(f"{path} cannot be read: {error.strerror or error}") from error
        if header.shape != (self.height, self.width):
            raise ScanError(
                f"{path}: holds {header.shape[0]} rows × {header.shape[1]} columns, but "
                f"{self.names[0]} {self.height} × {self.width}; leave it out, or copy it again"
            )
        values = _values(path)
        return values / np.float32(self.divisor) if self.divisor != 1 else values


def _values(path: Path) -> np.ndarray:
    """Read the frame of a file whose header was checked."""
    from fabio.edfimage import EdfImage

    with _silent():
        try:
            image = EdfImage().read(str(path))
            frames, values = image.nframes, np.asarray(image.data)
        except Exception as error:  # fabio raises whatever a damaged file leads to
            raise ScanError(f"{path}: is damaged ({error}); copy it again") from error
    if frames != 1 or image.incomplete_data:
        raise ScanError(
            f"{path}: holds {frames} frames, expected one whole frame in each file; write them "
            "into files of their own, or convert the scan with `nxtomomill edf2nx`"
        )
    return values


@contextmanager
def _silent() -> Iterator[None]:
    """Keep fabio from writing to the log what is said here in other words."""
    log = logging.getLogger("fabio")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)


def open_frames(files: Sequence[Path], divisor: float = 1.0) -> EdfFrames:
    """Make one stack of files, in the order given; the first and the last header are read.

    Raises
    ------
    ScanError
        With every error at once.
    """
    first, last = read_header(files[0]), read_header(files[-1])
    if first.shape != last.shape:
        raise ScanError(
            f"{files[-1]}: holds {last.shape[0]} rows × {last.shape[1]} columns, but "
            f"{files[0].name} {first.shape[0]} × {first.shape[1]}; frames of one scan are alike"
        )
    dtype = np.result_type(first.dtype, last.dtype)
    dtype = np.result_type(dtype, np.float32) if divisor != 1 else dtype
    names = tuple(file.name for file in files)
    return EdfFrames(str(files[0].parent), names, *first.shape, np.dtype(dtype), divisor)
