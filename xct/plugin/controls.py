"""Small parts that the widgets share: buttons, and a choice among the cells that are open."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from qtpy.QtCore import QObject, Qt, QTimer, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QPushButton,
    QSlider,
    QWidget,
)

from xct.errors import XctError
from xct.plugin.data.cells import Cell, cells_of
from xct.plugin.notifications import MENDABLE, errors_shown, show_mistake, words

_NAME_LETTERS = 16  # of a cell, that a choice has room for at least
_ENDING = re.compile(r"\*(\.\w+)")


class Latest(QObject):
    """Runs one function at a time in a thread, beside the window; only the last request waits.

    An answer is shown whole, whatever the window does meanwhile, before the next is worked out.

    Signals
    -------
    done
        The answer to the latest request, in the window's thread.
    failed
        There is no answer, and why; the user has seen it.
    """

    done = Signal(object)
    failed = Signal(str)
    _finished = Signal(object)

    def __init__(self, parent: QObject | None = None, delay_ms: int = 0) -> None:
        super().__init__(parent)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="xct-plugin")
        self._running: Future[Any] | None = None
        self._waiting: Callable[[], Any] | None = None
        self._stopped = False
        self._finished.connect(self._deliver)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(delay_ms)
        self._timer.timeout.connect(self._start)

    @property
    def idle(self) -> bool:
        """Whether nothing is running, nothing waits, and the last answer is shown."""
        return self._running is None and self._waiting is None

    @property
    def superseded(self) -> bool:
        """Whether the user has wished for something else meanwhile, which waits."""
        return self._waiting is not None

    def ask(self, function: Callable[[], Any]) -> None:
        """Have a function called soon, in place of one that still waits."""
        if self._stopped:  # a closed widget still hears of its viewer
            return
        self._waiting = function
        if self._running is None:
            self._timer.start()

    def follow_up(self, function: Callable[[], Any]) -> None:
        """Have a function called that goes on from an answer, unless a newer request waits.

        The user's last wish may have come while the answer was worked out: it is not replaced.
        """
        if not self.superseded:
            self.ask(function)

    def stop(self) -> None:
        """Forget what waits, and let the thread end."""
        self._waiting, self._stopped = None, True
        self._timer.stop()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _start(self) -> None:
        function, self._waiting = self._waiting, None
        if function is None or self._running is not None:
            return
        self._running = self._pool.submit(function)
        self._running.add_done_callback(self._hand_over)

    def _hand_over(self, future: Future[Any]) -> None:
        try:
            self._finished.emit(future)
        except RuntimeError:  # the window is closed
            pass

    def _deliver(self, future: Future[Any]) -> None:
        try:
            self._answer(future)
        finally:
            self._running = None
            if self._waiting is not None:
                self._timer.start()

    def _answer(self, future: Future[Any]) -> None:
        error = None if future.cancelled() else future.exception()
        if error is None:
            self.done.emit(future.result())
        elif isinstance(error, MENDABLE):
            show_mistake(error)
            self.failed.emit(words(error))
        else:
            self.failed.emit("a fault of the program")
            raise error


def button(text: str, function: Callable[[], Any], tip: str = "") -> QPushButton:
    """Make a button; what goes wrong in its function is shown as a notification."""
    made = QPushButton(text)
    made.setToolTip(tip)

    def pressed(*_: Any) -> None:
        with errors_shown():
            function()

    made.clicked.connect(pressed)
    return made


def path_to_save(parent: QWidget, title: str, proposed: str, kinds: str) -> Path | None:
    """Ask where to save; what is written is of the kind that was chosen.

    Parameters
    ----------
    parent : QWidget
        Whose dialog it is.
    title, proposed : str
        Of the dialog; name that is proposed.
    kinds : str
        As Qt writes them: ``ROI sets (*.yaml *.yml);;ROIs of ImageJ (*.zip)``.

    Returns
    -------
    Path or None
        A name without an ending, or with that of another kind, gets the first of the chosen kind;
        None where the dialog was closed.

    Raises
    ------
    XctError
        If there is a file of the name that was made so: the dialog did not ask about it.
    """
    name, kind = QFileDialog.getSaveFileName(parent, title, proposed, kinds)
    if not name:
        return None
    path, own = Path(name), _ENDING.findall(kind or kinds)
    if not own or path.suffix.lower() in own:
        return path
    if path.suffix.lower() in _ENDING.findall(kinds):
        path = path.with_suffix("")
    path = path.with_name(path.name + own[0])
    if path.exists():
        raise XctError(f"{path} is there already; choose it by its whole name to replace it")
    return path


def beside(*widgets: QWidget) -> QWidget:
    """Put widgets side by side."""
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        layout.addWidget(widget)
    return row


def slider_of(box: Any, most: float | None = None) -> QSlider:
    """Make a slider for a number box; each follows the other.

    Parameters
    ----------
    box : QSpinBox or QDoubleSpinBox
        The number.
    most : float, optional
        Where the slider ends; unless given, where the box does.
    """
    step = box.singleStep()
    slider = QSlider(Qt.Orientation.Horizontal)
    end = box.maximum() if most is None else most
    slider.setRange(round(box.minimum() / step), round(end / step))
    slider.setValue(round(box.value() / step))

    def follow(value: float) -> None:
        slider.blockSignals(True)
        slider.setValue(round(value / step))
        slider.blockSignals(False)

    slider.valueChanged.connect(lambda count: box.setValue(count * step))
    box.valueChanged.connect(follow)
    slider.setToolTip("drag; the number beside it follows")
    return slider


class CellChoice(QComboBox):
    """A choice among the cells of a viewer, kept up to date.

    Parameters
    ----------
    viewer : napari.Viewer
        Where cells are opened.
    none : str or None
        A first entry that stands for no cell; without it there is none.
    """

    chosen = Signal()

    def __init__(self, viewer: Any, none: str | None = None) -> None:
        super().__init__()
        self._viewer, self._none = viewer, none
        # a long name is cut off: it would make the dock as wide as itself
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(_NAME_LETTERS)
        viewer.layers.events.inserted.connect(self.refresh)
        viewer.layers.events.removed.connect(self.refresh)
        self.refresh()
        self.currentTextChanged.connect(lambda _: self.chosen.emit())

    def refresh(self, _: Any = None) -> None:
        """List the cells anew; the choice stays if it can."""
        names = [cell.name for cell in cells_of(self._viewer)]
        listed = ([self._none] if self._none else []) + names
        if listed == [self.itemText(n) for n in range(self.count())]:
            return
        before = self.currentText()
        self.blockSignals(True)
        self.clear()
        self.addItems(listed)
        if before in listed:
            self.setCurrentText(before)
        self.blockSignals(False)
        if self.currentText() != before:
            self.chosen.emit()

    def cell(self) -> Cell | None:
        """Give the chosen cell; None where none is open or chosen."""
        for cell in cells_of(self._viewer):
            if cell.name == self.currentText():
                return cell
        return None

    def needed(self) -> Cell:
        """Give the chosen cell.

        Raises
        ------
        XctError
            If there is none.
        """
        cell = self.cell()
        if cell is None:
            raise XctError("no cell is open: drop a result folder on the window first")
        return cell
