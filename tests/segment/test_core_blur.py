"""Grey values of cores, whatever width of the point spread the wall gave."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from tests.segment.spheres import MU, Flat
from xct.geometry import CellGeometry, Label
from xct.segment.particle.instances import particles_in_slabs

SHAPE, PITCH, BLUR_PX, FINE = (60, 120, 120), 15, 0.6, 3
TRUE_UM = 2 * 2.3548 * np.hypot(BLUR_PX, 12**-0.5)


@pytest.fixture(scope="module")
def drawn():
    """Spheres of 7 to 11 voxels on a grid, anywhere within their voxel; μ and labels."""
    rng = np.random.default_rng(0)
    filled = np.zeros(SHAPE)
    offset = (np.arange(PITCH * FINE) + 0.5) / FINE - PITCH / 2
    for z in range(0, SHAPE[0], PITCH):
        for y in range(0, SHAPE[1], PITCH):
            for x in range(0, SHAPE[2], PITCH):
                c, b, a = rng.uniform(-0.5, 0.5, 3)
                square = [(offset - middle) ** 2 for middle in (c, b, a)]
                inside = square[0][:, None, None] + square[1][:, None] + square[2]
                body = inside <= rng.uniform(3.5, 5.5) ** 2
                part = body.reshape(PITCH, FINE, PITCH, FINE, PITCH, FINE).mean(axis=(1, 3, 5))
                filled[z : z + PITCH, y : y + PITCH, x : x + PITCH] = part
    mu = gaussian_filter(MU[2] + (MU[3] - MU[2]) * filled, BLUR_PX)
    labels = np.where(filled > 0.5, Label.ACTIVE_MATERIAL, Label.ELECTROLYTE).astype(np.uint8)
    return mu, labels


def core_grey_bias(mu, labels, blur_um):
    cell = CellGeometry(SHAPE, (2.0,) * 3, 119.0, 119.0, 400.0)
    _, table = particles_in_slabs(
        mu.astype(np.float32), labels, cell, {}, Flat(noise_per_cm=1.0, blur_um=blur_um)
    )
    assert len(table) == np.prod(np.array(SHAPE) // PITCH)
    return float((table["core_grey"] - 20_000 - 2_100 / MU[2] * MU[3]).mean())


@pytest.mark.parametrize("wrong", [0.88, 1.0, 1.12])
def test_particles_tell_the_width_with_which_their_cores_are_read(drawn, wrong):
    """By the width alone they would be 250 grey values too low or too high."""
    mu, labels = drawn
    noisy = mu + np.random.default_rng(1).normal(0, 1.0, SHAPE)
    assert abs(core_grey_bias(noisy, labels, wrong * TRUE_UM)) < 80


def test_few_particles_tell_no_width(drawn):
    mu, labels = drawn
    few = np.where(np.arange(SHAPE[0])[:, None, None] < PITCH, labels, Label.ELECTROLYTE)
    mu = np.where(few == labels, mu, MU[2])
    cell = CellGeometry(SHAPE, (2.0,) * 3, 119.0, 119.0, 400.0)
    grey = [
        particles_in_slabs(
            mu.astype(np.float32), few, cell, {}, Flat(noise_per_cm=1.0, blur_um=factor * TRUE_UM)
        )[1]["core_grey"].mean()
        for factor in (0.9, 1.1)
    ]
    assert grey[1] - grey[0] > 200
