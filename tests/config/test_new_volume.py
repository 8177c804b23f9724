"""`xct init` on a volume: what its files say, what was assumed, and what is asked."""

import h5py
import numpy as np
import pytest
import tifffile
import yaml

from xct.analyze.roi.files import read_rois
from xct.cli.main import execute
from xct.config.beginning import new_name, recipe_for
from xct.config.new_config import write_config
from xct.errors import XctError
from xct.io.volumes import Coding, create_volume, write_slab
from xct.pipeline.plan import make_plan
from xct.pipeline.plan_text import plan_text


@pytest.fixture
def values():
    return np.random.default_rng(0).normal(5, 1, (20, 32, 32)).astype(np.float32)


@pytest.fixture
def begin(tmp_path):
    def run(path):
        to = tmp_path / "config.yaml"
        begun = write_config(path, pipeline="analyze", output=tmp_path / "out", to=to)
        return begun, to.read_text(encoding="utf-8")

    return run


def test_three_edges_are_written_with_where_they_come_from(tmp_path, values, begin):
    tifffile.imwrite(tmp_path / "v.tif", values, imagej=True, resolution=(0.5, 0.5),
                     metadata={"axes": "ZYX", "unit": "um", "spacing": 3.0})  # fmt: skip
    begun, text = begin(tmp_path / "v.tif")
    assert begun.needed == []
    assert "# voxel_size_um: [3, 2, 2], from ImageJ metadata of v.tif" in text
    assert "unit of the values: not said by the file" in text
    said = plan_text(make_plan(tmp_path / "config.yaml"))
    assert "of 3 × 2 × 2 µm" in said
    assert "voxel_size_um: [3, 2, 2], from ImageJ metadata of v.tif" in said
    assert "warning: slices lie 3 µm apart, 1.5 times the width of a voxel" in said
    assert "energy_kev: not known, so that values are in 1/cm is taken for granted" in said
    (tmp_path / "config.yaml").write_text(
        text.replace("volume:\n", "volume:\n  energy_kev: 25\n"), encoding="utf-8"
    )
    assert "taken for granted" not in plan_text(make_plan(tmp_path / "config.yaml"))


def test_a_size_that_no_voxel_of_a_cell_has_is_asked_for(tmp_path, values, begin):
    tifffile.imwrite(tmp_path / "v.tif", values, imagej=True, resolution=(500.0, 500.0),
                     metadata={"axes": "ZYX", "unit": "um", "spacing": 0.002})  # fmt: skip
    begun, text = begin(tmp_path / "v.tif")
    assert begun.needed == ["volume.voxel_size_um"]
    assert "if mm were meant, it is [2, 2, 2]" in begun.warnings[0]
    assert "voxel_size_um:        # needed" in text


def test_what_is_missing_is_said_at_once(tmp_path, values, begin):
    (tmp_path / "in").mkdir()
    for z, image in enumerate(values):
        if z not in (5, 6):
            tifffile.imwrite(tmp_path / "in" / f"s_{z:03d}.tif", image)
    begun, text = begin(tmp_path / "in")
    assert "2 of 20 slices are missing (numbers 5–6)" in begun.warnings[0]
    assert "2 of 20 slices are missing" in " ".join(text.replace("#", "").split())
    assert "[1, 1, 1]" not in text
    config = yaml.safe_load(text) | {"output": str(tmp_path / "out")}
    config["volume"] |= {"file": str(tmp_path / "in"), "voxel_size_um": [2, 2, 2]}
    assert any("2 of 20 slices" in warning for warning in make_plan(config).warnings)


def test_values_without_a_header_are_asked_for_their_order(tmp_path, values, begin):
    (tmp_path / "v.raw").write_bytes(values.tobytes())
    begun, text = begin(tmp_path / "v.raw")
    assert begun.needed == ["volume.raw"]
    config = yaml.safe_load(text)
    config["volume"] |= {
        "file": str(tmp_path / "v.raw"),
        "raw": {"shape": [20, 32, 32], "dtype": "float32"},
        "voxel_size_um": [2, 2, 2],
    }
    plan = make_plan(config | {"output": str(tmp_path / "out")})
    np.testing.assert_array_equal(plan.source.voxels[3:5], values[3:5])


