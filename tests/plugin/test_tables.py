"""Tables and labels find each other, and what is shown is what is exported."""

import shutil

import numpy as np
import pytest

pytest.importorskip("napari")

from matplotlib.figure import Figure
from qtpy.QtCore import QPoint, Qt

from tests.plugin.acting import click, dock, near, open_parts, picture
from tests.plugin.drawn import VOXEL_UM
from xct.io.tables import read_table
from xct.plugin.drawing import LIGHT, draw_map


@pytest.fixture
def tables(viewer, cell_folder):
    open_parts(viewer, cell_folder, "volume", "particles")
    return dock(viewer, "Particles and inclusions")


def place(tables, row):
    return tables.model.shown.iloc[row][["z_um", "y_um", "x_um"]].to_numpy(float)


def test_rows_and_particles_find_each_other(viewer, qtbot, tables):
    assert [tables.name.itemText(n) for n in range(2)] == ["particles", "inclusions"]
    header = tables.view.horizontalHeader()
    spot = QPoint(header.sectionViewportPosition(1) + 20, header.height() // 2)
    for falling in (False, True):  # two clicks on the header of z_um
        qtbot.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, pos=spot)
        steps = np.diff(tables.model.shown["z_um"].to_numpy()) * (-1 if falling else 1)
        assert steps.min() >= 0
        assert steps.max() > 0
    # a click on the third row goes there
    index = tables.model.index(2, 0)
    qtbot.mouseClick(
        tables.view.viewport(),
        Qt.MouseButton.LeftButton,
        pos=tables.view.visualRect(index).center(),
    )
    np.testing.assert_allclose(viewer.dims.point, place(tables, 2), atol=VOXEL_UM / 2)
    np.testing.assert_allclose(viewer.scene.camera.center[-2:], place(tables, 2)[1:])
    labels = viewer.layers["ncm-100 particles"]
    assert labels.selected_label == tables.model.shown.iloc[2]["particle"]
    mark = viewer.layers["ncm-100 marked"]
    np.testing.assert_allclose(mark.data[0] * VOXEL_UM, place(tables, 2), atol=VOXEL_UM / 2)
    assert mark.size[0] * VOXEL_UM > tables.model.shown.iloc[2]["equivalent_diameter_um"]
    # a click on a particle selects its row, whatever layer is active
    labels.visible = True
    viewer.layers.selection.active = viewer.layers["ncm-100 volume"]
    wanted = tables.model.shown.iloc[7]
    viewer.dims.set_point(0, wanted["z_um"])
    before = viewer.dims.point
    click(viewer, [wanted["z_um"], wanted["y_um"], wanted["x_um"]])
    assert tables.view.currentIndex().row() == 7
    assert viewer.dims.point == before
    mark = viewer.layers["ncm-100 marked"].data[0] * VOXEL_UM
    np.testing.assert_allclose(mark, place(tables, 7), atol=VOXEL_UM / 2)
    assert viewer.layers.selection.active is viewer.layers["ncm-100 volume"]
    assert near(picture(viewer), (1, 0.82, 0.12)).sum() > 20


