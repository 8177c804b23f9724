"""Old scans of P05: a scan.log beside TIFF frames. In: the log; out: Raw."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

import numpy as np

from xct.errors import ScanError
from xct.io.atomic import read_small
from xct.io.p05.frames import (
    KINDS,
    contradicted_counts,
    empty_darks,
    find_frames,
    frame_clock,
    stacks_of,
)
from xct.io.scans.raw import Raw, Request
from xct.io.scans.tiff_scans import common_clock, grouped, tiff_files
from xct.io.tiff.stacks import frame_number, named

# scan.log of P05. In: its text; out: facts, and the frames that it lists, if it does.

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_FACT = re.compile(r"([A-Za-z_]\w*)\s*[=:]\s*(.+)")
# dark /gpfs/…/scan00000.dar; img /gpfs/…/scan00012.img  0.45000 (the angle)
_FRAME = re.compile(rf"(dark|dar|ref|img)\s+(\S*\d\S*)(?:\s+({_NUMBER}))?")
# @1480217687541[99.99254@1480217687487]: when it was asked, the ring current, when it was read
_CURRENT = re.compile(rf"@(\d+)\[({_NUMBER})@\d+\]")
_LIST = ("angle_list",)
_FIRST = ("angle_start", "angle_first", "start_angle")
_LAST = ("angle_stop", "angle_last", "angle_end", "stop_angle", "end_angle")
_RANGE = ("angle_range", "rotation")


@dataclass(frozen=True)
class LoggedFrame:
    """One frame as the log lists it, in order of time.

    Attributes
    ----------
    kind : {"projections", "flats", "darks"}
    name : str
        Its file as the log has it, without folder and extension.
    angle_deg, current_ma, time_ms : float
        NaN where the log does not say it; the current is the mean of the readings before and
        after the frame, the time that of the reading before it.
    """

    kind: str
    name: str
    angle_deg: float = np.nan
    current_ma: float = np.nan
    time_ms: float = np.nan


@dataclass
class ScanLog:
    """What a log says: every value of each key as written, and the frames it lists."""

    file: Path
    image_log: Path | None = None
    facts: dict[str, list[str]] = field(default_factory=dict)
    frames: list[LoggedFrame] = field(default_factory=list)

    def number(self, *names: str) -> float | None:
        """Get the first number that stands at one of the names.

        Raises
        ------
        ScanError
            If a key stands in the log several times with different numbers.
        """
        for name in names:
            found = [re.match(_NUMBER, text) for text in self.facts.get(name, ())]
            values = {float(match.group()) for match in found if match}
            if len(values) > 1:
                listed = " and ".join(f"{value:g}" for value in sorted(values))
                raise ScanError(f"{self.file}: {name} stands there several times, as {listed}")
            if values:
                return values.pop()
        return None

    def numbers(self, *names: str) -> np.ndarray | None:
        """Get the list of numbers that stands at one of the names."""
        for name in names:
            for text in self.facts.get(name, ()):
                found = re.findall(_NUMBER, text)
                if found:
                    return np.array(found, np.float64)
        return None

    def angles(self, count: int) -> np.ndarray | None:
        """Work out the angles of `count` projections, in degrees, where the log gives them.

        They are listed, or given by first and last (included), or by their range and the
        number of steps `n_angle`. None where it says none of these: nothing is guessed.
        """
        listed = self.numbers(*_LIST)
        if listed is not None and len(listed) == count:
            return listed
        first, last = self.number(*_FIRST), self.number(*_LAST)
        if first is not None and last is not None:
            return np.linspace(first, last, count)
        span, steps = self.number(*_RANGE), self.number("n_angle")
        if span is None or steps not in (count, count - 1) or not steps:
            return None
        return (first or 0.0) + np.arange(count) * (span / steps)


_KINDS = {"dark": "darks", "dar": "darks", "ref": "flats", "img": "projections"}


def read_log(file: Path) -> ScanLog:
    """Read a scan.log, and the image.log beside it, if there is one.

    Raises
    ------
    ScanError
        If the file cannot be read.
    """
    log = ScanLog(file)
    _parse(_text(file), log)
    image_log = file.with_name(file.name[: -len("scan.log")] + "image.log")
    if image_log.is_file():
        log.image_log = image_log
        _parse(_text(image_log), log)
    return log


def _text(path: Path) -> str:
    try:
        return read_small(path).decode("utf-8", errors="replace")
    except FileNotFoundError:
        raise ScanError(f"{path}: there is no such file") from None
    except OSError as error:
        raise ScanError(f"{path}: cannot be read: {error.strerror}") from None


def _parse(text: str, log: ScanLog) -> None:
    reading = waiting = None  # the last reading of the current, a frame that waits for the next
    for line in map(str.strip, text.splitlines()):
        current, frame = _CURRENT.fullmatch(line), _FRAME.fullmatch(line)
        if current:
            time_ms, value = float(current[1]), float(current[2])
            if waiting is not None and reading is not None:
                mean = (reading[1] + value) / 2
                log.frames.append(LoggedFrame(*waiting, mean, reading[0]))
                waiting = None
            reading = time_ms, value
        elif frame:
            if waiting is not None:
                log.frames.append(LoggedFrame(*waiting))
            name = PurePosixPath(frame[2]).stem
            waiting = _KINDS[frame[1]], name, float(frame[3] or "nan")
        elif not line.startswith(("*", "#", "@", "/")) and (fact := _FACT.fullmatch(line)):
            log.facts.setdefault(fact[1].lower(), []).append(fact[2])
    if waiting is not None:
        log.frames.append(LoggedFrame(*waiting))


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
    errors: list[str] = field(default_factory=list)


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
        With every error at once.
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
    old.errors += found.errors
    facts = _facts(old)
    stacks, errors = ({}, []) if found.errors else stacks_of(old.files, old.keys, old.time)
    if old.errors or errors:
        raise ScanError(*old.errors, *errors)
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
        old.notes.append(f"{log.file}: does not give the angles; give scan.theta_deg")
    return old


def _as_logged(log: ScanLog, groups: Mapping[str, Sequence[Path]]) -> _Old:
    """Take order, angles and ring current from the frames that the log lists."""
    scan = _scan_name(log.file)
    places = {(kind, _index(path, scan)): path for kind in groups for path in groups[kind]}
    listed = {(frame.kind, _index(Path(frame.name), scan)): frame for frame in log.frames}
    errors = [
        f"{log.file}: {len(missing)} {what}: {named([f'{kind} {n}' for kind, n in missing])}"
        for missing, what in (
            (sorted(set(listed) - set(places)), "frames that it lists are not there"),
            (sorted(set(places) - set(listed)), "frames are there that it does not list"),
        )
        if missing
    ]
    if len(listed) != len(log.frames):
        twice = len(log.frames) - len(listed)
        errors.append(f"{log.file}: lists {twice} frames twice, by kind and number")
    if errors:
        raise ScanError(*errors)
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
    """Read the facts of the log; errors and notes go to `old`."""
    log = old.log
    try:
        said = {name: log.number(name) for name in ("n_dark", "n_ref", "n_img", "n_angle")}
        projections = int(np.sum(old.keys == 0))
        if said["n_angle"] == projections - 1:
            said["n_angle"] = projections  # some old scans count steps, with a last frame after
        # Angles follow from the counts, so that even an interrupted scan has none.
        old.errors += [text for _, text in contradicted_counts(log.file, said, old.keys)]
        energy_ev = _positive(old, "energy")
        return {
            "energy_kev": None if energy_ev is None else energy_ev / 1000,
            "distance_mm": log.number("o_ccd_dist", "camera_distance", "camera_dist"),
            "pixel_size_um": _pixel_size_um(old),
        }
    except ScanError as error:
        old.errors += error.errors
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
