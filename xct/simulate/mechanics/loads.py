"""What deforms a cell. In: a mesh, plated lithium, a change of the particles; out: stress.

The body is electrolyte and particles (and lithium, where it swells). Its sides slide without
friction, its lower end rests on the collector, its upper end is the lithium's face. Stress is that
of the change since the current began, on top of what was there before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xct.physics.lithium import FARADAY_C_MOL
from xct.simulate.electric.conduction import Circuit
from xct.simulate.geometry.domain import Material
from xct.simulate.mechanics.elasticity import Body, Elasticity, Loads, Moduli, deform
from xct.simulate.mesh.mesh import Mesh, pieces
from xct.simulate.plating import C_M2_PER_UAH_CM2, Face

if TYPE_CHECKING:
    from xct.simulate.settings import MechanicsSection

_MOST_QUADRATIC = 40_000  # nodes: above, factors of quadratic elements take minutes and GiB
BEYOND = 0.01  # of the electrolyte: where more is beyond its strength, that is said


def beyond_strength(strength_mpa: float, fraction: float) -> str:
    """Say that stress leaves the range of linear elasticity."""
    return (
        f"stress exceeds {strength_mpa:g} MPa in {fraction:.0%} of the electrolyte: there it would "
        "crack or flow, and linear elasticity gives too much; a smaller mechanics.charge_uah_cm2 "
        "stays within its range"
    )


@dataclass(frozen=True)
class Stress:
    """Stress of a cell.

    Attributes
    ----------
    elasticity : Elasticity
        Displacement and stress of the body.
    triangles : ndarray of int
        Which triangles of the whole mesh are the body's.
    nodes : ndarray of int
        Which nodes of it.
    loose_fraction : float
        Part of the solid that hangs on nothing, left out.
    """

    elasticity: Elasticity
    triangles: np.ndarray
    nodes: np.ndarray
    loose_fraction: float


def stress_of(
    found: Circuit, face: Face, charge_uah_cm2: float, inactive: frozenset[int],
    wanted: MechanicsSection,
) -> Stress:  # fmt: skip
    """Solve for the stress of plated lithium and of particles that gave lithium up.

    Parameters
    ----------
    found : Circuit
        Mesh, and the face of the lithium.
    face : Face
        What was plated, on the edges of that face.
    charge_uah_cm2 : float
        Charge passed; it is taken evenly from all active particles.
    inactive : frozenset of int
        Particles that keep their lithium.
    wanted : MechanicsSection
        Moduli and what gives way.
    """
    whole = found.mesh
    solid = [Material.ELECTROLYTE, Material.PARTICLE]
    if wanted.lithium == "eigenstrain":
        solid.append(Material.LITHIUM)
    chosen, loose = _held_together(whole, np.isin(whole.material, solid))
    nodes, body = _body(whole, chosen, wanted)
    strain = _eigenstrain(whole, chosen, charge_uah_cm2, inactive, wanted)
    fixed = _rollers(body, whole)
    if wanted.lithium == "eigenstrain":
        strain += _swelling(whole, chosen, face)
        upper, given = _upper_end(body, whole, nodes), np.zeros(body.basis.N)
    else:
        upper, given = _pushed(body, *_on_body(nodes, found.lithium.facets, face.thickness_um))
    lifted = None
    if wanted.stack == "pressure":
        lifted = np.where(upper & (body.dof_axis == 1), 1.0, 0.0)
    force = -wanted.stack_pressure_mpa * np.ptp(whole.points[:, 0])  # MPa µm = N/m
    given = np.where(fixed, 0.0, given)
    elasticity = deform(body, Loads(strain, fixed | upper, given, lifted, force))
    return Stress(elasticity, chosen, nodes, loose)


def _held_together(mesh: Mesh, solid: np.ndarray) -> tuple[np.ndarray, float]:
    """Choose the largest piece of what is solid; give the part that hangs on nothing."""
    count, piece = pieces(mesh, solid)
    area = np.bincount(piece[solid], mesh.area_um2[solid], minlength=count)
    kept = solid & (piece == area.argmax())
    return np.flatnonzero(kept), float(1 - mesh.area_um2[kept].sum() / mesh.area_um2[solid].sum())


def _body(whole: Mesh, chosen: np.ndarray, wanted: MechanicsSection) -> tuple[np.ndarray, Body]:
    """Give the nodes of the body in the whole mesh, ascending, and the body."""
    nodes, triangles = np.unique(whole.triangles[chosen], return_inverse=True)
    material = whole.material[chosen]
    mesh = Mesh(whole.points[nodes], triangles.reshape(-1, 3), material, whole.particle[chosen])
    kinds = {
        Material.ELECTROLYTE: wanted.electrolyte,
        Material.PARTICLE: wanted.particle,
        Material.LITHIUM: wanted.lithium_metal,
    }
    young, poisson = np.zeros(len(chosen)), np.zeros(len(chosen))
    for code, kind in kinds.items():
        young[material == code], poisson[material == code] = kind.young_gpa, kind.poisson
    order = wanted.order
    if order == "auto":
        order = 2 if len(nodes) <= _MOST_QUADRATIC else 1
    return nodes, Body(mesh, Moduli(young, poisson), order)


def content_change(
    charge_uah_cm2: float, area_m2: float, volume_m3: float, full_mol_m3: float
) -> float:
    """Give the part of its lithium that an active particle loses, if all lose as much.

    Parameters
    ----------
    charge_uah_cm2 : float
        Charge passed, over the area.
    area_m2, volume_m3 : float
        Area of the cell, and volume of its active particles; of a plane both per metre of depth.
    full_mol_m3 : float
        Lithium of a full particle.
    """
    charge = charge_uah_cm2 * C_M2_PER_UAH_CM2 * area_m2
    return charge / (FARADAY_C_MOL * full_mol_m3 * volume_m3)


def shrinking(change: float, volume_change: float) -> float:
    """Give the linear strain of a particle that lost a part of its lithium."""
    return float((max(1 - volume_change * change, 1e-3)) ** (1 / 3) - 1)


def _eigenstrain(
    whole: Mesh, chosen: np.ndarray, charge_uah_cm2: float, inactive: frozenset[int],
    wanted: MechanicsSection,
) -> np.ndarray:  # fmt: skip
    active = (whole.material == Material.PARTICLE) & ~np.isin(whole.particle, sorted(inactive))
    width, area = np.ptp(whole.points[:, 0]) * 1e-6, whole.area_um2[active].sum() * 1e-12
    change = content_change(charge_uah_cm2, width, area, wanted.lithium_mol_m3)
    strain = np.zeros((len(chosen), 4))
    strain[active[chosen], :3] = shrinking(change, wanted.volume_change)
    return strain


def _swelling(whole: Mesh, chosen: np.ndarray, face: Face) -> np.ndarray:
    """Spread what was plated over the lithium above it, as strain along the height."""
    lithium = whole.material[chosen] == Material.LITHIUM
    order = np.argsort(face.middle_um[:, 0])
    across, thickness = face.middle_um[order, 0], face.thickness_um[order]
    x = whole.center_um[chosen, 0]
    depth = whole.points[:, 1].max() - np.interp(x, across, face.middle_um[order, 1])
    swelling = np.interp(x, across, thickness) / np.maximum(depth, 1e-6)
    strain = np.zeros((len(chosen), 4))
    strain[lithium, 1] = swelling[lithium]
    return strain


def _rollers(body: Body, whole: Mesh) -> np.ndarray:
    """Mark what the sides hold across, and the lower end along the height."""
    places, axis = body.dof_um, body.dof_axis
    low, high = whole.points.min(axis=0), whole.points.max(axis=0)
    near = 1e-9 * (high - low).max()
    at_side = (places[:, 0] <= low[0] + near) | (places[:, 0] >= high[0] - near)
    at_end = places[:, 1] <= low[1] + near
    return np.asarray((at_side & (axis == 0)) | (at_end & (axis == 1)))


def _upper_end(body: Body, whole: Mesh, nodes: np.ndarray) -> np.ndarray:
    """Mark the upper end of lithium that swells, along the height: at steel, or at the top."""
    at_steel = np.zeros(len(whole.points), bool)
    at_steel[whole.triangles[whole.material == Material.STEEL]] = True
    at_steel |= whole.points[:, 1] >= whole.points[:, 1].max() * (1 - 1e-9)
    facets = body.mesh.facets
    outer = facets.nodes[(facets.sides < 0).any(axis=1)]
    upper = outer[at_steel[nodes[outer]].all(axis=1)]
    return np.asarray(body.dofs_of_facets(upper) & (body.dof_axis == 1))


def _on_body(
    nodes: np.ndarray, facets: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Give edges of the whole mesh by the nodes of the body; others are left out."""
    at = np.minimum(np.searchsorted(nodes, facets), len(nodes) - 1)
    kept = (nodes[at] == facets).all(axis=1)
    return np.asarray(at[kept]), values[kept]


