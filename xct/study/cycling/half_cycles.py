"""Charges and discharges of a cycler's records. In: records; out: half cycles, cycles, net."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from xct.errors import XctError
from xct.io.cyclers import CyclerRecords

if TYPE_CHECKING:
    from pandas import DataFrame

_REST = 0.005  # of the usual current: less is rest
_PULSE = 0.02  # of the largest capacity: less is no half cycle


@dataclass(frozen=True)
class HalfCycle:
    """A charge or a discharge; rests and pulses within it belong to it.

    Attributes
    ----------
    cycle : int
        Begins with a charge; 0 for a discharge before the first one.
    is_charge : bool
        Whether it charges the cell.
    first, stop : int
        Records, the last of which is not a part of it.
    capacity_mah : float
        That passed, at least 0.
    """

    cycle: int
    is_charge: bool
    first: int
    stop: int
    capacity_mah: float


def half_cycles(records: CyclerRecords) -> list[HalfCycle]:
    """Find charges and discharges, in their order.

    Raises
    ------
    XctError
        If there is none.
    """
    current = records.current_ma
    usual = float(np.percentile(np.abs(current), 95))
    sign = np.where(np.abs(current) > _REST * usual, np.sign(current), 0).astype(int)
    found = _segments(sign)
    largest = max((_capacity(records, *each[1:]) for each in found), default=0.0)
    if not largest > 0:
        raise XctError("holds neither a charge nor a discharge")
    found = [each for each in found if _capacity(records, *each[1:]) >= _PULSE * largest]
    halves: list[HalfCycle] = []
    for side, first, stop in _merged(found):
        before = halves[-1].cycle if halves else 0
        cycle = before + 1 if side > 0 else before
        capacity = _capacity(records, first, stop)
        halves.append(HalfCycle(cycle, side > 0, first, stop, capacity))
    return halves


def _segments(sign: np.ndarray) -> list[tuple[int, int, int]]:
    """Give runs of one sign as (sign, first, stop), without rests."""
    edges = np.flatnonzero(np.diff(sign)) + 1
    bounds = [0, *edges.tolist(), len(sign)]
    return [(int(sign[a]), a, b) for a, b in pairwise(bounds) if sign[a] != 0]


def _merged(found: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    joined: list[tuple[int, int, int]] = []
    for side, first, stop in found:
        if joined and joined[-1][0] == side:
            joined[-1] = (side, joined[-1][1], stop)
        else:
            joined.append((side, first, stop))
    return joined


def _capacity(records: CyclerRecords, first: int, stop: int) -> float:
    """Charge from the record before the first to the last: what passed between the two counts."""
    charge = records.charge_mah
    return abs(float(charge[stop - 1] - charge[max(0, first - 1)]))


def cycles_table(halves: list[HalfCycle]) -> DataFrame:
    """List cycles.

    Returns
    -------
    DataFrame
        ``cycle, charge_mah, discharge_mah, efficiency`` (discharge over charge), ``retention`` (of
        the first discharge); NaN where a half is missing.
    """
    import pandas as pd

    rows: dict[int, dict[str, float]] = {}
    for half in halves:
        name = "charge_mah" if half.is_charge else "discharge_mah"
        row = rows.setdefault(half.cycle, {"charge_mah": np.nan, "discharge_mah": np.nan})
        row[name] = half.capacity_mah
    table = pd.DataFrame([{"cycle": cycle, **row} for cycle, row in rows.items()])
    table["efficiency"] = table["discharge_mah"] / table["charge_mah"]
    known = table["discharge_mah"].dropna()
    first = float(known.iloc[0]) if len(known) else np.nan
    table["retention"] = table["discharge_mah"] / first
    return table


def net_charge_mah(records: CyclerRecords, halves: list[HalfCycle], accuracy: float) -> Net:
    """Give the charge that left the cathode and did not come back.

    Charge and discharge are measured with small errors of their own: over many cycles these add up.

    Parameters
    ----------
    accuracy : float
        Relative standard uncertainty of a charge against a discharge.
    """
    charge = float(records.charge_mah[-1] - records.charge_mah[0])
    throughput = sum(half.capacity_mah for half in halves)
    return Net(charge, accuracy * throughput / 2, throughput)


@dataclass(frozen=True)
class Net:
    """Net charge of a cell, mAh.

    Attributes
    ----------
    value, sd : float
        Charge less discharge.
    throughput : float
        Charge and discharge together.
    """

    value: float
    sd: float
    throughput: float
