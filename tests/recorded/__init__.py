"""What xct gave before the house was rebuilt: names, commands, numbers of six small cells.

``python -m tests.recorded DEMO_FOLDER`` writes the numbers of a demo anew, for changes on purpose.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from xct.result import Result

HERE = Path(__file__).parent


# Stages and counts that have another name today.
RENAMED = {"faint_light": "low_signal"}


def recorded(name: str) -> Any:
    """Read what was recorded under a name; stages and numbers by the names of today."""
    text = (HERE / f"{name}.json").read_text(encoding="utf-8")
    if name in ("cells", "stages"):
        for before, today in RENAMED.items():
            text = text.replace(f'"{before}', f'"{today}')
    return json.loads(text)


def numbers_of(result: Result) -> dict[str, Any]:
    """Flatten the summary of a result, and give each table's shape and the sums of its columns."""
    tables = {}
    for name, table in sorted(result.tables.items()):
        numeric = table.select_dtypes(["number", "bool"])
        sums = {column: float(np.nansum(numeric[column].astype(float))) for column in numeric}
        tables[name] = {"shape": list(table.shape), "sums": sums}
    summary = {key: entry for key, entry in result.summary.items() if key != "warnings"}
    return {"summary": dict(_flat(summary)), "tables": tables}


def _flat(value: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _flat(item, f"{above}/{key}".lstrip("/"))
    else:
        yield above, value


def options_of(command: Any) -> dict[str, Any]:
    """List arguments and options of a click command, by its subcommands' names."""
    return {
        name: sorted(text for parameter in sub.params for text in (*parameter.opts, parameter.name))
        for name, sub in sorted(command.commands.items())
    }
