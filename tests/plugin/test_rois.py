"""What is drawn is measured at once, where it is; ROI sets come back as they were."""

import shutil

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("napari")

from matplotlib.figure import Figure
from qtpy.QtCore import QPoint, Qt

from tests.plugin.acting import (
    click,
    dock,
    drag,
    near,
    open_parts,
    open_with_xct,
    picture,
    point_at,
)
from tests.plugin.drawn import HEIGHTS, MU, RADIUS_UM, VOXEL_UM, geometry
from xct.analyze.roi.files import read_rois
from xct.analyze.roi.shapes import BoxRoi, LineRoi, PolygonRoi
from xct.errors import XctError
from xct.plugin.drawing import LIGHT, draw_profile

LIMIT_MS = 600_000  # waited for what comes; a busy machine is no fault
MIDDLE = 48 * VOXEL_UM


@pytest.fixture
def inspect(viewer, qtbot, cell_folder):
    open_parts(viewer, cell_folder, "volume")
    widget = dock(viewer, "Inspect ROIs")
    yield widget
    qtbot.waitUntil(lambda: widget.idle, timeout=LIMIT_MS)


def at_rest(qtbot, widget):
    qtbot.waitUntil(lambda: widget.idle, timeout=LIMIT_MS)


def line_of(plot, number=0):
    return plot.figure.axes[0].lines[number].get_xydata()


def test_box_that_is_drawn_is_measured(viewer, qtbot, inspect):
    viewer.dims.set_point(0, 25 * VOXEL_UM)  # in the electrolyte
    inspect.thickness.setValue(20.0)
    inspect.draw_next("rectangle")
    low, high = (100.0, 130.0), (160.0, 200.0)
    drag(viewer, [100, *low], [100, *high])
    at_rest(qtbot, inspect)
    (roi,) = inspect.rois.rois
    assert isinstance(roi, BoxRoi)
    assert roi.surface in ("lithium_electrolyte", "electrolyte_cathode")
    z, y, x = roi.region(geometry(HEIGHTS)).slices
    assert z.stop - z.start == 5
    assert z.start <= 25 < z.stop
    np.testing.assert_allclose([y.start * VOXEL_UM, x.start * VOXEL_UM], low, atol=VOXEL_UM + 1)
    np.testing.assert_allclose([y.stop * VOXEL_UM, x.stop * VOXEL_UM], high, atol=VOXEL_UM + 1)
    # the histogram peaks where the electrolyte is, and holds every voxel
    value, part = line_of(inspect.histogram).T
    assert value[np.argmax(part)] == pytest.approx(MU[2], abs=0.3)
    assert part.sum() == pytest.approx(100, abs=0.1)
    assert "1/cm" in inspect.histogram.figure.axes[0].get_xlabel()
    assert inspect.histogram.figure.axes[1].get_yscale() == "log"
    voxels = (z.stop - z.start) * (y.stop - y.start) * (x.stop - x.start)
    assert f"N\t{voxels:,}\t" in inspect.numbers.text()
    assert "mode (peak)" in inspect.numbers.text()
    # it is drawn in every slice that it holds, and in cross-sections, and in no other
    layer = viewer.layers["ncm-100 ROIs"]
    for number in (z.start, z.stop - 1):
        viewer.dims.set_point(0, number * VOXEL_UM)
        assert near(picture(viewer), (1, 0.85, 0.1)).sum() > 50
    viewer.dims.set_point(0, (z.stop + 2) * VOXEL_UM)
    layer.mode = "pan_zoom"
    layer.selected_data = set()
    assert near(picture(viewer), (1, 0.85, 0.1)).sum() == 0
    # it is dragged: across the slice it stays as it was
    viewer.dims.set_point(0, 25 * VOXEL_UM)
    layer.mode = "select"
    layer.selected_data = {0}
    center = [100, (y.start + y.stop - 1) / 2 * VOXEL_UM, (x.start + x.stop - 1) / 2 * VOXEL_UM]
    drag(viewer, center, [100, center[1] + 40, center[2]])
    at_rest(qtbot, inspect)
    moved = inspect.rois.rois[0].region(geometry(HEIGHTS)).slices
    assert moved[0] == z
    assert moved[1].start > y.start + 5
    assert moved[1].stop - moved[1].start == y.stop - y.start
    # a span that is typed in moves it, too
    item = inspect.table.item(0, 2)
    item.setText("10 … 30")
    assert inspect.rois.rois[0].depth_um == (10.0, 30.0)
    # in 3-D it is a box, and can be seen at full resolution
    inspect.crop()
    assert viewer.dims.ndisplay == 3
    assert len(viewer.layers["ncm-100 ROI boxes"].data) == 12
    crop = viewer.layers["ncm-100 R-1 in 3-D"]
    assert crop.data.shape == inspect.rois.rois[0].region(geometry(HEIGHTS)).shape