def _pushed(
    body: Body, facets: np.ndarray, thickness_um: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Give the displacement of a face by plated lithium: along its normal, into the body.

    Returns
    -------
    upper : ndarray of bool, shape (dof,)
        What is on the face.
    displacement_um : ndarray, shape (dof,)
        By how much it is pushed; 0 elsewhere.
    """
    points = body.mesh.points
    along = points[facets[:, 1]] - points[facets[:, 0]]
    normal = np.stack([-along[:, 1], along[:, 0]], axis=1)  # as long as the edge
    inner = body.mesh.center_um[_triangle_at(body.mesh, facets)]
    outward = ((inner - points[facets[:, 0]]) * normal).sum(axis=1) < 0
    normal[outward] *= -1
    total = np.zeros((len(points), 2))
    weight, growth = np.zeros(len(points)), np.zeros(len(points))
    length = np.linalg.norm(along, axis=1)
    for end in (0, 1):
        np.add.at(total, facets[:, end], normal)
        np.add.at(weight, facets[:, end], length)
        np.add.at(growth, facets[:, end], length * thickness_um)
    used = weight > 0
    moved = np.zeros((len(points), 2))
    direction = total[used] / np.linalg.norm(total[used], axis=1, keepdims=True)
    moved[used] = direction * (growth[used] / weight[used])[:, None]
    return _as_dofs(body, facets, moved)


def _as_dofs(body: Body, facets: np.ndarray, moved: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Turn displacements of nodes into those of degrees of freedom; linear along each edge."""
    dofs = body.basis.dofs
    given = np.zeros(body.basis.N)
    given[dofs.nodal_dofs] = moved.T
    if body.order == 2:
        given[dofs.facet_dofs] = moved[body.basis.mesh.facets].mean(axis=0).T
    upper = body.dofs_of_facets(facets)
    return upper, np.where(upper, given, 0.0)


def _triangle_at(mesh: Mesh, facets: np.ndarray) -> np.ndarray:
    """Give the triangle at each edge of a boundary."""
    known, size = mesh.facets, np.int64(len(mesh.points))
    keys = known.nodes[:, 0] * size + known.nodes[:, 1]
    wanted = np.sort(facets, axis=1).astype(np.int64)
    return np.asarray(
        known.sides[np.searchsorted(keys, wanted[:, 0] * size + wanted[:, 1])].max(axis=1)
    )
