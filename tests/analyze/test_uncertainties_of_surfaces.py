"""Stated standard deviations of surfaces: over many drawn errors, errors over sds scatter by 1.

Errors of a height map are drawn as they are understood: half of a column's standard deviation is
common to all columns, the rest is not. A wrong factor of 2 in any sd fails.
"""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from xct.analyze import layer_thickness, roughness_of, swelling_map, thickness_maps
from xct.analyze.layers import COMMON
from xct.geometry import SURFACES, Surface

SHAPE = (40, 50)
VOXEL = (2.0, 2.0)
HEIGHTS = (20.0, 60.0, 190.0, 270.0)
SEEDS = range(150)


def scatter(z):
    """Root mean square of errors over their sds."""
    return float(np.sqrt(np.mean(np.square(z))))


def is_about_one(z):
    return 0.7 < scatter(z) < 1.4


def seen(height_um, sd_um, rng):
    """A surface as it is measured: the truth with an error of the stated sd in each column."""
    height = np.broadcast_to(height_um, SHAPE).astype(float)
    common = COMMON * rng.standard_normal()
    own = np.sqrt(1 - COMMON**2) * rng.standard_normal(SHAPE)
    error = sd_um * (common + own)
    return Surface((height + error).astype(np.float32), np.full(SHAPE, sd_um, np.float32), "drawn")


def cell(heights, rng):
    return {
        name: seen(height, sd, rng)
        for name, height, sd in zip(SURFACES, heights, (0.5, 0.8, 0.6, 0.4), strict=True)
    }


@pytest.fixture(scope="module")
def layers():
    """Tables of layers of a cell that swelled, over seeds."""
    tables = []
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        before = SimpleNamespace(surfaces=cell((20.0, 50.0, 180.0, 260.0), rng))
        tables.append(layer_thickness(cell(HEIGHTS, rng), before).set_index("layer"))
    return tables


@pytest.mark.parametrize(("layer", "truth"), [("lithium", 40.0), ("electrolyte", 130.0)])
def test_mean_thickness(layers, layer, truth):
    z = [
        (table.mean_thickness_um[layer] - truth) / table.mean_thickness_um_sd[layer]
        for table in layers
    ]
    assert is_about_one(z)


@pytest.mark.parametrize(("layer", "truth"), [("lithium", 1 / 3), ("cathode", 0.0)])
def test_swelling(layers, layer, truth):
    z = [(table.swelling[layer] - truth) / table.swelling_sd[layer] for table in layers]
    assert is_about_one(z)


def test_swelling_map():
    z = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        now, before = cell(HEIGHTS, rng), cell((20.0, 40.0, 190.0, 270.0), rng)
        found = swelling_map(*(thickness_maps(some)["lithium"] for some in (now, before)))
        z.append((found.height_um - 1.0) / found.sd_um)
    assert 0.8 < scatter(z) < 1.25


def test_absent_area_by_its_outline():
    z = []
    y, x = np.indices((80, 80))
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        middle, radius = 40 + rng.uniform(-0.5, 0.5, 2), 20.0
        offset = 0.15 * rng.standard_normal()  # of the whole outline, in columns
        gone = np.hypot(y - middle[0], x - middle[1]) < radius + offset
        steel, lithium = np.full((2, 80, 80), 20.0, np.float32)
        lithium = np.where(gone, np.nan, 60.0).astype(np.float32)
        sd = np.full((80, 80), 0.3, np.float32)
        surfaces = {SURFACES[0]: Surface(steel, sd, ""), SURFACES[1]: Surface(lithium, sd, "")}
        row = layer_thickness(surfaces).iloc[0]
        truth = np.pi * radius**2 / 80**2
        z.append((row.absent_area_fraction - truth) / row.absent_area_fraction_sd)
    assert is_about_one(z)


def test_absent_area_by_thin_lithium_at_its_outline():
    z = []
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        lithium = np.full((40, 60), 60.0, np.float32)
        lithium[10:30, 10:30] = np.nan
        lithium[9, 9:31] = lithium[30, 9:31] = 24.0  # thin: may be none
        steel, sd = np.full((40, 60), 20.0, np.float32), np.full((40, 60), 0.3, np.float32)
        surfaces = {SURFACES[0]: Surface(steel, sd, ""), SURFACES[1]: Surface(lithium, sd, "")}
        row = layer_thickness(surfaces).iloc[0]
        truth = (400 + rng.uniform(0, 44) + 80 * 0.15 * rng.standard_normal()) / 2400
        z.append((row.absent_area_fraction - truth) / row.absent_area_fraction_sd)
    assert is_about_one(z)


def relief(rng, length_px, sq):
    field = gaussian_filter(rng.standard_normal((96, 96)), length_px, mode="wrap")
    return sq * (field - field.mean()) / field.std()


@pytest.fixture(scope="module")
def rough():
    """Roughness of a drawn relief, with noise as fine as a column or as smooth as averages."""
    found = []
    for seed in range(80):
        rng = np.random.default_rng(seed)
        true = relief(rng, 6, 2.0)
        sd = 0.8
        length = np.exp(rng.uniform(np.log(0.7), np.log(8)))
        error = (
            relief(rng, length, np.sqrt(1 - COMMON**2) * sd) + COMMON * sd * rng.standard_normal()
        )
        seen = Surface(
            (50 + true + error).astype(np.float32), np.full(true.shape, sd, np.float32), ""
        )
        exact = Surface((50 + true).astype(np.float32), np.zeros(true.shape, np.float32), "")
        found.append((roughness_of(seen, VOXEL), roughness_of(exact, VOXEL)))
    return found


@pytest.mark.parametrize("name", ["mean_height_um", "Sq_um", "Sa_um", "Sal_um"])
def test_roughness(rough, name):
    z = [(seen[name] - exact[name]) / seen[f"{name}_sd"] for seen, exact in rough]
    assert is_about_one(z), scatter(z)


def test_tilt():
    z = []
    y, x = (np.arange(n) - (n - 1) / 2 for n in SHAPE)
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        sd, rim_um = 0.8, np.sqrt(SHAPE[0] * SHAPE[1] * 4 / np.pi)
        slopes = COMMON * sd / rim_um * rng.standard_normal(2)
        height = 50 + slopes[0] * y[:, None] * 2 + slopes[1] * x * 2
        row = roughness_of(seen(height, sd, rng), VOXEL)
        z += [row[f"tilt_{axis}_deg"] / row[f"tilt_{axis}_deg_sd"] for axis in "yx"]
    assert is_about_one(z)
