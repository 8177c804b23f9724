"""Centre, ring filter and thresholds are seen on one slice at once, and written down."""

import shutil

import numpy as np
import pytest
import yaml

pytest.importorskip("napari")

from qtpy.QtCore import Qt
from scipy.ndimage import gaussian_filter

from tests.plugin.acting import click, dock, near, picture
from tests.plugin.drawn import SHAPE
from tests.scans import CENTER_PX, DISCS, line_integrals, write_dxchange
from xct.config.loading import load_config
from xct.config.recipe import load_steps
from xct.geometry import Label
from xct.io.atomic import write_json
from xct.io.volumes import write_slab
from xct.io.yaml import parse
from xct.normalize import electrolyte_reference
from xct.result import open_result
from xct.segment import materials

RECIPE = """pipeline: tomo_cell
steps:
  glare: {fraction: 0.002, range_um: 100}
"""
LIMIT_MS = 600_000  # waited for what comes; a busy machine is no fault
ROW = 40  # through particles
TEXT = """# a disc
scan:
  file: scan.h5  # from March
output: out
"""


@pytest.fixture
def config(tmp_path):
    write_dxchange(tmp_path / "scan.h5")
    path = tmp_path / "config.yaml"
    path.write_text(TEXT, encoding="utf-8")
    return path


def sharpness(layer):
    return np.abs(np.diff(np.asarray(layer.data))).mean()


def test_settings_are_previewed_and_written(viewer, qtbot, config):
    tune = dock(viewer, "Tune a reconstruction")

    def shown(change):
        with qtbot.waitSignal(tune.shown, timeout=LIMIT_MS):
            change()
        qtbot.waitUntil(lambda: tune.idle, timeout=LIMIT_MS)

    cell = viewer.add_image(np.zeros((4, 192, 192)))
    viewer.dims.order = (1, 0, 2)
    tune.source.setText(str(config))
    shown(tune.load)
    assert viewer.dims.displayed == (1, 2)  # as the slice lies, so that all of it is in view
    viewer.layers.remove(cell)
    layer = viewer.layers["tuning: slice"]
    blurred = np.array(layer.data)
    assert tune.center.value() == pytest.approx(95.5)
    tune.center.selectAll()
    shown(lambda: qtbot.keyClicks(tune.center, f"{CENTER_PX}\r"))
    # a wrong centre smears the discs: the right one makes them flat and higher
    assert np.percentile(layer.data, 99.8) > np.percentile(blurred, 99.8) + 0.5
    shown(lambda: tune.rings.setCurrentText("sorting"))
    shown(lambda: tune.ring_width.setValue(21))
    sharp = sharpness(layer)
    shown(lambda: tune.fbp_window.setCurrentText("hann"))
    assert sharpness(layer) < sharp
    alone = viewer.scene.camera.zoom
    shown(lambda: tune.sinogram.setChecked(True))
    assert viewer.layers["tuning: sinogram"].data.shape == (180, 192)
    assert viewer.scene.camera.zoom < 0.7 * alone  # both are in view
    assert not tune.materials.wanted.isEnabled()  # `reconstruct` labels none
    qtbot.mouseClick(tune.write, Qt.MouseButton.LeftButton)
    written = parse(config.read_text(encoding="utf-8")).value
    assert written["scan"]["center_px"] == pytest.approx(CENTER_PX)
    assert written["steps"] == {
        "stripes": {"method": "sorting", "size_px": 21},
        "fbp": {"window": "hann"},
    }
    assert "# from March" in config.read_text(encoding="utf-8")
    assert "changes voxels by" in tune.changed.text()
    tune.center.setValue(95.5)
    tune.find_center()
    assert tune.center.value() == pytest.approx(CENTER_PX, abs=0.3)
    qtbot.waitUntil(lambda: tune.idle, timeout=LIMIT_MS)
    # slices at nine centres; the one that is clicked on is taken
    tune.center_step.setValue(2.0)
    middle = tune.center.value()
    shown(tune.show_centers)
    of_nine = viewer.scene.camera.zoom
    sheet = viewer.layers["tuning: centres"]
    assert len(viewer.layers["tuning: center_px"].data) == 9
    assert not layer.visible
    place = sheet.data_to_world((sheet.data.shape[0] * 0.5, sheet.data.shape[1] * 0.85))
    shown(lambda: click(viewer, place))
    assert tune.center.value() == pytest.approx(middle + 2.0)  # right of the one in the middle
    assert "tuning: centres" not in viewer.layers
    assert layer.visible
    assert viewer.scene.camera.zoom > 1.4 * of_nine  # one fills the canvas again


def test_starts_at_the_axis_that_the_run_found(viewer, qtbot, config):
    out = config.parent / "out"
    out.mkdir()
    write_json(out / "summary.json", {"center_px": {"value": 93.25, "unit": "px"}})
    scan = load_config(config).scan.model_dump(mode="json")
    (out / "run.yaml").write_text(yaml.safe_dump({"configuration": {"scan": scan}}), "utf-8")
    tune = dock(viewer, "Tune a reconstruction")
    tune.source.setText(str(config))
    with qtbot.waitSignal(tune.shown, timeout=LIMIT_MS):
        tune.load()
    assert tune.center.value() == 93.25
    qtbot.waitUntil(lambda: tune.idle, timeout=LIMIT_MS)


