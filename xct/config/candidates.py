"""What could be a scan in files that are not understood. In: a path; out: lines of a comment."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import h5py

from xct.errors import ScanError
from xct.io.hdf5.source import Source
from xct.io.scans.raw import Request
from xct.io.scans.tiff_scans import kind_of, tiff_files

# What a configuration says where the files do not.
MEANING = {
    "pixel_size_um": "effective detector pixel before binning, µm",
    "theta_deg": "angles in degrees: {first: 0, last: 180, count: 1801}, or a text file",
    "flats": "flat frames: a glob pattern, or {file, path}",
    "energy_kev": "photon energy, keV",
    "distance_mm": "sample to detector, mm",
}
_MOST = 8  # datasets that are named of each kind
_LEAST_FRAME = 2  # rows and columns of a frame
_TEXT, _MOST_TEXT = (".txt", ".dat", ".csv", ".ang"), 2**20  # files of angles, bytes
_ANGLES = ("theta", "rot", "angle", "omega", "phi")


def candidates(path: Path, folder: Path) -> list[str]:
    """List what the keys of `scan` could name in files whose layout is not known.

    Parameters
    ----------
    path : Path
        An HDF5 file, or a folder of TIFF or HDF5 files.
    folder : Path
        Where the configuration is to lie: paths start there.

    Returns
    -------
    list of str
        Lines of YAML, the largest datasets first; empty where nothing was found.
    """
    try:
        if path.is_file() and h5py.is_hdf5(path):
            return list(_in_hdf5(path, folder))
        if path.is_dir():
            return [*_patterns(path, folder), *_files(path, folder)]
    except (ScanError, OSError):
        pass
    return []


def _in_hdf5(path: Path, folder: Path) -> Iterator[str]:
    found: dict[str, list[tuple[int, str]]] = {"data": [], "image_key": [], "theta_deg": []}
    with Source(path, Request()) as source:
        for name, dataset in source.datasets():
            kind = _kind(name, dataset)
            if kind is not None:
                shape = " × ".join(map(str, dataset.shape))
                said = f"{name}    # {shape}, {dataset.dtype}"
                found[kind].append((-dataset.size, said))
    if not found["data"]:
        return
    for kind, several in found.items():
        for _, said in sorted(several)[:_MOST]:
            yield f"  {kind}: {said}"
    file = relative(path, folder)
    for kind in ("flats", "darks"):
        yield f"{kind}: {{file: {file}, path: …}}    # if they are among the frames above"


def _kind(path: str, dataset: h5py.Dataset) -> str | None:
    if dataset.shape is None or dataset.dtype.kind not in "iuf":
        return None
    if dataset.ndim >= 3 and min(dataset.shape[-2:]) >= _LEAST_FRAME:
        return "data"
    if dataset.ndim != 1 or dataset.size < _LEAST_FRAME:
        return None
    words = "/".join(path.lower().split("/")[-2:])
    if "key" in words:
        return "image_key"
    return "theta_deg" if any(word in words for word in _ANGLES) else None


def _patterns(scan: Path, folder: Path) -> Iterator[str]:
    """Group TIFF files by their names without the number that counts them."""
    files = tiff_files(scan)
    numbers = max((len(re.findall(r"\d+", file.name)) for file in files), default=0)
    # Of rec_7_16bit.tif the last number is that of all files.
    groups = min(
        (_grouped(files, place) for place in range(max(numbers, 1))), key=lambda found: len(found)
    )
    most = max(map(len, groups.values()), default=0)
    for pattern, several in sorted(groups.items(), key=lambda item: -len(item[1]))[:_MOST]:
        kind = "projections" if len(several) == most else kind_of(several[0]) or "flats or darks"
        yield f"{kind}: {relative(pattern, folder)}    # {len(several)} files"


def _grouped(files: Sequence[Path], place: int) -> dict[Path, list[Path]]:
    """Group by name without the number that is `place` before the last one."""
    groups: dict[Path, list[Path]] = {}
    for file in files:
        numbers = list(re.finditer(r"\d+", file.name))
        if place < len(numbers):
            start, stop = numbers[-1 - place].span()
            pattern = file.name[:start] + "*" + file.name[stop:]
        else:
            pattern = file.name
        groups.setdefault(file.with_name(pattern), []).append(file)
    return groups


def angle_files(frames: Path, count: int, folder: Path) -> list[str]:
    """List text files near the frames of a scan that hold a number for each projection.

    Parameters
    ----------
    frames : Path
        A file of the scan.
    count : int
        Of projections.
    folder : Path
        Where the configuration is to lie: paths start there.
    """
    places = dict.fromkeys((frames.parent, frames.parent.parent))
    texts = (
        file
        for place in places
        for file in sorted(place.iterdir())[: 50 * _MOST]
        if file.suffix.lower() in _TEXT and file.is_file() and file.stat().st_size < _MOST_TEXT
    )
    return [relative(file, folder) for file in texts if _numbers(file) == count][:_MOST]


def _numbers(file: Path) -> int:
    """Count the numbers of a text file, one in a line; 0 where it holds anything else."""
    try:
        lines = [line.split("#")[0] for line in file.read_text(encoding="utf-8").splitlines()]
        return len([float(line) for line in lines if line.strip()])
    except (OSError, ValueError):
        return 0


def _files(scan: Path, folder: Path) -> Iterator[str]:
    for file in sorted(scan.iterdir())[: 50 * _MOST]:
        if file.is_file() and h5py.is_hdf5(file):
            yield f"file: {relative(file, folder)}    # HDF5"


def relative(path: Path, folder: Path) -> str:
    """Give a path as a configuration in a folder names it."""
    return os.path.relpath(path.resolve(), folder)
