"""How plots look, on the screen and in a paper. In: what was measured; out: figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from xct.errors import show_with_sd
from xct.geometry import CellGeometry
from xct.plugin.data.height_maps import color

if TYPE_CHECKING:
    import pandas as pd
    from xarray import DataArray

    from xct.plugin.roi.live import Histogram

_MOST_BARS = 250
_COLUMN_MM, _HEIGHT_MM = 88.0, 66.0  # a column of a journal


@dataclass(frozen=True)
class Look:
    """Colors of a plot, and the size of its letters in points."""

    back: str
    front: str
    dim: str
    own: str
    pristine: str
    size: float = 8.0
    grid: bool = True


DARK = Look("#262930", "#d6d0ce", "#414851", "#ffd21f", "#8fa6bd")
LIGHT = Look("#efebe9", "#3b3a39", "#bcb8b5", "#b35900", "#5b7ea1")
PAPER = Look("white", "black", "#444444", "#c44e00", "#6b8fb5", size=7.0, grid=False)


def paper_figure() -> Figure:
    """Make an empty white figure as wide as a column of a journal."""
    return Figure(
        figsize=(_COLUMN_MM / 25.4, _HEIGHT_MM / 25.4), facecolor=PAPER.back, layout="constrained"
    )


def fresh(figure: Figure, look: Look) -> Any:
    """Clear a figure and give one pair of axes."""
    figure.clear()
    figure.set_facecolor(look.back)
    axes = figure.add_subplot()
    _style(axes, look, grid=look.grid)
    return axes


def draw_histogram(figure: Figure, look: Look, histogram: Histogram) -> None:
    """Draw a linear histogram, the logarithmic one over it, and the pristine cell's behind."""
    axes = fresh(figure, look)
    log = axes.twinx()
    _style(log, look, grid=False)
    step = _step(histogram.counts.total)
    grey = _joined(histogram.bins.grey_value, step) / step
    shown = []
    if histogram.pristine is not None:
        parts = _parts(histogram.pristine.total, step)
        axes.fill_between(
            grey, parts, color=look.pristine, alpha=0.5, lw=0, label=histogram.pristine_name
        )
        log.semilogy(grey, _positive(parts), color=look.pristine, lw=0.8, ls="--")
        shown.append(parts)
    parts = _parts(histogram.counts.total, step)
    shown.append(parts)
    axes.plot(grey, parts, color=look.own, lw=1.5, label=histogram.name)
    log.semilogy(grey, _positive(parts), color=look.own, lw=0.8, ls="--")
    axes.set_xlim(*_span(grey, np.max(shown, axis=0)))
    axes.set_ylim(0, None)
    axes.set_xlabel(histogram.unit)
    axes.set_ylabel("% of voxels per bin (solid)")
    log.set_ylabel("the same, logarithmic (dashed)")
    axes.legend(
        loc="upper right",
        framealpha=0.3,
        labelcolor=look.front,
        facecolor=look.back,
        fontsize=look.size,
    )


def draw_profile(
    figure: Figure, look: Look, profile: pd.DataFrame, edges: pd.DataFrame, unit: str
) -> None:
    """Draw values along a thick line, with the edges that were found.

    Parameters
    ----------
    figure, look : Figure, Look
        Where, and how.
    profile : DataFrame
        ``distance_um, grey_value, grey_value_sd``, along the line.
    edges : DataFrame
        ``position_um, position_sd_um``, where it steps.
    unit : str
        Of the values.
    """
    axes = fresh(figure, look)
    along, value = profile["distance_um"], profile["grey_value"]
    expanded = 2 * profile["grey_value_sd"].fillna(0)
    axes.fill_between(along, value - expanded, value + expanded, color=look.own, alpha=0.3, lw=0)
    axes.plot(along, value, color=look.own, lw=1.2)
    axes.set_xlim(float(along.min()), float(along.max()))
    places = [float(place) for place in edges["position_um"]]
    # A label is at most three tenths of the plot wide, and stands left of an edge at the right end;
    # those that would overprint go a line lower.
    width, last = 0.3 * float(np.ptp(along)), float(along.min() + 0.7 * np.ptp(along))
    lines = _lines_of([place - width * (place > last) for place in places], width)
    for place, sd, line in zip(places, edges["position_sd_um"], lines, strict=True):
        axes.axvline(place, color=color("electrolyte_cathode"), lw=1, ls="--")
        axes.annotate(
            show_with_sd(place, sd, 1),
            (place, 1),
            xycoords=("data", "axes fraction"),
            xytext=(-3 if place > last else 3, -4 - line * (look.size + 3)),
            textcoords="offset points",
            ha="right" if place > last else "left",
            va="top",
            color=look.front,
            fontsize=look.size,
            bbox={"facecolor": look.back, "edgecolor": "none", "pad": 0.5},
        )
    axes.set_ylim(None, _room_above(value + expanded, max(lines, default=-1) + 1))
    axes.set_xlabel("along the line, µm")
    axes.set_ylabel(unit)


