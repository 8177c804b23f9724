"""Stated standard deviations of volumes and of their fractions: errors over sds scatter by 1.

What moves a boundary between materials is drawn as it is understood, the same all along it: a
threshold that is off, a face next to what is opaque, a bore that is wider or narrower, pores that
are finer than the blur. The labels then hold the volumes that a segmentation would find.
"""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from tests.segment.spheres import Flat
from xct.geometry import CellGeometry, Label
from xct.physics.optics import FWHM_PER_SIGMA
from xct.quantity import numbers_of
from xct.segment.material.table import material_table

SHAPE = (40, 44, 44)
VOXEL = 2.0
BLUR = Flat().blur_um / FWHM_PER_SIGMA / VOXEL  # sd, voxels
THRESHOLD = 0.05
SEEDS = range(40)


def is_about_one(z):
    return 0.65 < np.sqrt(np.mean(np.square(z))) < 1.45


def heights(rng, *levels):
    """Faces that are tilted and a little rough, so that no voxel is alike."""
    y, x = np.indices(SHAPE[1:]) - (SHAPE[1] - 1) / 2
    slopes = rng.uniform(-0.08, 0.08, 2)
    relief = gaussian_filter(rng.standard_normal(SHAPE[1:]), 4)
    plane = slopes[0] * y + slopes[1] * x + 0.5 * relief / relief.std()
    return [level + rng.uniform(-0.5, 0.5) + plane for level in levels]


def measured(labels, radius_px=1e3, radius_sd_px=0.0):
    middle = VOXEL * (np.array(SHAPE) - 1) / 2
    cell = CellGeometry(
        SHAPE, (VOXEL,) * 3, *middle[1:], VOXEL * radius_px, bore_radius_sd_um=VOXEL * radius_sd_px
    )
    volume = np.ones(SHAPE, np.float32)
    table = material_table(volume, labels, cell, Flat(), threshold_uncertainty=THRESHOLD)
    return table.set_index("material"), numbers_of({"materials": table})


def test_faces_between_far_slices_are_off_by_what_is_stated():
    """Whole faces anywhere within a step of three voxels, as slices of that height show them."""
    errors = []
    cell = CellGeometry(SHAPE, (VOXEL,) * 3, *VOXEL * (np.array(SHAPE[1:]) - 1) / 2, VOXEL * 1e3)
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        low, high = 9 + rng.uniform(0, 3), 30 + rng.uniform(0, 3)
        z = (np.arange(SHAPE[0]) // 3 * 3 + 1)[:, None, None] * np.ones(SHAPE)
        codes = np.where(z < low, Label.STEEL, np.where(z < high, Label.LITHIUM, Label.ELECTROLYTE))
        table = material_table(
            np.ones(SHAPE, np.float32), codes.astype(np.uint8), cell, Flat(),
            slice_excess_um=VOXEL * np.sqrt(8), threshold_uncertainty=0.0,
        ).set_index("material")  # fmt: skip
        row = table.loc["lithium"]
        true = (high - low) * VOXEL**3 * SHAPE[1] * SHAPE[2]
        errors.append((row.volume_um3 - true) / row.volume_um3_sd)
    assert is_about_one(errors)


def layers(faces, codes):
    z = np.arange(SHAPE[0])[:, None, None]
    return np.array(codes, np.uint8)[sum((z > face).astype(int) for face in faces)]


def test_a_threshold_that_is_off_moves_every_boundary():
    volumes, fractions = [], []
    z_index = np.arange(SHAPE[0])[:, None, None]
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        face = heights(rng, 19.5)[0]
        delta = THRESHOLD * rng.standard_normal()
        # Linear near its middle, as the slope of a blurred edge is stated.
        blurred = 0.5 + (z_index - face) / (np.sqrt(2 * np.pi) * BLUR)
        active = blurred > 0.5 + delta
        labels = np.where(active, Label.ACTIVE_MATERIAL, Label.ELECTROLYTE).astype(np.uint8)
        table, numbers = measured(labels)
        true = (face + 0.5).sum() * VOXEL**3
        row = table.loc["electrolyte"]
        volumes.append((row["volume_um3"] - true) / row["volume_um3_sd"])
        found = numbers["volume_fraction.electrolyte"]
        fractions.append((found["value"] - (face.mean() + 0.5) / SHAPE[0]) / found["sd"])
    assert is_about_one(volumes)
    assert is_about_one(fractions)


@pytest.mark.parametrize("material", ["steel", "collector"])
def test_faces_next_to_what_is_opaque_are_off_one_by_one(material):
    volumes, fractions = [], []
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        faces = heights(rng, 8.5, 24.5, 31.5)
        true = {"steel": SHAPE[0] - (faces[2] - faces[0]), "collector": faces[2] - faces[1]}
        moved = [face + 0.15 * rng.standard_normal() for face in faces]
        codes = [Label.STEEL, Label.ELECTROLYTE, Label.COLLECTOR, Label.STEEL]
        table, numbers = measured(layers(moved, codes))
        row = table.loc[material]
        error = row["volume_um3"] - true[material].sum() * VOXEL**3
        volumes.append(error / row["volume_um3_sd"])
        found = numbers[f"volume_fraction.{material}"]
        fractions.append((found["value"] - true[material].mean() / SHAPE[0]) / found["sd"])
    assert is_about_one(volumes)
    assert is_about_one(fractions)


def test_a_bore_of_another_radius_changes_every_volume():
    y, x = np.indices(SHAPE[1:])
    radius, sd, z = 18.0, 0.8, []
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        seen = radius + sd * rng.standard_normal()
        middle = (SHAPE[1] - 1) / 2 + rng.uniform(-0.5, 0.5, 2)
        labels = layers(heights(rng, 19.5), [Label.LITHIUM, Label.ELECTROLYTE])
        labels[:, np.hypot(y - middle[0], x - middle[1]) > seen] = Label.TUBE
        row = measured(labels, seen, sd)[0].loc[["lithium", "electrolyte"]].sum()
        true = np.pi * radius**2 * SHAPE[0] * VOXEL**3
        z.append((row["volume_um3"] - true) / row["volume_um3_sd"])
    assert is_about_one(z)


def test_as_many_pores_may_be_too_fine_as_are_seen():
    z = []
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        labels = np.full(SHAPE, Label.ELECTROLYTE, np.uint8)
        pores = rng.integers(4, 30, (40, 3))
        for a, b, c in pores:
            labels[a : a + 5, b : b + 5, c : c + 5] = Label.LOW_GREY
        unseen = abs(rng.standard_normal()) * np.count_nonzero(labels == Label.LOW_GREY)
        row = measured(labels)[0].loc["electrolyte"]
        z.append(unseen * VOXEL**3 / row["volume_um3_sd"])
    assert is_about_one(z)
