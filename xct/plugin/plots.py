"""Plots in docks. In: histograms, profiles, counts by depth; out: canvases of matplotlib in Qt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_qtagg import FigureCanvasQTAgg
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from qtpy.QtCore import Signal

from xct.geometry import CellGeometry
from xct.plugin.controls import Latest
from xct.plugin.data.cells import Cell
from xct.plugin.data.height_maps import color
from xct.plugin.roi.live import depth_of

if TYPE_CHECKING:
    import pandas as pd
    from xarray import DataArray

    from xct.plugin.roi.live import Histogram


_BACK, _FRONT, _DIM = "#262930", "#d6d0ce", "#414851"
_OWN, _PRISTINE = "#ffd21f", "#8fa6bd"
_LEAST_SIZE = (320, 260)
_MOST_BARS = 250


class Plot(FigureCanvasQTAgg):
    """A canvas in the colors of napari, never too small to be drawn."""

    def __init__(self) -> None:
        self.figure = Figure(facecolor=_BACK, layout="constrained")
        super().__init__(self.figure)  # type: ignore[no-untyped-call]
        self.setMinimumSize(*_LEAST_SIZE)

    def fresh(self) -> Any:
        """Clear the figure and give one pair of axes."""
        self.figure.clear()
        axes = self.figure.add_subplot()
        _style(axes)
        return axes

    def write(self, text: str) -> None:
        """Show words in place of a plot."""
        axes = self.fresh()
        axes.set_axis_off()
        axes.text(0.5, 0.5, text, ha="center", va="center", color=_FRONT, wrap=True)
        self.draw_idle()  # type: ignore[no-untyped-call]


class HistogramPlot(Plot):
    """Linear histogram with the logarithmic one over it, and the pristine cell's behind."""

    def show_histogram(self, histogram: Histogram) -> None:
        """Draw the histogram of a ROI."""
        axes = self.fresh()
        log = axes.twinx()
        _style(log, grid=False)
        step = _step(histogram.counts.total)
        grey = _joined(histogram.bins.grey_value, step) / step
        shown = []
        if histogram.pristine is not None:
            parts = _parts(histogram.pristine.total, step)
            axes.fill_between(grey, parts, color=_PRISTINE, alpha=0.5, lw=0, label="pristine")
            log.semilogy(grey, _positive(parts), color=_PRISTINE, lw=0.8, ls="--")
            shown.append(parts)
        parts = _parts(histogram.counts.total, step)
        shown.append(parts)
        axes.plot(grey, parts, color=_OWN, lw=1.5, label=histogram.name)
        log.semilogy(grey, _positive(parts), color=_OWN, lw=0.8, ls="--")
        axes.set_xlim(*_span(grey, np.max(shown, axis=0)))
        axes.set_ylim(0, None)
        axes.set_xlabel(histogram.unit)
        axes.set_ylabel("% of voxels per bin (solid)")
        log.set_ylabel("the same, logarithmic (dashed)")
        axes.legend(loc="upper right", framealpha=0.3, labelcolor=_FRONT, facecolor=_BACK)
        self.draw_idle()  # type: ignore[no-untyped-call]


class ProfilePlot(Plot):
    """Values along a thick line, with the edges that were found."""

    def show_profile(self, profile: pd.DataFrame, edges: pd.DataFrame, unit: str) -> None:
        """Draw a profile.

        Parameters
        ----------
        profile : DataFrame
            ``distance_um, grey_value, grey_value_sd``, along the line.
        edges : DataFrame
            ``position_um, position_sd_um``, where it steps.
        unit : str
            Of the values.
        """
        axes = self.fresh()
        along, value = profile["distance_um"], profile["grey_value"]
        expanded = 2 * profile["grey_value_sd"].fillna(0)
        axes.fill_between(along, value - expanded, value + expanded, color=_OWN, alpha=0.3, lw=0)
        axes.plot(along, value, color=_OWN, lw=1.2)
        for position, sd in zip(edges["position_um"], edges["position_sd_um"], strict=True):
            axes.axvline(position, color=color("electrolyte_cathode"), lw=1, ls="--")
            axes.annotate(
                f"{position:.1f} ± {sd:.1f}",
                (position, 1),
                xycoords=("data", "axes fraction"),
                xytext=(2, -10),
                textcoords="offset points",
                color=_FRONT,
                fontsize=8,
            )
        axes.set_xlabel("along the line, µm")
        axes.set_ylabel(unit)
        self.draw_idle()  # type: ignore[no-untyped-call]


