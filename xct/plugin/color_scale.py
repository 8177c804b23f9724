"""A color bar for docks. In: a span of values; out: its colors, with both ends written out."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.utils.colormaps import ensure_colormap
from qtpy.QtCore import QRectF, Qt
from qtpy.QtGui import QColor, QLinearGradient, QPainter
from qtpy.QtWidgets import QWidget

_STOPS = 16
_BAR_PX, _HEIGHT_PX = 12, 34


class ColorScale(QWidget):
    """Shows which color stands for which value, as wide as its dock; nothing without a span.

    Attributes
    ----------
    span : tuple of float or None
        Values of the first and the last color.
    """

    def __init__(self, colormap: str = "viridis") -> None:
        super().__init__()
        self._colors = ensure_colormap(colormap).map(np.linspace(0, 1, _STOPS))
        self.span: tuple[float, float] | None = None
        self.setVisible(False)

    def show_span(self, span: tuple[float, float] | None) -> None:
        """Show another span."""
        self.span = span
        self.setFixedHeight(_HEIGHT_PX)
        self.setVisible(span is not None)
        self.update()

    def texts(self) -> tuple[str, str, str]:
        """Write the values at the left end, in the middle and at the right end."""
        low, high = self.span or (0.0, 0.0)
        return f"{low:.5g}", f"{(low + high) / 2:.5g}", f"{high:.5g}"

    def paintEvent(self, _: Any) -> None:
        """Draw the bar, and the values below it."""
        if self.span is None:
            return
        painter = QPainter(self)
        gradient = QLinearGradient(0, 0, self.width(), 0)
        for place, color in zip(np.linspace(0, 1, _STOPS), self._colors, strict=True):
            gradient.setColorAt(float(place), QColor.fromRgbF(*(float(part) for part in color)))
        painter.fillRect(0, 0, self.width(), _BAR_PX, gradient)
        painter.setPen(self.palette().windowText().color())
        below = QRectF(0, _BAR_PX + 1, self.width(), self.height() - _BAR_PX - 1)
        sides = (
            Qt.AlignmentFlag.AlignLeft,
            Qt.AlignmentFlag.AlignHCenter,
            Qt.AlignmentFlag.AlignRight,
        )
        for text, side in zip(self.texts(), sides, strict=True):
            painter.drawText(below, side | Qt.AlignmentFlag.AlignTop, text)
        painter.end()
