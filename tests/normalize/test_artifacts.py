"""Rings, noise and cupping of other people's volumes: measured, said, and silent where clean."""

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates, median_filter, rotate, shift

from tests.normalize.layered_cell import MU, LayeredCell
from tests.normalize.test_electrolyte import geometry_of
from xct.normalize import electrolyte_reference, look_at_artifacts
from xct.normalize.given.artifacts_said import (
    artifact_numbers,
    artifact_warning,
    coarse_codes,
    lone_points,
)
from xct.normalize.given.noise_patterns import ring_variance, step_of
from xct.normalize.reference import reference_numbers
from xct.segment.cell.shape import cell_numbers
from xct.segment.particle.numbers import particle_numbers

CELL = LayeredCell(shape=(96, 96, 96), radius=40.0, wall=4.0, center=(47.0, 48.0))
MIDDLE = 47.5
Y, X = np.mgrid[:96, :96] - MIDDLE
RING = np.rint(np.hypot(Y, X)).astype(int)


@pytest.fixture(scope="module")
def volume():
    return CELL.draw()


def seen(volume, steps=None):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reference = electrolyte_reference(volume, geometry_of(CELL), energy_kev=25.0)
    return look_at_artifacts(volume, geometry_of(CELL), reference, steps or {})


def test_rings_are_measured_without_bias_and_grains_are_none():
    rng = np.random.default_rng(0)
    y, x = Y[RING < 40], X[RING < 40]
    noise = [ring_variance(rng.normal(0, 0.3, y.size), y, x) for _ in range(100)]
    assert abs(np.mean(noise)) < 4 * np.std(noise) / 10
    assert np.mean(noise) < 0.01**2
    spots = np.repeat(np.repeat(rng.normal(0, 0.5, (16, 16)), 6, 0), 6, 1)[RING < 40]
    assert ring_variance(spots, y, x) < 0.06**2
    rings = [rng.normal(0, 0.05, 80)[RING[RING < 40]] for _ in range(100)]
    found = [ring_variance(v + rng.normal(0, 0.3, y.size), y, x) for v in rings]
    # The trend along the radius takes a few of forty degrees of freedom.
    assert np.mean(found) == pytest.approx(0.05**2, rel=0.15)


def test_too_few_rings_are_not_measured():
    assert np.isnan(ring_variance(np.zeros(9), np.arange(9.0), np.zeros(9)))


def test_a_clean_volume_is_not_warned_of(volume):
    found = seen(volume)
    assert artifact_warning(found) is None
    assert found.rings < 0.02
    assert found.cupping == pytest.approx(0, abs=0.02)
    assert {name for name, _ in artifact_numbers(found)} == {
        "rings_of_electrolyte", "noise_of_electrolyte", "cupping_of_electrolyte",
        "noise_shared_by_slices",
    }  # fmt: skip


@pytest.mark.parametrize("scale", [1.0, 40.0])
def test_rings_are_said_on_any_scale(volume, scale):
    rings = np.random.default_rng(1).normal(0, 0.6, 200)[RING]  # 12 % of the electrolyte
    found = seen((volume + rings.astype(np.float32)) * scale)
    assert found.rings == pytest.approx(0.12, abs=0.03)
    assert "rings: they add" in artifact_warning(found)


def test_noise_that_hides_layers_is_said(volume):
    noise = np.random.default_rng(2).normal(0, 12, volume.shape)
    found = seen(volume + noise.astype(np.float32))
    assert found.noise > 2
    assert "noise: that of a voxel is" in artifact_warning(found)
    # The mean of fine voxels tells more.
    assert replace(found, noise_of_cube=0.1).noise_of_cube < found.noise_of_cube


def test_cupping_is_corrected_for_and_said_where_values_are_attenuation(volume):
    radius = np.hypot(Y - (47.0 - MIDDLE), X - (48.0 - MIDDLE)) / 40
    found = seen(volume * (1 + 0.2 * radius**2).astype(np.float32))
    # Means of the square of the radius, over the outer fifth and the inner two.
    assert found.cupping == pytest.approx(0.2 * 0.65, abs=0.04)
    assert "cupping: the electrolyte attenuates" in artifact_warning(found)
    assert artifact_warning(replace(found, is_grey=True)) is None


