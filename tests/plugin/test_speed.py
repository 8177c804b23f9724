"""What a user waits for: the first picture, a histogram, the next slice.

The limits are three times what is wanted: they catch what grows with the volume.
"""

import time

import numpy as np
import pytest

pytest.importorskip("napari")

from tests.plugin.acting import open_with_xct, picture
from xct.analyze.roi.shapes import BoxRoi
from xct.io.volumes import Coding, create_volume, write_slab
from xct.plugin.data.cells import Cell
from xct.plugin.roi.live import histogram_of


def seconds_of_cpu(function):
    """Seconds of one core: what others do on the machine does not count."""
    start = time.process_time()
    function()
    return time.process_time() - start


def test_first_picture_of_a_volume_of_2_tb(viewer, tmp_path):
    path = tmp_path / "volume.zarr"
    create_volume(path, (8000, 8000, 8000), 0.65, Coding(), "large")  # 2 TB of float32, unwritten
    picture(viewer)

    def look():
        open_with_xct(viewer, path)
        picture(viewer)

    assert seconds_of_cpu(look) < 9
    (layer,) = viewer.layers
    assert layer.multiscale
    assert layer.data[0].shape == (8000, 8000, 8000)


@pytest.mark.slow
def test_histogram_and_slices_at_full_resolution(viewer, tmp_path):
    path = tmp_path / "volume.zarr"
    shape = (24, 2560, 2560)
    create_volume(path, shape, 1.3, Coding(), "wide")
    rng = np.random.default_rng(0)
    plane = rng.normal(4, 2, shape[1:]).astype(np.float32)
    for first, stop in ((0, 16), (16, 24)):
        write_slab(path, first, np.stack([np.roll(plane, z, axis=1) for z in range(first, stop)]))
    (layer,) = open_with_xct(viewer, path).values()
    viewer.scene.camera.zoom = 1 / 1.3  # one pixel of the screen is one voxel
    picture(viewer)
    assert layer.data_level == 0
    spent = []
    for z in range(4, 24):
        spent.append(seconds_of_cpu(lambda z=z: viewer.dims.set_point(0, z * 1.3)))
        picture(viewer)
    # those of a chunk are read together and ahead: on average, not each
    assert np.mean(spent) < 0.6


def test_histogram_of_256_cubed(monkeypatch):
    values = np.random.default_rng(0).normal(4, 1, (256, 256, 256)).astype(np.float32)

    class Held:
        """A volume that is read already."""

        shape, voxel_size_um, dtype = values.shape, (1.0, 1.0, 1.0), values.dtype

        def __getitem__(self, index):
            return values[index]

    cell = Cell("held", None)
    monkeypatch.setitem(cell.__dict__, "volume", Held())
    monkeypatch.setitem(cell.__dict__, "geometry", None)
    monkeypatch.setattr(Cell, "normalized", False)
    roi = BoxRoi("all", None, (-0.5, 255.5), (-128.5, 128.5), (-128.5, 128.5))
    histogram_of(cell, roi, None)  # compiled
    assert seconds_of_cpu(lambda: histogram_of(cell, roi, None)) < 0.9
    counts = histogram_of(cell, roi, None).counts.total
    assert counts.sum() == 256**3
