"""DXchange (APS and many others). In: one HDF5 file with /exchange/data; out: Raw."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np

from xct.io.hdf5.files import Hdf5Frames
from xct.io.hdf5.source import Source
from xct.io.scans.raw import Raw, Request, Series, Stack
from xct.io.scans.series import missing, series_of, with_series

_DATA, _WHITE, _DARK = "/exchange/data", "/exchange/data_white", "/exchange/data_dark"
_SYSTEM = "/measurement/instrument/detection_system"
_DETECTOR = "/measurement/instrument/detector"
_IDS = "/defaults/NDArrayUniqueId"
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
        theta_deg = _angles(source, request.paths.get("theta_deg", "/exchange/theta"))
        frames = source.frames(data, request.angle_count if theta_deg is None else len(theta_deg))
        written = source.written(data, frames)
        projections, flats, darks = (
            Stack(frames, written),
            _stack(source, _WHITE, frames),
            _stack(source, _DARK, frames),
        )
        clock = _clock(source, projections, flats)
        if clock is not None:
            projections = Stack(projections.frames, projections.index, clock[0])
            flats = None if flats is None else Stack(flats.frames, flats.index, clock[1])
        raw = Raw(
            layout="dxchange",
            projections=projections,
            flats=flats,
            darks=darks,
            theta_deg=theta_deg,
            pixel_size_um=dxchange_pixel_um(source),
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
        return _with_series(raw, source, frames.shape[0])


def _stack(source: Source, path: str, like: Hdf5Frames) -> Stack | None:
    """Get flats or darks; None where there are none, or an empty dataset."""
    found = source.find(path)
    if found is None or not isinstance(found, h5py.Dataset) or not found.size:
        return None
    # Flats beside sinograms are sinograms, too: their rows come first.
    count = None
    if like.axes == (1, 0, 2) and found.ndim == 3 and found.shape[1:] != like.shape[1:]:
        count = found.shape[1] if found.shape[0] == like.shape[1] else None
    frames = source.frames(path, count)
    return Stack(frames, np.arange(frames.shape[0]))


def _angles(source: Source, path: str) -> np.ndarray | None:
    """Read the angles, or make them from what the acquisition program noted."""
    angles = source.angles(path)
    if angles is not None:
        return angles
    place = "/process/acquisition/rotation"
    start, step = (source.number(f"{place}/{name}") for name in ("start", "step"))
    count = source.number(f"{place}/num_angles", least=0.0)
    if start is None or step is None or not step or count is None or count != round(count):
        return None
    source.origin["theta_deg"] = f"{place} (start, step and num_angles)"
    return start + step * np.arange(round(count))


def _with_series(raw: Raw, source: Source, length: int) -> Raw:
    """Add which projections of the series are there, where the area detector counted frames.

    EPICS area detectors append one entry for each saved frame to /defaults/NDArrayUniqueId; the
    counter goes on where a frame was lost.
    """
    theta_deg, written = raw.theta_deg, raw.projections.index
    planned = None if theta_deg is None else len(theta_deg)
    if len(written) < length:  # `Source.written` says so
        where = "frames that were never written"
        return replace(raw, series=Series(written, max(length, planned or 0), where))
    ids = _unique_ids(source)
    if ids is None or len(ids) != len(written):
        return raw
    if planned != len(written):
        return with_series(raw, series_of(ids, _IDS, planned, sure=True))
    series = series_of(ids, _IDS, sure=True)
    lost = missing(series)
    if not lost.size:
        return raw
    note = (
        f"{_IDS} says that {lost.size} frames were lost between others, but there are as many "
        f"angles ({raw.origin['theta_deg']}) as frames: if these are the angles that were "
        "planned, not measured ones, slices are wrong; then name a text file with the angle of "
        "each frame by scan.theta_deg"
    )
    return replace(raw, series=series, notes=(*raw.notes, note))


def _unique_ids(source: Source) -> np.ndarray | None:
    """Read the counter of the projections."""
    ids, places = source.array(_IDS), source.array("/defaults/HDF5FrameLocation")
    if ids is None or ids.dtype.kind not in "iuf" or not np.all(np.isfinite(ids)):
        return None
    ids = ids.reshape(-1)
    if places is not None and places.size == ids.size:
        ids = ids[np.array([source.text_of(place) == _DATA for place in places.ravel()])]
    return np.asarray(ids, np.int64)


def dxchange_pixel_um(source: Source) -> float | None:
    """Find the effective pixel size: said outright, or that of the chip by magnification.

    Parameters
    ----------
    source : Source
        The file, open; where the size comes from is noted as its origin.

    Returns
    -------
    float or None
        None where the file does not say it.
    """
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
    names = np.array([source.text_of(place) for place in places.ravel()])
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
