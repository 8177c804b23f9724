"""Finite elements on an ideal cell, or on a result. In: settings; out: what was found."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from xct.errors import XctError
from xct.quantity import Number
from xct.result import open_result
from xct.result.checksum import result_checksum
from xct.simulate.block.block import solve_block
from xct.simulate.block.found import BlockFound
from xct.simulate.case import Solved, numbers_of, solve_case, tip_intensity, warnings_of
from xct.simulate.geometry.dead import dead_particles
from xct.simulate.geometry.domain import Domain
from xct.simulate.geometry.ideal import Deposit, IdealCell, ideal_domain, inactive_particles
from xct.simulate.geometry.plane import read_plane
from xct.simulate.settings import CaseSection, Settings, SimulateSection, load_settings

log = logging.getLogger("xct")

_OF_A_VOXEL = 1.5  # longest side of a triangle: its legs are as long as a voxel
_COARSER = 2.0  # the mesh that a number's uncertainty is found on


@dataclass(frozen=True)
class Case:
    """One case.

    Attributes
    ----------
    name : str
        Its name.
    solved : Solved
        Fields on the finer mesh.
    numbers : mapping of str to Number
        Their uncertainty is that of the mesh: what a mesh half as fine differs by.
    warnings : list of str
        What must be known of it.
    """

    name: str
    solved: Solved
    numbers: Mapping[str, Number]
    warnings: list[str]


@dataclass(frozen=True)
class Simulation:
    """What was found.

    Attributes
    ----------
    settings : Settings
        With every default.
    cases : list of Case
        In the order of the settings.
    blocks : list of BlockFound
        The same in three dimensions.
    seconds : float
        How long it took.
    result_checksum : str, optional
        Of what was measured in the result that it is of; None of an ideal cell.
    """

    settings: Settings
    cases: list[Case]
    blocks: list[BlockFound] = field(default_factory=list)
    seconds: float = 0.0
    result_checksum: str | None = None

    @property
    def all_cases(self) -> list[Case | BlockFound]:
        """Cases of planes, and of blocks."""
        return [*self.cases, *self.blocks]

    @property
    def summary(self) -> dict[str, Any]:
        """Give every number of every case, as in ``summary.json``."""
        found: list[dict[str, Any]] = [
            {
                "name": case.name,
                **{name: number.entry() for name, number in case.numbers.items()},
                "warnings": case.warnings,
            }
            for case in self.all_cases
        ]
        made_of = {} if self.result_checksum is None else {"result_checksum": self.result_checksum}
        return {"title": self.settings.simulate.title, **made_of, "cases": found}

    def write(self, folder: Path | str) -> Path:
        """Write numbers, tables, fields and figures; give the folder."""
        from xct.simulate.output.files import write_simulation

        write_simulation(self, Path(folder))
        return Path(folder)


def simulate(
    source: Path | str | Mapping[str, Any], *, out: Path | str | None = None
) -> Simulation:
    """Solve for current, plated lithium and stress.

    Parameters
    ----------
    source : path or mapping
        A simulation in YAML (docs/simulate.md), or the same as a mapping.
    out : path, optional
        Folder to write; that of the settings unless given, and none where neither is.

    Raises
    ------
    XctError
        If the settings are wrong, or the cell carries no current.
    """
    started = time.monotonic()
    settings = load_settings(source)
    wanted = settings.simulate
    folder = out if out is not None else settings.output
    if folder is not None and Path(folder).exists() and not Path(folder).is_dir():
        raise XctError(f"output: {folder} is a file; name a folder")
    cases, blocks = [], []
    for case in wanted.cases:
        log.info("%s …", case.name)
        try:
            if wanted.block is not None:
                blocks.append(solve_block(case, wanted))
            else:
                cases.append(_solve(case, wanted))
        except XctError as error:
            raise XctError(*(f"case {case.name!r}: {text}" for text in error.errors)) from None
    found = Simulation(settings, cases, blocks, time.monotonic() - started, _made_of(wanted))
    if folder is not None:
        found.write(folder)
    return found


def _made_of(wanted: SimulateSection) -> str | None:
    """Give the checksum of the result that is simulated, by which a study knows whose it is."""
    part = wanted.slice or wanted.block
    return None if part is None else result_checksum(Path(part.result))


def _solve(case: CaseSection, wanted: SimulateSection) -> Case:
    domain, inactive, notes = _geometry(case, wanted)
    fine = mesh_sizes(wanted, domain)
    solved = solve_case(domain, inactive, wanted, *fine)
    alike = _of_one_order(wanted, solved)
    coarse = solve_case(domain, inactive, alike, *(_COARSER * size for size in fine))
    values = numbers_of(solved, wanted), numbers_of(coarse, wanted)
    if case.deposit is not None and wanted.mechanics is not None:
        for each, one in zip(values, (solved, coarse), strict=True):
            shape = case.deposit.half_width_um, case.deposit.height_um
            each["tip_stress_intensity_mpa_m05"] = Number(tip_intensity(one, *shape), "MPa √m")
    numbers = {
        name: replace(number, sd=_difference(number, values[1].get(name, number)))
        for name, number in values[0].items()
    }
    mesh, circuit = solved.conduction.circuit.mesh, solved.conduction.circuit
    counts = {
        "nodes": len(mesh.points),
        "islands": circuit.islands,
        "particles": len(domain.centers_um),
        "inactive_particles": len(solved.inactive & domain.centers_um.keys()),
    }
    numbers |= {name: Number(count) for name, count in counts.items()}
    numbers |= _changed_areas(solved)
    return Case(case.name, solved, numbers, [*notes, *warnings_of(solved, wanted)])


def _of_one_order(wanted: SimulateSection, solved: Solved) -> SimulateSection:
    """Let a coarser mesh have displacements of the order that the finer one has."""
    if wanted.mechanics is None or solved.stress is None:
        return wanted
    order = {"order": solved.stress.elasticity.body.order}
    return wanted.model_copy(update={"mechanics": wanted.mechanics.model_copy(update=order)})


def _difference(one: Number, other: Number) -> float | None:
    """Give what two meshes differ by; None where a number is the same on any mesh."""
    found = abs(one.value - other.value)
    return float(found) if found > 1e-9 * abs(one.value) else None


def _changed_areas(solved: Solved) -> dict[str, Number]:
    """Give by how much smooth boundaries changed the area of labelled materials."""
    mesh = solved.conduction.circuit.mesh
    found: dict[str, Number] = {}
    for material, labelled in solved.domain.labelled_um2.items():
        if labelled:
            area = mesh.area_um2[mesh.material == material].sum()
            change = float(area / labelled - 1)
            found[f"area_change.{material.name.lower()}"] = Number(change)
    return found


def mesh_sizes(wanted: SimulateSection, domain: Domain) -> tuple[float, float]:
    """Choose the longest side of triangles at boundaries, and anywhere."""
    boundary = wanted.mesh.boundary_um
    if boundary is None:
        boundary = 1.0 if domain.frame is None else _OF_A_VOXEL * domain.voxel_um
    coarsest = wanted.mesh.coarsest_um
    return boundary, max(boundary, 8 * boundary if coarsest is None else coarsest)


def _geometry(
    case: CaseSection, wanted: SimulateSection
) -> tuple[Domain, frozenset[int], list[str]]:
    if wanted.slice is not None:
        by_density = wanted.electrolyte.density_exponent is not None
        domain = read_plane(wanted.slice, density=by_density)
        if case.dead is None:
            return domain, frozenset(), []
        dead, notes = dead_particles(open_result(wanted.slice.result), case.dead)
        if not dead & domain.centers_um.keys():
            notes.append(f"none of the {len(dead)} dead particles lies in this plane")
        return domain, dead, notes
    given = wanted.ideal.model_dump() if wanted.ideal is not None else {}
    cell = IdealCell(**given)
    deposit = None
    if case.deposit is not None:
        center = case.deposit.center_um
        deposit = Deposit(
            case.deposit.height_um,
            case.deposit.half_width_um,
            cell.width_um / 2 if center is None else center,
        )
    return ideal_domain(cell, deposit), inactive_particles(cell, case.inactive), []
