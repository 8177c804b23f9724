"""Numbers of summaries and tables against the true ones. In: results; out: errors, coverage."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from xct.result import Result
from xct.score.metric import Metrics, metric

# Rows of these tables are told by their first column.
_KEYED = {"layers": "layer", "surfaces": "surface", "materials": "material"}
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
    found |= _layers(*tables) | _roughness(*tables) | _cell(result, truth)
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
        share = 100 * error / row.mean_thickness_um
        found[f"thickness_error_percent.{layer}"] = metric(share, "%", 1)
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
    off = math.hypot(mine.axis_y_um - true.axis_y_um, mine.axis_x_um - true.axis_x_um)
    lean = math.hypot(mine.axis_slope_y - true.axis_slope_y, mine.axis_slope_x - true.axis_slope_x)
    return {
        "bore_radius_error_um": metric(mine.bore_radius_um - true.bore_radius_um, "µm", 1),
        "axis_error_um": metric(off, "µm", 1),
        "axis_tilt_error_deg": metric(math.degrees(math.atan(lean)), "°", 1),
        "anode_side_right": metric(mine.anode == true.anode, "1", 1),
    }


def _coverage(
    summary: Mapping[str, Any],
    true_summary: Mapping[str, Any],
    mine: Mapping[str, pd.DataFrame],
    true: Mapping[str, pd.DataFrame],
) -> Metrics:
    """Give the share of stated numbers whose error is within 1.96 standard deviations."""
    within = []
    for name, entry in summary.items():
        if isinstance(entry, Mapping) and entry.get("sd") and name in true_summary:
            error = _difference(summary, true_summary, name)
            within.append(error is not None and abs(error) <= 1.96 * entry["sd"])
    for name in _KEYED:
        both = _joined(name, mine, true)
        for column in both.columns if both is not None else ():
            stated = f"{column}_sd"
            assert both is not None
            if stated in both and f"{column}_found" in both:
                error_of = (both[f"{column}_found"] - both[column]).abs()
                usable = error_of.notna() & (both[stated] > 0)
                within += list(error_of[usable] <= 1.96 * both[stated][usable])
    if not within:
        return {}
    return {"coverage_95.numbers": metric(sum(within) / len(within), "1", len(within))}