def test_the_uncertainty_of_mu_holds_what_cupping_takes(volume):
    radius = np.hypot(Y - (47.0 - MIDDLE), X - (48.0 - MIDDLE)) / 40
    cupped = volume * (1 + 0.1 * (radius**2 - 1)).astype(np.float32)
    reference = electrolyte_reference(cupped, geometry_of(CELL), energy_kev=25.0)
    known = dict(reference_numbers(reference, volume_artifacts=seen(cupped)))
    peak, plain = known["electrolyte_peak_per_cm"], reference.peak_sd_per_cm
    assert plain < 0.02 * peak.value  # of 5 %, that it is off
    assert abs(peak.value - MU["electrolyte"]) < 2 * peak.sd
    alone = dict(reference_numbers(reference, volume_artifacts=seen(volume)))
    assert alone["electrolyte_peak_per_cm"].sd == plain


def test_cupping_that_is_likely_but_not_sure_counts_into_the_uncertainty_of_mu(volume):
    found = replace(seen(volume), cupping=0.055, cupping_sd=0.014, rings=0.01, rings_sd=0.001)
    assert artifact_warning(found) is None
    assert found.doubt_of_mean == pytest.approx(0.055)
    assert replace(found, cupping_sd=0.03).doubt_of_mean == 0


def test_what_cannot_be_attenuation_is_no_number_in_1_per_cm(volume):
    reference = electrolyte_reference(volume, geometry_of(CELL), energy_kev=25.0)
    known = dict(reference_numbers(reference))
    doubted = dict(reference_numbers(replace(reference, mu_known=False)))
    assert set(known) - set(doubted) == {"electrolyte_peak_per_cm", "noise_per_cm"}


def test_an_offset_is_said_and_counts_into_the_uncertainty_of_mu(volume):
    found = seen(volume + np.float32(0.5))
    assert found.air == pytest.approx(0.5 / 5.7, abs=0.01)
    assert "offset: what lies about the tube has 9%" in artifact_warning(found)
    assert found.doubt_of_mean == pytest.approx(found.air, rel=0.1)
    assert replace(found, is_grey=True).doubt_of_mean < 0.02
    assert seen(volume).offset == 0


def test_points_that_no_point_spread_makes_are_said_and_blurred_grains_are_none(volume):
    at = np.random.default_rng(5).random(volume.shape) < 1e-3
    assert "points: 0." in lone_points(seen(np.where(at, 150, volume).astype(np.float32)))
    grains = gaussian_filter(np.where(at, 800.0, 0), 0.6).astype(np.float32)
    for other in (volume, volume + grains):
        assert lone_points(seen(other)) is None


def test_noise_whose_outliers_were_replaced_is_said(volume):
    usual = median_filter(volume, (1, 3, 3))
    sd = float(np.std(volume[40, 40:56, 40:56]))
    trimmed = np.where(np.abs(volume - usual) > 2.2 * sd, usual, volume)
    assert seen(trimmed).trimmed
    assert "outliers were replaced" in artifact_warning(seen(trimmed))
    assert not seen(volume).trimmed


@pytest.mark.parametrize(("step", "said"), [(0.6, False), (4.0, True)])
def test_values_of_few_codes_are_said(volume, step, said):
    found = seen((np.rint(volume / step) * step).astype(np.float32))
    assert found.step == pytest.approx(step / 5.2, rel=0.1)
    assert ("few codes" in (coarse_codes(found) or "")) == said


def test_real_numbers_have_no_steps():
    assert step_of(np.random.default_rng(0).normal(5, 1, 1000)) == 0
    assert step_of(np.array([3.0, 3.0, np.nan])) == 0
    assert step_of(np.array([0, 2, 4, 4, 6])) == 2


def test_what_xct_reconstructed_itself_is_not_looked_at(volume):
    assert seen(volume, {"fbp": {}}) is None
    assert [*artifact_numbers(None)] == []
    assert artifact_warning(None) is None


