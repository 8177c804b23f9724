"""What a TIFF file says of lengths and values is what is read."""

import numpy as np
import pytest
import tifffile

from xct.errors import ScanError
from xct.io.volume_files.opening import open_foreign
from xct.io.volume_files.volume import chosen_size

SIZE = (4.0, 2.0, 2.0)


@pytest.fixture
def codes():
    return np.random.default_rng(0).integers(0, 65_536, (5, 6, 7)).astype(np.uint16)


def imagej(path, values, resolution=(0.5, 0.5), **metadata):
    tifffile.imwrite(
        path, values, imagej=True, resolution=resolution, metadata={"axes": "ZYX", **metadata}
    )
    return path


def test_spacing_of_imagej_is_the_distance_of_slices(tmp_path, codes):
    path = imagej(tmp_path / "v.tif", codes, (0.5, 0.4), unit="um", spacing=4.0)
    volume = open_foreign(path)
    assert volume.voxel_size_um == pytest.approx((4, 2.5, 2))
    assert "ImageJ" in volume.origin["voxel_size_um"]
    assert volume.notes == ()


def test_units_of_imagej_are_heeded(tmp_path, codes):
    path = imagej(tmp_path / "v.tif", codes, (500, 500), unit="mm", spacing=0.004)
    assert open_foreign(path).voxel_size_um == pytest.approx(SIZE)


def test_a_distance_of_slices_that_is_not_said_is_assumed_aloud(tmp_path, codes):
    volume = open_foreign(imagej(tmp_path / "v.tif", codes, unit="um"))
    assert volume.voxel_size_um == pytest.approx((2, 2, 2))
    assert "distance of slices is taken to be the pixel's edge" in volume.notes[0]


def test_what_the_user_says_overrules_the_file_aloud(tmp_path, codes):
    volume = open_foreign(imagej(tmp_path / "v.tif", codes, unit="um", spacing=4.0), (3, 3, 3))
    assert volume.voxel_size_um == (3, 3, 3)
    assert "[3, 3, 3] of the configuration overrules [4, 2, 2]" in volume.notes[0]


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize(("c0", "c1"), [(-5.0, 0.001), (-32768.0, 1.0), (2.5, -0.25)])
def test_values_are_calibrated_as_imagej_shows_them(tmp_path, codes, kind, c0, c1):
    stored = (codes % 256).astype(kind) if kind is np.uint8 else codes
    path = imagej(tmp_path / "v.tif", stored, unit="um", spacing=2.0, cf=0, c0=c0, c1=c1)
    volume = open_foreign(path)
    np.testing.assert_allclose(volume.read(np.s_[1:4]), c0 + c1 * stored[1:4], rtol=1e-5, atol=1e-3)


def test_real_numbers_are_not_calibrated_again(tmp_path, codes):
    values = codes.astype(np.float32)
    path = imagej(tmp_path / "v.tif", values, unit="um", spacing=2.0, cf=0, c0=1.0, c1=2.0)
    np.testing.assert_array_equal(open_foreign(path).read(np.s_[:]), values)


def test_a_calibration_that_is_no_line_is_refused(tmp_path, codes):
    path = imagej(tmp_path / "v.tif", codes, unit="um", spacing=2.0, cf=4, c0=1.0, c1=2.0)
    with pytest.raises(ScanError, match="no straight line; convert it to 32 bits"):
        open_foreign(path)


def test_slices_that_are_scaled_each_its_own_way_are_refused(tmp_path, codes):
    for number, image in enumerate(codes):
        facts = {"axes": "YX", "unit": "um", "cf": 0, "c0": 0.0, "c1": 1.0 + number}
        tifffile.imwrite(tmp_path / f"s_{number}.tif", image, imagej=True, metadata=facts,
                         resolution=(1, 1))  # fmt: skip
    with pytest.raises(ScanError, match="slices are scaled differently"):
        open_foreign(tmp_path)


