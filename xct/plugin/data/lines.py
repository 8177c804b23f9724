"""Surface lines: height maps drawn into whatever slice is shown. In: a viewer; out: its lines."""

from __future__ import annotations

from typing import Any

import numpy as np

from xct.plugin.data.cells import KEY
from xct.plugin.data.height_maps import lines

_WIDTH_PX = 2.0


def follow(viewer: Any) -> None:
    """Keep the surface lines of a viewer up to date, and give sliders of contrast their span.

    Both are for layers that are added from now on.
    """

    def attach(event: Any) -> None:
        note = event.value.metadata.get(KEY, {})
        if "span" in note:
            event.value.contrast_limits_range = note["span"]
        if note.get("kind") == "lines" and "drawn by" not in note:
            note["drawn by"] = SurfaceLines(viewer, event.value)
        if note.get("kind") == "line integrals" and "contrast by" not in note:
            note["contrast by"] = SliceContrast(viewer, event.value)

    # Connected anew for every reading: layers that are attached already are left alone.
    viewer.layers.events.inserted.connect(attach)


class SurfaceLines:
    """Redraws the lines of one cell when the slice, the axes or the zoom of its viewer change.

    Parameters
    ----------
    viewer : napari.Viewer
        Where the slice is shown.
    layer : napari.layers.Vectors
        The layer to fill; its metadata hold the surfaces.
    """

    def __init__(self, viewer: Any, layer: Any) -> None:
        self._viewer, self._layer = viewer, layer
        self._drawn: tuple[int | None, float] | None = None
        viewer.dims.events.point.connect(self.draw)
        viewer.dims.events.order.connect(self.draw)
        viewer.dims.events.ndisplay.connect(self.draw)
        viewer.scene.camera.events.zoom.connect(self.widen)
        layer.events.translate.connect(self.draw)
        layer.events.scale.connect(self.draw)
        self.draw()

    def draw(self, _: Any = None) -> None:
        """Draw the lines of the slice that is shown; none in 3-D."""
        axis, position = self._slice()
        if self._drawn == (axis, position):
            return
        self._drawn = (axis, position)
        note = self._layer.metadata[KEY]
        segments, colors = np.zeros((0, 2, 3)), np.zeros((0, 4))
        if axis is not None:
            size = note["voxel_size_um"]
            segments, colors = lines(note["surfaces"], size, axis, position * size[axis])
            segments = segments / np.asarray(size)
        self._layer.data = segments
        if len(segments):
            self._layer.edge_color = colors
        self.widen()

    def widen(self, _: Any = None) -> None:
        """Keep the lines two screen pixels wide at any zoom."""
        zoom = self._viewer.scene.camera.zoom
        if np.isfinite(zoom) and zoom > 0:
            self._layer.edge_width = float(_WIDTH_PX / zoom / abs(self._layer.scale[-1]))

    def _slice(self) -> tuple[int | None, float]:
        dims = self._viewer.dims
        if dims.ndisplay != 2 or dims.ndim < 3:
            return None, 0.0
        axis = dims.not_displayed[-1] - (dims.ndim - 3)
        point = self._layer.world_to_data(np.asarray(dims.point[-3:]))
        return axis, float(point[axis])


class SliceContrast:
    """Fits the contrast of a layer to each slice: rows of steel and of electrolyte differ much.

    Parameters
    ----------
    viewer : napari.Viewer
        Where the slice is shown.
    layer : napari.layers.Image
        The layer.
    """

    def __init__(self, viewer: Any, layer: Any) -> None:
        self._viewer, self._layer = viewer, layer
        viewer.dims.events.point.connect(self.fit)
        viewer.dims.events.order.connect(self.fit)
        layer.events.visible.connect(self.fit)

    def fit(self, _: Any = None) -> None:
        """Let the slice that is shown span from black to white."""
        if self._layer.visible and self._viewer.dims.ndisplay == 2:
            self._layer.reset_contrast_limits()
