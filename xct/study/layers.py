"""Layers by group and cycle. In: cells; out: one table of numbers, and figures.

Numbers are those of each result's summary, with what bounds them. Changes are against the pristine
cell of the group: another cell, unless it is one in several states, so how differently two cells
were built is a part of the change that no uncertainty here holds.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, nan, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from xct.analyze.layers import thickness_maps
from xct.figures import bar, canvas
from xct.report.page import Part, known_figures, known_tables
from xct.study.cells import Cell

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from pandas import DataFrame

_SURE = 1.96  # standard deviations on each side
_PER_MM2 = 1e6  # µm²


@dataclass(frozen=True)
class Row:
    """One number of one cell.

    Attributes
    ----------
    cell : Cell
        The cell.
    key, unit : str
        Name as in summary.json, and its unit.
    value, low, high : float
        With its 95 % interval; NaN where it is not known.
    bound : str
        "upper" or "lower" where the number is bounded on one side only; else empty.
    absent : str
        Why there is no value; empty where there is one.
    """

    cell: Cell
    key: str
    unit: str
    value: float
    low: float
    high: float
    bound: str = ""
    absent: str = ""


# What is shown: key, heading, unit, decimals.
SHOWN: Mapping[str, tuple[str, str, int]] = {
    "thickness_um.lithium": ("lithium thickness", "µm", 1),
    "absent_area_fraction": ("area without lithium", "%", 1),
    "roughness_um.lithium_electrolyte": ("roughness Sq of the lithium", "µm", 1),
    "thickness_um.electrolyte": ("electrolyte thickness", "µm", 1),
    "thickness_um.cathode": ("cathode thickness", "µm", 1),
    "drifted_per_mm2": ("drifted particles", "1/mm²", 0),
    "inclusions_per_mm3": ("inclusions in the electrolyte", "1/mm³", 0),
}


def layer_rows(cells: Sequence[Cell]) -> list[Row]:
    """Give every shown number of every cell."""
    return [row for cell in cells for row in _rows_of(cell)]


def _rows_of(cell: Cell) -> Iterator[Row]:
    for key in ("thickness_um.lithium", "absent_area_fraction"):
        yield _from_summary(cell, key)
    yield _roughness(cell)
    for key in ("thickness_um.electrolyte", "thickness_um.cathode"):
        yield _from_summary(cell, key)
    radius = cell.numbers.get("bore_radius_um", {}).get("value", nan)
    area_mm2 = np.pi * radius**2 / _PER_MM2
    thickness = cell.numbers.get("thickness_um.electrolyte", {}).get("value", nan)
    yield _count(cell, "drifted_particles", "drifted_per_mm2", area_mm2)
    yield _count(cell, "inclusions", "inclusions_per_mm3", area_mm2 * thickness / 1000)


def _from_summary(cell: Cell, key: str) -> Row:
    _, unit, _ = SHOWN[key]
    entry = cell.numbers.get(key)
    if entry is None:
        return Row(cell, key, unit, nan, nan, nan, absent=cell.why_absent(key))
    factor = 100.0 if unit == "%" else 1.0
    value, sd = factor * float(entry["value"]), factor * float(entry.get("sd", nan))
    low, high = value - _SURE * sd, value + _SURE * sd
    if unit == "%":
        low, high = max(low, 0.0), min(high, 100.0)
    return Row(cell, key, unit, value, low, high, str(entry.get("bound", "")))


def _roughness(cell: Cell) -> Row:
    key = "roughness_um.lithium_electrolyte"
    table = cell.table("surfaces")
    rows = [] if table is None else table.to_dict("records")
    for row in rows:
        if row["surface"] == "lithium_electrolyte" and isfinite(row.get("Sq_um", nan)):
            sq, sd = float(row["Sq_um"]), float(row.get("Sq_um_sd", nan))
            return Row(cell, key, "µm", sq, max(0.0, sq - _SURE * sd), sq + _SURE * sd)
    return Row(cell, key, "µm", nan, nan, nan, absent=cell.why_absent("surfaces"))


def _count(cell: Cell, name: str, key: str, size: float) -> Row:
    """Give a density of things that are counted, with the interval of Poisson's distribution."""
    _, unit, _ = SHOWN[key]
    entry = cell.numbers.get(name)
    if entry is None or not size > 0:
        return Row(cell, key, unit, nan, nan, nan, absent=cell.why_absent(name))
    count = float(entry["value"])
    low, high = poisson_interval(count)
    bound = str(entry.get("bound", ""))
    return Row(cell, key, unit, count / size, low / size, high / size, bound)


