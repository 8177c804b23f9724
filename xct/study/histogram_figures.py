"""Histograms side by side. In: what was measured in ROIs; out: figures.

As figures 2 and 3 of the study: a column for each kind of ROI with its own range, the pristine cell
on top, linear with the logarithm over it, peaks marked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from xct.analyze.grey_counts import GreyBins
from xct.figures import DISTINCT_COLORS, canvas
from xct.study.grey import GreyCell, kind_of, same_kind_distance

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_BINS = 160  # that a panel can show
_DECADES = 4
_PRISTINE = "0.45"
_COLORS = DISTINCT_COLORS
_COUNTS = "voxels, each panel to its own scale"
_TAILS = (0.0005, 0.9995)  # of the voxels, that a panel's range leaves out


def cell_histograms_figure(cell: GreyCell, pristine: GreyCell | None) -> Figure | None:
    """Draw every ROI of a cell, by kind, below that of the pristine cell.

    Parameters
    ----------
    cell : GreyCell
        What is drawn, one ROI a panel.
    pristine : GreyCell or None
        Its ROIs of a kind together make the top panel.
    """
    kinds = _kinds([cell])
    if not kinds:
        return None
    by_kind = {kind: [roi for roi in cell.counts if kind_of(roi) == kind] for kind in kinds}
    top = 0 if pristine is None or not pristine.tables else 1
    rows = top + max(len(rois) for rois in by_kind.values())
    figure, axes = canvas(rows, len(kinds), (3.1 * len(kinds), 0.6 + 1.45 * rows))
    grid = np.array(axes).reshape(rows, len(kinds))
    for whole, (kind, rois) in zip(grid.T, by_kind.items(), strict=True):
        unused = rows - top - len(rois)  # above, so that all columns end at one height
        for axis in whole[:unused]:
            axis.set_visible(False)
        column = whole[unused:]
        shown = [cell] if pristine is None else [cell, pristine]
        limits = _range(shown, kind)
        if top and pristine is not None:
            together = sum(pristine.counts[roi] for roi in pristine.counts if kind_of(roi) == kind)
            _draw(column[0], np.asarray(together), _PRISTINE, limits, pristine.cell.name)
        for axis, roi in zip(column[top:], rois, strict=True):
            if top and pristine is not None and roi in pristine.counts:
                _outline(axis, pristine.counts[roi], limits)
            _draw(axis, cell.counts[roi], _COLORS[0], limits, roi)
            _mark_peak(axis, cell, roi)
        for axis in column[:-1]:
            axis.tick_params(labelbottom=False)
        column[-1].set_xlabel(f"grey value, {kind}")
    figure.suptitle(
        f"{cell.cell.name}: filled: linear; dotted: logarithm, four decades", fontsize=9
    )
    figure.supylabel(_COUNTS, fontsize=9)
    return figure


def group_histograms_figure(cells: Sequence[GreyCell]) -> Figure | None:
    """Draw cells below each other, all ROIs of a kind in one panel, the pristine one on top."""
    ordered = sorted(cells, key=lambda each: not each.cell.is_pristine)
    shown = [each for each in ordered if each.tables]
    kinds = _kinds(shown)
    if not kinds:
        return None
    figure, axes = canvas(len(shown), len(kinds), (3.1 * len(kinds), 0.6 + 1.5 * len(shown)))
    grid = np.array(axes).reshape(len(shown), len(kinds))
    for line, cell in zip(grid, shown, strict=True):
        for axis, kind in zip(line, kinds, strict=True):
            limits = _range(shown, kind)
            rois = [roi for roi in cell.counts if kind_of(roi) == kind]
            for number, roi in enumerate(rois):
                color = _COLORS[number % len(_COLORS)]
                _outline(axis, cell.counts[roi], limits, color, roi)
                _mark_peak(axis, cell, roi, color)
            _span(axis, limits)
            if rois:
                axis.legend(
                    fontsize=6, loc="upper right", frameon=False, labelspacing=0.2, handlelength=1,
                    ncols=2, columnspacing=0.8,
                )  # fmt: skip
        line[0].set_ylabel(cell.cell.name)
    for axis in grid[:-1].flat:
        axis.tick_params(labelbottom=False)
    for axis, kind in zip(grid[-1], kinds, strict=True):
        axis.set_xlabel(f"grey value, {kind}")
    figure.supylabel(_COUNTS, fontsize=9)
    return figure


def distances_figure(cells: Sequence[GreyCell]) -> Figure | None:
    """Draw how far each ROI is from the pristine one, beside how far pristine ROIs differ."""
    shown = [c for c in cells if "wasserstein" in c.tables.get("grey_statistics", {})]
    kinds = _kinds(shown)
    if not kinds:
        return None
    figure, axes = canvas(1, len(kinds), (3.2 * len(kinds), 3.2))
    for axis, kind in zip(axes, kinds, strict=True):
        alike = 0.0
        for number, cell in enumerate(shown):
            table = cell.tables["grey_statistics"]
            rows = table[[kind_of(str(roi)) == kind for roi in table["roi"]]]
            place = number + 0.12 * (np.arange(len(rows)) - (len(rows) - 1) / 2)
            value = rows["wasserstein"].to_numpy(float)
            # A percentile interval of a distance may lie beside its value: noise adds to it.
            below = np.clip(value - rows["wasserstein_low"], 0, None)
            above = np.clip(rows["wasserstein_high"] - value, 0, None)
            axis.errorbar(
                place, value, [below, above], fmt="o", ms=4, capsize=2, color=_COLORS[0],
                label=None if number else "a ROI and that of the pristine cell",
            )  # fmt: skip
            before = next((c for c in cells if c.cell.name == _pristine_name(cell)), None)
            if before is not None:
                alike = max(alike, same_kind_distance(before).get(kind, 0.0))
        axis.axhspan(0, alike, color=_PRISTINE, alpha=0.25, lw=0, label="ROIs of the pristine cell")
        axis.set_xticks(range(len(shown)), [c.cell.name for c in shown], rotation=30, ha="right")
        axis.set(title=f"ROIs {kind}", ylim=(0, None))
    axes[0].set_ylabel("Wasserstein distance\n(grey values)")
    _legend_below(figure, axes[0])
    return figure


def homogeneity_figure(cells: Sequence[GreyCell]) -> Figure | None:
    """Draw how much the ROIs of each kind differ within a cell, beside what chance makes."""
    rows = [
        (each.cell.name, row)
        for each in cells
        if "homogeneity" in each.tables
        for row in each.tables["homogeneity"].to_dict("records")
    ]
    kinds = list(dict.fromkeys(row["group"] for _, row in rows))
    if not kinds:
        return None
    figure, axes = canvas(1, len(kinds), (3.2 * len(kinds), 3.2))
    for axis, kind in zip(axes, kinds, strict=True):
        those = [(name, row) for name, row in rows if row["group"] == kind]
        place = np.arange(len(those))
        found = [row["distance"] for _, row in those]
        chance = [row["distance_by_chance"] for _, row in those]
        axis.bar(place, found, 0.6, color=_COLORS[0], label="found")
        axis.plot(place, chance, "_", color="k", ms=18, mew=2, label="mean by chance")
        for x, (_, row) in enumerate(those):
            axis.annotate(
                f"{row['p_value']:.2g}", (x, max(row["distance"], row["distance_by_chance"])),
                ha="center", va="bottom", fontsize=7,
            )  # fmt: skip
        axis.set_xticks(place, [name for name, _ in those], rotation=30, ha="right")
        axis.set(title=f"ROIs {kind}")
        axis.margins(y=0.15)
    axes[0].plot([], [], " ", label="number: p of a test that they hold the same")
    axes[0].set_ylabel("mean distance of a ROI\nfrom all (grey values)")
    _legend_below(figure, axes[0])
    return figure


def _legend_below(figure: Figure, axis: Axes) -> None:
    handles, labels = axis.get_legend_handles_labels()
    figure.legend(handles, labels, fontsize=8, loc="outside lower center", ncols=len(labels))


def _pristine_name(cell: GreyCell) -> str | None:
    return None if cell.cell.pristine is None else cell.cell.pristine.name


def _kinds(cells: Sequence[GreyCell]) -> list[str]:
    return list(dict.fromkeys(kind_of(roi) for cell in cells for roi in cell.counts))


def _range(cells: Sequence[GreyCell], kind: str) -> tuple[float, float]:
    """Choose the grey values that hold all but a few voxels of a kind, in all cells alike."""
    grey, ends = GreyBins().grey_value, []
    for cell in cells:
        for roi in (roi for roi in cell.counts if kind_of(roi) == kind):
            below = np.cumsum(cell.counts[roi])
            ends.append(np.interp(_TAILS, below / max(below[-1], 1), grey))
    low, high = np.min(ends, axis=0)[0], np.max(ends, axis=0)[1]
    return float(low), float(max(high, low + 1))


def _percent(counts: np.ndarray, limits: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Join bins as far as a panel can show, percent per bin; without the outermost."""
    grey = GreyBins().grey_value[1:-1]
    inside = (grey >= limits[0]) & (grey <= limits[1])
    grey, percent = grey[inside], 100 * counts[1:-1][inside] / max(counts.sum(), 1)
    step = max(1, len(grey) // _MOST_BINS)
    kept = len(grey) // step * step
    return grey[:kept].reshape(-1, step).mean(axis=1), percent[:kept].reshape(-1, step).sum(axis=1)


def _draw(
    axis: Axes, counts: np.ndarray, color: str, limits: tuple[float, float], label: str
) -> None:
    grey, percent = _percent(counts, limits)
    axis.fill_between(grey, percent, step="mid", color=color, alpha=0.35, lw=0)
    axis.step(grey, percent, where="mid", color=color, lw=0.9)
    top = percent.max(initial=0) or 1
    with np.errstate(divide="ignore"):
        logarithm = 1 + np.log10(percent / top) / _DECADES
    axis.plot(grey, np.where(logarithm > 0, logarithm, np.nan) * top, ":", color=color, lw=0.9)
    _span(axis, limits)
    axis.set_title(label, fontsize=8)


def _span(axis: Axes, limits: tuple[float, float]) -> None:
    from matplotlib.ticker import MaxNLocator

    axis.set(xlim=limits, yticks=[])
    axis.xaxis.set_major_locator(MaxNLocator(4))  # numbers of five digits in a narrow panel


def _outline(
    axis: Axes,
    counts: np.ndarray,
    limits: tuple[float, float],
    color: str = _PRISTINE,
    label: str | None = None,
) -> None:
    grey, percent = _percent(counts, limits)
    axis.step(grey, percent, where="mid", color=color, lw=0.8, label=label)


def _mark_peak(axis: Axes, cell: GreyCell, roi: str, color: str = "tab:red") -> None:
    table = cell.tables["grey_statistics"]
    for row in table[table["roi"] == roi].to_dict("records"):
        if np.isfinite(row["peak"]):
            axis.axvline(row["peak"], color=color, lw=0.8)
            axis.axvspan(row["peak_low"], row["peak_high"], color=color, alpha=0.15, lw=0)
