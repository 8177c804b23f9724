"""Displacement between two states of one cell, moved between their scans by a known motion."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates

from xct.analyze import displacement_map
from xct.analyze.displacement import turn_sd_rad
from xct.analyze.registration import carried
from xct.geometry import CellGeometry, Surface

SIZE, VOXEL = 160, 2.0
PIN, FACE = "steel_lithium", "lithium_electrolyte"


def cell(y_off=0.0, x_off=0.0, anode="low_z"):
    middle = (SIZE - 1) / 2 * VOXEL
    return CellGeometry(
        (100, SIZE, SIZE), (VOXEL,) * 3, middle + y_off, middle + x_off, 140.0, anode=anode
    )


def relief(sq, length, seed):
    field = gaussian_filter(np.random.default_rng(seed).standard_normal((SIZE, SIZE)), length)
    return sq * field / field.std()


def seen(height, geometry, turn_deg=0.0, shift_um=0.0, slope=0.0, noise=0.05, seed=9):
    """Heights as a scan shows them: turned about the axis, shifted and tilted, anode down."""
    y, x = np.broadcast_arrays(*geometry.offsets_um(49.5))
    sine, cosine = np.sin(np.deg2rad(turn_deg)), np.cos(np.deg2rad(turn_deg))
    middle = (SIZE - 1) / 2
    source = (cosine * y - sine * x) / VOXEL + middle, (sine * y + cosine * x) / VOXEL + middle
    values = map_coordinates(height, source, order=3, mode="nearest") + shift_um + slope * x
    values = values + noise * np.random.default_rng(seed).standard_normal(values.shape)
    values[np.hypot(y, x) > geometry.bore_radius_um] = np.nan
    return Surface(values.astype(np.float32), np.full(values.shape, 0.1, np.float32), "")


@pytest.fixture(scope="module")
def heights():
    pin, face = 40 + relief(0.5, 8, 1), 90 + relief(3, 10, 2)
    return pin, face, face + 6 + relief(2, 12, 3)


@pytest.fixture
def pristine(heights):
    geometry = cell()
    maps = {PIN: seen(heights[0], geometry), FACE: seen(heights[1], geometry, seed=8)}
    return SimpleNamespace(cell=geometry, surfaces=maps)


def test_what_moved_rigidly_is_taken_out(heights, pristine):
    pin, before, after = heights
    moved = cell(7.0, -5.0)
    motion = {"turn_deg": 37.0, "shift_um": 11.0, "slope": 0.01}
    now = {PIN: seen(pin, moved, seed=7, **motion), FACE: seen(after, moved, seed=6, **motion)}
    found = displacement_map(now, moved, pristine, same_cell=True)
    assert found.motion.turn_known
    assert found.motion.turn_deg == pytest.approx(37, abs=0.3)
    error = found.maps[FACE].height_um - (after - before)
    assert abs(np.nanmean(error)) < 0.05 * VOXEL
    assert np.sqrt(np.nanmean(error**2)) < 0.15 * VOXEL
    assert found.table.set_index("surface").mean_um[FACE] == pytest.approx(6, abs=0.3)
    assert found.motion.residual_um < 0.15


def test_a_scan_upside_down_gives_the_same(heights, pristine):
    pin, before, after = heights
    low, high = cell(), cell(anode="high_z")
    now = {}
    for name, height, seed in ((PIN, pin, 7), (FACE, after, 6)):
        upright = seen(height, low, turn_deg=20, seed=seed)
        # Turned over about the x axis: z and y change their direction.
        now[name] = Surface(198 - upright.height_um[::-1], upright.sd_um[::-1], "")
    found = displacement_map(now, high, pristine, same_cell=True)
    error = found.maps[FACE].height_um - (after - before)
    assert np.sqrt(np.nanmean(error**2)) < 0.15 * VOXEL


def test_other_cells_are_refused(pristine):
    with pytest.raises(ValueError, match="same_cell: true"):
        displacement_map(pristine.surfaces, pristine.cell, pristine, same_cell=False)


def test_a_pin_without_relief_is_not_turned_and_that_is_said(heights, pristine):
    smooth = np.full((SIZE, SIZE), 40.0)
    now = {PIN: seen(smooth, pristine.cell, seed=5), FACE: pristine.surfaces[FACE]}
    with pytest.warns(UserWarning, match="taken as 0°"):
        found = displacement_map(now, pristine.cell, pristine, same_cell=True)
    assert found.motion.turn_deg == 0
    assert abs(found.table.mean_um[0]) < 0.1 * VOXEL
    assert np.isnan(found.maps[FACE].sd_um).all()  # the turn is not known


def test_the_pin_is_needed(pristine):
    now = {FACE: pristine.surfaces[FACE]}
    with pytest.raises(ValueError, match="this state has no surface steel_lithium"):
        displacement_map(now, pristine.cell, pristine, same_cell=True)


def test_a_turn_that_is_not_sure_leaves_steep_columns_uncertain(heights, pristine):
    now = {PIN: seen(heights[0], cell(), seed=7, noise=0.3), FACE: pristine.surfaces[FACE]}
    found = displacement_map(now, cell(), pristine, same_cell=True)
    u = found.maps[FACE]
    y, x = np.broadcast_arrays(*cell().offsets_um(49.5))
    slope_y, slope_x = np.gradient(heights[1], VOXEL)
    steep = np.abs(x * slope_y - y * slope_x)
    known = np.isfinite(u.sd_um)
    far = known & (steep > np.median(steep[known]))
    assert u.sd_um[far].mean() > u.sd_um[known & ~far].mean()


def measured(height, own_sd, common_sd, rng, turn_deg=0.0):
    """A surface with errors of its columns, and one of all of them, drawn anew."""
    exact = seen(height, cell(), turn_deg=turn_deg, noise=0.0)
    error = own_sd * rng.standard_normal(exact.height_um.shape) + common_sd * rng.standard_normal()
    sd = np.where(np.isfinite(exact.height_um), own_sd, np.nan).astype(np.float32)
    return Surface((exact.height_um + error).astype(np.float32), sd, "drawn")


@pytest.fixture(scope="module")
def drawn(heights):
    """Displacements by 6 µm and a relief, and by a turn of 20°, of states with errors."""
    pin, before, after = heights
    found = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        own = 0.3 * 0.8  # of a column's sd; the rest both states have in common
        maps = [
            {
                PIN: measured(pin, 0.3, 0.5 * 0.3, rng, turn),
                FACE: measured(face, own, 0.3 * 0.3, rng, turn),
            }
            for face, turn in ((before, 0.0), (after, 20.0))
        ]
        for some in maps:
            some[FACE].sd_um[np.isfinite(some[FACE].sd_um)] = 0.3
        first = SimpleNamespace(cell=cell(), surfaces=maps[0])
        found.append((displacement_map(maps[1], cell(), first, same_cell=True), first, maps[1]))
    return found


def scatter(z):
    return float(np.sqrt(np.nanmean(np.square(z))))


def test_errors_of_columns_are_as_large_as_stated(heights, drawn):
    truth = heights[2] - heights[1]
    z = [(found.maps[FACE].height_um - truth) / found.maps[FACE].sd_um for found, *_ in drawn]
    assert 0.75 < scatter(z) < 1.35


def test_the_error_of_the_mean_is_as_large_as_stated(heights, drawn):
    truth = heights[2] - heights[1]
    z = []
    for found, *_ in drawn:
        known = np.isfinite(found.maps[FACE].height_um)
        row = found.table.iloc[0]
        z.append((row.mean_um - truth[known].mean()) / row.mean_um_sd)
    assert 0.7 < scatter(z) < 1.45


def test_the_error_of_the_turn_is_as_large_as_stated(drawn):
    z = []
    for found, first, now in drawn:
        moved = carried(now[PIN], cell(), cell(), found.motion)
        sd = np.rad2deg(turn_sd_rad(cell(), first.surfaces[PIN], moved))
        z.append((found.motion.turn_deg - 20.0) / sd)
    assert 0.6 < scatter(z) < 1.6
