"""Figures of a measured cell. In: quantities by name; out: PNG and SVG files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xct.analyze.roi.figure import draw_histograms
from xct.figures import canvas, contrast, save_figure, scale_bar
from xct.geometry import CellGeometry, Surface

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# As in the study: the anode's interface pink, the cathode's blue.
COLORS = {
    "steel_lithium": "tab:orange",
    "lithium_electrolyte": "deeppink",
    "electrolyte_cathode": "deepskyblue",
    "cathode_collector": "tab:green",
}
_WIDTH_IN, _MOST_IN = 11.0, 10.0  # of the cross-sections
_LAYERS = {
    "lithium": ("steel_lithium", "lithium_electrolyte"),
    "electrolyte": ("lithium_electrolyte", "electrolyte_cathode"),
    "cathode": ("electrolyte_cathode", "cathode_collector"),
}


def draw_measured(folder: Path, measured: Mapping[str, Any]) -> None:
    """Draw what was measured: cross-sections, thickness maps, grey values by depth, particles.

    Parameters
    ----------
    folder : Path
        Where to.
    measured : mapping
        What the steps gave, by quantity; what is absent is not drawn.
    """
    surfaces = measured.get("surfaces", {})
    draw_cross_sections(folder, measured)
    if any(set(pair) <= surfaces.keys() for pair in _LAYERS.values()):
        draw_thickness_maps(folder, measured["cell"], surfaces)
    if "depth_histogram" in measured:
        draw_depth_histogram(folder, measured["depth_histogram"])
    if "histograms" in measured:
        pristine = measured.get("pristine")
        earlier = pristine.tables.get("histograms") if pristine is not None else None
        draw_histograms(folder, measured["histograms"], earlier)
    if "particles" in measured and len(measured["particles"][1]):
        draw_particle_sizes(folder, measured["particles"][1])


def draw_cross_sections(folder: Path, measured: Mapping[str, Any]) -> None:
    """Draw two cuts along the axis, with surfaces, absent lithium and drifted particles."""
    cell, volume = measured["cell"], measured["volume"]
    y, x = (
        int(np.clip(round(at / edge), 0, length - 1))
        for at, edge, length in zip(
            (cell.axis_y_um, cell.axis_x_um), cell.voxel_size_um[1:], cell.shape[1:], strict=True
        )
    )
    figure, axes = canvas(2, 1, (_WIDTH_IN, _height_in(cell)))
    for axis, along, index in ((axes[0], "x", y), (axes[1], "y", x)):
        cut = (slice(None), index) if along == "x" else (slice(None), slice(None), index)
        image = volume[cut]
        _draw_cut(axis, np.asarray(image), cell, along, title=_cut_title(along, index))
        for name, surface in measured.get("surfaces", {}).items():
            heights = surface.height_um[index] if along == "x" else surface.height_um[:, index]
            _draw_line(axis, heights, cell, along, name)
        _mark_absent(axis, measured.get("surfaces", {}), cell, along, index)
        _mark_drifted(axis, measured, along, cut)
    handles = {
        text: handle
        for axis in axes
        for handle, text in zip(*axis.get_legend_handles_labels(), strict=True)
    }
    if handles:
        figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=6)
    save_figure(figure, folder, "cross_sections")


def _height_in(cell: CellGeometry) -> float:
    """Choose a figure's height: that of two cuts with their titles, so that flat cells fill it."""
    depth, height, width = (
        n * edge for n, edge in zip(cell.shape, cell.voxel_size_um, strict=True)
    )
    return float(min(2 * (0.9 * _WIDTH_IN * depth / min(height, width) + 0.8) + 0.5, _MOST_IN))


def _cut_title(along: str, index: int) -> str:
    return f"cut along {along} through the axis, {'y' if along == 'x' else 'x'} = {index}"


def _draw_cut(axis: Axes, image: np.ndarray, cell: CellGeometry, along: str, *, title: str) -> None:
    lowest, highest = contrast(image[_between_pins(image, cell)])
    z, across = cell.voxel_size_um[0], cell.voxel_size_um[2 if along == "x" else 1]
    height, width = image.shape
    extent = (-across / 2, (width - 0.5) * across, (height - 0.5) * z, -z / 2)
    axis.imshow(image, cmap="gray", vmin=lowest, vmax=highest, extent=extent, interpolation="none")
    axis.set(xlabel=f"{along} (µm)", ylabel="z (µm)", title=title)
    axis.set_xlim(extent[:2])
    axis.set_ylim(extent[2:])


def _between_pins(image: np.ndarray, cell: CellGeometry) -> slice:
    """Choose the slices between the outer surfaces: steel, much brighter, would hide the rest."""
    heights = sorted(plane.height_um / cell.voxel_size_um[0] for plane in cell.planes.values())
    if len(heights) < 2 or heights[-1] - heights[0] < 4:
        return slice(0, len(image))
    return slice(max(0, round(heights[0]) + 2), round(heights[-1]) - 1)


