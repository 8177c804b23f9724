"""Spans of ROIs as text. In: a ROI; out: what stands in the table, and the ROI it is typed into."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from xct.analyze.rois import BoxRoi, Roi
from xct.errors import XctError

COLUMNS = ["ROI", "shape", "depth, µm", "y, µm", "x, µm"]

_FIELDS = ("depth_um", "y_um", "x_um")
_NUMBER = r"\s*([-+−]?\d+(?:\.\d*)?(?:e[-+]?\d+)?)\s*"
_SPAN = re.compile(rf"^{_NUMBER}(?:…|\.\.\.?|;|,|to){_NUMBER}$")


def span_texts(roi: Roi) -> list[str]:
    """Write the spans of a ROI along depth, y and x."""
    return [f"{low:.1f} … {high:.1f}" for low, high in roi.bounds_um]


def with_spans(roi: Roi, column: int, text: str) -> Roi:
    """Give a box another span, as it was typed into a column of the table.

    Raises
    ------
    XctError
        If the ROI is no box, or the text is no span.
    """
    if not isinstance(roi, BoxRoi):
        raise XctError(f"{roi.name} is a {roi.shape}: change it by its outline")
    found = _SPAN.match(text)
    if found is None:
        raise XctError(f"{roi.name}: {text!r} is no span; write it as -20 … 35")
    low, high = (float(part.replace("−", "-")) for part in found.groups())
    changed: dict[str, Any] = {_FIELDS[column - 2]: (low, high)}
    return replace(roi, **changed)
