"""A given volume that is stored as uint16 reads as it does in its file, also where it has none."""

import numpy as np
import pytest
import tifffile

import xct
from xct.io.volume_files.volume import ForeignVolume
from xct.pipeline.given.storing import coding_for

SHAPE = (20, 24, 24)


def drawn(dtype, shape=SHAPE):
    noise = np.random.default_rng(0).normal(120, 20, shape)
    noise[3, :4] = 0  # padding
    return noise.astype(dtype)


def stored(values, slope=1.0, offset=0.0, missing=None):
    return ForeignVolume(values, (2.0,) * 3, (), "drawn", slope, offset, missing)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int16, np.uint16, np.float32])
@pytest.mark.parametrize(("slope", "offset"), [(1.0, 0.0), (-0.02, 1.5), (0.5, 40.0)])
def test_values_are_kept_to_half_a_step_of_the_range_and_zero_exactly(dtype, slope, offset):
    source = stored(drawn(dtype), slope, offset)
    values, coding = source.read(...), coding_for(source)
    codes, beyond = coding.encode(values)
    assert codes.dtype == np.uint16
    assert not beyond.any()
    read = coding.decode(codes)
    np.testing.assert_allclose(read, values, atol=0.51 * coding.slope)
    assert (read[values == 0] == 0).all()
    few_bits = np.dtype(dtype).kind in "iu"
    whole = abs(slope) * (np.iinfo(dtype).max - np.iinfo(dtype).min) if few_bits else np.ptp(values)
    assert coding.slope < 2.01 * whole / 65532


def test_the_ends_of_sixteen_bits_are_within_the_range():
    source = stored(np.tile(np.array([0, 65535], np.uint16), 500).reshape(10, 10, 10))
    codes, beyond = coding_for(source).encode(source.read(...))
    assert not beyond.any()
    np.testing.assert_allclose(coding_for(source).decode(codes), source.read(...), atol=0.51)


def test_what_lies_beyond_the_slices_that_were_looked_at_is_counted():
    values = drawn(np.float32).repeat(10, axis=0)
    values[100, 5, 5] = 1e6
    codes, beyond = coding_for(stored(values)).encode(values)
    assert beyond.sum() == beyond[100] == 1
    assert codes[100, 5, 5] == 65535


def test_a_copy_in_uint16_has_no_value_where_its_file_has_none_or_a_lost_block(tmp_path):
    values, lost = drawn(np.float32, (40, 64, 64)), np.s_[16:32, 12:52, 12:52]
    values[4, 5, 6], values[5, 5, 6] = np.nan, np.inf
    values[lost] = 7.0
    tifffile.imwrite(tmp_path / "v.tif", values, photometric="minisblack")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("- find_cell: {}\n", encoding="utf-8")
    copies = {
        dtype: xct.run(
            {
                "volume": {"file": str(tmp_path / "v.tif"), "voxel_size_um": [2.0] * 3},
                "pipeline": str(recipe),
                "output": str(tmp_path / dtype),
                "run": {"dtype": dtype},
            }
        )
        for dtype in ("float32", "uint16")
    }
    plain, coded = (copy.stored_volume for copy in copies.values())
    assert coded.array.dtype == np.uint16
    known = np.isfinite(plain.read())
    assert not known[lost].any()
    np.testing.assert_array_equal(np.isfinite(coded.read()), known)
    step = coded.coding.slope
    np.testing.assert_allclose(coded.read()[known], plain.read()[known], atol=0.51 * step)
    said = [[w["message"] for w in copy.warnings] for copy in copies.values()]
    assert said[0] == said[1]
    again = {"volume": {"file": str(tmp_path / "uint16" / "volume.zarr")}, "pipeline": str(recipe)}
    copied = xct.run({**again, "output": str(tmp_path / "again")}).stored_volume.read()
    np.testing.assert_array_equal(copied, coded.read())
