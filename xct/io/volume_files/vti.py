"""VTK image data (.vti), as xct, ParaView and Avizo write them without compression."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from xct.errors import ScanError
from xct.io.tiff.calibration import labels_named
from xct.io.volume_files.raw_files import raw_voxels
from xct.io.volume_files.volume import (
    ForeignVolume,
    Layout,
    Request,
    VoxelSize,
    chosen_size,
)

_TYPES = {"Int8", "UInt8", "Int16", "UInt16", "Int32", "UInt32", "Float32", "Float64"}
_START = 2**16  # bytes in which the description ends
_HEADER_BYTES = {"UInt32": 4, "UInt64": 8}  # before the values


def recognizes(path: Path) -> bool:
    """Whether a path is named as VTK image data."""
    return path.suffix.lower() == ".vti" and path.is_file()


def read(path: Path, request: Request) -> ForeignVolume:
    """Read values that are appended as they are; `SpacingUnit` of xct says the unit of lengths.

    Raises
    ------
    ScanError
        If they are compressed or encoded.
    """
    with path.open("rb") as file:
        start = file.read(_START)
    head, marker, rest = start.partition(b"<AppendedData")
    text = head.decode("utf-8", "replace")
    whole, image, array = (_attributes(text, tag) for tag in ("VTKFile", "ImageData", "DataArray"))
    underscore = rest.find(b"_")
    if not marker or underscore < 0 or b'"raw"' not in rest[:underscore] or "compressor" in whole:
        raise ScanError(
            f"file: {path}: its values are compressed or encoded; save it in ParaView with "
            "Data Mode: Appended, Compressor Type: None and without Encode Appended Data"
        )
    try:
        extent = [int(n) for n in image["WholeExtent"].split()]
        x, y, z = (extent[k + 1] - extent[k] + 1 for k in (0, 2, 4))
        if array["type"] not in _TYPES or array.get("NumberOfComponents", "1") != "1":
            raise ValueError(f"values of type {array['type']}")
        if (
            "<CellData" in text
            and text.index("<CellData") < text.index("<DataArray")
            and "</CellData>" in text
        ):
            inside = text.index("<DataArray") < text.index("</CellData>")
            x, y, z = (x - 1, y - 1, z - 1) if inside else (x, y, z)
        before = _HEADER_BYTES[whole.get("header_type", "UInt32")] + int(array.get("offset", 0))
        edges = [float(n) for n in image.get("Spacing", "").split()]
    except (KeyError, ValueError) as error:
        raise ScanError(f"file: {path}: its description cannot be understood ({error!r})") from None
    begin = len(head) + len(marker) + underscore + 1 + before
    big = whole.get("byte_order") == "BigEndian"
    voxels = raw_voxels(path, Layout((z, y, x), array["type"].lower(), big, begin))
    found: VoxelSize | None = None
    if image.get("SpacingUnit", "").lower() in ("micrometer", "µm") and len(edges) == 3:
        found = edges[2], edges[1], edges[0]
    size, origin, notes = chosen_size(request.voxel_size_um, found, "its Spacing", str(path))
    return ForeignVolume(
        voxels,
        size,
        (path,),
        "VTK image",
        labels=labels_named(array.get("Name")),
        origin=origin,
        notes=notes,
    )


def _attributes(text: str, tag: str) -> Mapping[str, str]:
    found = re.search(rf"<{tag}\b([^>]*)>", text)
    return dict(re.findall(r'(\w+)\s*=\s*"([^"]*)"', found.group(1))) if found else {}
