"""The ROI inspector. In: what is drawn on a cell; out: histograms, profiles, ROI sets."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QDoubleSpinBox,
    QFileDialog,
    QFormLayout,
    QLabel,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from xct.analyze.roi.files import read_rois, write_rois
from xct.analyze.roi.imagej import ENDINGS, is_of_imagej, read_imagej, write_imagej
from xct.analyze.roi.shapes import LineRoi, Roi
from xct.errors import XctError
from xct.plugin.controls import CellChoice, Latest, beside, button
from xct.plugin.data.cells import Cell
from xct.plugin.notifications import show_info
from xct.plugin.plots import Depths, HistogramPlot, ProfilePlot, numbers_text
from xct.plugin.roi.crop import show_crop
from xct.plugin.roi.cursor import CursorLabel
from xct.plugin.roi.layer import RoiLayer
from xct.plugin.roi.live import Histogram, histogram_of, numbers_of, profile_of
from xct.plugin.roi.table import RoiTable

_NO_REFERENCE = "no reference"
_DELAY_MS = 80
_FILTER = "ROI sets (*.yaml *.yml);;ROIs of ImageJ (*.zip *.roi)"


class InspectRois(QWidget):
    """Draw boxes, polygons and thick lines on a cell and see at once what is in them.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Where the cells are shown.
    """

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        self._viewer = napari_viewer
        self._layers: dict[Cell, RoiLayer] = {}
        self._work = Latest(self, _DELAY_MS)
        self._work.done.connect(self._show)
        self._build()
        self.cells.chosen.connect(self.cell_chosen)
        self.pristine.chosen.connect(self.measure)
        self.table.edited.connect(lambda row, roi: self.rois.put(row, roi))
        self.table.currentCellChanged.connect(lambda *_: self._row_chosen())
        self.tabs.currentChanged.connect(lambda _: self._tab_chosen())
        self.cell_chosen()

    @property
    def idle(self) -> bool:
        """Whether everything that is shown is up to date."""
        drawn = all(layer.idle for layer in self._layers.values())
        return drawn and self._work.idle and self.depths.idle

    @property
    def rois(self) -> RoiLayer:
        """The ROIs of the chosen cell.

        Raises
        ------
        XctError
            If no cell is open.
        """
        cell = self.cells.needed()
        if cell not in self._layers:
            made = self._layers[cell] = RoiLayer(self._viewer, cell)
            made.changed.connect(self._list)
            made.selected.connect(self.table.select)
            self.thickness.setValue(made.thickness_um)
            self.line_width.setValue(made.width_um)
        return self._layers[cell]

    def cell_chosen(self) -> None:
        """Show the ROIs of the chosen cell."""
        cell = self.cells.cell()
        self.place.follow(cell)
        self._list()
        if cell is None:
            self.histogram.write("open a result: drop its folder on the window")
        self._tab_chosen()

    def draw_next(self, kind: str) -> None:
        """Let the user draw a rectangle, polygon, ellipse or line."""
        self.rois.draw_next(kind)

    def load(self, path: Path | None = None) -> None:
        """Load a ROI set in place of the ROIs that are there."""
        if path is None:
            chosen, _ = QFileDialog.getOpenFileName(self, "ROI set", "", _FILTER)
            path = Path(chosen) if chosen else None
        if path is not None:
            if is_of_imagej(path):
                found = read_imagej(path, self.rois.geometry, thickness_um=self.thickness.value())
            else:
                found = read_rois(path)
            self.rois.set_rois(found)
            show_info(f"{len(self.rois.rois)} ROIs from {path}")

    def save(self, path: Path | None = None) -> None:
        """Save the ROIs, in cell coordinates: they can be measured on any cell."""
        if not self.rois.rois:
            raise XctError("there is no ROI to save: draw one first")
        if path is None:
            chosen, _ = QFileDialog.getSaveFileName(self, "ROI set", "rois.yaml", _FILTER)
            path = Path(chosen) if chosen else None
        if path is not None:
            if path.suffix.lower() in ENDINGS:
                for text in write_imagej(path, self.rois.rois, self.rois.geometry):
                    show_info(text)
            else:
                write_rois(path, self.rois.rois)
            show_info(f"wrote {len(self.rois.rois)} ROIs to {path}")

    def remove(self) -> None:
        """Take the chosen ROI away."""
        number, rois = self.table.currentRow(), self.rois.rois
        if 0 <= number < len(rois):
            self.rois.set_rois([roi for n, roi in enumerate(rois) if n != number])

    def crop(self) -> None:
        """Show the chosen ROI in 3-D at full resolution."""
        show_crop(self._viewer, self.cells.needed(), self._chosen(), self.rois.geometry)

    def measure(self) -> None:
        """Measure the chosen ROI, beside the window."""
        cell, roi = self.cells.cell(), self.table.current()
        if cell is None or roi is None:
            self.numbers.setText("")
            if cell is not None:
                self.histogram.write("draw or choose a ROI")
                self.profile.write("draw or choose a line")
            return
        pristine = self.pristine.cell()
        if pristine is not None and pristine.name == cell.name:
            pristine = None
        self._work.ask(lambda: _measured(cell, roi, pristine))

    def closeEvent(self, event: Any) -> None:
        """Let go of the threads."""
        self._work.stop()
        self.depths.stop()
        super().closeEvent(event)

    def _build(self) -> None:
        self.cells = CellChoice(self._viewer)
        self.pristine = CellChoice(self._viewer, _NO_REFERENCE)
        self.thickness, self.line_width = (
            QDoubleSpinBox(decimals=1, minimum=0.1, maximum=1e5, suffix=" µm") for _ in "ab"
        )
        self.thickness.valueChanged.connect(self._thickness_chosen)
        self.line_width.valueChanged.connect(self._width_chosen)
        draw = {"Box": "rectangle", "Polygon": "polygon", "Line": "line"}
        drawing = [
            button(text, partial(self.draw_next, kind), f"draw a {kind} in this slice")
            for text, kind in draw.items()
        ]
        self.table = RoiTable()
        self.histogram, self.profile, self.depths = (
            HistogramPlot(),
            ProfilePlot(),
            Depths(self._viewer),
        )
        self.tabs = QTabWidget()
        for name, plot in (
            ("Histogram", self.histogram),
            ("Profile", self.profile),
            ("By depth", self.depths),
        ):
            self.tabs.addTab(plot, name)
        self.numbers = QLabel()
        self.numbers.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.place = CursorLabel(self._viewer)
        form = QFormLayout()
        form.addRow("cell", self.cells)
        form.addRow("pristine", self.pristine)
        form.addRow("draw", beside(*drawing))
        form.addRow("thick, wide", beside(self.thickness, self.line_width))
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(self.table, 1)
        layout.addWidget(
            beside(
                button("Remove", self.remove),
                button("Load…", self.load, "a ROI set in cell coordinates"),
                button("Save…", self.save, "for xct run and for other cells"),
                button("3-D", self.crop, "the ROI at full resolution"),
            )
        )
        layout.addWidget(self.tabs, 2)
        layout.addWidget(self.numbers)
        layout.addWidget(self.place)

    def _list(self) -> None:
        """Write the ROIs into the table."""
        self.table.show_rois([] if self.cells.cell() is None else self.rois.rois)
        self.measure()

    def _row_chosen(self) -> None:
        """Show the plot that belongs to the chosen ROI."""
        if isinstance(self.table.current(), LineRoi):
            self.tabs.setCurrentWidget(self.profile)
        elif self.tabs.currentWidget() is self.profile:
            self.tabs.setCurrentWidget(self.histogram)
        self.measure()

    def _thickness_chosen(self, value: float) -> None:
        if self.cells.cell() is not None:
            self.rois.thickness_um = value

    def _width_chosen(self, value: float) -> None:
        if self.cells.cell() is None:
            return
        self.rois.width_um = value
        roi = self.table.current()
        if isinstance(roi, LineRoi):
            self.rois.put(self.table.currentRow(), replace(roi, width_um=value))

    def _chosen(self) -> Roi:
        roi = self.table.current()
        if roi is None:
            raise XctError("choose a ROI first, or draw one")
        return roi

    def _show(self, answer: tuple[Cell, Roi, Histogram, dict[str, Any] | None, Any]) -> None:
        """Draw what was measured, and ask for its intervals: they take longer."""
        cell, roi, histogram, numbers, profile = answer
        if numbers is None:
            self.histogram.show_histogram(histogram)
            if profile is not None:
                self.profile.show_profile(profile[0], profile[1], histogram.unit)
            self.numbers.setText(f"{roi.name}: measuring …")
            self._work.ask(lambda: (cell, roi, histogram, numbers_of(cell, histogram), profile))
        else:
            text = numbers_text(numbers, histogram.unit)
            self.numbers.setText(f"{roi.name}: {text}")

    def _tab_chosen(self) -> None:
        if self.tabs.currentWidget() is self.depths:
            self.depths.follow(self.cells.cell())


def _measured(
    cell: Cell, roi: Roi, pristine: Cell | None
) -> tuple[Cell, Roi, Histogram, None, Any]:
    histogram, profile = histogram_of(cell, roi, pristine), None  # type: Histogram, Any
    if isinstance(roi, LineRoi):
        profile = profile_of(cell, roi, normalized=histogram.unit == "grey value")
    return cell, roi, histogram, None, profile
