"""A widget in a dock of napari. In: a viewer; out: a part of its window, until it is closed."""

from __future__ import annotations

from typing import Any

from napari.utils.events.event_utils import disconnect_events
from qtpy.QtCore import QEvent, QObject, QSize, Qt, QTimer
from qtpy.QtWidgets import (
    QDockWidget,
    QFrame,
    QLayout,
    QMainWindow,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from xct.plugin.controls import Latest

_LEAST_HEIGHT = 200  # pixels


class Docked(QWidget):
    """A widget in a dock of napari; once the dock is closed, it lets go of the window.

    napari only takes such a widget out of its window. It would go on to hear of clicks, slices and
    cells, and answer beside the one that is opened next. Several share one place, as tabs: one
    below the other they need more height than screens have. On a low screen what is in it scrolls.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose window it is in.
    """

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self._viewer = viewer
        self._placed = False

    def fill(self, content: QLayout) -> None:
        """Put in what is shown: it scrolls where the window is too low for it."""
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(_Scrolled(content))

    def let_go(self) -> None:
        """Forget what waits, let the threads end, and hear of the window no more."""
        mine = [self, *self.findChildren(QObject)]
        for work in mine:
            if isinstance(work, Latest):
                work.stop()
        viewer = self._viewer
        for group in (viewer.events, viewer.layers.events, viewer.dims.events):
            for one in mine:
                disconnect_events(group, one)
        for callbacks in (viewer.mouse_move_callbacks, viewer.mouse_drag_callbacks):
            callbacks[:] = [one for one in callbacks if getattr(one, "__self__", None) not in mine]

    def showEvent(self, event: Any) -> None:
        """Lie over another widget that is docked on the same side, once napari has docked it."""
        super().showEvent(event)
        if not self._placed:
            self._placed = True
            QTimer.singleShot(0, self._share_place)

    def _share_place(self) -> None:
        dock: QWidget | None = self.parentWidget()
        while dock is not None and not isinstance(dock, QDockWidget):
            dock = dock.parentWidget()
        window = None if dock is None else dock.parentWidget()
        if dock is None or not isinstance(window, QMainWindow):
            return
        for other in window.findChildren(QDockWidget):
            there = other is not dock and other.isVisible() and not other.isFloating()
            same_side = window.dockWidgetArea(other) == window.dockWidgetArea(dock)
            if there and same_side and other.findChild(Docked) is not None:
                window.tabifyDockWidget(other, dock)
                dock.raise_()
                window.layout().activate()  # it needs less height now, and may have grown
                room = window.screen().availableGeometry().height()
                room -= window.frameGeometry().height() - window.height()
                window.resize(window.width(), min(window.height(), room))
                return

    def changeEvent(self, event: Any) -> None:
        """Let go where napari takes the widget out of its dock."""
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.let_go()
        super().changeEvent(event)

    def closeEvent(self, event: Any) -> None:
        """Let go."""
        self.let_go()
        super().closeEvent(event)


class _Scrolled(QScrollArea):
    """As large as what is in it where there is room; else lower, never narrower."""

    def __init__(self, content: QLayout) -> None:
        super().__init__()
        inner = _Content()
        inner.setLayout(content)
        self.setWidget(inner)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def sizeHint(self) -> QSize:
        """Ask for what its content asks for."""
        return self._with_bar(self.widget().sizeHint())

    def minimumSizeHint(self) -> QSize:
        """Ask for the width that its content needs."""
        least = self._with_bar(self.widget().minimumSizeHint())
        return QSize(least.width(), min(least.height(), _LEAST_HEIGHT))

    def _with_bar(self, size: QSize) -> QSize:
        return QSize(size.width() + self.verticalScrollBar().sizeHint().width(), size.height())


class _Content(QWidget):
    """What scrolls: where lines may wrap, Qt would scroll below the height that it likes best."""

    def heightForWidth(self, width: int) -> int:
        """Ask for no more than it needs."""
        layout = self.layout()
        return -1 if layout is None else int(layout.minimumHeightForWidth(width))
