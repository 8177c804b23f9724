"""What a user waits for reads no more than it must: a picture, a histogram, the next slice.

What is read is counted, not timed: seconds depend on what runs beside.
"""

import numpy as np
import pytest

pytest.importorskip("napari")

from tests.plugin.acting import open_with_xct, picture
from xct.analyze.roi.shapes import BoxRoi
from xct.io.volumes import Coding, Volume, create_volume, write_slab
from xct.plugin.data.cells import Cell
from xct.plugin.roi.live import histogram_of


@pytest.fixture
def voxels_read(monkeypatch):
    """The voxels of each part of a volume that was read."""
    counts, codes = [], Volume.codes

    def counted(volume, index=...):
        values = codes(volume, index)
        counts.append(values.size)
        return values

    monkeypatch.setattr(Volume, "codes", counted)
    return counts


def test_first_picture_of_a_volume_of_2_tb(viewer, voxels_read, tmp_path):
    path = tmp_path / "volume.zarr"
    create_volume(path, (8000, 8000, 8000), 0.65, Coding(), "large")  # 2 TB of float32, unwritten
    open_with_xct(viewer, path)
    picture(viewer)
    assert sum(voxels_read) < 2e8  # some slices, and the cross-sections of one coarse chunk
    (layer,) = viewer.layers
    assert layer.multiscale
    assert layer.data[0].shape == (8000, 8000, 8000)


@pytest.mark.slow
def test_slices_at_full_resolution(viewer, voxels_read, tmp_path):
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
    voxels_read.clear()
    for z in range(4, 24):
        viewer.dims.set_point(0, z * 1.3)
        picture(viewer)
    # those of a chunk are read together and ahead, once: here and at the coarser levels
    assert sum(voxels_read) < 1.5 * np.prod(shape)


def test_histogram_of_256_cubed_reads_voxels_once(monkeypatch):
    read = []
    values = np.random.default_rng(0).normal(4, 1, (256, 256, 256)).astype(np.float32)

    class Held:
        """A volume that is read already."""

        shape, voxel_size_um, dtype = values.shape, (1.0, 1.0, 1.0), values.dtype

        def __getitem__(self, index):
            part = values[index]
            read.append(part.size)
            return part

    cell = Cell("held", None)
    monkeypatch.setitem(cell.__dict__, "volume", Held())
    monkeypatch.setitem(cell.__dict__, "geometry", None)
    monkeypatch.setattr(Cell, "normalized", False)
    roi = BoxRoi("all", None, (-0.5, 255.5), (-128.5, 128.5), (-128.5, 128.5))
    counts = histogram_of(cell, roi, None).counts.total
    assert counts.sum() == 256**3
    assert sum(read) < 1.1 * 256**3  # and some slices, for the range of values
