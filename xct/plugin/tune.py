"""Tuning on one slice. In: a scan and its configuration; out: a preview, and better settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple, get_args

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
)

from xct.config.loading import load_config, read_config
from xct.config.model import Config
from xct.config.recipe import load_steps
from xct.config.rewrite import rewrite_config
from xct.config.sources import open_scan
from xct.errors import XctError, show_with_sd
from xct.io.scans.reading import read_scan
from xct.pipeline.preview import Preview
from xct.plugin.controls import Latest, beside, button, slider_of
from xct.plugin.docked import Docked
from xct.plugin.notifications import errors_shown, show_info
from xct.plugin.tune_materials import TuneMaterials, TunePictures
from xct.preprocess.rings import Method
from xct.result import open_result
from xct.stages import load_stages

_OFF = "off"
_EARLIER = "the slice that is shown is an earlier one"
_DELAY_MS = 60
_ABOUT = 4  # centres of the contact sheet on each side


class Tune(Docked):
    """Centre, ring filter and thresholds on one slice, seen at once.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Where the preview is shown.
    """

    shown = Signal()

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self._preview: Preview | None = None
        self._config: Path | None = None
        self._center: float | None = None
        self._row = -1
        self._slice: np.ndarray | None = None
        self._beside = False  # whether a sinogram is shown beside it
        self._plain: dict[tuple[int, float, str], np.ndarray] = {}
        self._pictures = TunePictures(napari_viewer)
        self._work = Latest(self, _DELAY_MS)
        self._work.done.connect(self._show)
        self._work.failed.connect(
            lambda why: self.state.setText(f"the slice is an earlier one: {why}")
        )
        self._build()
        for box in (self.row, self.center, self.ring_width):
            box.valueChanged.connect(self.update_preview)
        for box in (self.rings, self.fbp_window):
            box.currentTextChanged.connect(self.update_preview)
        self.sinogram.toggled.connect(self.update_preview)
        napari_viewer.mouse_drag_callbacks.append(self._clicked)

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
        if (path / "summary.json").is_file():
            raise XctError(f"{path}: is a result; name the configuration of its run, or its scan")
        self._config = path if path.suffix in (".yaml", ".yml") else None
        config = None if self._config is None else load_config(path)
        if config is None:
            preview = Preview(read_scan(path))
        else:
            preview = Preview(open_scan(config), load_steps(config))
        self._preview = preview
        self._plain.clear()
        self._start_values(preview, _center_of_run(config))
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

        def work() -> _Answer:
            picture = preview.reconstruct(row, center, settings)
            sinogram = preview.sinogram(row, settings) if wants_sinogram else None
            return _Answer(picture, sinogram, self._without_rings(row, center, settings))

        self.state.setText(f"row {row}: reconstructing …")
        self._work.ask(work)

    def show_centers(self) -> None:
        """Show the slice at centres around the chosen one, side by side; a click takes one."""
        preview, row, middle = self._needed(), self.row.value(), self.center.value()
        settings, step = self.settings(), self.center_step.value()
        centers = [middle + step * n for n in range(-_ABOUT, _ABOUT + 1)]

        def work() -> _Sheet:
            return _Sheet(centers, [preview.reconstruct(row, c, settings) for c in centers])

        self.state.setText(f"row {row}: reconstructing at {len(centers)} centres …")
        self._work.ask(work)

    def _clicked(self, _: Any, event: Any) -> None:
        """Take the centre of the slice of the contact sheet that is clicked on."""
        center = self._pictures.center_at(event.position)
        if center is not None:
            self._pictures.remove_sheet()
            self.center.setValue(center)

    def _without_rings(
        self, row: int, center: float, settings: dict[str, dict[str, Any] | None]
    ) -> np.ndarray | None:
        """Reconstruct a row without the filter of rings: what it changes is counted from this."""
        if settings["stripes"] is None:
            return None
        key = (row, center, self.fbp_window.currentText())
        if key not in self._plain:
            plain = self._needed().reconstruct(row, center, settings | {"stripes": None})
            self._plain = {key: plain}
        return self._plain[key]

    def find_center(self) -> None:
        """Find the rotation axis from this row, and take it."""
        preview = self._needed()
        found = preview.find_center(self.row.value(), self.settings())
        if not np.isfinite(found.center_px):
            raise XctError("no method finds the rotation axis on this row; try another")
        self.center.setValue(float(found.center_px))
        show_info(
            f"center_px {show_with_sd(found.center_px, found.sd_px, 2)}, "
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

    def _build(self) -> None:
        self.source = QLineEdit(placeholderText="configuration, or raw scan")
        self.source.editingFinished.connect(self._reload)
        self.row, self.ring_width = QSpinBox(), QSpinBox()
        self.ring_width.setRange(0, 1001)
        self.ring_width.setSpecialValueText("auto")
        self.center = QDoubleSpinBox(decimals=2, singleStep=0.25, maximum=1e5)
        self.center.setKeyboardTracking(False)
        self.rings, self.fbp_window = QComboBox(), QComboBox()
        self.rings.addItems([*get_args(Method), _OFF])
        self.fbp_window.addItems(["ramp", "shepp-logan", "cosine", "hamming", "hann", "parzen"])
        self.center_step = QDoubleSpinBox(decimals=2, singleStep=0.25, minimum=0.05, value=1.0)
        self.changed = QLabel()
        self.changed.setWordWrap(True)
        self.sinogram = QCheckBox("show the sinogram, too")
        self.materials = TuneMaterials(self._pictures)
        self.state = QLabel("no scan")
        self.state.setWordWrap(True)
        self.write = button("Write to configuration", self.write_config)
        self.write.setEnabled(False)
        form = QFormLayout()
        form.addRow("scan", beside(self.source, button("…", self.browse)))
        form.addRow("row", self.row)
        form.addRow("center_px", beside(self.center, button("Find", self.find_center)))
        sheet = button("Contact sheet", self.show_centers, "the slice at centres around this one")
        form.addRow("steps, px", beside(self.center_step, sheet))
        form.addRow("ring filter", self.rings)
        form.addRow("its width, px", beside(self.ring_width, slider_of(self.ring_width, 151)))
        form.addRow(self.changed)
        form.addRow("fbp window", self.fbp_window)
        form.addRow(self.sinogram)
        form.addRow(self.materials)
        layout = QVBoxLayout()
        layout.addLayout(form)
        layout.addWidget(self.write)
        layout.addWidget(self.state)
        layout.addStretch()
        self.fill(layout)

    def _needed(self) -> Preview:
        if self._preview is None:
            raise XctError("open a configuration or a raw scan first")
        return self._preview

    def _reload(self) -> None:
        if str(self.source.text()).strip():
            with errors_shown():
                self.load()

    def _start_values(self, preview: Preview, found: float | None) -> None:
        """Start where the configuration is, and at the axis that its run found."""
        boxes = (self.row, self.center, self.rings, self.ring_width, self.fbp_window)
        for box in boxes:
            box.blockSignals(True)
        _, rows, columns = preview.shape
        self.row.setRange(0, rows - 1)
        self.row.setValue(rows // 2)
        self.center.setMaximum(columns - 1)
        given = preview.scan.center_px
        center = found if given is None else given
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

    def _show(self, answer: _Answer | _Sheet) -> None:
        size_um = self._needed().scan.voxel_size_um or 1.0
        # As for a cell: what is bright ends where a light canvas begins.
        self._viewer.canvas.background_color_override = "black"
        if isinstance(answer, _Sheet):
            self._pictures.show_sheet(answer.slices, answer.centers, size_um)
            self._viewer.reset_view()
            self.state.setText("click on the sharpest slice: its centre is taken")
            self.shown.emit()
            return
        picture, sinogram, plain = answer
        self._pictures.remove_sheet()
        beside = sinogram is not None
        first = self._slice is None or self._slice.shape != picture.shape
        self._slice = picture
        self._pictures.show(picture, sinogram, size_um)
        if first:
            # a cell's cross-section may be shown, whose height is another than the slice's
            self._viewer.dims.order = tuple(range(self._viewer.dims.ndim))
        if first or beside != self._beside:
            self._viewer.reset_view()
        self._beside = beside
        if self.row.value() != self._row:
            self._pictures.adjust()
        self._row = self.row.value()
        self.materials.show_row(self.row.value())
        self.changed.setText(_change_text(picture, plain))
        self.state.setText(f"row {self.row.value()} at center_px {self.center.value():.2f}")
        self.shown.emit()


class _Answer(NamedTuple):
    """A slice, its sinogram if it is wanted, and the slice without the filter of rings."""

    picture: np.ndarray
    sinogram: np.ndarray | None
    plain: np.ndarray | None


class _Sheet(NamedTuple):
    """The same slice at several centres."""

    centers: list[float]
    slices: list[np.ndarray]


def _change_text(picture: np.ndarray, plain: np.ndarray | None) -> str:
    """Count what the filter of rings changes: by how much, and in how much of the slice."""
    if plain is None:
        return "no ring filter"
    inside = plain != 0
    change = np.abs(picture - plain)[inside]
    if not change.size:
        return ""
    scatter = float(np.std(plain[inside]))
    part = float((change > 0.1 * scatter).mean())
    return (
        f"the filter changes voxels by {np.sqrt((change**2).mean()):.3g} 1/cm (rms), "
        f"{part:.1%} of them by more than a tenth of the slice's scatter"
    )


def _center_of_run(config: Config | None) -> float | None:
    """Give the axis that a finished run of this configuration found; None without one."""
    if config is None or not (Path(config.output) / "summary.json").is_file():
        return None
    with errors_shown(f"{config.output}: its axis cannot be read"):
        result = open_result(config.output)
        before, now = result.account["configuration"]["scan"], config.scan.model_dump(mode="json")
        value = result.summary.get("center_px", {}).get("value")
        same_pixels = all(before.get(key) == now[key] for key in ("bin", "roi"))
        return float(value) if same_pixels and isinstance(value, int | float) else None
    return None
