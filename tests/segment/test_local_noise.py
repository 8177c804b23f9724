"""Noise enters each threshold where it is: none is called low grey, and none is told apart."""

import numpy as np
import pytest

from tests.normalize.layered_cell import ramp_noise
from tests.segment.spheres import Flat, cell_of_spheres
from xct.analyze import inclusions
from xct.errors import DataError
from xct.geometry import Label
from xct.normalize.grey_scale import Ratios
from xct.parallel.blocks import Block
from xct.segment import materials
from xct.segment.basis import light_missing
from xct.segment.material.columns import find_columns
from xct.segment.material.local_noise import RINGS, find_local_noise

ELECTROLYTE = 5.0


@pytest.fixture(scope="module")
def drawn():
    """A cell of spheres without chips: nothing of its separator is low grey."""
    mu, cell, surfaces, *_ = cell_of_spheres(noise=0)
    columns = find_columns(cell, surfaces)
    height = cell.sign * np.arange(cell.shape[0])[:, None, None]
    y, x = np.indices(cell.shape[1:])
    step = cell.voxel_size_um
    radius = np.hypot(y * step[1] - cell.axis_y_um, x * step[2] - cell.axis_x_um)
    within = radius < 0.9 * cell.bore_radius_um
    separator = (height > columns.lithium + 4) & (height < columns.front - 4) & within
    cathode = (height > columns.front + 2) & (height < columns.collector - 2) & within
    return mu, cell, surfaces, separator, cathode, radius / cell.bore_radius_um


def noisy(mu, sd, seed=0):
    return (mu + sd * ramp_noise(mu.shape, np.random.default_rng(seed))).astype(np.float32)


def test_the_noise_of_a_cathode_full_of_particles_is_found_by_depth_and_radius(drawn):
    mu, cell, surfaces, separator, cathode, radius = drawn
    rows = cathode.any(axis=(1, 2))
    sd = np.where(rows[:, None, None], 3.0, 1.0) * (1.5 - radius)
    mu = noisy(mu, sd)
    whole = Block(0, cell.shape[1], 0, cell.shape[1])
    found = find_local_noise(Ratios(mu, cell, Flat()), find_columns(cell, surfaces), whole).factor
    middles = (np.arange(RINGS) + 0.5) / RINGS
    plain = np.median(found[np.flatnonzero(separator.any(axis=(1, 2)))[3:-3]], axis=0)
    starved = np.median(found[np.flatnonzero(rows)[3:-3]], axis=0)
    np.testing.assert_allclose(starved / plain, 3.0, rtol=0.2)
    np.testing.assert_allclose(plain / plain[2], (1.5 - middles) / (1.5 - middles[2]), rtol=0.15)


@pytest.mark.parametrize("noise", [0.2, 0.8, 1.6])
def test_noise_alone_makes_no_low_grey_and_no_inclusion(drawn, noise):
    mu, cell, surfaces, separator, *_ = drawn
    sd = noise * ELECTROLYTE
    reference = Flat(noise_per_cm=sd)
    volume = noisy(mu, sd, seed=3)
    labels = materials(volume, cell, reference, surfaces)
    assert np.mean(labels[separator] == Label.LOW_GREY) <= 0.002
    assert np.mean(labels[separator] == Label.ACTIVE_MATERIAL) <= 0.001
    table = inclusions(volume, labels, cell, surfaces, reference)
    assert not table["class"].isin(["enclosed", "bridging"]).any()


def test_in_noise_an_empty_ball_is_found_by_smoothing_more(drawn):
    mu, cell, surfaces, separator, *_ = drawn
    z, y, x = np.indices(mu.shape)
    middle = [int(np.median(np.flatnonzero(separator.any(axis=other))))
              for other in ((1, 2), (0, 2), (0, 1))]  # fmt: skip
    ball = np.sqrt(sum((a - b) ** 2 for a, b in zip((z, y, x), middle, strict=True))) < 5.5
    ball &= separator
    volume = noisy(np.where(ball, 0, mu), 1.2 * ELECTROLYTE, seed=4)
    labels = materials(volume, cell, Flat(noise_per_cm=1.2 * ELECTROLYTE), surfaces)
    assert np.mean(labels[ball] == Label.LOW_GREY) > 0.5
    assert np.mean(labels[separator & ~ball] == Label.LOW_GREY) < 0.004  # with its rim


def test_a_cathode_lost_in_noise_is_unknown_and_said_to_be(drawn):
    mu, cell, surfaces, separator, cathode, _ = drawn
    starved = np.where(cathode.any(axis=(1, 2))[:, None, None], 60.0, 1.0)
    volume = noisy(mu, starved, seed=5)
    labels = materials(volume, cell, Flat(), surfaces)
    assert np.mean(labels[cathode] == Label.UNKNOWN) > 0.95
    assert not (labels[separator] == Label.UNKNOWN).any()
    assert "hardly any light passed the cathode" in light_missing(volume, labels)
    assert light_missing(mu, materials(mu, cell, Flat(), surfaces)) is None


def test_data_that_are_missing_are_no_lack_of_light(drawn):
    mu, cell, surfaces, separator, _, _ = drawn
    lost = np.where(separator, np.float32("nan"), mu)
    labels = np.array(materials(mu, cell, Flat(), surfaces))
    labels[separator] = Label.UNKNOWN
    assert light_missing(lost, labels) is None
    assert "hardly any light" in light_missing(mu, labels)


def test_inclusions_are_refused_where_an_empty_place_is_lost(drawn):
    mu, cell, surfaces, *_ = drawn
    labels = np.full(mu.shape, Label.ELECTROLYTE, np.uint8)
    with pytest.raises(DataError, match=r"noise of a voxel is 3 times the electrolyte"):
        inclusions(mu, labels, cell, surfaces, Flat(noise_per_cm=3 * ELECTROLYTE))
