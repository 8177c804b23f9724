"""Tables in Qt. In: a pandas table; out: a model that sorts, filters and knows its rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt

_ROLE = Qt.ItemDataRole
_NO_PARENT = QModelIndex()


class FrameModel(QAbstractTableModel):
    """Shows a table; sorting and filtering change what is shown, never the table."""

    def __init__(self, frame: pd.DataFrame | None = None) -> None:
        super().__init__()
        self.frame = pd.DataFrame() if frame is None else frame
        self._sorted: tuple[str, bool] | None = None
        self._wanted: np.ndarray | None = None
        self.shown = self.frame

    def set_frame(self, frame: pd.DataFrame) -> None:
        """Show another table, unsorted and whole."""
        self.frame, self._sorted, self._wanted = frame, None, None
        self._refresh()

    def keep(self, wanted: np.ndarray | None) -> None:
        """Show only some rows: a mask over the table, or None for all."""
        self._wanted = wanted
        self._refresh()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column; missing values come last either way."""
        if 0 <= column < self.frame.shape[1]:
            name = str(self.frame.columns[column])
            self._sorted = (name, order == Qt.SortOrder.AscendingOrder)
            self._refresh()

    def row_where(self, column: str, value: Any) -> int | None:
        """Find the shown row in which a column has a value."""
        found = np.flatnonzero(self.shown[column].to_numpy() == value)
        return int(found[0]) if found.size else None

    def rowCount(self, parent: QModelIndex = _NO_PARENT) -> int:
        """Count the rows that are shown."""
        return 0 if parent.isValid() else len(self.shown)

    def columnCount(self, parent: QModelIndex = _NO_PARENT) -> int:
        """Count the columns."""
        return 0 if parent.isValid() else self.shown.shape[1]

    def data(self, index: QModelIndex, role: int = _ROLE.DisplayRole) -> Any:
        """Give a cell as text, numbers to the right."""
        if not index.isValid():
            return None
        if role == _ROLE.DisplayRole:
            return show(self.shown.iat[index.row(), index.column()])
        if role == _ROLE.TextAlignmentRole:
            number = pd.api.types.is_numeric_dtype(self.shown.dtypes.iloc[index.column()])
            side = Qt.AlignmentFlag.AlignRight if number else Qt.AlignmentFlag.AlignLeft
            return side | Qt.AlignmentFlag.AlignVCenter
        return None

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = _ROLE.DisplayRole
    ) -> Any:
        """Give the name of a column, or the number of a row."""
        if role != _ROLE.DisplayRole:
            return None
        if orientation == Qt.Orientation.Horizontal:
            return str(self.shown.columns[section])
        return str(section + 1)

    def _refresh(self) -> None:
        self.beginResetModel()
        shown = self.frame if self._wanted is None else self.frame[self._wanted]
        if self._sorted is not None:
            name, rising = self._sorted
            shown = shown.sort_values(name, ascending=rising, na_position="last", kind="stable")
        self.shown = shown
        self.endResetModel()


def show(value: Any) -> str:
    """Write a value of a table: missing ones are empty, numbers have up to six digits."""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, float | np.floating):
        return "" if np.isnan(value) else f"{value:.6g}"
    return str(value)
