"""Plated lithium and stress, against exact answers."""

import numpy as np
import pytest

from tests.simulate.exact import domain_of, slab, solved
from xct.simulate.geometry.domain import Material
from xct.simulate.geometry.ideal import Deposit, IdealCell, ideal_domain, inactive_particles
from xct.simulate.mechanics.elasticity import (
    Body,
    Loads,
    Moduli,
    deform,
    notch_intensity,
    principal,
    von_mises,
)
from xct.simulate.mechanics.loads import content_change, stress_of
from xct.simulate.mesh.building import build_mesh
from xct.simulate.mesh.mesh import Mesh
from xct.simulate.plating import THICKNESS_UM_M2_C, face_of, plate
from xct.simulate.settings import MechanicsSection

YOUNG, POISSON = 28.0, 0.27
LAME = 1000 * YOUNG * POISSON / ((1 + POISSON) * (1 - 2 * POISSON))
MU = 1000 * YOUNG / (2 * (1 + POISSON))


def test_a_milliampere_hour_is_almost_five_micrometers():
    assert 36_000 * THICKNESS_UM_M2_C == pytest.approx(4.85, abs=0.01)


def test_what_is_plated_is_what_the_charge_says_whatever_its_shape():
    """Lithium's area grows by Q V_m / F, evenly or about a deposit."""
    cell = IdealCell(width_um=150, height_um=150, lithium_um=130, columns=10, rows=2)
    for deposit in (None, Deposit(20, 12, 75)):
        dead = inactive_particles(cell, "center" if deposit is None else "sides")
        areas = []

        def solve(domain, areas=areas, dead=dead):
            found = solved(domain, boundary_um=1.5, inactive=dead)
            mesh = found.circuit.mesh
            areas.append(mesh.area_um2[mesh.material == Material.LITHIUM].sum())
            return found

        plated = plate(ideal_domain(cell, deposit), 900.0, 3, 100.0, solve)
        assert plated.charge_uah_cm2.tolist() == [300, 600, 900]
        grown = np.diff(areas) / (300 * 36 * THICKNESS_UM_M2_C * 150)
        assert np.allclose(grown, 1, atol=0.02 if deposit is None else 0.08)
        assert plated.faces[-1].variation > plated.faces[0].variation


def test_plating_ends_where_lithium_would_reach_a_particle():
    cell = IdealCell(width_um=90, columns=6, rows=2, height_um=60, lithium_um=32)
    plated = plate(ideal_domain(cell), 6000.0, 4, 100.0, lambda d: solved(d, boundary_um=2.0))
    assert "lithium would reach active particles" in plated.stopped
    assert len(plated.faces) < 4
    # Also in the last step, and in the only one: 24 µm do not fit into a gap of 4.5 µm.
    once = plate(ideal_domain(cell), 5000.0, 1, 100.0, lambda d: solved(d, boundary_um=4.0))
    assert once.faces == []
    assert "ended after 0 µAh/cm²: in the next step of 5e+03 lithium would" in once.stopped


def uniform(mesh, order=2):
    count = len(mesh.triangles)
    return Body(mesh, Moduli(np.full(count, YOUNG), np.full(count, POISSON)), order)


def with_hole(radius=5.0, width=200.0, size=1.0):
    level = lambda p: radius - np.hypot(*(p - width / 2).T)  # noqa: E731
    return solid_part(build_mesh(domain_of(width, width, [(Material.VOID, level)]), size, 20.0))


def solid_part(whole):
    kept = whole.material == Material.ELECTROLYTE
    nodes, triangles = np.unique(whole.triangles[kept], return_inverse=True)
    return Mesh(whole.points[nodes], triangles.reshape(-1, 3), whole.material[kept],
                whole.particle[kept])  # fmt: skip


def boundary(body):
    facets = body.mesh.facets
    return facets.nodes[(facets.sides < 0).any(axis=1)]


