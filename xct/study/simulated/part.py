"""The report's section on simulated current. In: cells, simulations; out: figures, a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from xct.errors import XctError
from xct.report.page import Part, known_figures, known_tables
from xct.study.cells import Cell
from xct.study.simulated.finding import simulations_of
from xct.study.simulated.lines import Simulated, lines_figure, read_lines
from xct.study.simulated.maps import SimulatedMap, maps_figure, read_maps

if TYPE_CHECKING:
    from pandas import DataFrame

_TEXT = (
    "The current that finite elements find at the lithium, and the lithium that is missing there: "
    "along one plane, or as maps of a block. On the face as it was measured thin lithium lies "
    "farther from the cathode, which lowers its current by itself: p is given for a flat face "
    "alone."
)
_OF_LINES = "Both along the plane."
_OF_MAPS = (
    "Both maps of the block (grey: not measured), and their correlation by scale within the circle."
)


@dataclass(frozen=True)
class AllSimulated:
    """Every simulation of the cells of a study.

    Attributes
    ----------
    lines : list of Simulated
        Cases of planes.
    maps : list of SimulatedMap
        Cases of blocks.
    warnings : list of str
        Simulations that were left out, and why.
    """

    lines: list[Simulated] = field(default_factory=list)
    maps: list[SimulatedMap] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def read_simulated(cells: Sequence[Cell], named: Sequence[list[str] | None]) -> AllSimulated:
    """Read the simulations of cells.

    Parameters
    ----------
    cells : sequence of Cell
        In the order of the study.
    named : sequence of list of str or None
        What `xct simulate` wrote for each; None: what lies with its result.

    Raises
    ------
    XctError
        If a folder that was named holds no simulation of the cell.
    """
    found = AllSimulated()
    for cell, folders in zip(cells, named, strict=True):
        there, warnings = simulations_of(cell, folders)
        found.warnings.extend(warnings)
        for folder in there:
            try:
                if folder.kind == "block":
                    found.maps.extend(read_maps(cell, folder))
                else:
                    found.lines.extend(read_lines(cell, folder))
            except XctError as error:
                if folders:
                    raise
                found.warnings.extend(f"{text} (left out)" for text in error.errors)
    return found


def simulated_table(simulated: AllSimulated) -> DataFrame:
    """List how simulated current and lost lithium correlate.

    Returns
    -------
    DataFrame
        ``cell, case, of`` (plane or block), ``face`` (of the lithium: flat or measured),
        ``columns, scale_um`` (that both maps of a block were smoothed to), ``r``, of a block
        ``r_corrected, r_low, r_high`` (corrected for noise, 95 %), ``p_value`` (one for a case).
    """
    import pandas as pd

    rows: list[dict[str, Any]] = [
        {**_case(line, "plane"), "columns": len(line.lost_um), "r": line.r, "p_value": line.p_value}
        for line in simulated.lines
    ]
    for one in simulated.maps:
        for row in one.found.rows if one.found is not None else []:
            rows.append(
                {
                    **_case(one, "block"),
                    "columns": one.focusing.size,
                    "scale_um": row.fwhm_um,
                    "r": row.seen,
                    "r_corrected": row.value,
                    "r_low": row.low,
                    "r_high": row.high,
                    "p_value": one.p_value,
                }
            )
    names = (
        "cell", "case", "of", "face", "columns", "scale_um", "r", "r_corrected", "r_low", "r_high",
        "p_value",
    )  # fmt: skip
    return pd.DataFrame(rows, columns=list(names))


def _case(one: Simulated | SimulatedMap, of: str) -> dict[str, Any]:
    face = "flat" if one.flat else "measured"
    return {"cell": one.cell, "case": one.case, "of": of, "face": face}


def simulated_part(simulated: AllSimulated, tables: Mapping[str, DataFrame]) -> Part:
    """Make the section of the report."""
    figures = {
        "simulated": (lines_figure(simulated.lines), _OF_LINES),
        "simulated_maps": (maps_figure(simulated.maps), _OF_MAPS),
    }
    return Part(
        "simulated",
        "Simulated current",
        _TEXT,
        known_figures(figures),
        known_tables(tables, {"simulated": "How they correlate; p by shifts or turns, mirrored."}),
        sources=dict.fromkeys(figures, "simulated"),
    )
