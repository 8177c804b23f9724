"""Centre, ring filter and thresholds are seen on one slice at once, and written down."""

import numpy as np
import pytest

pytest.importorskip("napari")

from qtpy.QtCore import Qt

from tests.plugin.acting import dock, near, picture
from tests.scans import CENTER_PX, write_dxchange
from xct.io.yaml_lines import parse

LIMIT_MS = 60_000
TEXT = """# a disc
scan:
  file: scan.h5  # from March
output: out
"""


@pytest.fixture
def config(tmp_path):
    write_dxchange(tmp_path / "scan.h5")
    path = tmp_path / "config.yaml"
    path.write_text(TEXT)
    return path


def sharpness(layer):
    return np.abs(np.diff(np.asarray(layer.data))).mean()


def test_settings_are_previewed_and_written(viewer, qtbot, config):
    tune = dock(viewer, "Tune a reconstruction")

    def shown(change):
        with qtbot.waitSignal(tune.shown, timeout=LIMIT_MS):
            change()
        qtbot.waitUntil(lambda: tune.idle, timeout=LIMIT_MS)

    tune.source.setText(str(config))
    shown(tune.load)
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
    shown(lambda: tune.sinogram.setChecked(True))
    assert viewer.layers["tuning: sinogram"].data.shape == (180, 192)
    tune.thresholds.setChecked(True)
    tune.low.setValue(8.0)  # the large disc has 15 1/cm, the small ones 100 more
    tune.high.setValue(60.0)
    assert "between (blue)" in tune.part.text()
    viewer.layers["tuning: slice"].visible = False
    image = picture(viewer)
    blue = near(image, (0.08, 0.24, 0.4)).sum()
    red = near(image, (0.4, 0.12, 0.08)).sum()
    assert blue > 10 * red > 500
    qtbot.mouseClick(tune.write, Qt.MouseButton.LeftButton)
    written = parse(config.read_text()).value
    assert written["scan"]["center_px"] == pytest.approx(CENTER_PX)
    assert written["steps"] == {
        "stripes": {"method": "sorting", "size_px": 21},
        "fbp": {"window": "hann"},
    }
    assert "# from March" in config.read_text()
    tune.center.setValue(95.5)
    tune.find_center()
    assert tune.center.value() == pytest.approx(CENTER_PX, abs=0.3)
    qtbot.waitUntil(lambda: tune.idle, timeout=LIMIT_MS)


def test_wrong_input_is_explained(viewer, qtbot, messages, config, tmp_path):
    tune = dock(viewer, "Tune a reconstruction")
    for text, said in (
        (str(tmp_path / "gone.yaml"), "no such configuration file"),
        (str(tmp_path / "gone.h5"), "no file or folder"),
        (str(tmp_path), "holds"),
    ):
        tune.source.setText(text)
        tune.source.editingFinished.emit()
        if said != "holds":
            assert said in messages()[-1]
    config.write_text("scan: {file: scan.h5, color: red}\noutput: out\n")
    tune.source.setText(str(config))
    tune.source.editingFinished.emit()
    assert "color" in messages()[-1]
    assert not tune.write.isEnabled()
    qtbot.waitUntil(lambda: tune.idle, timeout=LIMIT_MS)
