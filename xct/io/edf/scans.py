"""Scans of the ESRF in EDF files. In: a folder, or a file of it; out: Raw.

NAME/NAME0000.edf …     projections; behind TOMO_N of them frames at repeated angles
NAME/refHST0000.edf …   median of the references taken before the projection of that number
NAME/ref0000_0000.edf … single references: their number, and that of the projection
NAME/darkend0000.edf    sum of DARK_N exposures; dark.edf is their mean
NAME/NAME.info, .xml    TOMO_N, ScanRange, PixelSize (µm), Energy (keV), Distance (mm)
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from xct.errors import ScanError
from xct.io.edf.facts import Facts, find_facts
from xct.io.edf.frames import EdfFrames, missing_reader, open_frames, read_header
from xct.io.scans.raw import Raw, Request, Series, Stack
from xct.io.scans.series import with_series

_PROJECTION = re.compile(r"^(?P<stem>.*?)_?(?P<number>\d{4,6})\.edf$", re.IGNORECASE)
_REFERENCE = re.compile(r"^ref(?P<own>\d+)_(?P<number>\d+)\.edf$", re.IGNORECASE)
_MEDIAN = re.compile(r"^refhst(?P<number>\d+)\.edf$", re.IGNORECASE)
_DARK_SUM = re.compile(r"^darkend(?P<number>\d+)\.edf$", re.IGNORECASE)
_DARK_MEAN = re.compile(r"^dark(hst)?\d*\.edf$", re.IGNORECASE)
_NO_PROJECTION = re.compile(r"^(ref|dark|scan_|slice_|flat)", re.IGNORECASE)
_TURNING = re.compile(r"rot|omega|theta|pmo|phi", re.IGNORECASE)
# Angles at which frames are repeated behind a scan, by its range and their number.
_REPEATED = {
    (180, 1): (180,),
    (180, 3): (180, 90, 0),
    (360, 1): (360,),
    (360, 5): (360, 270, 180, 90, 0),
}


def recognizes(path: Path) -> bool:
    """Whether the path is a folder with EDF projections, or a file in one."""
    try:
        folder = _folder(path)
        return folder is not None and bool(_projections(_edf_files(folder), folder))
    except OSError:
        return False


def _folder(path: Path) -> Path | None:
    if path.is_dir():
        return path
    if path.suffix.lower() in (".edf", ".info"):
        return path.parent
    return None


def _edf_files(folder: Path) -> list[Path]:
    return sorted(f for f in folder.iterdir() if f.suffix.lower() == ".edf" and f.is_file())


def _projections(files: Sequence[Path], folder: Path) -> dict[int, Path]:
    """Find the projections by number: named as the folder is, else as most files are."""
    named: dict[str, dict[int, Path]] = {}
    for file in files:
        match = _PROJECTION.match(file.name)
        if match and not _NO_PROJECTION.match(file.name):
            named.setdefault(match["stem"], {})[int(match["number"])] = file
    if folder.name in named:
        return named[folder.name]
    if not named:
        return {}
    return named[Counter({stem: len(those) for stem, those in named.items()}).most_common(1)[0][0]]


def read(path: Path, request: Request) -> Raw:
    """Read a scan of the ESRF.

    Raises
    ------
    ScanError
        If fabio is not installed, or files are damaged.

    References
    ----------
    Mirone, Brun, Gouillart, Tafforeau & Kieffer (2014), Nucl. Instrum. Methods B 324, 41, on
    PyHST2, for which these files are written. doi:10.1016/j.nimb.2013.09.030
    """
    del request  # EDF files name no other files
    folder = _folder(path)
    assert folder is not None  # `recognizes` found it
    if reason := missing_reader():
        raise ScanError(f"{folder}: {reason}")
    files = _edf_files(folder)
    numbered = dict(sorted(_projections(files, folder).items()))
    facts = find_facts(folder)
    numbers, angles, notes, origin = _angles(numbered, facts)
    taken = [numbered[number] for number in numbers]
    stack = Stack(open_frames(taken), np.arange(len(taken)), np.asarray(numbers, float) + 0.5)
    flats, more = _flats(files)
    darks, of_darks = _darks(files, facts, stack.frames)
    said = {} if facts is None else {
        "pixel_size_um": facts.pixel_size_um,
        "energy_kev": facts.energy_kev,
        "distance_mm": facts.distance_mm,
    }  # fmt: skip
    if facts is not None:
        origin |= {name: facts.file.name for name, value in said.items() if value is not None}
    current, of_flats = _ring_current(taken), _ring_current(more)
    if current is not None and of_flats is not None:
        origin["ring_current_ma"] = "current of the ring in the headers"
    raw = Raw(
        layout="edf",
        files=(*([facts.file] if facts else []), *taken, *more, *of_darks.files),
        projections=stack,
        flats=flats,
        darks=darks,
        theta_deg=angles,
        ring_current_ma=current,
        flat_ring_current_ma=of_flats,
        origin=origin,
        notes=(*notes, *of_darks.notes),
        **said,  # type: ignore[arg-type]
    )
    planned = facts.projections if facts is not None else None
    whole = None if angles is None else len(angles)
    if planned is None or whole == len(numbers):
        return raw
    return with_series(raw, Series(np.asarray(numbers), whole, f"numbers, {facts.file.name}"))  # type: ignore[union-attr]


def _angles(
    numbered: dict[int, Path], facts: Facts | None
) -> tuple[list[int], np.ndarray | None, list[str], dict[str, str]]:
    """Choose the frames whose angles are known, and give the angles of all that were planned."""
    numbers = list(numbered)
    if facts is None or facts.projections is None or facts.range_deg is None:
        turned, motor = _by_motor(list(numbered.values()))
        origin = {} if turned is None else {"theta_deg": f"motor {motor} in the headers"}
        return numbers, turned, [], origin
    count, turn = facts.projections, facts.range_deg
    angles = np.arange(count) * turn / count
    behind = [number for number in numbers if number >= count]
    repeated = _REPEATED.get((round(turn), len(behind)))
    notes = []
    if behind and (repeated is None or behind != list(range(count, count + len(behind)))):
        notes.append(
            f"{len(behind)} frames behind the {count} projections of {facts.file.name} are left "
            "out: at which angles they were taken is not known"
        )
        numbers = [number for number in numbers if number < count]
    elif repeated is not None:
        angles = np.concatenate([angles, np.asarray(repeated, float)])
    wrong = _other_motor(numbered, numbers, angles)
    notes += [wrong] if wrong else []
    return numbers, angles, notes, {"theta_deg": f"ScanRange and TOMO_N of {facts.file.name}"}


def _by_motor(files: Sequence[Path]) -> tuple[np.ndarray | None, str]:
    """Read the angle of each frame from the one motor in the headers that turned."""
    few = [read_header(file).motors() for file in (files[0], files[len(files) // 2], files[-1])]
    moved = [
        name
        for name in few[0]
        if _TURNING.search(name) and len({one.get(name, few[0][name]) for one in few}) > 1
    ]
    if len(moved) != 1:
        return None, ""
    places = [read_header(file).motors().get(moved[0]) for file in files]
    if any(place is None for place in places):
        return None, ""
    return np.asarray(places, float), moved[0]


def _other_motor(
    numbered: dict[int, Path], numbers: Sequence[int], angles: np.ndarray
) -> str | None:
    """Say where the headers of two projections speak of another angle between them."""
    ends = [number for number in (numbers[0], numbers[len(numbers) // 2])]
    turned, motor = _by_motor([numbered[number] for number in ends])
    if turned is None or ends[0] == ends[1]:
        return None
    by_motor, by_range = abs(turned[1] - turned[0]), angles[ends[1]] - angles[ends[0]]
    if abs(by_motor - by_range) <= 1.5 * angles[1]:
        return None
    return (
        f"motor {motor} turned by {by_motor:.6g}° from frame {ends[0]} to frame {ends[1]}, but "
        f"ScanRange and TOMO_N say {by_range:.6g}°; give scan.theta_deg if these are wrong"
    )


def _flats(files: Sequence[Path]) -> tuple[Stack | None, list[Path]]:
    """Find the references: single ones where there are any, else medians of blocks."""
    for pattern in (_REFERENCE, _MEDIAN):
        found = [(int(m["number"]), file) for file in files if (m := pattern.match(file.name))]
        if found:
            found.sort(key=lambda pair: pair[0])
            those = [file for _, file in found]
            # Before the projection of that number.
            time = np.array([number for number, _ in found], float)
            return Stack(open_frames(those), np.arange(len(those)), time), those
    return None, []


def _ring_current(files: Sequence[Path]) -> np.ndarray | None:
    """Read the current of the ring of each frame; None where the first header does not say it."""
    if not files or np.isnan(read_header(files[0]).ring_current_ma()):
        return None
    return np.array([read_header(file).ring_current_ma() for file in files])


class _OfDarks:
    """Files of the darks, and what is to be said of them."""

    def __init__(self, files: Sequence[Path] = (), note: str | None = None) -> None:
        self.files = tuple(files)
        self.notes = (note,) if note else ()


def _darks(
    files: Sequence[Path], facts: Facts | None, projections: object
) -> tuple[Stack | None, _OfDarks]:
    """Find the dark: a mean where there is one, else the sum of DARK_N exposures."""
    assert isinstance(projections, EdfFrames)
    for pattern in (_DARK_MEAN, _DARK_SUM):
        found = [file for file in files if pattern.match(file.name)]
        if not found:
            continue
        count = facts.darks if facts is not None else None
        note = None
        if pattern is _DARK_MEAN:
            count = 1
        elif count is None:
            raise ScanError(
                f"{found[0]}: is the sum of DARK_N exposures, but no .info or .xml beside it says "
                "how many; write `DARK_N=20`, say, into a file named as the folder with .info, "
                "or put their mean there as dark.edf"
            )
        elif count > 1:
            note = (
                f"{found[0].name} is taken for the sum of DARK_N = {count} exposures "
                f"({facts.file.name if facts else ''}) and divided by it; where it is their mean, "
                "name it dark.edf"
            )
        frames = open_frames(found, divisor=float(count))
        if frames.shape[1:] != projections.shape[1:]:
            raise ScanError(
                f"{found[0]}: holds {frames.height} rows × {frames.width} columns, but projections "
                f"{projections.height} × {projections.width}"
            )
        return Stack(frames, np.arange(len(found))), _OfDarks(found, note)
    return None, _OfDarks()
