"""Grains of a cathode say whether slices lie as far apart as is said: in a file, in a cell."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter

from xct.analyze.inclusions import inclusion_numbers
from xct.analyze.layers import layer_numbers
from xct.geometry import CellGeometry, Plane
from xct.normalize import look_at_grains
from xct.normalize.given.grains_said import grain_numbers, grain_warning
from xct.normalize.grain_shape import GrainShape, grain_shape
from xct.segment.cell.grains_in_file import grains_in_file, spacing_doubt
from xct.segment.cell.shape import cell_numbers
from xct.segment.particle.numbers import particle_numbers

SHAPE = (72, 96, 96)
FRONT, BACK = 30, 60  # slices of the cathode


@pytest.fixture(scope="module")
def volume():
    """Steel, electrolyte, a cathode of balls that are as high as wide, steel; with noise."""
    rng = np.random.default_rng(3)
    grains = gaussian_filter(rng.normal(size=SHAPE), 1.4)
    values = np.where(grains > 0, 25.0, 5.0)
    values[:8], values[8:FRONT], values[BACK:] = 60, 5, 60
    return (gaussian_filter(values, 0.6) + rng.normal(0, 1, SHAPE)).astype(np.float32)


def cell(step_um, front=FRONT, back=BACK, depth=SHAPE[0]):
    planes = {
        "electrolyte_cathode": Plane(front * step_um), "cathode_collector": Plane(back * step_um)
    }  # fmt: skip
    return CellGeometry((depth, 96, 96), (step_um, 2.0, 2.0), 95.0, 95.0, 80.0, planes=planes)


def ratio(volume, step_um=2.0, **planes):
    return look_at_grains(volume, cell(step_um, depth=len(volume), **planes), {}).ratio


def given(values, step_um=2.0):
    return SimpleNamespace(
        voxels=values, voxel_size_um=(step_um, 2.0, 2.0), read=lambda index: values[index]
    )


def test_slices_at_the_distance_that_is_said_are_let_pass(volume):
    seen = look_at_grains(volume, cell(2.0), {})
    assert seen.ratio == pytest.approx(1, abs=0.05)
    assert grain_warning(seen) is None
    assert seen.bounds is None
    assert dict(grain_numbers(seen))["grain_height_ratio"].value == seen.ratio


@pytest.mark.parametrize(("step_um", "bounds"), [(1.0, "lower"), (4.0, "upper")])
def test_a_distance_that_is_said_wrongly_is_seen_before_and_after_the_layers_are_known(
    volume, step_um, bounds
):
    for seen in (look_at_grains(volume, cell(step_um), {}), grains_in_file(given(volume, step_um))):
        assert seen.ratio == pytest.approx(step_um / 2, rel=0.1)
        assert seen.bounds == bounds
        assert "voxel_size_um" in grain_warning(seen)
    assert "voxel_size_um" in spacing_doubt(given(volume, step_um))


def test_steel_that_hardly_any_light_passed_is_not_taken_for_grains(volume):
    noise = np.random.default_rng(5).normal(0, 200, SHAPE)
    noise[8:] = 0
    noisy = volume + gaussian_filter(noise, (0, 0.5, 0.5))
    assert grains_in_file(given(noisy)).ratio == pytest.approx(1, abs=0.1)
    assert spacing_doubt(given(noisy)) is None


def test_every_second_slice_is_seen_though_grains_are_hardly_two_slices_high(volume):
    assert ratio(volume[::2], front=15, back=30) == pytest.approx(0.5, abs=0.1)
    assert grain_warning(grains_in_file(given(volume[::2]))) is not None
    assert spacing_doubt(given(volume[::2], 4.0)) is None  # … at the distance that they have


def test_grains_of_a_voxel_are_said_and_their_number_is_a_lower_bound(volume):
    seen = grains_in_file(given(volume.reshape(24, 3, 32, 3, 32, 3).mean(axis=(1, 3, 5))))
    assert seen.coarse
    assert "voxel_size_um hold the size after that?" in grain_warning(seen)
    particles = pd.DataFrame({"equivalent_diameter_um": [9.0, 11.0], "drifted": [False, True]})
    found = dict(particle_numbers(particles, grain_shape=seen))
    assert [n.bound for n in found.values()] == ["lower", "lower", "upper"]


def test_noise_and_any_linear_scale_change_little(volume):
    noisy = volume + np.random.default_rng(0).normal(0, 6, SHAPE)
    assert ratio(noisy) == pytest.approx(1, abs=0.1)
    assert ratio(3e4 - 100 * volume) == pytest.approx(ratio(volume), rel=1e-4)


def test_what_lies_along_another_axis_is_not_judged_before_it_is_turned(volume):
    assert spacing_doubt(given(np.moveaxis(volume, 0, 2))) is None


def test_grains_that_are_not_seen_say_nothing(volume):
    assert look_at_grains(volume, cell(2.0), {"fbp": {}}) is None  # cubes, by construction
    assert look_at_grains(volume, cell(2.0, back=33), {}) is None
    assert grains_in_file(given(volume[:FRONT])) is None
    assert grain_shape(np.full((8, 30, 30), np.nan, np.float32), (1, 1, 1), 1) is None
    assert grain_warning(None) is None
    assert not list(grain_numbers(None))
    # Interpolated between slices that are higher than grains, these look tall, and may be flat.
    assert GrainShape(9.0, 4.0, 12.0, 3.0).bounds is None


def test_lengths_are_bounds_where_slices_lie_at_another_distance():
    flat, tall = GrainShape(2.0, 4.0, 2.0, 2.0), GrainShape(8.0, 4.0, 2.0, 2.0)
    layers = pd.DataFrame({
        "layer": ["lithium", "cathode"], "mean_thickness_um": 9.0, "absent_area_fraction": 0.0
    })  # fmt: skip

    def bounds(shape):
        return {n: v.bound for n, v in layer_numbers(layers, shape) if n.startswith("thickness")}

    # Lithium may be a gap in part, so it is at most that: and at least, so nothing is known.
    assert bounds(flat) == {"thickness_um.cathode": "lower"}
    assert bounds(tall) == {"thickness_um.lithium": "upper", "thickness_um.cathode": "upper"}
    assert bounds(None) == {"thickness_um.lithium": "upper", "thickness_um.cathode": None}
    particles = pd.DataFrame({"equivalent_diameter_um": [9.0, 11.0], "drifted": [False, True]})
    found = dict(particle_numbers(particles, grain_shape=tall))
    assert not found  # particles split or join
    assert "absent_area_fraction" in dict(layer_numbers(layers))
    assert "absent_area_fraction" not in dict(layer_numbers(layers, flat))
    dark = pd.DataFrame({
        "inclusion": [1], "filament": [False], "class": ["isolated"], "dark_volume_um3": [50.0]
    })  # fmt: skip
    volumes = {"inclusions", "inclusion_volume_um3"}
    assert volumes <= set(dict(inclusion_numbers(dark, flat)))
    assert not volumes & set(dict(inclusion_numbers(dark, tall)))


def test_where_voxels_are_coarse_the_bore_may_be_wider():
    coarse, fine = (dict(cell_numbers(cell(2.0), None, GrainShape(w, w, 2.0, 2.0))) for w in (2, 5))
    assert coarse["bore_radius_um"].bound == "lower"
    assert fine["bore_radius_um"].bound is None


def test_tiles_that_do_not_fit_are_told_where_and_withhold_what_is_cut(volume):
    tiled = np.concatenate([volume[:, :, :50], np.roll(volume[:, :, 50:], 3, axis=1)], axis=2)
    seen = look_at_grains(tiled, cell(2.0), {})
    assert seen.seams == (("x", 50),)
    assert "do not continue at the pixel 50 along x" in grain_warning(seen)
    plain = look_at_grains(volume, cell(2.0), {})
    assert plain.seams == ()
    names = {"inclusion": [1], "class": ["enclosed"], "filament": [False], "dark_volume_um3": [9.0]}
    inclusions = pd.DataFrame(names)
    given = [dict(inclusion_numbers(inclusions, one)) for one in (plain, seen)]
    assert {"inclusions", "inclusion_volume_um3"} <= set(given[0]) - set(given[1])
    particles = pd.DataFrame({"drifted": [True], "equivalent_diameter_um": [8.0]})
    assert "particles" in dict(particle_numbers(particles, grain_shape=plain))
    assert not dict(particle_numbers(particles, grain_shape=seen))
