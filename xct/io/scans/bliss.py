"""BLISS (ESRF). In: HDF5 with an entry for each series of frames, told by titles; out: Raw."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np

from xct.errors import ScanError
from xct.io.frames import Frames
from xct.io.hdf5.source import Source
from xct.io.scans.raw import Raw, Request, Stack

_ENTRY = re.compile(r"^(\d+)\.(\d+)$")
_TITLES = (
    ("darks", re.compile(r"^dark")),
    ("flats", re.compile(r"^(reference|ref|flat)")),
    ("projections", re.compile(r"^projection")),
)
_MOTORS = ("rot", "omega", "theta", "angle", "phi", "diffrz")
_FACTS = {
    "pixel_size_um": ("um", ("technique/optic/sample_pixel_size", "technique/scan/pixel_size")),
    "energy_kev": ("keV", ("technique/scan/energy", "technique/beam/energy")),
    "distance_mm": (
        "mm",
        ("technique/scan/sample_detector_distance", "technique/detector/sample_detector_distance"),
    ),
}


@dataclass(frozen=True)
class JoinedFrames:
    """Frames of several stacks, one after the other.

    Attributes
    ----------
    parts : tuple of Frames
        Of the same size; values are read as the type that holds all.
    """

    parts: tuple[Frames, ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, rows, columns."""
        return (sum(part.shape[0] for part in self.parts), *self.parts[0].shape[1:])

    @property
    def dtype(self) -> np.dtype:
        """Type that holds the values of all."""
        return np.result_type(*(part.dtype for part in self.parts))

    @property
    def whole_frames(self) -> bool:
        """Whether a few rows cost as much to read as whole frames, in any of them."""
        return any(part.whole_frames for part in self.parts)

    def read(self, frames: slice | np.ndarray, rows: slice, columns: slice) -> np.ndarray:
        """Read some frames (a slice, or ascending indices) cut to rows and columns."""
        index = np.arange(self.shape[0])[frames]
        pieces, first = [], 0
        for part in self.parts:
            stop = first + part.shape[0]
            wanted = index[(index >= first) & (index < stop)] - first
            if len(wanted):
                pieces.append(part.read(wanted, rows, columns).astype(self.dtype, copy=False))
            first = stop
        if not pieces:
            return self.parts[0].read(slice(0, 0), rows, columns)
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)


@dataclass
class _Tomogram:
    """The entries of one scan, in order: (entry, kind)."""

    entries: list[tuple[str, str]] = field(default_factory=list)
    first: str = ""

    def has(self, kind: str) -> bool:
        return any(kind == one for _, one in self.entries)


def recognizes(path: Path) -> bool:
    """Whether the file is HDF5 with entries 1.1, 2.1 … of which one holds projections."""
    if not (path.is_file() and h5py.is_hdf5(path)):
        return False
    with Source(path, Request()) as source:
        return any(tomogram.has("projections") for tomogram in _tomograms(source))


def _tomograms(source: Source) -> list[_Tomogram]:
    """Group the entries by scans: another title than those of frames begins a new one."""
    root = source.find("/")
    names = [name for name in (root if root is not None else ()) if _ENTRY.match(name)]
    found: list[_Tomogram] = []
    for name in sorted(names, key=lambda name: tuple(map(int, name.split(".")))):
        title = (source.text(f"/{name}/title") or "").strip().lower()
        kind = next((kind for kind, pattern in _TITLES if pattern.match(title)), None)
        if kind is None or not found:
            found.append(_Tomogram(first=name))
        if kind is not None:
            found[-1].entries.append((name, kind))
    return [tomogram for tomogram in found if tomogram.entries]


