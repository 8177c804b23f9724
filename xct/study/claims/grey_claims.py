"""The physics guard: beside each claim that rests on grey values, what could make it at all.

In: grey values of ROIs, particles; out: claims with their possible range, a verdict, and flags.
Taking all lithium out of NCM811 raises μ by 11 %: by so much, times its fraction, a ROI's mean can
change by lithium content. Lithium metal and void differ by 2 % of the electrolyte's grey value,
less than any noise. The electrolyte's own peak is where normalization puts it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import hypot, isfinite, nan, sqrt
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from xct.geometry import Label
from xct.physics.materials import mu_per_cm
from xct.study.cells import Cell
from xct.study.grey import GreyCell

if TYPE_CHECKING:
    import pandas as pd
    from pandas import DataFrame

Verdict = Literal[
    "no_change", "possible", "composition", "other_cause", "lithium_or_void", "less_lithium",
    "undecided",
]  # fmt: skip
_SURE = 1.96
_SCALE_SD = 0.01  # of grey values above air, between two cells
_CATHODE, _ELECTROLYTE = 0.05, 0.9  # fractions that make a ROI one of the cathode, the electrolyte
_LEAST_READ = 20  # particles whose lithium content is read
_EXCLUDED = 0.05  # of them, whose 95 % interval leaves out x = 1: more is a change
_CRACKED = 0.02  # of the cores, in cracks too fine for labels
_IN_WORDS: dict[Verdict, str] = {
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
        See `_IN_WORDS`.
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


def grey_claims(grey: Sequence[GreyCell]) -> list[Claim]:
    """Judge what the grey values of every cell that has a pristine one could mean."""
    by_name = {each.cell.name: each for each in grey}
    found: list[Claim] = []
    for each in grey:
        if each.cell.pristine is None:
            continue
        before = by_name[each.cell.pristine.name]
        found += [*_of_rois(each, before), *_of_particles(each.cell)]
    return found


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
                "meaning": _IN_WORDS[claim.verdict],
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


def _of_rois(each: GreyCell, before: GreyCell) -> Iterator[Claim]:
    tables = [one.tables.get("grey_statistics") for one in (each, before)]
    if tables[0] is None or tables[1] is None:
        return
    rows, old = (
        {str(r["roi"]): {str(k): v for k, v in r.items()} for r in table.to_dict("records")}
        for table in tables
        if table is not None
    )
    for roi, row in rows.items():
        if roi not in old or roi not in each.materials or roi not in before.materials:
            continue
        then = before.materials[roi]
        if then[Label.ACTIVE_MATERIAL] > _CATHODE:
            yield _mean_of_cathode(each, before, roi, row, old[roi])
        elif then[Label.ELECTROLYTE] > _ELECTROLYTE:
            yield _tail_of_electrolyte(each.cell, roi, row, old[roi])


def _change(row: dict[str, Any], old: dict[str, Any], name: str) -> tuple[float, float, float]:
    """Give a difference with its interval, each side by itself."""
    now, then = ([float(r[f"{name}{end}"]) for end in ("", "_low", "_high")] for r in (row, old))
    value = now[0] - then[0]
    return (
        value,
        value - hypot(now[0] - now[1], then[2] - then[0]),
        value + hypot(now[2] - now[0], then[0] - then[1]),
    )


def _mean_of_cathode(
    each: GreyCell, before: GreyCell, roi: str, row: dict[str, Any], old: dict[str, Any]
) -> Claim:
    value, low, high = _change(row, old, "mean")
    fraction = float(before.materials[roi][Label.ACTIVE_MATERIAL])
    possible = (0.0, fraction * full_charge_grey(each.cell))
    composition = _by_composition(each, before, roi)
    flags = [*_flags(each.cell)]
    if abs(composition) > 0.25 * abs(value):
        flags.insert(0, f"composition: the labels alone make {composition:+.0f}".replace("-", "−"))
    verdict: Verdict
    if low <= 0 <= high:
        verdict = "no_change"
    elif low <= composition <= high:
        verdict = "composition"
    elif high < 0 or low > possible[1]:
        verdict = "other_cause"
    else:
        verdict = "possible"
    return Claim(
        each.cell, f"{roi}: mean grey value", "grey values", value, low, high, possible, verdict,
        tuple(flags),
    )  # fmt: skip


def _by_composition(each: GreyCell, before: GreyCell, roi: str) -> float:
    """Give by how much the mean would change by the fractions of materials alone."""
    levels = _mean_grey(before.cell)
    base = levels.get(Label.ELECTROLYTE, nan)
    change = each.materials[roi] - before.materials[roi]
    parts = [
        float(change[label]) * (levels[label] - base)
        for label in (Label.ACTIVE_MATERIAL, Label.LOW_GREY)
        if label in levels
    ]
    return sum(parts) if parts else nan


def _mean_grey(cell: Cell) -> dict[Label, float]:
    table = cell.table("materials")
    if table is None:
        return {}
    named = {label.name.lower(): label for label in Label}
    rows = zip(table["material"], table["mean_grey"], strict=True)
    return {named[name]: float(grey) for name, grey in rows if name in named and isfinite(grey)}


def _tail_of_electrolyte(cell: Cell, roi: str, row: dict[str, Any], old: dict[str, Any]) -> Claim:
    value, low, high = (100 * each for each in _change(row, old, "tail_fraction"))
    unsure = low <= 0 <= high
    verdict: Verdict = "no_change" if unsure else "lithium_or_void" if value > 0 else "other_cause"
    return Claim(
        cell, f"{roi}: part of the voxels below the electrolyte", "points of %", value, low, high,
        (nan, nan), verdict, () if unsure else ("lithium", "voids", "cracks"),
    )  # fmt: skip


def _of_particles(cell: Cell) -> Iterator[Claim]:
    charge, particles = cell.table("charge"), cell.table("particles")
    assert cell.pristine is not None
    if charge is None or particles is None or not {"li_content", "li_content_high"} <= set(charge):
        return
    yield _content(cell, charge)
    core = _core_change(cell, particles)
    if core is not None:
        yield core
    entry, verdict = (cell.numbers.get(k) for k in ("drifted_mu_difference", "drifted_charge"))
    if entry is not None and verdict is not None and isfinite(float(entry["value"])):
        yield _drifted(cell, float(entry["value"]), float(entry["sd"]), str(verdict["value"]))


def _content(cell: Cell, charge: pd.DataFrame) -> Claim:
    """Count particles whose interval leaves out x = 1, among those that are read."""
    from scipy.stats import beta

    read = int(np.isfinite(charge["li_content"].to_numpy(float)).sum())
    excluded = int((charge["li_content_high"].to_numpy(float) < 1).sum())
    value = excluded / read if read else nan
    low = float(beta.ppf(0.025, excluded, read - excluded + 1)) if excluded else 0.0
    high = float(beta.ppf(0.975, excluded + 1, read - excluded)) if excluded < read else 1.0
    verdict: Verdict
    if read < _LEAST_READ:
        verdict = "undecided"
    else:
        verdict = "less_lithium" if low > _EXCLUDED else "no_change"
    return Claim(
        cell, f"particles whose lithium content is surely below 1, of {read} that are read", "%",
        100 * value, 100 * low, 100 * high, (0.0, 100.0), verdict, _flags(cell),
    )  # fmt: skip


def _core_change(cell: Cell, particles: pd.DataFrame) -> Claim | None:
    """Compare the cores of the cathode's particles with those of the pristine cell."""
    assert cell.pristine is not None
    old = cell.pristine.table("particles")
    if old is None or not {"core_grey", "attached"} <= set(particles) & set(old):
        return None
    cores = [t.loc[t["attached"], "core_grey"].dropna().to_numpy(float) for t in (particles, old)]
    if min(map(len, cores)) < _LEAST_READ:
        return None
    levels = [float(np.median(each)) for each in cores]
    own = [1.2533 * float(each.std()) / sqrt(len(each)) for each in cores]
    scale = sqrt(2) * _SCALE_SD * (levels[1] - cell.result.grey_scale.zero)
    value, half = levels[0] - levels[1], _SURE * hypot(*own, scale)
    possible = (0.0, full_charge_grey(cell))
    verdict: Verdict = "possible"
    if abs(value) <= half:
        verdict = "no_change"
    elif value + half < 0 or value - half > possible[1]:
        verdict = "other_cause"
    return Claim(
        cell, "cores of the cathode's particles: median grey value", "grey values", value,
        value - half, value + half, possible, verdict, _flags(cell),
    )  # fmt: skip


def _drifted(cell: Cell, value: float, sd: float, said: str) -> Claim:
    """Repeat what the run said of drifted particles against those of the cathode."""
    verdicts: dict[str, Verdict] = {
        "no_change": "no_change", "change": "possible", "other_cause": "other_cause",
    }  # fmt: skip
    most = 100 * (float(mu_per_cm("ncm811", cell.energy_kev or 25.0, lithium=0.0))
                  / float(mu_per_cm("ncm811", cell.energy_kev or 25.0)) - 1)  # fmt: skip
    return Claim(
        cell, "μ of drifted particles against attached ones", "%", 100 * value,
        100 * (value - _SURE * sd), 100 * (value + _SURE * sd), (0.0, most),
        verdicts.get(said, "undecided"), ("planes of other transmission", *_flags(cell)),
    )  # fmt: skip


def _flags(cell: Cell) -> tuple[str, ...]:
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
