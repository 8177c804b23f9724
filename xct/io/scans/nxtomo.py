"""NXtomo (ESRF, Diamond, Elettra) and its kin. In: one HDF5 file with image keys; out: Raw."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np

from xct.errors import ScanError
from xct.io.hdf5.files import Hdf5Frames
from xct.io.hdf5.source import Source
from xct.io.scans.angles import angles_of_projections
from xct.io.scans.nexus_paths import Layout, choose, entries, similar
from xct.io.scans.raw import Raw, Request, Series, Stack
from xct.io.units import unit_factor

# image_key: 0 projection, 1 flat, 2 dark, 3 invalid; image_key_control: -1 alignment, too.
_NAMES = {-1: "alignment", 3: "invalid"}


def recognizes(path: Path) -> bool:
    """Whether the file is HDF5 and holds an NXtomo entry, or frames with a key and angles."""
    if not (path.is_file() and h5py.is_hdf5(path)):
        return False
    with Source(path, Request()) as source:
        return bool(entries(source)) or len(similar(source)) > 0


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
        layout = choose(source, request)
        frames = source.frames(layout.data)
        planned_keys = _keys(source, layout, frames)
        keys = planned_keys[: frames.shape[0]]
        keys = _without_unwritten(source, layout, frames, keys)
        planned = len(planned_keys)
        clock = _clock(source, layout, keys, planned)
        current = _ring_current(source, layout, keys, planned)
        stacks = {
            kind: Stack(frames, index, None if clock is None else clock[index])
            for kind, index in (
                ("projections", np.flatnonzero(keys == 0)),
                ("flats", np.flatnonzero(keys == 1)),
                ("darks", np.flatnonzero(keys == 2)),
            )
        }
        raw = Raw(
            layout="nxtomo",
            theta_deg=_angles(source, layout, planned_keys, keys),
            pixel_size_um=_pixel_size_um(source, layout),
            energy_kev=source.fact("energy_kev", "keV", *_below(layout.groups, _ENERGY)),
            distance_mm=source.fact("distance_mm", "mm", *_detector(layout, "distance")),
            ring_current_ma=None if current is None else current[keys == 0],
            flat_ring_current_ma=None if current is None else current[keys == 1],
            files=source.files,
            origin=source.origin,
            notes=tuple(source.notes),
            projections=stacks["projections"],
            flats=stacks["flats"] if len(stacks["flats"].index) else None,
            darks=stacks["darks"] if len(stacks["darks"].index) else None,
            flat_exposure_ratio=_exposure_ratio(source, layout, keys, planned),
        )
        projections = int(np.sum(planned_keys == 0))
        if projections == len(stacks["projections"].index):
            return raw
        place = np.cumsum(planned_keys == 0)[: len(keys)][keys == 0] - 1
        return replace(raw, series=Series(place, projections, layout.image_key or "image key"))


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


def _keys(source: Source, layout: Layout, frames: Hdf5Frames) -> np.ndarray:
    """Read what each frame is; without a key all are projections (older Diamond files)."""
    count = frames.shape[0]
    if layout.image_key is None:
        source.note(f"no image_key: all {count} frames are taken as projections")
        return np.zeros(count, np.int64)
    source.require(layout.image_key)
    values = source.array(layout.image_key)
    if values is None or values.dtype.kind not in "iuf" or not np.all(np.isfinite(values)):
        raise ScanError(
            f"{source.file}: {layout.image_key} holds no whole numbers; expected 0 projection, "
            "1 flat, 2 dark, 3 invalid"
        )
    keys = np.rint(np.asarray(values, np.float64)).astype(np.int64).reshape(-1)
    if len(keys) < count:
        raise ScanError(
            f"{source.file}: {layout.image_key} has {len(keys)} keys, but {layout.data} has "
            f"{count} frames, so it is not known what the others are. Name another image key, "
            "one value a frame, by scan.paths.image_key"
        )
    if len(keys) > count:
        source.note(
            f"{layout.image_key} has {len(keys)} keys, but {layout.data} holds the first {count} "
            "frames only: the scan was interrupted"
        )
    source.notes.extend(_left_out(keys[:count], layout.image_key))
    return keys


def _without_unwritten(
    source: Source, layout: Layout, frames: Hdf5Frames, keys: np.ndarray
) -> np.ndarray:
    """Mark frames that an aborted scan never wrote as invalid."""
    written = source.written(layout.data, frames)
    if len(written) == len(keys):
        return keys
    kept = np.full_like(keys, 3)
    kept[written] = keys[written]
    return kept


def _left_out(keys: np.ndarray, where: str) -> Iterator[str]:
    for key in np.unique(keys[~np.isin(keys, (0, 1, 2))]).tolist():
        said = _NAMES.get(key, "unknown")
        yield f"{np.sum(keys == key)} frames with {where} = {key} ({said}) are left out"


def _angles(
    source: Source, layout: Layout, planned_keys: np.ndarray, keys: np.ndarray
) -> np.ndarray | None:
    """Read the angles of the projections that are there."""
    if layout.theta_deg is None:
        return None
    source.require(layout.theta_deg)
    angles = source.angles(layout.theta_deg)
    if angles is None:
        return None
    there = np.zeros(len(planned_keys), bool)
    there[: len(keys)] = keys == 0
    try:
        if len(angles) == np.sum(there):
            return angles
        if len(angles) == len(keys):
            return np.asarray(angles[keys == 0])
        angles = angles_of_projections(angles, planned_keys, layout.theta_deg, str(source.file))
    except ScanError:
        if source.request.angles_given:
            return None
        raise
    return np.asarray(angles[there[planned_keys == 0]])


def _clock(source: Source, layout: Layout, keys: np.ndarray, planned: int) -> np.ndarray | None:
    """Find when each frame was taken: its start time, else its position in the file."""
    if layout.image_key is not None:
        key = source.require(layout.image_key)
        if key.attrs.get("frame_order") == "unknown":
            return None
    taken = np.isin(keys, (0, 1))
    for path in _detector(layout, "start_time"):
        times = _per_frame(source.array(path), len(keys), planned)
        if times is not None and times.dtype.kind == "f":
            times = times.astype(np.float64)
            if np.all(np.isfinite(times[taken])):
                unit = source.unit(path)
                said = "order of frames" if unit == "frames" else unit or "no unit"
                source.origin["projection_time"] = f"{path} ({said})"
                return times * (unit_factor(unit or "s", "s") or 1.0)
    source.origin["projection_time"] = f"order of frames in {layout.data}"
    return np.arange(len(keys), dtype=np.float64)


def _per_frame(values: np.ndarray | None, count: int, planned: int) -> np.ndarray | None:
    """Cut values, one for each frame that is there or was planned, to those that are there."""
    if values is None or values.size not in (count, planned):
        return None
    return np.asarray(values.reshape(-1)[:count])


def _pixel_size_um(source: Source, layout: Layout) -> float | None:
    """Read the effective pixel size; newer files keep it at the sample, apart from the chip's."""
    for across_path in (
        *_below(layout.groups[:1], ("sample/x_pixel_size",)),
        *_detector(layout, "x_magnified_pixel_size"),
        *_detector(layout, "x_pixel_size"),
    ):
        across = source.fact("pixel_size_um", "um", across_path)
        if across is None:
            continue
        head, tail = across_path.rsplit("/", 1)
        along = source.quantity(f"{head}/y{tail[1:]}", "um")
        if along is None or abs(along / across - 1) <= 1e-3:
            return across
        source.note(
            f"pixels of {across:g} × {along:g} µm ({across_path}, y{tail[1:]}) are not square; "
            "give scan.pixel_size_um"
        )
        del source.origin["pixel_size_um"]
        return None
    return None


