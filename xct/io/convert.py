"""Writing a scan in another layout. In: a Scan; out: one DXchange or NXtomo file."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Literal

import h5py
import numpy as np

from xct.errors import ScanError
from xct.io.frames import View
from xct.scan import Scan

Format = Literal["dxchange", "nxtomo"]

# Bytes of frames that are held at a time.
_BLOCK_BYTES = 64 * 2**20
_KEYS = {"projections": 0, "flats": 1, "darks": 2}
# Of the NeXus definitions that are followed, and of the paths that nxtomo of the ESRF looks up: in
# that version, the detector's pixel size is that in the sample.
_NEXUS_VERSION, _PATHS_VERSION = "2024.02", 1.4
_PLACES = {
    "projections": "/exchange/data",
    "flats": "/exchange/data_white",
    "darks": "/exchange/data_dark",
}


def convert(scan: Scan, file: Path | str, format: Format) -> Path:
    """Write a scan as one DXchange or NXtomo file, block by block.

    What is written is the scan as it stands: cropped, binned, angles with their sign; the
    voxel size becomes the file's pixel size. Read back, it gives the same counts, angles,
    facts and times.

    Parameters
    ----------
    scan : Scan
        Any scan.
    file : path
        What to write; it appears when it is whole.
    format : {"dxchange", "nxtomo"}
        Layout.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ScanError
        If `file` exists already or cannot be written, or a frame cannot be read.
    """
    writers: dict[str, Callable[[h5py.File, Scan], None]] = {
        "dxchange": _write_dxchange,
        "nxtomo": _write_nxtomo,
    }
    if format not in writers:
        raise ScanError(f"format = {format!r}; expected dxchange or nxtomo")
    target = Path(file)
    if target.exists():
        raise ScanError(f"{target} exists already; remove it, or choose another name")
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        with h5py.File(partial, "w") as opened:
            writers[format](opened, scan)
        os.replace(partial, target)
    except OSError as error:
        raise ScanError(f"{target} cannot be written: {error}") from error
    finally:
        partial.unlink(missing_ok=True)
    return target


def _stacks(scan: Scan) -> dict[str, View]:
    found = {"projections": scan.projections, "flats": scan.flats, "darks": scan.darks}
    return {kind: view for kind, view in found.items() if view is not None}


def _blocks(view: View, first: int, stop: int) -> Iterator[tuple[int, np.ndarray]]:
    """Read frames `first` … `stop`, some at a time, each block with its first frame."""
    one = int(np.prod(view.shape[1:])) * view.dtype.itemsize
    few = max(1, _BLOCK_BYTES // max(1, one))
    for begin in range(first, stop, few):
        yield begin, view.read(slice(begin, min(begin + few, stop)))


def _put(
    file: h5py.File, path: str, value: object, units: str | None = None
) -> h5py.Dataset | None:
    """Write a value with its unit; nothing where there is no value."""
    if value is None:
        return None
    dataset = file.create_dataset(path, data=float(value) if isinstance(value, int) else value)
    if units is not None:
        dataset.attrs["units"] = units
    return dataset


def _write_dxchange(file: h5py.File, scan: Scan) -> None:
    file["/implements"] = "exchange:measurement"
    for kind, view in _stacks(scan).items():
        dataset = file.create_dataset(_PLACES[kind], view.shape, view.dtype)
        dataset.attrs["units"] = "counts"
        if kind == "projections":
            dataset.attrs["axes"] = "theta:y:x"
        for first, block in _blocks(view, 0, view.shape[0]):
            dataset[first : first + len(block)] = block
    instrument = "/measurement/instrument"
    _put(file, "/exchange/theta", scan.theta_deg, "degrees")
    resolution = f"{instrument}/detection_system/objective/resolution"
    _put(file, resolution, scan.voxel_size_um, "um")
    _put(file, f"{instrument}/monochromator/energy", scan.energy_kev, "keV")
    if scan.flat_exposure_ratio != 1:
        _put(file, f"{instrument}/detector/exposure_time", scan.flat_exposure_ratio)
        _put(file, f"{instrument}/detector/exposure_time_flat", 1.0)
    distance = f"{instrument}/camera_motor_stack/setup/camera_distance"
    _put(file, distance, scan.distance_mm, "mm")
    kinds, _, times = _sequence(scan)
    if _has_clock(scan):
        places = list(_PLACES.values())
        text = h5py.string_dtype()
        file["/defaults/HDF5FrameLocation"] = np.array([places[kind] for kind in kinds], text)
        file["/defaults/NDArrayTimeStamp"] = times
        file["/defaults/NDArrayTimeStamp"].attrs["units"] = _clock_unit(scan)
    if scan.ring_current_ma is not None:
        warnings.warn(
            "DXchange has no place for the ring current of each projection: it is left out; "
            "NXtomo keeps it",
            UserWarning,
            stacklevel=3,
        )


def _has_clock(scan: Scan) -> bool:
    """Whether projections and flats, where there are any, are on one clock."""
    flats_known = scan.flats is None or scan.flat_time is not None
    return scan.projection_time is not None and flats_known


def _clock_unit(scan: Scan) -> str:
    return "frames" if "order" in scan.origin.get("projection_time", "") else "s"


def _sequence(scan: Scan) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Put all frames in the order in which they were taken, as far as that is known.

    Returns
    -------
    kinds, numbers : ndarray of int, shape (frame,)
        What each frame is (0 projection, 1 flat, 2 dark), and its number in its stack.
    times : ndarray, shape (frame,)
        NaN where unknown. Frames without a time come first: darks, then flats.
    """
    known = {"projections": scan.projection_time, "flats": scan.flat_time}
    clock = _has_clock(scan)
    parts = []
    for kind, view in reversed(_stacks(scan).items()):
        count, time = view.shape[0], known.get(kind) if clock else None
        parts.append(
            (
                np.full(count, _KEYS[kind]),
                np.arange(count),
                np.full(count, np.nan) if time is None else np.asarray(time, np.float64),
            )
        )
    kinds, numbers, times = (np.concatenate(part) for part in zip(*parts, strict=True))
    order = np.argsort(np.where(np.isnan(times), -np.inf, times), kind="stable")
    return kinds[order], numbers[order], times[order]