def read(path: Path, request: Request) -> Raw:
    """Read a scan that BLISS wrote; frames stay on disk, often in files of the camera.

    Parameters
    ----------
    path : Path
        The file that links to all others.
    request : Request
        How far links may lead; `paths.data` chooses one of several scans by its projections.

    Raises
    ------
    ScanError
        If there are several scans to choose from, or entries without frames.
    """
    with Source(path, request) as source:
        tomogram = _chosen(source, request)
        parts: dict[str, list[Frames]] = {"projections": [], "flats": [], "darks": []}
        times: dict[str, list[np.ndarray]] = {kind: [] for kind in parts}
        angles: list[np.ndarray | None] = []
        now = 0
        for entry, kind in tomogram.entries:
            frames = source.frames(_camera(source, entry))
            count = frames.shape[0]
            if kind == "projections":
                motor, positions = _rotation(source, entry, count)
                angles.append(positions)
                if motor is not None:
                    source.origin["theta_deg"] = motor
            parts[kind].append(frames)
            times[kind].append(now + np.arange(count, dtype=float))
            now += count
        _check_sizes(path, parts)
        stacks = {
            kind: Stack(_joined(several), np.arange(sum(p.shape[0] for p in several)), time)
            for kind, several in parts.items()
            if several
            for time in [np.concatenate(times[kind])]
        }
        whole = [part for part in angles if part is not None]
        facts = {name: _fact(source, tomogram, name) for name in _FACTS}
        return Raw(
            layout="bliss",
            files=source.files,
            projections=stacks["projections"],
            flats=stacks.get("flats"),
            darks=stacks.get("darks"),
            theta_deg=np.concatenate(whole) if len(whole) == len(angles) else None,
            origin=source.origin,
            notes=tuple(source.notes),
            **facts,  # type: ignore[arg-type]
        )


def _joined(parts: Sequence[Frames]) -> Frames:
    return parts[0] if len(parts) == 1 else JoinedFrames(tuple(parts))


def _check_sizes(path: Path, parts: dict[str, list[Frames]]) -> None:
    for kind, several in parts.items():
        sizes = {part.shape[1:] for part in several}
        if len(sizes) > 1:
            said = " and ".join(f"{rows} × {columns}" for rows, columns in sorted(sizes))
            raise ScanError(f"{path}: {kind} have frames of {said} pixels; they must agree")


def _chosen(source: Source, request: Request) -> _Tomogram:
    found = [one for one in _tomograms(source) if one.has("projections")]
    asked = request.paths.get("data")
    if asked is not None:
        entry = asked.strip("/").split("/")[0]
        found = [one for one in found if entry in (one.first, *(name for name, _ in one.entries))]
    if len(found) == 1:
        return found[0]
    if not found:
        raise ScanError(f"{source.file}: scan.paths.data = {asked} is in no scan of this file")
    names = ", ".join(
        f"/{entry}" for one in found for entry, kind in one.entries[:9] if kind == "projections"
    )
    raise ScanError(
        f"{source.file} holds {len(found)} scans, with projections at {names}; choose one with "
        "scan.paths.data"
    )


def _camera(source: Source, entry: str) -> str:
    """Find the frames of an entry: the one dataset of frames that is measured in it."""
    found = list(_frames_in(source, f"/{entry}/measurement"))
    if not found:
        instrument = source.find(f"/{entry}/instrument")
        names = list(instrument) if isinstance(instrument, h5py.Group) else []
        found = [p for name in names for p in _frames_in(source, f"/{entry}/instrument/{name}")]
    if len(found) == 1:
        return found[0]
    said = f"several cameras ({', '.join(found)})" if found else "no frames that can be read"
    raise ScanError(
        f"{source.file}: /{entry} holds {said}; write them as NXtomo, such as with nxtomomill"
    )


def _frames_in(source: Source, place: str) -> Iterator[str]:
    group = source.find(place)
    for name in group if isinstance(group, h5py.Group) else ():
        dataset = source.find(f"{place}/{name}")
        if isinstance(dataset, h5py.Dataset) and dataset.ndim == 3 and min(dataset.shape[1:]) > 1:
            yield f"{place}/{name}"


def _rotation(source: Source, entry: str, count: int) -> tuple[str | None, np.ndarray | None]:
    """Find the angles of the projections of an entry: one position of a motor for each."""
    place = f"/{entry}/measurement"
    group = source.find(place)
    found = []
    for name in group if isinstance(group, h5py.Group) else ():
        dataset = source.find(f"{place}/{name}")
        if isinstance(dataset, h5py.Dataset) and dataset.ndim == 1 and dataset.dtype.kind == "f":
            if any(word in name.lower() for word in _MOTORS) and len(dataset) >= count:
                found.append(f"{place}/{name}")
    found.sort(key=lambda path: (path.endswith(("_delta", "_epoch", "_trig", "_raw")), len(path)))
    if not found:
        return None, None
    angles = source.angles(found[0])
    return found[0], None if angles is None else angles[:count]


def _fact(source: Source, tomogram: _Tomogram, name: str) -> float | None:
    to, paths = _FACTS[name]
    entries = dict.fromkeys([tomogram.first, *(entry for entry, _ in tomogram.entries)])
    return source.fact(name, to, *(f"/{entry}/{path}" for entry in entries for path in paths))
