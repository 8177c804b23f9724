"""The cells of a study, opened and found comparable. In: a study; out: cells, or every error."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from xct.errors import XctError
from xct.geometry import CellGeometry, Surface
from xct.result import Result, open_result
from xct.study.settings import Study, StudyCell

if TYPE_CHECKING:
    from pandas import DataFrame

_SAME = 1e-3  # relative: pixel sizes and energies that differ by less are alike


@dataclass(frozen=True)
class Cell:
    """A cell of a study.

    Attributes
    ----------
    name, group : str
        As in figures and tables.
    cycles : int or None
        Cycles before the scan; None where nobody says.
    result : Result
        What was measured.
    is_pristine : bool
        Whether the others of its group are compared with it.
    pristine : Cell or None
        The cell that this one is compared with; None for itself, and where there is none.
    """

    name: str
    group: str
    cycles: int | None
    result: Result
    is_pristine: bool = False
    pristine: Cell | None = field(default=None, repr=False)

    @cached_property
    def numbers(self) -> dict[str, Mapping[str, Any]]:
        """Entries of summary.json that have a value."""
        entries = self.result.summary.items()
        return {k: v for k, v in entries if isinstance(v, Mapping) and "value" in v}

    @cached_property
    def geometry(self) -> CellGeometry | None:
        """Where the cell lies in the volume; None where it was not found."""
        return self.result.cell if (self.result.path / "cell.json").is_file() else None

    @cached_property
    def surfaces(self) -> dict[str, Surface]:
        """Height maps by name; none where none were measured."""
        there = (self.result.path / "surfaces.zarr").exists()
        return self.result.surfaces if there else {}

    @cached_property
    def grey_values(self) -> Any:
        """Normalized grey values, computed when they are read; (z, y, x)."""
        return self.result.quantity("normalized")

    @cached_property
    def energy_kev(self) -> float | None:
        """Photon energy; None where the result does not say."""
        account = self.result.account
        configuration = account["configuration"]
        sections = (configuration.get("scan"), configuration.get("volume"), account.get("input"))
        known = [s["energy_kev"] for s in sections if s and s.get("energy_kev") is not None]
        return float(known[0]) if known else None

    def table(self, name: str) -> DataFrame | None:
        """Give a table of the result; None where it was not made."""
        return self.result.tables.get(name)

    def why_absent(self, name: str) -> str:
        """Say why a number is not there, in the words of the run's warnings."""
        for warning in self.result.warnings:
            if name in warning.get("withheld", []):
                return str(warning.get("cause") or warning["message"])
        return "not measured"


def open_cells(study: Study) -> tuple[list[Cell], list[str]]:
    """Open the results of a study and check that they can be compared.

    Returns
    -------
    cells : list of Cell
        In the order of the study.
    warnings : list of str
        What should be known, but does not stop the comparison.

    Raises
    ------
    XctError
        With every error at once: results that are missing, damaged or unfinished, other pixel
        sizes or energies, names or pristine cells that stand twice, a displacement of different
        cells.
    """
    cells, entries, errors = [], [], []
    for number, entry in enumerate(study.study.cells):
        place = study.place("study", "cells", number)
        try:
            cells.append(_opened(entry))
            entries.append(entry)
        except XctError as error:
            errors += [f"{place}: {text}" for text in error.errors]
    errors += [*_same_names(cells), *_other_scale(cells), *_bad_displacement(study, cells)]
    named, warnings, more = _with_pristine(cells, entries)
    if errors + more:
        raise XctError(*errors, *more)
    return named, [*_unknown_energy(named), *warnings]


