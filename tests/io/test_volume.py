"""Volumes as OME-Zarr: what is written by slabs is the volume, on every level."""

import json
import shutil

import numpy as np
import pytest
import zarr
from ome_zarr_models.v05 import Image

from xct.errors import DamagedFile
from xct.io.volumes import Coding, create_volume, levels_of, open_volume, write_slab


@pytest.fixture
def volume(rng):
    return rng.normal(5, 20, (37, 300, 280)).astype(np.float32)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def written(path, values, slabs, coding=None):
    coding = coding or Coding()
    create_volume(path, values.shape, 1.3, coding, "cell")
    inside = np.ones(values.shape[1:], bool)
    for first, stop in slabs:
        write_slab(path, first, coding.encode(values[first:stop], inside)[0])
    return zarr.open_group(path, mode="r")


def test_slabs_in_any_order_make_the_volume(tmp_path, volume):
    group = written(tmp_path / "v.zarr", volume, [(32, 37), (0, 16), (16, 32)])
    np.testing.assert_array_equal(group["0"][:], volume)


def test_coarser_levels_are_means_of_eight_voxels(tmp_path, volume):
    group = written(tmp_path / "v.zarr", volume, [(0, 32), (32, 37)])
    means = volume[:36].reshape(18, 2, 150, 2, 140, 2).mean((1, 3, 5))
    np.testing.assert_allclose(group["1"][:], means, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("shape", "factors"),
    [
        ((2, 640, 640), [(1, 1, 1), (2, 2, 2), (2, 4, 4)]),
        ((1, 300, 300), [(1, 1, 1), (1, 2, 2)]),
        ((40, 200, 200), [(1, 1, 1)]),
        ((5, 1030, 1030), [(1, 1, 1), (2, 2, 2), (4, 4, 4), (4, 8, 8)]),
        ((8000, 512, 512), [(1, 1, 1), (2, 2, 2), (4, 4, 4)]),  # tall: 2,000 are drawn in 3-D
        ((2400, 1920, 2560), [(1, 1, 1), (2, 2, 2), (4, 4, 4), (8, 8, 8), (16, 16, 16)]),
    ],
)
def test_an_axis_is_halved_while_it_has_two_planes(shape, factors):
    assert [level.factors for level in levels_of(shape)] == factors


def test_metadata_is_valid_and_coarser_levels_are_shifted_by_half_a_voxel(tmp_path, volume):
    group = written(tmp_path / "v.zarr", volume, [])
    multiscale = Image.from_zarr(group).attributes.ome.multiscales[0]
    assert [(a.name, a.unit) for a in multiscale.axes] == [(n, "micrometer") for n in "zyx"]
    fine, coarse = (d.coordinateTransformations for d in multiscale.datasets)
    assert len(fine) == 1
    assert fine[0].scale == [1.3, 1.3, 1.3]
    assert coarse[0].scale == [2.6, 2.6, 2.6]
    assert coarse[1].translation == [0.65, 0.65, 0.65]


def test_slabs_never_share_a_file(tmp_path, volume):
    group = written(tmp_path / "v.zarr", volume, [])
    for number, _ in enumerate(levels_of(volume.shape)):
        rows_of_a_slab = 16 >> number
        assert rows_of_a_slab % group[str(number)].chunks[0] == 0


def test_a_run_that_began_with_fewer_levels_goes_on(tmp_path):
    values = np.ones((2064, 4, 4), np.float32)
    group = written(tmp_path / "v.zarr", values, [])
    shutil.rmtree(tmp_path / "v.zarr" / "1")
    write_slab(tmp_path / "v.zarr", 2048, values[2048:])
    assert (np.asarray(group["0"][2048:]) == 1).all()


def test_a_slab_that_shares_chunks_is_refused(tmp_path, volume):
    create_volume(tmp_path / "v.zarr", volume.shape, 1.3, Coding(), "cell")
    with pytest.raises(ValueError, match="slices 8 to 24 share chunks"):
        write_slab(tmp_path / "v.zarr", 8, volume[8:24])


def test_uint16_gives_back_attenuation_within_half_a_code(tmp_path, volume):
    coding = Coding.for_range(float(volume.min()), float(volume.max()))
    written(tmp_path / "v.zarr", volume, [(0, 37)], coding)
    stored = open_volume(tmp_path / "v.zarr")
    np.testing.assert_allclose(stored.read(), volume, atol=0.51 * coding.slope)
    np.testing.assert_allclose(stored.lazy()[5].compute(), volume[5], atol=0.51 * coding.slope)


def test_code_zero_means_no_value_and_stays_out_of_means(tmp_path):
    values = np.full((16, 300, 300), 7, np.float32)
    coding = Coding.for_range(0, 10)
    inside = np.zeros((300, 300), bool)
    inside[1:, 1:] = True
    codes, beyond = coding.encode(values, inside)
    create_volume(tmp_path / "v.zarr", values.shape, 1.0, coding, "cell")
    write_slab(tmp_path / "v.zarr", 0, codes)
    group = zarr.open_group(tmp_path / "v.zarr", mode="r")
    assert beyond.sum() == 0
    assert group["0"][0, 0, 0] == 0
    assert group["1"][0, 0, 0] == codes[0, 1, 1]


def test_values_that_uint16_cannot_hold_are_counted():
    codes, beyond = Coding.for_range(0, 1).encode(
        np.array([[[-5, 0.5, 9]]], np.float32), np.ones((1, 3), bool)
    )
    assert beyond.tolist() == [2]
    assert codes[0, 0, 0] == 1
    assert codes[0, 0, 2] == 65535


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # ome-zarr warns of itself on import
def test_another_reader_opens_it(tmp_path, volume):
    from ome_zarr.io import parse_url
    from ome_zarr.reader import Reader

    written(tmp_path / "v.zarr", volume, [(0, 32), (32, 37)])
    (node,) = Reader(parse_url(tmp_path / "v.zarr"))()
    np.testing.assert_array_equal(np.asarray(node.data[0]), volume)
    assert len(node.data) == 2


def test_chunks_that_do_not_fit_their_description_are_said_in_words(tmp_path):
    create_volume(tmp_path / "volume.zarr", (16, 24, 24), 2.0, Coding(), "cell")
    write_slab(tmp_path / "volume.zarr", 0, np.ones((16, 24, 24), np.float32))
    described = tmp_path / "volume.zarr" / "0" / "zarr.json"
    content = json.loads(described.read_text(encoding="utf-8"))
    content["chunk_grid"]["configuration"]["chunk_shape"] = [16, 24, 1]
    described.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(DamagedFile, match=r"slices 0 … 15 cannot be read: what is stored does not"):
        open_volume(tmp_path / "volume.zarr").read(slice(0, 16))
