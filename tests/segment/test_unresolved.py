"""Cracks too fine to be labelled: what they take from a core's mean, by how its voxels scatter."""

import numpy as np
import pandas as pd
import pytest

from tests.segment.spheres import Flat
from xct.geometry import CellGeometry, Plane
from xct.segment.particle.unresolved import quantum_noise, unresolved_voids

SIGMA_PX, NOISE, LEVEL = 0.65, 2.0, 48.0
BLUR_UM = 2 * 2.3548 * SIGMA_PX


def cores(widths, radius, seed):
    """Mean, scatter and size of cores of particles with two flat cracks each, widths in voxels."""
    rng = np.random.default_rng(seed)
    edge = int(2 * radius + 5)
    grid = np.indices((edge,) * 3) - (edge - 1) / 2
    inside = np.linalg.norm(grid, axis=0) <= radius - 1
    means, scatters = [], []
    for width in widths:
        lack = np.zeros(grid.shape[1:])
        for _ in range(2):
            normal = rng.normal(size=3)
            away = np.tensordot(normal / np.linalg.norm(normal), grid, 1)
            away = away - rng.uniform(-0.4, 0.4) * radius
            lack += width * np.exp(-(away**2) / 2 / SIGMA_PX**2) / np.sqrt(2 * np.pi) / SIGMA_PX
        values = (LEVEL * (1 - lack) + NOISE * rng.standard_normal(lack.shape))[inside]
        means.append(values.mean())
        scatters.append(values.std(ddof=1))
    table = pd.DataFrame(
        {
            "core_voxels": np.count_nonzero(inside),
            "core_share": 1.0,
            "equivalent_diameter_um": 4.0 * radius,
        },
        index=range(len(widths)),
    )
    return table, np.array(means), np.array(scatters)


@pytest.mark.parametrize("radius", [3.0, 4.0, 6.0])
def test_whole_particles_are_bounded_near_zero_and_nothing_is_seen_in_most(radius):
    table, mean, scatter = cores(np.zeros(80), radius, 1)
    found = unresolved_voids(table, mean, scatter, np.full(80, NOISE), BLUR_UM)
    assert np.median(found.at_most) < 0.35 / radius
    assert np.median(found.fraction) == 0


@pytest.mark.parametrize("radius", [3.0, 4.0, 6.0])
def test_the_bound_holds_what_cracks_take(radius):
    widths = np.random.default_rng(2).uniform(0, 0.4, 200)
    table, mean, scatter = cores(widths, radius, 3)
    found = unresolved_voids(table, mean, scatter, np.full(200, NOISE), BLUR_UM)
    lack = 1 - mean / LEVEL
    assert np.mean(lack <= found.at_most) >= 0.9
    assert np.corrcoef(lack, found.fraction)[0, 1] > 0.7


def test_a_core_of_one_voxel_tells_nothing():
    table, mean, scatter = cores(np.zeros(20), 3.0, 4)
    table.loc[0, "core_voxels"] = 1
    scatter[0] = np.nan
    found = unresolved_voids(table, mean, scatter, np.full(20, NOISE), BLUR_UM)
    assert np.isnan(found.at_most[0])
    assert np.isfinite(found.at_most[1:]).all()


def test_noise_of_dark_planes_follows_from_that_of_the_electrolyte():
    planes = {"lithium_electrolyte": Plane(20.0), "electrolyte_cathode": Plane(60.0)}
    cell = CellGeometry((40, 8, 8), (2.0,) * 3, 7.0, 7.0, 6.0, planes=planes)
    transmission = np.where(np.arange(40) < 30, 0.8, 0.2)
    stated = np.where(np.arange(40) < 30, 1.0, 5.0)  # particles scatter, too
    noise = quantum_noise(Flat(stated), cell, transmission)
    np.testing.assert_allclose(noise, np.where(np.arange(40) < 30, 1.0, 2.0))
    np.testing.assert_array_equal(quantum_noise(Flat(1.5), cell, transmission), 1.5)


def test_noise_that_rises_towards_the_axis_is_no_crack():
    rng = np.random.default_rng(5)
    radius, depth, voxels = rng.uniform(0, 1, 1500) ** 0.5, 2.0, 60
    rays = np.sin(np.linspace(0, np.pi / 2, 200))
    chord = np.sqrt(1 - (radius[:, None] * rays) ** 2)
    noise = NOISE * np.sqrt(np.exp(depth * (chord - 1)).mean(axis=1))
    scatter = noise * np.sqrt(rng.chisquare(voxels - 1, radius.size) / (voxels - 1))
    table = pd.DataFrame(
        {"core_voxels": voxels, "core_share": 1.0, "equivalent_diameter_um": 14.0},
        index=range(radius.size),
    )
    at_wall = np.full(radius.size, noise.min())
    mean = np.full(radius.size, LEVEL)
    found = unresolved_voids(table, mean, scatter, at_wall, BLUR_UM, radius, np.full(1500, depth))
    near = radius < 0.4
    assert found.fraction[near].mean() == pytest.approx(found.fraction[~near].mean(), abs=0.004)
    assert found.fraction.mean() < 0.008
    even = unresolved_voids(table, mean, scatter, at_wall, BLUR_UM)
    assert even.fraction[near].mean() > 2 * found.fraction[near].mean()


def test_rings_about_the_axis_of_rotation_are_no_cracks_and_cracks_everywhere_are_no_rings():
    rng = np.random.default_rng(6)
    away, voxels, cracks = 100 * rng.uniform(0.03, 1, 1500) ** 0.5, 40, 0.03
    table = pd.DataFrame(
        {"core_voxels": voxels, "core_share": 1.0, "equivalent_diameter_um": 14.0},
        index=range(away.size),
    )
    chance = rng.chisquare(voxels - 1, away.size) / (voxels - 1)
    variance = NOISE**2 * (1 + 10 / away) + (cracks * LEVEL) ** 2
    flat = np.full(away.size, NOISE)
    given = table, np.full(away.size, LEVEL), np.sqrt(variance * chance), flat, BLUR_UM
    found = unresolved_voids(*given, from_axis_px=away)
    near = away < 30
    np.testing.assert_allclose(np.sqrt(found.excess[near].mean()), cracks, rtol=0.15)
    np.testing.assert_allclose(np.sqrt(found.excess[~near].mean()), cracks, rtol=0.1)
    without = unresolved_voids(*given)
    assert without.excess[near].mean() > 1.5 * found.excess[near].mean()
