"""Elasticity of voxels, against exact answers and the plane's own."""

import numpy as np
import pytest

from xct.errors import XctError
from xct.simulate.block.reading import Block
from xct.simulate.block.solid import Held, Solid, deform, principal, von_mises
from xct.simulate.block.stress import coarsening, stress_of_block
from xct.simulate.geometry.domain import Material
from xct.simulate.mechanics import elasticity
from xct.simulate.mesh.background import graded
from xct.simulate.mesh.mesh import Mesh
from xct.simulate.settings import MechanicsSection

YOUNG, POISSON = 28.0, 0.27
MU = 1000 * YOUNG / (2 * (1 + POISSON))
LAME = 2 * MU * POISSON / (1 - 2 * POISSON)
VOXEL = (2.0, 1.0, 1.5)


def alike(shape, young=YOUNG, poisson=POISSON, voxel_um=VOXEL):
    return Solid(np.full(shape, young), np.full(shape, poisson), voxel_um)


def places(solid):
    axes = [np.arange(n) * edge for n, edge in zip(solid.grid, solid.voxel_um, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"))


def on_the_outside(solid):
    fixed = np.ones((3, *solid.grid), bool)
    fixed[:, 1:-1, 1:-1, 1:-1] = False
    return fixed


def rollers(solid):
    """Sides slide, both ends keep their height."""
    fixed = np.zeros((3, *solid.grid), bool)
    fixed[0, [0, -1]] = True
    fixed[1, :, [0, -1]] = True
    fixed[2, :, :, [0, -1]] = True
    return fixed


def test_the_patch_test_an_even_strain_is_met_within():
    solid = alike((6, 5, 7))
    slope = np.array([[1.0, 2.0, -1.0], [0.5, -2.0, 3.0], [4.0, 1.0, 0.3]]) * 1e-3
    exact = np.einsum("ij,jzyx->izyx", slope, places(solid))
    given = np.where(on_the_outside(solid), exact, 0.0)
    found = deform(solid, np.zeros((3, 6, 5, 7)), Held(on_the_outside(solid), given))
    assert np.abs(found.displacement_um - exact).max() < 1e-8 * np.abs(exact).max()
    strain = (slope + slope.T) / 2
    stress = LAME * np.trace(strain) * np.eye(3) + 2 * MU * strain
    expected = [stress[i, j] for i, j in ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))]
    assert np.allclose(np.moveaxis(found.stress_mpa, 0, -1), expected, rtol=1e-6)
    tensor = np.linalg.eigvalsh(stress)
    assert principal(found.stress_mpa[:, 0, 0, :1])[0] == pytest.approx(tensor[-1], rel=1e-6)
    differences = [(a - b) ** 2 for a, b in zip(tensor, np.roll(tensor, 1), strict=True)]
    told = von_mises(found.stress_mpa)[2, 2, 2]
    assert told == pytest.approx(np.sqrt(sum(differences) / 2), rel=1e-6)


def test_a_laminate_shares_one_stress_along_it_and_each_layer_strains_by_its_own():
    """Layers across z under an eigenstrain of some, ends held apart: by hand."""
    shape = (12, 4, 5)
    stiff = np.arange(12) % 4 < 2
    young = np.broadcast_to(np.where(stiff, 142.0, 28.0)[:, None, None], shape).copy()
    poisson = np.broadcast_to(np.where(stiff, 0.25, 0.27)[:, None, None], shape).copy()
    solid = Solid(young, poisson, VOXEL)
    eigen = np.zeros((3, *shape))
    eigen[:, stiff] = -1e-3
    found = deform(solid, eigen, Held(rollers(solid), np.zeros((3, *solid.grid))))
    lame, mu = (value[:, 0, 0] for value in solid.lame_mpa)
    along = lame + 2 * mu
    free = np.where(stiff, -1e-3 * (3 * lame + 2 * mu) / along, 0.0)  # of a layer held at its sides
    stress = -free.sum() / (1 / along).sum()
    assert np.allclose(found.stress_mpa[0], stress, rtol=1e-6)
    strain = (stress / along + free)[:, None, None]
    moved = np.diff(found.displacement_um[0], axis=0) / VOXEL[0]
    assert np.allclose(moved, strain, atol=1e-9)
    side = lame * strain.ravel() - np.where(stiff, -1e-3 * (3 * lame + 2 * mu), 0.0)
    assert np.allclose(found.stress_mpa[1], side[:, None, None], rtol=1e-6)


