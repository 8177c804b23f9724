"""Cracked particles against touching ones: drawn by hand, finer than the voxels."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from tests.segment.spheres import MU, Flat
from xct.geometry import CellGeometry, Label
from xct.segment.connected import label_pieces
from xct.segment.particle.instances import particles_in_slabs

SHAPE = (40, 40, 40)
FINE = 4  # points along an edge of a voxel
BLUR_PX = 0.65
FWHM_PX = 2.3548 * (BLUR_PX**2 + 1 / 12) ** 0.5  # the voxel itself is part of it


def ball(middle, radius):
    """Points inside a ball; middle and radius in voxels."""
    z, y, x = np.indices(np.multiply(SHAPE, FINE), sparse=True, dtype=np.float32)
    z, y, x = ((axis + 0.5) / FINE - 0.5 - at for axis, at in zip((z, y, x), middle, strict=True))
    return z * z + y * y + x * x <= radius * radius


def slit(along, middle, width, turn=0.0):
    """Points between two parallel planes, turned about x."""
    z, y, x = np.indices(np.multiply(SHAPE, FINE), sparse=True, dtype=np.float32)
    z, y, x = ((axis + 0.5) / FINE - 0.5 - middle for axis in (z, y, x))
    across = {"z": z + 0 * y + 0 * x, "turned": np.cos(turn) * z + np.sin(turn) * y + 0 * x}[along]
    return np.abs(across) < width / 2


def scanned(solid, void=None, noise=2.0, seed=0):
    """Give μ in voxels, blurred and with noise, and labels of what fills half of a voxel."""
    points = np.where(solid, np.float32(MU[3]), np.float32(MU[2]))
    if void is not None:
        points[void] = MU[7]
    coarse = points.reshape(*[n for axis in SHAPE for n in (axis, FINE)]).mean((1, 3, 5))
    blurred = gaussian_filter(coarse, BLUR_PX)
    mu = blurred + noise * np.random.default_rng(seed).standard_normal(SHAPE).astype(np.float32)
    active = coarse > (MU[2] + MU[3]) / 2
    return mu, np.where(active, Label.ACTIVE_MATERIAL, Label.ELECTROLYTE).astype(np.uint8)


def measured(mu, labels, rows=None, blur_px=FWHM_PX):
    cell = CellGeometry(SHAPE, (2.0,) * 3, 39.0, 39.0, 70.0)
    reference = Flat(blur_um=2 * blur_px)
    return particles_in_slabs(mu, labels, cell, {}, reference, rows=rows)


@pytest.mark.parametrize("along", ["z", "turned"])
@pytest.mark.parametrize("offset", [0.0, 1.5])
def test_a_particle_with_a_flat_crack_through_it_is_one(along, offset):
    body = ball((20, 20, 20), 6)
    crack = slit(along, 20 + offset, 1.2, turn=0.6) & body
    mu, labels = scanned(body & ~crack, crack)
    if along == "z":
        assert label_pieces(labels == Label.ACTIVE_MATERIAL)[1] == 2
    numbers, table = measured(mu, labels)
    assert len(table) == 1
    assert table["pieces"][0] == 2
    assert table["equivalent_diameter_um"][0] == pytest.approx(24, rel=0.1)
    np.testing.assert_array_equal(numbers > 0, labels == Label.ACTIVE_MATERIAL)


@pytest.mark.parametrize(("radius", "width"), [(3.2, 0.6), (4.5, 0.6), (4.5, 1.0)])
def test_a_particle_that_two_cracks_cut_into_four_is_one(radius, width):
    body = ball((20, 20, 20), radius)
    cracks = (slit("z", 20.3, width) | slit("turned", 19.8, width, turn=1.4)) & body
    numbers, table = measured(*scanned(body & ~cracks, cracks))
    assert table["pieces"].max() >= 3
    assert np.bincount(numbers[numbers > 0]).max() > 0.8 * np.count_nonzero(numbers)


@pytest.mark.parametrize("radii", [(6, 6), (6, 4), (5, 2.5)])
def test_two_spheres_that_touch_are_two(radii):
    first, second = radii
    middle = (20 - first, 20, 20), (20 + second, 20, 20)
    mu, labels = scanned(ball(middle[0], first) | ball(middle[1], second))
    assert label_pieces(labels == Label.ACTIVE_MATERIAL)[1] == 1
    table = measured(mu, labels)[1]
    assert table["pieces"].tolist() == [1, 1]
    np.testing.assert_allclose(
        np.sort(table["equivalent_diameter_um"]), 4 * np.sort(radii), rtol=0.07
    )


def test_in_coarse_voxels_pieces_are_not_joined_by_their_distance():
    """Three pieces that together are no rounder: there, small particles that touch look alike."""
    body = ball((20, 20, 20), 3.2)
    cracks = (slit("z", 20.3, 0.6) | slit("turned", 19.8, 0.6, turn=1.4)) & body
    mu, labels = scanned(body & ~cracks, cracks)
    fine, coarse = (measured(mu, labels, blur_px=blur)[1]["pieces"] for blur in (1.6, 1.3))
    assert fine.tolist() == [3]
    assert coarse.tolist() == [1, 1, 1]


def test_two_spheres_a_voxel_apart_are_two():
    mu, labels = scanned(ball((14.5, 20, 20), 5) | ball((25.5, 20, 20), 5))
    assert len(measured(mu, labels)[1]) == 2


def test_a_cracked_particle_beside_another_keeps_to_itself():
    body, other = ball((14, 20, 20), 6), ball((25.5, 20, 20), 5)
    crack = slit("z", 14, 1.2) & body
    mu, labels = scanned((body & ~crack) | other, crack)
    table = measured(mu, labels)[1]
    np.testing.assert_allclose(np.sort(table["equivalent_diameter_um"]), [20, 24], rtol=0.07)


def test_where_the_volume_is_cut_does_not_change_what_is_one():
    body = ball((20, 20, 20), 6)
    crack = slit("turned", 20, 1.2, turn=0.6) & body
    mu, labels = scanned(body & ~crack, crack)
    numbers, table = measured(mu, labels)
    for rows in (1, 7, 19):
        again, rows_table = measured(mu, labels, rows=rows)
        np.testing.assert_array_equal(again, numbers)
        assert rows_table.equals(table)


@pytest.mark.parametrize("radius", [3, 4, 6])
def test_core_grey_value_of_a_whole_sphere_is_that_of_its_material(radius):
    table = measured(*scanned(ball((20, 20.3, 19.8), radius)))[1]
    assert table["core_grey"][0] == pytest.approx(20_000 + 2_100 * MU[3] / MU[2], rel=0.01)
    assert 0 < table["core_grey_sd"][0] < 1000


@pytest.mark.parametrize("radius", [4, 6])
def test_core_grey_value_of_a_cracked_sphere_is_that_of_its_material_with_cracks(radius):
    errors, stated = [], []
    body = ball((20, 20, 20), radius)
    for seed, offset in enumerate((-0.35, -0.1, 0.15, 0.4)):
        crack = slit("turned", 20 + offset * radius, 0.12 * radius / 2, turn=0.4 + seed) & body
        table = measured(*scanned(body & ~crack, crack, seed=seed))[1]
        porosity = crack.sum() / body.sum()
        assert 0.02 < porosity < 0.06
        true = 20_000 + 2_100 * MU[3] * (1 - porosity) / MU[2]
        errors.append(table["core_grey"][0] - true)
        stated.append(table["core_grey_sd"][0])
    assert np.mean(errors) == pytest.approx(0, abs=400)  # 2 % of the particles' own
    assert np.sqrt(np.mean(np.square(errors))) < 2 * np.mean(stated)
