"""Tables tied to labels. In: the tables of a cell; out: rows and particles that find each other."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from napari.utils.colormaps import DirectLabelColormap, ensure_colormap, label_colormap
from qtpy.QtCore import QItemSelectionModel
from qtpy.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QComboBox,
    QFormLayout,
    QLabel,
    QLineEdit,
    QTableView,
    QTabWidget,
    QVBoxLayout,
)

from xct.errors import XctError
from xct.io.tables import write_table
from xct.plugin.color_scale import ColorScale
from xct.plugin.controls import CellChoice, beside, button, path_to_save
from xct.plugin.data.cells import KEY, Cell
from xct.plugin.data.layers import AXES, UNITS
from xct.plugin.docked import Docked
from xct.plugin.drawing import draw_column
from xct.plugin.frame_model import FrameModel
from xct.plugin.notifications import errors_shown, show_info
from xct.plugin.plots import Plot
from xct.plugin.roi.export import copy_to_clipboard, needed, save_plot

_FIRST = ("particles", "inclusions")
_COMPARE = {"≥": np.greater_equal, "≤": np.less_equal, "=": np.equal}
_PLAIN = "label"
_SIZE = "equivalent_diameter_um"
_SIZES = ("volume_um3", _SIZE)  # chosen at first, the last that a table has
_MARK, _MARK_UM, _MARK_COLOR = "marked", 12.0, "#ffd21f"  # so wide where no size is known
_HIDDEN, _UNKNOWN = (0.0, 0.0, 0.0, 0.0), (0.5, 0.5, 0.5, 1.0)


class Tables(Docked):
    """Particles and inclusions as tables: click a row to go there, a particle to find its row.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Where the cells are shown.
    """

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self.model = FrameModel()
        self._marked: tuple[str, np.ndarray, np.ndarray] | None = None
        self._build()
        for event in (napari_viewer.dims.events.point, napari_viewer.dims.events.order):
            event.connect(self._follow_slice)
        self.cells.chosen.connect(self.load)
        self.name.currentTextChanged.connect(lambda _: self._fill())
        self.column.currentTextChanged.connect(lambda _: self._column_chosen())
        self.drifted.toggled.connect(lambda _: self.filter())
        for signal in (self.by.currentTextChanged, self.relation.currentTextChanged):
            signal.connect(lambda _: self.filter() if self.limit.text() else None)
        self.limit.editingFinished.connect(self.filter)
        self.view.selectionModel().currentRowChanged.connect(self._row_chosen)
        napari_viewer.mouse_drag_callbacks.append(self._clicked)
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
        self._draw_histogram()

    def paint(self) -> None:
        """Color the labels by the chosen column; labels that are filtered out are not drawn."""
        layer, column = self._labels(), self.column.currentText()
        if layer is None:
            return
        shown, whole = self.model.shown, self.model.frame
        plain = column in ("", _PLAIN) and len(shown) == len(whole)
        if plain or self.name.currentText() != "particles":
            layer.colormap = label_colormap()
            self.scale.show_span(None)
            return
        layer.colormap, span = _colors(shown, "" if column == _PLAIN else column)
        self.scale.show_span(span)
        layer.visible = True

    def export(self, path: Path | None = None) -> None:
        """Write what is shown as CSV, sorted and filtered as it is."""
        if self.model.shown.empty:
            raise XctError("nothing is shown, so there is nothing to export")
        if path is None:
            proposed = f"{self.name.currentText()}.csv"
            path = path_to_save(self, "Export table", proposed, "CSV (*.csv)")
        if path is not None:
            write_table(path, self.model.shown)
            show_info(f"wrote {len(self.model.shown)} rows to {path}")

    def save_figure(self, path: Path | None = None) -> None:
        """Save the histogram of the chosen column, white and as wide as a journal's column."""
        needed(self.histogram)
        if path is None:
            proposed = f"{self.column.currentText()}.svg"
            path = path_to_save(self, "Histogram", proposed, "*.svg *.png")
        if path is not None:
            save_plot(self.histogram, path)
            show_info(f"wrote {path}")

    def copy(self) -> None:
        """Copy the histogram as a picture, and the rows that are shown as text."""
        copy_to_clipboard(self.histogram, self.model.shown.to_csv(sep="\t", index=False))

    def go_to(self, row: int) -> None:
        """Show the place of a row of the table in the middle of the viewer, and mark it."""
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
        self._mark(cell, place, at)

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
        place = self.model.shown.iloc[row]
        at = np.array([place["z_um"], place["y_um"], place["x_um"]], float)
        self._mark(self.cells.needed(), place, at)

    def _mark(self, cell: Cell, place: pd.Series, at_um: np.ndarray) -> None:
        """Draw a ring around what was chosen: it is found again among thousands."""
        viewer, volume = self._viewer, cell.layers["volume"]
        size_um = np.asarray(cell.volume.voxel_size_um)
        wide = float(place.get(_SIZE, np.nan))
        ring = 1.5 * wide if np.isfinite(wide) else _MARK_UM
        name = f"{cell.name} {_MARK}"
        if name in viewer.layers:
            viewer.layers.remove(name)
        self._marked = (name, at_um / size_um, ring / size_um)
        active = viewer.layers.selection.active
        viewer.add_points(
            [at_um / size_um],
            name=name,
            size=ring / size_um[1],
            face_color="transparent",
            border_color=_MARK_COLOR,
            border_width=0.08,
            scale=volume.scale[-3:],
            translate=volume.translate[-3:],
            units=UNITS,
            axis_labels=AXES,
            metadata={KEY: {"kind": _MARK}},
        )
        viewer.layers.selection.active = active
        self._follow_slice()

    def _follow_slice(self, _: Any = None) -> None:
        """Keep the ring in the slice that is shown, as far as the particle reaches."""
        if self._marked is None or self._marked[0] not in self._viewer.layers:
            return
        name, at, reach = self._marked
        layer, dims, place = self._viewer.layers[name], self._viewer.dims, at.copy()
        if dims.ndisplay == 2:
            axis = dims.not_displayed[-1] - (dims.ndim - 3)
            shown = layer.world_to_data(np.asarray(dims.point)[-3:])[axis]
            if abs(shown - at[axis]) <= reach[axis] / 2:
                place[axis] = shown
        if not np.array_equal(layer.data[0], place):
            layer.data = [place]

    def _column_chosen(self) -> None:
        self.paint()
        self._draw_histogram()

    def _draw_histogram(self) -> None:
        """Draw the chosen column: what is shown, over the whole table."""
        name, whole = self.column.currentText(), self.model.frame
        if name not in whole:
            self.histogram.write("choose a column in “color by”")
            return
        values, shown = (frame[name].to_numpy(float) for frame in (whole, self.model.shown))
        self.histogram.show_drawn(partial(draw_column, name=name, values=values, shown=shown))

    def _build(self) -> None:
        self.cells = CellChoice(self._viewer)
        self.name, self.column, self.by, self.relation = (QComboBox() for _ in range(4))
        self.relation.addItems(list(_COMPARE))
        self.limit = QLineEdit(placeholderText="any")
        self.drifted = QCheckBox("drifted only")
        self.view = QTableView()
        self.view.setModel(self.model)
        self.view.setSortingEnabled(True)
        self.view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.view.setMinimumHeight(220)
        self.count, self.scale = QLabel(), ColorScale()
        self.histogram = Plot(self._viewer)
        self.tabs = QTabWidget()
        self.tabs.addTab(self.view, "Table")
        self.tabs.addTab(self.histogram, "Histogram")
        self._form = form = QFormLayout()
        form.addRow("cell", self.cells)
        form.addRow("table", self.name)
        form.addRow("color by", self.column)
        form.addRow(self.scale)
        form.addRow("where", self.by)
        form.addRow("", beside(self.relation, self.limit, self.drifted))
        layout = QVBoxLayout()
        layout.addLayout(form)
        layout.addWidget(self.tabs, 1)
        layout.addWidget(self.count)
        layout.addWidget(
            beside(
                button("Export what is shown…", self.export, "CSV, units in the column names"),
                button("Figure…", self.save_figure, "the histogram as SVG or PNG"),
                button("Copy", self.copy, "histogram and rows to the clipboard"),
            )
        )
        self.fill(layout)

    def _fill(self) -> None:
        cell, name = self.cells.cell(), self.name.currentText()
        frame = pd.DataFrame()
        if cell is not None and cell.result is not None and name:
            frame = cell.result.tables[name]
        numeric = [str(c) for c in frame.select_dtypes(["number", "bool"]).columns]
        plain = [_PLAIN] if name == "particles" else []  # nothing else is colored
        self._form.labelForField(self.column).setText("color by" if plain else "column")
        self.limit.clear()  # it was of a column of another table
        for box, listed in ((self.column, [*plain, *numeric]), (self.by, numeric)):
            box.blockSignals(True)
            box.clear()
            box.addItems(listed)
            for size in _SIZES if box is self.by or not plain else ():
                box.setCurrentText(size)
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