def test_a_block_that_is_the_same_along_y_is_a_plane_in_plane_strain():
    """A stiff bar that shrinks in softer surroundings, below a stack under pressure."""
    size, bar = 16, slice(5, 11)
    young, poisson = np.full((size, 3, size), YOUNG), np.full((size, 3, size), POISSON)
    young[bar, :, bar], poisson[bar, :, bar] = 142.0, 0.25
    solid = Solid(young, poisson, (1.0, 1.0, 1.0))
    eigen = np.zeros((3, size, 3, size))
    eigen[:, bar, :, bar] = -1e-3
    lifted = np.zeros((3, *solid.grid))
    lifted[0, 0] = 1.0
    held = Held(rollers(solid), np.zeros((3, *solid.grid)), lifted, 5.0 * 3 * size)
    found = deform(solid, eigen, held)

    grid = graded(16.0, 16.0, lambda p: np.full(len(p), 0.75), 16.0)
    points, triangles = grid.p.T.copy(), grid.t.T.copy()
    middle = points[triangles].mean(axis=1)
    within = (np.abs(middle - 8) < 3).all(axis=1)
    none = np.zeros(len(triangles), int)
    moduli = elasticity.Moduli(np.where(within, 142.0, YOUNG), np.where(within, 0.25, POISSON))
    body = elasticity.Body(Mesh(points, triangles, none, none), moduli)
    strain = np.zeros((len(triangles), 4))
    strain[within, :3] = -1e-3
    x, y = body.dof_um.T
    across, top = (x < 1e-9) | (x > 16 - 1e-9), y > 16 - 1e-9
    sliding = np.where(body.dof_axis == 0, across, (y < 1e-9) | top)
    raised = np.where((body.dof_axis == 1) & top, 1.0, 0.0)
    loads = elasticity.Loads(strain, sliding, np.zeros(len(x)), raised, -5.0 * size)
    plane = elasticity.deform(body, loads)

    assert found.lift_um == pytest.approx(-plane.lift_um, rel=0.01)
    assert np.ptp(found.stress_mpa, axis=2).max() < 1e-3 * np.abs(found.stress_mpa).max()
    rows, columns = np.floor(16 - middle[:, 1]).astype(int), np.floor(middle[:, 0]).astype(int)
    means = []
    for component in (1, 0, 2):  # along the height, across, out of the plane
        value = plane.stress_mpa[..., component].mean(axis=1)
        area = np.abs(plane.body.mesh.area_um2)
        total = np.zeros((size, size))
        np.add.at(total, (rows, columns), value * area)
        means.append(total)
    # Not at the bar's corners: stress has no bound there.
    at = np.abs(np.arange(size) - 7.5)
    far = (np.abs(at - 3)[:, None] > 1.5) | (np.abs(at - 3) > 1.5)
    for mean, component in zip(means, (0, 2, 1), strict=True):
        difference = (found.stress_mpa[component, :, 1] - mean)[far]
        assert np.sqrt((difference**2).mean()) < 0.03 * np.abs(mean).max()


def layered(lithium=4, electrolyte=12, particles=4, across=6):
    material = np.full((lithium + electrolyte + particles, across, across), Material.ELECTROLYTE)
    material[:lithium], material[lithium + electrolyte :] = Material.LITHIUM, Material.PARTICLE
    number = (material == Material.PARTICLE).astype(int)
    return Block(material.astype(np.uint8), number, (2.0, 2.0, 2.0), (0.0,) * 3, 16)


def test_an_even_layer_of_lithium_lifts_a_stack_and_leaves_no_stress():
    plated = np.full((6, 6), 0.02)
    free = stress_of_block(layered(), [1], plated, MechanicsSection(volume_change=0.0))
    numbers = free.numbers(50.0)
    assert numbers["stack_growth_um"].value == pytest.approx(0.02, rel=1e-6)
    assert numbers["von_mises_mpa.max"].value < 1e-3
    pressed = MechanicsSection(volume_change=0.0, stack_pressure_mpa=5.0)
    below = stress_of_block(layered(), [1], plated, pressed)
    solid = np.isfinite(below.von_mises_mpa)
    assert np.allclose(below.deformed.stress_mpa[0][solid], -5.0, atol=1e-4)
    held = MechanicsSection(volume_change=0.0, stack="fixed",
                            particle={"young_gpa": YOUNG, "poisson": POISSON})  # fmt: skip
    rigid = stress_of_block(layered(), [1], plated, held)
    solid = np.isfinite(rigid.von_mises_mpa)
    expected = -(LAME + 2 * MU) * 0.02 / 32
    assert np.allclose(rigid.deformed.stress_mpa[0][solid], expected, rtol=1e-5)


