"""Cells side by side: the same depth, the same place, the same grey scale."""

import shutil

import numpy as np
import pytest

pytest.importorskip("napari")

from tests.plugin.acting import dock, open_parts, picture
from tests.plugin.drawn import HEIGHTS, VOXEL_UM
from xct.analyze.roi.shapes import BoxRoi
from xct.errors import XctError
from xct.geometry import CellGeometry
from xct.io.stores import read_object, write_object
from xct.plugin.data.cells import cells_of
from xct.plugin.roi.layer import RoiLayer
from xct.plugin.view import fill


def halves(viewer):
    """Pictures of the left and the right cell."""
    image = picture(viewer)
    middle = image.shape[1] // 2
    return image[:, : middle - 8], image[:, middle + 8 :]


def middle(half):
    row, column = half.shape[0] // 2, half.shape[1] // 2
    return half[row - 9 : row + 9, column - 9 : column + 9].mean()


def test_cells_share_depth_place_and_scale(new_viewer, cell_folder, other_folder):
    viewer = fill([cell_folder, other_folder], new_viewer)
    first, second = (viewer.layers[f"{name} volume"] for name in ("ncm-100", "ncm-0"))
    assert viewer.canvas.grid.actual_shape(viewer.layers) == (1, 2)
    # the anode of one is at low z, of the other at high z, and their surfaces differ by 5 slices:
    # yet the same depth from the steel is the same material in both
    inside = {"lithium": 4, "electrolyte": 13, "collector": 48}
    for name, below in inside.items():
        viewer.dims.set_point(0, below * VOXEL_UM)
        left, right = (middle(half) for half in halves(viewer))
        assert abs(left - right) < 6, name
    for layer in (first, second):
        steel = (HEIGHTS["electrolyte_cathode"] - HEIGHTS["steel_lithium"]) * VOXEL_UM
        assert layer.world_to_data((steel, 0, 0))[1:] == pytest.approx(47.5)
    # what is set for one holds for both
    first.contrast_limits = (0, 5)
    assert second.contrast_limits == [0, 5]
    # a ROI of one is a ROI of the other, at the same place in the cell
    box = BoxRoi("E-1", "electrolyte_cathode", (-40.0, -20.0), (-60.0, 60.0), (-40.0, 40.0))
    kept = [RoiLayer.of(viewer, cell) for cell in cells_of(viewer)]
    kept[1].set_rois([box])
    assert kept[0].rois == [box]
    kept[0].set_rois([])
    assert kept[1].rois == []
    # the front is at the same height in both halves of a cross-section
    assert not viewer.layers["ncm-0 electrolyte/cathode"].visible  # a mesh, for 3-D alone
    for layer in viewer.layers:
        layer.visible = layer.name.endswith("surfaces")
    viewer.dims.order = (1, 0, 2)
    viewer.dims.set_point(1, 20.0)
    viewer.reset_view()
    rows = [np.flatnonzero(half.max(axis=(1, 2)) > 90) for half in halves(viewer)]
    assert rows[0].size > 4
    assert len(rows[0]) == pytest.approx(len(rows[1]), abs=2)
    np.testing.assert_allclose(rows[0].mean(), rows[1].mean(), atol=2)


def test_widget_opens_the_chosen_cells_in_a_window(
    viewer, new_viewer, messages, cell_folder, other_folder, tmp_path
):
    compare = dock(viewer, "Compare cells")
    compare.new_viewer = new_viewer
    open_parts(viewer, cell_folder, "volume")
    with pytest.raises(XctError, match="1 cell is chosen"):
        compare.show_cells()
    open_parts(viewer, other_folder, "volume")
    compare.surface.setCurrentText("electrolyte_cathode")
    compare.quantity.setCurrentText("grey values")
    window = compare.show_cells()
    assert "not normalized" in messages()[-1]
    assert len(window.layers) == 18  # an empty layer of ROIs for each
    assert len(viewer.layers) == 2  # the first window is as it was
    volume = window.layers["ncm-0 volume"]
    front = volume.data_to_world(((64 - 41) - 0.5, 47.5, 47.5))
    np.testing.assert_allclose(front, 0, atol=1e-6)
    # a cell without that surface, or without geometry, is refused in words
    lost = shutil.copytree(cell_folder, tmp_path / "lost")
    cell = read_object(lost / "cell.json", CellGeometry)
    cell.planes.pop("electrolyte_cathode")
    write_object(lost / "cell.json", cell)
    (lost / "run.yaml").unlink()
    open_parts(viewer, lost, "volume")
    with pytest.raises(XctError, match="lost: the surface electrolyte_cathode is not in view"):
        compare.show_cells()


def test_view_refuses_what_it_cannot_show(tmp_path, cell_folder):
    with pytest.raises(XctError, match="is no result"):
        fill([cell_folder, tmp_path], None)
    above = tmp_path / "above"
    shutil.copytree(cell_folder, above / "ncm-100")
    with pytest.raises(XctError, match="that xct knows; within it there are ncm-100"):
        fill([above], None)
    with pytest.raises(XctError, match="name a result"):
        fill([], None)
