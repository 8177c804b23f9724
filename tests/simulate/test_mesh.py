"""Meshes follow boundaries, whatever these are, and leave no gap."""

import numpy as np
import pytest

from tests.simulate.exact import domain_of
from xct.errors import XctError
from xct.geometry import Label
from xct.simulate.geometry.domain import Material
from xct.simulate.geometry.ideal import Deposit, IdealCell, ideal_domain, inactive_particles
from xct.simulate.geometry.labels import domain_of_labels
from xct.simulate.mesh import background
from xct.simulate.mesh.background import graded
from xct.simulate.mesh.building import build_mesh, fit_mesh


def disc(x, y, radius):
    return lambda points: radius - np.hypot(points[:, 0] - x, points[:, 1] - y)


def area_of(mesh, material):
    return mesh.area_um2[mesh.material == material].sum()


def is_conforming(mesh):
    """Whether every edge inside of the rectangle has a triangle on both sides."""
    facets = mesh.facets
    alone = facets.nodes[(facets.sides < 0).any(axis=1)]
    ends = mesh.points[alone]
    low, high = mesh.points.min(axis=0), mesh.points.max(axis=0)
    on_side = (np.abs(ends - low) < 1e-9) | (np.abs(ends - high) < 1e-9)
    return bool((on_side[:, 0] & on_side[:, 1]).any(axis=1).all())


def test_the_ideal_cell_has_the_areas_that_its_lengths_say():
    cell = IdealCell()
    mesh = build_mesh(ideal_domain(cell, Deposit(30, 15, 210)), 2.0, 16.0)
    assert mesh.area_um2.sum() == pytest.approx(420 * 250, rel=1e-12)
    assert area_of(mesh, Material.LITHIUM) == pytest.approx(
        75 * 420 + np.pi * 30 * 15 / 2, rel=1e-3
    )
    # Chords of 1.4 µm or so cut off 1 % of a disc of 10 µm.
    assert area_of(mesh, Material.PARTICLE) == pytest.approx(140 * np.pi * 25, rel=0.015)
    assert len(np.unique(mesh.particle)) == 141
    assert mesh.area_um2.min() > 0
    assert is_conforming(mesh)


def test_boundaries_are_polygons_whose_error_falls_with_the_square_of_the_size():
    domain = domain_of(40.0, 40.0, [(Material.PARTICLE, disc(20.3, 19.1, 11.7))])
    missing = [
        1 - area_of(build_mesh(domain, size, 8.0), Material.PARTICLE) / (np.pi * 11.7**2)
        for size in (4.0, 2.0, 1.0)
    ]
    assert np.log2(missing[0] / missing[1]) == pytest.approx(2, abs=0.6)
    assert np.log2(missing[1] / missing[2]) == pytest.approx(2, abs=0.6)


@pytest.mark.parametrize("seed", range(6))
def test_whatever_materials_meet_no_edge_ends_within_another(seed):
    """Discs overlap, touch the sides, lie in lithium: triangles fill the rectangle once."""
    rng = np.random.default_rng(seed)
    levels = [(Material.LITHIUM, lambda p: p[:, 1] - 30 - 3 * np.sin(p[:, 0] / 5))]
    for material in (Material.PARTICLE, Material.VOID):
        discs = [disc(*rng.uniform(0, 40, 2), rng.uniform(2, 8)) for _ in range(5)]
        levels.append((material, lambda p, discs=discs: np.max([d(p) for d in discs], axis=0)))
    mesh = build_mesh(domain_of(40.0, 40.0, levels), 1.5, 8.0)
    assert mesh.area_um2.min() > 0
    assert mesh.area_um2.sum() == pytest.approx(1600, rel=1e-10)
    assert is_conforming(mesh)
    assert np.percentile(mesh.lowest_angle_deg, 1) > 8


