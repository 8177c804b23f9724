"""Where a study's results and cycler files come from. In: cells; out: a table, warnings of runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from xct.report.of_run import warning_text
from xct.study.cells import Cell
from xct.study.cycling.measured import Cycled

if TYPE_CHECKING:
    from pandas import DataFrame

_SHOWN = 16  # characters of a checksum


def warnings_of_runs(cells: Sequence[Cell]) -> list[str]:
    """Repeat what the runs of the cells warned of."""
    found: list[str] = []
    for cell in cells:
        found += [f"{cell.name}: {warning_text(warning)}" for warning in cell.result.warnings]
    return found


def provenance_table(cells: Sequence[Cell], cycled: Sequence[Cycled]) -> DataFrame:
    """Say where each result comes from, and whose cycler file it was.

    Returns
    -------
    DataFrame
        ``cell, group, cycles, pristine, result, recipe, xct, voxel_um, energy_kev,
        input_checksum, cycler, cycler_checksum``.
    """
    import pandas as pd

    records = {one.cell.name: one.records for one in cycled}
    rows: list[dict[str, Any]] = []
    for cell in cells:
        account = cell.result.account
        source = account.get("input") or {}
        of_cycler = records.get(cell.name)
        sums = () if of_cycler is None else of_cycler.checksums
        rows.append(
            {
                "cell": cell.name,
                "group": cell.group,
                "cycles": cell.cycles,
                "pristine": "is pristine"
                if cell.is_pristine
                else getattr(cell.pristine, "name", None),
                "result": str(cell.result.path),
                "recipe": account["configuration"].get("pipeline"),
                "xct": (account.get("versions") or {}).get("xct"),
                "voxel_um": cell.result.voxel_size_um,
                "energy_kev": cell.energy_kev,
                "input_checksum": str(source.get("checksum", ""))[:_SHOWN],
                "cycler": None if of_cycler is None else of_cycler.maker,
                "cycler_checksum": " ".join(each[:_SHOWN] for each in sums) or None,
            }
        )
    return pd.DataFrame(rows)
