"""TOMCAT (Swiss Light Source). In: TIFF files of one numbering, and their log; out: Raw."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from xct.errors import ScanError
from xct.io.atomic import read_small
from xct.io.scans.raw import Raw, Request, Series, Stack
from xct.io.scans.series import missing, with_series
from xct.io.tiff.stacks import SUFFIXES, frame_number, named, natural_order, open_stack

_LARGEST_LOG = 2**20
_LINE = re.compile(
    r"^\s*(?P<name>[A-Za-z][^:\[\]]*?)\s*(\[(?P<unit>[^\]]*)\])?\s*:\s*(?P<value>.+?)\s*$"
)


@dataclass(frozen=True)
class Log:
    """What the log of a scan says; None: it does not say it."""

    file: Path
    projections: int
    darks: int
    flats: int
    first_deg: float | None
    last_deg: float | None
    step_deg: float | None
    pixel_size_um: float | None
    energy_kev: float | None


def read_log(file: Path) -> Log | None:
    """Read a log of TOMCAT; None where it is something else."""
    try:
        if file.suffix != ".log" or file.stat().st_size > _LARGEST_LOG:
            return None
        lines = read_small(file).decode("utf-8", errors="replace").splitlines()
    except OSError:
        return None
    said = {
        match["name"].strip().lower(): match["value"]
        for match in map(_LINE.match, lines)
        if match is not None
    }
    counts = [_number(said.get(f"number of {kind}")) for kind in ("projections", "darks", "flats")]
    if None in counts:
        return None
    projections, darks, flats = (int(count) for count in counts if count is not None)
    if projections < 1:
        return None
    return Log(
        file,
        projections,
        darks,
        flats,
        _number(said.get("rot y min position")),
        _number(said.get("rot y max position")),
        _number(said.get("angular step")),
        _number(said.get("actual pixel size")),
        _number(said.get("beam energy")),
    )


def _number(text: str | None) -> float | None:
    match = re.match(r"[-+]?\d+(\.\d*)?([eE][-+]?\d+)?", text or "")
    return float(match[0]) if match else None


def find_log(path: Path) -> Log | None:
    """Find the log of a scan: `path` itself, or the one log in a folder, or in its folder tif."""
    if path.is_file():
        return read_log(path)
    if not path.is_dir():
        return None
    for folder in (path, path / "tif"):
        logs = [log for file in sorted(folder.glob("*.log")) if (log := read_log(file))]
        if len(logs) == 1:
            return logs[0]
    return None


def _frames(log: Log) -> list[Path]:
    """List the frames that lie beside a log, or in the folder tif, and are named like it."""
    for folder in (log.file.parent, log.file.parent / "tif"):
        files = [
            path
            for path in (folder.iterdir() if folder.is_dir() else ())
            if path.suffix.lower() in SUFFIXES
            and path.stem.startswith(log.file.stem)
            and path.stem[len(log.file.stem) :].strip("_").isdigit()
            and path.is_file()
        ]
        if files:
            return natural_order(files)
    return []


def recognizes(path: Path) -> bool:
    """Whether the path is a log of TOMCAT, or a folder with one, and frames lie beside it."""
    try:
        log = find_log(path)
        return log is not None and bool(_frames(log))
    except OSError:
        return False


def read(path: Path, request: Request) -> Raw:
    """Read a scan of TOMCAT: darks, flats, projections and flats in one numbering.

    Parameters
    ----------
    path : Path
        The folder, or the log in it, which says how many frames there are of each kind.
    request : Request
        Not used: TIFF files name no other files.

    Raises
    ------
    ScanError
        If there are more frames than the log says, or none of a kind.

    References
    ----------
    The order is that of DXchange's `read_sls_tomcat`, doi:10.1107/S160057751401604X.
    """
    del request
    log = find_log(path)
    assert log is not None  # `recognizes` found it
    files = _frames(log)
    number = np.array([frame_number(file) for file in files])
    position = number - min(int(number[0]), 1)
    before = log.darks + log.flats
    after = before + log.projections
    if position[-1] >= after + log.flats:
        raise ScanError(
            f"{log.file}: says {log.darks} darks, {log.flats} flats before and after, and "
            f"{log.projections} projections, but a frame has the number {number[-1]}: "
            f"{files[-1].name}. Name the frames by scan.projections, scan.flats and scan.darks"
        )
    kinds = {
        "darks": position < log.darks,
        "flats": ((position >= log.darks) & (position < before)) | (position >= after),
        "projections": (position >= before) & (position < after),
    }
    stacks: dict[str, Stack] = {}
    for kind, chosen in kinds.items():
        those = [file for file, is_one in zip(files, chosen, strict=True) if is_one]
        if those:
            frames = open_stack(those)
            stacks[kind] = Stack(frames, np.arange(len(those)), position[chosen].astype(float))
    if "projections" not in stacks:
        raise ScanError(f"{log.file}: there are {len(files)} frames, none of them a projection")
    facts = {
        "pixel_size_um": _positive(log.pixel_size_um),
        "energy_kev": _positive(log.energy_kev),
        "theta_deg": _angles(log),
    }
    raw = Raw(
        layout="tomcat",
        files=(log.file, *files),
        projections=stacks["projections"],
        flats=stacks.get("flats"),
        darks=stacks.get("darks"),
        origin={name: log.file.name for name, value in facts.items() if value is not None},
        **facts,  # type: ignore[arg-type]
    )
    series = Series(
        position[kinds["projections"]] - before, log.projections, f"numbers, {log.file.name}"
    )
    if not missing(series).size and len(raw.projections.index) == log.projections:
        return raw
    return with_series(raw, series)


def _positive(value: float | None) -> float | None:
    return value if value is not None and value > 0 else None


def _angles(log: Log) -> np.ndarray | None:
    """Angles of all projections that were planned; the last one is that of the log, or one before.

    The step is printed with few digits: of the two, the one that fits it better is taken.
    """
    first, last, count = log.first_deg, log.last_deg, log.projections
    if first is None or last is None or last == first or count < 2:
        return None
    with_last = np.linspace(first, last, count)
    without_last = np.linspace(first, last, count, endpoint=False)
    if log.step_deg is None:
        return with_last
    steps = [abs(abs(angles[1] - angles[0]) - log.step_deg) for angles in (with_last, without_last)]
    return with_last if steps[0] <= steps[1] else without_last


def told_apart(files: Sequence[Path], request: Request) -> Raw | None:
    """Read files that are named as projections, but of which a log says that some are not.

    Returns
    -------
    Raw or None
        The scan of the log, where the files are all of its frames; None where no log speaks of
        them, or of no more than its projections.

    Raises
    ------
    ScanError
        If they are a part of its frames, of more than one kind.
    """
    logs = {log.file: log for folder in {f.parent for f in files} if (log := find_log(folder))}
    for log in logs.values():
        frames = set(_frames(log))
        own = [path for path in files if path in frames]
        if len(own) <= log.projections:
            continue
        kinds = (
            f"{log.darks} darks, {log.flats} flats before and after, and {log.projections} "
            "projections"
        )
        if set(files) == frames:
            raw = read(log.file, request)
            note = f"{log.file.name} says which files named as projections are {kinds}"
            return replace(raw, notes=(*raw.notes, note))
        raise ScanError(
            f"projections: {log.file.name} says that {named([path.name for path in own], 1)} "
            f"are {kinds}: name the folder instead, scan.file: {log.file.parent}"
        )
    return None
