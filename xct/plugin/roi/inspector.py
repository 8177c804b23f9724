"""The ROI inspector. In: what is drawn on a cell; out: histograms, profiles, ROI sets."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from qtpy.QtWidgets import (
    QDoubleSpinBox,
    QFormLayout,
    QTabWidget,
    QVBoxLayout,
)

from xct.analyze.roi.shapes import LineRoi, Roi
from xct.errors import XctError
from xct.plugin.controls import CellChoice, Latest, beside, button
from xct.plugin.data.cells import Cell
from xct.plugin.docked import Docked
from xct.plugin.plots import Depths, HistogramPlot, Plot, ProfilePlot
from xct.plugin.roi.actions import RoiActions
from xct.plugin.roi.crop import show_crop
from xct.plugin.roi.cursor import CursorLabel
from xct.plugin.roi.export import NumbersTable
from xct.plugin.roi.keys import bind_keys
from xct.plugin.roi.layer import RoiLayer
from xct.plugin.roi.live import Histogram, histogram_of, profile_of
from xct.plugin.roi.numbers import numbers_of
from xct.plugin.roi.table import RoiTable

_NO_REFERENCE = "no reference"
_DELAY_MS = 80
_DRAW = {
    "Box": "rectangle",
    "Ellipse": "ellipse",
    "Sector": "sector",
    "Polygon": "polygon",
    "Line": "line",
}
_HOW = {
    "sector": "draw from one corner to the other, in a slice: radii and azimuths about the axis",
    "ellipse": "draw an ellipse in this slice; with Shift a circle",
}


class InspectRois(Docked):
    """Draw boxes, polygons and thick lines on a cell and see at once what is in them.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Where the cells are shown.
    """

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self._layers: dict[Cell, RoiLayer] = {}
        self._work = Latest(self, _DELAY_MS)
        self._work.done.connect(self._show)
        self._work.failed.connect(self._show_nothing)
        self.measured: tuple[Histogram, Any] | None = None
        self._build()
        bind_keys(napari_viewer)
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
            made = self._layers[cell] = RoiLayer.of(self._viewer, cell)
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
        """Let the user draw a rectangle, ellipse, sector, polygon or line."""
        self.rois.draw_next(kind)

    def add_copy(self) -> None:
        """Add a copy of the chosen ROI to the list."""
        self.rois.add(self.chosen())

    def show_plot(self, name: str) -> None:
        """Show "histogram", "profile" or "depths" of what is chosen."""
        if name == "profile" and not isinstance(self.chosen(), LineRoi):
            raise XctError(f"{self.chosen().name} is no line: draw or choose a line")
        self.tabs.setCurrentWidget(getattr(self, name))
        self.measure()

    def remove(self) -> None:
        """Take the chosen ROI away."""
        number, rois = self.table.currentRow(), self.rois.rois
        if 0 <= number < len(rois):
            self.rois.set_rois([roi for n, roi in enumerate(rois) if n != number])

    def crop(self) -> None:
        """Show the chosen ROI in 3-D at full resolution."""
        show_crop(self._viewer, self.cells.needed(), self.chosen(), self.rois.geometry)

    def measure(self) -> None:
        """Measure the chosen ROI, beside the window."""
        cell, roi = self.cells.cell(), self.table.current()
        if cell is None or roi is None:
            self.numbers.show_numbers(None)
            self.measured = None
            if cell is not None:
                self.histogram.write("draw or choose a ROI")
                self.profile.write("draw or choose a line")
            return
        pristine = self.pristine.cell()
        if pristine is not None and pristine.name == cell.name:
            pristine = None
        self.numbers.show_numbers(None, f"{roi.name}: measuring …")
        self._work.ask(lambda: _measured(cell, roi, pristine))

    def _build(self) -> None:
        self.cells = CellChoice(self._viewer)
        self.pristine = CellChoice(self._viewer, _NO_REFERENCE)
        self.thickness, self.line_width = (
            QDoubleSpinBox(decimals=1, minimum=0.1, maximum=1e5, suffix=" µm") for _ in "ab"
        )
        self.thickness.setToolTip("how far a ROI that is drawn reaches across the slice")
        self.line_width.setToolTip("diameter of a line: values are averaged across it")
        self.thickness.valueChanged.connect(self._thickness_chosen)
        self.line_width.valueChanged.connect(self._width_chosen)
        drawing = [
            button(text, partial(self.draw_next, kind), _HOW.get(kind, f"draw a {kind}"))
            for text, kind in _DRAW.items()
        ]
        self.table = RoiTable()
        self.histogram, self.profile, self.depths = (
            HistogramPlot(self._viewer),
            ProfilePlot(self._viewer),
            Depths(self._viewer),
        )
        self.tabs = QTabWidget()
        for name, plot in (
            ("Histogram", self.histogram),
            ("Profile", self.profile),
            ("By depth", self.depths),
        ):
            self.tabs.addTab(plot, name)
        self.numbers = NumbersTable()
        self.place = CursorLabel(self._viewer)
        form = QFormLayout()
        form.addRow("cell", self.cells)
        form.addRow("pristine", self.pristine)
        form.addRow("draw", beside(*drawing[:3]))
        form.addRow("", beside(*drawing[3:]))
        form.addRow("thick, wide", beside(self.thickness, self.line_width))
        layout = QVBoxLayout()
        layout.addLayout(form)
        layout.addWidget(self.table, 1)
        self.bar = RoiActions(self)
        layout.addWidget(self.bar)
        layout.addWidget(self.tabs, 2)
        layout.addWidget(self.numbers, 1)
        layout.addWidget(self.place)
        self.fill(layout)

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

    def chosen(self) -> Roi:
        """Give the chosen ROI.

        Raises
        ------
        XctError
            If there is none.
        """
        roi = self.table.current()
        if roi is None:
            raise XctError("choose a ROI first, or draw one")
        return roi

    @property
    def plot(self) -> Plot:
        """The plot that is shown."""
        shown = self.tabs.currentWidget()
        assert isinstance(shown, Plot)
        return shown

    def _show(self, answer: _Measured) -> None:
        """Draw what was measured, and ask for its numbers: their intervals take longer."""
        self.measured = answer.histogram, answer.profile
        if answer.numbers is None:
            self.histogram.show_histogram(answer.histogram)
            if answer.profile is not None:
                profile, edges = answer.profile
                self.profile.show_profile(profile, edges, answer.histogram.unit)
            self.numbers.show_numbers(None, f"{answer.roi.name}: measuring …")
            self._work.follow_up(lambda: _with_numbers(answer))
        else:
            self.numbers.show_numbers(answer.numbers, f"{answer.roi.name}: no voxel with a value")

    def _show_nothing(self, why: str) -> None:
        """Show why the chosen ROI cannot be measured: what stood here is of another one."""
        self.measured = None
        self.histogram.write(why)
        self.profile.write(why)
        self.numbers.show_numbers(None, why)

    def _tab_chosen(self) -> None:
        if self.tabs.currentWidget() is self.depths:
            self.depths.follow(self.cells.cell())


class _Measured(NamedTuple):
    """What is known of a ROI: drawn first, its numbers later."""

    cell: Cell
    roi: Roi
    pristine: Cell | None
    histogram: Histogram
    profile: Any = None
    numbers: Any = None


def _measured(cell: Cell, roi: Roi, pristine: Cell | None) -> _Measured:
    found = _Measured(cell, roi, pristine, histogram_of(cell, roi, pristine))
    if isinstance(roi, LineRoi):
        normalized = found.histogram.unit == "grey value"
        found = found._replace(profile=profile_of(cell, roi, normalized=normalized))
    return found


def _with_numbers(found: _Measured) -> _Measured:
    numbers = numbers_of(found.cell, found.roi, found.histogram, found.pristine)
    return found._replace(numbers=numbers)
