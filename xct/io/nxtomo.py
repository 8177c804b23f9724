"""NXtomo (ESRF, Diamond, Elettra) and its kin. In: one HDF5 file with image keys; out: Raw."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from xct.errors import ScanError
from xct.io.angles import angles_of_projections
from xct.io.hdf5 import Hdf5Frames
from xct.io.raw import Raw, Request, Stack
from xct.io.source import Source

# image_key: 0 projection, 1 flat, 2 dark, 3 invalid; image_key_control: -1 alignment, too.
_NAMES = {-1: "alignment", 3: "invalid"}
_ANGLE_WORDS = ("theta", "rot", "angle", "omega")


@dataclass(frozen=True)
class Layout:
    """Paths of one scan inside a file, and the groups where its facts may stand."""

    data: str
    image_key: str | None
    theta_deg: str | None
    groups: tuple[str, ...] = ()
    detector: str | None = None


def recognizes(path: Path) -> bool:
    """Whether the file is HDF5 and holds an NXtomo entry, or frames with a key and angles."""
    if not (path.is_file() and h5py.is_hdf5(path)):
        return False
    with Source(path, Request()) as source:
        return bool(_entries(source)) or len(_similar(source)) > 0


def read(path: Path, request: Request) -> Raw:
    """Read what an NXtomo file says; frames stay on disk.

    Parameters
    ----------
    path : Path
        The file.
    request : Request
        `paths` adds to, or overrules, where data, image_key and theta_deg lie.

    Raises
    ------
    ScanError
        If there are several scans to choose from, none at all, or keys and angles that do not
        belong to the frames.
    """
    with Source(path, request) as source:
        layout = _choose(source, request)
        frames = source.frames(layout.data)
        keys = _keys(source, layout, frames)
        stacks = {
            kind: Stack(frames, index, index.astype(np.float64))
            for kind, index in (
                ("projections", np.flatnonzero(keys == 0)),
                ("flats", np.flatnonzero(keys == 1)),
                ("darks", np.flatnonzero(keys == 2)),
            )
            if len(index) or kind == "projections"
        }
        source.origin["projection_time"] = f"order of frames in {layout.data}"
        return Raw(
            layout="nxtomo",
            theta_deg=_angles(source, layout, keys),
            pixel_size_um=_pixel_size_um(source, layout),
            energy_kev=source.fact("energy_kev", "keV", *_below(layout.groups, _ENERGY)),
            distance_mm=source.fact("distance_mm", "mm", *_detector(layout, "distance")),
            ring_current_ma=_ring_current(source, layout, keys),
            files=source.files,
            origin=source.origin,
            notes=tuple(source.notes),
            **stacks,
        )


_ENERGY = (
    "instrument/beam/incident_energy",
    "beam/incident_energy",
    "sample/beam/incident_energy",
    "instrument/monochromator/energy",
)


def _below(groups: tuple[str, ...], paths: tuple[str, ...]) -> list[str]:
    return [f"{group}/{path}" for path in paths for group in groups]


def _detector(layout: Layout, name: str) -> list[str]:
    return [] if layout.detector is None else [f"{layout.detector}/{name}"]


def _entries(source: Source) -> list[Layout]:
    """Find every NXtomo scan in the file: by its definition, or by its usual paths."""
    found = []
    root = source.find("/")
    for name in root if root is not None else ():
        group = f"/{name}"
        if not isinstance(source.find(group), h5py.Group):
            continue
        for inner in (f"{group}/tomo_entry", group):
            layout = _layout(source, inner, group)
            if layout is not None:
                found.append(layout)
                break
    return found


def _layout(source: Source, entry: str, group: str) -> Layout | None:
    detector = f"{entry}/instrument/detector"
    declared = (source.text(f"{entry}/definition") or "").lower() == "nxtomo"
    data = _there(source, f"{detector}/data", f"{entry}/data/data")
    key = _there(source, f"{detector}/image_key_control", f"{detector}/image_key",
                 f"{entry}/data/image_key_control", f"{entry}/data/image_key")  # fmt: skip
    theta = _there(source, f"{entry}/sample/rotation_angle", f"{entry}/data/rotation_angle")
    if data is None or not (declared or key or theta):
        return None
    return Layout(data, key, theta, tuple(dict.fromkeys((entry, group))), detector)


def _there(source: Source, *paths: str) -> str | None:
    """Get the first path at which something stands, be it a broken link that is then named."""
    return source.first(*paths) or next((path for path in paths if source.has(path)), None)


def _choose(source: Source, request: Request) -> Layout:
    """Decide which paths to read: those of the request, then of the file."""
    asked = request.paths
    entries = _entries(source)
    if "data" in asked:
        entries = [e for e in entries if asked["data"].startswith(f"{e.groups[-1]}/")][:1]
    elif len(entries) > 1:
        names = ", ".join(entry.data for entry in entries)
        raise ScanError(
            f"{source.file} holds {len(entries)} scans ({names}); choose one with scan.paths.data"
        )
    if not entries and "data" not in asked:
        entries = _only_similar(source)
    known = entries[0] if entries else Layout("", None, None)
    groups = known.groups or (f"/{asked['data'].strip('/').split('/')[0]}",)
    return Layout(
        asked.get("data", known.data),
        asked.get("image_key", known.image_key),
        asked.get("theta_deg", known.theta_deg),
        groups,
        known.detector,
    )


def _only_similar(source: Source) -> list[Layout]:
    similar = _similar(source)
    if not similar:
        raise ScanError(
            f"{source.file} holds neither an NXtomo entry nor frames with an image_key; set "
            "scan.paths with data, image_key and theta_deg"
        )
    if len(similar) > 1:
        found = "; ".join(f"{s.data}, {s.image_key}, {s.theta_deg}" for s in similar[:4])
        raise ScanError(
            f"{source.file} holds several stacks of frames with keys and angles ({found}); "
            "choose with scan.paths (data, image_key, theta_deg)"
        )
    chosen = similar[0]
    source.note(
        f"no NXtomo entry: {chosen.data} is read with the keys {chosen.image_key} and the "
        f"angles {chosen.theta_deg}, the only ones of its length"
    )
    return similar


def _similar(source: Source) -> list[Layout]:
    """Find frames, image keys and angles of one length in a NeXus file of any other layout.

    Datasets that hold the same values, e.g. one dataset under several links, count once.
    """
    stacks: dict[object, tuple[str, int]] = {}
    keys: dict[object, tuple[str, int]] = {}
    angles: dict[object, tuple[str, int]] = {}
    for path, found in source.datasets():
        name = path.rsplit("/", 1)[1].lower()
        place = (found.file.filename, found.name)
        if found.ndim == 3 and found.dtype.kind in "iuf" and min(found.shape) > 1:
            stacks.setdefault(place, (path, found.shape[0]))
        elif found.ndim == 1 and name in ("image_key", "image_key_control"):
            keys.setdefault(found[()].tobytes(), (path, len(found)))
        elif found.ndim == 1 and found.dtype.kind == "f" and _is_angle(path, name):
            angles.setdefault(found[()].tobytes(), (path, len(found)))
    return [
        Layout(data, key, theta, (f"/{data.split('/')[1]}",))
        for data, length in stacks.values()
        for key, key_length in keys.values()
        for theta, theta_length in angles.values()
        if length == key_length == theta_length
    ]


def _is_angle(path: str, name: str) -> bool:
    """Whether a dataset's name says that it is an angle; NeXus calls many of them `value`."""
    said = path.rsplit("/", 2)[-2].lower() if name in ("value", "data") else name
    return any(word in said for word in _ANGLE_WORDS) and not said.endswith("_set")