def test_one_of_several_datasets_is_asked_for(tmp_path, values, begin):
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file["a"], file["b"] = values, values
    begun, text = begin(tmp_path / "v.h5")
    assert begun.needed == ["volume.path"]
    assert "/a (20 × 32 × 32)" in " ".join(text.replace("#", "").split())


@pytest.mark.parametrize("name", ["result", "result/volume.zarr"])
def test_a_result_brings_its_energy_and_its_quantity(tmp_path, values, begin, name):
    (tmp_path / "result").mkdir()
    create_volume(tmp_path / "result" / "volume.zarr", values.shape, (4, 2, 2), Coding(), "cell",
                  quantity="grey", energy_kev=25.0)  # fmt: skip
    write_slab(tmp_path / "result" / "volume.zarr", 0, values[:16])
    write_slab(tmp_path / "result" / "volume.zarr", 16, values[16:])
    told = {"name": "NCM: 1", "group": None, "cycles": 100}
    account = yaml.safe_dump({"configuration": {"cell": told}})
    (tmp_path / "result" / "run.yaml").write_text(account, encoding="utf-8")
    _, text = begin(tmp_path / name)
    assert yaml.safe_load(text)["cell"] == {"name": "NCM: 1", "cycles": 100}
    section = yaml.safe_load(text)["volume"]
    assert section["unit"] == "grey"
    assert section["energy_kev"] == 25
    assert "[4, 2, 2]" in text


def test_what_is_made_of_a_result_does_not_lie_on_it(tmp_path):
    (tmp_path / "ncm_100" / "volume.zarr").mkdir(parents=True)
    for path in (tmp_path / "ncm_100", tmp_path / "ncm_100" / "volume.zarr"):
        assert (new_name(path), recipe_for(path)) == ("ncm_100_again", "analyze")
    assert (new_name(tmp_path / "a.b.h5"), recipe_for(tmp_path / "a.b.h5")) == (
        "a.b",
        "reconstruct",
    )


@pytest.mark.parametrize("name", ["one.roi", "RoiSet.zip"])
def test_rois_of_imagej_are_named_as_such(tmp_path, name):
    import zipfile

    roi = b"Iout" + bytes(60) + b"\xe3\xff"
    (tmp_path / "one.roi").write_bytes(roi)
    with zipfile.ZipFile(tmp_path / "RoiSet.zip", "w") as file:
        file.writestr("one.roi", roi)
    with pytest.raises(XctError, match="holds ROIs of ImageJ"):
        read_rois(tmp_path / name)


def test_export_asks_for_one_place(tmp_path, capsys):
    assert execute(["export", str(tmp_path), "--bits", "8"]) == 2
    assert "name either a folder by --tiff, or a file by --to" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["v.raw", "v.nii", "v.zarr.zip"])
def test_a_volume_that_is_taken_for_a_scan_is_told_from_one(tmp_path, name):
    (tmp_path / name).write_bytes(b"PK" + bytes(400))
    with pytest.raises(XctError, match=r"reconstructed before: xct init .* --pipeline analyze"):
        write_config(tmp_path / name, pipeline="reconstruct", output=tmp_path / "out",
                     to=tmp_path / "config.yaml")  # fmt: skip


@pytest.mark.parametrize(
    ("name", "begins", "said"),
    [
        ("a.am", b"# AmiraMesh BINARY 3.0", "Avizo or Amira"),
        ("a.txm", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "TIFF slices"),
        ("a.txrm", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "txrm2tiff"),
    ],
)
def test_init_says_how_a_file_of_a_closed_format_is_converted(tmp_path, name, begins, said):
    (tmp_path / name).write_bytes(begins + bytes(64))
    with pytest.raises(XctError, match=said):
        write_config(
            tmp_path / name, pipeline="reconstruct", output=tmp_path / "out",
            to=tmp_path / "config.yaml",
        )  # fmt: skip
