"""Balance of lithium: lost at the anode, in inclusions, missing in the cathode, and the rest.

Lithium does not vanish: what the anode lost and the cathode lacks is in inclusions, or reacted, or
somewhere that is not seen. In: cells, cycler; out: each term with its bounds, and what is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot, isfinite, nan, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from xct.figures import canvas
from xct.study.cells import Cell
from xct.study.cycling.inventory import (
    Charge,
    area_cm2,
    in_inclusions,
    metal,
    missing_in_cathode,
)
from xct.study.cycling.measured import Cycled

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

_SURE = 1.96
_MORE = ", more if voids were taken for lithium"
TERMS = {
    "lost_at_anode": "lost at the anode",
    "in_inclusions": "in inclusions that are seen",
    "missing_in_cathode": "missing in the cathode, by grey values",
    "net_charge": "net charge, by the cycler",
    "unaccounted": "not accounted for",
}


@dataclass(frozen=True)
class Balance:
    """Balance of a cell against its pristine one.

    Attributes
    ----------
    cell : Cell
        The cell.
    area_cm2 : float
        Of its bore.
    terms : dict of str to Charge
        By the names of `TERMS`; those that are not known are absent.
    reasons : list of str
        Why a term is absent, and what no interval holds.
    """

    cell: Cell
    area_cm2: float
    terms: dict[str, Charge]
    reasons: list[str]

    @property
    def cathode_agrees(self) -> bool | None:
        """Whether grey values and cycler leave room for each other; None where one is lacking."""
        grey, net = self.terms.get("missing_in_cathode"), self.terms.get("net_charge")
        if grey is None or net is None:
            return None
        return grey.low <= net.high and net.low <= grey.high

    def answer(self) -> list[str]:
        """Say what is known of the lithium, in sentences."""
        said = [f"{TERMS[name]} {self._written(term)}" for name, term in self.terms.items()]
        if not said:
            return [f"The balance of lithium is not known: {'; '.join(self.reasons)}."]
        found = [f"Lithium, mAh/cm²: {'; '.join(said)}."]
        rest = self.terms.get("unaccounted")
        if rest is not None and rest.low > 0:
            found.append(
                "The balance does not close: this much lithium reacted, or is where it is not seen."
            )
        elif rest is not None and rest.high < 0:
            found.append(
                "The balance does not close: more lithium is found than was lost, so one of the "
                "terms is wrong, voids were taken for lithium, or the two cells were built "
                "differently."
            )
        elif rest is not None:
            found.append("The balance closes within its uncertainty.")
        if self.cathode_agrees is False:
            found.append(
                "Grey values and cycler contradict each other about the cathode: one of them is "
                "wrong, or charge went into side reactions."
            )
        if self.reasons:
            found.append("Of the balance: " + "; ".join(self.reasons) + ".")
        return found

    def _written(self, term: Charge) -> str:
        low, high = term.low / self.area_cm2, term.high / self.area_cm2
        value = term.value / self.area_cm2
        more = _MORE if term.bound == "lower" else ""
        if isfinite(value):
            return f"{value:.2f} ({low:.2f} … {high:.2f}{more})".replace("-", "−")
        return f"between {low:.2f} and {high:.2f}{more}".replace("-", "−")


def balances(cells: Sequence[Cell], cycled: Sequence[Cycled]) -> list[Balance]:
    """Balance the lithium of every cell that has a pristine one."""
    built = _between_pristine(cells)
    by_name = {one.cell.name: one for one in cycled}
    return [
        _balance(cell, by_name.get(cell.name), built) for cell in cells if cell.pristine is not None
    ]


def _between_pristine(cells: Sequence[Cell]) -> float:
    """Give how much the anodes of pristine cells differ, mAh/cm² (sd); NaN where there is one."""
    found = [
        charge.value / area_cm2(cell)
        for cell in cells
        if cell.is_pristine and (charge := metal(cell)) is not None
    ]
    return float(np.std(found, ddof=1)) if len(found) > 1 else nan


def _balance(cell: Cell, cycled: Cycled | None, built_per_cm2: float) -> Balance:
    area = area_cm2(cell)
    terms: dict[str, Charge] = {}
    reasons: list[str] = []
    lost = _lost_at_anode(cell, built_per_cm2)
    if lost is None:
        reasons.append(
            f"the lithium of the anode is not known ({cell.why_absent('thickness_um.lithium')})"
        )
    elif not isfinite(built_per_cm2):
        reasons.append("how differently two anodes were built is in no interval")
    found = {
        "lost_at_anode": lost,
        "in_inclusions": in_inclusions(cell),
        "missing_in_cathode": missing_in_cathode(cell),
        "net_charge": None if cycled is None else _net(cycled),
    }
    terms = {name: term for name, term in found.items() if term is not None}
    if "in_inclusions" not in terms:
        reasons.append(f"inclusions are not known ({cell.why_absent('inclusions')})")
    if "missing_in_cathode" not in terms:
        reasons.append(
            "the lithium of the cathode is not known: it is not wholly in view, or its particles "
            f"have no lithium content ({cell.why_absent('charge')})"
        )
    rest = _rest(terms)
    if rest is not None:
        terms["unaccounted"] = rest
    return Balance(cell, area, terms, reasons)


def _lost_at_anode(cell: Cell, built_per_cm2: float) -> Charge | None:
    assert cell.pristine is not None
    now, before = metal(cell), metal(cell.pristine)
    if now is None or before is None:
        return None
    area, area_before = area_cm2(cell), area_cm2(cell.pristine)
    scale = area / area_before  # per area: bores differ a little
    value = before.value * scale - now.value
    built = sqrt(2) * _SURE * (built_per_cm2 if isfinite(built_per_cm2) else 0.0) * area
    below = hypot((before.value - before.low) * scale, now.high - now.value, built)
    above = hypot((before.high - before.value) * scale, now.value - now.low, built)
    # Lithium that is left is known from above: a void in its place looks the same.
    bound = "lower" if now.bound == "upper" else ""
    return Charge(value, value - below, value + above, now.note, bound)


def _net(cycled: Cycled) -> Charge:
    net = cycled.net
    half = _SURE * net.sd
    note = f"a charge is known to {net.sd / max(net.throughput / 2, 1e-30):.2%} of a discharge"
    return Charge(net.value, net.value - half, net.value + half, note)


def _rest(terms: dict[str, Charge]) -> Charge | None:
    """Give what is left: lost at the anode and missing in the cathode, less what inclusions hold.

    The cycler's charge says what the cathode lacks, where there is one: it is the better known.
    """
    cathode = terms.get("net_charge", terms.get("missing_in_cathode"))
    if cathode is None or not {"lost_at_anode", "in_inclusions"} <= terms.keys():
        return None
    lost, kept = terms["lost_at_anode"], terms["in_inclusions"]
    value = lost.value + cathode.value - kept.value
    by = "the cycler" if "net_charge" in terms else "grey values"
    return Charge(
        value,
        lost.low + cathode.low - kept.high,
        lost.high + cathode.high - kept.low,
        f"the cathode by {by}; reacted, or not seen",
        lost.bound,
    )


def balance_table(found: Sequence[Balance]) -> DataFrame:
    """List every term of every balance.

    Returns
    -------
    DataFrame
        ``cell, term, charge_mah, charge_mah_low, charge_mah_high, charge_mah_per_cm2,
        …_low, …_high`` (95 % or bounds), ``bound`` (where the interval holds on one side only),
        ``note``.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for one in found:
        for name, term in one.terms.items():
            row: dict[str, Any] = {"cell": one.cell.name, "term": TERMS[name]}
            for end, value in (("", term.value), ("_low", term.low), ("_high", term.high)):
                row[f"charge_mah{end}"] = value
                row[f"charge_mah_per_cm2{end}"] = value / one.area_cm2
            rows.append({**row, "bound": term.bound, "note": term.note})
    return pd.DataFrame(rows)


