"""What is saved is of the kind that was chosen, under a name that says so."""

from pathlib import Path

import pytest

pytest.importorskip("napari")

from qtpy.QtWidgets import QFileDialog

import xct
from xct.errors import XctError
from xct.plugin import notifications
from xct.plugin.controls import path_to_save

SETS, IMAGEJ = "ROI sets (*.yaml *.yml)", "ROIs of ImageJ (*.zip *.roi)"


@pytest.mark.parametrize(
    ("typed", "kind", "saved"),
    [
        ("rois.yaml", SETS, "rois.yaml"),
        ("rois.yml", SETS, "rois.yml"),
        ("rois", SETS, "rois.yaml"),
        ("rois", IMAGEJ, "rois.zip"),
        ("rois.roi", IMAGEJ, "rois.roi"),
        ("rois.yaml", IMAGEJ, "rois.zip"),  # the name that was proposed, and another kind
        ("cell-1.5", SETS, "cell-1.5.yaml"),
    ],
)
def test_a_name_gets_the_ending_of_the_chosen_kind(monkeypatch, tmp_path, typed, kind, saved):
    answer = (str(tmp_path / typed), kind)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: answer)
    found = path_to_save(None, "ROI set", "rois.yaml", f"{SETS};;{IMAGEJ}")
    assert found == tmp_path / saved


def test_a_file_that_the_dialog_did_not_ask_about_is_not_replaced(monkeypatch, tmp_path):
    (tmp_path / "rois.zip").touch()
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "rois"), IMAGEJ))
    with pytest.raises(XctError, match="is there already"):
        path_to_save(None, "ROI set", "rois.yaml", f"{SETS};;{IMAGEJ}")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: ("", ""))
    assert path_to_save(None, "ROI set", "rois.yaml", f"{SETS};;{IMAGEJ}") is None


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("/data/two cells/out: holds no result", "out: holds no result (in /data/two cells)"),
        ("/data/a.yaml:2: pipeline: no recipe", "a.yaml:2: pipeline: no recipe (in /data)"),
        ("xct/io: holds no result", "io: holds no result (in xct)"),
        ("μ in 1/cm: of what", "μ in 1/cm: of what"),
        ("where: '1,5' is not a number", "where: '1,5' is not a number"),
    ],
)
def test_notifications_which_are_cut_off_begin_with_what_is_wrong(monkeypatch, said, shown):
    monkeypatch.chdir(Path(xct.__file__).parent.parent)
    notes: list[str] = []
    monkeypatch.setattr(notifications, "show_error", notes.append)
    notifications.show_mistake(said)
    assert notes == [shown]
