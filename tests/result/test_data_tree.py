"""A result as one tree of xarray: what is on disk, in µm, and read only where it is computed."""

import json

import numpy as np
import pandas as pd
import pytest

import xct
from xct.errors import DataError
from xct.geometry import Label, Surface
from xct.io.labels import create_labels
from xct.io.surfaces import write_surfaces
from xct.io.tables import write_table
from xct.io.volumes import Coding, create_volume, write_slab

SIZE = (2.0, 1.5, 1.25)
SHAPE = (20, 6, 8)


@pytest.fixture
def mu():
    return np.random.default_rng(0).normal(5, 1, SHAPE).astype(np.float32)


@pytest.fixture
def labels():
    values = np.full(SHAPE, Label.ELECTROLYTE, np.uint8)
    values[:5] = Label.LITHIUM
    return values


@pytest.fixture
def folder(tmp_path, mu, labels):
    volume = tmp_path / "volume.zarr"
    create_volume(volume, SHAPE, SIZE, Coding(), "cell")
    write_slab(volume, 0, mu)
    create_labels(volume, "materials", "uint8")[:] = labels
    height = np.full(SHAPE[1:], 9.0, np.float32)
    height[0, 0] = np.nan
    surfaces = {"lithium_electrolyte": Surface(height, 0.1 * height, "half")}
    write_surfaces(tmp_path / "surfaces.zarr", surfaces, SIZE)
    (tmp_path / "tables").mkdir()
    table = pd.DataFrame({"layer": ["lithium"], "mean_thickness_um": [9.0]})
    write_table(tmp_path / "tables" / "layers.csv", table)
    numbers = {
        "voxel_size_um": {"value": 1.25, "unit": "µm"},
        "anode": {"value": "high_z", "unit": "1"},
        "thickness_um.lithium": {"value": 9.0, "sd": 0.5, "unit": "µm", "bound": "upper"},
        "placement": {"axes": ["z", "y", "x"]},
        "warnings": [{"step": "copy", "message": "said"}],
    }
    (tmp_path / "summary.json").write_text(json.dumps(numbers), encoding="utf-8")
    return tmp_path


@pytest.fixture
def tree(folder):
    return xct.open_result(folder).to_datatree()


def test_a_tree_holds_what_is_on_disk_in_micrometers(tree, mu, labels, folder):
    image = tree["volume/attenuation"]
    np.testing.assert_array_equal(image, mu)
    np.testing.assert_array_equal(tree["volume/materials"], labels)
    for axis, edge in zip("zyx", SIZE, strict=True):
        np.testing.assert_allclose(image[axis], edge * np.arange(image.sizes[axis]))
    assert image.attrs["units"] == "1/cm"
    assert tree["volume/materials"].attrs["lithium"] == Label.LITHIUM
    number = tree["numbers/thickness_um.lithium"]
    assert (number.item(), number.attrs["sd"], number.attrs["units"]) == (9.0, 0.5, "µm")
    assert "placement" not in tree["numbers"]
    assert tree["tables/layers/layer"].values.tolist() == ["lithium"]
    np.testing.assert_allclose(tree["surfaces/lithium_electrolyte"].x, 1.25 * np.arange(8))
    assert tree.attrs == {"path": str(folder), "warnings": ["copy: said"]}


def test_volumes_are_read_only_where_they_are_computed(folder):
    tree = xct.open_result(folder).to_datatree()
    (folder / "volume.zarr" / "0").rename(folder / "gone")
    assert tree["volume/attenuation"].shape == SHAPE  # nothing was read, so nothing is missed
    assert tree["volume/attenuation"].chunks is not None
    assert tree.xct.of("lithium").chunks is not None
    assert tree.xct.depth_um("lithium_electrolyte").chunks is not None


def test_one_material_is_left_of_a_volume(tree, mu):
    lithium = tree.xct.of("lithium")
    np.testing.assert_array_equal(lithium[:5], mu[:5])
    assert np.isnan(lithium[5:]).all()


def test_depth_counts_from_a_surface_away_from_the_anode(tree):
    depth = tree.xct.depth_um("lithium_electrolyte")
    assert depth.dims == ("z", "y", "x")
    np.testing.assert_allclose(depth.sel(z=4.0)[1:], 5.0)
    assert np.isnan(depth[:, 0, 0]).all()
    below = tree["volume/attenuation"].xct.depth_um(tree["surfaces/lithium_electrolyte"])
    np.testing.assert_allclose(below.sel(z=4.0)[1:], -5.0)


def test_an_image_knows_its_voxels(folder):
    image = xct.open_result(folder).to_xarray()
    assert image.xct.voxel_size_um == {"z": 2.0, "y": 1.5, "x": 1.25}
    assert image.sel(z=4.0).xct.voxel_size_um == {"y": 1.5, "x": 1.25}


def test_numbers_are_a_table(tree):
    numbers = tree.xct.numbers
    assert numbers.loc["thickness_um.lithium"].tolist() == [9.0, 0.5, "µm", "upper"]
    assert list(numbers.index) == ["voxel_size_um", "anode", "thickness_um.lithium"]


def test_what_is_not_there_is_said_with_what_is(tree):
    with pytest.raises(DataError, match="expected one of lithium, electrolyte"):
        tree.xct.of("gold")
    with pytest.raises(DataError, match="this result has attenuation, materials"):
        tree.xct.of("lithium", "grey_value")
    with pytest.raises(DataError, match="there is no cathode_collector in this result"):
        tree.xct.depth_um("cathode_collector")
    with pytest.raises(DataError, match="expected low_z or high_z"):
        tree["volume/attenuation"].xct.depth_um(tree["surfaces/lithium_electrolyte"], anode="left")
