"""Scans in TIFF files: patterns, stacks, folders. In: paths or glob patterns; out: Raw."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from xct.errors import ScanError
from xct.io.scans.angles import given_angles
from xct.io.scans.named_frames import named_series
from xct.io.scans.raw import Raw, Request, Stack
from xct.io.tiff.pages import TIFF_STARTS
from xct.io.tiff.stacks import (
    SUFFIXES,
    frame_number,
    matching,
    named,
    natural_order,
    number_errors,
    open_stack,
)

_WORDS: Mapping[str, str] = {
    "projections": "proj projs projection projections img imgs image images tomo tomos",
    "flats": "flat flats flatfield flatfields ref refs reference references white whites",
    "darks": "dark darks dar darkfield darkfields",
}
_KINDS = {word: kind for kind, words in _WORDS.items() for word in words.split()}
_ANGLE_FILES = ("theta_deg.txt", "angles.txt")


def recognizes(path: Path) -> bool:
    """Say whether the path is a TIFF file, or a folder with projections to know by their names."""
    if path.is_file():
        with path.open("rb") as file:
            return file.read(4) in TIFF_STARTS
    try:
        return path.is_dir() and "projections" in _frames_of(path)[0]
    except PermissionError:
        return False


def read(path: Path, request: Request) -> Raw:
    """Read a folder of frames, or one file of several pages as the projections of a scan.

    Raises
    ------
    ScanError
        If they cannot be read as stacks.
    """
    del request  # TIFF files name no other files
    return read_folder(path) if path.is_dir() else read_stacks(path)


def read_folder(path: Path) -> Raw:
    """Read a folder of frames that are named proj…, flat… and dark…, or similar.

    One series without such a name, beside flats, is the projections, which is noted. Angles come
    from ``theta_deg.txt`` or ``angles.txt`` in the folder, one per line.

    Raises
    ------
    ScanError
        With every error at once.
    """
    groups, others, notes = _frames_of(path)
    others += _take_out_checks(groups)
    if "projections" not in groups:
        raise ScanError(
            f"{path}: no projections among its TIFF files; expected names with proj, img or tomo, "
            "flat, ref or white, and dark or dar. Otherwise set scan.projections to a pattern"
        )
    errors: list[str] = []
    theta_deg, angle_file = None, _angle_file(path)
    try:
        theta_deg = given_angles(angle_file) if angle_file else None
    except ScanError as error:
        errors += error.errors
    raw = with_clock(raw_of(groups, errors), groups)
    notes = [*raw.notes, *notes]
    if others:
        notes.append(f"{path}: {len(others)} TIFF files are left out: {named(others)}")
    broken = [link for link in sorted(path.iterdir()) if link.is_symlink() and not link.exists()]
    if broken:
        names = named([link.name for link in broken])
        notes.append(f"{path}: {len(broken)} links lead nowhere and are left out: {names}")
    raw = replace(raw, notes=tuple(notes))
    if angle_file is None:
        return raw
    origin = {**raw.origin, "theta_deg": str(angle_file)}
    return replace(raw, files=(*raw.files, angle_file), theta_deg=theta_deg, origin=origin)


def _frames_of(folder: Path) -> tuple[dict[str, list[Path]], list[Path], list[str]]:
    """Group the frames of a folder by kind; give those of no kind, and what was concluded."""
    groups, others = grouped(tiff_files(folder))
    rest = {(path.parent, re.sub(r"\d+(?=\D*$)", "*", path.name)) for path in others}
    flats = groups.get("flats", [])
    if "projections" in groups or not flats or len(rest) != 1 or len(others) <= len(flats):
        return groups, others, []
    [(place, pattern)] = rest
    note = f"{place / pattern}: taken as projections, as the frames beside it are called flats"
    return {"projections": natural_order(others), **groups}, [], [note]


def _angle_file(folder: Path) -> Path | None:
    return next((folder / name for name in _ANGLE_FILES if (folder / name).is_file()), None)


def with_clock(raw: Raw, groups: Mapping[str, Sequence[Path]]) -> Raw:
    """Add the numbers of single frames as their times, where they determine the order of all."""
    clock = common_clock(groups)
    stacks = {kind: getattr(raw, kind) for kind in groups}
    if clock is None or any(len(groups[kind]) != len(stacks[kind].index) for kind in groups):
        return raw
    timed = {
        kind: Stack(stack.frames, stack.index, clock[kind])
        for kind, stack in stacks.items()
        if kind in clock
    }
    return replace(raw, **timed)  # type: ignore[arg-type]


def read_stacks(
    projections: str | Path, flats: str | Path | None = None, darks: str | Path | None = None
) -> Raw:
    """Read a scan from TIFF files named by glob patterns.

    Frames are taken in the natural order of the last number in their names. A file of several
    pages is a stack, too.

    Parameters
    ----------
    projections, flats, darks : str or Path
        Glob patterns (``**`` goes into folders) or single files.

    Returns
    -------
    Raw
        Without times: it is not known in which order flats and projections were taken.

    Raises
    ------
    ScanError
        With every error at once: no match, files that are no TIFF, truncated, or differ.
    """
    patterns = {"projections": projections, "flats": flats, "darks": darks}
    files: dict[str, list[Path]] = {}
    errors: list[str] = []
    for what, pattern in patterns.items():
        if pattern is None:
            continue
        try:
            files[what] = matching(what, pattern)
        except ScanError as error:
            errors += error.errors
    return raw_of(files, errors)


def raw_of(files: dict[str, list[Path]], errors: Sequence[str] = ()) -> Raw:
    """Put stacks together from the files of each kind (projections, flats, darks)."""
    errors = [*errors, *number_errors(files.get("projections", []))]
    stacks: dict[str, Stack] = {}
    for what, paths in files.items():
        try:
            frames = open_stack(paths)
        except ScanError as error:
            errors += [f"{what}: {text}" for text in error.errors]
            continue
        stacks[what] = Stack(frames, np.arange(frames.shape[0]))
    if errors:
        raise ScanError(*errors)
    pixel_um = stacks["projections"].frames.pixel_size_um  # type: ignore[attr-defined]
    origin = {} if pixel_um is None else {"pixel_size_um": f"metadata of {files['projections'][0]}"}
    raw = Raw(
        layout="tiff",
        files=tuple(path for paths in files.values() for path in paths),
        projections=stacks["projections"],
        flats=stacks.get("flats"),
        darks=stacks.get("darks"),
        pixel_size_um=pixel_um,
        origin=origin,
    )
    if len(files["projections"]) != len(raw.projections.index):
        return raw  # pages have no names
    return named_series(raw, files["projections"])


def kind_of(path: Path) -> str | None:
    """Say what a frame is by its name: projections, flats, darks, or None.

    What follows the number of the frame counts first (``scan_0001_dar``), then what stands
    before it, the nearest first (``tomo_flat_0001`` is a flat), then the name of its folder.
    """
    stem = path.stem.lower()
    before, after = stem, ""
    for digits in re.finditer(r"\d+", stem):
        before, after = stem[: digits.start()], stem[digits.end() :]
    words = [*_letters(after), *reversed(_letters(before)), *_letters(path.parent.name.lower())]
    return next((_KINDS[word] for word in words if word in _KINDS), None)


def _letters(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text)


def _take_out_checks(groups: dict[str, list[Path]]) -> list[Path]:
    """Take out single frames at a named angle (`cell_180deg.tif`) that lie beside a series."""
    files = groups.get("projections", [])
    checks = [path for path in files if re.search(r"\d\s*deg$", path.stem.lower())]
    if not checks or len(checks) > 4 or len(checks) * 4 > len(files):
        return []
    groups["projections"] = natural_order([path for path in files if path not in checks])
    return checks


def grouped(files: Iterable[Path]) -> tuple[dict[str, list[Path]], list[Path]]:
    """Group TIFF files by kind, each in natural order; the second list is of no kind."""
    groups: dict[str, list[Path]] = {}
    others = []
    for path in files:
        kind = kind_of(path)
        if kind is None:
            others.append(path)
        else:
            groups.setdefault(kind, []).append(path)
    return {kind: natural_order(groups[kind]) for kind in _WORDS if kind in groups}, others


def common_clock(groups: Mapping[str, Sequence[Path]]) -> dict[str, np.ndarray] | None:
    """Take the numbers of frames as the clock, where they run on through all kinds.

    Returns
    -------
    dict of ndarray or None
        Number of each frame; None where numbers begin anew for each kind, or leave gaps: then
        nothing says whether flats were taken before or after the projections.
    """
    for kinds in (("projections", "flats", "darks"), ("projections", "flats")):
        found = {kind: [frame_number(path) for path in groups.get(kind, ())] for kind in kinds}
        numbers = sorted(number for several in found.values() for number in several)
        gapless = bool(numbers) and numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        if gapless and found["projections"] and found["flats"]:
            return {kind: np.asarray(several, float) for kind, several in found.items()}
    return None


def tiff_files(folder: Path) -> list[Path]:
    """List the TIFF files of a folder, and of its folders where it holds none itself."""
    here = sorted(folder.iterdir())
    files = [path for path in here if _is_tiff(path)]
    if not files:
        inner = [path for path in here if path.is_dir() and not path.is_symlink()]
        files = [path for place in inner for path in sorted(place.iterdir()) if _is_tiff(path)]
    return files


def _is_tiff(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
