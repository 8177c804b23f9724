"""Pixel size from the metadata of a TIFF file. In: an open file; out: µm, where calibrated."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
from tifffile import TiffFile

from xct.io.units import unit_factor


def pixel_size_um(tiff: TiffFile) -> float | None:
    """Read the pixel size from ImageJ or OME metadata.

    Returns
    -------
    float or None
        µm. None unless it is given in a unit of length, the same along both axes: the
        resolution of a plain TIFF is that of a printer.
    """
    sizes = _ome_sizes(tiff) if tiff.is_ome else _imagej_sizes(tiff)
    if sizes is None or not np.all(np.isfinite(sizes)) or min(sizes) <= 0:
        return None
    x, y = sizes
    return float(x) if abs(x - y) <= 1e-3 * x else None


def _imagej_sizes(tiff: TiffFile) -> tuple[float, float] | None:
    unit = str((tiff.imagej_metadata or {}).get("unit", ""))
    factor = unit_factor(unit.replace("\\u00B5", "µ"), "um")
    tags = tiff.pages.first.tags
    pixels = [tags.valueof(code) for code in (282, 283)]
    if factor is None or None in pixels or any(0 in pair for pair in pixels):
        return None
    x, y = (below / above * factor for above, below in pixels)
    return x, y


def _ome_sizes(tiff: TiffFile) -> tuple[float, float] | None:
    try:
        root = ElementTree.fromstring(tiff.ome_metadata or "")
    except ElementTree.ParseError:
        return None
    for element in root.iter():
        if element.tag.endswith("Pixels"):
            sizes = [_ome_size(element.attrib, axis) for axis in "XY"]
            return None if None in sizes else (sizes[0], sizes[1])  # type: ignore[return-value]
    return None


def _ome_size(attributes: dict[str, str], axis: str) -> float | None:
    factor = unit_factor(attributes.get(f"PhysicalSize{axis}Unit", "µm"), "um")
    try:
        size = float(attributes[f"PhysicalSize{axis}"])
    except (KeyError, ValueError):
        return None
    return None if factor is None else size * factor