def test_drifted_particles_alone_are_shown_colored_and_exported(viewer, tables, tmp_path):
    labels = viewer.layers["ncm-100 particles"]
    whole = len(tables.model.frame)
    tables.column.setCurrentText("core_grey")
    assert labels.visible
    assert tables.scale.texts()[0].startswith("3901")
    assert tables.scale.isVisibleTo(tables)
    figure = tables.histogram.figure
    assert figure.axes[0].get_xlabel() == "core_grey"
    first, last = (labels.get_color(n) for n in (1, whole))
    assert first[2] > first[1]  # viridis begins with violet
    assert last[0] > 0.9 > 0.5 > last[2]  # and ends with yellow
    tables.drifted.setChecked(True)
    assert tables.count.text() == f"1 of {whole} rows"
    texts = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert texts[0] == f"all, N = {whole:,}"
    assert texts[1].startswith("shown, N = 1,")
    assert labels.get_color(1) is None or labels.get_color(1)[3] == 0
    path = tmp_path / "drifted.csv"
    tables.export(path)
    written = read_table(path)
    assert list(written.columns) == list(tables.model.frame.columns)
    assert written["drifted"].tolist() == [True]
    # the drifted one is in the electrolyte, and it alone is drawn
    z = place(tables, 0)[0]
    viewer.layers["ncm-100 volume"].visible = False
    viewer.dims.set_point(0, z)
    assert (picture(viewer).sum(axis=-1) > 30).any()
    viewer.dims.set_point(0, tables.model.frame["z_um"].iloc[0])
    assert not (picture(viewer).sum(axis=-1) > 30).any()
    tables.drifted.setChecked(False)
    tables.by.setCurrentText("volume_um3")
    tables.limit.setText("15000")
    tables.limit.editingFinished.emit()
    assert (tables.model.shown["volume_um3"] >= 15_000).all()
    assert 0 < len(tables.model.shown) < whole
    # another table is shown whole, by a size, and particles get their own colors back
    tables.name.setCurrentText("inclusions")
    assert len(tables.model.shown) == len(tables.model.frame)
    assert (tables.by.currentText(), tables.column.currentText()) == ("volume_um3", "volume_um3")
    assert tables.histogram.figure.axes[0].get_xlabel() == "volume_um3"
    assert not tables.scale.isVisibleTo(tables)
    assert labels.get_color(1)[3] > 0


def test_wrong_input_is_explained(viewer, messages, cell_folder, tmp_path):
    tables = dock(viewer, "Particles and inclusions")
    assert tables.count.text() == "no table: open a result"
    broken = shutil.copytree(cell_folder, tmp_path / "broken")
    (broken / "tables" / "particles.csv").write_bytes(b"\x00\xff,\n")
    open_parts(viewer, broken, "volume")
    assert "tables" in messages()[-1]
    (broken / "tables" / "particles.csv").unlink()
    shutil.copy(cell_folder / "tables" / "inclusions.csv", broken / "tables" / "odd.csv")
    viewer.layers.clear()
    open_parts(viewer, broken, "volume")
    tables.by.setCurrentText("volume_um3")
    tables.limit.setText("many")
    tables.limit.editingFinished.emit()
    assert "'many' is not a number" in messages()[-1]


def test_a_map_lies_in_the_middle_of_a_tall_dock():
    figure = Figure(figsize=(3.4, 7.0), layout="constrained")
    extent = (-200.0, 200.0, 200.0, -200.0)
    axes = draw_map(figure, LIGHT, np.arange(4096.0).reshape(64, 64), extent, "height")
    figure.draw_without_rendering()
    room_above, room_below = 1 - axes.get_position().y1, figure.axes[1].get_position().y0
    assert room_above == pytest.approx(room_below, abs=0.1)


def test_surfaces_are_maps_that_say_what_is_under_the_mouse(viewer, cell_folder, tmp_path):
    open_parts(viewer, cell_folder, "volume")
    maps = dock(viewer, "Surface maps")
    maps.name.setCurrentText("lithium thickness")
    assert "32.00 ± 0.14 µm" in maps.text_at(0.0, 0.0)  # 8 slices of 4 µm
    assert "no lithium here" in maps.text_at(-100.0, -60.0)
    assert "not measured" in maps.text_at(-170.0, 0.0)  # beyond the bore
    maps.name.setCurrentText("electrolyte thickness")
    assert "80.00 ± 0.14 µm" in maps.text_at(0.0, 0.0)
    assert "112.00 ± 0.14 µm" in maps.text_at(-100.0, -60.0)  # it begins at the steel there
    maps.name.setCurrentText("lithium thickness")
    maps.name.setCurrentText("electrolyte/cathode: height")
    assert "0.00 ± 0.10 µm" in maps.text_at(10.0, 20.0)
    maps.save_figure(tmp_path / "map.png")
    assert (tmp_path / "map.png").stat().st_size > 10_000