def _write_nxtomo(file: h5py.File, scan: Scan) -> None:
    kinds, numbers, times = _sequence(scan)
    entry = _group(file, "/entry", "NXentry")
    file.attrs.update(default="entry", NeXus_version=_NEXUS_VERSION, creator="xct")
    entry.attrs.update(default="data", version=_PATHS_VERSION)
    _put(file, "/entry/definition", "NXtomo")
    _put(file, "/entry/title", _name(scan))
    for path, kind in (
        ("instrument", "NXinstrument"),
        ("instrument/detector", "NXdetector"),
        ("instrument/beam", "NXbeam"),
        ("sample", "NXsample"),
        ("data", "NXdata"),
    ):
        _group(file, f"/entry/{path}", kind)
    detector = "/entry/instrument/detector"
    _write_frames(file, f"{detector}/data", scan, kinds, numbers)
    keys = _put(file, f"{detector}/image_key", kinds.astype(np.int32))
    assert keys is not None
    if not _has_clock(scan):
        keys.attrs["frame_order"] = "unknown"
    elif not np.array_equal(times[kinds < 2], np.flatnonzero(kinds < 2)):
        _put(file, f"{detector}/start_time", times, _clock_unit(scan))
    _put(file, "/entry/sample/name", _name(scan))
    for name in ("x_pixel_size", "y_pixel_size"):
        _put(file, f"{detector}/{name}", scan.voxel_size_um, "um")
    if scan.flat_exposure_ratio != 1:
        times = np.where(kinds == _KEYS["projections"], scan.flat_exposure_ratio, 1.0)
        _put(file, f"{detector}/count_time", times)
    _put(file, f"{detector}/distance", scan.distance_mm, "mm")
    _put(file, "/entry/instrument/beam/incident_energy", scan.energy_kev, "keV")
    _put_per_frame(file, "/entry/sample/rotation_angle", (scan.theta_deg, None), kinds, "degree")
    if scan.ring_current_ma is not None:
        _group(file, "/entry/control", "NXmonitor")
        currents = (scan.ring_current_ma, scan.flat_ring_current_ma)
        _put_per_frame(file, "/entry/control/data", currents, kinds, "mA")
    for name, target in (
        ("data", f"{detector}/data"),
        ("image_key", f"{detector}/image_key"),
        ("rotation_angle", "/entry/sample/rotation_angle"),
    ):
        if target in file:
            file[f"/entry/data/{name}"] = h5py.SoftLink(target)
    file["/entry/data"].attrs["signal"] = "data"


def _name(scan: Scan) -> str:
    """Name the sample by the scan's first file: no layout says more for certain."""
    return scan.files[0].stem if scan.files else "scan"


def _group(file: h5py.File, path: str, kind: str) -> h5py.Group:
    group = file.require_group(path)
    group.attrs["NX_class"] = kind
    return group


def _put_per_frame(
    file: h5py.File,
    path: str,
    values: tuple[np.ndarray | None, np.ndarray | None],
    kinds: np.ndarray,
    units: str,
) -> None:
    """Write what is known of projections and of flats for every frame: NaN where it is not."""
    if values[0] is None:
        return
    every = np.full(len(kinds), np.nan)
    for kind, known in enumerate(values):
        if known is not None:
            every[kinds == kind] = known
    _put(file, path, every, units)


def _write_frames(
    file: h5py.File, path: str, scan: Scan, kinds: np.ndarray, numbers: np.ndarray
) -> None:
    """Write all frames, in order of time, with as few reads as that allows."""
    stacks = _stacks(scan)
    dtype = np.result_type(*(view.dtype for view in stacks.values()))
    shape = (len(kinds), *scan.projections.shape[1:])
    dataset = file.create_dataset(path, shape, dtype)
    dataset.attrs["units"] = "counts"
    names = list(_KEYS)
    broken = (np.diff(kinds) != 0) | (np.diff(numbers) != 1)
    edges = [0, *(np.flatnonzero(broken) + 1).tolist(), len(kinds)]
    for begin, end in pairwise(edges):
        view, first = stacks[names[kinds[begin]]], int(numbers[begin])
        for number, block in _blocks(view, first, first + end - begin):
            place = begin + number - first
            dataset[place : place + len(block)] = block