def test_labels_keep_their_areas_and_particles_their_numbers():
    y, x = np.mgrid[:60, :80] + 0.5
    labels = np.full((60, 80), Label.ELECTROLYTE, np.uint8)
    labels[50:] = Label.LITHIUM
    particles = np.zeros((60, 80), int)
    for number, (cy, cx, radius) in enumerate([(15, 20, 8), (20, 55, 10)], start=7):
        inside = np.hypot(y - cy, x - cx) < radius
        labels[inside], particles[inside] = Label.ACTIVE_MATERIAL, number
    mesh = build_mesh(domain_of_labels(labels, particles, (2.0, 2.0)), 2.0, 16.0)
    for number, radius in ((7, 8), (8, 10)):
        area = mesh.area_um2[mesh.particle == number].sum()
        assert area == pytest.approx(4 * np.pi * radius**2, rel=0.03)
    assert area_of(mesh, Material.LITHIUM) == pytest.approx(4 * 10 * 80, rel=0.01)
    # Boundaries are smooth: their length is that of circles, where steps of voxels make 4/π of it.
    sides = mesh.facets.sides[(mesh.facets.sides >= 0).all(axis=1)]
    nodes = mesh.facets.nodes[(mesh.facets.sides >= 0).all(axis=1)]
    edge = (mesh.material[sides] == Material.PARTICLE).sum(axis=1) == 1
    length = np.linalg.norm(np.diff(mesh.points[nodes[edge]], axis=1), axis=-1).sum()
    assert length == pytest.approx(2 * 2 * np.pi * (8 + 10), rel=0.02)


def test_small_particles_and_voids_keep_the_area_of_their_voxels():
    """Three to eight voxels across: plain smoothing takes 6 to 40 % of them."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:60, :120] + 0.5
    labels = np.full((60, 120), Label.ELECTROLYTE, np.uint8)
    labels[50:] = Label.LITHIUM
    particles = np.zeros((60, 120), int)
    radii = np.tile([1.5, 2.0, 2.5, 3.0, 4.0], 4)
    for number, radius in enumerate(radii, start=1):
        middle = np.array([6 + 12 * ((number - 1) // 10), 6 + 12 * ((number - 1) % 10)])
        cy, cx = middle + rng.uniform(-1, 1, 2)
        inside = np.hypot(y - cy, x - cx) < radius
        void = number % 3 == 0
        labels[inside] = Label.LOW_GREY if void else Label.ACTIVE_MATERIAL
        particles[inside] = 0 if void else number + 100
    domain = domain_of_labels(labels, particles, (2.0, 2.0))
    fitted, mesh = fit_mesh(domain, 3.0, 24.0)
    assert is_conforming(mesh)
    plain = build_mesh(domain, 3.0, 24.0)
    for material, most in ((Material.PARTICLE, 0.01), (Material.VOID, 0.05)):
        labelled = domain.labelled_um2[material]
        assert area_of(mesh, material) == pytest.approx(labelled, rel=most)
        assert area_of(plain, material) < 0.95 * labelled
    for number in np.unique(particles[particles > 0]):
        labelled = 4 * (particles == number).sum()
        assert mesh.area_um2[mesh.particle == number].sum() == pytest.approx(labelled, rel=0.08)
    assert np.allclose(build_mesh(fitted, 3.0, 24.0).points, mesh.points)


def test_thirds_of_the_width_are_inactive():
    cell = IdealCell()
    center = inactive_particles(cell, "center")
    assert len(center) == 5 * 10
    assert center | inactive_particles(cell, "sides") == frozenset(range(1, 141))
    assert not center & inactive_particles(cell, "sides")


def test_a_mesh_that_would_not_fit_into_memory_is_refused(monkeypatch):
    monkeypatch.setattr(background, "_MOST_TRIANGLES", 20_000)
    with pytest.raises(XctError, match=r"more than 20,000 triangles; make mesh.boundary_um"):
        graded(1000.0, 1000.0, lambda points: np.full(len(points), 1e-3), 100.0)
