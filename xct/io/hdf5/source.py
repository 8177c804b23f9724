"""One HDF5 file as a reader sees it. In: paths; out: frames, arrays and facts with units."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np

from xct.errors import ScanError, ranges
from xct.io.hdf5.files import Hdf5Frames, open_hdf5, readable_type
from xct.io.hdf5.links import LeadsNowhere, Links, Place, whole_frames
from xct.io.scans.raw import Request
from xct.io.units import decoded, unit_factor

# Ranges of frames that a message names.
_MOST_NAMED = 6
_MOST_BYTES = 256 * 2**20  # of angles, keys, times: what is declared may be anything
_MOST_ALONG = 10_000_000  # frames, rows or columns


class Source:
    """One HDF5 file as a reader sees it, with the files that its links lead to.

    Used as a context manager: files stay open between its beginning and end.

    Parameters
    ----------
    file : Path
        The file that the user named.
    request : Request
        How far links may lead, and what the user gives.
    """

    def __init__(self, file: Path, request: Request) -> None:
        self.file = file
        self.request = request
        self.links = Links(file, request.links_below, open_hdf5)
        self.notes: list[str] = []
        self.origin: dict[str, str] = {}
        self._used: dict[Path, None] = {self.links.file: None}

    def __enter__(self) -> Source:
        self.links.opened(self.links.file)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.links.close()

    @property
    def files(self) -> tuple[Path, ...]:
        """Files from which something was taken, the named one first."""
        return tuple(self._used)

    def has(self, path: str) -> bool:
        """Whether something stands at `path`, be it a link that leads nowhere."""
        try:
            return self.links.resolve(path) is not None
        except LeadsNowhere:
            return True

    def find(self, path: str) -> Any:
        """Get the object at `path`; None where there is none, or (noted) its link is broken."""
        try:
            place = self.links.resolve(path)
        except LeadsNowhere as error:
            self.note(f"{path} is left out: {error}")
            return None
        return None if place is None else self._open(place)

    def first(self, *paths: str) -> str | None:
        """Get the first of several paths at which something can be read."""
        return next((path for path in paths if self.find(path) is not None), None)

    def require(self, path: str) -> h5py.Dataset:
        """Get the dataset at `path`.

        Raises
        ------
        ScanError
            If there is none; the message says where a link leads.
        """
        try:
            place = self.links.resolve(path)
        except LeadsNowhere as error:
            raise ScanError(f"{self.file}: {path} cannot be read: {error}") from None
        found = None if place is None else self._open(place)
        if not isinstance(found, h5py.Dataset):
            raise ScanError(f"{self.file}: there is no dataset {path}; set scan.paths")
        return found

    def _open(self, place: Place) -> Any:
        return self.links.opened(place.file)[place.path]

    def note(self, note: str) -> None:
        """Keep a warning for the user, once."""
        if note not in self.notes:
            self.notes.append(note)

    def frames(self, path: str, count: int | None = None) -> Hdf5Frames:
        """Get the frames at `path`; a two-dimensional dataset is one frame.

        Parameters
        ----------
        path : str
            A dataset (frame, row, column). Further axes of length 1 are passed over; of
            (frame, repeat, row, column) the repeats are averaged, said in a note.
        count : int, optional
            How many frames are expected, where angles say it: so (row, frame, column), the order
            of sinograms, is told from (frame, row, column).

        Raises
        ------
        ScanError
            If there is no stack of frames, or its values lie where links may not lead.
        """
        dataset = self.require(path)
        axes, mean_axis = self._axes(path, dataset, count)
        try:
            stored = self.links.storage(dataset)
        except LeadsNowhere as error:
            raise ScanError(f"{self.file}: {path} cannot be read: {error}") from None
        lengths = tuple(int(dataset.shape[axis]) for axis in axes)
        if max(lengths) > _MOST_ALONG:
            raise ScanError(
                f"{self.file}: {path} says that it has the shape {dataset.shape}, more along an "
                f"axis than the {_MOST_ALONG:,} of any scan: the file is damaged"
            )
        self._used.update(dict.fromkeys(stored.files))
        self.notes.extend(f"{path}: {note}" for note in stored.notes)
        read_as = readable_type(dataset.dtype)
        return Hdf5Frames(
            Path(dataset.file.filename),
            dataset.name,
            lengths if len(lengths) == 3 else (1, *lengths),  # type: ignore[arg-type]
            read_as if mean_axis is None else np.dtype(np.float32),
            stored.whole_frames
            if dataset.is_virtual or axes[-2] == dataset.ndim - 2
            else stored.filtered and whole_frames(dataset, axes[-2]),
            stored.filtered,
            axes,
            mean_axis,
        )

    def _axes(
        self, path: str, dataset: h5py.Dataset, count: int | None
    ) -> tuple[tuple[int, ...], int | None]:
        """Find the axes of frames, rows and columns, and one of repeats."""
        shape = dataset.shape or ()
        axes = list(range(len(shape)))
        while len(axes) > 3:
            alone = next((axis for axis in axes if shape[axis] == 1), None)
            if alone is None:
                break
            axes.remove(alone)
        if len(axes) == 4 and count in (None, shape[axes[0]]):
            self.note(
                f"{path}: has shape {shape}: {shape[axes[1]]} exposures of each angle are averaged"
            )
            return (axes[0], axes[2], axes[3]), axes[1]
        if len(axes) not in (2, 3):
            raise ScanError(
                f"{self.file}: {path} has shape {shape}, which is no stack of frames "
                "(frame, row, column), nor one with repeated exposures (frame, repeat, row, "
                "column). Copy one scan into a dataset of three axes, or set scan.paths.data"
            )
        if len(axes) == 3 and self._are_sinograms(path, dataset, axes, count):
            self.note(f"{path}: has shape {shape}: sinograms (row, angle, column)")
            axes = [axes[1], axes[0], axes[2]]
        return tuple(axes), None

    def _are_sinograms(
        self, path: str, dataset: h5py.Dataset, axes: list[int], count: int | None
    ) -> bool:
        """Whether the second axis runs over angles: by its name, or as their number says it."""
        said = self.text_of(dataset.attrs.get("axes"))
        names = [name.strip().lower() for name in said.split(":")] if said else []
        if len(names) == 3:
            turning = [name.startswith(("theta", "angle", "rot")) for name in names]
            if turning == [False, True, False]:
                return True
            if turning != [True, False, False]:
                raise ScanError(
                    f"{self.file}: {path} has the axes {said!r}; expected theta:y:x (angle, row, "
                    "column), or y:theta:x. Reorder the frames first"
                )
            return False
        first, second = (dataset.shape[axis] for axis in axes[:2])
        return count is not None and first != count and second == count

    def written(self, path: str, frames: Hdf5Frames) -> np.ndarray:
        """List the frames of `path` that were written whole; an aborted scan leaves some empty.

        Chunks that were never written read as zeros; a frame with one of them is left out, said
        in a note.
        """
        everything = np.arange(frames.shape[0])
        dataset = self.require(path)
        if dataset.is_virtual or dataset.chunks is None or len(frames.axes) < 3:
            return everything
        lacking = _lacking_chunks(dataset, frames.axes[0])
        if lacking is None or lacking.all():
            return everything
        self.notes = [n for n in self.notes if not (n.startswith(path) and "never written" in n)]
        lost = np.flatnonzero(lacking)
        if lost.size:
            self.note(
                f"{path}: {lost.size} of {len(everything)} frames were never written and are left "
                f"out: {ranges(lost.tolist(), _MOST_NAMED)} (counted from 0)"
            )
        return np.flatnonzero(~lacking)

    def array(self, path: str | None) -> np.ndarray | None:
        """Read the values at `path`; None where there is no dataset."""
        found = None if path is None else self.find(path)
        if not isinstance(found, h5py.Dataset) or found.shape is None:
            return None
        if found.size * max(found.dtype.itemsize, 1) > _MOST_BYTES:
            raise ScanError(
                f"{self.file}: {path} says that it has the shape {found.shape}, more values than "
                f"any list of angles or keys has: the file is damaged, or {path} is something else"
            )
        try:
            self._used.update(dict.fromkeys(self.links.storage(found).files))
        except LeadsNowhere as error:
            self.note(f"{path} is left out: {error}")
            return None
        return np.asarray(found[()])

    def values(self, path: str) -> np.ndarray:
        """Read an array that must be there.

        Raises
        ------
        ScanError
            If there is none, it lies where links may not lead, or is larger than any list.
        """
        self.require(path)
        found = self.array(path)
        if found is None:
            raise ScanError(f"{self.file}: {path} cannot be read: it lies in no file of the scan")
        return found

    def text(self, path: str) -> str | None:
        """Read a string of fixed or variable length, alone or in an array of one."""
        value = self.array(path)
        if value is None or value.size != 1:
            return None
        return self.text_of(value)

    @staticmethod
    def text_of(value: Any) -> str | None:
        """Give a string that is stored as bytes, as text, or as an array of one of them."""
        if value is None or isinstance(value, h5py.Empty):
            return None
        items = np.asarray(value).reshape(-1)
        return decoded(items[0]) if items.size else None

    def unit(self, path: str) -> str | None:
        """Read the attribute `units` of `path`."""
        attributes = getattr(self.find(path), "attrs", {})
        value = attributes.get("units", attributes.get("unit"))
        return (self.text_of(value) or "").strip() or None

    def number(self, path: str, least: float | None = None) -> float | None:
        """Read one number, alone, in an array of one, repeated, or written as text."""
        value = self.array(path)
        if value is None or value.size == 0:
            return None
        try:
            values = value.reshape(-1).astype(np.float64)
        except (TypeError, ValueError):
            self.note(f"{path} is left out: {value.reshape(-1)[0]!r} is not a number")
            return None
        if not np.allclose(values, values[0], rtol=1e-6, atol=0, equal_nan=True):
            self.note(f"{path} is left out: it varies from {values.min()} to {values.max()}")
            return None
        if not np.isfinite(values[0]) or (least is not None and values[0] <= least):
            self.note(f"{path} is left out: its value is {values[0]}")
            return None
        return float(values[0])

    def quantity(self, path: str, to: str) -> float | None:
        """Read a positive number and turn it into the unit `to`; noted where that fails."""
        value = self.number(path, least=0.0)
        if value is None:
            return None
        unit = self.unit(path)
        factor = None if unit is None else unit_factor(unit, to)
        if factor is None:
            said = "no attribute `units`" if unit is None else f"the unit {unit!r}"
            self.note(f"{path} = {value} is left out: it has {said}, and {to} is needed")
            return None
        return value * factor

    def fact(self, name: str, to: str, *paths: str) -> float | None:
        """Read the first of several paths that holds the fact `name`, and note its origin."""
        for path in paths:
            value = self.quantity(path, to)
            if value is not None:
                self.origin[name] = f"{path} ({self.unit(path)})"
                return value
        return None

    def angles(self, path: str) -> np.ndarray | None:
        """Read angles in degrees; without a unit they are taken as degrees."""
        values = self.array(path)
        if values is None or values.size == 0:
            return None
        unit = self.unit(path)
        factor = 1.0 if unit is None else unit_factor(unit, "deg")
        if factor is None and self.request.angles_given:
            return None
        if factor is None:
            raise ScanError(
                f"{self.file}: {path} has the unit {unit!r}, which is no angle; expected deg or "
                "rad. Correct the attribute `units`, or set scan.theta_deg"
            )
        if values.dtype.kind not in "iuf":
            raise ScanError(f"{self.file}: {path} holds {values.dtype}, not numbers")
        self.origin["theta_deg"] = f"{path} ({unit or 'no unit: taken as degrees'})"
        return values.reshape(-1).astype(np.float64) * factor

    def datasets(self, most: int = 20_000) -> Iterator[tuple[str, h5py.Dataset]]:
        """Walk through every dataset that can be reached; broken links are passed over."""
        waiting, seen = ["/"], set()
        while waiting and most:
            group_path = waiting.pop(0)
            try:
                place = self.links.resolve(group_path)
            except (LeadsNowhere, ScanError):
                continue
            if place is None or place in seen:
                continue
            seen.add(place)
            group = self._open(place)
            for name in group:
                most -= 1
                path = f"{group_path.rstrip('/')}/{name}"
                try:
                    inner = self.links.resolve(path)
                except (LeadsNowhere, ScanError):
                    continue
                found = None if inner is None else self._open(inner)
                if isinstance(found, h5py.Group):
                    waiting.append(path)
                elif isinstance(found, h5py.Dataset):
                    yield path, found


def _lacking_chunks(dataset: h5py.Dataset, frame_axis: int) -> np.ndarray | None:
    """Mark the frames of which chunks were never written; None where all chunks are there."""
    size = dataset.chunks[frame_axis]
    counts = [-(-n // chunk) for n, chunk in zip(dataset.shape, dataset.chunks, strict=True)]
    if dataset.id.get_num_chunks() >= math.prod(counts):
        return None
    found = np.zeros(counts[frame_axis], np.int64)

    def note(chunk: Any) -> None:
        found[chunk.chunk_offset[frame_axis] // size] += 1

    dataset.id.chunk_iter(note)
    lacking = found < math.prod(counts) // counts[frame_axis]
    return np.asarray(np.repeat(lacking, size)[: dataset.shape[frame_axis]])
