"""Histograms of ROIs as one figure. In: tables; out: a figure.

As in the study: one panel for each ROI, linear with the logarithm over it, the pristine cell's
histogram of the same ROI above for comparison.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from xct.figures import canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from pandas import DataFrame

_MOST_BINS = 250  # that a panel can show


def histograms_figure(histograms: Mapping[str, DataFrame], pristine: Any = None) -> Figure:
    """Draw the histogram of every ROI.

    Parameters
    ----------
    histograms : mapping of str to DataFrame
        ``histograms`` and ``grey_statistics``, as `xct.analyze.histograms` gives them.
    pristine : Result, optional
        The pristine cell, for its ``histograms``.
    """
    table = histograms["histograms"]
    earlier = None if pristine is None else pristine.tables.get("histograms")
    names = list(dict.fromkeys(table["roi"]))
    figure, axes = canvas(len(names), 1, (8, 1.2 + 2.1 * len(names)))
    low, high = _range(table)
    for axis, name in zip(axes, names, strict=True):
        if earlier is not None and (earlier["roi"] == name).any():
            _draw_one(axis, earlier[earlier["roi"] == name], "0.6", "pristine")
        _draw_one(axis, table[table["roi"] == name], "tab:blue", "this cell")
        _mark_peak(axis, histograms.get("grey_statistics"), name)
        axis.set(xlim=(low, high), ylabel="fraction (%)", title=name)
    axes[0].legend(loc="upper right")
    axes[-1].set_xlabel("grey value; dotted: logarithmic, four decades")
    return figure


def _range(table: DataFrame) -> tuple[float, float]:
    """Choose the grey values that hold all but a few voxels."""
    total = table.groupby("grey_value")["count"].sum()
    below = total.cumsum() / max(total.sum(), 1)
    inside = total.index[(below > 0.0005) & (below < 0.9995)]
    if not len(inside):
        return float(total.index[0]), float(total.index[-1])
    margin = 0.05 * (inside[-1] - inside[0]) + 1
    return float(inside[0] - margin), float(inside[-1] + margin)


def _draw_one(axis: Axes, part: DataFrame, color: str, label: str) -> None:
    grey, count = part["grey_value"].to_numpy(), part["count"].to_numpy(float)
    grey, count = grey[1:-1], count[1:-1]  # the outermost bins hold what lies beyond
    step = max(1, len(grey) // _MOST_BINS)
    kept = len(grey) // step * step
    grey = grey[:kept].reshape(-1, step).mean(axis=1)
    percent = 100 * count[:kept].reshape(-1, step).sum(axis=1) / max(count.sum(), 1)
    axis.fill_between(grey, percent, step="mid", color=color, alpha=0.35, lw=0)
    axis.step(grey, percent, where="mid", color=color, lw=1, label=label)
    top = percent.max() or 1
    logarithm = np.full(len(percent), np.nan)
    logarithm[percent > 0] = 1 + np.log10(percent[percent > 0] / top) / 4
    axis.plot(grey, np.where(logarithm > 0, logarithm, np.nan) * top, ":", color=color, lw=1)


def _mark_peak(axis: Axes, statistics: DataFrame | None, name: str) -> None:
    if statistics is None or "peak" not in statistics:
        return
    for row in statistics[statistics["roi"] == name].to_dict("records"):
        if np.isfinite(row["peak"]):
            axis.axvspan(row["peak_low"], row["peak_high"], color="tab:red", alpha=0.25, lw=0)
            axis.axvline(row["peak"], color="tab:red", lw=0.8)
