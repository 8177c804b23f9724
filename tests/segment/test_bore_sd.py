"""The stated standard deviation of the bore's radius, over many volumes with a known one."""

import numpy as np
import pytest
from scipy.special import erf, ndtr

from xct.segment.cell.bore import Bore, fit_bore, group_means, lens_of
from xct.segment.cell.bore_estimate import BoreEstimate
from xct.segment.cell.coarse import Frame
from xct.segment.cell.tube import find_wall

VOXEL = 2.0
DEPTH, WIDTH = 96, 56
INSIDE, TUBE, AIR = 5.0, 0.5, 0.0
BLUR = 0.9  # voxels


def bore_in_noise(seed, noise):
    """Draw a bore in a thick tube: radius in voxels, and the volume."""
    rng = np.random.default_rng(seed)
    radius, (y0, x0) = 18 + rng.uniform(), (WIDTH - 1) / 2 + rng.uniform(-1, 1, 2)
    y, x = np.ogrid[:WIDTH, :WIDTH]
    # A blurred disc is at its half level a little inside of its edge.
    u = (np.hypot(y - y0, x - x0) - radius + BLUR**2 / (2 * radius)) / BLUR
    mu = TUBE + (INSIDE - TUBE) * 0.5 * (1 - erf(u / np.sqrt(2)))
    return radius, mu + noise * rng.standard_normal((DEPTH, WIDTH, WIDTH)).astype(np.float32)


@pytest.mark.parametrize("noise", [1.5, 6.0])
def test_errors_of_the_bore_are_as_large_as_stated(noise):
    z = []
    frame = Frame((DEPTH, WIDTH, WIDTH), (VOXEL,) * 3, 1, None)
    for seed in range(40):
        radius, volume = bore_in_noise(seed, noise)
        middle = VOXEL * (WIDTH - 1) / 2
        estimate = BoreEstimate(middle, middle, VOXEL * 18.5, True, TUBE)
        bore = fit_bore(group_means(volume, (0, DEPTH)), frame, estimate)
        z.append((bore.radius_um - VOXEL * radius) / bore.radius_sd_um)
    assert abs(np.mean(z)) < 0.6
    assert 0.75 < np.sqrt(np.mean(np.square(z))) < 1.45


def test_errors_of_a_bore_within_a_thin_wall_are_as_large_as_stated():
    r = np.arange(20, 90, 0.5 * VOXEL) + 0.25 * VOXEL
    count = 8 * np.pi * r  # voxels of a ring in a group of slices
    z = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        inner, wall = 50 + rng.uniform(0, VOXEL), 5 * VOXEL
        start = inner - BLUR**2 * VOXEL**2 / (2 * inner)
        mu = INSIDE + (TUBE - INSIDE) * ndtr((r - start) / (BLUR * VOXEL))
        mu += (AIR - TUBE) * ndtr((r - start - wall) / (BLUR * VOXEL))
        groups = mu + 2.0 / np.sqrt(count) * rng.standard_normal((12, r.size))
        sums = np.stack([np.stack([r * count, values * count, count]) for values in groups])
        bore = Bore(0, 0, 0, 0, inner + rng.normal(0, 0.2), 0.01, BLUR * VOXEL)
        found = find_wall(sums, bore, VOXEL)
        z.append((found.inner_um - inner) / found.inner_sd_um)
    assert abs(np.mean(z)) < 0.5
    assert 0.75 < np.sqrt(np.mean(np.square(z))) < 1.35


HEIGHTS = np.linspace(-90.0, 70.0, 6)  # µm over the middle slice


@pytest.mark.parametrize("part", [0.02, -0.02])
def test_a_lens_is_told_by_the_height_squared_and_a_cone_is_none(part):
    radius, sd = 150.0, np.full(6, 0.04)
    noise = np.random.default_rng(2).normal(0, 0.04, 6)
    moved = radius * (1 + part * (1 + (HEIGHTS / radius) ** 2))
    assert lens_of(HEIGHTS, moved + noise, sd) == pytest.approx(part, abs=0.003)
    assert lens_of(HEIGHTS, radius * (1 + part * HEIGHTS / radius) + noise, sd) == 0
    assert lens_of(HEIGHTS, radius + noise, sd) == 0
    assert lens_of(HEIGHTS[:2], moved[:2], sd[:2]) == 0


def test_frames_distorted_by_a_lens_make_the_bore_uncertain():
    part, half = 0.07, DEPTH / 2  # of the distance from the middle, at half of the height
    z, y, x = (np.arange(n) - (n - 1) / 2 for n in (DEPTH, WIDTH, WIDTH))
    away = np.hypot(np.hypot(z[:, None, None], y[:, None]), x)
    across = np.hypot(y[:, None], x) * (1 - part * (away / half) ** 2)
    mu = TUBE + (INSIDE - TUBE) * ndtr((18.0 - across) / BLUR)
    mu += np.random.default_rng(1).normal(0, 1, mu.shape)
    frame = Frame((DEPTH, WIDTH, WIDTH), (VOXEL,) * 3, 1, None)
    middle = VOXEL * (WIDTH - 1) / 2
    groups = group_means(mu.astype(np.float32), (0, DEPTH))
    bore = fit_bore(groups, frame, BoreEstimate(middle, middle, VOXEL * 18.5, True, TUBE))
    assert bore.lens == pytest.approx(part * (18 / half) ** 2, rel=0.35)
