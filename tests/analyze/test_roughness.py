"""Parameters of roughness, against surfaces that can be computed by hand."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from xct.analyze import roughness_of, surface_roughness
from xct.geometry import CellGeometry, Surface

VOXEL = (2.0, 2.0)


def surface(height_um, sd_um=0.0):
    height = np.asarray(height_um, np.float32)
    return Surface(height, np.full(height.shape, sd_um, np.float32), "by hand")


def test_a_tilted_plane_is_smooth():
    y, x = np.indices((60, 80)) * 2.0
    found = roughness_of(surface(50 + 0.1 * x - 0.02 * y), VOXEL)
    assert found["Sq_um"] < 1e-4
    assert found["tilt_x_deg"] == pytest.approx(np.rad2deg(np.arctan(0.1)), rel=1e-4)
    assert found["tilt_y_deg"] == pytest.approx(np.rad2deg(np.arctan(-0.02)), rel=1e-3)
    assert found["mean_height_um"] == pytest.approx(50 + 0.1 * 79 - 0.02 * 59, rel=1e-5)


def test_a_sine_has_its_amplitudes():
    x = (np.arange(400) - 199.5) * 2.0
    height = np.broadcast_to(3 * np.cos(2 * np.pi * x / 80), (50, 400))
    found = roughness_of(surface(height), VOXEL)
    assert found["Sq_um"] == pytest.approx(3 / np.sqrt(2), rel=0.01)
    assert found["Sa_um"] == pytest.approx(6 / np.pi, rel=0.01)
    assert found["Sz_um"] == pytest.approx(6, rel=0.01)
    assert found["Ssk"] == pytest.approx(0, abs=0.02)
    assert found["Sku"] == pytest.approx(1.5, rel=0.02)
    # cos(2πs/80) = 0.2; and the mean of ½ (∂h/∂x)², its slopes being small.
    assert found["Sal_um"] == pytest.approx(80 * np.arccos(0.2) / (2 * np.pi), abs=2.0)
    assert found["Sdr"] == pytest.approx(0.25 * (3 * 2 * np.pi / 80) ** 2, rel=0.05)


def test_noise_is_taken_off():
    rng = np.random.default_rng(0)
    relief = gaussian_filter(rng.standard_normal((200, 200)), 12, mode="wrap")
    relief *= 2 / relief.std()
    noise = gaussian_filter(rng.standard_normal((200, 200)), 1)
    noise *= 1 / noise.std()
    found = roughness_of(surface(relief + noise, sd_um=1.1), VOXEL)
    assert found["noise_um"] == pytest.approx(1, rel=0.15)
    assert found["Sq_um"] == pytest.approx(2, rel=0.05)
    assert abs(found["Sq_um"] - 2) < 2 * found["Sq_um_sd"]
    alone = roughness_of(surface(relief), VOXEL)["Sal_um"]
    assert abs(found["Sal_um"] - alone) < 2 * found["Sal_um_sd"] < 0.2 * alone


def test_missing_columns_are_left_out():
    height = np.full((40, 40), 7.0)
    height[:, :10] = np.nan
    height[5, 5:] = np.nan
    found = roughness_of(surface(height), VOXEL)
    assert found["n"] == 40 * 30 - 30
    assert found["mean_height_um"] == pytest.approx(7)
    assert found["Sq_um"] < 1e-5


def test_a_table_has_one_row_for_each_surface_even_where_there_is_nothing():
    cell = CellGeometry((10, 30, 30), (2.0, 2.0, 2.0), 30.0, 30.0, 25.0)
    empty = surface(np.full((30, 30), np.nan))
    flat = surface(np.full((30, 30), 4.0))
    table = surface_roughness({"steel_lithium": flat, "lithium_electrolyte": empty}, cell)
    table = table.set_index("surface")
    assert table.mean_height_um["steel_lithium"] == 4
    assert np.isnan(table.Sq_um["lithium_electrolyte"])


def test_columns_that_could_not_be_measured_may_lie_where_the_relief_does():
    height = np.where(np.arange(60)[:, None] % 20 < 10, 48.0, 52.0) + np.zeros((60, 80))
    some = surface(height, 0.2)
    known = roughness_of(some, VOXEL)["mean_height_um_sd"]
    assert known == pytest.approx(0.1)  # half of a column's is common to all
    radius_um = np.sqrt(4800 * 4 / np.pi)
    tilt_sd = roughness_of(some, VOXEL)["tilt_y_deg_sd"]
    assert tilt_sd == pytest.approx(np.rad2deg(0.1 / radius_um), rel=1e-4)
    some.height_um[20:30, 30:40] = np.nan
    some.sd_um[20:30, 30:40] = np.nan
    found = roughness_of(some, VOXEL)
    expected = np.hypot(0.1, found["Sq_um"] * 100 / 4700)
    assert found["mean_height_um_sd"] == pytest.approx(expected)


def test_the_rim_of_what_is_gone_leaves_the_mean_height_open():
    some = surface(np.full((40, 40), 60.0), 0.2)
    some.height_um[9:21, 9:21] = 20.0  # thin lithium about …
    some.height_um[10:20, 10:20] = np.nan  # … where it is gone, and was looked for
    rim, n = 12 * 12 - 100, 1500
    lower = 40 * (1 - rim / n)
    expected = np.hypot(0.1, 0.5 / np.sqrt(3) * rim * lower / n)
    found = roughness_of(some, VOXEL)
    assert found["mean_height_um_sd"] == pytest.approx(expected, rel=1e-4)
