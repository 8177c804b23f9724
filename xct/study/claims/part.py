"""The report's section on what the data support. In: conclusions, claims; out: tables."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import TYPE_CHECKING

from xct.report.page import Part, known_tables

if TYPE_CHECKING:
    from pandas import DataFrame


def claims_part(tables: Mapping[str, DataFrame]) -> Part:
    """Put together the section of the report."""
    shown = dict(known_tables(tables, {
        "conclusions_by_cell": "All cells side by side.",
        "conclusions": "Supported, not shown, contradicted, or not to be told.",
        "grey_claims": "Changes of grey values, what lithium content alone could make of them, "
        "and what else could.",
    }))  # fmt: skip
    if "grey_claims" in shown:
        table, caption = shown["grey_claims"]
        shown["grey_claims"] = (_in_brief(table), caption)
    return Part(
        "conclusions", "What these data support",
        "Each conclusion of the study that this repeats, for each cell against its pristine one; "
        "and beside each claim that rests on grey values what lithium content alone could make of "
        "it.",
        {},
        shown,
    )  # fmt: skip


def _in_brief(table: DataFrame) -> DataFrame:
    """Join numbers with their intervals: the CSV has them one by one."""
    import pandas as pd

    rows = [
        {
            "cell": row["cell"],
            "claim": row["claim"],
            "change": f"{_short(row['value'])} ({_short(row['value_low'])} … "
            f"{_short(row['value_high'])}) {row['unit']}",
            "by lithium content alone": ""
            if not isfinite(row["possible_high"])
            else f"{_short(row['possible_low'])} … {_short(row['possible_high'])}",
            "meaning": row["meaning"],
            "what else": "" if row["verdict"] == "no_change" else row["flags"],
        }
        for row in table.to_dict("records")
    ]
    return pd.DataFrame(rows)


def _short(value: float) -> str:
    if value == 0:
        return "0"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 1 else 2
    return f"{value:.{digits}f}".replace("-", "−")
