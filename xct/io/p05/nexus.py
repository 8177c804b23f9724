"""P05 and P07, PETRA III: the file *_nexus.h5, which describes frames in TIFF files."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from xct.errors import ScanError
from xct.io.hdf5.source import Source
from xct.io.p05.frames import (
    KINDS,
    contradicted_counts,
    empty_darks,
    find_frames,
    frame_clock,
    mean_current_ma,
    stacks_of,
)
from xct.io.scans.angles import angles_of_projections
from xct.io.scans.raw import Raw, Request
from xct.io.units import unit_factor

SCAN = "/entry/scan"
IMAGE_FILE = f"{SCAN}/data/image_file/value"
_IMAGE_TIME = f"{SCAN}/data/image_file/time"
_IMAGE_KEY = f"{SCAN}/data/image_key/value"
_ANGLE = f"{SCAN}/data/s_rot/value"
_STAGE_X = f"{SCAN}/data/s_stage_x/value"
_CURRENT = "/entry/hardware/beam_current/current"
_CAMERAS = tuple(f"/entry/hardware/camera{number}" for number in ("", "1", "2"))
_ENERGIES = tuple(f"{SCAN}/setup/{name}" for name in ("pos_p05_energy", "p07_energy"))
_DISTANCES = tuple(f"{SCAN}/setup/{name}" for name in ("o_ccd_dist", "pos_o_ccd_dist"))
_COUNTS = ("n_dark", "n_ref", "n_img", "n_angle")


@dataclass
class _Nexus:
    """What one file says, and what is wrong with it."""

    source: Source
    names: list[str]
    keys: np.ndarray
    time_ms: np.ndarray | None
    errors: list[str] = field(default_factory=list)

    @property
    def file(self) -> Path:
        return self.source.file


def names_frames(file: Path) -> bool:
    """Say whether the file names any frames."""
    with Source(file, Request()) as source:
        names = source.array(IMAGE_FILE)
    return names is not None and names.size > 0


def read_nexus(file: Path, request: Request) -> Raw:
    """Read a scan of P05 or P07 from its *_nexus.h5.

    Raises
    ------
    ScanError
        With every error at once: counts, keys and angles that contradict each other,
        frames that are missing, differ, or lie outside of the scan's folder.
    """
    with Source(file, request) as source:
        nexus = _opened(source)
        found = find_frames(file, nexus.names, request.links_below)
        said = {name: source.number(f"{SCAN}/{name}") for name in _COUNTS}
        nexus.errors += found.errors
        for interrupted, text in contradicted_counts(file, said, nexus.keys):
            # The angle of each frame is on record: what is there can be used.
            if interrupted:
                source.note(f"{text} The frames that are there are used")
            else:
                nexus.errors.append(text)
        theta_deg = _angles(nexus)
        if found.errors:
            raise ScanError(*nexus.errors)
        stacks, errors = stacks_of(found.files, nexus.keys, _clock(nexus))
        if nexus.errors or errors:
            raise ScanError(*nexus.errors, *errors)
        pixel_um = _pixel_size_um(source)
        _note_stage(nexus, pixel_um)
        current, flat_current = _ring_current(nexus)
        darks = stacks.get("darks")
        if darks is not None and (note := empty_darks(darks.frames)):
            source.note(f"{file}: {note}")
        return Raw(
            layout="p05",
            files=(*source.files, *found.files),
            projections=stacks["projections"],
            flats=stacks.get("flats"),
            darks=darks,
            theta_deg=theta_deg,
            pixel_size_um=pixel_um,
            energy_kev=_fact(source, "energy_kev", _ENERGIES, "keV", 1e-3),
            distance_mm=_fact(source, "distance_mm", _DISTANCES, "mm", 1.0, least=0.0),
            ring_current_ma=current,
            flat_ring_current_ma=flat_current,
            origin=dict(source.origin),
            notes=tuple(source.notes),
        )


def _opened(source: Source) -> _Nexus:
    """Read names, keys and times; nothing else makes sense where these do not agree."""
    file = source.file
    names = [_text(value) for value in source.values(IMAGE_FILE).reshape(-1)]
    keys = source.values(_IMAGE_KEY).reshape(-1)
    time_ms = source.array(_IMAGE_TIME)
    others = {_IMAGE_KEY: len(keys)}
    if time_ms is None:
        source.note(f"{file}: has no {_IMAGE_TIME}; the order of the frames is their clock")
    else:
        others[_IMAGE_TIME] = time_ms.size
    errors = [
        f"{file}: {IMAGE_FILE} names {len(names)} frames, but {path} has {count} values; "
        "was the scan interrupted? Use a whole copy, or name the frames by patterns in "
        "scan.projections, scan.flats and scan.darks"
        for path, count in others.items()
        if count != len(names)
    ]
    if not len(names) or not (keys == KINDS["projections"]).any():
        errors.append(f"{file}: there is not a single projection (key 0) in {_IMAGE_KEY}")
    if errors:
        raise ScanError(*errors)
    unknown = ~np.isin(keys, list(KINDS.values()))
    if unknown.any():
        source.note(
            f"{file}: {unknown.sum()} of {len(keys)} frames are left out: their key is not "
            "0 (projection), 1 (flat) or 2 (dark)"
        )
    return _Nexus(source, names, keys, None if time_ms is None else time_ms.reshape(-1))


def _text(value: bytes | str) -> str:
    text = value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)
    return text.split("\0")[0].strip()


def _clock(nexus: _Nexus) -> np.ndarray:
    if nexus.time_ms is None:
        return np.arange(len(nexus.names), dtype=np.float64)
    time, note = frame_clock(nexus.time_ms)
    if note:
        nexus.source.note(f"{nexus.file}: {note}")
    return time


def _angles(nexus: _Nexus) -> np.ndarray | None:
    angles = nexus.source.angles(_ANGLE)
    if angles is None:
        nexus.source.note(f"{nexus.file}: has no angles ({_ANGLE}); give scan.theta_deg")
        return None
    try:
        return angles_of_projections(angles, nexus.keys, _ANGLE, str(nexus.file))
    except ScanError as error:
        nexus.errors += error.errors
        return None


def _fact(
    source: Source, name: str, paths: tuple[str, ...], to: str, factor: float, least: float = 1e-9
) -> float | None:
    """Read the first of several paths with a possible value; units as P05 writes them."""
    for path in paths:
        value = source.number(path)
        if value is None:
            continue
        if value < least:
            source.note(f"{source.file}: {path} = {value:g} cannot be; set scan.{name}")
            continue
        unit = source.unit(path)
        said = unit_factor(unit, to) if unit else None
        source.origin[name] = path
        return value * (factor if said is None else said)
    return None


def _pixel_size_um(source: Source) -> float | None:
    for camera in _CAMERAS:
        pixel_um = _fact(source, "pixel_size_um", (f"{camera}/pixelsize",), "um", 1e3)
        if pixel_um is None:
            continue
        path = f"{camera}/magnification"
        magnification = source.number(path)
        if magnification is None or magnification <= 0:
            said = "is missing" if magnification is None else f"= {magnification:g}"
            source.note(
                f"{source.file}: {path} {said}, so the effective pixel size is not known; "
                "set scan.pixel_size_um"
            )
            del source.origin["pixel_size_um"]
            return None
        source.origin["pixel_size_um"] = f"{camera}/pixelsize / magnification"
        return pixel_um / magnification
    return None


def _note_stage(nexus: _Nexus, pixel_um: float | None) -> None:
    """Say that the sample was moved sideways while it turned: frames are not shifted back."""
    position_mm = nexus.source.array(_STAGE_X)
    if position_mm is None or position_mm.dtype.kind not in "iuf":
        return
    try:
        of_projections = angles_of_projections(position_mm.reshape(-1), nexus.keys, _STAGE_X)
    except ScanError:
        nexus.source.note(
            f"{nexus.file}: {_STAGE_X} is left out: it has {position_mm.size} values for "
            f"{len(nexus.keys)} frames"
        )
        return
    range_um = float(np.ptp(of_projections)) * 1000
    if range_um > (pixel_um or 1.0):
        nexus.source.note(
            f"{nexus.file}: the lateral stage ({_STAGE_X}) moved by {range_um:.4g} µm between "
            "projections; they are not shifted back"
        )


def _ring_current(nexus: _Nexus) -> tuple[np.ndarray, np.ndarray] | tuple[None, None]:
    """Find the ring current of each projection and of each flat."""
    source = nexus.source
    reading_ms, reading_ma = (source.array(f"{_CURRENT}/{name}") for name in ("time", "value"))
    if nexus.time_ms is None or reading_ms is None or reading_ma is None or not reading_ms.size:
        return None, None
    if reading_ms.size != reading_ma.size:
        source.note(
            f"{nexus.file}: the ring current is left out: {reading_ms.size} times, but "
            f"{reading_ma.size} values"
        )
        return None, None
    exposures = (source.number(f"{camera}/exptime", least=0.0) for camera in _CAMERAS)
    exposure_ms = next((value for value in exposures if value is not None), None)
    current, flat_current = (
        mean_current_ma(
            nexus.time_ms[nexus.keys == KINDS[kind]],
            exposure_ms,
            reading_ms.reshape(-1),
            reading_ma.reshape(-1),
        )
        for kind in ("projections", "flats")
    )
    unknown = int(np.isnan(current).sum())
    if unknown == len(current):
        source.note(f"{nexus.file}: {_CURRENT} holds no reading from the time of the projections")
        return None, None
    unknown += int(np.isnan(flat_current).sum())
    if unknown:
        source.note(
            f"{nexus.file}: the ring current is not known for {unknown} of "
            f"{len(current) + len(flat_current)} projections and flats, which lie before the "
            "first reading or after the last; counts are not scaled by it"
        )
    source.origin["ring_current_ma"] = _CURRENT
    return current, flat_current
