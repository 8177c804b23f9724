"""The answer of a study in sentences. In: changes, distances, codependence; out: lines of text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isfinite

from xct.study.cells import Cell
from xct.study.claims.claim import IN_WORDS, Claim
from xct.study.claims.conclusions import Conclusion, in_words
from xct.study.codependence.measured import Together
from xct.study.cycling.balance import Balance
from xct.study.cycling.measured import Cycled
from xct.study.grey import GreyCell, kind_of, same_kind_distance
from xct.study.layers import SHOWN, Change, Row, changes


def answers(
    cells: Sequence[Cell],
    rows: Sequence[Row],
    grey: Sequence[GreyCell],
    together: Sequence[Together],
    cycled: Sequence[Cycled],
    balances: Sequence[Balance],
    concluded: Sequence[Conclusion],
    claims: Sequence[Claim],
) -> list[tuple[str, list[str]]]:
    """Say for each cell that has a pristine one what is different in it.

    Returns
    -------
    list of (str, list of str)
        A heading for each cell, and its sentences; then for pairs of cells of two groups.
    """
    all_changes, by_name = changes(rows), {each.cell.name: each for each in grey}
    found = []
    for cell in (cell for cell in cells if cell.pristine is not None):
        assert cell.pristine is not None
        own = [change for change in all_changes if change.row.cell.name == cell.name]
        sentences = [
            *in_words(concluded, cell.name),
            *_layers(own),
            *_grey(by_name.get(cell.name), by_name.get(cell.pristine.name), claims),
            *(one.answer() for one in together if one.cell.name == cell.name),
            *(one.answer() for one in cycled if one.cell.name == cell.name),
            *(s for one in balances if one.cell.name == cell.name for s in one.answer()),
        ]
        found.append((f"{cell.name} against {cell.pristine.name}", sentences))
    alone = {cell.name for cell in cells}
    pairs = dict.fromkeys(each.about for each in concluded if each.about not in alone)
    return [*found, *((about, in_words(concluded, about)) for about in pairs)]


def _layers(own: Sequence[Change]) -> Iterator[str]:
    sure = [_written(change) for change in own if change.is_sure]
    unsure = [SHOWN[change.row.key][0] for change in own if not change.is_sure]
    if sure:
        yield "Changed: " + "; ".join(sure) + "."
    if unsure:
        yield "No change beyond the uncertainty: " + ", ".join(unsure) + "."


def signed(value: float, decimals: int) -> str:
    """Write a difference with its sign."""
    return f"{value:+.{decimals}f}".replace("-", "−")


def _written(change: Change) -> str:
    heading, unit, decimals = SHOWN[change.row.key]
    value, low, high = (signed(v, decimals) for v in (change.value, change.low, change.high))
    unit = "points of %" if unit == "%" else unit
    percent = ""
    if isfinite(change.relative) and unit == "µm":
        percent = f", {signed(100 * change.relative, 0)} %"
    bound = f" ({change.row.bound} bound)" if change.row.bound else ""
    return f"{heading}{bound} {value} {unit} ({low} … {high}{percent})"


def _grey(cell: GreyCell | None, before: GreyCell | None, claims: Sequence[Claim]) -> Iterator[str]:
    """Compare the distance of each kind of ROI with that of pristine ROIs from each other."""
    if (
        cell is None
        or before is None
        or "wasserstein" not in cell.tables.get("grey_statistics", {})
    ):
        return
    alike = same_kind_distance(before)
    beyond: list[str] = []
    within: list[str] = []
    for row in cell.tables["grey_statistics"].to_dict("records"):
        kind = kind_of(str(row["roi"]))
        if not isfinite(row.get("wasserstein", float("nan"))) or kind not in alike:
            continue
        text = (
            f"{row['roi']} ({row['wasserstein']:.0f}, pristine ones differ by {alike[kind]:.0f}"
            f"{_meaning(cell, str(row['roi']), claims)})"
        )
        if row["wasserstein_low"] > alike[kind]:
            beyond.append(text)
        else:
            within.append(str(row["roi"]))
    if beyond:
        yield (
            "Grey values are farther from the pristine cell than its own regions from each other: "
            + ", ".join(beyond)
            + "."
        )
    if within:
        yield f"Grey values not distinguished from the pristine cell: {', '.join(within)}."


def _meaning(cell: GreyCell, roi: str, claims: Sequence[Claim]) -> str:
    """Say what could make the change of a ROI's mean, and what lithium content alone makes."""
    own = [c for c in claims if c.cell.name == cell.cell.name and c.what.startswith(f"{roi}:")]
    if not own:
        return ""
    claim = own[0]
    text = f"; {IN_WORDS[claim.verdict]}"
    if isfinite(claim.possible[1]) and claim.verdict != "no_change":
        low, high = (signed(end, 0) for end in claim.possible)
        change = signed(claim.value, 0)
        return f"; mean {change}, lithium content alone makes {low} to {high}{text}"
    return text
