"""Bricks of a volume give its voxels back, along any axis and in any part."""

import numpy as np
import pytest

from xct.parallel.blocks import cut
from xct.pipeline.given.bricks import Bricks


@pytest.fixture(params=[0, 1, 2])
def axis(request):
    return request.param


@pytest.mark.parametrize("kind", ["float32", "uint8", ">i2"])
def test_what_is_written_by_slices_is_read_in_any_part(tmp_path, axis, kind):
    values = np.random.default_rng(0).integers(0, 100, (37, 21, 50)).astype(kind)
    bricks = Bricks(tmp_path / "state" / "bricks.raw", values.shape, values.dtype.str, axis)
    bricks.create()
    for block in cut(37, 32):
        bricks.write(block, values)
    assert bricks.path.stat().st_size == bricks.nbytes
    assert bricks[:].dtype == values.dtype
    parts = [np.s_[:], np.s_[3:30], np.s_[0:37, 5:6], np.s_[16:32, 2:20, 47:50], np.s_[5:5]]
    for part in parts:
        np.testing.assert_array_equal(bricks[part], values[part])


def test_slices_across_the_file_touch_one_slab_each(tmp_path):
    bricks = Bricks(tmp_path / "bricks.raw", (64, 40, 100), "<f4", 2)
    assert bricks.slabs == 7
    assert bricks.nbytes == 7 * 64 * 40 * 16 * 4
