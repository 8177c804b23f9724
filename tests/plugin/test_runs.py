"""A run beside the window: progress, cancelling, going on, and what is wrong in words."""

import sys

import pytest

pytest.importorskip("napari")

from qtpy.QtCore import Qt, QTimer

from tests.plugin.acting import dock
from tests.scans import write_dxchange
from xct.plugin.runs import Run

RUN_MS = 600_000  # waited for what comes; a busy machine is no fault


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
    timer.timeout.connect(lambda: beats.append(run.running))
    run.open.setChecked(False)
    with qtbot.waitSignal(run.ended, timeout=RUN_MS) as ended:
        qtbot.mouseClick(run.start_button, Qt.MouseButton.LeftButton)
        assert run.running
        assert not run.start_button.isEnabled()
        timer.start(10)
    timer.stop()
    assert ended.args == [0]
    assert sum(beats) > 5  # had the run blocked the window, its heart would not have beaten
    assert run.bar.value() == run.bar.maximum() > 0
    assert run.state.text() == "finished"
    assert "center_px" in run.log.toPlainText()
    run.open.setChecked(True)
    with qtbot.waitSignal(run.ended, timeout=RUN_MS):  # finished already: opened only
        run.start()
    assert "disc volume" in viewer.layers


def test_run_is_cancelled(viewer, qtbot, config, monkeypatch, tmp_path):
    # Stands for a run that ends as it should (tests/test_runs.py), and never before it is told to.
    long_run = tmp_path / "long_run"
    script = "trap 'exit 130' TERM; echo expected; while :; do sleep 0.1; done"
    long_run.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    long_run.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(long_run))
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


def test_run_is_told_to_end_where_the_window_is_closed(
    viewer, qtbot, config, monkeypatch, tmp_path
):
    long_run, ended = tmp_path / "long_run", tmp_path / "ended"
    script = f"trap 'touch {ended}; exit 130' TERM; echo expected; while :; do sleep 0.1; done"
    long_run.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    long_run.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(long_run))
    run = Run(viewer)  # Qt deletes widgets with their window, without closing them
    run.config.setText(str(config))
    run.start()
    qtbot.waitUntil(lambda: "expected" in run.log.toPlainText(), timeout=RUN_MS)
    run.deleteLater()
    qtbot.waitUntil(ended.is_file, timeout=RUN_MS)


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