def test_line_gives_a_profile_with_its_edges(viewer, qtbot, inspect):
    viewer.dims.order = (1, 0, 2)
    viewer.dims.set_point(1, MIDDLE)
    viewer.reset_view()
    inspect.line_width.setValue(60.0)
    inspect.draw_next("line")
    start = (HEIGHTS["steel_lithium"] + 2) * VOXEL_UM
    stop = (HEIGHTS["electrolyte_cathode"] - 4) * VOXEL_UM
    drag(viewer, [start, MIDDLE, 100], [stop, MIDDLE, 100])
    at_rest(qtbot, inspect)
    (roi,) = inspect.rois.rois
    assert isinstance(roi, LineRoi)
    assert roi.width_um == 60
    assert inspect.tabs.currentWidget() is inspect.profile
    along, _ = line_of(inspect.profile).T
    assert along[-1] == pytest.approx(stop - start, abs=6)
    found = [line.get_xdata()[0] for line in inspect.profile.figure.axes[0].lines[1:]]
    edge = (HEIGHTS["lithium_electrolyte"] - 0.5) * VOXEL_UM - start
    assert min(abs(one - edge) for one in found) < VOXEL_UM


def test_roi_sets_come_back_exactly_and_fit_another_cell(
    viewer, qtbot, inspect, cell_folder, other_folder, tmp_path
):
    viewer.dims.set_point(0, 25 * VOXEL_UM)
    inspect.draw_next("polygon")
    for corner in ((120, 120), (120, 220), (200, 220), (210, 130)):
        click(viewer, [0, *corner])
    qtbot.keyClick(viewer.window._qt_viewer.canvas.native, Qt.Key.Key_Escape)
    inspect.draw_next("rectangle")
    drag(viewer, [100, 220, 150], [100, 260, 240])
    at_rest(qtbot, inspect)
    drawn = list(inspect.rois.rois)
    assert [type(roi) for roi in drawn] == [PolygonRoi, BoxRoi]
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    inspect.bar.save(first)
    inspect.bar.load(first)
    viewer.dims.set_point(0, 90.0)  # looked at from elsewhere meanwhile
    viewer.dims.order = (1, 0, 2)
    viewer.dims.order = (0, 1, 2)
    at_rest(qtbot, inspect)
    inspect.bar.save(second)
    assert read_rois(first) == drawn == inspect.rois.rois
    assert first.read_bytes() == second.read_bytes()
    of_imagej = tmp_path / "rois.zip"
    inspect.bar.save(of_imagej)
    inspect.bar.load(of_imagej)
    assert inspect.rois.rois[1].region(geometry(HEIGHTS)).slices == (
        drawn[1].region(geometry(HEIGHTS)).slices
    )
    inspect.bar.load(first)
    # the same depth in a cell that lay the other way
    open_parts(viewer, other_folder, "volume")
    inspect.cells.setCurrentText("ncm-0")
    inspect.bar.load(first)
    inspect.pristine.setCurrentText("ncm-100")
    at_rest(qtbot, inspect)
    assert inspect.rois.rois == drawn
    heights = {name: 64 - (height + 5) for name, height in HEIGHTS.items()}
    here = drawn[1].region(geometry(HEIGHTS)).slices[0]
    there = drawn[1].region(geometry(heights, "high_z")).slices[0]
    assert there.start == 64 - (here.stop + 5)
    axes = inspect.histogram.figure.axes[0]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["ncm-100", "R-2"]
    inspect.rois.set_rois([])
    with pytest.raises(XctError, match="choose a ROI"):
        inspect.crop()
    at_rest(qtbot, inspect)