class DepthPlot(Plot):
    """Grey values by depth as an image; the shown slice is marked, a click chooses another."""

    clicked = Signal(float)

    def __init__(self) -> None:
        super().__init__()
        self._line: Any = None
        self.mpl_connect("button_press_event", self._pressed)

    def show_counts(self, counts: DataArray, geometry: CellGeometry | None, unit: str) -> None:
        """Draw counts by z and value, with the mean planes of the surfaces."""
        axes = self.fresh()
        z, grey = counts["z_um"].values, counts["grey_value"].values[1:-1]
        values = counts.values[:, 1:-1].astype(float)
        half = (z[1] - z[0]) / 2 if len(z) > 1 else 0.5
        extent = (grey[0], grey[-1], z[-1] + half, z[0] - half)
        norm = LogNorm(1, max(float(values.max()), 2.0))
        axes.imshow(values, extent=extent, aspect="auto", cmap="inferno", norm=norm)
        axes.set_facecolor("black")
        for name, plane in ({} if geometry is None else geometry.planes).items():
            axes.axhline(plane.height_um, color=color(name), lw=0.8)
            axes.annotate(
                name.replace("_", "/"),
                (1, plane.height_um),
                xycoords=("axes fraction", "data"),
                ha="right",
                va="bottom",
                color=color(name),
                fontsize=7,
            )
        axes.set_xlim(*_span(grey, values.sum(axis=0)))
        axes.grid(visible=False)
        axes.set_xlabel(unit)
        axes.set_ylabel("z, µm")
        self._line = axes.axhline(z[0], color="white", lw=1.2, ls=":")
        self.draw_idle()  # type: ignore[no-untyped-call]

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


def numbers_text(numbers: Mapping[str, Any], unit: str) -> str:
    """Write peak, width and tail with their 95 % intervals."""
    if not numbers:
        return "no voxel with a value"
    grey = unit == "grey value"
    lines = [f"{numbers['n']:,} voxels"]
    names = {"peak": "peak", "width": "width (sd)", "tail_fraction": "tail", "shift": "shift"}
    for key, name in names.items():
        if key in numbers and np.isfinite(numbers[key]):
            form = "{:.2%}" if key == "tail_fraction" else "{:,.0f}" if grey else "{:.3f}"
            value, low, high = (form.format(numbers[k]) for k in (key, f"{key}_low", f"{key}_high"))
            lines.append(f"{name} {value}  ({low} … {high})")
    if numbers.get("in_view", 1) < 0.999:
        lines.append(f"only {numbers['in_view']:.0%} of it is in view")
    return "\n".join(lines)


def _step(counts: np.ndarray) -> int:
    """Give how many bins are drawn as one, so that noise of counting does not hide the shape."""
    used = np.flatnonzero(counts[1:-1] > 0)
    width = int(np.ptp(used)) + 1 if used.size else 1
    return max(1, int(width / np.clip(np.sqrt(counts.sum()) / 2, 20, _MOST_BARS) + 0.5))


def _joined(values: np.ndarray, step: int) -> np.ndarray:
    """Add up neighbors, without the first and last bin, which hold what lies beyond."""
    inner = values[1:-1]
    return np.asarray(inner[: inner.size // step * step].reshape(-1, step).sum(axis=1))


def _parts(counts: np.ndarray, step: int) -> np.ndarray:
    """Give percent per bin that is drawn."""
    return np.asarray(100 * _joined(counts, step) / max(int(counts.sum()), 1))


def _positive(values: np.ndarray) -> np.ndarray:
    return np.where(values > 0, values, np.nan)


def _span(grey: np.ndarray, counts: np.ndarray) -> tuple[float, float]:
    """Give the range that holds almost everything."""
    below = np.cumsum(counts) / max(float(counts.sum()), 1e-300)
    low, high = grey[np.searchsorted(below, (0.0005, 0.9995)).clip(0, grey.size - 1)]
    margin = 0.15 * max(high - low, grey[1] - grey[0])
    return float(max(low - margin, grey[0])), float(min(high + margin, grey[-1]))


def _style(axes: Any, *, grid: bool = True) -> None:
    axes.set_facecolor("none")
    axes.tick_params(colors=_FRONT, labelsize=8)
    for spine in axes.spines.values():
        spine.set_color(_DIM)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set_color(_FRONT)
        label.set_fontsize(8)
    if grid:
        axes.grid(color=_DIM, lw=0.5)


# Grey values by depth, beside the viewer. In: a cell; out: a plot that follows its slices.


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
