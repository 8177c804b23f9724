"""Thresholds on one slice. In: a configuration and its result; out: a slice's materials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QDoubleSpinBox, QFormLayout, QLabel, QSpinBox, QWidget

from xct.config.model import Config
from xct.config.recipe import Step
from xct.geometry import MATERIALS, Label
from xct.plugin.controls import Latest, beside, slider_of
from xct.plugin.data.cells import KEY
from xct.plugin.data.layers import MATERIAL_COLORMAP
from xct.result import open_result
from xct.segment.material.slice_labels import SliceLabels

# What tuning shows. In: a slice, a sinogram, materials; out: layers in the viewer.

_SHEET, _CENTERS, _IN_A_ROW = "tuning: centres", "tuning: center_px", 3
_SLICE, _SINOGRAM, _MATERIALS = "tuning: slice", "tuning: sinogram", "tuning: materials"
_UNITS = ("micrometer",) * 2
_GAP_PX = 8
_AROUND = (Label.OUTSIDE, Label.TUBE)


class TunePictures:
    """The layers of one viewer that show what is tuned; they are changed, not added anew.

    Parameters
    ----------
    viewer : napari.Viewer
        Where they are shown.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._size_um = 1.0
        self._tile = (1, 1)
        self._centers: list[float] = []
        self._hidden: list[Any] = []

    def show(self, picture: np.ndarray, sinogram: np.ndarray | None, size_um: float) -> None:
        """Show a slice, shape (y, x), and beside it its sinogram, shape (angle, column)."""
        self._size_um = size_um
        self._put(_SLICE, picture, (size_um, size_um), (0.0, 0.0))
        if sinogram is None:
            self._remove(_SINOGRAM)
            return
        height = picture.shape[0] * size_um / sinogram.shape[0]  # as high as the slice
        beside = (0.0, (picture.shape[1] + _GAP_PX) * size_um)
        self._put(_SINOGRAM, sinogram, (height, size_um), beside)

    def adjust(self) -> None:
        """Choose the contrast anew, for another row."""
        for name in (_SLICE, _SINOGRAM):
            if name in self._viewer.layers:
                layer = self._viewer.layers[name]
                layer.contrast_limits = _contrast(layer.data)

    def show_sheet(
        self, slices: Sequence[np.ndarray], centers: Sequence[float], size_um: float
    ) -> None:
        """Show the same slice at several centres, three in a row, each with its centre."""
        self.remove_sheet()
        height, width = slices[0].shape
        self._tile = (height + _GAP_PX, width + _GAP_PX)
        self._centers = list(centers)
        rows = -(-len(slices) // _IN_A_ROW)
        sheet = np.zeros((rows * self._tile[0], _IN_A_ROW * self._tile[1]), np.float32)
        corners = []
        for number, one in enumerate(slices):
            y, x = (n * t for n, t in zip(divmod(number, _IN_A_ROW), self._tile, strict=True))
            sheet[y : y + height, x : x + width] = one
            corners.append([y + 0.02 * height, x + 0.02 * width])
        self._hidden = [layer for layer in self._viewer.layers if layer.visible]
        for layer in self._hidden:
            layer.visible = False
        self._size_um = size_um
        self._put(_SHEET, sheet, (size_um, size_um), (0.0, 0.0))
        self._viewer.layers[_SHEET].contrast_limits = _contrast(slices[len(slices) // 2])
        self._viewer.add_points(
            corners,
            name=_CENTERS,
            size=1,
            face_color="transparent",
            border_color="transparent",
            features={"center": [f"{center:.2f}" for center in centers]},
            text={"string": "{center}", "color": "yellow", "anchor": "upper_left", "size": 11},
            scale=(size_um, size_um),
            units=_UNITS,
        )
        self._viewer.layers.selection.active = self._viewer.layers[_SHEET]

    def remove_sheet(self) -> None:
        """Show again, as large as it was, what the contact sheet hid."""
        there = _SHEET in self._viewer.layers
        self._remove(_CENTERS)
        self._remove(_SHEET)
        for layer in self._hidden:
            layer.visible = True
        self._hidden = []
        if there:
            self._viewer.reset_view()

    def center_at(self, position: Sequence[float]) -> float | None:
        """Give the centre of the slice of the contact sheet at a place; None beside it."""
        if _SHEET not in self._viewer.layers:
            return None
        y, x = self._viewer.layers[_SHEET].world_to_data(np.asarray(position)[-2:])
        row, column = (int(np.floor(at / n)) for at, n in zip((y, x), self._tile, strict=True))
        number = row * _IN_A_ROW + column
        inside = 0 <= column < _IN_A_ROW and 0 <= number < len(self._centers) and row >= 0
        return self._centers[number] if inside else None

    def show_materials(self, labels: np.ndarray | None) -> str:
        """Color a slice by its labels, or no longer; say how much of the bore each material is."""
        if labels is None:
            self._remove(_MATERIALS)
            return ""
        layers = self._viewer.layers
        if _MATERIALS in layers and layers[_MATERIALS].data.shape == labels.shape:
            layers[_MATERIALS].data = labels
        else:
            self._remove(_MATERIALS)
            self._viewer.add_labels(
                labels,
                name=_MATERIALS,
                scale=(self._size_um, self._size_um),
                units=_UNITS,
                opacity=0.4,
                colormap=MATERIAL_COLORMAP,
            )
        counts = np.bincount(labels[~np.isin(labels, _AROUND)], minlength=len(Label))
        fractions = counts / max(1, counts.sum())
        parts = [
            f"{name} {fractions[code]:.1%}" for name, code in MATERIALS.items() if fractions[code]
        ]
        return f"of the bore: {', '.join(parts)}".replace("_", " ")

    def _put(
        self, name: str, data: np.ndarray, scale: tuple[float, float], place: tuple[float, float]
    ) -> None:
        layers = self._viewer.layers
        if name in layers and layers[name].data.shape == data.shape:
            layers[name].data = data
            return
        self._remove(name)
        self._viewer.add_image(
            data,
            name=name,
            scale=scale,
            translate=place,
            units=_UNITS,
            colormap="gray",
            contrast_limits=_contrast(data),
            metadata={KEY: {"kind": "tuning"}},
        )

    def _remove(self, name: str) -> None:
        if name in self._viewer.layers:
            self._viewer.layers.remove(name)


def _contrast(data: np.ndarray) -> tuple[float, float]:
    low, high = (float(v) for v in np.percentile(data, (1, 99.7)))
    return low, max(high, low + 1e-6)


_STEP, _KEYS = "materials", ("shift", "sharpening")
_MOST_SHIFT, _MOST_SHARPENING = 0.4, 10  # as the stage allows
_HINT = "materials: open a configuration whose recipe labels them"


@dataclass
class _Measured:
    """What a run measured, opened when it is first labelled."""

    folder: Path
    rows: int
    settings: Mapping[str, Any]
    own: dict[int, np.ndarray] = field(default_factory=dict)

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

    def changed(self, row: int, labels: np.ndarray) -> float:
        """Give the part of the bore that is labelled other than with the run's own settings."""
        if row not in self.own:
            self.own.clear()
            self.own[row] = self.slices.label(row, **{key: self.settings[key] for key in _KEYS})
        inside = ~np.isin(labels, _AROUND)
        return float((labels != self.own[row])[inside].mean()) if inside.any() else 0.0


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
        self._work.failed.connect(lambda _: self.part.setText("materials: none to show"))
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

    def _build(self) -> None:
        self.wanted = QCheckBox("show the materials of the result")
        self.shift = QDoubleSpinBox(decimals=3, singleStep=0.02)
        self.shift.setRange(-_MOST_SHIFT, _MOST_SHIFT)
        self.shift.setToolTip("fraction of the step between two materials; 0 is what was fitted")
        self.sharpening = QSpinBox(maximum=_MOST_SHARPENING)
        self.sharpening.setSpecialValueText("none")
        self.part = QLabel(_HINT)
        self.part.setWordWrap(True)
        self.part.setMinimumHeight(5 * self.part.fontMetrics().lineSpacing())
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow(self.wanted)
        form.addRow("thresholds' shift", beside(self.shift, slider_of(self.shift)))
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

        def work() -> tuple[_Measured, np.ndarray, float]:
            labels = measured.slices.label(row, **chosen)
            return measured, labels, measured.changed(row, labels)

        self.part.setText(f"row {row}: labelling …")
        self._work.ask(work)

    def _show(self, answer: tuple[_Measured, np.ndarray, float]) -> None:
        measured, labels, changed = answer
        if self.wanted.isChecked() and measured is self._measured:
            text = self._pictures.show_materials(labels)
            self.part.setText(
                f"{text}\n{changed:.2%} of the bore is labelled other than by the run"
            )
            self.shown.emit()