def draw_depths(
    figure: Figure, look: Look, counts: DataArray, geometry: CellGeometry | None, unit: str
) -> Any:
    """Draw counts by z and value as an image, with the mean planes of the surfaces.

    Returns
    -------
    Axes
        Of the image.
    """
    axes = fresh(figure, look)
    z, grey = counts["z_um"].values, counts["grey_value"].values[1:-1]
    values = counts.values[:, 1:-1].astype(float)
    half = (z[1] - z[0]) / 2 if len(z) > 1 else 0.5
    extent = (grey[0], grey[-1], z[-1] + half, z[0] - half)
    norm = LogNorm(1, max(float(values.max()), 2.0))
    image = axes.imshow(values, extent=extent, aspect="auto", cmap="inferno", norm=norm)
    axes.set_facecolor("black")
    planes = {} if geometry is None else {n: p.height_um for n, p in geometry.planes.items()}
    heights = _apart(list(planes.values()), 0.05 * float(np.ptp(extent[2:])))
    for (name, height), text_at in zip(planes.items(), heights, strict=True):
        axes.axhline(height, color=color(name), lw=0.8)
        axes.annotate(
            name.replace("_", "/"),
            (0.99, text_at),
            xycoords=("axes fraction", "data"),
            ha="right",
            va="bottom",
            color=color(name),
            fontsize=look.size,
        )
    axes.set_xlim(*_span(grey, values.sum(axis=0)))
    axes.grid(visible=False)
    axes.set_xlabel(unit)
    axes.set_ylabel("z, µm")
    bar = figure.colorbar(image, ax=axes, pad=0.02)
    bar.set_label("voxels of a slice per bin", color=look.front, fontsize=look.size)
    bar.ax.tick_params(colors=look.front, labelsize=look.size)
    return axes


def draw_column(
    figure: Figure, look: Look, name: str, values: np.ndarray, shown: np.ndarray
) -> None:
    """Draw how the values of a column are distributed: those that are shown, over all."""
    axes = fresh(figure, look)
    known, part = values[np.isfinite(values)], shown[np.isfinite(shown)]
    edges = np.histogram_bin_edges(known, bins="auto") if known.size else np.array([0.0, 1.0])
    if len(edges) > _MOST_BARS:
        edges = np.linspace(edges[0], edges[-1], _MOST_BARS + 1)
    if part.size < known.size:
        axes.hist(known, edges, color=look.pristine, alpha=0.5, label=f"all, N = {known.size:,}")
    label = f"shown, N = {part.size:,}, median {np.median(part):.5g}" if part.size else "none shown"
    axes.hist(part, edges, color=look.own, histtype="step", lw=1.4, label=label)
    axes.set_xlabel(name)
    axes.set_ylabel("number")
    axes.legend(framealpha=0.3, labelcolor=look.front, facecolor=look.back, fontsize=look.size)


def draw_map(
    figure: Figure, look: Look, values: np.ndarray, extent: tuple[float, ...], name: str
) -> Any:
    """Draw a map over y and x, µm from the bore's axis; grey where nothing was measured.

    Returns
    -------
    Axes
        Of the map.
    """
    figure.set_layout_engine("compressed")  # else the map of a tall dock lies at its lower end
    axes = fresh(figure, look)
    axes.set_facecolor("#888888")
    known = values[np.isfinite(values)]
    low, high = np.percentile(known, (1, 99)) if known.size else (0.0, 1.0)
    image = axes.imshow(values, extent=extent, cmap="viridis", vmin=low, vmax=high)
    axes.grid(visible=False)
    axes.set_xlabel("x, µm from the axis")
    axes.set_ylabel("y, µm from the axis")
    bar = figure.colorbar(image, ax=axes, orientation="horizontal", pad=0.02, shrink=0.8)
    bar.set_label("µm", color=look.front, fontsize=look.size)
    bar.ax.tick_params(colors=look.front, labelsize=look.size)
    axes.set_title(name, color=look.front, fontsize=look.size)
    return axes


def _lines_of(starts: list[float], width: float) -> list[int]:
    """Give each label the first line on which it has room."""
    taken: list[list[float]] = []
    lines = []
    for start in starts:
        line = next((n for n, row in enumerate(taken) if _free(row, start, width)), len(taken))
        if line == len(taken):
            taken.append([])
        taken[line].append(start)
        lines.append(line)
    return lines


def _free(taken: list[float], start: float, width: float) -> bool:
    return all(abs(start - other) >= width for other in taken)


def _room_above(values: Any, lines: int) -> float:
    """Give the upper end of an axis that leaves room for lines of labels."""
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    return high + (high - low) * (0.05 + 0.07 * lines)


def _apart(heights: list[float], gap: float) -> list[float]:
    """Move heights apart from each other, from the first on."""
    moved = dict.fromkeys(range(len(heights)), 0.0)
    last = -np.inf
    for number in np.argsort(heights):
        last = moved[int(number)] = max(heights[int(number)], last + gap)
    return list(moved.values())


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


def _style(axes: Any, look: Look, *, grid: bool) -> None:
    axes.set_facecolor("none")
    axes.tick_params(colors=look.front, labelsize=look.size, which="both")
    for spine in axes.spines.values():
        spine.set_color(look.dim)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set_color(look.front)
        label.set_fontsize(look.size)
    if grid:
        axes.grid(color=look.dim, lw=0.5)
