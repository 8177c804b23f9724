"""Slices in the middle of ROIs, flat and bent, of volumes whose values say where they are."""

import numpy as np
import pytest

from xct.analyze.roi.scaled import ScaledRoi
from xct.geometry import CellGeometry, Plane, Surface
from xct.study.roi_pictures import read_along, slice_along


@pytest.mark.parametrize(("anode", "sign"), [("low_z", 1), ("high_z", -1)])
def test_a_bent_slice_is_everywhere_as_deep_as_the_middle_of_its_roi(anode, sign):
    shape = (40, 31, 31)
    plane = Plane(40.0, 0.0, 0.0)
    cell = CellGeometry(
        shape, (2.0, 2.0, 2.0), 30.0, 30.0, 24.0, planes={"electrolyte_cathode": plane}, anode=anode
    )
    _, x = np.indices(shape[1:])
    height = 40.0 + 4.0 * (x // 8)  # in whole voxels, so that nothing is rounded
    height[:5] = np.nan
    surface = Surface(height, np.full(shape[1:], 0.2), "")
    scaled = ScaledRoi(
        "f1", "electrolyte_cathode", depth_um=(4.0, 12.0), radius_of_bore=(0.0, 0.8), follow=True
    )
    roi = scaled.on(cell, {"electrolyte_cathode": surface})
    region = roi.flat.region(cell)
    middle = (region.slices[0].start + region.slices[0].stop) // 2
    index = slice_along(roi, region, middle)
    depth = sign * (index * 2.0 - height)
    assert np.all(index[:5] == -1)
    assert np.allclose(depth[5:], depth[5, 0])
    assert 4.0 <= depth[5, 0] <= 12.0
    grey = np.broadcast_to(np.arange(40.0)[:, None, None], shape)  # each voxel holds its slice
    rows, columns = slice(3, 20), slice(10, 31)
    found = read_along(grey, index[rows, columns], rows, columns)
    assert np.isnan(found[:2]).all()
    assert np.array_equal(found[2:], index[rows, columns][2:])


def test_columns_whose_bent_slice_leaves_the_volume_have_no_value():
    grey = np.arange(4.0)[:, None, None] * np.ones((1, 1, 3))
    found = read_along(grey, np.array([[-3, 3, 4]]), slice(0, 1), slice(0, 3))
    assert np.isnan(found[0, [0, 2]]).all()
    assert found[0, 1] == 3.0
    nowhere = read_along(grey, np.full((1, 3), 9), slice(0, 1), slice(0, 3))
    assert np.isnan(nowhere).all()
