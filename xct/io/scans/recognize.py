"""Recognizing a scan by its content, whatever the files are called. In: a path; out: Raw."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any

import h5py

from xct.errors import ScanError
from xct.io.hdf5.files import damage_named, open_hdf5
from xct.io.scans import nxtomo
from xct.io.scans.raw import Raw, Request

# In this order: the most particular layout first.
READERS = (
    "xct.io.p05.scans",
    "xct.io.scans.dxchange",
    "xct.io.scans.bliss",
    "xct.io.scans.als832",
    "xct.io.scans.named_datasets",
    "xct.io.scans.nxtomo",
    "xct.io.scans.tomcat",
    "xct.io.scans.tiff_scans",
    "xct.io.edf.scans",
)

IN_ONE_FILE = tuple(
    f"xct.io.scans.{name}" for name in ("dxchange", "bliss", "als832", "named_datasets", "nxtomo")
)

_WHOLE_BYTES = 64 * 2**20
_SAMPLES, _SAMPLE_BYTES = 64, 64 * 2**10
# Beginning of OLE compound files, as which Zeiss microscopes write .txrm.
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# Bytes in small files up to which the content of every one is read.
_MANY_BYTES = 2**30


def read_raw(path: Path | str, request: Request | None = None) -> Raw:
    """Read a scan of any layout from the file or folder that the user names.

    Raises
    ------
    ScanError
        If there is nothing at `path` (the nearest names are given), or no reader knows it.
    """
    path = Path(path)
    if not path.exists():
        raise ScanError(_missing(path))
    if not (path.is_file() or path.is_dir()):
        raise ScanError(f"{path} is neither a file nor a folder, but a pipe or a device")
    with damage_named(path):
        return _recognized(path, request or Request())


def _recognized(path: Path, wanted: Request) -> Raw:
    for name in READERS:
        reader: Any = import_module(name)
        if reader.recognizes(path):
            raw: Raw = reader.read(path, wanted)
            return raw
    if path.is_dir():
        return _only_scan_below(path, wanted)
    if "data" in wanted.paths and h5py.is_hdf5(path):
        return nxtomo.read(path, wanted)
    raise ScanError(_unknown(path))


def _only_scan_below(folder: Path, request: Request) -> Raw:
    """Read the one HDF5 scan in a folder."""
    readers: list[Any] = [import_module(name) for name in IN_ONE_FILE]
    files = [file for file in sorted(folder.iterdir()) if file.is_file()]
    found = [file for file in files if any(reader.recognizes(file) for reader in readers)]
    if len(found) == 1:
        return read_raw(found[0], request)
    if found:
        names = ", ".join(file.name for file in found[:5])
        raise ScanError(f"{folder} holds {len(found)} scans ({names}); name one of them")
    edf = [file for file in files if file.suffix.lower() == ".edf"]
    if edf:
        raise ScanError(_edf(folder))
    raise ScanError(
        f"{folder} holds no scan: expected one HDF5 file (DXchange, NXtomo), a P05/P07 folder "
        "with *_nexus.h5 or scan.log, or TIFF files named proj…, flat… and dark…"
    )


def _edf(folder: Path) -> str:
    return (
        f"{folder}: none of its .edf files is named as a projection, NAME0000.edf; rename them, or "
        "convert the scan into NXtomo with `nxtomomill edf2nx`, and name that file"
    )


def _missing(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f"there is no folder {folder}, so no file {path}"
    names = [found.name for found in folder.iterdir()]
    near = get_close_matches(path.name, names)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    return f"there is no file or folder {path}{hint}"


def _unknown(path: Path) -> str:
    if h5py.is_hdf5(path):
        open_hdf5(path).close()
        return (
            f"{path} is an HDF5 file, but neither DXchange (/exchange/data) nor NXtomo, nor of "
            "another known layout (BLISS, ALS 8.3.2, FXI, LNLS); set "
            "scan.paths with data, image_key and theta_deg inside the file"
        )
    with path.open("rb") as file:
        start = file.read(8)
    if start == _OLE:
        return (
            f"{path} is a file of Zeiss microscopes (.txrm, .xrm), which is not read directly; "
            "convert it with `txrm2tiff --input FILE --ignore-ref` (a package of Diamond Light "
            "Source) into TIFF, its reference likewise for flats, and give scan.theta_deg and "
            "scan.pixel_size_um, which `txrm2tiff inspect --input FILE --extra` prints"
        )
    if path.suffix.lower() == ".edf" and start[:1] == b"{":
        return _edf(path.parent)
    hint = "the file is empty" if not start else f"it begins with {start!r}"
    return f"{path} is neither an HDF5 file, nor a TIFF file, nor a scan.log ({hint})"


def identity(files: Iterable[Path]) -> str:
    """Compute a checksum of a scan's files that costs little even for 100 GB.

    SHA-256 over the size and the content of each file, in the order of their paths, not over
    the paths: a scan may be moved. Of a file of
    64 MiB or more, 64 samples of 64 KiB stand for the content: evenly spaced, the first at its
    beginning and the last at its end. Where smaller files hold more than 1 GiB together (a
    stack of TIFF files), the content of 64 of them counts, evenly spaced, the first and the
    last included; sizes count of all. A change in between that leaves the size as it
    is goes unnoticed; another scan, a missing, truncated or longer file does not.

    Parameters
    ----------
    files : iterable of Path
        `Scan.files`.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    sizes = {file: file.stat().st_size for file in sorted({Path(file) for file in files})}
    read_whole = _read_whole(sizes)
    digest = hashlib.sha256()
    for file, size in sizes.items():
        digest.update(f"{size}\0".encode())
        if file in read_whole:
            digest.update(file.read_bytes())
        elif size >= _WHOLE_BYTES:
            with file.open("rb") as opened:
                for number in range(_SAMPLES):
                    opened.seek((size - _SAMPLE_BYTES) * number // (_SAMPLES - 1))
                    digest.update(opened.read(_SAMPLE_BYTES))
    return digest.hexdigest()


def is_sampled(files: Iterable[Path]) -> bool:
    """Whether `identity` reads only samples of some files."""
    sizes = {Path(file): Path(file).stat().st_size for file in files}
    return len(_read_whole(sizes)) < len(sizes)


def _read_whole(sizes: Mapping[Path, int]) -> set[Path]:
    """Choose the files of which `identity` reads the whole content."""
    small = [file for file, size in sizes.items() if size < _WHOLE_BYTES]
    if len(small) > _SAMPLES and sum(sizes[file] for file in small) > _MANY_BYTES:
        last = len(small) - 1
        small = [small[last * number // (_SAMPLES - 1)] for number in range(_SAMPLES)]
    return set(small)
