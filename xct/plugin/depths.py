"""Grey values by depth, beside the viewer. In: a cell; out: a plot that follows its slices."""

from __future__ import annotations

from typing import Any

import numpy as np

from xct.plugin.cells import Cell
from xct.plugin.look import depth_of
from xct.plugin.plots import DepthPlot
from xct.plugin.work import Latest


class Depths(DepthPlot):
    """The depth histogram of one cell; a click on it moves the slice.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose slice is marked.
    """

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self._viewer = viewer
        self._cell: Cell | None = None
        self._work = Latest(self)
        self._work.done.connect(self._show)
        self.clicked.connect(self.go_to)
        viewer.dims.events.point.connect(self._mark)

    @property
    def idle(self) -> bool:
        """Whether nothing is being counted."""
        return self._work.idle

    def follow(self, cell: Cell | None) -> None:
        """Show another cell; its voxels are counted beside the window."""
        if cell is None:
            self._cell = None
            self.say("open a result: drop its folder on the window")
        elif cell is not self._cell:
            self._cell = cell
            self.say("counting …")
            self._work.ask(lambda: (cell, *depth_of(cell)))

    def go_to(self, z_um: float) -> None:
        """Show the slice at a height."""
        cell = self._cell
        if cell is not None and "volume" in cell.layers:
            index = round(z_um / cell.volume.voxel_size_um[0])
            world = cell.layers["volume"].data_to_world((index, 0, 0))
            self._viewer.dims.set_point(self._viewer.dims.ndim - 3, world[0])

    def stop(self) -> None:
        """Let go of the thread."""
        self._work.stop()

    def _show(self, answer: tuple[Cell, Any, str]) -> None:
        cell, counts, unit = answer
        self.show_counts(counts, cell.geometry, unit)
        self._mark()

    def _mark(self, _: Any = None) -> None:
        cell = self._cell
        if cell is not None and "volume" in cell.layers:
            world = np.asarray(self._viewer.dims.point)[-3:]
            index = float(cell.layers["volume"].world_to_data(world)[0])
            self.mark(index * cell.volume.voxel_size_um[0])