@pytest.mark.parametrize("order", [1, 2])
def test_a_linear_displacement_is_met_to_rounding(order):
    body = uniform(with_hole(), order)
    gradient = np.array([[1e-3, 2e-3], [-4e-4, 5e-4]])
    exact = (body.dof_um @ gradient.T)[np.arange(body.basis.N), body.dof_axis]
    fixed = body.dofs_of_facets(boundary(body))
    zero = np.zeros((len(body.mesh.triangles), 4))
    found = deform(body, Loads(zero, fixed, np.where(fixed, exact, 0.0)))
    assert np.abs(found.displacement_um - exact).max() < 1e-10 * np.abs(exact).max()
    xx, yy, shear = gradient[0, 0], gradient[1, 1], (gradient[0, 1] + gradient[1, 0]) / 2
    trace = LAME * (xx + yy)
    expected = [trace + 2 * MU * xx, trace + 2 * MU * yy, trace, 2 * MU * shear]
    assert np.abs(found.stress_mpa - expected).max() < 1e-8


def test_a_pressurized_hole_has_root_three_of_its_pressure():
    """Lamé's hole in an endless plate: u = p R² / (2 µ r); von Mises √3 p at its edge."""
    body, pressure, radius = uniform(with_hole()), 100.0, 5.0
    away = body.dof_um - 100.0
    r = np.linalg.norm(away, axis=1)
    exact = pressure * radius**2 / (2 * MU * r**2) * away[np.arange(body.basis.N), body.dof_axis]
    outer = (np.abs(away) >= 100 - 1e-9).any(axis=1)
    force = _pressure(body, pressure, radius)
    zero = np.zeros((len(body.mesh.triangles), 4))
    found = deform(body, Loads(zero, outer, np.where(outer, exact, 0.0)), force)
    at_edge = np.linalg.norm(body.mesh.points - 100, axis=1)[body.mesh.triangles] < radius * 1.0001
    assert found.von_mises_mpa[at_edge].mean() / pressure == pytest.approx(np.sqrt(3), rel=0.01)


def test_the_tip_of_an_elliptical_hole_has_the_intensity_that_inglis_gives_it():
    """Pulled across its long axis, its tip bears 1 + 2a/b of the pull: K = S √(πa) (1 + b/(2a))."""
    long, short, width, pull = 20.0, 5.0, 600.0, 10.0
    middle = width / 2

    def hole(points):
        x, y = (points - middle).T / np.array([[short], [long]])
        radius = np.hypot(x, y)
        slope = np.hypot(x / short, y / long) / np.maximum(radius, 1e-12)
        return (1 - radius) / np.maximum(slope, 1 / long)

    tip, radius = np.array([middle, middle + long]), short**2 / long

    def detail(points):
        away = np.minimum(*(np.linalg.norm(points - at, axis=1) for at in (tip, 2 * middle - tip)))
        return radius / 8 + 0.25 * np.maximum(away - radius, 0)

    domain = domain_of(width, width, [(Material.VOID, hole)], detail=detail, finest=1.0)
    body = uniform(solid_part(build_mesh(domain, 1.0, 60.0)))
    # In plane strain a plate that is pulled along x alone becomes narrower along y.
    across, along = (1 - POISSON**2) / (1000 * YOUNG), -POISSON * (1 + POISSON) / (1000 * YOUNG)
    places, axis = body.dof_um, body.dof_axis
    outer = ((places < 1e-9) | (places > width - 1e-9)).any(axis=1)
    exact = pull * np.where(axis == 0, across * places[:, 0], along * places[:, 1])
    zero = np.zeros((len(body.mesh.triangles), 4))
    found = deform(body, Loads(zero, outer, np.where(outer, exact, 0.0)))
    expected = pull * np.sqrt(np.pi * long * 1e-6) * (1 + short / (2 * long))
    assert notch_intensity(found, tip, radius) == pytest.approx(expected, rel=0.03)


def _pressure(body, pressure, radius):
    """Give the forces of a pressure on the hole's edges: on quadratic edges 1/6, 4/6, 1/6."""
    force, dofs = np.zeros(body.basis.N), body.basis.dofs
    middle = {tuple(sorted(ends)): k for k, ends in enumerate(body.basis.mesh.facets.T.tolist())}
    for a, b in boundary(body):
        start, end = body.mesh.points[[a, b]]
        if np.hypot(*((start + end) / 2 - 100)) > 2 * radius:
            continue
        normal = np.array([end[1] - start[1], start[0] - end[0]])
        normal *= np.sign(normal @ (start - 100))
        for axis in (0, 1):
            for node in (a, b):
                force[dofs.nodal_dofs[axis, node]] += pressure * normal[axis] / 6
            facet = middle[tuple(sorted((int(a), int(b))))]
            force[dofs.facet_dofs[axis, facet]] += pressure * normal[axis] * 4 / 6
    return force


