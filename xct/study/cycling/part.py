"""The report's section on cycling and lithium. In: cycles, balances; out: figures, tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from xct.report.page import Part, known_figures, known_tables
from xct.study.cycling.balance import Balance, balance_figure, balance_table
from xct.study.cycling.cycling_figures import cycling_figure, voltage_figure
from xct.study.cycling.measured import Cycled, cycling_table, profiles_table

if TYPE_CHECKING:
    from pandas import DataFrame


def cycling_tables(cycled: Sequence[Cycled], balances: Sequence[Balance]) -> dict[str, DataFrame]:
    """Give the tables by the names of their files."""
    return {
        "cycling": cycling_table(cycled),
        "voltage_profiles": profiles_table(cycled),
        "lithium_balance": balance_table(balances),
    }


def cycling_part(
    cycled: Sequence[Cycled], balances: Sequence[Balance], tables: Mapping[str, DataFrame]
) -> Part:
    """Put together the section of the report."""
    return Part(
        "cycling", "Cycling and the balance of lithium",
        "Lithium that the anode lost and the cathode lacks is in inclusions, or reacted, or is "
        "where it is not seen.",
        known_figures({
            "voltage_profiles": (
                voltage_figure(cycled), "Voltage by capacity, of the first two, the middle and "
                "the last cycle."
            ),
            "cycling": (
                cycling_figure(cycled), "Discharge capacity, its retention, and efficiency. "
                "Capacities are over the area of the bore."
            ),
            "lithium_balance": (
                balance_figure(balances), "Each term with its 95 % interval or bounds; a line "
                "without a point: only the bounds are known; an arrow: more, if voids were taken "
                "for lithium."
            ),
        }),
        known_tables(tables, {
            "lithium_balance": "Each term of the balance, against the pristine cell.",
            "cycling": "Every cycle of every cell.",
        }),
        sources={name: name for name in ("voltage_profiles", "cycling", "lithium_balance")},
    )  # fmt: skip
