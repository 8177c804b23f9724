"""What a TIFF file says of lengths and values. In: an open file; out: µm, a straight line."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from xct.io.units import unit_factor

if TYPE_CHECKING:
    from tifffile import TiffFile

_JPEG = (6, 7, 34892)  # TIFF's numbers of compressions; of more than 8 bits it is without loss
# Of labels in a result, and so of exports.
_LABELS = ("materials", "particles", "classified", "painted", "phases")

# ImageJ's numbers for functions of calibration: a straight line, and none at all.
_STRAIGHT_LINE, _NONE = 0, 21
_SAME = 1e-3  # relative difference of two edges that are the same but for rounding


@dataclass(frozen=True)
class Calibration:
    """What a TIFF file says of its pixels and its values.

    Attributes
    ----------
    z_um, y_um, x_um : float or None
        Distance of pages, edges of a pixel as it is stored; None where the file does not say it
        in a unit of length: the resolution of a plain TIFF is that of a printer.
    slope, offset : float
        value = slope · stored + offset.
    value_unit : str or None
        Unit of the values, as it stands in the file.
    program : str
        "ImageJ" or "OME": whose metadata these are.
    curve : int or None
        ImageJ's number of a calibration that is no straight line.
    labels : str or None
        Which labels of a result these are.
    lossy : bool
        Whether values were compressed with loss.
    """

    z_um: float | None = None
    y_um: float | None = None
    x_um: float | None = None
    slope: float = 1.0
    offset: float = 0.0
    value_unit: str | None = None
    program: str = ""
    curve: int | None = None
    labels: str | None = None
    lossy: bool = False

    @property
    def pixel_um(self) -> float | None:
        """Edge of a square pixel; None where it is not known, or not square."""
        x, y = self.x_um, self.y_um
        return None if x is None or y is None or abs(x - y) > _SAME * x else x


def read_calibration(tiff: TiffFile) -> Calibration:
    """Read the calibration of ImageJ or OME, and whether the first page lost values."""
    first = tiff.pages.first
    return replace(_of_program(tiff), lossy=first.compression in _JPEG and first.bitspersample == 8)


def _of_program(tiff: TiffFile) -> Calibration:
    if tiff.is_ome:
        z, y, x = (_ome_size(tiff, axis) for axis in "ZYX")
        return Calibration(z, y, x, program="OME", labels=_ome_labels(tiff))
    metadata = tiff.imagej_metadata
    return Calibration() if metadata is None else _of_imagej(tiff, metadata)


def _of_imagej(tiff: TiffFile, metadata: dict[str, Any]) -> Calibration:
    unit = metadata.get("unit", "")
    tags = tiff.pages.first.tags
    x, y = (
        _positive(1 / _ratio(tags.valueof(code)), _in_um(metadata.get(own, unit)))
        for code, own in ((282, "xunit"), (283, "yunit"))
    )
    spacing = metadata.get("spacing")
    z = (
        None
        if spacing is None
        else _positive(abs(float(spacing)), _in_um(metadata.get("zunit", unit)))
    )
    slope, offset, curve = _values(tiff, metadata)
    said = str(metadata.get("vunit", "")).strip()
    known = said if said and said.lower() not in ("gray value", "grey value") else None
    labels = labels_named(metadata.get("Info"))
    return Calibration(z, y, x, slope, offset, known, "ImageJ", curve, labels)


def labels_named(name: Any) -> str | None:
    """Give the name that a file has for what it holds, where it is one of labels of a result."""
    return name if name in _LABELS else None


def _values(tiff: TiffFile, metadata: dict[str, Any]) -> tuple[float, float, int | None]:
    """Give slope, offset, and the number of a function that is no straight line."""
    function = metadata.get("cf")
    dtype = tiff.pages.first.dtype
    if function is None or function == _NONE or dtype is None or dtype.kind not in "iu":
        return 1.0, 0.0, None  # ImageJ does not calibrate real numbers
    if function != _STRAIGHT_LINE:
        return 1.0, 0.0, int(function)
    offset, slope = float(metadata.get("c0", 0.0)), float(metadata.get("c1", 1.0))
    if not (math.isfinite(slope) and math.isfinite(offset)) or slope == 0:
        return 1.0, 0.0, _STRAIGHT_LINE
    return slope, offset, None


def _ratio(pair: Any) -> float:
    """Pixels per unit of length; infinity where the file does not say it."""
    above, below = pair if pair is not None else (0, 0)
    return above / below if above and below else math.inf


def _in_um(unit: Any) -> float | None:
    return unit_factor(str(unit).replace("\\u00B5", "µ"), "um")


def _positive(number: float, factor: float | None) -> float | None:
    found = 0.0 if factor is None else number * factor
    return float(found) if found > 0 and math.isfinite(found) else None


def _ome_labels(tiff: TiffFile) -> str | None:
    found = re.search(r'<Image\b[^>]*\bName="(\w+)"', tiff.ome_metadata or "")
    return None if found is None else labels_named(found.group(1))


def _ome_size(tiff: TiffFile, axis: str) -> float | None:
    from xml.etree import ElementTree

    try:
        root = ElementTree.fromstring(tiff.ome_metadata or "")
    except ElementTree.ParseError:
        return None
    pixels = next((each for each in root.iter() if each.tag.endswith("Pixels")), None)
    if pixels is None:
        return None
    factor = unit_factor(pixels.attrib.get(f"PhysicalSize{axis}Unit", "µm"), "um")
    try:
        return _positive(float(pixels.attrib[f"PhysicalSize{axis}"]), factor)
    except (KeyError, ValueError):
        return None
