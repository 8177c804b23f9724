"""Beamline 8.3.2 of the Advanced Light Source. In: HDF5 with one dataset a frame; out: Raw."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from xct.errors import ScanError
from xct.io.hdf5.files import open_hdf5, readable_type
from xct.io.hdf5.source import Source
from xct.io.scans.raw import Raw, Request, Series, Stack
from xct.io.scans.series import with_series
from xct.io.units import decoded

# Names of frames: cell_0000_0012.tif, cellbak_0003_0000.tif (flat), celldrk_0003_0000.tif (dark).
_FRAME = re.compile(r"(?P<kind>bak|drk)?_(?P<first>\d+)_(?P<second>\d+)\.tif$")
_KINDS = {None: "projections", "bak": "flats", "drk": "darks"}


@dataclass(frozen=True)
class DatasetFrames:
    """Frames that are datasets of their own in one HDF5 file.

    Attributes
    ----------
    file : Path
        The file, opened by each `read`.
    paths : tuple of str
        One dataset a frame, with rows and columns as its last axes.
    shape, dtype
        Of all frames.
    """

    file: Path
    paths: tuple[str, ...]
    shape: tuple[int, int, int]
    dtype: np.dtype

    @property
    def whole_frames(self) -> bool:
        """Looking up a dataset for a few rows costs about as much as reading it."""
        return True

    def read(self, frames: slice | np.ndarray, rows: slice, columns: slice) -> np.ndarray:
        """Read some frames (a slice, or ascending indices) cut to rows and columns."""
        index = np.arange(len(self.paths))[frames]
        height, width = len(range(self.shape[1])[rows]), len(range(self.shape[2])[columns])
        values = np.empty((len(index), height, width), self.dtype)
        with open_hdf5(self.file) as file:
            for place, number in enumerate(index.tolist()):
                path = self.paths[number]
                try:
                    dataset = file[path]
                    values[place] = dataset[(0,) * (dataset.ndim - 2) + (rows, columns)]
                except (OSError, KeyError, ValueError) as error:
                    raise ScanError(f"{self.file}: {path} cannot be read: {error}") from error
        return values


def recognizes(path: Path) -> bool:
    """Whether the file is HDF5 with a group that counts angles and holds frames by name."""
    if not (path.is_file() and h5py.is_hdf5(path)):
        return False
    with Source(path, Request()) as source:
        return _group(source) is not None


def _group(source: Source) -> str | None:
    """Find the group of the frames: at the root, or one below it."""
    root = source.find("/")
    for name in root if root is not None else ():
        for place in (f"/{name}", *_inner(source, f"/{name}")):
            group = source.find(place)
            if isinstance(group, h5py.Group) and "nangles" in group.attrs:
                return place
    return None


def _inner(source: Source, place: str) -> list[str]:
    group = source.find(place)
    few = list(group)[:20] if isinstance(group, h5py.Group) else []
    return [f"{place}/{name}" for name in few if not name.endswith(".tif")]


def read(path: Path, request: Request) -> Raw:
    """Read a scan of beamline 8.3.2.

    Parameters
    ----------
    path : Path
        The file.
    request : Request
        How far links may lead.

    Raises
    ------
    ScanError
        If there are no projections, or frames of one kind have several sizes.

    References
    ----------
    The names are those that DXchange's `read_als_832h5` reads, doi:10.1107/S160057751401604X.
    """
    with Source(path, request) as source:
        place = _group(source)
        assert place is not None  # `recognizes` found it
        group = source.find(place)
        facts = {name.lower(): value for name, value in group.attrs.items()}
        named: dict[str, list[tuple[int, int, str]]] = {kind: [] for kind in _KINDS.values()}
        for name in group:
            match = _FRAME.search(name)
            if match:
                frame = int(match["first"]), int(match["second"]), name
                named[_KINDS[match["kind"]]].append(frame)
        if not named["projections"]:
            raise ScanError(f"{path}: {place} holds no frames named …_0000_0000.tif")
        stacks = {kind: _stack(path, group, those) for kind, those in named.items() if those}
    numbers = np.array([second for _, second, _ in sorted(named["projections"], key=_by_second)])
    planned = round(_number(facts, "nangles") or len(numbers))
    theta = _angles(facts, planned)
    pixel_mm, energy_ev = _number(facts, "pxsize"), _number(facts, "senergy")
    said = {
        "theta_deg": (theta, "nangles, arange"),
        "pixel_size_um": (1000 * pixel_mm if pixel_mm else None, "pxsize (mm)"),
        "energy_kev": (energy_ev / 1000 if energy_ev else None, "senergy (eV)"),
    }
    raw = Raw(
        layout="als832",
        files=(path,),
        projections=stacks["projections"],
        flats=stacks.get("flats"),
        darks=stacks.get("darks"),
        origin={n: f"{place}, {where}" for n, (value, where) in said.items() if value is not None},
        **{name: value for name, (value, _) in said.items()},  # type: ignore[arg-type]
    )
    if len(numbers) == planned or numbers[-1] >= planned:
        return raw
    return with_series(raw, Series(numbers, planned, f"numbers of the frames, nangles of {place}"))


def _by_second(frame: tuple[int, int, str]) -> tuple[int, int]:
    return frame[1], frame[0]


def _stack(path: Path, group: h5py.Group, frames: list[tuple[int, int, str]]) -> Stack:
    """Put the frames of one kind in order; flats carry the number of the projection after them."""
    ordered = sorted(frames, key=_by_second)
    links = [name for *_, name in ordered if not _is_inside(group, name)]
    if links:
        raise ScanError(
            f"{path}: {links[0]} and {len(links) - 1} others are links, which are not followed; "
            "repack the file first"
        )
    first = group[ordered[0][2]]
    if not isinstance(first, h5py.Dataset) or first.ndim < 2:
        raise ScanError(f"{path}: {first.name} is no frame")
    odd = [name for *_, name in ordered if group[name].shape != first.shape]
    if odd:
        raise ScanError(
            f"{path}: {odd[0]} has shape {group[odd[0]].shape}, but {ordered[0][2]} has "
            f"{first.shape}; frames of a kind must agree"
        )
    paths = tuple(f"{group.name}/{name}" for *_, name in ordered)
    dtype = readable_type(first.dtype)
    frames_of_kind = DatasetFrames(path, paths, (len(paths), *first.shape[-2:]), dtype)
    time = np.array([second for _, second, _ in ordered], float)
    if _FRAME.search(ordered[0][2])["kind"] is not None:  # type: ignore[index]
        repeat = np.array([number for number, _, _ in ordered], float)
        time += (repeat + 1) / (2 * (repeat.max() + 2)) - np.where(time == 0, 1.0, 0.0)
    return Stack(frames_of_kind, np.arange(len(paths)), time)


def _is_inside(group: h5py.Group, name: str) -> bool:
    """Whether the file holds an object itself, and does not lead to another one."""
    return isinstance(group.get(name, getlink=True), h5py.HardLink)


def _number(facts: dict[str, Any], name: str) -> float | None:
    if name not in facts:
        return None
    item = np.asarray(facts[name]).reshape(-1)[0]
    try:
        value = float(decoded(item) if isinstance(item, bytes | str) else item)
    except ValueError:
        return None
    return value if np.isfinite(value) and value > 0 else None


def _angles(facts: dict[str, Any], planned: int) -> np.ndarray | None:
    """Angles of all projections that were planned, the last one at the end of the range."""
    span = _number(facts, "arange")
    return None if span is None else np.linspace(0.0, span, planned)
