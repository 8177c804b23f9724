"""Tuning on one slice. In: a scan and its configuration; out: a preview, and better settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QFormLayout,
    QLabel,
    QLineEdit,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from xct.config.loading import load_config, read_config
from xct.config.recipe import load_steps
from xct.config.rewrite import rewrite_config
from xct.config.sources import open_scan
from xct.errors import XctError
from xct.pipeline.preview import Preview
from xct.plugin.controls import Latest, beside, button
from xct.plugin.notifications import errors_shown, show_info
from xct.plugin.tune_materials import TuneMaterials, TunePictures
from xct.preprocess.rings import Method
from xct.scan import read_scan
from xct.stages import load_stages

_OFF = "off"
_DELAY_MS = 60


class Tune(QWidget):
    """Centre, ring filter and thresholds on one slice, seen at once.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Where the preview is shown.
    """

    shown = Signal()

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        self._viewer = napari_viewer
        self._preview: Preview | None = None
        self._config: Path | None = None
        self._center: float | None = None
        self._row = -1
        self._slice: np.ndarray | None = None
        self._pictures = TunePictures(napari_viewer)
        self._work = Latest(self, _DELAY_MS)
        self._work.done.connect(self._show)
        self._build()
        for box in (self.row, self.center, self.ring_width):
            box.valueChanged.connect(self.update_preview)
        for box in (self.rings, self.fbp_window):
            box.currentTextChanged.connect(self.update_preview)
        self.sinogram.toggled.connect(self.update_preview)

    @property
    def idle(self) -> bool:
        """Whether the preview is up to date."""
        return self._work.idle and self.materials.idle

    def browse(self) -> None:
        """Choose a configuration or a scan."""
        chosen, _ = QFileDialog.getOpenFileName(self, "Configuration or scan")
        if chosen:
            self.source.setText(chosen)
            self.load()

    def load(self) -> None:
        """Open the scan that is named; start with the configuration's settings."""
        path = Path(str(self.source.text()).strip())
        if not path.name:
            raise XctError("name a configuration or a raw scan first")
        self._config = path if path.suffix in (".yaml", ".yml") else None
        config = None if self._config is None else load_config(path)
        if config is None:
            preview = Preview(read_scan(path))
        else:
            preview = Preview(open_scan(config), load_steps(config))
        self._preview = preview
        self._start_values(preview)
        self.materials.load(config, preview.steps, preview.shape[1])
        self.write.setEnabled(self._config is not None)
        self.update_preview()

    def settings(self) -> dict[str, dict[str, Any] | None]:
        """Give the settings of the steps as they are chosen."""
        size = self.ring_width.value() or None
        rings = self.rings.currentText()
        stripes = None if rings == _OFF else {"method": rings, "size_px": size}
        return {"stripes": stripes, "fbp": {"window": self.fbp_window.currentText()}}

    def update_preview(self, *_: Any) -> None:
        """Reconstruct the slice anew, beside the window."""
        preview = self._preview
        if preview is None:
            return
        row, center, settings = self.row.value(), self.center.value(), self.settings()
        wants_sinogram = self.sinogram.isChecked()

        def work() -> tuple[np.ndarray, np.ndarray | None]:
            picture = preview.reconstruct(row, center, settings)
            return picture, preview.sinogram(row, settings) if wants_sinogram else None

        self.state.setText(f"row {row}: reconstructing …")
        self._work.ask(work)

    def find_center(self) -> None:
        """Find the rotation axis from this row, and take it."""
        preview = self._needed()
        found = preview.find_center(self.row.value(), self.settings())
        if not np.isfinite(found.center_px):
            raise XctError("no method finds the rotation axis on this row; try another")
        self.center.setValue(float(found.center_px))
        show_info(
            f"center_px {found.center_px:.2f} ± {found.sd_px:.2f}, "
            f"confidence {found.confidence:.2f}"
        )

    def write_config(self) -> None:
        """Write centre and settings into the configuration."""
        if self._config is None:
            raise XctError("open a configuration to write to: `xct init` makes one for a scan")
        center = self.center.value()
        # a centre that was not chosen is left to the run
        changes: dict[str, Any] = {} if center == self._center else {"scan.center_px": center}
        chosen = self.settings() | self.materials.settings()
        if chosen["stripes"] is None:
            raise XctError(
                "the ring filter is off: a configuration cannot leave out a step; take stripes "
                "out of a recipe of your own"
            )
        for step, values in chosen.items():
            for key, value in (values or {}).items():
                if value != load_stages()[step].settings.model_fields[key].default:
                    changes[f"steps.{step}.{key}"] = value
                elif self._configured(step, key):
                    changes[f"steps.{step}.{key}"] = value
        rewrite_config(self._config, changes)
        self._center = center
        show_info(f"wrote {', '.join(changes) or 'nothing new'} to {self._config}")

    def closeEvent(self, event: Any) -> None:
        """Let go of the thread."""
        self._work.stop()
        self.materials.stop()
        super().closeEvent(event)

    def _build(self) -> None:
        self.source = QLineEdit(placeholderText="configuration, or raw scan")
        self.source.editingFinished.connect(self._reload)
        self.row, self.ring_width = QSpinBox(), QSpinBox()
        self.ring_width.setRange(0, 1001)
        self.ring_width.setSpecialValueText("automatic")
        self.center = QDoubleSpinBox(decimals=2, singleStep=0.25, maximum=1e5)
        self.center.setKeyboardTracking(False)
        self.rings, self.fbp_window = QComboBox(), QComboBox()
        self.rings.addItems([*get_args(Method), _OFF])
        self.fbp_window.addItems(["ramp", "shepp-logan", "cosine", "hamming", "hann", "parzen"])
        self.sinogram = QCheckBox("show the sinogram, too")
        self.materials = TuneMaterials(self._pictures)
        self.state = QLabel("no scan")
        self.write = button("Write to configuration", self.write_config)
        self.write.setEnabled(False)
        form = QFormLayout()
        form.addRow("scan", beside(self.source, button("…", self.browse)))
        form.addRow("row", self.row)
        form.addRow("center_px", beside(self.center, button("Find", self.find_center)))
        form.addRow("ring filter", self.rings)
        form.addRow("its width, px", self.ring_width)
        form.addRow("fbp window", self.fbp_window)
        form.addRow(self.sinogram)
        form.addRow(self.materials)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(self.write)
        layout.addWidget(self.state)
        layout.addStretch()

    def _needed(self) -> Preview:
        if self._preview is None:
            raise XctError("open a configuration or a raw scan first")
        return self._preview

    def _reload(self) -> None:
        if str(self.source.text()).strip():
            with errors_shown():
                self.load()

    def _start_values(self, preview: Preview) -> None:
        """Start where the configuration is."""
        boxes = (self.row, self.center, self.rings, self.ring_width, self.fbp_window)
        for box in boxes:
            box.blockSignals(True)
        _, rows, columns = preview.shape
        self.row.setRange(0, rows - 1)
        self.row.setValue(rows // 2)
        self.center.setMaximum(columns - 1)
        center = preview.scan.center_px
        self.center.setValue((columns - 1) / 2 if center is None else center)
        self._center = self.center.value()
        chosen = {step.name: step.settings for step in preview.steps}
        self.rings.setCurrentText(chosen.get("stripes", {}).get("method", _OFF))
        self.ring_width.setValue(chosen.get("stripes", {}).get("size_px") or 0)
        self.fbp_window.setCurrentText(chosen.get("fbp", {}).get("window", "ramp"))
        for box in boxes:
            box.blockSignals(False)

    def _configured(self, step: str, key: str) -> bool:
        assert self._config is not None
        config, _ = read_config(self._config)
        return config is not None and key in (config.steps.get(step) or {})

    def _show(self, answer: tuple[np.ndarray, np.ndarray | None]) -> None:
        picture, sinogram = answer
        first = self._slice is None or self._slice.shape != picture.shape
        self._slice = picture
        self._pictures.show(picture, sinogram, self._needed().scan.voxel_size_um or 1.0)
        if first:
            self._viewer.reset_view()
        if self.row.value() != self._row:
            self._pictures.adjust()
        self._row = self.row.value()
        self.materials.show_row(self.row.value())
        self.state.setText(f"row {self.row.value()} at center_px {self.center.value():.2f}")
        self.shown.emit()
