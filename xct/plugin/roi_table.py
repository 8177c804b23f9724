"""The list of ROIs. In: ROIs; out: a table in which names and spans can be typed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QTableWidget, QTableWidgetItem

from xct.analyze.rois import Roi
from xct.errors import XctError
from xct.plugin.notify import complaints_shown
from xct.plugin.roi_spans import COLUMNS, span_texts, with_spans

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
        self.setMinimumHeight(110)
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
        with complaints_shown():
            if item.column() == _NAME:
                roi = self._renamed(roi, text)
            else:
                roi = with_spans(roi, item.column(), text)
        self.edited.emit(item.row(), roi)

    def _renamed(self, roi: Roi, name: str) -> Roi:
        if not name or any(other.name == name for other in self._rois if other is not roi):
            raise XctError(f"{name!r} cannot be the name of {roi.name}: it is taken, or empty")
        return replace(roi, name=name)
