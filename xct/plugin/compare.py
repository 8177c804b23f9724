"""Cells side by side, in cell coordinates. In: results; out: a grid whose cameras are linked.

World coordinates of the grid are those of the cells: depth from one surface, y and x from the
bore's axis. So the same slice is the same depth in every cell, whichever way it lay in the beam.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import napari
import numpy as np
from napari.experimental import link_layers
from napari.layers import Layer
from qtpy.QtWidgets import QComboBox, QFormLayout, QLabel, QListWidget, QVBoxLayout

from xct.analyze.roi.shapes import Roi
from xct.errors import XctError
from xct.geometry import STANDARD_SCALE, SURFACES, CellGeometry
from xct.plugin.controls import button
from xct.plugin.data.cells import KEY, Cell, cells_of, open_cell
from xct.plugin.data.layers import (
    LayerData,
    cell_layers,
    empty_roi_layer,
    lines_layer,
    stored_rois,
    volume_layer,
)
from xct.plugin.data.lines import follow
from xct.plugin.data.pyramid import gamma, grey_levels
from xct.plugin.docked import Docked
from xct.plugin.first_view import CellView
from xct.plugin.notifications import show_info
from xct.plugin.roi.layer import RoiLayer, drawn_rois

_LINKED = ("contrast_limits", "gamma", "colormap")
_QUANTITIES = ("grey values", "attenuation")
# Lithium and electrolyte (20,000 and 22,100) can be distinguished, active material (38,000 to
# 40,000) is nearly white.
_GREY = (18_000.0, 41_000.0)


def side_by_side(
    viewer: Any,
    cells: Sequence[Cell],
    surface: str | None = None,
    quantity: str | None = None,
    rois: Sequence[Roi] = (),
) -> None:
    """Show cells side by side: same depth, same place, same grey scale, cameras linked.

    A ROI that is drawn, moved or deleted on one cell is so on all, in cell coordinates.

    Parameters
    ----------
    viewer : napari.Viewer
        An empty one.
    cells : sequence of Cell
        Two or more.
    surface : str, optional
        From which depth counts; unless given, the first that all cells have, from the anode on.
    quantity : {"grey values", "attenuation"}, optional
        What is shown; grey values where all cells have them, unless given.
    rois : sequence of Roi, optional
        Shown on all cells; unless given, those that the first cell's run measured.

    Raises
    ------
    XctError
        If there are fewer than two cells, or they have no such surface in common.
    """
    if len(cells) < 2:
        raise XctError(f"{len(cells)} cell is chosen; two or more can be compared")
    geometries = [_geometry(cell) for cell in cells]
    surface = _common_surface(cells, geometries, surface)
    shown = {cell.name: cell_layers(cell) for cell in cells}
    kinds = [*(kind for kind in _common_kinds(list(shown.values())) if kind != "ROIs"), "ROIs"]
    images = _images(cells, quantity)
    follow(viewer)
    added = []
    for cell, geometry in zip(cells, geometries, strict=True):
        named = {_kind(layer): layer for layer in shown[cell.name]}
        named["volume"] = images[cell.name]
        named.setdefault("lines", lines_layer(cell, {}))
        named["ROIs"] = empty_roi_layer(cell)
        for kind in kinds:
            layer = viewer.add_layer(Layer.create(*_placed(named[kind], geometry, surface)))
            added.append(layer)
    volumes = [layer for layer in added if layer.metadata[KEY]["kind"] == "volume"]
    for layer in volumes:
        title = layer.name_overlay
        title.position = "top_center"  # at the left, its first letter is cut off by the grid
        title.visible = True
    link_layers(volumes, _LINKED)
    grid = viewer.canvas.grid
    grid.stride, grid.spacing, grid.shape = len(kinds), 0.02, (-1, -1)
    grid.enabled = True
    viewer.dims.set_point(0, 0.0)
    viewer.reset_view()
    for cell in cells_of(viewer):
        CellView(viewer, cell)
    _share_rois(viewer, list(rois) or stored_rois(cells[0]))


def _share_rois(viewer: Any, rois: Sequence[Roi]) -> None:
    """Keep the ROIs of all cells of a window the same."""
    layers = [RoiLayer.of(viewer, cell) for cell in cells_of(viewer)]

    def share(source: RoiLayer) -> None:
        for other in layers:
            if other is not source and other.rois != source.rois:
                other.set_rois(source.rois)

    for layer in layers:
        layer.changed.connect(partial(share, layer))
    if rois:
        layers[0].set_rois(rois)


class CompareCells(Docked):
    """Chooses cells, and opens a window in which they are side by side.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Where cells are open.
    """

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self.new_viewer: Callable[..., Any] = napari.Viewer
        self.list = QListWidget()
        self.list.setSelectionMode(QListWidget.SelectionMode.MultiSelection)
        self.list.setMinimumHeight(100)
        self.surface, self.quantity = QComboBox(), QComboBox()
        self.surface.addItems(SURFACES)
        self.surface.setCurrentText("electrolyte_cathode")
        self.quantity.addItems(_QUANTITIES)
        form = QFormLayout()
        form.addRow("depth from", self.surface)
        form.addRow("show", self.quantity)
        layout = QVBoxLayout()
        layout.addWidget(QLabel("cells that are open here; choose two or more"))
        layout.addWidget(self.list)
        layout.addLayout(form)
        layout.addWidget(button("Side by side", self.show_cells, "in a window of its own"))
        layout.addStretch()
        self.fill(layout)
        for event in (napari_viewer.layers.events.inserted, napari_viewer.layers.events.removed):
            event.connect(self.refresh)
        self.refresh()

    def refresh(self, _: Any = None) -> None:
        """List the cells anew; those that were there keep their mark, new ones get one."""
        names = [cell.name for cell in cells_of(self._viewer)]
        listed = [self.list.item(n) for n in range(self.list.count())]
        if names == [item.text() for item in listed]:
            return
        left = {item.text() for item in listed if not item.isSelected()}
        self.list.clear()
        self.list.addItems(names)
        for number, name in enumerate(names):
            self.list.item(number).setSelected(name not in left)

    def show_cells(self) -> Any:
        """Open the chosen cells side by side in a new window."""
        names = {item.text() for item in self.list.selectedItems()}
        cells = [cell for cell in cells_of(self._viewer) if cell.name in names]
        if len(cells) < 2:
            many = len(cells) or "no"
            raise XctError(f"{many} cell is chosen: open two or more, and choose them in the list")
        # a second picture of each cell: what is noted of its layers here stays as it is
        copies = [open_cell(cell.path) for cell in cells]
        _common_surface(copies, [_geometry(cell) for cell in copies], self.surface.currentText())
        viewer = self.new_viewer(title=f"xct: {' | '.join(cell.name for cell in copies)}")
        rois = [roi for cell in cells for roi in drawn_rois(cell)]
        first = {roi.name: roi for roi in reversed(rois)}  # of one name the first cell's
        side_by_side(
            viewer,
            copies,
            self.surface.currentText(),
            self.quantity.currentText(),
            [roi for roi in rois if first[roi.name] is roi],
        )
        return viewer


def _geometry(cell: Cell) -> CellGeometry:
    if cell.geometry is None:
        raise XctError(
            f"{cell.path}: where the cell lies was not measured, so it cannot be compared; run the "
            "recipe tomo_cell or analyze"
        )
    return cell.geometry


def _common_surface(
    cells: Sequence[Cell], geometries: Sequence[CellGeometry], asked: str | None
) -> str:
    common = [name for name in SURFACES if all(name in g.planes for g in geometries)]
    if asked is None and common:
        return common[0]
    for cell, geometry in zip(cells, geometries, strict=True):
        if asked not in geometry.planes:
            there = ", ".join(geometry.planes) or "none"
            raise XctError(
                f"{cell.name}: the surface {asked or 'from which depth counts'} is not in view; "
                f"there are {there}"
            )
    assert asked is not None  # else a surface is missing in one of the cells
    return asked


def _common_kinds(cells: Sequence[Sequence[LayerData]]) -> list[str]:
    """List what every cell has: so the grid gets equally many layers of each."""
    kinds = [[_kind(layer) for layer in layers] for layers in cells]
    common = [kind for kind in kinds[0] if all(kind in others for others in kinds)]
    return [*(kind for kind in common if kind != "lines"), "lines"]


def _images(cells: Sequence[Cell], quantity: str | None) -> dict[str, LayerData]:
    """Make the pictures of all cells, with one contrast."""
    missing = [cell.name for cell in cells if not cell.normalized]
    normalized = quantity != "attenuation" and not missing
    if quantity == "grey values" and missing:
        show_info(f"{', '.join(missing)}: not normalized to the electrolyte; 1/cm is shown")
    found = {cell.name: volume_layer(cell) for cell in cells}
    limits = np.median([layer[1]["contrast_limits"] for layer in found.values()], axis=0)
    for cell in cells:
        data, settings, kind = found[cell.name]
        if normalized and cell.result is not None:
            levels = grey_levels(cell.volume_path, cell.result)
            data = levels if len(levels) > 1 else levels[0]
        settings["contrast_limits"] = _GREY if normalized else tuple(limits.tolist())
        if normalized:
            settings["gamma"] = gamma(_GREY, STANDARD_SCALE.reference_value)
        settings["metadata"][KEY].pop("span")
        found[cell.name] = (data, settings, kind)
    return found


def _placed(layer: LayerData, geometry: CellGeometry, surface: str) -> LayerData:
    """Put a layer where it lies in cell coordinates."""
    data, settings, kind = layer
    plane = geometry.planes[surface]
    origin = np.array([plane.height_um, geometry.axis_y_um, geometry.axis_x_um])
    direction = np.array([geometry.sign, 1, 1])
    scale = np.asarray(settings["scale"], float)
    moved = {"scale": scale * direction, "translate": -origin * direction}
    return data, settings | moved, kind


def _kind(layer: LayerData) -> str:
    return str(layer[1]["metadata"][KEY]["kind"])