def _keys(source: Source, layout: Layout, frames: Hdf5Frames) -> np.ndarray:
    """Read what each frame is; without a key all are projections (older Diamond files)."""
    count = frames.shape[0]
    if layout.image_key is None:
        source.note(f"no image_key: all {count} frames are taken as projections")
        return np.zeros(count, np.int64)
    source.require(layout.image_key)
    values = source.array(layout.image_key)
    keys = np.rint(np.asarray(values, np.float64)).astype(np.int64).reshape(-1)
    if len(keys) != count:
        raise ScanError(
            f"{source.file}: {layout.image_key} has {len(keys)} keys, but {layout.data} has "
            f"{count} frames; the acquisition may have been interrupted. Set scan.paths to "
            "datasets of one length"
        )
    source.notes.extend(_left_out(keys, layout.image_key))
    return keys


def _left_out(keys: np.ndarray, where: str) -> Iterator[str]:
    for key in np.unique(keys[~np.isin(keys, (0, 1, 2))]).tolist():
        said = _NAMES.get(key, "unknown")
        yield f"{np.sum(keys == key)} frames with {where} = {key} ({said}) are left out"


def _angles(source: Source, layout: Layout, keys: np.ndarray) -> np.ndarray | None:
    if layout.theta_deg is None:
        return None
    source.require(layout.theta_deg)
    angles = source.angles(layout.theta_deg)
    if angles is None:
        return None
    return angles_of_projections(angles, keys, layout.theta_deg, str(source.file))


def _pixel_size_um(source: Source, layout: Layout) -> float | None:
    across = source.fact("pixel_size_um", "um", *_detector(layout, "x_pixel_size"))
    if across is None:
        return None
    along = next((source.quantity(p, "um") for p in _detector(layout, "y_pixel_size")), None)
    if along is not None and abs(along / across - 1) > 1e-3:
        source.note(
            f"pixels of {across:g} × {along:g} µm (x_pixel_size, y_pixel_size) are not square; "
            "give scan.pixel_size_um"
        )
        del source.origin["pixel_size_um"]
        return None
    return across


def _ring_current(source: Source, layout: Layout, keys: np.ndarray) -> np.ndarray | None:
    """Read the monitor where its unit says that it is the ring current."""
    from xct.io.units import unit_factor

    for path in _below(layout.groups, ("control/data",)):
        factor = unit_factor(source.unit(path) or "", "mA")
        values = None if factor is None else source.array(path)
        if values is not None and factor is not None and values.size == len(keys):
            source.origin["ring_current_ma"] = f"{path} ({source.unit(path)})"
            return np.asarray(values.reshape(-1)[keys == 0] * factor, np.float64)
    return None
