"""Values without a header: .raw and .vol, with a .vgi or .hdr beside them, or a few numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xct.errors import ScanError
from xct.io.units import unit_factor
from xct.io.volume_files.volume import (
    ForeignVolume,
    Layout,
    Request,
    VoxelSize,
    check_form,
    chosen_size,
)

_VALUES = (".raw", ".vol", ".bin", ".img", ".dat")
_HEADERS = (".vgi", ".hdr")
_ENVI_TYPES = {
    "1": "uint8",
    "2": "int16",
    "3": "int32",
    "4": "float32",
    "5": "float64",
    "12": "uint16",
    "13": "uint32",
}
_VGI_TYPES = {
    "unsigned integer": "uint",
    "unsigned": "uint",
    "integer": "int",
    "signed integer": "int",
    "float": "float",
}


@dataclass(frozen=True)
class RawVoxels:
    """Values of a file that lie one behind the other, mapped into memory by each reading."""

    file: Path
    layout: Layout

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along z, y and x."""
        return self.layout.shape

    @property
    def dtype(self) -> np.dtype:
        """Type of the values, in the byte order of this machine."""
        return np.dtype(self.layout.dtype)

    def __getitem__(self, index: Any) -> np.ndarray:
        """Read a part."""
        stored = self.dtype.newbyteorder(">" if self.layout.big_endian else "<")
        mapped = np.memmap(self.file, stored, "r", self.layout.header_bytes, self.shape)
        return np.array(mapped[index], self.dtype)


def raw_voxels(file: Path, layout: Layout, *, exactly: bool = False) -> RawVoxels:
    """Give the values of a file, which must be long enough.

    Raises
    ------
    ScanError
        If the file is missing, or its size does not fit what is said of it.
    """
    if not file.is_file():
        raise ScanError(f"file: {file}: there is no such file")
    check_form(layout.shape, np.dtype(layout.dtype), str(file))
    size = file.stat().st_size
    values = (
        int(np.prod([int(n) for n in layout.shape], dtype=object)) * np.dtype(layout.dtype).itemsize
    )
    needed = layout.header_bytes + values
    if size < needed or (exactly and size != needed):
        sizes = " × ".join(map(str, layout.shape))
        raise ScanError(
            f"file: {file}: has {size:,} bytes, but {sizes} values of {layout.dtype} behind "
            f"{layout.header_bytes:,} bytes take {needed:,}; "
            + (
                "copy it again"
                if size < needed and not exactly
                else "correct shape, dtype or header_bytes"
            )
        )
    return RawVoxels(file, layout)


def beside(header: Path, name: str) -> Path:
    """Find the file that a header names; it may not lie outside of the header's folder.

    Raises
    ------
    ScanError
        If it does.
    """
    folder = header.parent.resolve()
    plain = name.strip().strip('"').replace("\\", "/")
    file = header.parent / plain
    if not file.exists():
        file = header.parent / plain.rpartition("/")[2]  # named as it lay on another machine
    if not file.resolve().is_relative_to(folder):
        raise ScanError(
            f"file: {header}: names {name}, which lies outside of its folder {folder}; copy that "
            "file beside it"
        )
    return file


def recognizes(path: Path) -> bool:
    """Whether a path is named as values without a header, or as what describes them."""
    return path.suffix.lower() in (*_VALUES, *_HEADERS) and path.is_file()


def read(path: Path, request: Request) -> ForeignVolume:
    """Read values by what the configuration or a file beside them says of their order.

    Raises
    ------
    ScanError
        If nothing does, or it does not fit the file's size.
    """
    if request.raw is not None:
        voxels = raw_voxels(path, request.raw, exactly=True)
        size, origin, _ = chosen_size(request.voxel_size_um, None, "", str(path))
        origin["layout"] = "configuration"
        return ForeignVolume(voxels, size, (path,), "raw values", origin=origin)
    header = path if path.suffix.lower() in _HEADERS else _header_of(path)
    if header is None:
        raise ScanError(
            f"raw: {path}: does not say its size; give volume.raw: {{shape: [z, y, x], dtype: "
            f"uint16}} ({path.stat().st_size:,} bytes in all), or put its .vgi or .hdr beside it"
        )
    file, layout, found = (_vgi if header.suffix.lower() == ".vgi" else _envi)(header, path)
    size, origin, notes = chosen_size(request.voxel_size_um, found, header.name, str(path))
    origin["layout"] = header.name
    voxels = raw_voxels(file, layout)
    return ForeignVolume(voxels, size, (file, header), "raw values", origin=origin, notes=notes)