def balance_figure(found: Sequence[Balance]) -> Figure | None:
    """Draw the terms of every cell, with their intervals."""
    shown = [one for one in found if one.terms]
    if not shown:
        return None
    columns = min(4, len(shown))
    rows = -(-len(shown) // columns)
    figure, axes = canvas(rows, columns, (3.2 * columns + 1.6, 2.4 * rows + 0.3))
    names = [name for name in TERMS if any(name in one.terms for one in shown)]
    for number, (axis, one) in enumerate(zip(axes, shown, strict=False)):
        for place, name in enumerate(names):
            term = one.terms.get(name)
            if term is None:
                axis.text(0.02, place, "not known", transform=axis.get_yaxis_transform(),
                          fontsize=7, va="center", color="0.4")  # fmt: skip
                continue
            low, value, high = (e / one.area_cm2 for e in (term.low, term.value, term.high))
            axis.plot([low, high], [place, place], "|-", color="tab:blue", ms=9, lw=1.4)
            if term.bound == "lower":
                axis.plot([high], [place], ">", color="tab:blue", ms=6)
            if isfinite(value):
                axis.plot([value], [place], "o", color="tab:blue", ms=5)
        axis.axvline(0, color="0.5", lw=0.8)
        axis.set_yticks(range(len(names)), [TERMS[name] for name in names], fontsize=7)
        axis.set_ylim(len(names) - 0.5, -0.5)
        if number % columns:
            axis.tick_params(labelleft=False)
        axis.set_title(one.cell.name, fontsize=9)
        axis.set_xlabel("lithium (mAh/cm²)")
    for axis in axes[len(shown) :]:
        axis.set_visible(False)
    return figure
