"""Cycler files of the cells of a study. In: their settings; out: cycles of each, or every error."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xct.errors import XctError
from xct.io.cyclers import CyclerRecords, read_cycler
from xct.study.cells import Cell
from xct.study.cycling.half_cycles import (
    HalfCycle,
    Net,
    cycles_table,
    half_cycles,
    net_charge_mah,
)
from xct.study.cycling.inventory import area_cm2, cathode_when_full
from xct.study.settings import Study

if TYPE_CHECKING:
    from pandas import DataFrame

_CYCLES = (2, 0.05)  # that a file may have more or fewer than the cell: this many, or this part
_POINTS = 200  # of a curve in the table of profiles
_LITTLE = 0.01  # of what the cathode can hold: a cell of this size never cycles so little


@dataclass(frozen=True)
class Cycled:
    """What the cycler says of a cell.

    Attributes
    ----------
    cell : Cell
        The cell.
    records : CyclerRecords
        Its records.
    halves : list of HalfCycle
        Charges and discharges.
    cycles : DataFrame
        What `cycles_table` gives.
    net : Net
        Charge that left the cathode and did not come back.
    area_cm2 : float
        Of the bore; NaN where it was not measured.
    """

    cell: Cell
    records: CyclerRecords
    halves: list[HalfCycle]
    cycles: DataFrame
    net: Net
    area_cm2: float

    def answer(self) -> str:
        """Say how the cell cycled, in a sentence."""
        table = self.cycles.dropna(subset=["discharge_mah"])
        if not len(table):
            return f"The cycler ({self.records.maker}) recorded no discharge."
        first, last = table.iloc[0], table.iloc[-1]
        unit, factor = ("mAh/cm²", 1 / self.area_cm2) if isfinite(self.area_cm2) else ("mAh", 1.0)
        known = table["efficiency"].dropna()
        efficiency = f", mean efficiency {100 * known.mean():.2f} %" if len(known) else ""
        return (
            f"Cycled {len(table)} times ({self.records.maker}): {first.discharge_mah * factor:.3g} "
            f"{unit} at first, {last.discharge_mah * factor:.3g} at the end, retention "
            f"{100 * last.retention:.1f} %{efficiency}."
        )


def read_cyclers(study: Study, cells: Sequence[Cell]) -> tuple[list[Cycled], list[str]]:
    """Read the cycler files of a study and hold each against its cell.

    Returns
    -------
    cycled : list of Cycled
        Of the cells that name one.
    warnings : list of str
        What should be known.

    Raises
    ------
    XctError
        With every error: a file that is missing or not known, one that belongs to another cell.
    """
    found: list[Cycled] = []
    errors: list[str] = []
    warnings: list[str] = []
    for number, (cell, entry) in enumerate(zip(cells, study.study.cells, strict=True)):
        if entry.cycler is None:
            continue
        place = study.place("study", "cells", number, "cycler")
        section = entry.cycler
        columns = None if section.columns is None else section.columns.columns()
        try:
            records = read_cycler(section.files, columns)
        except XctError as error:
            errors += [f"{place}: {cell.name}: {text}" for text in error.errors]
            continue
        try:
            halves = half_cycles(records)
        except XctError as error:
            errors += [f"{place}: {cell.name}: {section.files[0]}: {t}" for t in error.errors]
            continue
        net = net_charge_mah(records, halves, section.accuracy)
        one = Cycled(cell, records, halves, cycles_table(halves), net, area_cm2(cell))
        name = f"{place}: {cell.name}: {Path(section.files[0]).name}"
        errors += [f"{name}: {text}" for text in _of_another_cell(one)]
        warnings += [f"{cell.name}: {text}" for text in (*records.warnings, *_odd(one))]
        found.append(one)
    errors += _listed_twice(found)
    if errors:
        raise XctError(*errors)
    return found, warnings


def _of_another_cell(one: Cycled) -> Iterator[str]:
    cycles, counted = one.cell.cycles, int(one.cycles["discharge_mah"].notna().sum())
    if cycles is not None and abs(counted - cycles) > max(_CYCLES[0], _CYCLES[1] * cycles):
        yield (
            f"holds {counted} discharges, but {one.cell.name} has {cycles} cycles: is it of "
            "another cell? Name its file, all of its files, or the right number by cycles"
        )
    full = cathode_when_full(one.cell)
    largest = max(half.capacity_mah for half in one.halves)
    if full is not None and largest > full.value + 3 * full.sd:
        yield (
            f"passes {largest:.3g} mAh at once, but the cathode in this bore holds "
            f"{full.value:.3g} ± {full.sd:.1g} mAh with all of its lithium: it is of another cell, "
            "or its current or capacity has another unit"
        )


def _odd(one: Cycled) -> Iterator[str]:
    full = cathode_when_full(one.cell)
    largest = max(half.capacity_mah for half in one.halves)
    if full is not None and largest < _LITTLE * full.value:
        yield (
            f"the cycler passes {largest:.3g} mAh at most, {largest / full.value:.2%} of what the "
            "cathode holds: is it of this cell, and are its units right?"
        )


def _listed_twice(found: Sequence[Cycled]) -> Iterator[str]:
    owners: dict[str, str] = {}
    for one in found:
        for checksum in one.records.checksums:
            other = owners.setdefault(checksum, one.cell.name)
            if other != one.cell.name:
                yield (
                    f"{one.cell.name} and {other} name cycler files with the same content; each "
                    "cell needs its own"
                )


def cycling_table(found: Sequence[Cycled]) -> DataFrame:
    """List the cycles of every cell.

    Returns
    -------
    DataFrame
        ``cell, group, cycle, charge_mah, discharge_mah, efficiency, retention,
        discharge_mah_per_cm2`` (of the bore; NaN where it was not measured).
    """
    import pandas as pd

    parts = [
        one.cycles.assign(
            cell=one.cell.name,
            group=one.cell.group,
            discharge_mah_per_cm2=one.cycles["discharge_mah"] / one.area_cm2,
        )
        for one in found
    ]
    if not parts:
        return pd.DataFrame()
    table = pd.concat(parts, ignore_index=True)
    first = ["cell", "group", "cycle"]
    return table[[*first, *(column for column in table if column not in first)]]


def profiles_table(found: Sequence[Cycled]) -> DataFrame:
    """Give the curves that the figure shows.

    Returns
    -------
    DataFrame
        ``cell, cycle, half`` (charge, discharge), ``capacity_mah, voltage_v``.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for one in found:
        for half in shown_halves(one):
            capacity, voltage = curve(one, half)
            chosen = np.unique(np.linspace(0, len(capacity) - 1, _POINTS).round().astype(int))
            for at in chosen:
                rows.append(
                    {
                        "cell": one.cell.name,
                        "cycle": half.cycle,
                        "half": "charge" if half.is_charge else "discharge",
                        "capacity_mah": capacity[at],
                        "voltage_v": voltage[at],
                    }
                )
    return pd.DataFrame(rows)


def shown_halves(one: Cycled) -> list[HalfCycle]:
    """Choose the cycles whose curves are shown: the first two, the middle one and the last."""
    numbers = sorted({half.cycle for half in one.halves})
    last = len(numbers) - 1
    shown = {numbers[at] for at in {0, min(1, last), last // 2, last}}
    return [half for half in one.halves if half.cycle in shown]


def curve(one: Cycled, half: HalfCycle) -> tuple[np.ndarray, np.ndarray]:
    """Give capacity since the beginning of a half cycle, mAh, and voltage, V."""
    charge = one.records.charge_mah[half.first : half.stop]
    begun = one.records.charge_mah[max(0, half.first - 1)]
    return np.abs(charge - begun), one.records.voltage_v[half.first : half.stop]


def capacity_of(one: Cycled) -> tuple[float, str]:
    """Say by what capacities are divided in figures, and the unit that this gives."""
    return (one.area_cm2, "mAh/cm²") if isfinite(one.area_cm2) else (1.0, "mAh")
