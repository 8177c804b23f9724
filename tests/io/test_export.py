"""Exported TIFF stacks, opened by ImageJ itself."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from xct.errors import ConfigError
from xct.io.export import export_file, export_tiff, of_labels, of_volume, parse_window
from xct.io.volumes import Coding, create_volume, open_volume, write_slab

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
    export_tiff(of_volume(volume), tmp_path / "tiff", bits=bits, window=None if bits == 32 else (-10, 50))
    macro = tmp_path / "look.ijm"
    macro.write_text(MACRO)
    command = ["java", "-Djava.awt.headless=true", "-cp", str(JAR), "ij.ImageJ", "-batch"]
    said = subprocess.run(
        [*command, str(macro), str(tmp_path / "tiff")], capture_output=True, text=True, check=True
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
