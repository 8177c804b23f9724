"""Propagation and point spread: an edge as Fresnel has it, light that is not lost."""

import numpy as np
import pytest
from scipy.special import erf, fresnel

from xct.phantom.scan.optics import glare_map, propagate, spread, turn
from xct.physics.materials import wavelength_um

SETTINGS = {"energy_kev": 25.0, "distance_mm": 40.0}


def test_an_opaque_edge_shows_fresnel_s_fringes():
    pixel_um, columns = 0.1, 4096
    x = (np.arange(columns) - columns / 2 + 0.5) * pixel_um
    opaque = np.where(x < 0, 40.0, 0.0) * np.ones((4, 1))
    seen = propagate(opaque, 0 * opaque, pixel_um=pixel_um, **SETTINGS)[2]
    sine, cosine = fresnel(x * np.sqrt(2 / (wavelength_um(25.0) * 40e3)))
    expected = 0.5 * ((0.5 + cosine) ** 2 + (0.5 + sine) ** 2)
    near = np.abs(x) < 15
    # The pixels of an edge are what limits it: averaged over a micrometer they agree.
    smooth = np.convolve(seen - expected, np.ones(11) / 11, "same")[near]
    assert np.abs(smooth).max() < 0.01
    assert seen[near].max() == pytest.approx(1.370, abs=0.01)
    assert x[seen.argmax()] == pytest.approx(1.217 * np.sqrt(wavelength_um(25.0) * 2e4), abs=0.2)


def test_a_weak_phase_object_shows_its_curvature():
    # Small phase, no absorption: I = 1 + z ∇²D (Teague's equation), D = ∫δ.
    x = np.arange(256) * 2 * np.pi / 256
    depth_um = 1e-5 * np.sin(4 * x) * np.ones((256, 1))
    seen = propagate(0 * depth_um, depth_um, pixel_um=2.0, **SETTINGS)
    curvature = -((4 * 2 * np.pi / 512) ** 2) * depth_um
    np.testing.assert_allclose((seen - 1)[100, 60:-60], (40e3 * curvature)[100, 60:-60], atol=3e-5)


def test_a_strong_lens_spreads_light_as_rays_tell_though_its_phase_turns_fast():
    # D = -x² / 2F bends rays outwards: at a distance z they are 1 + z/F times as far apart.
    focus_um, pixel_um = 3.4e6, 1.625
    x = (np.arange(512) - 255.5) * pixel_um
    depth_um = np.tile(-(x[:, None] ** 2) / (2 * focus_um), (1, 16))
    steps = np.abs(np.diff(depth_um[:, 0])) * 2 * np.pi / wavelength_um(25.0)
    assert steps.max() > 4 * np.pi  # from pixel to pixel: samples of pixels could not tell
    seen = propagate(0 * depth_um, depth_um, pixel_um=pixel_um, energy_kev=25.0, distance_mm=200.0)[
        :, 8
    ]
    np.testing.assert_allclose(seen[100:-100], 1 / (1 + 200e3 / focus_um), rtol=0.003)


def test_nothing_in_the_beam_leaves_it_as_it_is():
    seen = propagate(np.zeros((20, 30)), np.zeros((20, 30)), pixel_um=1.3, **SETTINGS)
    np.testing.assert_allclose(seen, 1, atol=1e-5)


def test_light_is_spread_but_not_lost():
    light = np.zeros((301, 301), np.float32)
    light[150, 150] = 1e4
    seen = spread(light, 3.0, 0.01, 30.0)
    assert seen.sum() == pytest.approx(1e4, rel=1e-3)
    # A Gaussian of this width falls to a half at 1.5 px, to 2 ** (-4 / 9) at one.
    assert seen[150, 151] / seen[150, 150] == pytest.approx(2 ** (-4 / 9), rel=1e-3)
    outside = np.hypot(*(np.indices(seen.shape) - 150)) > 12
    # A hundredth of the light is veiling glare; 12 px are 0.4 sd of it: exp(-0.08) lies beyond.
    assert seen[outside].sum() == pytest.approx(100 * np.exp(-0.08), rel=0.02)


def test_even_light_stays_even_up_to_the_edges():
    even = np.full((37, 53), 7.0, np.float32)
    np.testing.assert_allclose(spread(even, 2.0, 0.01, 200.0), 7, rtol=1e-5)
    np.testing.assert_allclose(glare_map(even, 5.0), 7, rtol=1e-5)


def test_glare_is_a_wide_gaussian():
    light = np.zeros((400, 400), np.float32)
    light[:, 200:] = 1
    x = np.arange(400) - 199.5
    expected = (1 + erf(x / (40 * np.sqrt(2)))) / 2
    np.testing.assert_allclose(glare_map(light, 40.0)[200, 60:340], expected[60:340], atol=0.01)


def test_a_tilted_axis_falls_on_larger_columns_as_rows_grow():
    columns = np.indices((81, 101))[1]
    line = np.exp(-0.5 * ((columns - 50) / 3.0) ** 2)
    seen = turn(line, 2.0, (40.0, 50.0))
    middles = (seen * columns).sum(axis=1) / seen.sum(axis=1)
    slope = np.polyfit(np.arange(20, 60), middles[20:60], 1)[0]
    assert slope == pytest.approx(np.tan(np.deg2rad(2.0)), rel=0.01)
    assert turn(line, 0.0, (40.0, 50.0)) is line
