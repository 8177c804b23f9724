"""Numbers of summaries and tables against the true ones. In: results; out: errors, coverage."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from xct.result import Result
from xct.score.metric import Metrics, metric

# The first column of these tables names the row.
_KEYED = {"layers": "layer", "surfaces": "surface", "materials": "material"}
_SDS = 1.96  # standard deviations to either side hold 95 %
# Numbers that the summary repeats from tables.
_ALSO_IN = {
    "layers": ("thickness_um.", "absent_area_fraction", "swelling."),
    "materials": ("volume_fraction.",),
}
_OF_ROWS = {"layers": "thickness_um.", "materials": "volume_fraction."}
# The truth counts materials within the bore, where there is hardly any of the tube.
_ELSEWHERE = ("tube",)
# What the truth has and a run measures of every cell: where it is missing, it was withheld.
_MEASURED = (
    "electrolyte_peak_per_cm", "thickness_um.", "volume_fraction.", "absent_area_fraction",
    "gap_at_lithium_um", "particles", "drifted_particles", "inclusions", "bridges",
)  # fmt: skip
_ROUGHNESS = ("Sa_um", "Sq_um", "Sal_um", "tilt_x_deg", "tilt_y_deg")


def score_numbers(result: Result, truth: Result) -> Metrics:
    """Compare center, layers, roughness, the cell's geometry, and what was stated to be sure."""
    mine, true = result.summary, truth.summary
    found: Metrics = {}
    if (error := _difference(mine, true, "center_px")) is not None:
        found["center_error_px"] = metric(error, "px", 1)
        sd = mine["center_px"].get("sd")
        if sd:
            found["center_error_sd"] = metric(error / sd, "sd", 1)
    if (error := _difference(mine, true, "electrolyte_peak_per_cm")) is not None:
        found["electrolyte_peak_error_per_cm"] = metric(error, "1/cm", 1)
    tables = result.tables, truth.tables
    found |= _layers(*tables) | _roughness(*tables) | _cell(result, truth) | _bounds(mine, true)
    found |= _withheld(mine, true) | _least_agreement(result.tables)
    return found | _coverage(mine, true, *tables)


def _difference(mine: Mapping[str, Any], true: Mapping[str, Any], name: str) -> float | None:
    if name not in mine or name not in true:
        return None
    return float(mine[name]["value"]) - float(true[name]["value"])


def _joined(
    name: str, mine: Mapping[str, pd.DataFrame], true: Mapping[str, pd.DataFrame]
) -> pd.DataFrame | None:
    """Put the rows of two tables side by side; found ones get the ending _found."""
    if name not in mine or name not in true:
        return None
    key = _KEYED[name]
    if key not in mine[name] or key not in true[name]:
        return None
    return true[name].merge(mine[name], on=key, suffixes=("", "_found")).set_index(key)


def _layers(mine: Mapping[str, pd.DataFrame], true: Mapping[str, pd.DataFrame]) -> Metrics:
    both = _joined("layers", mine, true)
    found: Metrics = {}
    if both is None or "mean_thickness_um_found" not in both:
        return found
    for layer, row in both.iterrows():
        error = row.mean_thickness_um_found - row.mean_thickness_um
        found[f"thickness_error_um.{layer}"] = metric(error, "µm", 1)
        percent = 100 * error / row.mean_thickness_um
        found[f"thickness_error_percent.{layer}"] = metric(percent, "%", 1)
    return found


def _roughness(mine: Mapping[str, pd.DataFrame], true: Mapping[str, pd.DataFrame]) -> Metrics:
    both = _joined("surfaces", mine, true)
    found: Metrics = {}
    if both is None:
        return found
    for column in _ROUGHNESS:
        if f"{column}_found" in both and column in both:
            unit = "°" if column.endswith("_deg") else "µm"
            for surface, row in both.iterrows():
                error = row[f"{column}_found"] - row[column]
                found[f"roughness_error.{column}.{surface}"] = metric(error, unit, 1)
    return found


