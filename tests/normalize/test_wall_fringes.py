"""Fringes in a volume: seen at its walls and in its electrolyte, not where it only absorbs."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, laplace

from xct.geometry import CellGeometry, Plane
from xct.normalize import look_at_walls
from xct.normalize.wall_fringes import known_fringes, wall_numbers, wall_warning
from xct.quantity import derived
from xct.segment.cell.shape import cell_numbers

SE, TUBE, SHAPE, BORE_PX, TUBE_PX = 10.0, 0.8, (24, 130, 130), 44.0, 48.0
FRAMES = {"fringes": {"value": "seen"}}


def geometry(*, wall=True, voxel_um=1.6):
    planes = {
        "lithium_electrolyte": Plane(2 * voxel_um, 0.0, 0.0),
        "electrolyte_cathode": Plane(21 * voxel_um, 0.0, 0.0),
    }
    middle = (SHAPE[1] - 1) / 2 * voxel_um
    return CellGeometry(
        SHAPE, (voxel_um,) * 3, axis_y_um=middle, axis_x_um=middle,
        bore_radius_um=BORE_PX * voxel_um, bore_radius_sd_um=0.01 if wall else float("nan"),
        tube_radius_um=TUBE_PX * voxel_um, planes=planes,
    )  # fmt: skip


def cell(squared_px=0.0, *, noise=0.5, seed=0, air=0.0, wall=TUBE, rings=0.0, pores=100):
    """Electrolyte with pores in a tube in air; with `squared_px`, edges refract as they would."""
    rng = np.random.default_rng(seed)
    y, x = np.indices(SHAPE[1:]) - (SHAPE[1] - 1) / 2
    r = np.hypot(y, x)
    mu = np.where(r < BORE_PX, SE, np.where(r < TUBE_PX, wall, 0.0)) * np.ones(SHAPE)
    for z, v, u in zip(*(rng.integers(3, n - 3, pores) for n in SHAPE), strict=True):
        if r[v, u] < BORE_PX - 4:
            mu[z : z + 2, v : v + 2, u : u + 2] = 0.0
    refracting = np.where(np.isclose(mu, TUBE), 4.0, mu)  # the tube more than it absorbs
    mu = gaussian_filter(mu, 0.7) - squared_px * laplace(gaussian_filter(refracting, 0.7))
    mu += rings * SE * np.sin(r / 1.5) * (r < TUBE_PX + 3)
    return (mu + noise * rng.normal(size=SHAPE) + air).astype(np.float32)


CLEAN = [{}, {"noise": 4.0}, {"wall": 60.0}, {"wall": 0.0}, {"rings": 0.02}, {"pores": 2000},
         {"noise": 1e-3}]  # fmt: skip


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("settings", CLEAN)
def test_a_volume_that_only_absorbs_has_none(settings, seed):
    seen = look_at_walls(cell(seed=seed, **settings), geometry())
    assert np.isfinite([seen.dip, seen.darkest]).all()
    assert not list(wall_numbers(seen))
    assert wall_warning(seen) is None
    assert known_fringes({}, seen) is None


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("air", [0.0, 500.0])
def test_fringes_at_the_walls_are_seen_on_any_scale(seed, air):
    seen = look_at_walls(cell(4.0, seed=seed, air=air), geometry())
    assert seen.below_air
    assert seen.above_electrolyte
    assert "below that of air" in wall_warning(seen)
    assert "before they are reconstructed" in wall_warning(seen)
    assert "before line_integrals" in wall_warning(seen, {"fbp": {}})
    assert known_fringes({}, seen) == "seen in the volume"


def test_without_a_wall_in_view_pores_tell():
    found = geometry(wall=False)
    seen = look_at_walls(cell(4.0, pores=1000), found)
    assert np.isnan(seen.dip)
    assert seen.darker_than_air
    assert "one voxel of the electrolyte in a thousand" in wall_warning(seen)
    assert look_at_walls(cell(4.0, pores=1000), replace(found, planes={})).darker_than_air
    assert not look_at_walls(cell(pores=2000), found).darker_than_air
    assert not look_at_walls(cell(pores=2000, noise=5.0), found).darker_than_air


def test_a_wrong_filter_is_noticed_inside_the_bore_only():
    steps = {"fbp": {}, "phase_retrieval": {}}
    left = look_at_walls(cell(4.0), geometry())
    assert "does not fit" in wall_warning(left, steps)
    outside = look_at_walls(cell(wall=-5.0), geometry())
    assert outside.below_air
    assert wall_warning(outside, steps) is None


def test_what_was_seen_in_the_frames_goes_before_and_without_electrolyte_nothing_is_known():
    clean = look_at_walls(cell(), geometry())
    assert known_fringes(FRAMES, clean) == "seen in the frames"
    fringed = look_at_walls(cell(4.0), geometry())
    assert wall_warning(fringed, {}, {}) is not None
    assert wall_warning(fringed, {}, FRAMES) is None  # said already
    empty = np.zeros(SHAPE, np.float32)
    assert known_fringes({}, look_at_walls(empty, geometry())) is None


def test_a_run_knows_of_them_once_it_knows_the_cell():
    found = {"numbers": {}, "volume": cell(4.0), "cell": geometry(), "steps": {}}
    assert derived(found)["uncorrected_fringes"] == "seen in the volume"
    assert "uncorrected_fringes" not in derived({"numbers": FRAMES, "steps": {}})


def test_no_radius_no_tilt_and_no_point_spread_are_stated_with_fringes():
    assert {"bore_radius_um", "anode"} < {key for key, _ in cell_numbers(geometry())}
    assert [key for key, _ in cell_numbers(geometry(), "seen in the volume")] == ["anode"]
