"""Stacks of TIFF frames. In: glob patterns or files; out: lazy frames, read where needed."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from xct.errors import ScanError
from xct.io.tiff.frames import TiffFrames, difference
from xct.io.tiff.pages import Pages, read_pages

SUFFIXES = (".tif", ".tiff")
# Waiting for a file server, not computing: more threads than cores help.
_WAITING_THREADS = 16


def open_stack(files: Sequence[Path]) -> TiffFrames:
    """Make one stack of TIFF files, in the order given.

    The first and the last file are opened, and the sizes of all are looked at; where they
    hold several pages each, every file is opened.

    Parameters
    ----------
    files : sequence of Path
        One frame each, or several pages each.

    Returns
    -------
    TiffFrames
        Small; every frame is checked again when it is read.

    Raises
    ------
    ScanError
        With every error at once: files that are missing, no TIFF, too short, or of another
        size or type than the first.
    """
    first = read_pages(files[0])
    several = len(first.page) > 1
    looked_at = files if several else dict.fromkeys((files[0], files[-1]))
    pages = {path: first if path == files[0] else read_pages(path) for path in looked_at}
    errors = [
        difference(path, other.form, files[0], first.form)
        for path, other in pages.items()
        if not other.form.agrees(first.form)
    ]
    if not several:
        errors += [
            f"{path}: has {len(other.page)} frames, but {files[0].name} has one; name stacks and "
            "single frames apart"
            for path, other in pages.items()
            if len(other.page) > 1
        ]
        errors += _too_short(files, first)
    if errors:
        raise ScanError(*errors)
    return _joined(files, list(pages.values()) if several else None, first)


def _too_short(files: Sequence[Path], first: Pages) -> list[str]:
    """Warn about single frames that are missing, or smaller than their values."""
    least = first.form.nbytes if first.offset[0] >= 0 else 1
    sizes = file_sizes(files)
    missing = [path for path, size in zip(files, sizes, strict=True) if size < 0]
    short = [
        f"{path} ({size:,} bytes)"
        for path, size in zip(files, sizes, strict=True)
        if 0 <= size < least
    ]
    errors = []
    if missing:
        errors.append(f"{len(missing)} of {len(files)} files are missing: {named(missing)}")
    if short:
        errors.append(
            f"{len(short)} of {len(files)} files are truncated, or of another size or type than "
            f"the first; at least {least:,} bytes are expected: {named(short)}. Copy them again, "
            "or take them out"
        )
    return errors


def file_sizes(files: Sequence[Path]) -> list[int]:
    """Look up the sizes of many files in bytes; -1 where there is no such file."""

    def size(path: Path) -> int:
        try:
            return os.stat(path).st_size
        except OSError:
            return -1

    with ThreadPoolExecutor(_WAITING_THREADS) as pool:
        return list(pool.map(size, files, chunksize=64))


def named(things: Sequence[object], most: int = 3) -> str:
    """Name the first few of many things."""
    rest = len(things) - most
    return ", ".join(map(str, things[:most])) + (f", … and {rest} more" if rest > 0 else "")


def _joined(files: Sequence[Path], several: list[Pages] | None, first: Pages) -> TiffFrames:
    # parents, not the files themselves: a single file has a folder too
    folder = os.path.commonpath([os.path.dirname(os.path.abspath(path)) for path in files])
    names = tuple(os.path.relpath(os.path.abspath(path), folder) for path in files)
    if several is None:
        count = len(files)
        file, page = np.arange(count), np.full(count, -1)
        return TiffFrames(folder, names, file, page, page, first.form, first.pixel_size_um)
    file = np.repeat(np.arange(len(files)), [len(part.page) for part in several])
    page = np.concatenate([part.page for part in several])
    # Where one file has another byte order, its frames are opened properly.
    offset = np.concatenate(
        [
            part.offset if part.form == first.form else np.full_like(part.offset, -1)
            for part in several
        ]
    )
    return TiffFrames(folder, names, file, page, offset, first.form, first.pixel_size_um)


def frame_number(path: Path) -> int:
    """Get the number of a frame: the last run of digits in its name; -1 where there is none."""
    digits = re.findall(r"\d+", path.stem)
    return int(digits[-1]) if digits else -1


def decimal_numbers(files: Sequence[Path]) -> list[float] | None:
    """Read the numbers of frames whose names hold them with decimals: `proj_012.3450.tif`.

    Returns
    -------
    list of float or None
        None unless every name ends in such a number, and whole numbers as well as decimals
        differ: `cell_12.0001.tif` is the first frame of cell 12.
    """
    found = [re.search(r"(\d+)\.(\d+)\D*$", path.stem) for path in files]
    parts = [match.groups() for match in found if match is not None]
    if len(parts) < max(2, len(files)):
        return None
    whole, decimals = ({part[place] for part in parts} for place in (0, 1))
    if len(whole) < 2 or (len(decimals) < 2 and len(whole) < len(parts)):
        return None
    return [float(f"{first}.{rest}") for first, rest in parts]


def natural_order(files: Sequence[Path]) -> list[Path]:
    """Order files by the last run of digits in their names, whatever its length.

    Where names hold numbers with decimals, such as angles, by these.
    """
    decimals = decimal_numbers(files)
    if decimals is not None:
        by_number = sorted(zip(decimals, map(str, files), files, strict=True))
        return [path for _, _, path in by_number]
    return sorted(files, key=lambda path: (frame_number(path), str(path)))


def matching(what: str, pattern: str | Path) -> list[Path]:
    """List the TIFF files that a pattern matches, in natural order; `what` names it in errors."""
    text = os.fspath(pattern)
    # A name with brackets in it may be meant literally.
    found = [text] if os.path.isfile(text) else glob.glob(text, recursive=True)
    files = [Path(name) for name in found if os.path.isfile(name)]
    if not files:
        folder = Path(text).parent
        there = "" if folder.is_dir() or glob.has_magic(str(folder)) else f"; {folder} is missing"
        raise ScanError(f"{what}: no file matches {text}{there}")
    others = [path for path in files if path.suffix.lower() not in SUFFIXES]
    if others:
        raise ScanError(
            f"{what}: {text} matches {len(others)} files that are no TIFF: {named(others)}; "
            "end the pattern with .tif or .tiff"
        )
    return natural_order(files)


def number_errors(files: Sequence[Path]) -> Iterator[str]:
    """Warn where two projections have the same number: then their order is not known."""
    seen: dict[float, Path] = {}
    numbers = decimal_numbers(files) or [frame_number(path) for path in files]
    for path, number in zip(files, numbers, strict=True):
        if number in seen:
            yield (
                f"{seen[number]} and {path} have the same number {number:g} (the last digits of a "
                "name count), so the order of the projections is not known; narrow the pattern"
            )
            return
        seen[number] = path
