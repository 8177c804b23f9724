"""Cross-sections of a measured cell. In: volume, surfaces, particles; out: a figure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from xct.figures import SURFACE_COLORS, canvas, contrast, scale_bar, told_apart
from xct.geometry import CellGeometry, Surface
from xct.parallel.blocks import Voxels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage
    from pandas import DataFrame

_SCALE = "linear attenuation (1/cm)"
_WIDTH_IN, _MOST_IN = 11.0, 10.0
_FLAT_IN = 4.5  # a figure of two cuts that are less than 1.5 inches high
_ENTRY_IN = 2.2  # of the legend: the longest name with its line


def cross_sections_figure(
    volume: Voxels,
    cell: CellGeometry,
    surfaces: Mapping[str, Surface] | None = None,
    particle_labels: Any = None,
    particles: DataFrame | None = None,
    scale_name: str = _SCALE,
) -> Figure:
    """Draw two cuts along the axis, with surfaces, absent lithium and drifted particles.

    Parameters
    ----------
    volume : Voxels, shape (z, y, x)
        What is cut.
    cell : CellGeometry
        Where the axis lies.
    surfaces : mapping of str to Surface, optional
        Height maps.
    particle_labels : array, shape (z, y, x), optional
        A number for each particle.
    particles : DataFrame, optional
        Their table.
    scale_name : str, optional
        What the values of the volume are.
    """
    maps = surfaces or {}
    y, x = (
        int(np.clip(round(at / edge), 0, length - 1))
        for at, edge, length in zip(
            (cell.axis_y_um, cell.axis_x_um), cell.voxel_size_um[1:], cell.shape[1:], strict=True
        )
    )
    figure, axes = canvas(2, 1, _size_in(cell))
    for axis, along, index in ((axes[0], "x", y), (axes[1], "y", x)):
        cut = (slice(None), index) if along == "x" else (slice(None), slice(None), index)
        image = np.asarray(volume[cut])
        shown = _draw_cut(axis, image, cell, along, title=_cut_title(along, index))
        _draw_scale(figure, axis, shown, scale_name)
        for name, surface in maps.items():
            heights = surface.height_um[index] if along == "x" else surface.height_um[:, index]
            _draw_line(axis, heights, cell, along, name)
        _mark_absent(axis, maps, cell, along, index)
        if particles is not None and particle_labels is not None:
            _mark_drifted(axis, particle_labels, particles, cell, along, cut)
    handles = {
        text: handle
        for axis in axes
        for handle, text in zip(*axis.get_legend_handles_labels(), strict=True)
    }
    if handles:
        ncols = max(1, int(figure.get_figwidth() / _ENTRY_IN))
        figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=ncols)
    return figure


def _size_in(cell: CellGeometry) -> tuple[float, float]:
    """Choose a figure's size: that of two cuts with their titles, so that they fill it."""
    depth, height, width = (
        n * edge for n, edge in zip(cell.shape, cell.voxel_size_um, strict=True)
    )
    flat = depth / min(height, width)
    high = min(2 * (0.88 * _WIDTH_IN * flat + 0.8) + 0.5, _MOST_IN)
    wide = ((high - 0.5) / 2 - 0.8) / flat + 2.2  # labels on the left, the color bar
    return float(np.clip(wide, 7.0, _WIDTH_IN)), float(high)


def _draw_scale(figure: Figure, axis: Axes, shown: AxesImage, scale_name: str) -> None:
    """Draw the color bar; beside a flat cut it is shorter than its name in one line."""
    flat = figure.get_figheight() < _FLAT_IN
    ticks = _ticks(*shown.get_clim(), most=3 if flat else 7)
    bar = figure.colorbar(shown, ax=axis, pad=0.01, shrink=0.9, ticks=ticks)
    name = scale_name.replace(" ", "\n") if flat else scale_name
    bar.set_label(name, fontsize="small" if flat else None)


def _ticks(lowest: float, highest: float, most: int) -> list[float]:
    """Choose round values between black and white: what lies beyond is clipped onto these ends."""
    from matplotlib.ticker import MaxNLocator

    ticks = MaxNLocator(most).tick_values(lowest, highest)
    return [float(tick) for tick in ticks if lowest <= tick <= highest]


def _cut_title(along: str, index: int) -> str:
    return f"cut along {along} through the axis, {'y' if along == 'x' else 'x'} = {index}"


def _draw_cut(
    axis: Axes, image: np.ndarray, cell: CellGeometry, along: str, *, title: str
) -> AxesImage:
    lowest, highest = contrast(image[_between_pins(image, cell)])
    z, across = cell.voxel_size_um[0], cell.voxel_size_um[2 if along == "x" else 1]
    height, width = image.shape
    extent = (-across / 2, (width - 0.5) * across, (height - 0.5) * z, -z / 2)
    shown = axis.imshow(
        image, cmap="gray", norm=told_apart(lowest, highest), extent=extent, interpolation="none"
    )
    scale_bar(axis, width, across, extent=extent)
    axis.set(xlabel=f"{along} (µm)", ylabel="z (µm)", title=title)
    axis.set_xlim(extent[:2])
    axis.set_ylim(extent[2:])
    return shown


def _between_pins(image: np.ndarray, cell: CellGeometry) -> slice:
    """Choose the slices between the outer surfaces: steel, much brighter, would hide the rest."""
    heights = sorted(plane.height_um / cell.voxel_size_um[0] for plane in cell.planes.values())
    if len(heights) < 2 or heights[-1] - heights[0] < 4:
        return slice(0, len(image))
    return slice(max(0, round(heights[0]) + 2), round(heights[-1]) - 1)


def _draw_line(axis: Axes, heights: np.ndarray, cell: CellGeometry, along: str, name: str) -> None:
    positions = np.arange(len(heights)) * cell.voxel_size_um[2 if along == "x" else 1]
    axis.plot(positions, heights, color=SURFACE_COLORS[name], lw=1, label=name.replace("_", " | "))


def _mark_absent(
    axis: Axes, surfaces: Mapping[str, Surface], cell: CellGeometry, along: str, index: int
) -> None:
    """Draw the steel's face thick where no lithium is left on it."""
    if not {"steel_lithium", "lithium_electrolyte"} <= surfaces.keys():
        return
    take = (index, slice(None)) if along == "x" else (slice(None), index)
    steel = surfaces["steel_lithium"].height_um[take]
    gone = np.isfinite(steel) & np.isnan(surfaces["lithium_electrolyte"].height_um[take])
    if not gone.any():
        return
    positions = np.arange(len(steel)) * cell.voxel_size_um[2 if along == "x" else 1]
    heights = np.where(gone, steel, np.nan)
    axis.plot(positions, heights, color="yellow", lw=4, alpha=0.8, label="no lithium")


def _mark_drifted(
    axis: Axes, labels: Any, table: DataFrame, cell: CellGeometry, along: str, cut: Any
) -> None:
    """Outline the particles that left the cathode."""
    ids = table.loc[table["drifted"].astype(bool), "particle"].to_numpy()
    section = np.asarray(labels[cut])
    drifted = np.isin(section, ids)
    if not drifted.any():
        return
    z, across = cell.voxel_size_um[0], cell.voxel_size_um[2 if along == "x" else 1]
    height, width = section.shape
    axis.contour(
        np.arange(width) * across, np.arange(height) * z, drifted, [0.5], colors="red",
        linewidths=0.8,
    )  # fmt: skip
    axis.plot([], [], color="red", lw=0.8, label="drifted")