def _cell(result: Result, truth: Result) -> Metrics:
    if any(not (some.path / "cell.json").is_file() for some in (result, truth)):
        return {}
    mine, true = result.cell, truth.cell
    offset = math.hypot(mine.axis_y_um - true.axis_y_um, mine.axis_x_um - true.axis_x_um)
    lean = math.hypot(mine.axis_slope_y - true.axis_slope_y, mine.axis_slope_x - true.axis_slope_x)
    return {
        "bore_radius_error_um": metric(mine.bore_radius_um - true.bore_radius_um, "µm", 1),
        "axis_error_um": metric(offset, "µm", 1),
        "axis_tilt_error_deg": metric(math.degrees(math.atan(lean)), "°", 1),
        "anode_side_right": metric(mine.anode == true.anode, "1", 1),
    }


def _coverage(
    summary: Mapping[str, Any],
    true_summary: Mapping[str, Any],
    mine: Mapping[str, pd.DataFrame],
    true: Mapping[str, pd.DataFrame],
) -> Metrics:
    """Give the fraction of stated numbers whose error is within 1.96 standard deviations.

    Over all, and for the summary and each table by itself; no number counts twice, and of what is
    a bound, `bounds_hold` says whether it holds.
    """
    repeated = tuple(name for table in _ALSO_IN if table in mine for name in _ALSO_IN[table])
    within = {"summary": _within_of_summary(summary, true_summary, repeated)}
    for name in _KEYED:
        both = _joined(name, mine, true)
        if both is not None:
            of_rows = _OF_ROWS.get(name, "")
            bounds = [k for k in both.index if _is_bound(summary.get(f"{of_rows}{k}"))]
            elsewhere = [k for k in _ELSEWHERE if k in both.index]
            within[name] = _within_of_table(both.drop(index=[*elsewhere, *bounds]))
    every = [held for part in within.values() for held in part]
    found: Metrics = {}
    for name, part in {"numbers": every, **{f"numbers.{k}": v for k, v in within.items()}}.items():
        if part:
            found[f"coverage_95.{name}"] = metric(sum(part) / len(part), "1", len(part))
    return found


def _bounds(mine: Mapping[str, Any], true: Mapping[str, Any]) -> Metrics:
    """Give the fraction of stated bounds on whose right side the truth lies, within 1.96 sd."""
    held = []
    for name, entry in mine.items():
        if _is_bound(entry) and name in true:
            error = _difference(mine, true, name)
            side = 1 if entry["bound"] == "upper" else -1
            held.append(error is not None and side * error >= -_SDS * entry.get("sd", 0.0))
    return {"bounds_hold": metric(sum(held) / len(held), "1", len(held))} if held else {}


def _withheld(mine: Mapping[str, Any], true: Mapping[str, Any]) -> Metrics:
    """Count the numbers of the truth that a run measures, and this one does not give."""
    if "anode" not in mine:  # no cell was looked for
        return {}
    wanted = [name for name in true if name.startswith(_MEASURED)]
    wanted = [name for name in wanted if not name.endswith(_ELSEWHERE)]
    missing = sum(name not in mine for name in wanted)
    return {"numbers_withheld": metric(missing, "numbers", len(wanted))} if wanted else {}


def _least_agreement(mine: Mapping[str, pd.DataFrame]) -> Metrics:
    """Give what the run itself says of how well its labels agree with what is there."""
    table = mine.get("materials")
    if table is None or "dice_at_least" not in table:
        return {}
    rows = zip(table["material"], table["dice_at_least"], table["n"], strict=True)
    return {f"dice_at_least.{name}": metric(dice, "1", n) for name, dice, n in rows}


def _is_bound(entry: Any) -> bool:
    """Return whether an entry of a summary is a bound."""
    return isinstance(entry, Mapping) and bool(entry.get("bound"))


def _within_of_summary(
    summary: Mapping[str, Any], true: Mapping[str, Any], repeated: tuple[str, ...]
) -> list[bool]:
    within = []
    for name, entry in summary.items():
        if name.startswith(repeated):
            continue
        stated = isinstance(entry, Mapping) and entry.get("sd") and not _is_bound(entry)
        if stated and name in true:
            error = _difference(summary, true, name)
            within.append(error is not None and abs(error) <= _SDS * entry["sd"])
    return within


def _within_of_table(both: pd.DataFrame) -> list[bool]:
    within: list[bool] = []
    for column in both.columns:
        stated = f"{column}_sd"
        if stated in both and f"{column}_found" in both:
            error = (both[f"{column}_found"] - both[column]).abs()
            usable = error.notna() & (both[stated] > 0)
            within += [bool(held) for held in error[usable] <= _SDS * both[stated][usable]]
    return within
