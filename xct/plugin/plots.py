"""Plots in docks. In: histograms, profiles, counts by depth; out: canvases of matplotlib in Qt."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_qtagg import FigureCanvasQTAgg
from matplotlib.figure import Figure
from qtpy.QtCore import QSize, Signal

from xct.figures import plain_text
from xct.geometry import CellGeometry
from xct.plugin.controls import Latest
from xct.plugin.data.cells import Cell
from xct.plugin.drawing import (
    DARK,
    LIGHT,
    PAPER,
    Look,
    draw_depths,
    draw_histogram,
    draw_profile,
    fresh,
    paper_figure,
)
from xct.plugin.roi.live import depth_of

if TYPE_CHECKING:
    import pandas as pd
    from xarray import DataArray

    from xct.plugin.roi.live import Histogram

_LEAST_SIZE, _ROOM = (300, 220), (340, 260)
Draws = Callable[[Figure, Look], Any]


class Plot(FigureCanvasQTAgg):
    """A canvas in the colors of napari, never too small to be drawn.

    What it shows can be drawn again: in the colors of another theme, or white, for a paper.

    Parameters
    ----------
    viewer : napari.Viewer, optional
        Whose theme is followed.
    """

    def __init__(self, viewer: Any = None) -> None:
        self.figure = Figure(facecolor=DARK.back, layout="constrained")
        super().__init__(self.figure)  # type: ignore[no-untyped-call]
        self.setMinimumSize(*_LEAST_SIZE)
        self._theme = viewer
        self._draws: Draws | None = None
        self.words = ""  # in place of a plot
        if viewer is not None:
            viewer.events.theme.connect(self._again)

    def sizeHint(self) -> QSize:
        """Ask for no more room than beside a picture: matplotlib would ask for 640 pixels."""
        return QSize(*_ROOM)

    @property
    def look(self) -> Look:
        """Colors of the theme."""
        light = self._theme is not None and "light" in str(self._theme.theme)
        return LIGHT if light else DARK

    @property
    def empty(self) -> bool:
        """Whether it shows nothing but words."""
        return self._draws is None

    def show_drawn(self, draws: Draws) -> Any:
        """Show what a function draws; it may be called again."""
        self._draws = draws
        answer = draws(self.figure, self.look)
        plain_text(self.figure)
        self.draw_idle()  # type: ignore[no-untyped-call]
        return answer

    def for_paper(self) -> Figure | None:
        """Draw the same white and as wide as a column; None where there is nothing to draw."""
        if self._draws is None:
            return None
        figure = paper_figure()
        self._draws(figure, PAPER)
        plain_text(figure)
        return figure

    def write(self, text: str) -> None:
        """Show words in place of a plot."""
        self._draws, self.words = None, text
        axes = fresh(self.figure, self.look)
        axes.set_axis_off()
        axes.text(0.5, 0.5, text, ha="center", va="center", color=self.look.front, wrap=True)
        self.draw_idle()  # type: ignore[no-untyped-call]

    def _again(self, _: Any = None) -> None:
        if self._draws is not None:
            self.show_drawn(self._draws)


class HistogramPlot(Plot):
    """Linear histogram with the logarithmic one over it, and the pristine cell's behind."""

    def show_histogram(self, histogram: Histogram) -> None:
        """Draw the histogram of a ROI."""
        self.show_drawn(partial(draw_histogram, histogram=histogram))


class ProfilePlot(Plot):
    """Values along a thick line, with the edges that were found."""

    def show_profile(self, profile: pd.DataFrame, edges: pd.DataFrame, unit: str) -> None:
        """Draw a profile; see `draw_profile`."""
        self.show_drawn(partial(draw_profile, profile=profile, edges=edges, unit=unit))


class DepthPlot(Plot):
    """Grey values by depth as an image; the shown slice is marked, a click chooses another."""

    clicked = Signal(float)

    def __init__(self, viewer: Any = None) -> None:
        super().__init__(viewer)
        self._line: Any = None
        self.mpl_connect("button_press_event", self._pressed)

    def show_counts(self, counts: DataArray, geometry: CellGeometry | None, unit: str) -> None:
        """Draw counts by z and value, with the mean planes of the surfaces."""
        self.show_drawn(partial(draw_depths, counts=counts, geometry=geometry, unit=unit))

    def show_drawn(self, draws: Draws) -> Any:
        """Draw, and mark the slice."""
        at = self.marked_um or 0.0
        axes = super().show_drawn(draws)
        self._line = axes.axhline(at, color="white", lw=1.2, ls=":")
        return axes

    def mark(self, z_um: float) -> None:
        """Mark the shown slice."""
        if self._line is not None:
            self._line.set_ydata([z_um, z_um])
            self.draw_idle()  # type: ignore[no-untyped-call]

    @property
    def marked_um(self) -> float | None:
        """Where the mark is."""
        return None if self._line is None else float(self._line.get_ydata()[0])

    def write(self, text: str) -> None:
        """Show words in place of a plot."""
        self._line = None
        super().write(text)

    def _pressed(self, event: Any) -> None:
        if self._line is not None and event.inaxes is not None:
            self.clicked.emit(float(event.ydata))


# Grey values by depth, beside the viewer. In: a cell; out: a plot that follows its slices.


class Depths(DepthPlot):
    """The depth histogram of one cell; a click on it moves the slice.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose slice is marked.
    """

    def __init__(self, viewer: Any) -> None:
        super().__init__(viewer)
        self._viewer = viewer
        self._cell: Cell | None = None
        self._work = Latest(self)
        self._work.done.connect(self._show)
        self._work.failed.connect(self.write)
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
            self.write("open a result: drop its folder on the window")
        elif cell is not self._cell:
            self._cell = cell
            self.write("counting …")
            self._work.ask(lambda: (cell, *depth_of(cell)))

    def go_to(self, z_um: float) -> None:
        """Show the slice at a height."""
        cell = self._cell
        if cell is not None and "volume" in cell.layers:
            index = round(z_um / cell.volume.voxel_size_um[0])
            world = cell.layers["volume"].data_to_world((index, 0, 0))
            self._viewer.dims.set_point(self._viewer.dims.ndim - 3, world[0])

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
