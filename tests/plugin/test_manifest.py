"""Everything that the plugin menu offers is there, and opens on an empty viewer."""

import pytest

pytest.importorskip("napari")

from importlib.metadata import entry_points
from pathlib import Path

import yaml

import xct.plugin
from tests.plugin.acting import dock

MANIFEST = Path(xct.plugin.__file__).with_name("napari.yaml")
WIDGETS = [
    widget["display_name"]
    for widget in yaml.safe_load(MANIFEST.read_text())["contributions"]["widgets"]
]


def test_napari_finds_the_manifest():
    (entry,) = entry_points(group="napari.manifest", name="xct")
    assert entry.value == "xct.plugin:napari.yaml"


def test_every_widget_opens_without_a_cell(viewer, messages):
    for name in WIDGETS:
        assert dock(viewer, name).window() is viewer.window._qt_window
    assert messages() == []
    assert len(WIDGETS) == 6
