"""Figures of cycling. In: what the cyclers say; out: voltage profiles, capacity, efficiency."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import TYPE_CHECKING

import numpy as np

from xct.figures import DISTINCT_COLORS, canvas
from xct.study.cycling.measured import Cycled, curve, shown_halves

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def _divided_by(found: Sequence[Cycled]) -> tuple[dict[str, float], str]:
    """Divide by the bore's area where every cell has one, so that one axis serves all."""
    if all(isfinite(one.area_cm2) for one in found):
        return {one.cell.name: one.area_cm2 for one in found}, "mAh/cm²"
    return {one.cell.name: 1.0 for one in found}, "mAh"


def voltage_figure(found: Sequence[Cycled]) -> Figure | None:
    """Draw voltage against capacity, a panel for each cell, the cycles by colour."""
    if not found:
        return None
    from matplotlib import colormaps

    divisor, unit = _divided_by(found)
    columns = min(3, len(found))
    rows = -(-len(found) // columns)
    figure, axes = canvas(rows, columns, (3.9 * columns, 3.0 * rows))
    for axis, one in zip(axes, found, strict=False):
        halves = shown_halves(one)
        numbers = sorted({half.cycle for half in halves})
        colors = colormaps["viridis"](np.linspace(0, 0.85, len(numbers)))
        named = set()
        for half in halves:
            capacity, voltage = curve(one, half)
            label = None if half.cycle in named else f"cycle {half.cycle}"
            named.add(half.cycle)
            axis.plot(
                capacity / divisor[one.cell.name], voltage, lw=1.3,
                color=colors[numbers.index(half.cycle)], label=label,
            )  # fmt: skip
        axis.set_title(one.cell.name, fontsize=9)
        axis.set(xlabel=f"capacity ({unit})", ylabel="voltage (V)")
        axis.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    for axis in axes[len(found) :]:
        axis.set_visible(False)
    return figure


def cycling_figure(found: Sequence[Cycled]) -> Figure | None:
    """Draw discharge capacity, its retention and the efficiency, by cycle."""
    if not found:
        return None
    divisor, unit = _divided_by(found)
    figure, axes = canvas(1, 3, (12, 3.2))
    markers = ("o", "s", "^", "v", "D", "x")
    for number, one in enumerate(found):
        table, name = one.cycles, one.cell.name
        shown = (
            table["discharge_mah"] / divisor[name],
            100 * table["retention"],
            100 * table["efficiency"],
        )
        for axis, values in zip(axes, shown, strict=True):
            axis.plot(
                table["cycle"], values, marker=markers[number % 6], ms=3, lw=0.8,
                color=DISTINCT_COLORS[number % len(DISTINCT_COLORS)], label=name,
            )  # fmt: skip
    for axis, label in zip(
        axes,
        (f"discharge capacity ({unit})", "retention (%)", "Coulombic efficiency (%)"),
        strict=True,
    ):
        axis.set(xlabel="cycle", ylabel=label)
    axes[0].set_ylim(bottom=0)
    axes[1].set_ylim(bottom=0)
    axes[0].legend(fontsize=7)
    return figure