def poisson_interval(count: float) -> tuple[float, float]:
    """Give the 95 % interval of the mean of which a count was drawn.

    References
    ----------
    .. [1] Garwood (1936), Biometrika 28, 437. doi:10.1093/biomet/28.3-4.437
    """
    from scipy.stats import chi2

    low = float(chi2.ppf(0.025, 2 * count)) / 2 if count > 0 else 0.0
    return low, float(chi2.ppf(0.975, 2 * count + 2)) / 2


@dataclass(frozen=True)
class Change:
    """By how much a number of a cell differs from that of its pristine cell.

    Attributes
    ----------
    row, before : Row
        Of this cell and of the pristine one.
    value, low, high : float
        The difference, with its 95 % interval.
    """

    row: Row
    before: Row
    value: float
    low: float
    high: float

    @property
    def is_sure(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low > 0 or self.high < 0

    @property
    def relative(self) -> float:
        """Difference over the pristine value; NaN where that is 0."""
        return self.value / self.before.value if self.before.value else nan


def changes(rows: Sequence[Row]) -> list[Change]:
    """Compare every number with that of the pristine cell, where both are known."""
    known = {(row.cell.name, row.key): row for row in rows if isfinite(row.value)}
    found = []
    for row in known.values():
        before = known.get((row.cell.pristine.name, row.key)) if row.cell.pristine else None
        if before is not None:
            found.append(_change(row, before))
    return found


def _change(row: Row, before: Row) -> Change:
    """Combine both intervals, each side by itself: that of a count is not symmetric."""
    value = row.value - before.value
    below = sqrt((row.value - row.low) ** 2 + (before.high - before.value) ** 2)
    above = sqrt((row.high - row.value) ** 2 + (before.value - before.low) ** 2)
    return Change(row, before, value, value - below, value + above)


def layers_table(rows: Sequence[Row]) -> DataFrame:
    """Write every number of every cell.

    Returns
    -------
    DataFrame
        ``cell, group, cycles, number, unit, value, value_low, value_high`` (95 %), ``bound,
        change, change_low, change_high`` (against the pristine cell of the group), ``absent``
        (why there is no value).
    """
    import pandas as pd

    by_row = {(c.row.cell.name, c.row.key): c for c in changes(rows)}
    listed: list[dict[str, Any]] = []
    for row in rows:
        change = by_row.get((row.cell.name, row.key))
        listed.append(
            {
                "cell": row.cell.name,
                "group": row.cell.group,
                "cycles": row.cell.cycles,
                "number": row.key,
                "unit": row.unit,
                "value": row.value,
                "value_low": row.low,
                "value_high": row.high,
                "bound": row.bound,
                "change": nan if change is None else change.value,
                "change_low": nan if change is None else change.low,
                "change_high": nan if change is None else change.high,
                "absent": row.absent,
            }
        )
    return pd.DataFrame(listed)


def layers_figure(rows: Sequence[Row]) -> Figure | None:
    """Draw every number against the cycles, a line for each group, with intervals."""
    known = [row for row in rows if isfinite(row.value)]
    keys = [key for key in SHOWN if any(row.key == key for row in known)]
    if not keys:
        return None
    columns = min(4, len(keys))
    lines = -(-len(keys) // columns)
    figure, axes = canvas(lines, columns, (3.3 * columns, 2.8 * lines))
    for axis, key in zip(axes, keys, strict=False):
        _draw_number(axis, key, [row for row in known if row.key == key])
    for axis in axes[len(keys) :]:
        axis.set_visible(False)
    axes[0].legend(fontsize=7)
    return figure


def _draw_number(axis: Axes, key: str, rows: Sequence[Row]) -> None:
    heading, unit, _ = SHOWN[key]
    by_cycles = all(row.cell.cycles is not None for row in rows)
    groups = list(dict.fromkeys(row.cell.group for row in rows))
    for number, group in enumerate(groups):
        those = [row for row in rows if row.cell.group == group]
        if by_cycles:
            those.sort(key=lambda row: row.cell.cycles or 0)
            place = np.array([float(row.cell.cycles or 0) for row in those])
            place += 1.5 * (number - (len(groups) - 1) / 2)  # beside each other
        else:
            place = np.array([float(rows.index(row)) for row in those])
        value = np.array([row.value for row in those])
        ends = np.nan_to_num(
            [[row.value - row.low for row in those], [row.high - row.value for row in those]]
        )
        style = ("o-", "s--", "^:", "v-.")[number % 4]
        axis.errorbar(place, value, np.maximum(ends, 0), fmt=style, ms=4, capsize=3, label=group)
    if not by_cycles:
        axis.set_xticks(range(len(rows)), [row.cell.name for row in rows], rotation=30, ha="right")
    bounds = {row.bound for row in rows if row.bound}
    text = f", {', '.join(sorted(bounds))} bound" if bounds else ""
    axis.set(xlabel="cycles" if by_cycles else "", ylabel=f"{unit}{text}")
    axis.set_title(heading, fontsize=9)


def maps_figure(cells: Sequence[Cell], layer: str = "lithium") -> Figure | None:
    """Draw the thickness of a layer in every cell, on one colour scale."""
    maps = [(cell, thickness_maps(cell.surfaces).get(layer)) for cell in cells]
    shown = [(cell, found.height_um) for cell, found in maps if found is not None]
    if not shown:
        return None
    known = [image[np.isfinite(image)] for _, image in shown]
    highest = max((float(np.percentile(v, 99.5)) for v in known if v.size), default=1.0)
    lowest = 0.0
    if layer != "lithium":
        lowest = min((float(np.percentile(v, 0.5)) for v in known if v.size), default=0.0)
    columns = min(6, len(shown))
    rows = -(-len(shown) // columns)
    figure, axes = canvas(rows, columns, (2.3 * columns + 0.9, 2.5 * rows))
    drawn: Any = None
    for axis, (cell, image) in zip(axes, shown, strict=False):
        edge = cell.result.voxel_size_um
        step = max(1, min(image.shape) // 400)
        drawn = axis.imshow(
            image[::step, ::step], cmap="viridis", vmin=lowest, vmax=highest, interpolation="none",
            extent=(0, image.shape[1] * edge, image.shape[0] * edge, 0),
        )  # fmt: skip
        axis.set(xticks=[], yticks=[])
        axis.set_title(cell.name, fontsize=9)
        bar(axis, image.shape[1] * edge)
    for axis in axes[len(shown) :]:
        axis.set_visible(False)
    figure.colorbar(drawn, ax=axes, label=f"{layer} (µm)", shrink=0.8)
    return figure


def displacement_table(cells: Sequence[Cell]) -> tuple[DataFrame, list[str]]:
    """Say how far surfaces of one cell moved, in the states of a study with `same_cell`.

    Returns
    -------
    table : DataFrame
        ``cell`` and what `xct.analyze.displacement_map` gives: ``surface, mean_um, …``.
    said : list of str
        Why there is none for a state, and what must be known of the others.
    """
    import pandas as pd

    from xct.analyze.displacement import displacement_map

    parts, said = [], []
    for cell in (cell for cell in cells if cell.pristine is not None):
        assert cell.pristine is not None
        try:
            if cell.geometry is None:
                raise ValueError("the cell was not found in it")
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                found = displacement_map(
                    cell.surfaces, cell.geometry, cell.pristine.result, same_cell=True
                )
        except ValueError as error:
            said.append(f"{cell.name}: no displacement: {error}")
            continue
        said += [f"{cell.name}: displacement: {warning.message}" for warning in caught]
        parts.append(found.table.assign(cell=cell.name))
    if not parts:
        return pd.DataFrame(), said
    table = pd.concat(parts, ignore_index=True)
    return table[["cell", *(column for column in table if column != "cell")]], said


def layers_part(
    cells: Sequence[Cell], rows: Sequence[Row], tables: Mapping[str, DataFrame]
) -> Part:
    """Make the section of the report."""
    captions = {
        "layers": "Every number with its 95 % interval, and its change against the pristine "
        "cell of the group.",
        "displacement": "How far surfaces of this cell moved since its pristine state.",
    }
    figures = {
        "layers": (layers_figure(rows), "Numbers of the layers by cycle and group."),
        "lithium": (maps_figure(cells), "Lithium that is left, on one colour scale."),
        "electrolyte": (maps_figure(cells, "electrolyte"), "Electrolyte, on one colour scale."),
    }
    return Part(
        "layers", "Layers", "", known_figures(figures), known_tables(tables, captions),
        sources={"layers": "layers"},
    )  # fmt: skip