def test_a_volume_that_was_smoothed_is_said_and_one_that_was_not_is_not(volume):
    plain = seen(volume)
    assert abs(plain.shared) < 0.1
    for smoothed in (median_filter(volume, 3), gaussian_filter(volume, 0.8)):
        found = seen(smoothed)
        assert found.shared > 0.45
        assert "smoothed: " in artifact_warning(found)
        assert found.doubled == 0


def test_slices_that_were_turned_by_interpolation_are_said(volume):
    assert seen(volume).weave < 25
    assert not seen(volume).softened
    assert seen(shift(volume, (0, 0.5, 0.5), order=1)).softened
    turned = rotate(volume, 10, axes=(1, 2), reshape=False, order=1)
    found = seen(turned)
    assert found.weave > 60
    assert "turned or scaled by interpolation" in artifact_warning(found)


def test_slices_that_were_warped_about_their_middle_are_said(volume):
    assert not seen(volume).warped
    y, x = Y[:, :1], X[:1]
    factor = 1 - 0.03 * (y**2 + x**2) / 48**2
    at = (y * factor + MIDDLE, x * factor + MIDDLE)
    warped = np.array([map_coordinates(image, at, order=1) for image in volume])
    found = seen(warped)
    assert found.outward > seen(volume).outward + 0.2
    assert "slices were warped by interpolation" in artifact_warning(found)
    cell = replace(geometry_of(CELL), bore_radius_sd_um=0.1)
    assert "bore_radius_um" in dict(cell_numbers(cell, volume_artifacts=seen(volume)))
    assert "bore_radius_um" not in dict(cell_numbers(cell, volume_artifacts=found))


def test_frames_that_a_weak_lens_distorted_bound_the_count(volume):
    at = np.mgrid[:96, :96, :96] - MIDDLE
    at *= 1 - 0.005 * (at**2).sum(axis=0) / 48**2
    warped = map_coordinates(volume, at + MIDDLE, order=1, mode="nearest")
    found = seen(warped)
    assert found.perhaps_warped
    assert not seen(volume).perhaps_warped
    assert not found.warped


def test_slices_that_are_there_twice_are_said(volume):
    twice = np.repeat(volume[16:64], 2, axis=0)
    found = seen(twice)
    assert found.doubled > 0.2
    assert "doubled slices: " in artifact_warning(found)


@pytest.mark.parametrize(("part", "said"), [(0.03, False), (0.2, True)])
def test_shading_across_is_said(volume, part, said):
    shade = np.linspace(1 - part / 2, 1 + part / 2, 96, dtype=np.float32)
    found = seen(volume * shade)
    assert found.shaded == said
    assert ("shading: the electrolyte is" in (artifact_warning(found) or "")) == said
    if said:
        assert found.shading == pytest.approx(part * 80 / 96, rel=0.2)  # over the bore alone


def test_pieces_that_are_not_joined_make_the_count_an_upper_bound(volume):
    particles = pd.DataFrame({"drifted": [False] * 3, "equivalent_diameter_um": [8.0, 9.0, 10.0]})
    sharp = replace(seen(volume), blur_px=1.3, alike_beside=0.1, shared=0.0, alike_across=0.0)
    numbers = dict(particle_numbers(particles, volume_artifacts=sharp))
    assert numbers["particles"].bound == "upper"
    median = numbers["median_diameter_um"]
    assert median.bound == "lower"
    coarse = dict(particle_numbers(particles, volume_artifacts=replace(sharp, step=0.12)))
    assert coarse["median_diameter_um"].sd > np.hypot(median.sd, 0.03 * median.value)
    assert not dict(particle_numbers(particles, volume_artifacts=replace(sharp, shared=0.5)))


def test_what_may_have_been_warped_bounds_the_count_of_particles(volume):
    particles = pd.DataFrame({"drifted": [False] * 3, "equivalent_diameter_um": [8.0, 9.0, 10.0]})
    plain = replace(seen(volume), blur_px=1.5, alike_beside=0.1, shared=0.0, alike_across=0.0)
    for outward, bound in ((-0.02, None), (0.03, None), (0.08, "lower")):
        found = replace(plain, outward=outward)
        assert dict(particle_numbers(particles, volume_artifacts=found))["particles"].bound == bound
    assert "warped" not in (artifact_warning(replace(plain, outward=0.08)) or "")
