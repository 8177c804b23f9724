"""The report's section on what the data support. In: conclusions, claims; out: tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from xct.study.report import Part, known_tables

if TYPE_CHECKING:
    from pandas import DataFrame


def claims_part(tables: Mapping[str, DataFrame]) -> Part:
    """Put together the section of the report."""
    return Part(
        "conclusions", "What these data support",
        "Each conclusion of the study that this repeats, for each cell against its pristine one; "
        "and beside each claim that rests on grey values what lithium content alone could make of "
        "it.",
        {},
        known_tables(tables, {
            "conclusions": "Supported, not shown, contradicted, or not to be told.",
            "grey_claims": "Changes of grey values, what lithium content alone could make of them, "
            "and what else could.",
        }),
    )  # fmt: skip
