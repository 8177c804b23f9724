"""Runs from the window. In: a configuration; out: its result, made by a process of its own.

The run is the command `xct run`: the window never waits for it, ending it is as safe as Ctrl-C on
a terminal, and what was finished is used again the next time.
"""

from __future__ import annotations

import re
import sys
from typing import Any

from qtpy.QtCore import QProcess, Signal
from qtpy.QtGui import QFontDatabase
from qtpy.QtWidgets import (
    QApplication,
    QCheckBox,
    QFileDialog,
    QFormLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QProgressBar,
    QVBoxLayout,
)

from xct.config.loading import load_config
from xct.errors import XctError
from xct.pipeline.plan import make_plan
from xct.pipeline.plan_text import plan_text
from xct.plugin.controls import beside, button
from xct.plugin.docked import Docked
from xct.plugin.notifications import errors_shown, show_info, show_mistake

_PIECE = re.compile(r"^(\w[\w ]*): (\d+) of (\d+): (.*)$")
_INTERRUPTED = 130
_MOST_LINES = 2000


class Run(Docked):
    """Checks a configuration, runs it beside the window, and opens the result.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Where the result is opened.
    """

    ended = Signal(int)

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self._process: QProcess | None = None
        self._rest = ""
        self._errors: list[str] = []
        self._build()

    @property
    def running(self) -> bool:
        """Whether a run is under way."""
        return self._process is not None

    def browse(self) -> None:
        """Choose a configuration."""
        chosen, _ = QFileDialog.getOpenFileName(self, "Configuration", "", "YAML (*.yaml *.yml)")
        if chosen:
            self.config.setText(chosen)

    def check(self) -> None:
        """Name every mistake of the configuration, and what a run would need."""
        with errors_shown():
            self.log.setPlainText(plan_text(make_plan(self._path()), "ready:"))

    def start(self) -> None:
        """Start the run; a wrong configuration is refused before."""
        if self.running:
            raise XctError("a run is under way: wait for it, or cancel it first")
        make_plan(self._path())
        self.log.clear()
        self._rest, self._errors = "", []
        # Of the application: were it of the widget, it would be killed where the window is closed.
        process = self._process = QProcess(QApplication.instance())
        self.destroyed.connect(process.terminate)
        process.finished.connect(process.deleteLater)
        process.setProcessChannelMode(QProcess.ProcessChannelMode.MergedChannels)
        process.readyReadStandardOutput.connect(self._read)
        process.finished.connect(self._ended)
        process.errorOccurred.connect(self._not_started)
        restart = ["--restart"] if self.restart.isChecked() else []
        process.start(sys.executable, ["-m", "xct", "run", self._path(), *restart])
        self._show_state("starting …")

    def cancel(self) -> None:
        """Ask the run to end after its present step; what is finished is kept."""
        if self._process is not None:
            self._show_state("ending …")
            self._process.terminate()

    def let_go(self) -> None:
        """Ask a run to end where its widget is closed."""
        if self._process is not None:
            self._process.finished.disconnect(self._ended)
            self._process.terminate()
            self._process.waitForFinished(5000)
            self._process = None
        super().let_go()

    def _build(self) -> None:
        self.config = QLineEdit(placeholderText="configuration, such as configs/ncm_100.yaml")
        self.restart = QCheckBox("throw away what an earlier run left")
        self.open = QCheckBox("open the result")
        self.open.setChecked(True)
        self.bar, self.state = QProgressBar(), QLabel("no run")
        self.state.setWordWrap(True)
        self.log = QPlainTextEdit(readOnly=True)
        # what a run prints stands in columns
        self.log.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.log.setMaximumBlockCount(_MOST_LINES)
        self.log.setMinimumHeight(160)
        self.start_button = button("Run", self.start)
        self.cancel_button = button("Cancel", self.cancel, "as safe as Ctrl-C: it can go on later")
        self.cancel_button.setEnabled(False)
        form = QFormLayout()
        form.addRow("configuration", beside(self.config, button("…", self.browse)))
        form.addRow(self.restart)
        form.addRow(self.open)
        layout = QVBoxLayout()
        layout.addLayout(form)
        layout.addWidget(beside(button("Check", self.check), self.start_button, self.cancel_button))
        layout.addWidget(self.bar)
        layout.addWidget(self.state)
        layout.addWidget(self.log, 1)
        self.fill(layout)

    def _path(self) -> str:
        text = str(self.config.text()).strip()
        if not text:
            raise XctError("name a configuration first; `xct init` writes one for a scan")
        return text

    def _show_state(self, text: str) -> None:
        self.state.setText(text)
        self.start_button.setEnabled(not self.running)
        self.cancel_button.setEnabled(self.running)

    def _read(self) -> None:
        assert self._process is not None
        text = self._rest + bytes(self._process.readAllStandardOutput()).decode(errors="replace")
        *lines, self._rest = text.split("\n")
        for line in lines:
            self._take(line)

    def _take(self, line: str) -> None:
        self.log.appendPlainText(line)
        if line.startswith("error: "):
            self._errors.append(line.removeprefix("error: "))
        piece = _PIECE.match(line)
        if piece:
            what, done, total, rest = piece.groups()
            self.bar.setRange(0, int(total))
            self.bar.setValue(int(done))
            self._show_state(f"{what}: {done} of {total}, {rest}")

    def _not_started(self, error: Any) -> None:
        if error == QProcess.ProcessError.FailedToStart and self._process is not None:
            show_mistake(f"the run could not be started: {self._process.errorString()}")
            self._process = None
            self._show_state("not started")

    def _ended(self, code: int, _: Any) -> None:
        self._read()
        if self._rest:
            self._take(self._rest)
        assert self._process is not None
        self._process = None
        if code == 0:
            self._show_state("finished")
            self._open()
        elif code == _INTERRUPTED:
            self._show_state("cancelled: what was finished is kept, Run goes on from there")
        else:
            self._show_state("failed")
            show_mistake("\n".join(self._errors) or f"the run ended with exit code {code}")
        self.ended.emit(code)

    def _open(self) -> None:
        show_info("the run is finished")
        with errors_shown():
            if self.open.isChecked():
                self._viewer.open(load_config(self._path()).output, plugin="xct")
