"""Headings of cyclers' exports: whose they are, what each column holds. In: texts; out: a layout.

The names are those of EC-Lab and BT-Lab (BioLogic), BTSDA (Neware), MITS Pro (Arbin) and LANDdt
(Landt), in English.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_UNITS: Mapping[str, Mapping[str, float]] = {
    "time": {"s": 1.0, "sec": 1.0, "min": 60.0, "h": 3600.0, "hr": 3600.0, "": 1.0},
    "voltage": {"v": 1.0, "mv": 1e-3},
    "current": {"ma": 1.0, "a": 1e3, "ua": 1e-3, "µa": 1e-3, "μa": 1e-3},
    "charge": {"mah": 1.0, "ah": 1e3, "uah": 1e-3, "µah": 1e-3, "μah": 1e-3},
}
CLOCK = float("nan")  # a time as 12:34:56.7


@dataclass(frozen=True)
class Maker:
    """How a cycler's software names its columns.

    Attributes
    ----------
    name : str
        Of the maker.
    marks : frozenset of str
        Names that tell its files from those of others: one is enough.
    names : mapping of str to sequence of str
        Names of each quantity, the better first: ``time`` (of the whole test), ``step_time``,
        ``voltage, current, charge, discharge`` (counters), ``net`` (signed charge), ``kind``.
    """

    name: str
    marks: frozenset[str]
    names: Mapping[str, Sequence[str]]


MAKERS = (
    Maker(
        "BioLogic",
        frozenset({"ecell", "ewe", "eweece"}),
        {
            "time": ("time",), "voltage": ("ecell", "eweece", "ewe"), "current": ("i",),
            "net": ("qqo",),
        },
    ),
    Maker(
        "Neware",
        frozenset({"steptype", "chgcap", "capacitancechg", "recordindex", "recordid"}),
        {
            "time": ("totaltime", "testtime"), "step_time": ("time", "relativetime"),
            "voltage": ("voltage",), "current": ("current", "cur"),
            "charge": ("chgcap", "capacitancechg"), "discharge": ("dchgcap", "capacitancedchg"),
            "kind": ("steptype", "status", "state"),
        },
    ),
    Maker(
        "Arbin",
        frozenset({"chargecapacity", "dischargecapacity"}),
        {
            "time": ("testtime",), "voltage": ("voltage",), "current": ("current",),
            "charge": ("chargecapacity",), "discharge": ("dischargecapacity",),
        },
    ),
    Maker(
        "Landt",
        frozenset({"specap", "specificcapacity", "systime", "record"}),
        {
            "time": ("testtime",), "voltage": ("voltage",), "current": ("current",),
            "kind": ("stepstate", "workmode", "mode", "state"),
        },
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Layout:
    """Which column holds what.

    Attributes
    ----------
    maker : str
        Whose file it is; "columns of the study" where these were named.
    columns : mapping of str to (int, float)
        By quantity: number of the column, and its unit in s, V, mA or mAh; NaN for a time of day.
    """

    maker: str
    columns: Mapping[str, tuple[int, float]] = field(default_factory=dict)


def recognized(headings: Sequence[str]) -> Layout | None:
    """Say whose headings these are; None where nobody's."""
    named = [_name_and_unit(heading) for heading in headings]
    for maker in MAKERS:
        if not maker.marks & {name for name, _ in named}:
            continue
        found = {
            quantity: column
            for quantity, names in maker.names.items()
            if (column := _column(quantity, names, named)) is not None
        }
        has_time = "time" in found or "step_time" in found
        if has_time and "voltage" in found and ("current" in found or "net" in found):
            return Layout(maker.name, found)
    return None


def _column(
    quantity: str, names: Sequence[str], named: Sequence[tuple[str, str]]
) -> tuple[int, float] | None:
    for wanted in names:
        for number, (name, unit) in enumerate(named):
            if name != wanted:
                continue
            if quantity == "kind":
                return number, 1.0
            if quantity in ("time", "step_time") and ":" in unit:
                return number, CLOCK
            kind = {"step_time": "time", "net": "charge", "discharge": "charge"}
            known = _UNITS[kind.get(quantity, quantity)].get(unit)
            if known is not None:
                return number, known
    return None


def _name_and_unit(heading: str) -> tuple[str, str]:
    """Split ``Current (A)``, ``Ewe/V`` or ``Test_Time(s)`` into a bare name and a bare unit."""
    text = heading.strip().strip('"').strip()
    found = re.fullmatch(r"(.+?)[(\[]([^()\[\]]*)[)\]]", text)
    if found:
        name, unit = found.groups()
    elif "/" in text:
        name, unit = text.rsplit("/", 1)
    else:
        name, unit = text, ""
    return re.sub(r"[^0-9a-z]", "", name.lower()), re.sub(r"[\s.·]", "", unit.lower())
