"""DXchange (APS and many others). In: one HDF5 file with /exchange/data; out: Raw."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from xct.errors import ScanError
from xct.io.scans.raw import Raw, Request, Stack
from xct.io.scans.source import Source

_DATA, _WHITE, _DARK = "/exchange/data", "/exchange/data_white", "/exchange/data_dark"
_SYSTEM = "/measurement/instrument/detection_system"
_DETECTOR = "/measurement/instrument/detector"
_OBJECTIVE = f"{_SYSTEM}/objective"


def recognizes(path: Path) -> bool:
    """Whether the file is HDF5 and holds frames at /exchange/data."""
    if not (path.is_file() and h5py.is_hdf5(path)):
        return False
    with Source(path, Request()) as source:
        return source.has(_DATA)


def read(path: Path, request: Request) -> Raw:
    """Read what a DXchange file says; frames stay on disk.

    Parameters
    ----------
    path : Path
        The file.
    request : Request
        `paths` may overrule where data and angles lie.

    Raises
    ------
    ScanError
        If the frames cannot be found, or axes are in another order than (angle, row, column).
    """
    with Source(path, request) as source:
        data = request.paths.get("data", _DATA)
        frames = source.frames(data)
        _check_axes(source, data)
        projections, flats, darks = (
            Stack(frames, np.arange(frames.shape[0])),
            _stack(source, _WHITE),
            _stack(source, _DARK),
        )
        clock = _clock(source, projections, flats)
        if clock is not None:
            projections = Stack(projections.frames, projections.index, clock[0])
            flats = None if flats is None else Stack(flats.frames, flats.index, clock[1])
        return Raw(
            layout="dxchange",
            projections=projections,
            flats=flats,
            darks=darks,
            theta_deg=source.angles(request.paths.get("theta_deg", "/exchange/theta")),
            pixel_size_um=_pixel_size_um(source),
            energy_kev=source.fact(
                "energy_kev", "keV", "/measurement/instrument/monochromator/energy"
            ),
            distance_mm=source.fact(
                "distance_mm",
                "mm",
                "/measurement/instrument/camera_motor_stack/setup/camera_distance",
            ),
            flat_exposure_ratio=_exposure_ratio(source),
            files=source.files,
            origin=source.origin,
            notes=tuple(source.notes),
        )


def _stack(source: Source, path: str) -> Stack | None:
    """Get flats or darks; None where there are none, or an empty dataset."""
    found = source.find(path)
    if found is None or not isinstance(found, h5py.Dataset) or not found.size:
        return None
    frames = source.frames(path)
    return Stack(frames, np.arange(frames.shape[0]))


def _check_axes(source: Source, data: str) -> None:
    axes = source.require(data).attrs.get("axes")
    if isinstance(axes, bytes):
        axes = axes.decode()
    if isinstance(axes, str) and ":" in axes and not axes.strip().startswith(("theta", "angle")):
        raise ScanError(
            f"{source.file}: {data} has the axes {axes!r}; expected theta:y:x (angle, row, "
            "column). Reorder the frames first"
        )


def _pixel_size_um(source: Source) -> float | None:
    """Find the effective pixel size: said outright, or that of the chip by magnification."""
    said = source.fact(
        "pixel_size_um", "um", f"{_OBJECTIVE}/resolution", f"{_DETECTOR}/actual_pixel_size_x",
        f"{_SYSTEM}/detector/actual_pixel_size_x",
    )  # fmt: skip
    if said is not None:
        return said
    chip = source.first(f"{_DETECTOR}/pixel_size_x", f"{_SYSTEM}/detector/pixel_size_x")
    if chip is None:
        return None
    size = source.quantity(chip, "um")
    magnification = source.number(f"{_OBJECTIVE}/magnification", least=0.0)
    if size is None or magnification is None:
        source.note(
            f"{chip} is the pixel of the chip; without {_OBJECTIVE}/magnification the effective "
            "pixel size is unknown"
        )
        return None
    unit = source.unit(chip)
    source.origin["pixel_size_um"] = f"{chip} ({unit}) / {_OBJECTIVE}/magnification"
    return size / magnification


def _exposure_ratio(source: Source) -> float:
    """Compare the exposures of projections and flats; 1 where they agree or are unknown."""
    said = (source.text("/process/acquisition/flat_fields/different_flat_exposure") or "").lower()
    exposure = source.number(f"{_DETECTOR}/exposure_time", least=0.0)
    paths = (
        f"{_DETECTOR}/exposure_time_flat",
        "/process/acquisition/flat_fields/flat_exposure_time",
        f"{_DETECTOR}/brightfield_exposure_time",
    )
    path = next((path for path in paths if source.has(path)), None)
    flat = None if path is None else source.number(path, least=0.0)
    if said == "same" or path is None or not exposure or not flat or flat == exposure:
        return 1.0
    source.origin["flat_exposure_ratio"] = f"{_DETECTOR}/exposure_time / {path}"
    source.note(
        f"flats were exposed for {flat:g}, projections for {exposure:g} ({path}): flats less "
        f"darks count {exposure / flat:.4g} times"
    )
    return exposure / flat


def _clock(
    source: Source, projections: Stack, flats: Stack | None
) -> tuple[np.ndarray, np.ndarray | None] | None:
    """Find when frames were taken, where the area detector wrote down their order.

    EPICS area detectors append one entry per frame, in order of acquisition, to
    /defaults/HDF5FrameLocation (the dataset it went to) and /defaults/NDArrayTimeStamp (s).
    """
    places = source.array("/defaults/HDF5FrameLocation")
    if places is None or places.dtype.kind not in "OS":
        return None
    names = np.array([p.decode() if isinstance(p, bytes) else str(p) for p in places.ravel()])
    stamps = source.array("/defaults/NDArrayTimeStamp")
    now = np.arange(len(names), dtype=np.float64)
    origin = "/defaults/HDF5FrameLocation (order of frames)"
    taken = np.isin(names, (_DATA, _WHITE))
    if stamps is not None and stamps.size == len(names) and stamps.dtype.kind == "f":
        seconds = stamps.ravel().astype(np.float64)
        if np.all(np.diff(seconds[taken]) >= 0):  # False for NaN, too
            now, origin = seconds, "/defaults/NDArrayTimeStamp (s)"
    times = now[names == _DATA], now[names == _WHITE]
    expected = len(projections.index), 0 if flats is None else len(flats.index)
    if tuple(map(len, times)) != expected:
        source.note(
            f"/defaults/HDF5FrameLocation lists {len(times[0])} projections and {len(times[1])} "
            f"flats, but the file holds {expected[0]} and {expected[1]}: order of frames unknown"
        )
        return None
    source.origin["projection_time"] = origin
    return times[0], None if flats is None else times[1]
