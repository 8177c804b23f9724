"""Cell coordinates under the cursor. In: where the mouse is; out: depth, radius and azimuth."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtWidgets import QLabel

from xct.analyze.roi.shapes import nearest_surface
from xct.geometry import CellGeometry
from xct.plugin.data.cells import Cell


class CursorLabel(QLabel):
    """Shows where the mouse is in a cell.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose cursor is followed.
    """

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        # One size for all places: else the dock grows under the mouse, and the picture moves.
        self.setWordWrap(True)
        self.setFixedHeight(2 * self.fontMetrics().lineSpacing() + 6)
        self._viewer = viewer
        self._cell: Cell | None = None
        viewer.mouse_move_callbacks.append(self._moved)
        self.follow(None)

    def follow(self, cell: Cell | None) -> None:
        """Show coordinates of another cell."""
        self._cell = cell
        self.setText("" if cell is None else "move the mouse over the cell")

    def _moved(self, _: Any, event: Any) -> None:
        cell = self._cell
        if cell is None or "volume" not in cell.layers:
            return
        index = cell.layers["volume"].world_to_data(np.asarray(event.position)[-3:])
        at = np.asarray(index) * np.asarray(cell.volume.voxel_size_um)
        if cell.geometry is None:
            self.setText(f"z {at[0]:.1f}, y {at[1]:.1f}, x {at[2]:.1f} µm")
        else:
            self.setText(place_text(cell.geometry, *(float(v) for v in at)))


def place_text(geometry: CellGeometry, z_um: float, y_um: float, x_um: float) -> str:
    """Describe a position: depth from the nearest surface, radius, azimuth."""
    y_axis, x_axis = geometry.axis_at(z_um)
    y, x = y_um - y_axis, x_um - x_axis
    radius, azimuth = float(np.hypot(y, x)), float(np.rad2deg(np.arctan2(y, x)))
    place = f"radius {radius:.1f} µm, azimuth {round(azimuth)}°"
    surface = nearest_surface(geometry, z_um, y_um, x_um)
    if surface is None:
        return f"z {z_um:.1f} µm, {place}"
    depth = float(geometry.depth_um(surface, z_um, y_um, x_um))
    return f"depth {depth:+.1f} µm from {surface.replace('_', '/')}, {place}"
