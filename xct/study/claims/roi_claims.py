"""Claims about regions: means of the cathode, their change with depth, tails of the electrolyte."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import hypot, isfinite, nan
from typing import Any

from xct.geometry import Label
from xct.study.cells import Cell
from xct.study.claims.claim import Claim, Verdict, full_charge_grey, other_causes
from xct.study.grey import GreyCell, kind_of

_CATHODE, _ELECTROLYTE = 0.05, 0.9  # fractions that make a ROI one of the cathode, the electrolyte


def claims_of_rois(each: GreyCell, before: GreyCell) -> Iterator[Claim]:
    """Judge the ROIs of a cell against those of its pristine one.

    Parameters
    ----------
    each, before : GreyCell
        What was measured in both.
    """
    rows, old = _rows(each), _rows(before)
    inside: list[str] = []
    for roi, row in rows.items():
        if roi not in old or roi not in each.materials or roi not in before.materials:
            continue
        then = before.materials[roi]
        if then[Label.ACTIVE_MATERIAL] > _CATHODE:
            inside.append(roi)
            yield _mean_of_cathode(each, before, roi, row, old[roi])
        elif then[Label.ELECTROLYTE] > _ELECTROLYTE:
            yield _tail_of_electrolyte(each.cell, roi, row, old[roi])
    for first, last in _ends_by_depth(each, inside):
        yield _gradient(each, before, first, last)


def _rows(each: GreyCell) -> dict[str, dict[str, Any]]:
    table = each.tables.get("grey_statistics")
    records = [] if table is None else table.to_dict("records")
    return {str(r["roi"]): {str(k): v for k, v in r.items()} for r in records}


def _ends_by_depth(each: GreyCell, inside: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Give the first and the last ROI of each kind whose ROIs lie below each other."""
    spans = {roi.name: roi.bounds_um[0] for roi in each.rois if roi.name in inside}
    for kind in dict.fromkeys(kind_of(name) for name in spans):
        ordered = sorted(
            (n for n in spans if kind_of(n) == kind), key=lambda name: sum(spans[name])
        )
        if len(ordered) > 1 and spans[ordered[0]][1] < spans[ordered[-1]][0]:
            yield ordered[0], ordered[-1]


def _gradient(each: GreyCell, before: GreyCell, first: str, last: str) -> Claim:
    """Compare how the cathode differs from its front to its back with the pristine cell."""
    rows, old = _rows(each), _rows(before)
    changes = [_change(rows[roi], old[roi], "mean") for roi in (first, last)]
    value = changes[0][0] - changes[1][0]
    low = value - hypot(changes[0][0] - changes[0][1], changes[1][2] - changes[1][0])
    high = value + hypot(changes[0][2] - changes[0][0], changes[1][0] - changes[1][1])
    most = full_charge_grey(each.cell) * max(
        float(before.materials[roi][Label.ACTIVE_MATERIAL]) for roi in (first, last)
    )
    composition = _by_composition(each, before, first) - _by_composition(each, before, last)
    return Claim(
        each.cell, f"{first} less {last}: difference of mean grey values", "grey values", value,
        low, high, (-most, most), _judged(low, high, composition, (-most, most)),
        _with_composition(each.cell, value, composition),
    )  # fmt: skip


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
    return Claim(
        each.cell, f"{roi}: mean grey value", "grey values", value, low, high, possible,
        _judged(low, high, composition, possible),
        _with_composition(each.cell, value, composition),
    )  # fmt: skip


def _judged(low: float, high: float, composition: float, possible: tuple[float, float]) -> Verdict:
    if low <= 0 <= high:
        return "no_change"
    if low <= composition <= high:
        return "composition"
    return "other_cause" if high < possible[0] or low > possible[1] else "possible"


def _with_composition(cell: Cell, value: float, composition: float) -> tuple[str, ...]:
    if not abs(composition) > 0.25 * abs(value):
        return other_causes(cell)
    made = f"composition: the labels alone make {composition:+.0f}".replace("-", "−")
    return (made, *other_causes(cell))


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
