"""Scans of P05 and P07, PETRA III (DESY). In: a scan's folder or its metadata; out: Raw."""

from __future__ import annotations

from pathlib import Path

import h5py

from xct.errors import ScanError
from xct.io.hdf5.files import open_hdf5
from xct.io.p05.logs import is_log, read_old, scan_logs
from xct.io.p05.nexus import IMAGE_FILE, names_frames, read_nexus
from xct.io.scans.raw import Raw, Request

_NEXUS = "_nexus.h5"


def recognizes(path: Path) -> bool:
    """Say whether the path is a P05 or P07 scan: its folder, `*_nexus.h5` or `scan.log`."""
    if path.is_dir():
        return any(_is_nexus(file) for file in _nexus_files(path)) or any(
            is_log(file) for file in scan_logs(path)
        )
    return _is_nexus(path) or is_log(path)


def _nexus_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.name.endswith(_NEXUS))


def _is_nexus(file: Path) -> bool:
    if not h5py.is_hdf5(file):
        # Truncated to nothing, it is still this scan's: reading then says what is wrong.
        return file.name.endswith(_NEXUS) and file.is_file()
    try:
        with open_hdf5(file) as opened:
            return IMAGE_FILE in opened
    except ScanError:
        return file.name.endswith(_NEXUS)


def read(path: Path, request: Request) -> Raw:
    """Read a scan of P05 or P07.

    Parameters
    ----------
    path : Path
        Its folder, its `*_nexus.h5`, or (older scans) its `scan.log`. In a folder, the
        `*_nexus.h5` counts, unless it names no frames and there is a `scan.log`.
    request : Request
        How far file names may lead out of the scan's folder.

    Returns
    -------
    Raw
        Frames of each kind in order of time; times in seconds since the first frame.

    Raises
    ------
    ScanError
        With every error at once.
    """
    if not path.is_dir():
        reader = read_old if path.name.endswith("scan.log") else read_nexus
        return reader(path, request)
    nexus, logs = _nexus_files(path), [file for file in scan_logs(path) if is_log(file)]
    if nexus:
        file = _only(nexus, path, f"{path.name}{_NEXUS}")
        if names_frames(file) or not logs:
            return read_nexus(file, request)
    return read_old(_only(logs, path, f"{path.name}scan.log"), request)


def _only(files: list[Path], folder: Path, likely: str) -> Path:
    """Choose the one file, or the one that is named like the folder."""
    if len(files) == 1:
        return files[0]
    if (folder / likely) in files:
        return folder / likely
    names = ", ".join(file.name for file in files)
    raise ScanError(f"{folder}: holds several scans ({names}); name one of these files")