def _ring_current(
    source: Source, layout: Layout, keys: np.ndarray, planned: int
) -> np.ndarray | None:
    """Read the monitor where its unit says that it is the ring current."""
    for path in _below(layout.groups, ("control/data",)):
        factor = unit_factor(source.unit(path) or "", "mA")
        values = None if factor is None else source.array(path)
        current = _per_frame(values, len(keys), planned)
        if current is not None and factor is not None:
            source.origin["ring_current_ma"] = f"{path} ({source.unit(path)})"
            return np.asarray(current * factor, np.float64)
    return None


def _exposure_ratio(source: Source, layout: Layout, keys: np.ndarray, planned: int) -> float:
    """Compare the exposures of projections and flats; 1 where they agree or are unknown."""
    for path in _detector(layout, "count_time"):
        times = _per_frame(source.array(path), len(keys), planned)
        if times is None or times.dtype.kind not in "iuf":
            continue
        exposure, flat = (times[keys == key] for key in (0, 1))
        if not len(exposure) or not len(flat):
            continue
        ratio = float(np.median(exposure) / np.median(flat))
        if np.isfinite(ratio) and ratio > 0 and abs(ratio - 1) > 1e-3:
            source.origin["flat_exposure_ratio"] = path
            source.note(
                f"projections were exposed {ratio:.4g} times as long as flats ({path}): flats "
                f"less darks count {ratio:.4g} times"
            )
            return ratio
    return 1.0