def _header_of(path: Path) -> Path | None:
    names = [f"{stem}{ending}" for ending in _HEADERS for stem in (path.stem, path.name)]
    return next((path.with_name(name) for name in names if path.with_name(name).is_file()), None)


def _text(header: Path) -> str:
    raw = header.read_bytes()[: 2**20]
    if b"\0" in raw:
        raise ScanError(
            f"file: {header}: is a binary header, as Analyze writes it; save the volume as NIfTI "
            "(.nii), or give volume.raw"
        )
    return raw.decode("utf-8", "replace")


def _vgi(header: Path, path: Path) -> tuple[Path, Layout, VoxelSize | None]:
    """Read a header of VGStudio."""
    sections: dict[str, dict[str, str]] = {}
    section: dict[str, str] = {}
    for line in _text(header).splitlines():
        if found := re.fullmatch(r"\s*\[(.+?)\]\s*", line):
            section = sections.setdefault(found.group(1).strip().lower(), {})
        elif "=" in line:
            key, _, value = line.partition("=")
            section.setdefault(key.strip().lower(), value.strip())
    files = [facts for name, facts in sections.items() if name.startswith("file")]
    if len(files) != 1:
        raise ScanError(
            f"file: {header}: names {len(files)} files; expected one of the whole volume"
        )
    facts = {**sections.get("representation", {}), **files[0]}
    try:
        bits = int(facts["bitsperelement"])
        kind = _VGI_TYPES[facts["datatype"].lower()]
        x, y, z = (int(n) for n in facts["size"].split())
        layout = Layout((z, y, x), f"{kind}{bits}", False, int(facts.get("skipheader", 0)))
        np.dtype(layout.dtype)
    except (KeyError, ValueError, TypeError) as error:
        raise ScanError(
            f"file: {header}: cannot be understood ({error!r}); give volume.raw"
        ) from None
    named = beside(header, facts["name"]) if "name" in facts else path
    geometry = sections.get("geometry", {})
    factor = unit_factor(geometry.get("unit", ""), "um")
    return named, layout, _xyz(geometry.get("resolution"), factor)


def _xyz(text: str | None, factor: float | None) -> VoxelSize | None:
    try:
        x, y, z = (float(n) * (factor or 0) for n in (text or "").split())
    except ValueError:
        return None
    return (z, y, x) if min(x, y, z) > 0 else None


def _envi(header: Path, path: Path) -> tuple[Path, Layout, VoxelSize | None]:
    """Read a header of ENVI: samples, lines and bands are x, y and z."""
    facts: Mapping[str, str] = {
        key.strip().lower(): value.strip()
        for key, _, value in (line.partition("=") for line in _text(header).splitlines())
        if value
    }
    try:
        if facts.get("interleave", "bsq").lower() != "bsq":
            raise ValueError("interleave is not bsq")
        shape = (int(facts["bands"]), int(facts["lines"]), int(facts["samples"]))
        layout = Layout(
            shape, _ENVI_TYPES[facts["data type"]], facts.get("byte order", "0") == "1",
            int(facts.get("header offset", 0)),
        )  # fmt: skip
    except (KeyError, ValueError) as error:
        raise ScanError(
            f"file: {header}: cannot be understood ({error!r}); give volume.raw"
        ) from None
    if path == header:
        names = [header.with_suffix(""), *(header.with_suffix(ending) for ending in _VALUES)]
        path = next((name for name in names if name.is_file()), names[1])
    return path, layout, None
