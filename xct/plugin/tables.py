"""Tables tied to labels. In: the tables of a cell; out: rows and particles that find each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from napari.utils.colormaps import DirectLabelColormap, ensure_colormap, label_colormap
from qtpy.QtCore import QAbstractTableModel, QItemSelectionModel, QModelIndex, Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QLabel,
    QLineEdit,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from xct.errors import XctError
from xct.io.tables import write_table
from xct.plugin.controls import CellChoice, beside, button
from xct.plugin.data.cells import Cell
from xct.plugin.notifications import errors_shown, show_info

# Tables in Qt. In: a pandas table; out: a model that sorts, filters and knows its rows.

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


_FIRST = ("particles", "inclusions")
_COMPARE = {"≥": np.greater_equal, "≤": np.less_equal, "=": np.equal}
_PLAIN = "label"
_HIDDEN, _UNKNOWN = (0.0, 0.0, 0.0, 0.0), (0.5, 0.5, 0.5, 1.0)


class Tables(QWidget):
    """Particles and inclusions as tables: click a row to go there, a particle to find its row.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Where the cells are shown.
    """

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        self._viewer = viewer = napari_viewer
        self.model = FrameModel()
        self._build()
        self.cells.chosen.connect(self.load)
        self.name.currentTextChanged.connect(lambda _: self._fill())
        self.column.currentTextChanged.connect(lambda _: self.paint())
        self.drifted.toggled.connect(lambda _: self.filter())
        for signal in (self.by.currentTextChanged, self.relation.currentTextChanged):
            signal.connect(lambda _: self.filter() if self.limit.text() else None)
        self.limit.editingFinished.connect(self.filter)
        self.view.selectionModel().currentRowChanged.connect(self._row_chosen)
        viewer.mouse_drag_callbacks.append(self._clicked)
        self.load()

    def load(self) -> None:
        """Show the tables of the chosen cell."""
        cell, listed = self.cells.cell(), []
        if cell is not None and cell.result is not None:
            with errors_shown(f"{cell.path / 'tables'}: cannot be read"):
                there = sorted(cell.result.tables)
                listed = [n for n in _FIRST if n in there] + [n for n in there if n not in _FIRST]
        self.name.blockSignals(True)
        self.name.clear()
        self.name.addItems(listed)
        self.name.blockSignals(False)
        self._fill()

    def filter(self) -> None:
        """Show only the rows that are asked for, in the table and among the labels."""
        with errors_shown():
            self.model.keep(self._wanted())
        self._show_count()
        self.paint()

    def paint(self) -> None:
        """Color the labels by the chosen column; labels that are filtered out are not drawn."""
        layer, column = self._labels(), self.column.currentText()
        if layer is None or self.name.currentText() != "particles":
            return
        shown, whole = self.model.shown, self.model.frame
        if column in ("", _PLAIN) and len(shown) == len(whole):
            layer.colormap = label_colormap()
            self.scale.setText("")
            return
        layer.colormap, span = _colors(shown, "" if column == _PLAIN else column)
        self.scale.setText("" if span is None else f"violet {span[0]:.5g} … yellow {span[1]:.5g}")
        layer.visible = True

    def export(self, path: Path | None = None) -> None:
        """Write what is shown as CSV, sorted and filtered as it is."""
        if self.model.shown.empty:
            raise XctError("nothing is shown, so there is nothing to export")
        if path is None:
            chosen, _ = QFileDialog.getSaveFileName(self, "Export table", "", "CSV (*.csv)")
            path = Path(chosen) if chosen else None
        if path is not None:
            write_table(path, self.model.shown)
            show_info(f"wrote {len(self.model.shown)} rows to {path}")

    def go_to(self, row: int) -> None:
        """Show the place of a row of the table in the middle of the viewer."""
        place = self.model.shown.iloc[row]
        if not {"z_um", "y_um", "x_um"} <= set(place.index):
            return
        cell = self.cells.needed()
        at = np.array([place["z_um"], place["y_um"], place["x_um"]], float)
        if not np.isfinite(at).all():
            raise XctError(f"row {row + 1}: its place is not known")
        layer = self._labels()
        if layer is not None and self.name.currentText() == "particles":
            layer.selected_label = int(place["particle"])
        shown = cell.layers["volume"]
        world = np.asarray(shown.data_to_world(at / np.asarray(cell.volume.voxel_size_um)))
        dims = self._viewer.dims
        dims.set_point(range(dims.ndim - 3, dims.ndim), world)
        center = world[[axis - (dims.ndim - 3) for axis in dims.displayed]]
        self._viewer.scene.camera.center = tuple(center)

    def find_particle(self, label: int) -> None:
        """Select the row of a particle."""
        row = self.model.row_where("particle", label)
        if row is None:
            show_info(f"particle {label} is not in what the table shows")
            return
        model = self.view.selectionModel()
        flags = QItemSelectionModel.SelectionFlag
        model.blockSignals(True)  # it was clicked on: do not move
        model.setCurrentIndex(self.model.index(row, 0), flags.ClearAndSelect | flags.Rows)
        model.blockSignals(False)
        self.view.scrollTo(self.model.index(row, 0))
        self.view.viewport().update()

    def _build(self) -> None:
        self.cells = CellChoice(self._viewer)
        self.name, self.column, self.by, self.relation = (QComboBox() for _ in range(4))
        self.relation.addItems(list(_COMPARE))
        self.limit = QLineEdit(placeholderText="any")
        self.limit.setMaximumWidth(80)
        self.drifted = QCheckBox("drifted only")
        self.view = QTableView()
        self.view.setModel(self.model)
        self.view.setSortingEnabled(True)
        self.view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.view.setMinimumHeight(220)
        self.count, self.scale = QLabel(), QLabel()
        form = QFormLayout()
        form.addRow("cell", self.cells)
        form.addRow("table", self.name)
        form.addRow("color by", beside(self.column, self.scale))
        form.addRow("where", beside(self.by, self.relation, self.limit))
        form.addRow(self.drifted)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(self.view, 1)
        export = button("Export what is shown…", self.export, "CSV with units in the column names")
        layout.addWidget(beside(self.count, export))

    def _fill(self) -> None:
        cell, name = self.cells.cell(), self.name.currentText()
        frame = pd.DataFrame()
        if cell is not None and cell.result is not None and name:
            frame = cell.result.tables[name]
        numeric = [str(c) for c in frame.select_dtypes(["number", "bool"]).columns]
        for box, listed in ((self.column, [_PLAIN, *numeric]), (self.by, numeric)):
            box.blockSignals(True)
            box.clear()
            box.addItems(listed)
            box.blockSignals(False)
        self.drifted.setEnabled("drifted" in frame)
        self.view.horizontalHeader().setSortIndicator(
            -1, self.view.horizontalHeader().sortIndicatorOrder()
        )
        self.model.set_frame(frame)
        self.filter()
        self.view.resizeColumnsToContents()

    def _wanted(self) -> np.ndarray | None:
        frame, text = self.model.frame, self.limit.text().strip()
        wanted = np.ones(len(frame), bool)
        if self.drifted.isChecked() and "drifted" in frame:
            wanted &= frame["drifted"].to_numpy(bool)
        if text and self.by.currentText() in frame:
            try:
                limit = float(text)
            except ValueError:
                raise XctError(f"where: {text!r} is not a number") from None
            values = frame[self.by.currentText()].to_numpy(float)
            wanted &= _COMPARE[self.relation.currentText()](values, limit)
        return None if wanted.all() else wanted

    def _show_count(self) -> None:
        shown, whole = len(self.model.shown), len(self.model.frame)
        self.count.setText(f"{shown} of {whole} rows" if whole else "no table: open a result")

    def _labels(self) -> Any:
        cell: Cell | None = self.cells.cell()
        return None if cell is None else cell.layers.get("particles")

    def _row_chosen(self, current: Any, _: Any) -> None:
        with errors_shown():
            if current.isValid():
                self.go_to(current.row())

    def _clicked(self, viewer: Any, event: Any) -> Any:
        """Find the row of a particle that was clicked on; a drag moves the picture only."""
        yield
        moved = False
        while event.type == "mouse_move":
            moved = True
            yield
        layer = self._labels()
        if moved or layer is None or not layer.visible:
            return
        label = layer.get_value(
            event.position,
            view_direction=event.view_direction,
            dims_displayed=event.dims_displayed,
            world=True,
        )
        label = label[-1] if isinstance(label, tuple) else label
        if label and self.name.currentText() == "particles":
            self.find_particle(int(label))


def _colors(
    shown: pd.DataFrame, column: str
) -> tuple[DirectLabelColormap, tuple[float, float] | None]:
    """Give every shown particle a color by a column, and the span; others are transparent."""
    ids, span = shown["particle"].to_numpy(), None
    if column:
        values = shown[column].to_numpy(float)
        known = values[np.isfinite(values)]
        low, high = np.percentile(known, (1, 99)) if known.size else (0.0, 1.0)
        span = (float(low), float(high))
        colors = ensure_colormap("viridis").map((values - low) / max(high - low, 1e-12))
        colors[~np.isfinite(values)] = _UNKNOWN
    else:
        colors = label_colormap().map(ids.astype(np.uint32))
    table: dict[int | None, Any] = dict(zip(ids.tolist(), colors, strict=True))
    return DirectLabelColormap(color_dict=table | {None: _HIDDEN, 0: _HIDDEN}), span
