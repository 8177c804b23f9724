"""Which conclusions the data of a study support, in words. In: all that was found; out: verdicts.

The conclusions are those of the study that this repeats: lithium is consumed unevenly and gone in
places, the electrolyte swells and takes up lithium, particles drift, the cathode loses lithium,
both electrodes are damaged at the same places, and a coating prevents it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from xct.study.cells import Cell
from xct.study.claims.claim import IN_WORDS, Claim
from xct.study.codependence.measured import Together
from xct.study.layers import SHOWN, Change, Row, changes

if TYPE_CHECKING:
    from pandas import DataFrame

Support = Literal["supported", "not shown", "contradicted", "cannot be told", "not measured"]


@dataclass(frozen=True)
class Conclusion:
    """A conclusion about a cell against its pristine one, or about two cells.

    Attributes
    ----------
    about : str
        The cell, or both.
    text : str
        What would be concluded.
    support : str
        Whether these data support it.
    because : str
        Why.
    """

    about: str
    text: str
    support: Support
    because: str


# Number of the layers, what is concluded from it, in which direction; and what can hide it.
_LAYERS = (
    ("thickness_um.lithium", "Lithium was consumed (its layer is thinner)", -1, ""),
    (
        "roughness_um.lithium_electrolyte", "Lithium was consumed unevenly (its face is rougher)",
        1, "",
    ),
    (
        "absent_area_fraction", "Lithium is gone in places", 1,
        "a void where lithium was would look like lithium",
    ),
    ("thickness_um.electrolyte", "The electrolyte is thicker", 1, ""),
    ("drifted_per_mm2", "Particles of the cathode drifted into the electrolyte", 1, ""),
    (
        "inclusions_per_mm3", "The electrolyte took up inclusions of low grey value", 1,
        "those thinner than the blur are not seen",
    ),
)  # fmt: skip


def conclusions(
    cells: Sequence[Cell],
    rows: Sequence[Row],
    claims: Sequence[Claim],
    together: Sequence[Together],
) -> list[Conclusion]:
    """Judge every conclusion for every cell that has a pristine one, and for pairs of groups."""
    found = {(c.row.cell.name, c.row.key): c for c in changes(rows)}
    absent = {(row.cell.name, row.key): row.absent for row in rows}
    listed: list[Conclusion] = []
    for cell in (cell for cell in cells if cell.pristine is not None):
        for key, text, side, hidden in _LAYERS:
            change = found.get((cell.name, key))
            listed.append(_of_layer(cell, text, change, side, hidden, absent.get((cell.name, key))))
        listed += _are_lithium(cell, found.get((cell.name, "inclusions_per_mm3")))
        listed += _by_depth(cell, claims)
        listed.append(_less_lithium(cell, claims))
        listed.append(_belong_together(cell, together))
    return [*listed, *_prevented(cells, found)]


def _of_layer(
    cell: Cell, text: str, change: Change | None, side: int, hidden: str, absent: str | None
) -> Conclusion:
    if change is None:
        why = absent or "it is not known of the pristine cell"
        return Conclusion(cell.name, text, "not measured", why)
    written = _written(change)
    if side * (change.low if side > 0 else change.high) > 0:
        return Conclusion(cell.name, text, "supported", written)
    if side * (change.high if side > 0 else change.low) < 0:
        return Conclusion(cell.name, text, "contradicted", written)
    if hidden:
        return Conclusion(cell.name, text, "cannot be told", f"{written}; {hidden}")
    return Conclusion(cell.name, text, "not shown", written)


def _written(change: Change) -> str:
    _, unit, decimals = SHOWN[change.row.key]
    value, low, high = (
        f"{v:+.{decimals}f}".replace("-", "−") for v in (change.value, change.low, change.high)
    )
    unit = "points of %" if unit == "%" else unit
    return f"{value} {unit} ({low} … {high})"


def _are_lithium(cell: Cell, change: Change | None) -> Iterator[Conclusion]:
    if change is not None and change.row.value > 0:
        yield Conclusion(
            cell.name, "The inclusions in the electrolyte are lithium", "cannot be told",
            "in absorption lithium and void differ by less than the noise of a voxel; phase "
            "contrast would tell them apart",
        )  # fmt: skip


def _by_depth(cell: Cell, claims: Sequence[Claim]) -> Iterator[Conclusion]:
    """Say whether the cathode changed otherwise at its front than at its back."""
    own = [c for c in claims if c.cell.name == cell.name and " less " in c.what]
    if own:
        changed = [claim for claim in own if claim.verdict != "no_change"]
        told = "; ".join(f"{c.what}: {c.value:+.0f}, {IN_WORDS[c.verdict]}" for c in changed or own)
        yield Conclusion(
            cell.name, "Grey values of the cathode changed with depth",
            "supported" if changed else "not shown", told.replace("-", "−"),
        )  # fmt: skip


def _less_lithium(cell: Cell, claims: Sequence[Claim]) -> Conclusion:
    text = "The particles of the cathode hold less lithium"
    own = [c for c in claims if c.cell.name == cell.name and c.what.startswith("particles whose")]
    if not own:
        return Conclusion(
            cell.name, text, "not measured", f"no lithium contents ({cell.why_absent('charge')})"
        )
    claim = own[0]
    part = f"{claim.what}: {claim.value:.1f} % ({claim.low:.1f} … {claim.high:.1f})"
    if claim.verdict == "undecided":
        return Conclusion(
            cell.name, text, "cannot be told",
            "too few particles are read: noise, cracks and glare could make as much",
        )  # fmt: skip
    if claim.verdict == "less_lithium":
        return Conclusion(cell.name, text, "supported", part)
    return Conclusion(
        cell.name, text, "not shown", f"{part}; how much could be hidden, their intervals say"
    )


def _belong_together(cell: Cell, together: Sequence[Together]) -> Conclusion:
    text = "The cathode is damaged where lithium is lost"
    one = next((each for each in together if each.cell.name == cell.name), None)
    if one is None or one.found is None:
        why = "there are no maps" if one is None else one.reason
        return Conclusion(cell.name, text, "not measured", why)
    verdict = one.found.verdict
    support: Support = "cannot be told"
    if verdict == "together":
        support = "supported"
    elif verdict == "opposed":
        support = "contradicted"
    elif verdict == "not_seen":
        support = "not shown"
    return Conclusion(cell.name, text, support, one.answer())


# What a coating would prevent, and which way it goes in a cell without one.
_PREVENTED = (("thickness_um.lithium", -1), ("drifted_per_mm2", 1), ("inclusions_per_mm3", 1))


def _prevented(cells: Sequence[Cell], found: dict[tuple[str, str], Change]) -> Iterator[Conclusion]:
    """Compare the changes of cells of two groups after as many cycles."""
    cycled = [cell for cell in cells if cell.pristine is not None and cell.cycles]
    for number, one in enumerate(cycled):
        for other in cycled[number + 1 :]:
            if one.group != other.group and one.cycles == other.cycles:
                yield from _of_pair(one, other, found)


def _of_pair(one: Cell, other: Cell, found: dict[tuple[str, str], Change]) -> Iterator[Conclusion]:
    for key, side in _PREVENTED:
        changed = [found.get((cell.name, key)) for cell in (one, other)]
        if changed[0] is None or changed[1] is None:
            continue
        heading = SHOWN[key][0]
        text = f"{heading[0].upper()}{heading[1:]} changed more in {one.name} than in {other.name}"
        first, second = changed[0], changed[1]
        because = f"{_written(first)} and {_written(second)}"
        support: Support = "not shown"
        if (side > 0 and first.low > second.high) or (side < 0 and first.high < second.low):
            support = "supported"
        elif (side > 0 and first.high < second.low) or (side < 0 and first.low > second.high):
            support = "contradicted"
        yield Conclusion(f"{one.name}, {other.name}", text, support, because)


def conclusions_table(found: Sequence[Conclusion]) -> DataFrame:
    """List the conclusions: ``about, conclusion, support, because``."""
    import pandas as pd

    return pd.DataFrame(
        [
            {
                "about": each.about,
                "conclusion": each.text,
                "support": each.support,
                "because": each.because,
            }
            for each in found
        ]
    )


def conclusions_by_cell(found: Sequence[Conclusion], cells: Sequence[Cell]) -> DataFrame:
    """Put the verdicts on all cells side by side: ``conclusion``, and a column for each cell."""
    import pandas as pd

    names = [cell.name for cell in cells if cell.pristine is not None]
    support = {(each.text, each.about): each.support for each in found}
    texts = dict.fromkeys(each.text for each in found if each.about in names)
    rows = [{name: support.get((text, name), "–") for name in names} for text in texts]
    table = pd.DataFrame(rows, columns=names)
    table.insert(0, "conclusion", list(texts), allow_duplicates=True)  # a cell may have any name
    return table


def in_words(found: Sequence[Conclusion], about: str) -> list[str]:
    """Say in a few sentences what the data support of a cell, and what they do not."""
    order: dict[Support, str] = {
        "supported": "These data support that",
        "contradicted": "They contradict that",
        "not shown": "They do not show that",
        "cannot be told": "They cannot tell whether",
        "not measured": "It was not measured whether",
    }
    sentences = []
    for support, lead in order.items():
        texts = [
            each.text[0].lower() + each.text[1:]
            for each in found
            if each.about == about and each.support == support
        ]
        if texts:
            sentences.append(f"{lead} {'; '.join(texts)}.")
    return sentences