def test_depth_histogram_marks_the_slice_and_a_click_moves_it(viewer, qtbot, inspect):
    inspect.tabs.setCurrentWidget(inspect.depths)
    at_rest(qtbot, inspect)
    image = inspect.depths.figure.axes[0].images[0].get_array()
    assert image.shape[0] == 64
    per_slice = np.asarray(image).sum(axis=1)
    assert per_slice[20] == pytest.approx(np.pi * (RADIUS_UM / VOXEL_UM) ** 2, rel=0.02)
    viewer.dims.set_point(0, 80.0)
    assert inspect.depths.marked_um == pytest.approx(80.0)
    axes = inspect.depths.figure.axes[0]
    inspect.depths.draw()
    x, y = axes.transData.transform((np.mean(axes.get_xlim()), 140.0))
    ratio = inspect.depths.devicePixelRatioF()
    spot = QPoint(round(x / ratio), round(inspect.depths.height() - y / ratio))
    qtbot.mouseClick(inspect.depths, Qt.MouseButton.LeftButton, pos=spot)
    assert viewer.dims.point[0] == pytest.approx(140, abs=VOXEL_UM)
    assert inspect.depths.marked_um == pytest.approx(viewer.dims.point[0])


def test_cursor_is_given_in_cell_coordinates(viewer, qtbot, inspect):
    viewer.dims.set_point(0, 25 * VOXEL_UM)
    point_at(viewer, [100, MIDDLE, MIDDLE])
    point_at(viewer, [100, MIDDLE, MIDDLE + 100])
    text = inspect.place.text()
    assert "radius 102." in text or "radius 101." in text or "radius 103." in text
    assert "azimuth 1°" in text
    assert "depth +38.0 µm from lithium/electrolyte" in text


def test_no_uncertainty_of_an_edge_reads_as_none():
    figure = Figure()
    along = np.arange(100.0)
    profile = pd.DataFrame({"distance_um": along, "grey_value": along, "grey_value_sd": 1.0})
    edges = pd.DataFrame({"position_um": [14.4, 40.44], "position_sd_um": [0.034, 0.21]})
    draw_profile(figure, LIGHT, profile, edges, "grey value")
    assert [text.get_text() for text in figure.axes[0].texts] == ["14.40 ± 0.03", "40.4 ± 0.2"]


def test_wrong_input_is_explained(viewer, qtbot, messages, inspect, cell_folder, tmp_path):
    with pytest.raises(XctError, match="no ROI to save"):
        inspect.bar.save(tmp_path / "rois.yaml")
    bad = tmp_path / "bad.yaml"
    bad.write_text(
        "rois: {A: {depth_um: [5, 1], y_um: [0, 1], x_um: [0, 1], colour: red}}", encoding="utf-8"
    )
    with pytest.raises(XctError, match="colour"):
        inspect.bar.load(bad)
    far = BoxRoi("far", None, (0, 8), (5000, 5100), (0, 50))
    near_by = BoxRoi("near", None, (90, 110), (-40, 40), (-40, 40))
    inspect.rois.set_rois([near_by, far])
    inspect.table.select(0)
    at_rest(qtbot, inspect)
    assert not inspect.histogram.empty
    inspect.table.select(1)
    at_rest(qtbot, inspect)
    assert "outside of the volume" in messages()[-1]
    assert inspect.histogram.empty  # nothing of the other ROI stays
    assert "far lies outside of the volume" in inspect.histogram.words
    assert "far lies outside of the volume" in inspect.numbers.text()
    with pytest.raises(XctError, match="nothing is measured"):
        inspect.bar.save_csv(tmp_path / "far.csv")
    inspect.rois.set_rois([far])
    inspect.table.item(0, 2).setText("deep")
    assert "is no span" in messages()[-1]
    assert inspect.rois.rois == [far]
    inspect.rois.set_rois([])
    viewer.dims.order = (1, 0, 2)
    inspect.draw_next("line")
    with pytest.raises(XctError, match="slider says z"):
        inspect.draw_next("sector")
    assert inspect.rois.layer.mode == "pan_zoom"  # no line in place of the sector
    viewer.dims.order = (0, 1, 2)
    viewer.dims.set_point(0, 25 * VOXEL_UM)
    inspect.draw_next("ellipse")
    drag(viewer, [100, 120, 120], [100, 200, 220])
    at_rest(qtbot, inspect)
    assert isinstance(inspect.rois.rois[0], PolygonRoi)
    # a volume without a cell counts z from its first slice
    alone = tmp_path / "alone.zarr"
    shutil.copytree(cell_folder / "volume.zarr", alone)
    viewer.layers.clear()
    open_with_xct(viewer, alone)
    assert inspect.cells.currentText() == "alone"
    inspect.rois.set_rois([BoxRoi("A", None, (90, 110), (-40, 40), (-40, 40))])
    at_rest(qtbot, inspect)
    assert inspect.numbers.text().splitlines()[1].startswith("N\t")
