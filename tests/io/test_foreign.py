"""Volumes that other programs wrote: what is read is what was stored, with its voxel size."""

import numpy as np
import pytest
import tifffile
import zarr

from xct.errors import ScanError
from xct.io.volume_files.opening import open_foreign
from xct.io.volumes import Coding, create_volume, write_slab

SIZE = (2.0, 1.5, 1.5)


@pytest.fixture
def values():
    return np.random.default_rng(3).integers(0, 60_000, (5, 6, 7)).astype(np.uint16)


def assert_same(volume, values):
    assert volume.voxels.shape == values.shape
    for part in (slice(0, 5), slice(1, 3)):
        np.testing.assert_array_equal(volume.voxels[part], values[part])
    np.testing.assert_array_equal(volume.voxels[1:4, 2:5, 3:], values[1:4, 2:5, 3:])


def test_a_stack_in_one_tiff_file_is_read_slice_by_slice(tmp_path, values):
    tifffile.imwrite(tmp_path / "volume.tif", values, photometric="minisblack")
    assert_same(open_foreign(tmp_path / "volume.tif", SIZE), values)


@pytest.mark.parametrize("name", ["", "*.tif"])
def test_single_slices_are_read_in_the_order_of_their_numbers(tmp_path, values, name):
    folder = tmp_path / "slices"
    folder.mkdir()
    for number, image in enumerate(values):
        tifffile.imwrite(folder / f"slice_{number + 7}.tif", image)  # 7 … 11: not alphabetical
    volume = open_foreign(folder / name if name else folder, SIZE)
    assert_same(volume, values)
    assert volume.voxel_size_um == SIZE
    assert len(volume.files) == 5


def test_a_calibrated_stack_needs_no_voxel_size(tmp_path, values):
    tifffile.imwrite(
        tmp_path / "volume.tif",
        values,
        imagej=True,
        resolution=(1 / 1.3, 1 / 1.3),
        metadata={"axes": "ZYX", "unit": "um", "spacing": 1.3},
    )
    volume = open_foreign(tmp_path / "volume.tif")
    assert volume.voxel_size_um == pytest.approx((1.3, 1.3, 1.3))
    assert_same(volume, values)


def test_a_volume_of_xct_keeps_its_scale_and_its_size(tmp_path):
    codes = np.arange(1, 16 * 4 * 5 + 1, dtype=np.uint16).reshape(16, 4, 5)
    create_volume(tmp_path / "v.zarr", codes.shape, SIZE, Coding("uint16", 0.5, -3.0), "cell")
    write_slab(tmp_path / "v.zarr", 0, codes)
    volume = open_foreign(tmp_path / "v.zarr")
    assert (volume.slope, volume.offset) == (0.5, -3.0)
    assert volume.voxel_size_um == SIZE
    np.testing.assert_array_equal(volume.voxels[0:16], codes)


def test_leading_axes_of_one_plane_are_no_obstacle_and_units_are_heeded(tmp_path, values):
    group = zarr.open_group(tmp_path / "v.zarr", mode="w", zarr_format=2)
    group.create_array("0", data=values[None, None])
    axes = [{"name": n} for n in "tc"] + [{"name": n, "unit": "nanometer"} for n in "zyx"]
    transformation = {"type": "scale", "scale": [1, 1, 2000, 1500, 1500]}
    group.attrs["multiscales"] = [
        {"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": [transformation]}]}
    ]
    volume = open_foreign(tmp_path / "v.zarr")
    assert volume.voxel_size_um == pytest.approx(SIZE)
    assert_same(volume, values)


def test_what_is_no_volume_is_refused_in_plain_words(tmp_path, values):
    tifffile.imwrite(tmp_path / "one.tif", values[0])
    tifffile.imwrite(tmp_path / "many.tif", values, photometric="minisblack")
    tifffile.imwrite(tmp_path / "odd.tif", values.astype(np.complex64), photometric="minisblack")
    (tmp_path / "empty").mkdir()
    zarr.create_array(tmp_path / "four.zarr", data=np.zeros((2, 3, 4, 5), np.float32))
    for name, size, said in (
        ("one.tif", SIZE, r"shape \(1, 6, 7\)"),
        ("many.tif", None, "does not say its voxel size"),
        ("odd.tif", SIZE, "complex64"),
        ("empty", SIZE, "neither TIFF slices nor a Zarr volume"),
        ("four.zarr", SIZE, "split times or channels"),
        ("none.tif", SIZE, "no file matches"),
    ):
        with pytest.raises(ScanError, match=said):
            open_foreign(tmp_path / name, size)
