"""The ROIs of a cell in the viewer. In: drawing and loading; out: one list, in cell coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from qtpy.QtCore import QObject, QTimer, Signal

from xct.analyze.roi.scaled import flat_on_cell
from xct.analyze.roi.shapes import Roi
from xct.errors import XctError
from xct.plugin.data.cells import KEY, Cell
from xct.plugin.data.layers import AXES, ROI_COLOR, ROI_LOOK, UNITS, placed
from xct.plugin.data.roi_shapes import around, edges, edited, from_shape, to_shape
from xct.plugin.notifications import errors_shown

_WIDTH_PX = 2.0


def drawn_rois(cell: Cell) -> list[Roi]:
    """List the ROIs that are shown on a cell, in whatever widget they were drawn."""
    layer = cell.layers.get("ROIs")
    note = {} if layer is None else layer.metadata[KEY]
    kept = note.get("kept by")
    return list(note.get("rois", ()) if kept is None else kept.rois)


class History:
    """What a list was before, and after: for undo and redo.

    Parameters
    ----------
    rois : sequence of Roi
        How it is at first.
    """

    def __init__(self, rois: Sequence[Roi]) -> None:
        self._states: list[tuple[Roi, ...]] = [tuple(rois)]
        self._now = 0

    def note(self, rois: Sequence[Roi]) -> None:
        """Note a change; what was taken back before cannot be made again."""
        if tuple(rois) != self._states[self._now]:
            self._states[self._now + 1 :] = [tuple(rois)]
            self._now += 1

    def back(self) -> tuple[Roi, ...] | None:
        """Give the list before the last change."""
        return self._step(-1)

    def forward(self) -> tuple[Roi, ...] | None:
        """Give the list after the change that was taken back."""
        return self._step(1)

    def _step(self, direction: int) -> tuple[Roi, ...] | None:
        if not 0 <= self._now + direction < len(self._states):
            return None
        self._now += direction
        return self._states[self._now]


class RoiLayer(QObject):
    """Keeps shapes and ROIs of one cell the same; ROIs that are not touched stay as they are.

    Signals
    -------
    changed
        The list of ROIs is another.
    selected
        Number of the ROI that was clicked on.

    Parameters
    ----------
    viewer : napari.Viewer
        Where the cell is shown.
    cell : Cell
        Whose ROIs they are.
    """

    changed = Signal()
    selected = Signal(int)

    def __init__(self, viewer: Any, cell: Cell) -> None:
        super().__init__()
        self._viewer, self._cell = viewer, cell
        self._quiet = False
        self._drawing = False  # whether the user is in the middle of a shape
        self._touched: set[int] = set()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._take_in)
        self.geometry = cell.frame
        self.rois: list[Roi] = []
        self._history = History([])
        self._as_sector = False
        self.thickness_um = 10 * cell.volume.voxel_size_um[0]
        self.width_um = 5 * cell.volume.voxel_size_um[0]
        self._layer: Any = None
        self._boxes: Any = None
        stored = cell.layers.get("ROIs")
        if stored is not None and stored in viewer.layers and "rois" in stored.metadata[KEY]:
            self.rois = list(stored.metadata[KEY]["rois"])
            self._watch(stored)
        self._history = History(self.rois)
        viewer.dims.events.point.connect(self.draw)
        viewer.dims.events.order.connect(self.draw)
        viewer.dims.events.ndisplay.connect(self.draw)
        viewer.scene.camera.events.zoom.connect(self._widen)

    @property
    def layer(self) -> Any:
        """The shapes; made when they are first needed."""
        if self._layer is None or self._layer not in self._viewer.layers:
            settings = self._placed("ROIs")
            layer = self._viewer.add_shapes(
                ndim=3,
                features={"name": np.zeros(0, object)},
                edge_width=self._line_width(),
                **ROI_LOOK,
                **settings,
            )
            self._watch(layer)
        return self._layer

    @property
    def idle(self) -> bool:
        """Whether everything that was drawn is in the list."""
        return not self._timer.isActive()

    @classmethod
    def of(cls, viewer: Any, cell: Cell) -> RoiLayer:
        """Give the ROIs of a cell; whoever asks for them gets the same."""
        stored = cell.layers.get("ROIs")
        kept = None if stored is None else stored.metadata[KEY].get("kept by")
        return cls(viewer, cell) if kept is None else kept

    def _watch(self, layer: Any) -> None:
        self._layer = layer
        layer.metadata[KEY]["kept by"] = self
        layer.events.data.connect(self._edited)
        layer.events.highlight.connect(self._highlighted)
        layer.events.mode.connect(self._mode_chosen)

    def draw_next(self, kind: str) -> None:
        """Let the user draw: "rectangle", "polygon", "ellipse", "line" or "sector"."""
        self._viewer.dims.ndisplay = 2
        if kind == "sector" and self.axis() != 0:
            if self._layer is not None:
                self._layer.mode = "pan_zoom"  # not what was drawn before
            raise XctError(
                "a sector lies about the axis: turn to slices first (Ctrl-E till the slider says z)"
            )
        layer = self.layer
        self._viewer.layers.selection.active = layer
        layer.mode = "add_line" if kind == "sector" else f"add_{kind}"
        self._as_sector = kind == "sector"  # napari has none: drawn from corner to corner

    def set_rois(self, rois: Sequence[Roi]) -> None:
        """Take other ROIs in place of those that are there, in µm and flat."""
        self.rois = [flat_on_cell(roi, self.geometry) for roi in rois]
        self._changed()

    def put(self, number: int, roi: Roi) -> None:
        """Take another ROI in place of one."""
        self.rois[number] = roi
        self._changed()

    def add(self, roi: Roi) -> None:
        """Add a ROI to the list, under a name that is free."""
        self.rois.append(replace(roi, name=self._free_name()))
        self._changed()
        self.selected.emit(len(self.rois) - 1)

    def undo(self) -> None:
        """Take the last change back; nothing where there is none."""
        self._go_to(self._history.back())

    def redo(self) -> None:
        """Make a change again that was taken back."""
        self._go_to(self._history.forward())

    def _go_to(self, rois: Sequence[Roi] | None) -> None:
        if rois is not None:
            self.rois = list(rois)
            self.draw(force=True)
            self.changed.emit()

    def _changed(self) -> None:
        self._history.note(self.rois)
        self.draw(force=True)
        self.changed.emit()

    def axis(self) -> int:
        """Give the axis across the slice that is shown."""
        dims = self._viewer.dims
        hidden = [axis for axis in range(dims.ndim - 3, dims.ndim) if axis not in dims.displayed]
        return int((hidden[-1] if hidden else dims.order[-3]) - (dims.ndim - 3))

    def index(self) -> float:
        """Give the slice that is shown, in voxels along that axis."""
        world = np.asarray(self._viewer.dims.point)[-3:]
        volume = self._cell.layers.get("volume")
        point = volume.world_to_data(world) if volume is not None else world
        return float(np.round(point[self.axis()]))

    def draw(self, _: Any = None, *, force: bool = False) -> None:
        """Draw every ROI in the slice that is shown; boxes in 3-D."""
        shown = self._cell.layers.get("volume") in self._viewer.layers
        if not shown or not (self.rois or force) or self._drawing:
            return
        if self._viewer.dims.ndisplay == 3:
            self._draw_boxes()
            return
        if self._boxes is not None and self._boxes in self._viewer.layers:
            self._boxes.visible = False
        axis, index = self.axis(), self.index()
        shapes = [to_shape(self.geometry, roi, axis, index) for roi in self.rois]
        layer = self.layer
        self._quiet = True
        try:
            chosen = set(layer.selected_data)
            if layer.nshapes != len(shapes) or self._kinds(layer) != [kind for _, kind in shapes]:
                layer.selected_data = set(range(layer.nshapes))
                layer.remove_selected()
                for vertices, kind in shapes:
                    layer.add(vertices, shape_type=kind)
            else:
                layer.data = [vertices for vertices, _ in shapes]
            layer.features = {"name": np.array([roi.name for roi in self.rois], object)}
            layer.edge_color = ROI_COLOR
            layer.edge_width = self._line_width()
            layer.selected_data = {n for n in chosen if n < len(shapes)}
        finally:
            self._quiet = False

    def _draw_boxes(self) -> None:
        if self._boxes is None or self._boxes not in self._viewer.layers:
            settings = self._placed("ROI boxes")
            self._boxes = self._viewer.add_vectors(
                np.zeros((0, 2, 3)), ndim=3, vector_style="line", **settings
            )
        self._boxes.data = edges(self.geometry, self.rois)
        self._boxes.edge_color = ROI_COLOR
        self._boxes.edge_width = 0.5
        self._boxes.visible = True

    def _placed(self, kind: str) -> dict[str, Any]:
        """Put a layer where the volume is, also where that was moved."""
        settings = placed(self._cell, kind)
        volume = self._cell.layers.get("volume")
        if volume is not None:
            settings |= {"scale": volume.scale[-3:], "translate": volume.translate[-3:]}
        return settings | {"units": UNITS, "axis_labels": AXES}

    def _line_width(self) -> float:
        zoom = self._viewer.scene.camera.zoom * self._cell.volume.voxel_size_um[1]
        return float(_WIDTH_PX / zoom) if np.isfinite(zoom) and zoom > 0 else 1.0

    def _widen(self, _: Any = None) -> None:
        if self._layer is not None and self._layer in self._viewer.layers and self.rois:
            self._quiet = True
            self._layer.edge_width = self._line_width()
            self._quiet = False

    @staticmethod
    def _kinds(layer: Any) -> list[str]:
        return [str(kind) for kind in layer.shape_type]

    def _edited(self, event: Any) -> None:
        """Note what was drawn, moved or deleted; it is looked at when napari is done with it."""
        action = str(getattr(event, "action", ""))
        if self._quiet:
            return
        self._drawing = action.endswith("adding")
        if not action.endswith(("added", "changed", "removed")):
            return
        if action.endswith("removed"):
            gone = {number % max(len(self.rois), 1) for number in event.data_indices}
            self.rois = [roi for number, roi in enumerate(self.rois) if number not in gone]
        elif action.endswith("changed"):
            self._touched |= set(event.data_indices)
        self._timer.start()

    def _mode_chosen(self, _: Any) -> None:
        self._drawing = False
        self._as_sector = False

    def _take_in(self) -> None:
        """Take what was drawn, moved or deleted into the list."""
        for number in self._touched:
            if number < len(self.rois):
                self._change_drawn(number)
        self._touched.clear()
        before = len(self.rois)
        self._add_drawn()
        self._changed()
        if len(self.rois) > before:
            self.selected.emit(len(self.rois) - 1)

    def _add_drawn(self) -> None:
        layer = self._layer
        for number in range(len(self.rois), 0 if layer is None else layer.nshapes):
            kind = self._kinds(layer)[number]
            if kind == "line" and self._as_sector:
                kind = "sector"
            drawn = (np.asarray(layer.data[number], float), kind)
            axis = self.axis()
            length, size = self.geometry.shape[axis], self.geometry.voxel_size_um[axis]
            across = around(self.index(), self.thickness_um, size, length)
            with errors_shown():
                name = self._free_name()
                roi = from_shape(self.geometry, name, drawn, axis, across, self.width_um)
                self.rois.append(roi)

    def _change_drawn(self, number: int) -> None:
        layer = self._layer
        drawn = (np.asarray(layer.data[number], float), self._kinds(layer)[number])
        with errors_shown():
            self.rois[number] = edited(self.geometry, self.rois[number], drawn, self.axis())

    def _highlighted(self, _: Any) -> None:
        chosen = self._layer.selected_data
        if not self._quiet and len(chosen) == 1:
            self.selected.emit(next(iter(chosen)))

    def _free_name(self) -> str:
        names = {roi.name for roi in self.rois}
        return next(f"R-{n}" for n in range(1, len(names) + 2) if f"R-{n}" not in names)
