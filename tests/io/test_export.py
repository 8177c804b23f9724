"""Exported TIFF stacks, opened by ImageJ itself."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import zarr

from xct.errors import ConfigError
from xct.io.export import export_file, export_tiff, of_labels, of_volume, parse_window
from xct.io.labels import create_labels
from xct.io.volume_files.opening import open_foreign
from xct.io.volumes import Coding, create_volume, open_volume, write_slab
from xct.segment.cell.placement import Placement

JAR = Path("/usr/share/java/ij.jar")
MACRO = """
File.openSequence(getArgument());
getVoxelSize(width, height, depth, unit);
setSlice(4);
print(unit + " " + width + " " + height + " " + depth + " " + nSlices + " " + getValue(7, 2));
"""


@pytest.fixture
def volume(tmp_path):
    values = np.random.default_rng(0).normal(20, 5, (5, 30, 40)).astype(np.float32)
    create_volume(tmp_path / "volume.zarr", values.shape, 1.3, Coding(), "cell")
    write_slab(tmp_path / "volume.zarr", 0, values)
    return open_volume(tmp_path / "volume.zarr")


@pytest.mark.parametrize(("bits", "tolerance"), [(32, 1e-4), (16, 1e-3), (8, 0.13)])
def test_imagej_reads_voxel_size_and_attenuation(volume, tmp_path, bits, tolerance):
    if not JAR.exists() or shutil.which("java") is None:
        pytest.skip("ImageJ is not installed (Debian's packages imagej, default-jre-headless)")
    export_tiff(
        of_volume(volume), tmp_path / "tiff", bits=bits, window=None if bits == 32 else (-10, 50)
    )
    macro = tmp_path / "look.ijm"
    macro.write_text(MACRO, encoding="utf-8")
    command = ["java", "-Djava.awt.headless=true", "-cp", str(JAR), "ij.ImageJ", "-batch"]
    said = subprocess.run(
        [*command, str(macro), str(tmp_path / "tiff")],
        capture_output=True,
        encoding="utf-8",
        check=True,
    ).stdout.split()
    assert said[0].startswith("micron")
    assert [float(edge) for edge in said[1:4]] == [1.3, 1.3, 1.3]
    assert int(said[4]) == 5
    assert float(said[5]) == pytest.approx(volume.read(3)[2, 7], abs=tolerance)


def test_values_beyond_the_window_are_counted(volume, tmp_path):
    values = volume.read()
    beyond = np.count_nonzero((values < 15) | (values > 25))
    said = export_tiff(of_volume(volume), tmp_path / "tiff", bits=16, window=(15, 25))
    assert int(said.split()[-4]) == pytest.approx(beyond, abs=2)  # half a code at either end


def test_a_folder_with_files_is_not_written_into(volume, tmp_path):
    with pytest.raises(ConfigError, match="holds files already"):
        export_tiff(of_volume(volume), tmp_path)


@pytest.mark.parametrize("text", ["1", "2,1", "a,b", "nan,1", "0,inf"])
def test_a_window_is_two_ascending_numbers(text):
    with pytest.raises(ConfigError, match="two ascending numbers"):
        parse_window(text)


SIZE = (4.0, 1.5, 1.25)


@pytest.fixture
def labelled(tmp_path):
    """A volume with edges of its own along each axis, and labels beside it."""
    rng = np.random.default_rng(1)
    values = rng.normal(20, 5, (16, 30, 40)).astype(np.float32)
    path = tmp_path / "volume.zarr"
    create_volume(path, values.shape, SIZE, Coding(), "cell")
    write_slab(path, 0, values)
    create_labels(path, "materials", "uint8")[:] = rng.integers(0, 8, values.shape)
    create_labels(path, "particles", "uint32")[:] = rng.integers(0, 70_000, values.shape)
    return path


@pytest.mark.parametrize("name", ["v.ome.tif", "v.nrrd", "v.vti"])
@pytest.mark.parametrize("what", ["volume", "materials", "particles"])
def test_what_is_exported_is_what_is_read_again(labelled, tmp_path, name, what):
    if name == "v.nrrd":
        pytest.importorskip("nrrd")
    volume = open_volume(labelled)
    source = of_volume(volume) if what == "volume" else of_labels(labelled, what)
    export_file(source, tmp_path / name)
    again = open_foreign(tmp_path / name)
    assert again.voxel_size_um == pytest.approx(SIZE)
    assert again.voxels.dtype == source.dtype
    whole = np.stack(list(source.slices()))
    np.testing.assert_array_equal(again.voxels[:], whole)
    np.testing.assert_array_equal(again.voxels[3:5, 2:9], whole[3:5, 2:9])


@pytest.mark.parametrize("what", ["volume", "materials"])
def test_an_export_says_how_it_lies_in_its_file(labelled, tmp_path, what):
    placement = Placement.along(("x", "-z", "y"), (40, 16, 30), (1.5, 4.0, 1.25)).to_dict()
    group = zarr.open_group(labelled, mode="r+")

    def source():
        return of_volume(open_volume(labelled)) if what == "volume" else of_labels(labelled, what)

    assert "placement" not in export_file(source(), tmp_path / "plain.vti")
    assert not (tmp_path / "plain.vti.placement.json").exists()
    group.attrs["xct"] = {**group.attrs["xct"], "placement": placement}
    said = export_file(source(), tmp_path / "v.vti"), export_tiff(source(), tmp_path / "tiff")
    for text, name in zip(said, ("v.vti", "tiff"), strict=True):
        assert "z, y, x are its x, -z, y" in text
        assert f"{name}.placement.json" in text
        kept = json.loads((tmp_path / f"{name}.placement.json").read_text("utf-8"))
        assert kept["matrix"] == placement["matrix"]
    assert open_foreign(tmp_path / "tiff").warnings == ()


@pytest.mark.parametrize(("what", "dtype"), [("materials", "uint8"), ("particles", "float32")])
def test_labels_keep_their_numbers_as_slices_for_imagej(labelled, tmp_path, what, dtype):
    said = export_tiff(of_labels(labelled, what), tmp_path / "tiff")
    assert f"{np.dtype(dtype).itemsize * 8} bits" in said
    again = open_foreign(tmp_path / "tiff", SIZE)
    assert again.voxels.dtype == dtype
    np.testing.assert_array_equal(
        again.read(np.s_[:]), np.stack(list(of_labels(labelled, what).slices()))
    )


@pytest.mark.parametrize(("bits", "tolerance"), [(32, 1e-6), (16, 1e-3), (8, 0.13)])
def test_exported_slices_are_read_again_as_attenuation(labelled, tmp_path, bits, tolerance):
    volume = open_volume(labelled)
    export_tiff(
        of_volume(volume), tmp_path / "tiff", bits=bits, window=None if bits == 32 else (-10, 50)
    )
    again = open_foreign(tmp_path / "tiff")
    assert again.voxel_size_um == pytest.approx(SIZE)
    assert again.per_cm() == 1
    np.testing.assert_allclose(again.read(np.s_[:]), volume.read(), atol=tolerance)


def test_grey_values_are_exported_without_a_unit_of_attenuation(tmp_path):
    create_volume(tmp_path / "v.zarr", (16, 8, 8), 2.0, Coding(), "cell", quantity="grey")
    write_slab(
        tmp_path / "v.zarr", 0, np.random.default_rng(0).normal(9, 1, (16, 8, 8)).astype("f4")
    )
    source = of_volume(open_volume(tmp_path / "v.zarr"))
    assert "1/cm" not in export_tiff(source, tmp_path / "tiff", bits=16)
    export_file(source, tmp_path / "v.vti")
    for path in (*(tmp_path / "tiff").iterdir(), tmp_path / "v.vti"):
        assert b"1/cm" not in path.read_bytes()


def test_a_mistake_in_an_export_is_said(labelled, tmp_path):
    source = of_volume(open_volume(labelled))
    with pytest.raises(ConfigError, match=r"ends in \.ome\.tif"):
        export_file(source, tmp_path / "v.png")
    with pytest.raises(ConfigError, match="there are materials, particles"):
        of_labels(labelled, "material")
    (tmp_path / "v.vti").touch()
    with pytest.raises(ConfigError, match="exists already"):
        export_file(source, tmp_path / "v.vti")


@pytest.mark.parametrize("what", ["volume", "materials"])
def test_paraview_opens_an_exported_file(labelled, tmp_path, what):
    pvpython = shutil.which("pvpython")
    if pvpython is None:
        pytest.skip("ParaView is not installed (Debian's package paraview)")
    volume = open_volume(labelled)
    source = of_volume(volume) if what == "volume" else of_labels(labelled, what)
    export_file(source, tmp_path / "v.vti")
    script = tmp_path / "look.py"
    script.write_text(
        "from paraview.simple import *; from paraview import servermanager\n"
        f"image = servermanager.Fetch(OpenDataFile({str(tmp_path / 'v.vti')!r}))\n"
        "print('seen', *image.GetDimensions(), *image.GetSpacing(), "
        "image.GetPointData().GetScalars().GetTuple1(3 + 40 * (2 + 30 * 5)))\n",
        encoding="utf-8",
    )
    alone = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [pvpython, str(script)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=True, env=alone)
    seen = next(line for line in done.stdout.splitlines() if line.startswith("seen")).split()[1:]
    assert [float(n) for n in seen[:6]] == pytest.approx([40, 30, 16, 1.25, 1.5, 4.0])
    assert float(seen[6]) == pytest.approx(
        float(np.stack(list(source.slices()))[5, 2, 3]), abs=1e-4
    )


def test_imagej_reads_labels_with_their_numbers(labelled, tmp_path):
    if not JAR.exists() or shutil.which("java") is None:
        pytest.skip("ImageJ is not installed (Debian's packages imagej, default-jre-headless)")
    source = of_labels(labelled, "particles")
    export_tiff(source, tmp_path / "tiff")
    macro = tmp_path / "look.ijm"
    macro.write_text(MACRO, encoding="utf-8")
    command = ["java", "-Djava.awt.headless=true", "-cp", str(JAR), "ij.ImageJ", "-batch"]
    said = subprocess.run(
        [*command, str(macro), str(tmp_path / "tiff")],
        capture_output=True,
        encoding="utf-8",
        check=True,
    ).stdout.split()
    assert [float(edge) for edge in said[1:4]] == pytest.approx([1.25, 1.5, 4.0])
    assert float(said[5]) == source.read(3)[2, 7]
