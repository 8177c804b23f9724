"""Everything that the plugin menu offers is there, and opens on an empty viewer."""

import pytest

pytest.importorskip("napari")

import re
from importlib.metadata import entry_points
from pathlib import Path

import yaml
from qtpy.QtWidgets import QApplication

import xct.plugin
from tests.plugin.acting import click, dock, open_parts
from xct.io.tables import read_table

GUIDE = Path(__file__).parents[2] / "docs" / "napari.md"
MANIFEST = Path(xct.plugin.__file__).with_name("napari.yaml")
WIDGETS = [
    widget["display_name"]
    for widget in yaml.safe_load(MANIFEST.read_text(encoding="utf-8"))["contributions"]["widgets"]
]


def test_napari_finds_the_manifest():
    (entry,) = entry_points(group="napari.manifest", name="xct")
    assert entry.value == "xct.plugin:napari.yaml"


def test_every_widget_opens_without_a_cell(viewer, messages):
    for name in WIDGETS:
        assert dock(viewer, name).window() is viewer.window._qt_window
    assert messages() == []
    assert len(WIDGETS) == 7
    # as tabs: one below the other they would be higher than the screen
    QApplication.processEvents()
    window = viewer.window._qt_window
    assert window.height() <= window.screen().availableGeometry().height()
    size = window.size()
    window.resize(1366, 700)  # of a small laptop, below the bar of its desktop
    QApplication.processEvents()
    assert window.height() == 700
    window.resize(size)


def test_widget_whose_dock_is_closed_leaves_the_window_alone(viewer, cell_folder):
    for name in ("Inspect ROIs", "Particles and inclusions"):
        widget = dock(viewer, name)  # still known here, as it may be elsewhere
    for docked in list(viewer.window._wrapped_dock_widgets.values()):
        docked.destroyOnClose()  # the cross of its title
    opened = open_parts(viewer, cell_folder, "volume", "particles")
    particle = read_table(cell_folder / "tables" / "particles.csv").iloc[0]
    viewer.dims.set_point(0, particle["z_um"])
    click(viewer, particle[["z_um", "y_um", "x_um"]].to_list())
    assert {layer.name for layer in viewer.layers} == set(opened)  # neither ROIs nor a mark
    assert widget.cells.count() == 0
    viewer.layers.clear()
    assert viewer.mouse_move_callbacks == []


def test_guide_names_every_widget_and_its_program_runs(tmp_path, monkeypatch):
    text = GUIDE.read_text(encoding="utf-8")
    headings = re.findall(r"^## (.*)$", text, re.M)
    assert set(WIDGETS) <= set(headings)
    pictures = re.findall(r"\]\((napari/\S+\.png)\)", text)
    assert len(pictures) >= len(WIDGETS)
    assert all((GUIDE.parent / picture).is_file() for picture in pictures)
    monkeypatch.chdir(tmp_path)
    (program,) = re.findall(r"```python\n(.*?)```", text, re.S)
    exec(compile(program, GUIDE.name, "exec"), {})
    assert (tmp_path / "rois.yaml").is_file()