def test_a_palette_of_colors_is_refused_and_one_of_greys_read(tmp_path):
    values = np.arange(4 * 16 * 16, dtype=np.uint8).reshape(4, 16, 16)
    ramp = np.repeat(np.arange(256, dtype=np.uint16)[None] * 257, 3, axis=0)

    def read(colors, **how):
        path = tmp_path / "v.tif"
        tifffile.imwrite(path, values, photometric="palette", colormap=colors, **how)
        return open_foreign(path, SIZE).read(np.s_[:])

    np.testing.assert_array_equal(read(ramp), values)
    with pytest.raises(ScanError, match="numbers of colors in a palette"):
        read(ramp[:, np.random.default_rng(0).permutation(256)])
    with pytest.raises(ScanError, match="numbers of colors in a palette"):
        read(ramp * np.array([[1], [1], [0]], np.uint16))


def test_loss_by_compression_is_said(tmp_path):
    values = np.full((3, 32, 32), 100, np.uint8)
    for how, loses in (("jpeg", True), ("lzw", False)):
        tifffile.imwrite(tmp_path / "v.tif", values, photometric="minisblack", compression=how)
        said = open_foreign(tmp_path / "v.tif", SIZE).warnings
        assert ["compressed with loss" in text for text in said] == [True] * loses


@pytest.mark.parametrize(
    ("unit", "factor"), [("1/cm", 1), ("1/mm", 10), ("mm^-1", 10), ("/m", 0.01)]
)
def test_attenuation_in_another_unit_is_turned_into_1_per_cm(tmp_path, codes, unit, factor):
    path = imagej(
        tmp_path / "v.tif", codes, unit="um", spacing=2.0, cf=0, c0=0.0, c1=1.0, vunit=unit
    )
    volume = open_foreign(path)
    np.testing.assert_allclose(volume.read(np.s_[:]), codes * np.float32(factor), rtol=1e-6)
    assert volume.per_cm() == 1


def test_ome_says_all_three_edges_with_their_units(tmp_path, codes):
    tifffile.imwrite(
        tmp_path / "v.ome.tif", codes, ome=True, photometric="minisblack",
        metadata={"axes": "ZYX", "PhysicalSizeX": 0.002, "PhysicalSizeXUnit": "mm",
                  "PhysicalSizeY": 2.5, "PhysicalSizeY Unit": "µm", "PhysicalSizeZ": 4000,
                  "PhysicalSizeZUnit": "nm"},
    )  # fmt: skip
    volume = open_foreign(tmp_path / "v.ome.tif")
    assert volume.voxel_size_um == pytest.approx((4, 2.5, 2))
    assert "OME" in volume.origin["voxel_size_um"]


def test_whole_numbers_of_32_bits_and_half_floats_are_read(tmp_path, codes):
    for kind in (np.uint32, np.int32, np.float16):
        tifffile.imwrite(tmp_path / "v.tif", codes.astype(kind), photometric="minisblack")
        volume = open_foreign(tmp_path / "v.tif", SIZE)
        np.testing.assert_array_equal(volume.read(np.s_[:]), codes.astype(kind).astype(np.float32))


@pytest.mark.parametrize(
    ("edge", "meant"), [(0.003, "if mm were meant, it is [3, 3, 3]"),
                        (3000.0, "if nm were meant, it is [3, 3, 3]"), (0.05, None), (30.0, None)],
)  # fmt: skip
def test_a_voxel_size_in_another_unit_is_asked_for(edge, meant):
    size = (edge,) * 3
    for given, found in ((size, None), (None, size), (size, size), (size, (3.0,) * 3)):
        if meant is None:
            assert chosen_size(given, found, "its header", "volume.nrrd")[0] == size
            continue
        with pytest.raises(ScanError) as error:
            chosen_size(given, found, "its header", "volume.nrrd")
        assert str(error.value).count("voxel_size_um: [") == 1
        assert meant in str(error.value)


def test_a_size_of_the_file_in_another_unit_is_overruled_by_the_configuration():
    size, origin, notes = chosen_size((3.0,) * 3, (0.003,) * 3, "its header", "volume.nrrd")
    assert size == (3.0,) * 3
    assert origin == {"voxel_size_um": "configuration"}
    assert "overrules" in notes[0]