def test_von_mises_counts_the_direction_out_of_the_plane():
    stress = np.array([[100.0, 0.0, 27.0, 0.0], [0.0, 0.0, 0.0, 10.0], [5.0, 5.0, 5.0, 0.0]])
    expected = [np.sqrt((100**2 + 27**2 + 73**2) / 2), np.sqrt(3) * 10, 0.0]
    assert von_mises(stress) == pytest.approx(expected)
    assert principal(stress) == pytest.approx([100, 10, 5])


def test_an_even_layer_of_lithium_lifts_a_stack_and_leaves_no_stress():
    found = solved(slab())
    face = face_of(found)
    plated = face.__class__(face.ends_um, face.density_a_m2, np.full(len(face.density_a_m2), 0.02))
    wanted = MechanicsSection(volume_change=0.0)
    free = stress_of(found.circuit, plated, 1.0, frozenset(), wanted).elasticity
    assert free.lift_um == pytest.approx(0.02, rel=1e-9)
    assert free.von_mises_mpa.max() < 1e-6
    pressed = MechanicsSection(volume_change=0.0, stack_pressure_mpa=5.0)
    below = stress_of(found.circuit, plated, 1.0, frozenset(), pressed).elasticity
    assert np.allclose(below.stress_mpa[..., 1], -5.0, atol=1e-6)
    alike = {"young_gpa": YOUNG, "poisson": POISSON}
    held = MechanicsSection(volume_change=0.0, stack="fixed", particle=alike)
    rigid = stress_of(found.circuit, plated, 1.0, frozenset(), held).elasticity
    assert np.allclose(rigid.stress_mpa[..., 1], -(LAME + 2 * MU) * 0.02 / 40, rtol=1e-6)


def test_lithium_that_swells_and_one_that_presses_lift_the_stack_alike():
    found = solved(slab())
    face = face_of(found)
    plated = face.__class__(face.ends_um, face.density_a_m2, np.full(len(face.density_a_m2), 0.02))
    lifts = [
        stress_of(found.circuit, plated, 1.0, frozenset(),
                  MechanicsSection(volume_change=0.0, lithium=way)).elasticity.lift_um
        for way in ("displacement", "eigenstrain")
    ]  # fmt: skip
    # Lithium that is held at its sides swells further along the height: by ν/(1 − ν) of nothing.
    assert lifts[0] == pytest.approx(lifts[1], rel=0.01)


def test_a_particle_in_soft_surroundings_shrinks_by_what_its_lithium_took():
    cell = IdealCell(width_um=60, height_um=60, lithium_um=50, columns=1, rows=1,
                     first_row_um=25, particle_um=20, pitch_um=30)  # fmt: skip
    found = solved(ideal_domain(cell), boundary_um=1.5)
    soft = {"young_gpa": 1e-6, "poisson": 0.27}
    wanted = MechanicsSection(volume_change=0.06, electrolyte=soft)
    stress = stress_of(found.circuit, face_of(found), 100.0, frozenset(), wanted)
    mesh = found.circuit.mesh
    disc = mesh.material == Material.PARTICLE
    change = content_change(100.0, 60e-6, mesh.area_um2[disc].sum() * 1e-12, 49_100.0)
    # 1 A h/m² over 60 µm, from a disc of 314 µm².
    expected = 3600 * 60e-6 / (96485 * 49_100 * np.pi * 100e-12)
    assert change == pytest.approx(expected, rel=0.02)
    body = stress.elasticity.body.mesh
    inside = np.unique(body.triangles[body.material == Material.PARTICLE])
    moved, places = stress.elasticity.node_displacement_um[inside], body.points[inside]
    strain = np.polyfit(places[:, 0], moved[:, 0], 1)[0]
    # In plane strain it cannot shrink along the third direction, and shrinks more in the others.
    assert strain == pytest.approx(-0.06 * change / 3 * (1 + 0.25), rel=0.05)