def _draw_line(axis: Axes, heights: np.ndarray, cell: CellGeometry, along: str, name: str) -> None:
    positions = np.arange(len(heights)) * cell.voxel_size_um[2 if along == "x" else 1]
    axis.plot(positions, heights, color=COLORS[name], lw=1, label=name.replace("_", " | "))


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


def _mark_drifted(axis: Axes, measured: Mapping[str, Any], along: str, cut: Any) -> None:
    """Outline the particles that left the cathode."""
    if "particles" not in measured:
        return
    labels, table = measured["particles"]
    ids = table.loc[table["drifted"].astype(bool), "particle"].to_numpy()
    section = np.asarray(labels[cut])
    drifted = np.isin(section, ids)
    if not drifted.any():
        return
    cell = measured["cell"]
    z, across = cell.voxel_size_um[0], cell.voxel_size_um[2 if along == "x" else 1]
    height, width = section.shape
    axis.contour(
        np.arange(width) * across, np.arange(height) * z, drifted, [0.5], colors="red",
        linewidths=0.8,
    )  # fmt: skip
    axis.plot([], [], color="red", lw=0.8, label="drifted")


def draw_thickness_maps(folder: Path, cell: CellGeometry, surfaces: Mapping[str, Surface]) -> None:
    """Draw the thickness of every layer; where lithium is gone, it is 0."""
    maps = {
        layer: thickness_um(surfaces, layer)
        for layer, pair in _LAYERS.items()
        if set(pair) <= surfaces.keys()
    }
    figure, axes = canvas(1, len(maps), (5.2 * len(maps), 4.6))
    edge = cell.voxel_size_um[2]
    for axis, (layer, thickness) in zip(axes, maps.items(), strict=True):
        known = thickness[np.isfinite(thickness)]
        low, high = np.percentile(known, (0.5, 99.5)) if known.size else (0, 1)
        shown = axis.imshow(thickness, cmap="viridis", vmin=low, vmax=high, interpolation="none")
        axis.set(xticks=[], yticks=[], title=f"{layer}, mean {known.mean():.1f} µm")
        scale_bar(axis, thickness.shape[1], edge, color="black")
        figure.colorbar(shown, ax=axis, label="thickness (µm)")
    save_figure(figure, folder, "thickness")


def thickness_um(surfaces: Mapping[str, Surface], layer: str) -> np.ndarray:
    """Thickness of a layer, µm, shape (y, x): 0 where lithium is gone, NaN where not measured."""
    first, last = (surfaces[name].height_um for name in _LAYERS[layer])
    if layer == "lithium":
        last = np.where(np.isnan(last), first, last)
    if layer == "electrolyte" and "steel_lithium" in surfaces:
        first = np.where(np.isnan(first), surfaces["steel_lithium"].height_um, first)
    return np.asarray(np.abs(last - first))


def draw_depth_histogram(folder: Path, counts: Any) -> None:
    """Draw how often each grey value occurs at each depth, on a logarithmic scale."""
    figure, axes = canvas(1, 1, (8, 6))
    grey, z = counts["grey_value"].values, counts["z_um"].values
    image = np.log10(np.where(counts.values > 0, counts.values, np.nan))
    shown = axes[0].pcolormesh(grey, z, image, cmap="magma", shading="nearest", rasterized=True)
    axes[0].invert_yaxis()
    axes[0].set(xlabel="grey value", ylabel="z (µm)", title="Grey values by depth")
    figure.colorbar(shown, ax=axes[0], label="log₁₀ voxels")
    save_figure(figure, folder, "depth_histogram")


def draw_particle_sizes(folder: Path, particles: Any) -> None:
    """Draw how particles are distributed over size, and the drifted ones over distance."""
    figure, axes = canvas(1, 2, (11, 4.5))
    drifted = particles["drifted"].astype(bool)
    diameter = particles["equivalent_diameter_um"]
    bins = np.linspace(0, max(float(diameter.max()), 1.0), 31)
    axes[0].hist([diameter[~drifted], diameter[drifted]], list(bins), stacked=True,
                 label=["in the cathode", "drifted"], color=["0.5", "red"])  # fmt: skip
    axes[0].set(xlabel="equivalent diameter (µm)", ylabel="particles")
    axes[0].set_title(f"{len(particles)} particles, median {diameter.median():.1f} µm")
    axes[0].legend()
    axes[1].scatter(particles["distance_to_front_um"], diameter, s=4,
                    c=np.where(drifted, "red", "0.5"))  # fmt: skip
    axes[1].axvline(0, color="deepskyblue", lw=1)
    axes[1].set(xlabel="distance to the cathode's front (µm), positive towards the anode",
                ylabel="equivalent diameter (µm)")  # fmt: skip
    save_figure(figure, folder, "particle_sizes")