def test_lithium_on_a_slope_presses_along_the_normal_of_its_face():
    """A face that leans by 27°: what lies on a column moves it by cos² of that along z."""
    slope, block = 0.5, layered(lithium=4, electrolyte=12, particles=2, across=16)
    depth = np.arange(18)[:, None, None] < 4 + slope * np.arange(16)
    block.material[(block.material == Material.LITHIUM) | depth] = Material.LITHIUM
    wanted = MechanicsSection(volume_change=0.0, stack="fixed")
    found = stress_of_block(block, [1], np.full((16, 16), 0.02), wanted)
    face = found.solid.held & (np.pad(block.material == Material.LITHIUM, ((1, 0), (1, 0), (1, 0))))
    z, y, x = np.nonzero(face[:, :, 5:12])
    moved = found.deformed.displacement_um[:, z, y, x + 5].mean(axis=1)
    cosine = 1 / np.hypot(1, slope)
    assert moved[0] == pytest.approx(0.02 * cosine**2, rel=0.03)
    assert moved[2] == pytest.approx(-0.02 * slope * cosine**2, rel=0.05)
    assert abs(moved[1]) < 1e-4


def test_lithium_that_swells_lifts_as_one_that_presses_and_what_has_none_above_is_counted():
    plated, block = np.full((6, 6), 0.02), layered()
    swelling = MechanicsSection(volume_change=0.0, lithium="eigenstrain")
    found = stress_of_block(block, [1], plated, swelling)
    assert found.numbers(50.0)["stack_growth_um"].value == pytest.approx(0.02, rel=1e-3)
    assert found.unplaced_fraction == 0
    block.material[:4, :, :3] = Material.STEEL
    assert stress_of_block(block, [1], plated, swelling).unplaced_fraction == pytest.approx(0.5)


def test_particles_shrink_by_what_their_lithium_took_and_dead_ones_do_not():
    soft = {"young_gpa": 1e-6, "poisson": 0.27}
    block, none = layered(), np.zeros((6, 6))
    wanted = MechanicsSection(charge_uah_cm2=100.0, electrolyte=soft)
    found = stress_of_block(block, [], none, wanted)
    # 1 A h/m² from 8 µm of particles.
    change = 3600 / (96485.33 * 49_100 * 8e-6)
    moved = found.deformed.displacement_um[0]
    assert change == pytest.approx(0.095, rel=0.01)
    linear = (1 - 0.06 * change) ** (1 / 3) - 1
    # Held at its sides, it shrinks along z alone, further by (1 + ν)/(1 − ν).
    strain = (moved[-1] - moved[-5]).mean() / 8
    assert strain == pytest.approx(linear * 1.25 / 0.75, rel=1e-3)
    still = stress_of_block(block, [1], none, wanted)
    assert np.abs(still.deformed.displacement_um).max() < 1e-9


def test_what_hangs_on_nothing_bears_no_stress_and_a_severed_block_is_refused():
    block = layered()
    block.material[8:11, 1:5, 1:5] = Material.VOID
    block.material[9, 2, 2] = Material.ELECTROLYTE
    found = stress_of_block(block, [1], np.full((6, 6), 0.02), MechanicsSection())
    assert found.loose_fraction == pytest.approx(1 / (16 * 36 - 47))
    assert np.isnan(found.von_mises_mpa[9, 2, 2])
    block.material[9] = Material.VOID
    with pytest.raises(XctError, match="nothing solid reaches from lithium to the end"):
        stress_of_block(block, [1], np.full((6, 6), 0.02), MechanicsSection())


def test_blocks_are_coarsened_until_they_deform_in_a_minute():
    assert coarsening((64, 64, 64)) == 1
    assert coarsening((128, 128, 128)) == 2
    assert coarsening((150, 140, 140)) == 3
