"""Old scans of P05: a scan.log beside TIFF frames. In: the log; out: Raw."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from xct.errors import ScanError
from xct.io.folders import common_clock, grouped, tiff_files
from xct.io.p05_frames import KINDS, contradicted_counts, empty_darks, find_frames, stacks_of
from xct.io.raw import Raw, Request
from xct.io.ring_current import frame_clock
from xct.io.scanlog import LoggedFrame, ScanLog, read_log
from xct.io.tiff import frame_number, named

SUFFIX = "scan.log"
_TYPICAL = {"energy", "n_dark", "n_ref", "n_img", "n_angle", "exptime", "ccd_pixsize", "magn"}


@dataclass
class _Old:
    """An old scan while it is put together; frames in order of time, where that is known."""

    log: ScanLog
    files: list[Path]
    keys: np.ndarray
    time: np.ndarray | None
    theta_deg: np.ndarray | None = None
    current_ma: np.ndarray | None = None
    flat_current_ma: np.ndarray | None = None
    notes: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


def is_log(file: Path) -> bool:
    """Say whether the file is a scan.log of P05."""
    if not file.name.endswith(SUFFIX) or not file.is_file():
        return False
    return len(_TYPICAL & set(read_log(file).facts)) >= 2


def read_old(file: Path, request: Request) -> Raw:
    """Read an old scan of P05 from its scan.log and the TIFF files beside it.

    Raises
    ------
    ScanError
        With every complaint at once.
    """
    log = read_log(file)
    groups, others = grouped(_files_of(file))
    if "projections" not in groups:
        raise ScanError(
            f"{file}: there are no frames beside it; expected TIFF files that end in _img.tif, "
            "_ref.tif and _dar.tif"
        )
    old = _ordered(log, groups)
    if others:
        old.notes.append(f"{file}: {len(others)} TIFF files are left out: {named(others)}")
    found = find_frames(
        file, [str(path.relative_to(file.parent)) for path in old.files], request.links_below
    )
    old.complaints += found.complaints
    facts = _facts(old)
    stacks, complaints = ({}, []) if found.complaints else stacks_of(old.files, old.keys, old.time)
    if old.complaints or complaints:
        raise ScanError(*old.complaints, *complaints)
    darks = stacks.get("darks")
    if darks is not None and (note := empty_darks(darks.frames)):
        old.notes.append(f"{file}: {note}")
    raw = Raw("p05", (file, *old.files), stacks["projections"], stacks.get("flats"), darks)
    given: dict[str, object] = {**facts, "ring_current_ma": old.current_ma}
    given["flat_ring_current_ma"] = old.flat_current_ma
    if old.theta_deg is not None:
        given["theta_deg"] = old.theta_deg
    origin = {name: str(file) for name, value in given.items() if value is not None}
    return replace(raw, **given, origin=origin, notes=tuple(old.notes))  # type: ignore[arg-type]


def _files_of(file: Path) -> list[Path]:
    """List the frames of this scan: of several scans in a folder, those named like the log."""
    files = tiff_files(file.parent)
    scan = _scan_name(file)
    return [path for path in files if path.name.startswith(scan)] or files


def _scan_name(log: Path) -> str:
    return log.name[: -len(SUFFIX)]


def _index(path: Path, scan: str) -> int:
    """Get the index of a frame, where the name of the scan may end with digits, too."""
    return frame_number(path.with_name(path.name.removeprefix(scan) or path.name))


def _ordered(log: ScanLog, groups: Mapping[str, Sequence[Path]]) -> _Old:
    files = [path for paths in groups.values() for path in paths]
    keys = np.repeat([KINDS[kind] for kind in groups], [len(paths) for paths in groups.values()])
    if log.frames:
        return _as_logged(log, groups)
    clock = common_clock(groups)
    time = None
    if clock is not None:
        unknown = {kind: np.full(len(paths), np.nan) for kind, paths in groups.items()}
        time = np.concatenate([clock.get(kind, unknown[kind]) for kind in groups])
    old = _Old(log, files, keys, time)
    old.theta_deg = log.angles(int(np.sum(keys == 0)))
    if log.image_log is not None:
        old.notes.append(f"{log.image_log}: lists no frames in a way that is known; it is left out")
    if old.theta_deg is None:
        old.notes.append(f"{log.file}: does not tell the angles; give scan.theta_deg")
    return old


def _as_logged(log: ScanLog, groups: Mapping[str, Sequence[Path]]) -> _Old:
    """Take order, angles and ring current from the frames that the log lists."""
    scan = _scan_name(log.file)
    places = {(kind, _index(path, scan)): path for kind in groups for path in groups[kind]}
    listed = {(frame.kind, _index(Path(frame.name), scan)): frame for frame in log.frames}
    complaints = [
        f"{log.file}: {len(missing)} {what}: {named([f'{kind} {n}' for kind, n in missing])}"
        for missing, what in (
            (sorted(set(listed) - set(places)), "frames that it lists are not there"),
            (sorted(set(places) - set(listed)), "frames are there that it does not list"),
        )
        if missing
    ]
    if len(listed) != len(log.frames):
        twice = len(log.frames) - len(listed)
        complaints.append(f"{log.file}: lists {twice} frames twice, by kind and number")
    if complaints:
        raise ScanError(*complaints)
    frames = log.frames
    files = [places[key] for key in listed]
    keys = np.array([KINDS[frame.kind] for frame in frames])
    times = np.array([frame.time_ms for frame in frames])
    time, note = frame_clock(times)
    old = _Old(log, files, keys, time)
    if note and np.isfinite(times).any():
        old.notes.append(f"{log.file}: {note}")
    projections = [frame for frame in frames if frame.kind == "projections"]
    old.theta_deg = _known(projections, "angle_deg")
    if old.theta_deg is None:
        old.theta_deg = log.angles(len(projections))
    old.current_ma = _known(projections, "current_ma")
    flats = [frame for frame in frames if frame.kind == "flats"]
    old.flat_current_ma = _known(flats, "current_ma")
    return old


def _known(frames: Sequence[LoggedFrame], name: str) -> np.ndarray | None:
    values = np.array([getattr(frame, name) for frame in frames])
    return values if np.isfinite(values).all() else None


def _facts(old: _Old) -> dict[str, float | None]:
    """Read the facts of the log; complaints and notes go to `old`."""
    log = old.log
    try:
        said = {name: log.number(name) for name in ("n_dark", "n_ref", "n_img", "n_angle")}
        projections = int(np.sum(old.keys == 0))
        if said["n_angle"] == projections - 1:
            said["n_angle"] = projections  # some old scans count steps, with a last frame after
        old.complaints += contradicted_counts(log.file, said, old.keys)
        energy_ev = _positive(old, "energy")
        return {
            "energy_kev": None if energy_ev is None else energy_ev / 1000,
            "distance_mm": log.number("o_ccd_dist", "camera_distance", "camera_dist"),
            "pixel_size_um": _pixel_size_um(old),
        }
    except ScanError as error:
        old.complaints += error.complaints
        return {}


def _positive(old: _Old, *names: str) -> float | None:
    value = old.log.number(*names)
    if value is not None and not value > 0:
        old.notes.append(f"{old.log.file}: {names[0]} = {value:g} cannot be; it is left out")
        return None
    return value


def _pixel_size_um(old: _Old) -> float | None:
    """Effective pixel size: `eff_pix`, or `ccd_pixsize` / `magn`; in mm in the log."""
    direct = _positive(old, "eff_pix", "eff_pix_size")
    pixel, magnification = _positive(old, "ccd_pixsize"), _positive(old, "magn")
    computed = None if pixel is None or magnification is None else pixel / magnification
    if direct is None or computed is None:
        known = computed if direct is None else direct
        return None if known is None else known * 1000
    if abs(direct - computed) > 0.05 * computed:
        old.notes.append(
            f"{old.log.file}: eff_pix = {direct:g} mm, but ccd_pixsize / magn = {computed:g} mm; "
            "set scan.pixel_size_um"
        )
        return None
    return direct * 1000


def scan_logs(folder: Path) -> list[Path]:
    """List the logs of old scans in a folder."""
    return sorted(path for path in folder.iterdir() if re.search(r"scan\.log$", path.name))
