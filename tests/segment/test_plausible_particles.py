"""Particles say what the voxel size cannot be, and where their counts are bounded."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from tests.segment.spheres import Flat
from xct.geometry import CellGeometry, Plane
from xct.normalize.artifacts import Artifacts
from xct.segment.cell.slice_spacing import edge_ratio
from xct.segment.particle.numbers import particle_numbers
from xct.segment.particle.plausible import look_at_shape, shape_warning
from xct.segment.particle.sums import FIELDS, XX, YX, YY, ZX, ZY, ZZ, X, Y, Z
from xct.segment.particle.table import _shape

PARTICLES = pd.DataFrame({"equivalent_diameter_um": [9.0, 11.0], "drifted": [False, True]})


def warned(diameter_um, *, n=50):
    table = pd.DataFrame({"equivalent_diameter_um": np.full(n, diameter_um), "height_ratio": 1.0})
    return shape_warning(look_at_shape(table))


@pytest.mark.parametrize("diameter_um", [0.5, 5.0, 13.0, 30.0])
def test_particles_as_cathodes_have_them_are_let_pass(diameter_um):
    assert warned(diameter_um) is None


@pytest.mark.parametrize("diameter_um", [0.013, 13_000.0])
def test_a_slip_of_units_is_seen(diameter_um):
    assert "is the size given in µm?" in warned(diameter_um)
    assert warned(diameter_um, n=5) is None


def test_particles_of_a_stack_without_a_cell_may_be_any():
    assert look_at_shape(pd.DataFrame({"equivalent_diameter_um": [0.02]})) is None


def test_a_box_is_as_high_over_its_width_as_it_is_drawn():
    z, y, x = np.indices((4, 6, 6)).reshape(3, -1)
    sums = np.zeros((1, FIELDS), np.int64)
    sums[0, 0] = z.size
    for field, values in {
        Z: z, Y: y, X: x, ZZ: z * z, YY: y * y, XX: x * x, ZY: z * y, ZX: z * x, YX: y * x
    }.items():  # fmt: skip
        sums[0, field] = values.sum()
    elongation, height = _shape(sums, np.array([3.0, 1.0, 1.0]))
    assert height == pytest.approx(12 / 6)
    assert elongation == pytest.approx(2)


def test_counts_are_lower_bounds_where_voxels_are_long_or_noisy_or_smoothed():
    def bounds(**known):
        return [number.bound for _, number in particle_numbers(PARTICLES, **known)]

    def noise(of_cube, **more):
        return Artifacts(0.01, 0.001, 4 * of_cube, of_cube, 0.0, 0.01, 16, **more)

    assert bounds() == bounds(edge_ratio=1.1, volume_artifacts=noise(0.05)) == [None] * 3
    bounded = ["lower", "lower", "upper"]
    assert bounds(edge_ratio=2.0) == bounded
    assert bounds(volume_artifacts=noise(0.05, shared=0.5)) == bounded
    assert bounds(volume_artifacts=noise(0.05, tilt_deg=6.0)) == bounded
    ringed = replace(noise(0.05), rings=0.04)
    counts, _, median = (
        number for _, number in particle_numbers(PARTICLES, volume_artifacts=ringed)
    )
    assert counts.sd == pytest.approx(0.15 * len(PARTICLES))
    assert median.sd > 0.04 * median.value
    assert "rings" in counts.note
    twice = noise(0.05, shared=0.5, doubled=0.5)  # every second slice is its neighbor
    assert bounds(volume_artifacts=twice) == []
    counts, _, median = (number for _, number in particle_numbers(PARTICLES, edge_ratio=3.0))
    assert counts.sd == pytest.approx(0.15 * len(PARTICLES))  # some are split
    assert median.sd > 0.3 * median.value


def test_drifted_particles_are_not_counted_where_the_lithiums_face_is_lost():
    faces = {"lithium_electrolyte": Plane(20.0)}
    cell = CellGeometry((24, 64, 64), (2.0,) * 3, 63.0, 63.0, 64.0, planes=faces)
    names = {name for name, _ in particle_numbers(PARTICLES, cell=cell, surfaces={})}
    assert names == {"particles", "median_diameter_um"}


def test_noise_bounds_counts_of_particles():
    def bounds(**known):
        return [number.bound for _, number in particle_numbers(PARTICLES, **known)]

    bounded = ["lower", "lower", "upper"]
    cell = CellGeometry((24, 64, 64), (2.0,) * 3, 63.0, 63.0, 64.0)
    assert bounds(cell=cell, reference=Flat(noise_per_cm=0.4)) == [None] * 3
    assert bounds(cell=cell, reference=Flat(noise_per_cm=1.0)) == bounded


def test_edges_are_those_of_the_file():
    cell = CellGeometry((4, 4, 4), (2.0, 2.0, 2.0), 4.0, 4.0, 3.0)
    flat = CellGeometry((4, 4, 4), (6.0, 2.0, 2.0), 4.0, 4.0, 3.0)
    volume = np.zeros((4, 4, 4))
    assert edge_ratio(volume, cell) == 1
    assert edge_ratio(volume, flat) == 3
    resampled = SimpleNamespace(placement={"file_voxel_um": [2.0, 2.0, 5.0]})
    assert edge_ratio(resampled, cell) == 2.5