@pytest.fixture
def measured(cell_folder, tmp_path):
    """A scan and its finished result, its configuration, and what `materials` is given."""
    folder = shutil.copytree(cell_folder, tmp_path / "out")
    result = open_result(folder)
    # drawn sharply, no threshold would matter
    volume, cell = gaussian_filter(result.stored_volume.read(), 0.8), result.cell
    write_slab(folder / "volume.zarr", 0, volume)
    reference = electrolyte_reference(volume, cell)
    write_json(folder / "reference.json", reference.to_dict())
    discs = DISCS * [0.5, 0.5, 0.5, 1]
    rows, _, columns = SHAPE
    write_dxchange(tmp_path / "scan.h5", line_integrals(rows, columns, 60, discs, columns / 2))
    path = tmp_path / "config.yaml"
    path.write_text(TEXT + RECIPE + "  materials: {shift: 0.05}  # by eye\n", encoding="utf-8")
    return path, (volume, cell, open_result(folder).reference, result.surfaces)


def test_thresholds_are_those_of_materials_and_are_written(viewer, qtbot, measured):
    config, given = measured
    tune = dock(viewer, "Tune a reconstruction")

    def labelled(change):
        with qtbot.waitSignal(tune.materials.shown, timeout=LIMIT_MS):
            change()
        qtbot.waitUntil(lambda: tune.idle, timeout=LIMIT_MS)
        return np.array(viewer.layers["tuning: materials"].data)

    tune.source.setText(str(config))
    with qtbot.waitSignal(tune.shown, timeout=LIMIT_MS):
        tune.load()
    with qtbot.waitSignal(tune.shown, timeout=LIMIT_MS):
        tune.row.setValue(ROW)
    slice_ = viewer.layers["tuning: slice"]
    assert slice_.contrast_limits[1] == pytest.approx(np.percentile(slice_.data, 99.7))
    assert tune.materials.shift.value() == 0.05
    first = labelled(lambda: tune.materials.wanted.setChecked(True))
    np.testing.assert_array_equal(first, materials(*given, shift=0.05)[ROW])
    tune.materials.shift.selectAll()
    higher = labelled(lambda: qtbot.keyClicks(tune.materials.shift, "0.3\r"))
    np.testing.assert_array_equal(higher, materials(*given, shift=0.3)[ROW])
    assert 0 < (higher == Label.ACTIVE_MATERIAL).sum() < (first == Label.ACTIVE_MATERIAL).sum()
    plain = labelled(lambda: tune.materials.sharpening.setValue(0))
    np.testing.assert_array_equal(plain, materials(*given, shift=0.3, sharpening=0)[ROW])
    assert "active material" in tune.materials.part.text()
    viewer.layers["tuning: slice"].visible = False
    image = picture(viewer)
    blue, red = (near(image, color).sum() for color in ((0.22, 0.3, 0.38), (0.36, 0.1, 0.08)))
    assert blue > red > 500
    qtbot.mouseClick(tune.write, Qt.MouseButton.LeftButton)
    config_now = load_config(config)
    settings = {step.name: step.settings for step in load_steps(config_now)}["materials"]
    assert (settings["shift"], settings["sharpening"]) == (0.3, 0)
    assert config_now.scan.center_px is None  # none was chosen
    assert "# from March" in config.read_text(encoding="utf-8")
    tune.materials.wanted.setChecked(False)
    assert "tuning: materials" not in viewer.layers


def test_materials_that_cannot_be_shown_are_explained(viewer, qtbot, messages, measured):
    config, _ = measured
    tune = dock(viewer, "Tune a reconstruction")
    tune.materials.wanted.setChecked(True)
    for output, said in (("gone", "no such folder"), ("out", "has 64 slices")):
        config.write_text(
            TEXT.replace("out\n", f"{output}\n").replace("file: scan.h5", "file: scan.h5\n  bin: 2")
            + RECIPE,
            encoding="utf-8",
        )
        tune.source.setText(str(config))
        with qtbot.waitSignal(tune.shown, timeout=LIMIT_MS):
            tune.load()
        qtbot.waitUntil(lambda: tune.idle, timeout=LIMIT_MS)
        assert said in messages()[-1]
        assert "none to show" in tune.materials.part.text()


def test_wrong_input_is_explained(viewer, qtbot, messages, config, tmp_path):
    tune = dock(viewer, "Tune a reconstruction")
    (tmp_path / "measured").mkdir()
    (tmp_path / "measured" / "summary.json").write_text("{}", encoding="utf-8")
    for text, said in (
        (str(tmp_path / "measured"), "name the configuration of its run"),
        (str(tmp_path / "gone.yaml"), "no such configuration file"),
        (str(tmp_path / "gone.h5"), "no file or folder"),
        (str(tmp_path), "holds"),
    ):
        tune.source.setText(text)
        tune.source.editingFinished.emit()
        if said != "holds":
            assert said in messages()[-1]
    config.write_text("scan: {file: scan.h5, color: red}\noutput: out\n", encoding="utf-8")
    tune.source.setText(str(config))
    tune.source.editingFinished.emit()
    assert "color" in messages()[-1]
    assert not tune.write.isEnabled()
    qtbot.waitUntil(lambda: tune.idle, timeout=LIMIT_MS)
