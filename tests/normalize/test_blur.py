"""Width of the point spread at the bore's wall: errors over sds scatter by 1."""

import numpy as np
import pytest
from scipy.special import ndtr

from tests.normalize.layered_cell import ramp_noise
from xct.geometry import CellGeometry
from xct.normalize.blur import (
    GROUP,
    blur_at_wall,
    groups_at_wall,
    point_spread_um,
    wall_misfit,
)
from xct.physics.optics import FWHM_PER_SIGMA

VOXEL, WIDTH, BLUR = 2.0, 112, 0.9  # µm, voxels, voxels


def drawn_wall(seed, depth, noise):
    """A bore of 5 in a thick tube of 0.5, and its geometry; nothing random but place and noise."""
    rng = np.random.default_rng(seed)
    radius, (y0, x0) = rng.uniform(40, 45), (WIDTH - 1) / 2 + rng.uniform(-1, 1, 2)
    y, x = np.ogrid[:WIDTH, :WIDTH]
    # A blurred disc is at its half level a little inside of its edge.
    away = np.hypot(y - y0, x - x0) - radius + BLUR**2 / (2 * radius)
    shape = (depth, WIDTH, WIDTH)
    mu = 0.5 + 4.5 * ndtr(-away / BLUR) + noise * ramp_noise(shape, rng)
    cell = CellGeometry(shape, (VOXEL,) * 3, *VOXEL * np.array([y0, x0, radius]), 0.01)
    return mu.astype(np.float32), cell


def point_spread(seed, depth, noise):
    mu, cell = drawn_wall(seed, depth, noise)
    firsts = groups_at_wall(cell, (0, depth))
    return point_spread_um([blur_at_wall(mu[z : z + GROUP], z, cell) for z in firsts])


@pytest.mark.parametrize(("depth", "noise"), [(8, 1.5), (20, 1.5), (36, 0.4), (64, 1.5)])
def test_errors_of_the_point_spread_are_as_large_as_stated(depth, noise):
    found = [point_spread(seed, depth, noise) for seed in range(30)]
    z = [(fwhm - FWHM_PER_SIGMA * VOXEL * BLUR) / sd for fwhm, sd in found]
    assert 0.6 < np.sqrt(np.mean(np.square(z))) < 1.4
    assert np.abs(z).max() < 3.5  # no tails: a few groups that agree are not thought exact


@pytest.mark.parametrize("rows", [(5, 9), (5, 13), (5, 40), (5, 200)])
def test_groups_at_the_wall_share_no_slice(rows):
    cell = CellGeometry((200, 90, 90), (VOXEL,) * 3, 90.0, 90.0, 80.0, 0.01)
    firsts = groups_at_wall(cell, rows)
    assert firsts[0] == rows[0]
    assert all(np.diff(firsts) >= GROUP)
    assert len(firsts) == min(max((rows[1] - rows[0]) // GROUP, 1), 8)


def test_a_fringe_beside_the_wall_shows_in_how_far_it_is_from_a_blurred_step():
    mu, cell = drawn_wall(3, 24, 0.4)
    y, x = np.indices(mu.shape[1:]) * VOXEL
    away = np.hypot(y - cell.axis_y_um, x - cell.axis_x_um) - cell.bore_radius_um
    fringed = mu + np.float32(2.5) * np.exp(-(((away - 8.0) / 3.0) ** 2)).astype(np.float32)

    def misfit(volume):
        return wall_misfit([blur_at_wall(volume[z : z + GROUP], z, cell) for z in (0, 8, 16)])

    assert misfit(mu) < 0.012
    assert misfit(fringed) > 0.02


def test_an_outermost_group_that_reaches_into_another_layer_has_no_say():
    groups = [(1.0, 0.1), (0.98, 0.1), (1.02, 0.1), (1.01, 0.1)]
    assert point_spread_um([*groups, (0.5, 0.4)])[1] < point_spread_um(groups)[1]


def test_groups_that_differ_by_more_than_their_own_errors_are_less_sure():
    alike = point_spread_um([(1.0, 0.1), (1.0, 0.1), (1.0, 0.1)])
    unlike = point_spread_um([(0.5, 0.1), (1.0, 0.1), (1.5, 0.1)])
    assert alike[0] == unlike[0] == pytest.approx(FWHM_PER_SIGMA)
    assert alike[1] == pytest.approx(FWHM_PER_SIGMA * 1.16 * 0.1 / np.sqrt(3))
    assert unlike[1] == pytest.approx(5 * 1.4826 * alike[1])
