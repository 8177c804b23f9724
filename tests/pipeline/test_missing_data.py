"""Data that are missing are in no number: they are counted, labelled unknown, and said."""

import numpy as np
import pytest
import tifffile
import zarr
from scipy.ndimage import gaussian_filter

import xct
from xct.geometry import Label
from xct.phantom.cell.cell import draw_cell
from xct.segment.material.unknown import mark_unknown

SHAPE, VOXEL_UM = (80, 96, 96), 3.0


@pytest.fixture(scope="module")
def values():
    cell = draw_cell("ncm-100", shape=SHAPE, voxel_um=VOXEL_UM, seed=3)
    rng = np.random.default_rng(0)
    mu = gaussian_filter(cell.mu(0, SHAPE[0]), 0.6) + rng.normal(0, 1, SHAPE)
    return mu.astype(np.float32)


STEPS = ("find_cell", "electrolyte_reference", "surfaces", "layer_thickness")
MORE = (*STEPS, "materials", "material_table", "inclusions")


def measure(folder, values, steps=MORE):
    tifffile.imwrite(folder / "v.tif", values, photometric="minisblack")
    section = {"file": str(folder / "v.tif"), "voxel_size_um": [VOXEL_UM] * 3}
    recipe = folder / "recipe.yaml"
    recipe.write_text("".join(f"- {step}: {{}}\n" for step in steps), encoding="utf-8")
    return xct.run({"volume": section, "pipeline": str(recipe), "output": str(folder / "out")})


@pytest.fixture(scope="module")
def plain(tmp_path_factory, values):
    return measure(tmp_path_factory.mktemp("plain"), values)


def value(result, name):
    return result.summary[name]["value"]


@pytest.mark.slow
def test_a_lost_block_of_zeros_is_unknown_not_a_void(plain, tmp_path, values):
    holed = values.copy()
    holed[26:40, 30:66, 33:68] = 0
    result = measure(tmp_path, holed)
    labels = result.labels("materials")[:]
    block = labels[26:40, 30:66, 33:68]
    assert (block == Label.UNKNOWN).all()
    assert np.count_nonzero(labels == Label.UNKNOWN) == block.size
    said = " ".join(w["message"] for w in result.warnings)
    assert f"1 blocks of one exact value (0), {block.size:,} voxels in the slices 26–39" in said
    for name in ("thickness_um.electrolyte", "thickness_um.lithium"):
        assert value(result, name) == pytest.approx(value(plain, name), abs=1)
    assert result.summary["inclusions"]["bound"] == "lower"
    assert "data are missing" in result.summary["inclusions"]["note"]
    assert "data are missing" not in plain.summary["inclusions"].get("note", "")
    assert value(result, "inclusions") <= value(plain, "inclusions")
    assert value(result, "volume_fraction.low_grey") <= 1.3 * value(
        plain, "volume_fraction.low_grey"
    )
    unknown = block.size / np.count_nonzero(~np.isin(labels, (Label.OUTSIDE, Label.TUBE)))
    for name in ("electrolyte", "steel"):
        entry = result.summary[f"volume_fraction.{name}"]
        assert entry["sd"] > plain.summary[f"volume_fraction.{name}"]["sd"]
        assert abs(entry["value"] - value(plain, f"volume_fraction.{name}")) < unknown


@pytest.mark.slow
def test_a_front_that_lies_in_lost_slices_is_not_given(plain, tmp_path, values):
    front = round(float(np.nanmedian(plain.surfaces["electrolyte_cathode"].height_um)) / VOXEL_UM)
    holed = values.copy()
    holed[front - 8 : front + 8] = np.nan
    result = measure(tmp_path, holed, STEPS)
    assert "electrolyte_cathode" not in result.surfaces
    assert "thickness_um.cathode" not in result.summary
    assert "data are missing where it was looked for" in " ".join(
        w["message"] for w in result.warnings
    )
    assert value(result, "thickness_um.lithium") == pytest.approx(
        value(plain, "thickness_um.lithium"), abs=0.5
    )


def test_only_what_lies_in_the_bore_becomes_unknown():
    volume = np.ones((20, 9, 9), np.float32)
    volume[15:18, 2:5, 2:5] = np.nan
    labels = np.full(volume.shape, int(Label.ELECTROLYTE), np.uint8)
    labels[:, :3], labels[:, 3] = Label.OUTSIDE, Label.TUBE
    before = labels.copy()
    mark_unknown(volume, labels)
    assert (labels[15:18, 4, 2:5] == Label.UNKNOWN).all()
    assert np.count_nonzero(labels != before) == 9


def test_labels_are_not_analyzed_as_grey_values(tmp_path):
    labels = np.random.default_rng(0).integers(0, 4, (20, 24, 24)).astype(np.float32)
    with pytest.raises(
        xct.errors.ConfigError, match=r"holds nothing but 0, 1, 2, 3.*not grey values"
    ):
        measure(tmp_path, labels)


def test_what_the_file_says_of_its_values_is_not_passed_over(tmp_path):
    from xct.io.volumes import Coding, create_volume, write_slab

    path = tmp_path / "v.zarr"
    create_volume(path, (16, 20, 20), 2.0, Coding(), "cell", quantity="grey")
    write_slab(path, 0, np.random.default_rng(0).normal(9, 1, (16, 20, 20)).astype(np.float32))
    config = {"volume": {"file": str(path)}, "pipeline": "analyze", "output": str(tmp_path / "out")}
    with pytest.raises(xct.errors.ConfigError, match="says that it holds grey values"):
        xct.run(config)
    group = zarr.open_group(path, mode="a")
    assert group.attrs["xct"]["quantity"] == "grey"
