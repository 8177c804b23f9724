"""Simulations that are of a cell. In: a result, folders that were named; out: what lies there.

Where a study names none, those count that lie with the result: in its folder, beside it, or beside
the folder that it is in, as `xct simulate` and `xct demo` leave them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from xct.errors import XctError
from xct.result.checksum import result_checksum
from xct.study.cells import Cell

SETTINGS = "simulation.yaml"  # in every folder of `xct simulate`


@dataclass(frozen=True)
class Folder:
    """What `xct simulate` wrote of a result.

    Attributes
    ----------
    path : Path
        Its folder.
    kind : {"slice", "block", "ideal"}
        What was simulated.
    result : Path or None
        Of which result, as it lay then.
    flat : bool
        Whether the lithium's face was flat.
    summary : mapping
        Numbers of its cases.
    """

    path: Path
    kind: str
    result: Path | None
    flat: bool
    summary: dict[str, Any]

    @property
    def checksum(self) -> str | None:
        """Checksum of the result that it is of; None where an earlier xct wrote it."""
        return self.summary.get("result_checksum")

    @property
    def cases(self) -> list[str]:
        """Names of its cases."""
        return [str(case["name"]) for case in self.summary["cases"]]


def open_simulation(path: Path) -> Folder:
    """Read what a simulation was of.

    Raises
    ------
    XctError
        If it is missing or damaged.
    """
    try:
        settings = yaml.safe_load((path / SETTINGS).read_text(encoding="utf-8"))["simulate"]
        summary = json.loads((path / "summary.json").read_text(encoding="utf-8"))
        kind = next(name for name in ("slice", "block", "ideal") if settings.get(name) is not None)
        part = settings[kind]
        result = None if kind == "ideal" else Path(str(part["result"]))
        found = Folder(path, kind, result, part.get("lithium") == "flat", summary)
        _ = found.cases, found.checksum
    except (
        OSError, ValueError, TypeError, KeyError, AttributeError, StopIteration, yaml.YAMLError
    ):  # fmt: skip
        raise XctError(
            f"{path}: holds no simulation, or a damaged one; run `xct simulate` again"
        ) from None
    return found


def simulations_of(cell: Cell, named: list[str] | None) -> tuple[list[Folder], list[str]]:
    """List the simulations of a cell.

    Parameters
    ----------
    cell : Cell
        The cell.
    named : list of str or None
        Folders that the study names; None: those that lie with the result.

    Returns
    -------
    folders : list of Folder
        In the order in which they were named, or of their names.
    warnings : list of str
        What was left out, or is of another state of the result.

    Raises
    ------
    XctError
        If a folder that was named holds no simulation of a plane or a block.
    """
    beside = named is None
    folders = (
        list(_beside(cell.result.path))
        if named is None
        else [open_simulation(Path(name)) for name in named]
    )
    for folder in [] if beside else folders:
        if folder.kind == "ideal":
            raise XctError(
                f"{folder.path}: holds no simulation of a plane or a block of {cell.name}; `xct "
                "simulate` writes one where its configuration has slice: {result: …}, or block"
            )
    known = any(folder.checksum is not None for folder in folders)
    now = result_checksum(cell.result.path) if known else None
    found, warnings = [], []
    for folder in folders:
        here = folder.result is not None and _same(folder.result, cell.result.path)
        if folder.checksum == now if folder.checksum is not None else here or not beside:
            found.append(folder)
        elif not beside:
            found.append(folder)
            warnings.append(f"{folder.path}: {_why(cell, folder, here=here)}")
        elif here:
            warnings.append(f"{folder.path}: {_why(cell, folder, here=here)}: left out")
    return found, warnings


def _why(cell: Cell, folder: Folder, *, here: bool) -> str:
    if here:
        return f"{cell.name} was measured anew since it was simulated; run `xct simulate` again"
    return f"is a simulation of {folder.result}, not of the result of {cell.name}"


def _beside(result: Path) -> Iterator[Folder]:
    """Give what lies with a result and can be read; what was not written whole is none."""
    result = result.resolve()
    places = dict.fromkeys((result, result.parent, result.parent.parent))
    for settings in sorted({file for place in places for file in place.glob(f"*/{SETTINGS}")}):
        try:
            yield open_simulation(settings.parent)
        except XctError:
            continue


def _same(one: Path, other: Path) -> bool:
    try:
        return one.resolve() == other.resolve()
    except OSError:
        return False
