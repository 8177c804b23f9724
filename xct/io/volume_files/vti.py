"""VTK image data (.vti), as xct, ParaView and Avizo write them without compression."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np

from xct.errors import ScanError
from xct.io.atomic import written_whole
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


def write_fields(
    path: Path,
    cells: Mapping[str, np.ndarray],
    points: Mapping[str, np.ndarray],
    *,
    voxel_um: tuple[float, float, float],
    corner_um: tuple[float, float, float],
) -> None:
    """Write fields on voxels for ParaView, positions in µm.

    Parameters
    ----------
    path : Path
        File to write.
    cells : mapping of str to ndarray, shape (z, y, x) or (3, z, y, x)
        Values of voxels; vectors by their components along z, y and x. One at least.
    points : mapping of str to ndarray, shape (z + 1, y + 1, x + 1) or (3, …)
        Values at the corners of voxels.
    voxel_um, corner_um : tuple of float
        Edges of a voxel along z, y and x, and the first corner of the first.
    """
    first = next(iter(cells.values()))
    depth, height, width = first.shape[-3:]
    extent = f"0 {width} 0 {height} 0 {depth}"
    spacing, origin = (" ".join(repr(float(v)) for v in of[::-1]) for of in (voxel_um, corner_um))
    described, blocks, offset = {"CellData": "", "PointData": ""}, [], 0
    for place, arrays in (("CellData", cells), ("PointData", points)):
        for name, values in arrays.items():
            # VTK's vectors are (x, y, z), one after the other.
            block = values if values.ndim == 3 else np.moveaxis(values[::-1], 0, -1)
            block = np.ascontiguousarray(block, block.dtype.newbyteorder("<"))
            kind = {"f": "Float", "u": "UInt", "i": "Int"}[block.dtype.kind]
            described[place] += (
                f'<DataArray type="{kind}{8 * block.dtype.itemsize}" Name={quoteattr(name)} '
                f'NumberOfComponents="{1 if values.ndim == 3 else 3}" format="appended" '
                f'offset="{offset}"/>\n'
            )
            blocks.append(block)
            offset += 8 + block.nbytes
    header = (
        '<?xml version="1.0"?>\n<VTKFile type="ImageData" version="1.0" '
        'byte_order="LittleEndian" header_type="UInt64">\n'
        f'<ImageData WholeExtent="{extent}" Origin="{origin}" Spacing="{spacing}" '
        f'SpacingUnit="micrometer">\n<Piece Extent="{extent}">\n'
        f"<PointData>\n{described['PointData']}</PointData>\n"
        f"<CellData>\n{described['CellData']}</CellData>\n"
        '</Piece>\n</ImageData>\n<AppendedData encoding="raw">\n_'
    )
    with written_whole(path) as temporary, temporary.open("wb") as file:
        file.write(header.encode())
        for block in blocks:
            file.write(block.nbytes.to_bytes(8, "little"))
            file.write(block.data)
        file.write(b"\n</AppendedData>\n</VTKFile>\n")


def _attributes(text: str, tag: str) -> Mapping[str, str]:
    found = re.search(rf"<{tag}\b([^>]*)>", text)
    return dict(re.findall(r'(\w+)\s*=\s*"([^"]*)"', found.group(1))) if found else {}
