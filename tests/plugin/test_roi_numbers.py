"""What is measured of a ROI is right, says of what, and leaves napari as it should."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("napari")

from matplotlib.image import imread
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

from tests.plugin.acting import dock, drag, open_parts
from tests.plugin.drawn import HEIGHTS, MU, VOXEL_UM, geometry
from xct.analyze.grey_counts import GreyBins
from xct.analyze.roi.counts import count_rois
from xct.analyze.roi.files import read_rois
from xct.analyze.roi.shapes import BoxRoi, LineRoi, SectorRoi
from xct.errors import XctError
from xct.io.volumes import open_volume
from xct.plugin.drawing import _lines_of
from xct.plugin.roi import live
from xct.plugin.roi.numbers import numbers_of
from xct.study.settings import load_study

MIDDLE = 48 * VOXEL_UM
BOX = BoxRoi("E-1", "lithium_electrolyte", (-20.0, 40.0), (-60.0, 60.0), (-40.0, 40.0))
LINE = LineRoi("L-1", "lithium_electrolyte", (-24.0, 0.0, 40.0), (60.0, 0.0, 40.0), 40.0)


@pytest.fixture
def inspect(viewer, qtbot, cell_folder):
    open_parts(viewer, cell_folder, "volume")
    widget = dock(viewer, "Inspect ROIs")
    yield widget
    at_rest(qtbot, widget)


def at_rest(qtbot, widget):
    qtbot.waitUntil(lambda: widget.idle, timeout=600_000)


def press(viewer, qtbot, key, modifier=Qt.KeyboardModifier.NoModifier):
    canvas = viewer.window._qt_viewer.canvas.native
    canvas.setFocus()
    qtbot.keyClick(canvas, key, modifier)


def test_every_number_is_that_of_the_voxels_and_says_of_what(
    viewer, qtbot, inspect, cell_folder, other_folder
):
    open_parts(viewer, other_folder, "volume")
    inspect.cells.setCurrentText("ncm-100")
    inspect.pristine.setCurrentText("ncm-0")
    inspect.rois.set_rois([BOX])
    at_rest(qtbot, inspect)
    table = inspect.numbers.frame.set_index("quantity")
    part = BOX.region(geometry(HEIGHTS)).slices
    values = open_volume(cell_folder / "volume.zarr")[part].ravel()
    value = table["value"]
    assert value["N"] == values.size
    assert (value["min"], value["max"]) == pytest.approx((values.min(), values.max()), rel=1e-6)
    assert value["mean"] == pytest.approx(values.mean(), rel=1e-5)
    assert value["sd"] == pytest.approx(values.std(), rel=1e-4)
    assert value["mode (peak)"] == pytest.approx(MU[2], abs=0.3)
    for name, percent in (("5 %", 5), ("median (50 %)", 50), ("95 %", 95)):
        assert value[name] == pytest.approx(np.percentile(values, percent), abs=0.1)
    lithium = (HEIGHTS["lithium_electrolyte"] - part[0].start) / (part[0].stop - part[0].start)
    assert value["lithium"] == pytest.approx(lithium, abs=0.01)
    parts = ("lithium", "electrolyte", "active material")  # the last: the drifted particle
    assert sum(value[name] for name in parts) == pytest.approx(1)
    # the other cell lies the other way and holds the same there, but other noise
    assert table["pristine"]["mean"] == pytest.approx(value["mean"], abs=0.1)
    assert value["shift"] == pytest.approx(value["mean"] - table["pristine"]["mean"], abs=1e-6)
    assert "ncm-0" in table["of"]["shift"]
    assert table["low"]["mean"] < value["mean"] < table["high"]["mean"]
    shown = inspect.numbers.text()
    assert "of\nN\t" in shown
    assert f"{values.size:,}" in shown


def test_what_lies_beyond_the_bins_is_said_and_withholds_what_rests_on_them(
    inspect, cell_folder, monkeypatch
):
    cell = inspect.cells.cell()
    monkeypatch.setattr(live, "_bins_for", lambda *_: GreyBins(2.0, 6.0, 400))  # no lithium
    histogram = live.histogram_of(cell, BOX, cell)
    table = numbers_of(cell, BOX, histogram, cell).set_index("quantity")
    values = open_volume(cell_folder / "volume.zarr")[BOX.region(geometry(HEIGHTS)).slices]
    assert table["value"]["mean"] == pytest.approx(values.mean(), rel=1e-5)
    assert np.isnan(table["low"]["mean"])
    assert table["value"]["beyond"] == pytest.approx((values < 2.01).mean(), abs=0.01)
    assert "shift" not in table.index


def test_sector_is_drawn_about_the_axis_and_taken_back(viewer, qtbot, inspect):
    viewer.dims.set_point(0, 25 * VOXEL_UM)
    inspect.thickness.setValue(20.0)
    inspect.draw_next("sector")
    axis = geometry(HEIGHTS).axis_y_um
    drag(viewer, [100, axis + 10, axis + 60], [100, axis + 110, axis + 20])
    at_rest(qtbot, inspect)
    (roi,) = inspect.rois.rois
    assert isinstance(roi, SectorRoi)
    assert roi.radius_um == pytest.approx((np.hypot(10, 60), np.hypot(110, 20)), abs=3)
    angles = np.rad2deg([np.arctan2(10, 60), np.arctan2(110, 20)])
    assert roi.azimuth_deg == pytest.approx(angles, abs=3)
    assert list(viewer.layers["ncm-100 ROIs"].shape_type) == ["path"]
    inspect.table.item(0, 3).setText("radius 0 … 80")
    assert inspect.rois.rois[0].radius_um == (0.0, 80.0)
    inspect.draw_next("ellipse")
    drag(viewer, [100, 120, 120], [100, 200, 220])
    at_rest(qtbot, inspect)
    names = [["R-1"], ["R-1", "R-2"]]
    control, shift = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
    viewer.layers.selection.active = viewer.layers["ncm-100 volume"]
    for wanted, modifier in ((names[0], control), (names[1], control | shift)):
        press(viewer, qtbot, Qt.Key.Key_Z, modifier)
        assert [one.name for one in inspect.rois.rois] == wanted
    press(viewer, qtbot, Qt.Key.Key_Z, control)
    press(viewer, qtbot, Qt.Key.Key_Z, control)
    assert inspect.rois.rois == [roi]  # as it was before a radius was typed
    assert viewer.layers["ncm-100 ROIs"].nshapes == 1
    viewer.dims.order = (1, 0, 2)
    with pytest.raises(XctError, match="lies about the axis"):
        inspect.draw_next("sector")


def test_keys_show_plots_and_copy_them(viewer, qtbot, inspect, messages):
    inspect.rois.set_rois([BOX, LINE])
    viewer.layers.selection.active = viewer.layers["ncm-100 volume"]
    inspect.table.select(0)
    at_rest(qtbot, inspect)
    press(viewer, qtbot, Qt.Key.Key_K)
    assert "E-1 is no line" in messages()[-1]
    inspect.table.select(1)
    at_rest(qtbot, inspect)
    press(viewer, qtbot, Qt.Key.Key_H)
    assert inspect.tabs.currentWidget() is inspect.histogram
    press(viewer, qtbot, Qt.Key.Key_K)
    assert inspect.tabs.currentWidget() is inspect.profile
    at_rest(qtbot, inspect)
    shift = Qt.KeyboardModifier.ShiftModifier
    press(viewer, qtbot, Qt.Key.Key_C, shift)
    clipboard = QApplication.clipboard()
    assert clipboard.text().splitlines()[1].startswith("N\t")
    image = clipboard.image()
    assert (image.width(), image.pixelColor(2, 2).name()) == (pytest.approx(693, abs=3), "#ffffff")
    press(viewer, qtbot, Qt.Key.Key_T, shift)
    assert [roi.name for roi in inspect.rois.rois] == ["E-1", "L-1", "R-1"]
    assert inspect.rois.rois[2].from_um == LINE.from_um


def test_figures_are_white_and_a_column_wide_and_tables_hold_what_is_drawn(
    viewer, qtbot, inspect, tmp_path
):
    with pytest.raises(XctError, match="draw or choose a ROI"):
        inspect.bar.save_figure("png", tmp_path / "none.png")
    inspect.rois.set_rois([replace(BOX, name="5$ to 6$")])  # no formula
    at_rest(qtbot, inspect)
    inspect.bar.save_figure("png", tmp_path / "box.png")
    pixels = imread(tmp_path / "box.png")
    assert pixels.shape[1] == pytest.approx(88 / 25.4 * 600, abs=2)
    assert pixels[3, 3, :3].min() == 1
    inspect.bar.save_figure("svg", tmp_path / "box.svg")
    drawn = (tmp_path / "box.svg").read_text(encoding="utf-8")
    assert ">1/cm</text>" in drawn
    assert ">5$ to 6$</text>" in drawn
    inspect.bar.save_csv(tmp_path / "box.csv")
    counted = pd.read_csv(tmp_path / "box.csv")
    numbers = pd.read_csv(tmp_path / "box_numbers.csv").set_index("quantity")
    assert counted["count"].sum() == numbers["value"]["N"]
    # light theme: the plot changes with the window
    viewer.theme = "light"
    assert inspect.histogram.figure.get_facecolor()[:3] > (0.9, 0.9, 0.9)


def test_rois_are_saved_into_a_study_and_read_back_lines_too(
    viewer, qtbot, inspect, cell_folder, tmp_path
):
    study = tmp_path / "mine.yaml"
    text = f"# my study\nstudy:\n  cells:\n    - result: {cell_folder}  # the only one\n"
    study.write_text(text, encoding="utf-8")
    inspect.rois.set_rois([BOX, LINE])
    at_rest(qtbot, inspect)
    inspect.bar.save_into_study(study)
    assert "# the only one" in study.read_text(encoding="utf-8")
    named = load_study(study).study.rois
    assert read_rois(named) == [BOX, LINE]
    inspect.rois.set_rois([])
    inspect.bar.load(study)
    assert inspect.rois.rois == [BOX, LINE]
    volume = open_volume(cell_folder / "volume.zarr")
    counts = count_rois(volume, geometry(HEIGHTS), read_rois(named), GreyBins(-5, 45, 100))
    assert counts[1].total.sum() == pytest.approx(np.pi * 5**2 * 21, rel=0.1)
    other = tmp_path / "other.yaml"
    other.write_text("cells: 3\n", encoding="utf-8")
    with pytest.raises(XctError, match="neither a study nor a configuration"):
        inspect.bar.save_into_study(other)
    at_rest(qtbot, inspect)


def test_labels_that_would_overprint_go_to_another_line():
    assert _lines_of([0, 5, 30, 31, 60], 26) == [0, 1, 0, 1, 0]
    assert _lines_of([], 26) == []
