"""What is done with ROIs and their plots. In: the ROI inspector; out: files, and the clipboard."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QFileDialog, QVBoxLayout, QWidget

from xct.analyze.roi.files import read_rois, write_rois
from xct.analyze.roi.imagej import ENDINGS, is_of_imagej, read_imagej, write_imagej
from xct.analyze.roi.shapes import Roi
from xct.errors import XctError
from xct.plugin.controls import beside, button, path_to_save
from xct.plugin.notifications import show_info
from xct.plugin.roi.export import (
    copy_to_clipboard,
    histogram_frame,
    needed,
    save_plot,
    save_tables,
)
from xct.plugin.roi.sets import save_into, set_named_in

if TYPE_CHECKING:
    from xct.plugin.roi.inspector import InspectRois

_YAML = "*.yaml *.yml"
_FILTER = f"ROI sets ({_YAML});;ROIs of ImageJ (*.zip *.roi)"


class RoiActions(QWidget):
    """Buttons that act on the list of ROIs, and that take plots and numbers along.

    Parameters
    ----------
    inspector : InspectRois
        Whose ROIs, plots and numbers they are.
    """

    def __init__(self, inspector: InspectRois) -> None:
        super().__init__()
        self._inspector = inspector
        self._build()

    def load(self, path: Path | None = None) -> None:
        """Load a ROI set in place of the ROIs that are there."""
        if path is None:
            chosen, _ = QFileDialog.getOpenFileName(self, "ROI set", "", _FILTER)
            path = Path(chosen) if chosen else None
        if path is not None:
            if is_of_imagej(path):
                thickness = self._inspector.thickness.value()
                geometry = self._inspector.rois.geometry
                found = read_imagej(path, geometry, thickness_um=thickness)
            else:
                found = read_rois(set_named_in(path))
            self._inspector.rois.set_rois(found)
            show_info(f"{_count(self._inspector.rois.rois)} from {path}")

    def save(self, path: Path | None = None) -> None:
        """Save the ROIs, in cell coordinates: they can be measured on any cell."""
        if not self._inspector.rois.rois:
            raise XctError("there is no ROI to save: draw one first")
        if path is None:
            path = path_to_save(self, "ROI set", "rois.yaml", _FILTER)
        if path is not None:
            if path.suffix.lower() in ENDINGS:
                rois = self._inspector.rois
                for text in write_imagej(path, rois.rois, rois.geometry):
                    show_info(text)
            else:
                write_rois(path, self._inspector.rois.rois)
            show_info(f"wrote {_count(self._inspector.rois.rois)} to {path}")

    def save_into_study(self, path: Path | None = None) -> None:
        """Save the ROIs beside a study or a configuration, which measures them from now on."""
        if not self._inspector.rois.rois:
            raise XctError("there is no ROI to save: draw one first")
        if path is None:
            chosen, _ = QFileDialog.getOpenFileName(self, "Study or configuration", "", _YAML)
            path = Path(chosen) if chosen else None
        if path is not None:
            show_info(f"{path} measures {save_into(path, self._inspector.rois.rois)} from now on")

    def save_figure(self, ending: str, path: Path | None = None) -> None:
        """Save the plot that is shown, white and as wide as a journal's column."""
        needed(self._inspector.plot)
        if path is None:
            path = self._asked_for(f"figure.{ending}", f"*.{ending}")
        if path is not None:
            save_plot(self._inspector.plot, path)
            show_info(f"wrote {path}")

    def save_csv(self, path: Path | None = None) -> None:
        """Save what is plotted, and the numbers of the ROI."""
        if self._inspector.measured is None:
            raise XctError("nothing is measured: draw or choose a ROI first")
        if path is None:
            path = self._asked_for("roi.csv", "*.csv")
        if path is not None:
            histogram, profile = self._inspector.measured
            data = histogram_frame(histogram)
            if self._inspector.plot is self._inspector.profile and profile is not None:
                data = profile[0]
            written = save_tables(path, data, self._inspector.numbers.frame)
            show_info(f"wrote {', '.join(map(str, written))}")

    def copy(self) -> None:
        """Copy the plot that is shown as a picture, and the numbers as text."""
        copy_to_clipboard(self._inspector.plot, self._inspector.numbers.text())
        show_info("copied: plot and numbers")

    def _build(self) -> None:
        inspector = self._inspector
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addWidget(
            beside(
                button("Undo", lambda: inspector.rois.undo(), "Ctrl-Z"),
                button("Redo", lambda: inspector.rois.redo(), "Ctrl-Shift-Z"),
                button("Copy it", inspector.add_copy, "a copy of the chosen ROI (Shift-T)"),
            )
        )
        rows.addWidget(
            beside(
                button("Remove", inspector.remove, "the chosen ROI"),
                button("3-D", inspector.crop, "the ROI at full resolution"),
            )
        )
        rows.addWidget(
            beside(
                button("Load…", self.load, "a ROI set, or that of a study or configuration"),
                button("Save…", self.save, "a ROI set, for other cells"),
                button("Into study…", self.save_into_study, "so that a study or a run measures it"),
            )
        )
        figures = [
            button(
                ending.upper(), partial(self.save_figure, ending), f"the plot as {ending}, white"
            )
            for ending in ("png", "svg")
        ]
        rows.addWidget(
            beside(
                *figures,
                button("CSV", self.save_csv, "what is plotted, and the numbers"),
                button("Copy", self.copy, "plot and numbers to the clipboard (Shift-C)"),
            )
        )

    def _asked_for(self, name: str, pattern: str) -> Path | None:
        roi = self._inspector.table.current()
        proposed = name if roi is None else f"{roi.name}{Path(name).suffix}"
        return path_to_save(self, "Save", proposed, pattern)


def _count(rois: list[Roi]) -> str:
    return f"{len(rois)} ROI{'s' * (len(rois) != 1)}"
