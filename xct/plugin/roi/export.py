"""What the ROI inspector shows, for papers and spreadsheets. In: a plot, tables; out: files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QMimeData
from qtpy.QtGui import QImage
from qtpy.QtWidgets import QApplication, QTableWidget, QTableWidgetItem

from xct.errors import XctError
from xct.io.atomic import written_whole
from xct.io.tables import write_table
from xct.plugin.plots import Plot
from xct.plugin.roi.live import Histogram
from xct.plugin.roi.numbers import texts_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_DPI = 600  # as journals ask for of drawings
_SCREEN_DPI = 200
_HEADINGS = ("", "value", "95 % interval", "pristine", "of")


class NumbersTable(QTableWidget):
    """The numbers of a ROI, a row each: value, interval, the pristine cell's, of what."""

    def __init__(self) -> None:
        super().__init__(0, len(_HEADINGS))
        self.setHorizontalHeaderLabels(_HEADINGS)
        self.verticalHeader().setVisible(False)
        self.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.setMinimumHeight(90)
        self.setWordWrap(False)
        self._note = ""
        self.frame: pd.DataFrame | None = None

    def show_numbers(self, frame: pd.DataFrame | None, note: str = "") -> None:
        """Show numbers as `numbers_of` gave them; without, a note in their place."""
        self.frame, self._note = frame, note
        rows = [] if frame is None else _texts(frame)
        if not rows and note:
            rows = [[note, "", "", "", ""]]
        self.setRowCount(len(rows))
        for number, texts in enumerate(rows):
            for column, text in enumerate(texts):
                item = QTableWidgetItem(text)
                item.setToolTip(text)
                self.setItem(number, column, item)
        self.resizeColumnsToContents()
        self.resizeRowsToContents()

    def text(self) -> str:
        """Give what is shown as lines with tabs, for a spreadsheet."""
        if self.frame is None:
            return self._note
        lines = [_HEADINGS, *_texts(self.frame)]
        return "\n".join("\t".join(line) for line in lines)


def _texts(frame: pd.DataFrame) -> list[list[str]]:
    return [texts_of({str(k): v for k, v in row.items()}) for row in frame.to_dict("records")]


def needed(plot: Plot) -> Plot:
    """Give a plot that is to be saved; asked before a name is.

    Raises
    ------
    XctError
        If it shows nothing, with the words that stand in its place.
    """
    if plot.empty:
        raise XctError(f"nothing is drawn yet: {plot.words or 'draw or choose a ROI'}")
    return plot


def figure_of(plot: Plot) -> Figure:
    """Draw a plot for a paper: white, as wide as a column.

    Raises
    ------
    XctError
        If it shows nothing.
    """
    figure = needed(plot).for_paper()
    assert figure is not None
    return figure


def save_plot(plot: Plot, path: Path) -> None:
    """Save a plot as PNG or SVG, by the ending of its name; text in an SVG stays text."""
    import matplotlib as mpl

    ending = path.suffix.lower().lstrip(".")
    if ending not in ("png", "svg"):
        raise XctError(f"{path.name}: a figure is saved as .png or .svg")
    figure = figure_of(plot)
    with written_whole(path) as temporary, mpl.rc_context({"svg.fonttype": "none"}):
        figure.savefig(temporary, format=ending, dpi=_DPI)


def histogram_frame(histogram: Histogram) -> pd.DataFrame:
    """Give a histogram as a table; the first and last row hold what lies beyond the bins."""
    import pandas as pd

    column = "grey_value" if histogram.unit == "grey value" else "attenuation_per_cm"
    columns = {column: histogram.bins.grey_value, "count": histogram.counts.total}
    if histogram.pristine is not None:
        columns["pristine_count"] = histogram.pristine.total
    return pd.DataFrame(columns)


def save_tables(path: Path, data: pd.DataFrame, numbers: pd.DataFrame | None) -> list[Path]:
    """Save what is plotted as CSV, and the numbers beside it as ``NAME_numbers.csv``."""
    path = path.with_suffix(".csv")
    write_table(path, data)
    written = [path]
    if numbers is not None and len(numbers):
        beside = path.with_name(f"{path.stem}_numbers.csv")
        write_table(beside, numbers)
        written.append(beside)
    return written


def copy_to_clipboard(plot: Plot, text: str) -> None:
    """Copy a plot as a picture, and its numbers as text, so that both can be pasted."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = figure_of(plot)
    figure.set_dpi(_SCREEN_DPI)
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.ascontiguousarray(np.asarray(canvas.buffer_rgba()))
    height, width = pixels.shape[:2]
    image = QImage(pixels.tobytes(), width, height, 4 * width, QImage.Format.Format_RGBA8888)
    both = QMimeData()
    both.setImageData(image.copy())
    both.setText(text)
    QApplication.clipboard().setMimeData(both)
