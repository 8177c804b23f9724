"""Potential and current, against exact answers."""

import numpy as np
import pytest

from tests.simulate.exact import domain_of, slab, solved
from xct.errors import XctError
from xct.simulate.electric.conduction import circuit, conduct, stiffness
from xct.simulate.electric.kinetics import GAS_J_MOL_K, Kinetics
from xct.simulate.geometry.domain import Material
from xct.simulate.geometry.ideal import Deposit, IdealCell, ideal_domain, inactive_particles
from xct.simulate.mesh.background import graded
from xct.simulate.mesh.building import build_mesh
from xct.simulate.mesh.mesh import Mesh

RT_F = GAS_J_MOL_K * 298.15 / 96_485.33212


def test_a_slab_loses_j_l_over_kappa_and_carries_the_same_everywhere():
    found = solved(slab(), kappa=0.2)
    assert found.cathode_v == pytest.approx(100 * 30e-6 / 0.2, rel=1e-12)
    assert np.allclose(found.lithium_a_m2, 100, rtol=1e-9)
    assert np.allclose(found.cathode_a_m2, 100, rtol=1e-9)
    flux = found.current_a_m2[found.circuit.carries]
    assert np.allclose(flux, [0, 100], atol=1e-6)


def test_two_layers_lose_what_each_of_them_does():
    """With an interface on the mesh's own lines, to rounding."""
    found = solved(slab(48.0, 32.0, lithium_um=40.0, particle_um=8.0), boundary_um=8.0,
                   kappa=lambda p: np.where(p[:, 1] < 24, 0.1, 0.4))  # fmt: skip
    assert found.cathode_v == pytest.approx(100 * (16e-6 / 0.1 + 16e-6 / 0.4), rel=1e-12)


@pytest.mark.parametrize(
    ("inactive", "deposit", "drop_mv", "low", "high", "cv"),
    [
        ("none", None, 34.5, 100, 100, 0.0),
        ("center", None, 39.2, 80, 113, 0.12),
        ("sides", Deposit(30, 15, 210), 48.7, None, None, None),
    ],
)
def test_the_cases_of_the_study_are_those_of_the_prototype(
    inactive, deposit, drop_mv, low, high, cv
):
    cell = IdealCell()
    found = solved(
        ideal_domain(cell, deposit), inactive=inactive_particles(cell, inactive), boundary_um=2.0
    )
    assert 1e3 * found.cathode_v == pytest.approx(drop_mv, abs=0.15)
    assert abs(found.balance) < 1e-9
    nodes = found.node_lithium_a_m2
    if low is not None:
        assert np.nanmin(nodes) == pytest.approx(low, abs=0.6)
        assert np.nanmax(nodes) == pytest.approx(high, abs=0.6)
        length = found.circuit.lithium.lengths_um(found.circuit.mesh.points)
        spread = np.sqrt(np.average((found.lithium_a_m2 - 100) ** 2, weights=length)) / 100
        assert spread == pytest.approx(cv, abs=0.006)
    else:
        # The prototype had at most 391 A/m², on a mesh of 1 µm; it converges to 423 from below.
        assert 391 < np.nanmax(nodes) < 430


@pytest.mark.parametrize("over", [2.0, 3.0, 4.0])
def test_half_an_ellipse_focuses_by_one_plus_its_ratio(over):
    """On a flat electrode far from the other: the current at the tip is 1 + a/b of the mean."""
    height, half_width = 10.0, 10.0 / (over - 1)
    width = 40 * height
    cell = IdealCell(width, width, width - 10.0, particle_um=1, rows=0, columns=0)
    flat = ideal_domain(cell, Deposit(height, half_width, width / 2))
    lithium = flat.level(Material.LITHIUM)
    levels = [(Material.LITHIUM, lithium), (Material.PARTICLE, lambda p: 10 - p[:, 1])]
    domain = domain_of(width, width, levels, detail=flat.detail_um, finest=flat.finest_um)
    found = solved(domain, boundary_um=1.0, coarsest_um=32.0)
    assert np.nanmax(found.node_lithium_a_m2) / 100 == pytest.approx(over, rel=0.02)


