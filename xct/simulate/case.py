"""One case, solved. In: a domain, which particles react, settings; out: fields and numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from xct.quantity import Number
from xct.simulate.electric.conduction import Conduction, circuit, conduct
from xct.simulate.electric.kinetics import Kinetics
from xct.simulate.geometry.domain import Domain, Material
from xct.simulate.mechanics.elasticity import notch_intensity, principal
from xct.simulate.mechanics.loads import BEYOND, Stress, beyond_strength, stress_of
from xct.simulate.mesh.building import build_mesh, fit_mesh
from xct.simulate.mesh.mesh import Mesh
from xct.simulate.output.raster import Raster, raster
from xct.simulate.plating import (
    C_M2_PER_UAH_CM2,
    THICKNESS_UM_M2_C,
    Face,
    Plating,
    face_of,
    plate,
    variation,
)

if TYPE_CHECKING:
    from xct.simulate.settings import SimulateSection

Numbers = dict[str, Number]
_MOST_V = 1.0
_CHANGED = 0.02  # of a plane: areas that differ by more from those of the labels are said
_MOST_PIXELS = 1500  # along an edge of a picture of a field
_Named = Iterator[tuple[str, Number]]


@dataclass(frozen=True)
class Solved:
    """A case on one mesh.

    Attributes
    ----------
    domain : Domain
        What was meshed.
    inactive : frozenset of int
        Particles without reaction.
    conduction : Conduction
        Potential and current.
    face : Face
        The lithium's face at the start; nothing is plated.
    plating : Plating or None
        Plating over time.
    stress : Stress or None
        Displacement and stress.
    """

    domain: Domain
    inactive: frozenset[int]
    conduction: Conduction
    face: Face
    plating: Plating | None
    stress: Stress | None

    @cached_property
    def raster(self) -> Raster:
        """Pixels of pictures: as fine as the mesh at boundaries, as far as that is shown."""
        mesh = self.conduction.circuit.mesh
        ends = mesh.points[mesh.facets.nodes]
        shortest = np.percentile(np.linalg.norm(np.diff(ends, axis=1)[:, 0], axis=1), 25)
        return raster(mesh, max(float(shortest) / 2, float(mesh.points.max()) / _MOST_PIXELS))


def solve_case(
    domain: Domain, inactive: frozenset[int], wanted: SimulateSection, boundary_um: float,
    coarsest_um: float,
) -> Solved:  # fmt: skip
    """Mesh a domain, and solve for what is asked for."""
    current = wanted.current_density_a_m2

    def conduction_of(one: Domain, mesh: Mesh | None = None) -> Conduction:
        mesh = build_mesh(one, boundary_um, coarsest_um) if mesh is None else mesh
        kappa = np.full(len(mesh.triangles), wanted.electrolyte.conductivity_s_m)
        if wanted.electrolyte.composite_s_m is not None:
            below = mesh.center_um[:, 1] < one.composite_um
            kappa[below] = wanted.electrolyte.composite_s_m
        exponent = wanted.electrolyte.density_exponent
        if exponent is not None and one.density is not None:
            kappa *= one.density(mesh.center_um) ** exponent
        total = current * one.width_um * 1e-6
        return conduct(circuit(mesh, inactive), kappa, total, _kinetics(wanted))

    domain, first_mesh = fit_mesh(domain, boundary_um, coarsest_um)
    found = conduction_of(domain, first_mesh)
    dead = inactive | found.circuit.shorted
    face, plating, stress = face_of(found), None, None
    if wanted.plating is not None:
        first = iter([found])  # the first step is the case itself
        plating = plate(
            domain, wanted.plating.charge_uah_cm2, wanted.plating.steps, current,
            lambda one: next(first, None) or conduction_of(one),
        )  # fmt: skip
    if wanted.mechanics is not None:
        charge = wanted.mechanics.charge_uah_cm2
        each = charge * C_M2_PER_UAH_CM2 / current * THICKNESS_UM_M2_C
        plated = replace(face, thickness_um=np.maximum(face.density_a_m2, 0) * each)
        stress = stress_of(found.circuit, plated, charge, dead, wanted.mechanics)
    return Solved(domain, dead, found, face, plating, stress)


def _kinetics(wanted: SimulateSection) -> Kinetics | None:
    given = wanted.kinetics
    if given is None:
        return None
    return Kinetics(given.exchange_current_a_m2, given.law, given.transfer, given.temperature_k)


def numbers_of(solved: Solved, wanted: SimulateSection) -> Numbers:
    """Give what is known of a solved case, by name."""
    found: Numbers = {}
    for part in (_electric(solved, wanted), _plated(solved, wanted), _stressed(solved, wanted)):
        found |= dict(part)
    return found


def _electric(solved: Solved, wanted: SimulateSection) -> _Named:
    face, conduction = solved.face, solved.conduction
    density, mean = face.density_a_m2, wanted.current_density_a_m2
    nodes = conduction.node_lithium_a_m2
    yield "potential_drop_mv", Number(1e3 * conduction.cathode_v, "mV")
    yield (
        "lithium_current_a_m2.mean",
        Number(float(np.average(density, weights=face.length_um)), "A/m²"),
    )
    yield "lithium_current_a_m2.min", Number(float(np.nanmin(nodes)) + 0.0, "A/m²")
    yield "lithium_current_a_m2.max", Number(float(np.nanmax(nodes)), "A/m²")
    yield "lithium_current_variation", Number(variation(density, face.length_um), "1")
    yield "focusing_max", Number(float(np.nanmax(nodes)) / mean, "1")
    yield "island_fraction", Number(conduction.circuit.island_fraction, "1")


def _plated(solved: Solved, wanted: SimulateSection) -> _Named:
    plating = solved.plating
    if plating is None or not plating.faces:
        return
    last, charge = plating.faces[-1], float(plating.charge_uah_cm2[-1])
    even = charge * C_M2_PER_UAH_CM2 * THICKNESS_UM_M2_C
    yield "plated_uah_cm2", Number(charge, "µAh/cm²")
    yield "plated_thickness_um.even", Number(even, "µm")
    yield "plated_thickness_um.min", Number(float(last.thickness_um.min()), "µm")
    yield "plated_thickness_um.max", Number(float(last.thickness_um.max()), "µm")
    yield "plated_thickness_variation", Number(last.variation, "1")


def _stressed(solved: Solved, wanted: SimulateSection) -> _Named:
    stress, settings = solved.stress, wanted.mechanics
    if stress is None or settings is None:
        return
    body = stress.elasticity.body.mesh
    electrolyte = body.material == Material.ELECTROLYTE
    values = stress.elasticity.von_mises_mpa[electrolyte]
    area = np.repeat(body.area_um2[electrolyte] / 3, 3)
    order = np.argsort(values.ravel())
    part = np.cumsum(area[order]) / area.sum()
    largest = principal(stress.elasticity.node_stress_mpa[electrolyte])
    beyond = float(area[values.ravel() > settings.strength_mpa].sum() / area.sum())
    yield "von_mises_mpa.max", Number(float(values.max()), "MPa")
    yield (
        "von_mises_mpa.p99",
        Number(float(values.ravel()[order][np.searchsorted(part, 0.99)]), "MPa"),
    )
    yield "principal_stress_mpa.max", Number(float(largest.max()), "MPa")
    yield "beyond_strength_fraction", Number(beyond, "1")
    yield "stack_growth_um", Number(stress.elasticity.lift_um, "µm")


def warnings_of(solved: Solved, wanted: SimulateSection) -> list[str]:
    """Say what must be known of a case."""
    found, circuit_ = list(solved.domain.notes), solved.conduction.circuit
    if circuit_.shorted:
        found.append(
            f"{len(circuit_.shorted)} active particles touch lithium in this plane: taken for "
            "inactive, as they would be a short circuit"
        )
    if circuit_.island_fraction > 0.05:
        found.append(
            f"{circuit_.island_fraction:.0%} of the electrolyte, {circuit_.islands} islands, "
            "reaches one electrode or none in this plane: left out"
        )
    found += changed_areas(solved) + too_much(solved.conduction.cathode_v)
    if solved.plating is not None and solved.plating.stopped:
        found.append(solved.plating.stopped)
    numbers = numbers_of(solved, wanted)
    if wanted.mechanics is not None and numbers["beyond_strength_fraction"].value > BEYOND:
        beyond = numbers["beyond_strength_fraction"].value
        found.append(beyond_strength(wanted.mechanics.strength_mpa, beyond))
    return found


def too_much(drop_v: float) -> list[str]:
    """Say that a drop is more than a cell can have: a unit may be wrong."""
    if abs(drop_v) <= _MOST_V:
        return []
    return [
        f"the electrolyte loses {drop_v:.3g} V, more than a cell has: current_density_a_m2 is in "
        "A/m² (1 mA/cm² is 10), conductivities are in S/m (1 mS/cm is 0.1)"
    ]


def changed_areas(solved: Solved) -> list[str]:
    """Say which materials of the labels a mesh shows with another area."""
    mesh, domain = solved.conduction.circuit.mesh, solved.domain
    found = []
    for material, labelled in domain.labelled_um2.items():
        change = mesh.area_um2[mesh.material == material].sum() - labelled
        if labelled and abs(change) > _CHANGED * mesh.area_um2.sum():
            found.append(
                f"the mesh has {change / labelled:+.0%} of the area that the labels give to "
                f"{material.name.lower()}, {change / mesh.area_um2.sum():+.1%} of the plane: its "
                "pieces are too small for these triangles; a smaller mesh.boundary_um shows them"
            )
    return found


def tip_intensity(solved: Solved, half_width_um: float, height_um: float) -> float:
    """Give the stress intensity at a deposit's tip, MPa √m; NaN where there is no stress."""
    if solved.stress is None:
        return float("nan")
    face = solved.face.middle_um
    tip = face[face[:, 1].argmin()]
    return notch_intensity(solved.stress.elasticity, tip, half_width_um**2 / height_um)
