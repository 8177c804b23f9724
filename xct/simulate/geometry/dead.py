"""Which particles of a result do not react. In: its tables; out: their numbers, and why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from xct.errors import XctError
from xct.result import Result

if TYPE_CHECKING:
    from pandas import DataFrame

    from xct.simulate.settings import DeadSection


def dead_particles(result: Result, wanted: DeadSection) -> tuple[frozenset[int], list[str]]:
    """List the particles without reaction, and say what is not known of others.

    Raises
    ------
    XctError
        If the result lacks the table that this rests on.
    """
    found, notes = set(wanted.particles), []
    known = set(_table(result, "particles", ["particle"])["particle"].tolist())
    strangers = sorted(found - known)
    if strangers:
        raise XctError(
            f"dead.particles: {strangers[0]} is no particle of {result.path}, which has "
            f"{len(known)}, numbered as in particles.csv"
        )
    for numbers, note in _by_measurement(result, wanted):
        found |= set(numbers.tolist())
        notes += [note] if note else []
    return frozenset(found), notes


def _by_measurement(result: Result, wanted: DeadSection) -> Iterator[tuple[np.ndarray, str]]:
    if wanted.drifted:
        table = _table(result, "particles", ["particle", "drifted"])
        yield table.loc[table["drifted"].astype(bool), "particle"].to_numpy(), ""
    if wanted.contact_below is not None:
        table = _table(result, "particles", ["particle", "contact_electrolyte"])
        isolated = table["contact_electrolyte"] < wanted.contact_below
        yield table.loc[isolated, "particle"].to_numpy(), ""
    if wanted.li_content_above is not None:
        # What a truth knows stands in its particles' own table.
        name = "charge" if "charge" in result.tables else "particles"
        table = _table(result, name, ["particle", "li_content"])
        content = table["li_content"].to_numpy(float)
        unknown = int(np.isnan(content).sum())
        note = (
            f"the state of charge of {unknown} of {len(table)} particles is not known: they are "
            "taken for active; see `withheld` in charge.csv"
            if unknown
            else ""
        )
        with np.errstate(invalid="ignore"):
            yield table["particle"].to_numpy()[content > wanted.li_content_above], note


def _table(result: Result, name: str, columns: list[str]) -> DataFrame:
    tables = result.tables
    lacking = columns if name not in tables else [c for c in columns if c not in tables[name]]
    if lacking:
        raise XctError(
            f"{result.path}: tables/{name}.csv does not tell {', '.join(lacking)}; has the run "
            "reached that step?"
        )
    return tables[name]