def test_a_mirrored_cell_carries_the_mirrored_current():
    cell = IdealCell(width_um=150, columns=10, rows=2)
    left, right = (frozenset(n for n in range(1, 21) if (n - 1) % 10 in which)
                   for which in (range(3), range(7, 10)))  # fmt: skip
    found = [solved(ideal_domain(cell), inactive=dead, boundary_um=2.0) for dead in (left, right)]
    assert found[0].cathode_v == pytest.approx(found[1].cathode_v, rel=1e-3)
    means = []
    for one, sign in zip(found, (1, -1), strict=True):
        x = one.circuit.mesh.points[one.circuit.lithium.facets].mean(axis=1)[:, 0]
        length = one.circuit.lithium.lengths_um(one.circuit.mesh.points)
        means.append(np.average(sign * (x - 75), weights=length * one.lithium_a_m2))
    assert means[0] == pytest.approx(means[1], abs=0.02)


def test_on_a_mesh_that_is_its_own_mirror_image_the_answers_are_to_rounding():
    """Mirrored, doubled and added up: half a cell's mesh and its mirror image, joined."""
    half = build_mesh(ideal_domain(IdealCell(width_um=75, columns=5, rows=2)), 3.0, 16.0)
    count, across = len(half.points), np.array([-1.0, 1.0])
    on_seam = half.points[:, 0] > 75 - 1e-9
    image = np.where(on_seam, np.arange(count), count + np.cumsum(~on_seam) - 1)
    points = np.concatenate([half.points, (half.points * across + [150, 0])[~on_seam]])
    triangles = np.concatenate([half.triangles, image[half.triangles][:, [0, 2, 1]]])
    again = np.where(half.particle > 0, half.particle + 10, 0)
    mesh = Mesh(
        points, triangles, np.tile(half.material, 2), np.concatenate([half.particle, again])
    )
    left, right = frozenset({1, 2, 6}), frozenset({11, 12, 16})

    def conducted(dead, current=0.01):
        return conduct(circuit(mesh, dead), np.full(len(triangles), 0.3), current)

    one, other, double = conducted(left), conducted(right), conducted(left, 0.02)
    assert one.cathode_v == pytest.approx(other.cathode_v, rel=1e-12)
    of_image = np.full(len(points), -1)
    of_image[:count], of_image[image] = image, np.arange(count)
    mirrored = one.node_lithium_a_m2[of_image]
    assert np.allclose(mirrored, other.node_lithium_a_m2, rtol=1e-10, equal_nan=True)
    assert np.nanmax(np.abs(one.node_lithium_a_m2 - other.node_lithium_a_m2)) > 0.1
    assert np.allclose(2 * one.potential_v, double.potential_v, rtol=1e-12, equal_nan=True)
    assert max(abs(found.balance) for found in (one, other, double)) < 1e-12
    at_lithium = np.unique(one.circuit.lithium.facets)
    assert -one.reaction_a_m[at_lithium].sum() == pytest.approx(0.01, rel=1e-12)


def test_twice_the_current_is_twice_the_potential_and_half_of_twice_the_conductivity():
    cell = IdealCell(width_um=90, columns=6, rows=2)
    one, two, better = (
        solved(ideal_domain(cell), boundary_um=3.0, current_a_m2=current, kappa=kappa)
        for current, kappa in ((50, 0.3), (100, 0.3), (50, 0.6))
    )
    carried = np.isfinite(one.potential_v)
    assert np.allclose(2 * one.potential_v[carried], two.potential_v[carried], rtol=1e-9)
    assert two.cathode_v == pytest.approx(4 * better.cathode_v, rel=1e-9)


