"""Volumes, labels and surfaces say what other programs show of them, as OME-NGFF 0.5 asks."""

import numpy as np
import pytest
import zarr
from ome_zarr_models.v05 import Image, ImageLabel

from xct.figures import MATERIAL_COLORS
from xct.geometry import Label, Surface
from xct.io.labels import add_coarser_levels, create_labels
from xct.io.surfaces import read_surfaces, write_surfaces
from xct.io.volumes import Coding, create_volume, levels_of
from xct.physics.materials import mu_per_cm

SHAPE = (37, 300, 280)


@pytest.fixture
def volume(tmp_path):
    path = tmp_path / "volume.zarr"
    create_volume(path, SHAPE, (2.0, 1.5, 1.5), Coding(), "cell", energy_kev=25.0)
    return path


def test_the_window_shows_air_black_and_active_material_white(volume):
    [channel] = zarr.open_group(volume, mode="r").attrs["ome"]["omero"]["channels"]
    window = channel["window"]
    assert channel["label"] == "attenuation"
    assert window["min"] < window["start"] == 0
    assert mu_per_cm("ncm811", 25.0) < window["end"] < mu_per_cm("steel", 25.0) < window["max"]


def test_a_window_counts_in_stored_values(tmp_path):
    coding = Coding.for_range(-25, 160)
    create_volume(tmp_path / "v.zarr", SHAPE, 2.0, coding, "cell", window=(0.0, 50.0))
    window = zarr.open_group(tmp_path / "v.zarr").attrs["ome"]["omero"]["channels"][0]["window"]
    codes, _ = coding.encode(np.array([[[0.0, 50.0]]], np.float32), np.ones((1, 2), bool))
    assert codes.ravel().tolist() == pytest.approx([window["start"], window["end"]], abs=1)
    assert window["min"] >= 0
    assert window["max"] <= 65535


def test_grey_values_of_which_nothing_is_known_have_no_window(tmp_path):
    create_volume(tmp_path / "v.zarr", SHAPE, 2.0, Coding(), "cell", quantity="grey")
    assert "omero" not in zarr.open_group(tmp_path / "v.zarr", mode="r").attrs["ome"]


def test_labels_of_materials_have_colors_and_names(volume):
    create_labels(volume, "materials", "uint8")
    said = zarr.open_group(volume / "labels" / "materials").attrs["ome"]["image-label"]
    colors = {one["label-value"]: one["rgba"] for one in said["colors"]}
    names = {one["label-value"]: one["name"] for one in said["properties"]}
    assert colors[0] == [0, 0, 0, 0]
    for label, rgb in MATERIAL_COLORS.items():
        assert colors[label] == [*(round(255 * part) for part in rgb), 255]
    assert names == {int(label): label.name.lower() for label in Label}


def test_labels_get_the_levels_of_their_volume(volume):
    labels = create_labels(volume, "particles", "uint32")
    values = np.random.default_rng(0).integers(0, 9, SHAPE).astype(np.uint32)
    labels[:] = values
    for _ in range(2):  # the second finds the levels there
        add_coarser_levels(volume, "particles")
    group = zarr.open_group(volume / "labels" / "particles", mode="r")
    one = levels_of(SHAPE)[1]
    np.testing.assert_array_equal(group["0"][:], values)
    np.testing.assert_array_equal(group["1"][:], values[::2, ::2, ::2][:18, :150, :140])
    assert group["1"].shape == one.shape
    fine, coarse = Image.from_zarr(zarr.open_group(volume)).ome_attributes.multiscales[0].datasets
    described = ImageLabel.from_zarr(group).ome_attributes.multiscales[0].datasets
    assert described[1].coordinateTransformations[0].scale == [4.0, 3.0, 3.0]
    assert len(described[1].coordinateTransformations) == 1  # voxel 0 lies on voxel 0
    assert (fine.path, coarse.path) == tuple(one.path for one in described)


def test_a_volume_with_labels_is_valid_with_all_that_is_strict(volume):
    for name, kind in (("materials", "uint8"), ("particles", "uint32")):
        create_labels(volume, name, kind)
        add_coarser_levels(volume, name)
    image = Image.from_zarr(zarr.open_group(volume, mode="r"))
    assert image.labels.label_paths == ["materials", "particles"]
    [scale] = zarr.open_group(volume).attrs["ome"]["multiscales"]
    assert {"metadata", "type", "name"} <= set(scale)
    for name in ("materials", "particles"):
        label = ImageLabel.from_zarr(zarr.open_group(volume / "labels" / name, mode="r"))
        assert label.ome_attributes.image_label.colors[0].label_value == 0


def test_surfaces_are_images_over_y_and_x(tmp_path):
    height = np.arange(12, dtype=np.float32).reshape(3, 4)
    surfaces = {"steel_lithium": Surface(height, 0.1 * height, "face")}
    write_surfaces(tmp_path / "surfaces.zarr", surfaces, (2.0, 1.5, 1.25))
    group = zarr.open_group(tmp_path / "surfaces.zarr", mode="r")
    image = Image.from_zarr(group)
    scales = {one.name: one for one in image.ome_attributes.multiscales}
    assert set(scales) == {"steel_lithium", "steel_lithium_sd_um"}
    [dataset] = scales["steel_lithium"].datasets
    assert dataset.path == "steel_lithium"
    assert dataset.coordinateTransformations[0].scale == [1.5, 1.25]
    assert [(a.name, a.unit) for a in scales["steel_lithium"].axes] == [
        ("y", "micrometer"), ("x", "micrometer"),
    ]  # fmt: skip
    assert group["steel_lithium"].attrs["units"] == "µm"
    np.testing.assert_array_equal(
        read_surfaces(tmp_path / "surfaces.zarr")["steel_lithium"].height_um, height
    )
