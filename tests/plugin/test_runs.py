"""A run beside the window: progress, cancelling, going on, and what is wrong in words."""

import time

import numpy as np
import pytest

pytest.importorskip("napari")

from qtpy.QtCore import Qt, QTimer

from tests.plugin.acting import dock
from tests.scans import write_dxchange

RUN_MS = 120_000


@pytest.fixture
def config(tmp_path):
    write_dxchange(tmp_path / "scan.h5")
    path = tmp_path / "config.yaml"
    path.write_text(
        "scan: {file: scan.h5}\ncell: {name: disc}\noutput: out\nrun: {workers: 1}\n",
        encoding="utf-8",
    )
    return path


def test_run_shows_progress_opens_its_result_and_leaves_the_window_free(viewer, qtbot, config):
    run = dock(viewer, "Run a pipeline")
    run.config.setText(str(config))
    run.check()
    assert "180 projections" in run.log.toPlainText()
    beats, timer = [], QTimer()
    timer.timeout.connect(lambda: beats.append(time.monotonic()))
    run.open.setChecked(False)
    with qtbot.waitSignal(run.ended, timeout=RUN_MS) as ended:
        qtbot.mouseClick(run.start_button, Qt.MouseButton.LeftButton)
        assert run.running
        assert not run.start_button.isEnabled()
        timer.start(10)
    timer.stop()
    assert ended.args == [0]
    # A heartbeat of the window, seconds; had the run blocked it, there would be hardly any.
    assert np.percentile(np.diff(beats), 95) < 0.3
    assert run.bar.value() == run.bar.maximum() > 0
    assert run.state.text() == "finished"
    assert "center_px" in run.log.toPlainText()
    run.open.setChecked(True)
    with qtbot.waitSignal(run.ended, timeout=RUN_MS):  # finished already: opened only
        run.start()
    assert "disc volume" in viewer.layers


def test_run_is_cancelled_and_goes_on(viewer, qtbot, config):
    run = dock(viewer, "Run a pipeline")
    run.open.setChecked(False)
    run.config.setText(str(config))
    with qtbot.waitSignal(run.ended, timeout=RUN_MS) as ended:
        run.start()
        qtbot.waitUntil(lambda: "expected" in run.log.toPlainText(), timeout=RUN_MS)
        qtbot.mouseClick(run.cancel_button, Qt.MouseButton.LeftButton)
    assert ended.args == [130]
    assert run.state.text().startswith("cancelled")
    assert not run.cancel_button.isEnabled()
    assert run.start_button.isEnabled()


def test_wrong_configurations_are_explained(viewer, qtbot, messages, config):
    run = dock(viewer, "Run a pipeline")
    qtbot.mouseClick(run.start_button, Qt.MouseButton.LeftButton)
    assert "name a configuration first" in messages()[-1]
    run.config.setText(str(config.with_name("missing.yaml")))
    qtbot.mouseClick(run.start_button, Qt.MouseButton.LeftButton)
    assert "no such configuration file" in messages()[-1]
    config.write_text("scan: {file: gone.h5}\noutput: out\n", encoding="utf-8")
    run.config.setText(str(config))
    run.check()
    assert "gone.h5" in messages()[-1]
    assert not run.running
