"""Surfaces as maps. In: the height maps of a cell; out: colors over y and x, values on hover."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from qtpy.QtWidgets import QComboBox, QFormLayout, QLabel, QVBoxLayout

from xct.analyze.layers import thickness_maps
from xct.errors import show_with_sd
from xct.geometry import SURFACES, CellGeometry, Surface
from xct.plugin.controls import CellChoice, beside, button, path_to_save
from xct.plugin.data.cells import Cell
from xct.plugin.docked import Docked
from xct.plugin.drawing import draw_map
from xct.plugin.notifications import errors_shown, show_info
from xct.plugin.plots import Plot
from xct.plugin.roi.export import copy_to_clipboard, needed, save_plot

_LITHIUM = "lithium thickness"


class Map(NamedTuple):
    """Values over y and x, µm, with their standard deviation; NaN where there is none."""

    name: str
    values: np.ndarray
    sd: np.ndarray


def maps_of(surfaces: dict[str, Surface], cell: CellGeometry) -> dict[str, Map]:
    """List what can be drawn: heights from the mean plane, their uncertainty, thicknesses.

    Where lithium is gone its thickness is 0, as in the tables of the result.

    Parameters
    ----------
    surfaces : dict of str to Surface
        Height maps, shape (y, x).
    cell : CellGeometry
        With the mean planes. Heights are positive away from the anode.
    """
    found: dict[str, Map] = {}
    y = np.arange(cell.shape[1])[:, None] * cell.voxel_size_um[1]
    x = np.arange(cell.shape[2])[None, :] * cell.voxel_size_um[2]
    there = [name for name in SURFACES if name in surfaces and name in cell.planes]
    for name in there:
        depth = cell.depth_um(name, surfaces[name].height_um, y, x)
        title = f"{name.replace('_', '/')}: height"
        found[title] = Map(
            f"{_shown(name)}:\nfrom the mean plane, away from the anode",
            depth,
            surfaces[name].sd_um,
        )
    for name in there:
        sd = surfaces[name].sd_um
        title = f"{name.replace('_', '/')}: uncertainty"
        found[title] = Map(
            f"{_shown(name)}:\nstandard deviation of its height", sd, np.full_like(sd, np.nan)
        )
    for layer, thickness in thickness_maps(surfaces).items():
        found[f"{layer} thickness"] = Map(
            f"{layer} thickness", thickness.height_um, thickness.sd_um
        )
    return found


class SurfaceMaps(Docked):
    """Maps of surfaces and layers: hover for a value, click to go there.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Where the cells are shown.
    """

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self._maps: dict[str, Map] = {}
        self.cells, self.name = CellChoice(napari_viewer), QComboBox()
        self.plot, self.value = Plot(napari_viewer), QLabel()
        self.plot.mpl_connect("motion_notify_event", self._pointed)
        self.plot.mpl_connect("button_press_event", self._pressed)
        form = QFormLayout()
        form.addRow("cell", self.cells)
        form.addRow("map", self.name)
        layout = QVBoxLayout()
        layout.addLayout(form)
        layout.addWidget(self.plot, 1)
        layout.addWidget(self.value)
        layout.addWidget(
            beside(
                button("Figure…", self.save_figure, "as SVG or PNG, white"),
                button("Copy", lambda: copy_to_clipboard(self.plot, self.value.text())),
            )
        )
        self.fill(layout)
        self.cells.chosen.connect(self.load)
        self.name.currentTextChanged.connect(lambda _: self.draw_map())
        self.load()

    def load(self) -> None:
        """List the maps of the chosen cell."""
        cell = self.cells.cell()
        self._maps = {}
        if cell is not None and cell.result is not None and cell.geometry is not None:
            with errors_shown(f"{cell.path / 'surfaces.zarr'} is broken"):
                self._maps = maps_of(cell.result.surfaces, cell.geometry)
        before = self.name.currentText()
        self.name.blockSignals(True)
        self.name.clear()
        self.name.addItems(list(self._maps))
        if before in self._maps:
            self.name.setCurrentText(before)
        self.name.blockSignals(False)
        self.draw_map()

    def draw_map(self) -> None:
        """Draw the chosen map."""
        chosen, cell = self._maps.get(self.name.currentText()), self.cells.cell()
        self.value.setText("")
        if chosen is None or cell is None:
            self.plot.write("open a result with surfaces: drop its folder on the window")
            return
        title = chosen.name
        self.plot.show_drawn(
            partial(draw_map, values=chosen.values, extent=_extent(cell), name=title)
        )
        self.value.setText("hover for a value; a click goes there")

    def text_at(self, y_um: float, x_um: float) -> str:
        """Write the value at a place, µm from the axis, with its standard uncertainty."""
        chosen, at = self._maps[self.name.currentText()], self._index(y_um, x_um)
        if at is None or not np.isfinite(chosen.values[at]):
            return f"y {y_um:.1f}, x {x_um:.1f} µm: not measured here"
        if self.name.currentText() == _LITHIUM and chosen.values[at] == 0:
            return f"y {y_um:.1f}, x {x_um:.1f} µm: no lithium here"
        value = show_with_sd(chosen.values[at], chosen.sd[at], 2)
        return f"y {y_um:.1f}, x {x_um:.1f} µm: {value} µm"

    def save_figure(self, path: Path | None = None) -> None:
        """Save the map, white and as wide as a journal's column."""
        needed(self.plot)
        if path is None:
            proposed = f"{self.name.currentText()}.svg".replace("/", "_").replace(": ", " ")
            path = path_to_save(self, "Map", proposed, "*.svg *.png")
        if path is not None:
            save_plot(self.plot, path)
            show_info(f"wrote {path}")

    def _index(self, y_um: float, x_um: float) -> tuple[int, int] | None:
        cell = self.cells.needed()
        frame = cell.frame
        y = round((y_um + frame.axis_y_um) / frame.voxel_size_um[1])
        x = round((x_um + frame.axis_x_um) / frame.voxel_size_um[2])
        inside = 0 <= y < frame.shape[1] and 0 <= x < frame.shape[2]
        return (y, x) if inside else None

    def _pointed(self, event: Any) -> None:
        if event.inaxes is self.plot.figure.axes[0] and not self.plot.empty:
            self.value.setText(self.text_at(float(event.ydata), float(event.xdata)))

    def _pressed(self, event: Any) -> None:
        if self.plot.empty or event.inaxes is not self.plot.figure.axes[0]:
            return
        at, cell = self._index(float(event.ydata), float(event.xdata)), self.cells.needed()
        if at is not None and "volume" in cell.layers:
            dims = self._viewer.dims
            world = cell.layers["volume"].data_to_world((0, *at))
            dims.set_point((dims.ndim - 2, dims.ndim - 1), world[-2:])


def _extent(cell: Cell) -> tuple[float, ...]:
    frame = cell.frame
    _, size_y, size_x = frame.voxel_size_um
    top, left = -frame.axis_y_um - size_y / 2, -frame.axis_x_um - size_x / 2
    return (left, left + frame.shape[2] * size_x, top + frame.shape[1] * size_y, top)


def _shown(name: str) -> str:
    return name.replace("_", "/")
