"""Stacks without a cell: drawn particles, voids and shells come back, by image and by volume."""

import warnings

import numpy as np
import pandas as pd
import pytest
import tifffile
from click.testing import CliRunner
from scipy.ndimage import gaussian_filter

import xct
from xct.analyze.stack.particles import particles_in_slabs
from xct.analyze.stack.roles import codes_of, roles
from xct.analyze.stack.shells import stack_shells
from xct.analyze.stack.voids import stack_voids, void_profile, void_series
from xct.cli.main import xct as command
from xct.segment.material.phases import phases

VOID, MATRIX, PARTICLE = 1, 2, 3
ROLES = roles(pd.DataFrame({"phase": [VOID, MATRIX, PARTICLE]}))


def spheres(shape=(40, 50, 60)):
    """Two spheres that touch, one alone with a void inside, a void far from all."""
    labels = np.full(shape, MATRIX, np.uint8)
    at = np.indices(shape)
    for code, center, radius in (
        (PARTICLE, (20, 14, 14), 9),
        (PARTICLE, (20, 14, 31), 9),
        (PARTICLE, (20, 38, 40), 8),
        (VOID, (20, 38, 40), 2.5),
        (VOID, (6, 44, 8), 3),
    ):
        away = ((at - np.array(center)[:, None, None, None]) ** 2).sum(axis=0)
        labels[away < radius**2] = code
    return labels


def test_spheres_that_touch_are_two_and_measured_each():
    labels = spheres()
    grey = np.where(labels == PARTICLE, 5.0, 1.0)
    numbers, table = particles_in_slabs(labels, ROLES, grey, (0.2, 0.2, 0.2))
    assert len(table) == 3
    table = table.sort_values("equivalent_diameter_um", ascending=False, ignore_index=True)
    np.testing.assert_allclose(table["equivalent_diameter_um"][:2], 3.6, rtol=0.02)
    np.testing.assert_allclose(table["sphericity"][:2], 1, atol=0.05)
    hollow = table.iloc[2]
    full = 4 / 3 * np.pi * (8**3 - 2.5**3) * 0.008
    assert hollow.volume_um3 == pytest.approx(full, rel=0.04)
    assert hollow.contact_voids == pytest.approx(2.5**2 / (2.5**2 + 8**2), abs=0.03)
    assert table["contact_particles"][2] == 0 < table["contact_particles"][0]
    assert table["mean_grey"].eq(5).all()
    assert not table["touches_border"].any()
    assert numbers[20, 14, 14] != numbers[20, 14, 31]
    np.testing.assert_array_equal(numbers > 0, labels == PARTICLE)


@pytest.mark.parametrize("rows", [1, 7])
def test_slabs_do_not_change_the_particles(rows):
    labels = spheres()
    grey = np.random.default_rng(0).normal(size=labels.shape)
    whole, table = particles_in_slabs(labels, ROLES, grey, (1, 1, 1))
    parts, again = particles_in_slabs(labels, ROLES, grey, (1, 1, 1), rows=rows)
    np.testing.assert_array_equal(whole, parts)
    assert table.equals(again)


