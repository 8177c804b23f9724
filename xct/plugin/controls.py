"""Small parts that the widgets share: buttons, and a choice among the cells that are open."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QPushButton, QWidget

from xct.errors import XctError
from xct.plugin.cells import Cell, cells_of
from xct.plugin.notify import complaints_shown


def button(text: str, function: Callable[[], Any], tip: str = "") -> QPushButton:
    """Make a button; what goes wrong in its function is shown as a notification."""
    made = QPushButton(text)
    made.setToolTip(tip)

    def pressed(*_: Any) -> None:
        with complaints_shown():
            function()

    made.clicked.connect(pressed)
    return made


def beside(*widgets: QWidget) -> QWidget:
    """Put widgets beside each other."""
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        layout.addWidget(widget)
    return row


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
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
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
