"""A claim that rests on grey values: its interval, what could make it, a verdict. In: cells.

Taking all lithium out of NCM811 raises μ by 11 %: by so much, times its fraction, a ROI's mean can
change by lithium content. Lithium metal and void differ by 2 % of the electrolyte's grey value,
less than any noise. The electrolyte's own peak is where normalization puts it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan
from typing import TYPE_CHECKING, Literal

from xct.physics.materials import mu_per_cm
from xct.study.cells import Cell

if TYPE_CHECKING:
    from pandas import DataFrame

Verdict = Literal[
    "no_change", "possible", "composition", "other_cause", "lithium_or_void", "less_lithium",
    "undecided",
]  # fmt: skip
SURE = 1.96  # standard deviations on each side
_CRACKED = 0.02  # of the cores, in cracks too fine for labels
IN_WORDS: dict[Verdict, str] = {
    "no_change": "no change beyond the uncertainty",
    "possible": "lithium content could make it, and so could what the flags name",
    "composition": "what the labels say of its composition explains it",
    "other_cause": "more than any lithium content could make, or the other way: another cause",
    "lithium_or_void": "lithium and void look the same",
    "less_lithium": "less lithium, or a wrong scale",
    "undecided": "undecided",
}


@dataclass(frozen=True)
class Claim:
    """A claim that rests on grey values.

    Attributes
    ----------
    cell : Cell
        The cell.
    what, unit : str
        What changed against the pristine cell, and its unit.
    value, low, high : float
        With its 95 % interval.
    possible : tuple of float
        What lithium content alone could make of it; NaN where it makes nothing.
    verdict : str
        See `IN_WORDS`.
    flags : tuple of str
        What else could make it.
    """

    cell: Cell
    what: str
    unit: str
    value: float
    low: float
    high: float
    possible: tuple[float, float]
    verdict: Verdict
    flags: tuple[str, ...] = ()


def claims_table(claims: Sequence[Claim]) -> DataFrame:
    """List the claims.

    Returns
    -------
    DataFrame
        ``cell, claim, unit, value, value_low, value_high`` (95 %), ``possible_low, possible_high``
        (by lithium content alone), ``verdict, meaning, flags``.
    """
    import pandas as pd

    return pd.DataFrame(
        [
            {
                "cell": claim.cell.name,
                "claim": claim.what,
                "unit": claim.unit,
                "value": claim.value,
                "value_low": claim.low,
                "value_high": claim.high,
                "possible_low": claim.possible[0],
                "possible_high": claim.possible[1],
                "verdict": claim.verdict,
                "meaning": IN_WORDS[claim.verdict],
                "flags": "; ".join(claim.flags),
            }
            for claim in claims
        ]
    )


def full_charge_grey(cell: Cell) -> float:
    """Grey values by which active material gets brighter when all of its lithium is taken out.

    NaN where the electrolyte or the photon energy is not known.
    """
    electrolyte = cell.numbers.get("electrolyte_peak_per_cm", {}).get("value", nan)
    if cell.energy_kev is None or not electrolyte > 0:
        return nan
    empty, full = (float(mu_per_cm("ncm811", cell.energy_kev, lithium=x)) for x in (0.0, 1.0))
    return float(cell.result.grey_scale.step * (empty - full) / electrolyte)


def other_causes(cell: Cell) -> tuple[str, ...]:
    """Name what else changes the grey values of a cathode in this cell."""
    found = []
    charge = cell.table("charge")
    if charge is not None and "void_fraction" in charge:
        known = charge["void_fraction"].dropna()
        cracks = float(known.median()) if len(known) else 0.0
        if cracks > _CRACKED:
            found.append(f"cracks: about {cracks:.0%} of the cores")
    glare = cell.numbers.get("glare_at_most", {}).get("value")
    if glare is not None:
        found.append(f"glare: up to {float(glare):.1%} of the light")
    if _is_extrapolated(cell) and not _is_extrapolated(cell.pristine):
        found.append(
            "the electrolyte's grey value is extrapolated into the cathode, in the pristine cell "
            "it is measured there"
        )
    return tuple(found)


def _is_extrapolated(cell: Cell | None) -> bool:
    reference = None if cell is None else cell.table("reference")
    if reference is None or "reference" not in reference:
        return False
    cathode = reference[reference["layer"] == "cathode"]
    return len(cathode) > 0 and bool((cathode["reference"] == "extrapolated").all())
