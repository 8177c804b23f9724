"""The overview that is kept with a volume is that of what is read from it, however it was cut."""

import numpy as np
import pytest
import zarr

from xct.io.overview import coarse_edge, column_edge, overview_of, sparse_step
from xct.io.volumes import Coding, create_volume, open_volume, write_slab

SHAPE = (40, 400, 390)


@pytest.fixture(scope="module")
def values():
    values = np.random.default_rng(2).normal(5, 1, SHAPE).astype(np.float32)
    values[3, 10:13, 20] = np.nan
    values[7, 8:12, 16:20] = np.nan  # a whole column
    return values


def stored(folder, values, coding=None):
    coding = coding or Coding()
    create_volume(folder / "v.zarr", values.shape, 2.0, coding, "cell")
    inside = np.ones(values.shape[1:], bool)
    for first in range(0, len(values), 16):
        write_slab(folder / "v.zarr", first, coding.encode(values[first : first + 16], inside)[0])
    return open_volume(folder / "v.zarr")


def same(one, other):
    assert (one.edge, one.step) == (other.edge, other.step)
    for name in ("columns", "missing", "sparse"):
        np.testing.assert_array_equal(getattr(one, name)[:], getattr(other, name)[:])


def test_columns_are_means_of_what_is_finite(values):
    found = overview_of(values)
    assert found.edge == column_edge(SHAPE) == 4
    block = values[:, :400, :388].reshape(40, 100, 4, 97, 4)
    known = np.isfinite(block)
    np.testing.assert_array_equal(found.missing, np.sum(~known, axis=(2, 4)))
    count = known.sum(axis=(2, 4))
    total = np.where(known, block, 0).sum(axis=(2, 4), dtype=float)
    true = np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0)
    np.testing.assert_allclose(found.columns, true, rtol=1e-6)
    assert np.isnan(found.columns[7, 2, 4])
    np.testing.assert_array_equal(found.sparse, values[:, :: found.step, :: found.step])


@pytest.mark.parametrize("rows", [1, 7, 40])
def test_it_does_not_depend_on_the_slabs(values, rows):
    same(overview_of(values, rows), overview_of(values))


def test_it_is_kept_with_a_volume_as_it_is_written(values, tmp_path):
    volume = stored(tmp_path, values)
    assert volume.overview is not None
    same(volume.overview, overview_of(values))


def test_of_whole_numbers_it_is_that_of_what_they_are_read_as(values, tmp_path):
    volume = stored(tmp_path, np.nan_to_num(values, nan=5.0), Coding.for_range(0.0, 10.0))
    same(overview_of(volume), overview_of(volume.read()))


def test_a_volume_without_one_is_read_for_it(values, tmp_path):
    stored(tmp_path, values)
    group = zarr.open_group(tmp_path / "v.zarr", mode="r+")
    del group["sparse"]
    volume = open_volume(tmp_path / "v.zarr")
    assert volume.overview is None
    same(overview_of(volume), overview_of(values))


@pytest.mark.parametrize(
    ("across", "coarse", "column"), [(40, 1, 1), (256, 2, 2), (512, 4, 4), (2560, 16, 8)]
)
def test_columns_divide_those_by_which_a_cell_is_found(across, coarse, column):
    shape = (10, across, across + 30)
    assert (coarse_edge(shape), column_edge(shape)) == (coarse, column)
    assert across // sparse_step(shape) >= min(96, across)


def test_a_volume_that_was_begun_without_one_is_finished_without_one(values, tmp_path):
    create_volume(tmp_path / "v.zarr", values.shape, 2.0, Coding(), "cell")
    write_slab(tmp_path / "v.zarr", 0, values[:16])
    group = zarr.open_group(tmp_path / "v.zarr", mode="r+")
    for name in ("columns", "missing", "sparse"):
        del group[name]
    write_slab(tmp_path / "v.zarr", 16, values[16:])
    volume = open_volume(tmp_path / "v.zarr")
    assert volume.overview is None
    same(overview_of(volume), overview_of(values))


def test_arrays_of_any_number_type_have_one():
    whole = np.arange(10 * 20 * 20).reshape(10, 20, 20) % 97
    for kind in (">f4", "f8", "f2", ">u2", "i2"):
        np.testing.assert_allclose(overview_of(whole.astype(kind)).columns, whole)


def test_a_small_volume_keeps_none_since_it_would_be_as_large(values, tmp_path):
    small = values[:, :300, :300].copy()
    volume = stored(tmp_path, small)
    assert volume.overview is None
    same(overview_of(volume), overview_of(small))
