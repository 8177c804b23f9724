"""Thresholds on one slice. In: a configuration and its result; out: a slice's materials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QDoubleSpinBox, QFormLayout, QLabel, QSpinBox, QWidget

from xct.config import Config
from xct.plugin.tune_pictures import TunePictures
from xct.plugin.work import Latest
from xct.recipe import Step
from xct.result import open_result
from xct.segment.slice_labels import SliceLabels

_STEP, _KEYS = "materials", ("shift", "sharpening")
_MOST_SHIFT, _MOST_SHARPENING = 0.4, 10  # as the stage allows
_HINT = "materials: open a configuration whose recipe labels them"


@dataclass
class _Measured:
    """What a run measured, opened when it is first labelled."""

    folder: Path
    rows: int
    settings: Mapping[str, Any]

    @cached_property
    def slices(self) -> SliceLabels:
        result = open_result(self.folder)
        volume = result.stored_volume
        if volume.shape[0] != self.rows:
            raise ValueError(
                f"{self.folder}: has {volume.shape[0]} slices, but the configuration now gives "
                f"{self.rows}; run it again to see materials"
            )
        kept = {key: self.settings[key] for key in ("denoising", "sigma_px")}
        return SliceLabels(volume, result.cell, result.reference, result.surfaces, **kept)


class TuneMaterials(QWidget):
    """The settings of `materials`, and what they make of the slice of a finished result.

    Parameters
    ----------
    pictures : TunePictures
        Where it is shown.
    """

    shown = Signal()

    def __init__(self, pictures: TunePictures) -> None:
        super().__init__()
        self._pictures = pictures
        self._measured: _Measured | None = None
        self._row = 0
        self._work = Latest(self)
        self._work.done.connect(self._show)
        self._work.failed.connect(lambda: self.part.setText("materials: none to show"))
        self._build()
        self.wanted.toggled.connect(self._update)
        for box in (self.shift, self.sharpening):
            box.valueChanged.connect(self._update)

    @property
    def idle(self) -> bool:
        """Whether what is shown is up to date."""
        return self._work.idle

    def load(self, config: Config | None, steps: Sequence[Step], rows: int) -> None:
        """Start with the settings of a configuration; its result is read once it is looked at."""
        chosen = {step.name: step.settings for step in steps}.get(_STEP)
        self._measured = None
        if config is not None and chosen is not None:
            self._measured = _Measured(Path(config.output), rows, chosen)
        self._pictures.show_materials(None)
        self.part.setText(_HINT if self._measured is None else "")
        for box, key in ((self.shift, "shift"), (self.sharpening, "sharpening")):
            box.blockSignals(True)
            box.setValue((chosen or {}).get(key, 0))
            box.blockSignals(False)
        for box in (self.wanted, self.shift, self.sharpening):
            box.setEnabled(self._measured is not None)

    def settings(self) -> dict[str, dict[str, Any]]:
        """Give the settings as they are chosen; nothing where the recipe labels no materials."""
        if self._measured is None:
            return {}
        chosen = (round(self.shift.value(), 3), self.sharpening.value())
        return {_STEP: dict(zip(_KEYS, chosen, strict=True))}

    def show_row(self, row: int) -> None:
        """Show the materials of another slice, where they are wanted."""
        self._row = row
        self._update()

    def stop(self) -> None:
        """Let go of the thread."""
        self._work.stop()

    def _build(self) -> None:
        self.wanted = QCheckBox("show the materials of the result")
        self.shift = QDoubleSpinBox(decimals=3, singleStep=0.02)
        self.shift.setRange(-_MOST_SHIFT, _MOST_SHIFT)
        self.shift.setToolTip("share of the step between two materials; 0 is what was fitted")
        self.sharpening = QSpinBox(maximum=_MOST_SHARPENING)
        self.sharpening.setSpecialValueText("none")
        self.part = QLabel(_HINT)
        self.part.setWordWrap(True)
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow(self.wanted)
        form.addRow("thresholds' shift", self.shift)
        form.addRow("sharpening", self.sharpening)
        form.addRow(self.part)
        for box in (self.wanted, self.shift, self.sharpening):
            box.setEnabled(False)

    def _update(self, *_: Any) -> None:
        """Label the slice anew, beside the window."""
        measured, row = self._measured, self._row
        if measured is None:
            return
        if not self.wanted.isChecked():
            self.part.setText(self._pictures.show_materials(None))
            return
        chosen = self.settings()[_STEP]

        def work() -> tuple[_Measured, np.ndarray]:
            return measured, measured.slices.label(row, **chosen)

        self.part.setText(f"row {row}: labelling …")
        self._work.ask(work)

    def _show(self, answer: tuple[_Measured, np.ndarray]) -> None:
        measured, labels = answer
        if self.wanted.isChecked() and measured is self._measured:
            self.part.setText(self._pictures.show_materials(labels))
            self.shown.emit()