def series(frames=4):
    """Discs in images one after the other, with more voids beside them in each."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:60, :80]
    images = []
    for frame in range(frames):
        image = np.where(rng.random(y.shape) < 0.05 * (1 + frame), VOID, MATRIX)
        image[np.hypot(y - 30, x - 25) < 12] = PARTICLE
        image[np.hypot(y - 30, x - 62) < 8] = PARTICLE
        images.append(image)
    return np.array(images, np.uint8)


def test_each_image_of_a_series_is_measured_by_itself():
    labels = series()
    asked = {"voxel_size_um": (1.0, 0.5, 0.5), "frame_interval_s": 3.0}
    numbers, table = particles_in_slabs(labels, ROLES, labels, *asked.values())
    assert table["particle"].tolist() == list(range(1, 9))
    assert table["time_s"].tolist() == [0, 0, 3, 3, 6, 6, 9, 9]
    np.testing.assert_allclose(table["equivalent_diameter_um"][::2], 12, rtol=0.02)
    np.testing.assert_allclose(table["area_um2"][1::2], np.pi * 16, rtol=0.05)
    np.testing.assert_allclose(table["elongation"], 1, atol=0.03)
    assert np.unique(numbers[3]).tolist() == [0, 7, 8]
    rising = void_series(labels, ROLES, **asked, within_um=5.0)
    assert rising["time_s"].tolist() == [0, 3, 6, 9]
    np.testing.assert_allclose(rising["void_fraction"], [0.05, 0.1, 0.15, 0.2], atol=0.03)
    profile = void_profile(labels, ROLES, **asked, step_um=1.0, farthest_um=4.0)
    assert profile.groupby("frame").size().tolist() == [4] * 4
    voids = stack_voids(labels, ROLES, **asked)
    assert voids.groupby("frame")["area_um2"].sum().is_monotonic_increasing


def test_an_image_is_measured_as_the_first_of_a_series():
    labels = series(1)
    _, alone = particles_in_slabs(labels, ROLES, labels, (1.0, 0.5, 0.5))
    _, first = particles_in_slabs(labels, ROLES, labels, (1.0, 0.5, 0.5), 1.0)
    assert alone.equals(first.drop(columns=["frame", "time_s"]))


def test_voids_are_told_by_region():
    table = stack_voids(spheres(), ROLES, (1, 1, 1), shell_um=3.0)
    assert table["region"].tolist() == ["rest", "core"]


def test_shells_of_a_stack_come_back():
    shape = (60, 60, 60)
    away = np.sqrt(((np.indices(shape) - 29.5) ** 2).sum(axis=0))
    labels = np.where(away < 12, PARTICLE, MATRIX).astype(np.uint8)
    labels[:4, :4, :4] = VOID
    shell, blur = (away >= 12) & (away < 20), 2.0
    sharp = np.where(labels == PARTICLE, 180.0, np.where(shell, 84.0, 100.0))
    sharp[labels == VOID] = 20
    grey = gaussian_filter(sharp, blur / 2.355) + np.random.default_rng(0).normal(size=shape)
    numbers, table = particles_in_slabs(labels, ROLES, grey, (0.1,) * 3)
    found = stack_shells(
        grey, numbers, table, labels, phase_table(), ROLES, (0.1,) * 3, 0.1 * blur,
        reach_um=1.6,
    )  # fmt: skip
    assert found["shell_resolved"].tolist() == [True]
    assert abs(found["shell_um"][0] - 0.8) < 3 * found["shell_sd_um"][0] < 0.25
    assert found["shell_depth"][0] == pytest.approx(0.2, abs=0.03)
    with pytest.raises(ValueError, match="not in a series"):
        stack_shells(grey, numbers, table, labels, phase_table(), ROLES, (0.1,) * 3, 0.2, 1.0)


def phase_table():
    mean = [20.0, 100.0, 180.0]
    return pd.DataFrame({"phase": [1, 2, 3], "voxels": 9, "level": mean, "mean_grey": mean})


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"particle": 7}, "7 is no phase of this stack, which has 1, 2, 3"),
        ({"particle": 1}, "must be two phases"),
        ({"left_out": [1, 2]}, "1 is left"),
    ],
)
def test_roles_that_cannot_be_are_refused(asked, error):
    with pytest.raises(ValueError, match=error):
        roles(pd.DataFrame({"phase": [1, 2, 3]}), **asked)


def test_other_phases_may_be_particles():
    table = roles(pd.DataFrame({"phase": [0, 1, 2, 3]}), particle=1, void=3, left_out=[0])
    assert (codes_of(table, "particle"), codes_of(table, "matrix")) == ([1], [2])


def test_without_a_matrix_there_is_no_fraction_of_voids():
    two = roles(pd.DataFrame({"phase": [0, 1]}))
    with pytest.raises(ValueError, match="take more phases"):
        void_profile(np.zeros((4, 9, 9), np.uint8), two, (1, 1, 1))


def begun(folder, name, values, answers):
    """Write a stack, begin a configuration for it, and fill in what the files do not say."""
    tifffile.imwrite(folder / f"{name}.tif", values, photometric="minisblack")
    config = folder / f"{name}.yaml"
    asked = ["--pipeline", "particles_and_voids", "--output", str(folder / f"out_{name}")]
    said = CliRunner().invoke(
        command, ["init", str(folder / f"{name}.tif"), *asked, "--to", str(config)]
    )
    assert "needed: volume.voxel_size_um" in said.output, said.output
    text = config.read_text("utf-8")
    for line, answer in answers.items():
        assert line in text
        text = text.replace(line, answer)
    config.write_text(text, "utf-8")
    return xct.run(config)


@pytest.mark.slow
def test_a_series_of_grey_images_goes_through(tmp_path):
    noise = np.random.default_rng(0).normal(0, 8, (4, 60, 80))
    grey = np.array([0, 40, 120, 220])[series()] + noise
    answers = {
        "  voxel_size_um:": "  voxel_size_um: 0.02",
        "  # frame_interval_s:": "  frame_interval_s: 3",
    }
    found = begun(tmp_path, "movie", grey.clip(0, 255).astype(np.uint8), answers)
    assert found.account["configuration"]["volume"]["quantity"] == "grey"
    assert found.warnings == []
    assert found.summary["particles"]["note"] == "in 4 images, counted in each"
    assert found.tables["void_series"]["time_s"].tolist() == [0, 3, 6, 9]
    assert {"phases", "roles", "particles", "voids", "void_profile"} <= set(found.tables)
    assert "shells" not in found.tables
    assert (found.path / "figures" / "void_series.png").is_file()


def test_a_stack_that_is_no_scan_names_the_recipe(tmp_path):
    folder = tmp_path / "slices"
    folder.mkdir()
    for number, image in enumerate(spheres()[:4]):
        tifffile.imwrite(folder / f"s_{number}.tif", image)
    asked = ["init", str(folder), "--output", str(tmp_path / "o"), "--to", str(tmp_path / "c.yaml")]
    said = CliRunner().invoke(command, asked)
    assert "--pipeline particles_and_voids" in said.output
    assert "particles_and_voids" in (tmp_path / "c.yaml").read_text("utf-8")


def test_labels_are_not_measured_as_a_cell(tmp_path):
    tifffile.imwrite(tmp_path / "labels.tif", spheres(), photometric="minisblack")
    volume = {"file": tmp_path / "labels.tif", "voxel_size_um": 1, "quantity": "labels"}
    with pytest.raises(xct.errors.ConfigError, match="particles_and_voids takes labels"):
        xct.run({"volume": volume, "pipeline": "analyze", "output": tmp_path / "out"})
    volume |= {"quantity": "grey"}
    tifffile.imwrite(tmp_path / "labels.tif", spheres()[0], photometric="minisblack")
    with pytest.raises(xct.errors.ConfigError, match="needs 2 slices or more"):
        xct.run({"volume": volume, "pipeline": "analyze", "output": tmp_path / "out"})


def test_phases_and_their_measures_fit_together():
    labels = spheres()
    grey = np.array([0, 10.0, 50.0, 100.0])[labels] + np.random.default_rng(0).normal(
        size=labels.shape
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found, table = phases(grey, (1, 1, 1))
    _, particles = particles_in_slabs(found, roles(table), grey, (1, 1, 1))
    assert len(particles) == 3