def _opened(entry: StudyCell) -> Cell:
    path = Path(entry.result)
    result = open_result(path)
    try:
        summary, account = result.summary, result.account
        listed = summary["warnings"]
        says = account["configuration"].get("cell") or {}
    except FileNotFoundError as error:
        raise XctError(f"{path}: is damaged: {error.filename} is missing; run it again") from None
    except (json.JSONDecodeError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise XctError(
            f"{path}: is damaged: summary.json or run.yaml cannot be read ({error}); run it again"
        ) from None
    if not isinstance(listed, list):
        raise XctError(f"{path}: is damaged: summary.json lists no warnings; run it again")
    if not (path / "volume.zarr" / "zarr.json").is_file():
        raise XctError(f"{path}: is damaged: volume.zarr is missing; run it again")
    if "voxel_size_um" not in summary:
        raise XctError(
            f"{path}: does not state its voxel size, so nothing can be compared with it; give "
            "scan.pixel_size_um and run it again"
        )
    cycles = entry.cycles if entry.cycles is not None else says.get("cycles")
    return Cell(
        name=entry.name or says.get("name") or path.parent.name,
        group=entry.group or says.get("group") or "all cells",
        cycles=cycles,
        result=result,
    )


def _same_names(cells: Sequence[Cell]) -> Iterator[str]:
    names = [cell.name for cell in cells]
    for name in sorted({name for name in names if names.count(name) > 1}):
        paths = ", ".join(str(cell.result.path) for cell in cells if cell.name == name)
        yield f"several cells are called {name!r} ({paths}); give each its own name in the study"


def _other_scale(cells: Sequence[Cell]) -> Iterator[str]:
    """Refuse what was measured otherwise: blur, noise and μ depend on pixel size and energy."""
    for what, unit, of, remedy in (
        (
            "voxels", "µm", lambda cell: float(cell.result.summary["voxel_size_um"]["value"]),
            "reconstruct both with voxels of one size (scan.bin)",
        ),
        (
            "a photon energy", "keV", lambda cell: cell.energy_kev,
            "compare cells that were scanned at one energy",
        ),
    ):  # fmt: skip
        known = [(cell, of(cell)) for cell in cells if of(cell) is not None]
        for cell, value in known[1:]:
            first, expected = known[0]
            if abs(value / expected - 1) > _SAME:
                yield (
                    f"{cell.name} has {what} of {value:g} {unit}, {first.name} of {expected:g} "
                    f"{unit}: blur, noise and grey values would differ for that alone; {remedy}"
                )


def _unknown_energy(cells: Sequence[Cell]) -> Iterator[str]:
    unknown = [cell.name for cell in cells if cell.energy_kev is None]
    if unknown and len(cells) > 1:
        yield (
            f"{', '.join(unknown)}: the result does not state its photon energy, so that all were "
            "measured at one is taken for granted; give scan.energy_kev and run it again"
        )


def _bad_displacement(study: Study, cells: Sequence[Cell]) -> Iterator[str]:
    groups = sorted({cell.group for cell in cells})
    if study.study.same_cell and len(groups) > 1:
        yield (
            f"{study.place('study', 'same_cell')}: study.same_cell: the results belong to "
            f"{len(groups)} groups ({', '.join(groups)}), so they are not one cell; compare each "
            "cell's states in a study of their own"
        )
    if study.study.displacement and not study.study.same_cell:
        yield (
            f"{study.place('study', 'displacement')}: study.displacement: is defined for one cell "
            "in several states only: between different cells, heights differ by how these were "
            "built; compare thickness and roughness, or set same_cell: true if it is one cell"
        )


def _with_pristine(
    cells: Sequence[Cell], entries: Sequence[StudyCell]
) -> tuple[list[Cell], list[str], list[str]]:
    """Find the pristine cell of each group: the one that is said to be, else that of 0 cycles."""
    found: dict[str, Cell] = {}
    warnings, errors = [], []
    for group in dict.fromkeys(cell.group for cell in cells):
        pairs = [(c, e) for c, e in zip(cells, entries, strict=True) if c.group == group]
        said = [cell for cell, entry in pairs if entry.pristine]
        fresh = [c for c, entry in pairs if c.cycles == 0 and entry.pristine is None]
        candidates = said or fresh
        if len(candidates) > 1:
            names = ", ".join(cell.name for cell in candidates)
            errors.append(
                f"group {group} has {len(candidates)} pristine cells: {names}; mark one with "
                "pristine: true and the others with pristine: false"
            )
        elif candidates:
            found[group] = replace(candidates[0], is_pristine=True)
        else:
            warnings.append(
                f"group {group} has no pristine cell, so nothing in it is compared with one "
                "(changes, shifts, distances are left out); mark one with pristine: true"
            )
    named = []
    for cell in cells:
        before = found.get(cell.group)
        itself = before is not None and before.result.path == cell.result.path
        named.append(before if itself and before else replace(cell, pristine=before))
    return named, warnings, errors
