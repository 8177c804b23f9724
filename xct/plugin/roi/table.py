"""The list of ROIs. In: ROIs; out: a table in which names and spans can be typed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QTableWidget, QTableWidgetItem

from xct.analyze.roi.shapes import BoxRoi, Roi, SectorRoi
from xct.errors import XctError
from xct.plugin.notifications import errors_shown

# Spans of ROIs as text. In: a ROI; out: what stands in the table, and the ROI it is typed into.

COLUMNS = ["ROI", "shape", "depth, µm", "y, µm", "x, µm"]

_FIELDS = ("depth_um", "y_um", "x_um")
_SECTOR = ("depth_um", "radius_um", "azimuth_deg")
_NUMBER = r"\s*([-+−]?\d+(?:\.\d*)?(?:e[-+]?\d+)?)\s*"
_SPAN = re.compile(rf"^{_NUMBER}(?:…|\.\.\.?|;|,|to){_NUMBER}$")


def span_texts(roi: Roi) -> list[str]:
    """Write the spans of a ROI along depth, y and x; of a sector depth, radius and azimuth."""
    spans = roi.bounds_um
    if isinstance(roi, SectorRoi):
        (r0, r1), (a0, a1) = roi.radius_um, roi.azimuth_deg
        depth = f"{spans[0][0]:.1f} … {spans[0][1]:.1f}"
        return [depth, f"radius {r0:.1f} … {r1:.1f}", f"azimuth {a0:.1f} … {a1:.1f}°"]
    return [f"{low:.1f} … {high:.1f}" for low, high in spans]


def with_spans(roi: Roi, column: int, text: str) -> Roi:
    """Give a box or a sector another span, as it was typed into a column of the table.

    Raises
    ------
    XctError
        If the ROI is neither, or the text is no span.
    """
    if not isinstance(roi, BoxRoi | SectorRoi):
        raise XctError(f"{roi.name} is a {roi.shape}: change it by its outline")
    plain = text.replace("radius", "").replace("azimuth", "").replace("°", "")
    found = _SPAN.match(plain)
    if found is None:
        raise XctError(f"{roi.name}: {text!r} is no span; write it as -20 … 35")
    low, high = (float(part.replace("−", "-")) for part in found.groups())
    names = _SECTOR if isinstance(roi, SectorRoi) else _FIELDS
    changed: dict[str, Any] = {names[column - 2]: (low, high)}
    return replace(roi, **changed)


_NAME, _SHAPE = 0, 1


class RoiTable(QTableWidget):
    """Name, shape and spans of ROIs, a row each.

    Signals
    -------
    edited
        Row, and the ROI as it was typed; as it was, where that was no ROI.
    """

    edited = Signal(int, object)

    def __init__(self) -> None:
        super().__init__(0, len(COLUMNS))
        self._rois: list[Roi] = []
        self._filling = False
        self.setHorizontalHeaderLabels(COLUMNS)
        self.setMinimumHeight(90)
        self.itemChanged.connect(self._typed)

    def show_rois(self, rois: Sequence[Roi]) -> None:
        """List ROIs; the chosen row stays chosen if it can, else it is the last."""
        row = self.currentRow()
        self._rois, self._filling = list(rois), True
        self.setRowCount(len(rois))
        for number, roi in enumerate(rois):
            for column, text in enumerate((roi.name, roi.shape, *span_texts(roi))):
                item = QTableWidgetItem(text)
                if column == _SHAPE:
                    item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEditable)
                self.setItem(number, column, item)
        self.resizeColumnsToContents()
        self._filling = False
        if rois and not 0 <= row < len(rois):
            self.setCurrentCell(len(rois) - 1, 0)

    def select(self, number: int) -> None:
        """Choose a row."""
        if number != self.currentRow() and number < self.rowCount():
            self.setCurrentCell(number, 0)

    def current(self) -> Roi | None:
        """Give the chosen ROI; None where none is chosen."""
        row = self.currentRow()
        return self._rois[row] if 0 <= row < len(self._rois) else None

    def _typed(self, item: Any) -> None:
        """Take a name or a span that was typed."""
        if self._filling:
            return
        roi, text = self._rois[item.row()], str(item.text()).strip()
        with errors_shown():
            if item.column() == _NAME:
                roi = self._renamed(roi, text)
            else:
                roi = with_spans(roi, item.column(), text)
        self.edited.emit(item.row(), roi)

    def _renamed(self, roi: Roi, name: str) -> Roi:
        if not name or any(other.name == name for other in self._rois if other is not roi):
            raise XctError(f"{name!r} cannot be the name of {roi.name}: it is taken, or empty")
        return replace(roi, name=name)