def test_a_manufactured_potential_is_met_with_the_order_of_linear_elements():
    """φ = sin(πx) cosh(πy) is harmonic; its error falls with the square of the size."""
    from scipy.sparse.linalg import spsolve

    errors = []
    for size in (0.1, 0.05, 0.025):
        grid = graded(1.0, 1.0, lambda p, size=size: np.full(len(p), size), 1.0)
        points, triangles = grid.p.T, grid.t.T
        matrix = stiffness(points * 1e6, triangles, np.ones(len(triangles)))
        exact = np.sin(np.pi * points[:, 0]) * np.cosh(np.pi * points[:, 1])
        edge = (np.abs(points - 0.5) > 0.5 - 1e-9).any(axis=1)
        values = np.where(edge, exact, 0.0)
        inner = matrix[~edge][:, ~edge].tocsc()
        values[~edge] = spsolve(inner, -(matrix[~edge] @ values))
        errors.append(np.sqrt(np.mean((values - exact) ** 2)))
    assert np.log2(errors[0] / errors[1]) == pytest.approx(2, abs=0.25)
    assert np.log2(errors[1] / errors[2]) == pytest.approx(2, abs=0.25)


@pytest.mark.parametrize("law", ["linear", "butler_volmer"])
def test_a_slab_with_kinetics_needs_its_overpotential_too(law):
    found = solved(slab(), kinetics=Kinetics(20.0, law))
    ratio = 100 / 20.0
    over = RT_F * (ratio if law == "linear" else 2 * np.arcsinh(ratio / 2))
    assert found.cathode_v == pytest.approx(100 * 30e-6 / 0.3 + over, rel=1e-9)
    assert abs(found.balance) < 1e-9


def test_a_fast_reaction_is_none_and_a_slow_one_spreads_the_current_over_the_particles():
    cell = IdealCell(width_um=90, columns=6, rows=3)
    without, fast, slow = (
        solved(ideal_domain(cell), boundary_um=3.0, kinetics=kinetics)
        for kinetics in (None, Kinetics(1e8, "linear"), Kinetics(1e-2, "linear"))
    )
    assert fast.cathode_v == pytest.approx(without.cathode_v, rel=1e-3)
    length = slow.circuit.cathode.lengths_um(slow.circuit.mesh.points)
    spread = np.std(slow.cathode_a_m2) / np.average(slow.cathode_a_m2, weights=length)
    assert spread < 0.01 < np.std(without.cathode_a_m2) / 50


def test_islands_are_left_out_and_counted():
    """A pocket of electrolyte within a void, and a layer below the particle that ends nothing."""

    def pocket(points):
        away = np.hypot(points[:, 0] - 15, points[:, 1] - 25)
        return np.minimum(away - 3, 6 - away)

    domain = slab()
    levels = [*domain.levels, (Material.VOID, pocket)]
    found = solved(domain_of(30.0, 50.0, levels), boundary_um=1.0)
    assert found.circuit.islands == 1
    assert found.circuit.island_fraction == pytest.approx(
        np.pi * 9 / (900 - np.pi * (36 - 9)), rel=0.05
    )
    assert abs(found.balance) < 1e-9


def test_a_particle_at_the_lithium_would_be_a_short_and_is_inactive():
    levels = [
        (Material.LITHIUM, lambda p: p[:, 1] - 40),
        (
            Material.PARTICLE,
            lambda p: np.maximum(10 - p[:, 1], 4 - np.hypot(p[:, 0] - 9, p[:, 1] - 38)),
        ),
    ]
    domain = domain_of(30.0, 50.0, levels)
    numbered = domain.__class__(**{
        **vars(domain), "particle_at": lambda p: np.where(p[:, 1] > 20, 2, 1),
    })  # fmt: skip
    found = solved(numbered)
    assert found.circuit.shorted == {2}
    assert set(found.circuit.cathode.particle) == {1}


@pytest.mark.parametrize(
    ("levels", "told"),
    [
        ([(Material.PARTICLE, lambda p: 10 - p[:, 1])], "no lithium beside electrolyte"),
        ([(Material.LITHIUM, lambda p: p[:, 1] - 40)], "no active particle touches electrolyte"),
        (
            [
                (Material.LITHIUM, lambda p: p[:, 1] - 40),
                (Material.PARTICLE, lambda p: 10 - p[:, 1]),
                (Material.VOID, lambda p: 2 - np.abs(p[:, 1] - 25)),
            ],
            "no way through the electrolyte",
        ),
    ],
)
def test_a_cell_that_carries_no_current_is_refused_in_one_line(levels, told):
    with pytest.raises(XctError, match=told) as refused:
        solved(domain_of(30.0, 50.0, levels))
    assert len(refused.value.errors) == 1
