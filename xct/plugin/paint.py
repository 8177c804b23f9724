"""Painting and training. In: a few strokes of each material; out: a classifier, and its labels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QFormLayout,
    QLabel,
    QProgressBar,
    QVBoxLayout,
)

from xct.errors import XctError
from xct.geometry import MATERIALS
from xct.io.labels import (
    CLASSIFIED,
    PAINTED,
    create_labels,
    finish_labels,
    open_labels,
    open_painted,
)
from xct.plugin.controls import CellChoice, Latest, beside, button, path_to_save
from xct.plugin.data.cells import Cell
from xct.plugin.data.layers import MATERIAL_COLORMAP, placed
from xct.plugin.docked import Docked
from xct.plugin.notifications import show_info
from xct.plugin.roi.live import values_of
from xct.segment.material.classifier import PixelClassifier, classify, train_classifier
from xct.segment.material.classifier_files import read_classifier, write_classifier

_PREVIEW = "classifier preview"
_FILTER = "classifier (*.npz)"


class Paint(Docked):
    """Paint some voxels of each material, train a pixel classifier, look, and label the volume.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Where the cells are shown.
    """

    trained = Signal()
    labelled = Signal()

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self._painted: dict[Cell, Any] = {}
        self.classifier: PixelClassifier | None = None
        self._work = Latest(self)
        self._work.done.connect(lambda then: then())
        self._work.failed.connect(lambda _: self._rest("failed"))
        self._build()
        self.material.currentTextChanged.connect(self._brush)
        napari_viewer.dims.events.point.connect(self._slice_moved)

    @property
    def idle(self) -> bool:
        """Whether nothing is under way."""
        return self._work.idle

    def paint(self) -> Any:
        """Let the user paint with the chosen material."""
        cell = self.cells.needed()
        layer = self._painted.get(cell)
        if layer is None or layer not in self._viewer.layers:
            layer = self._painted[cell] = self._canvas(cell)
        self._viewer.dims.ndisplay = 2
        self._viewer.layers.selection.active = layer
        layer.mode = "paint"
        layer.brush_size = 6
        self._brush()
        return layer

    def train(self) -> None:
        """Learn from what was painted, beside the window; then show the slice's labels."""
        cell = self.cells.needed()
        painted = open_painted(cell.volume_path)
        values = values_of(cell, normalized=cell.normalized)
        scale = self.scale.value()

        def work() -> Callable[[], None]:
            # on a calibrated scale: what is learnt holds for each slice alone
            learnt = train_classifier(values, painted, sigma_px=scale, rescale=False)
            return lambda: self._learnt(learnt)

        self._busy("training …")
        self._work.ask(work)

    def preview(self) -> None:
        """Show the labels that the classifier gives to the slice that is shown."""
        classifier, cell = self._known(), self.cells.needed()
        z = self._slice(cell)
        values = values_of(cell, normalized=cell.normalized)

        def work() -> Callable[[], None]:
            labels = classify(np.asarray(values[z : z + 1]), classifier)
            return lambda: self._show(cell, z, labels)

        self._busy(f"slice {z} …")
        self._work.ask(work)

    def label_volume(self) -> None:
        """Label the whole volume; labels are kept beside it, under "classified"."""
        classifier, cell = self._known(), self.cells.needed()
        values = values_of(cell, normalized=cell.normalized)

        def work() -> Callable[[], None]:
            labels = create_labels(cell.volume_path, CLASSIFIED, "uint8", whole=False)
            classify(values, classifier, labels)
            finish_labels(cell.volume_path, CLASSIFIED)
            return lambda: self._show_all(cell, open_labels(cell.volume_path, CLASSIFIED))

        self._busy("labelling the volume …")
        self._work.ask(work)

    def save(self, path: Path | None = None) -> None:
        """Keep the classifier in a file, for other cells and for scripts."""
        classifier = self._known()
        if path is None:
            path = path_to_save(self, "Classifier", "classifier.npz", _FILTER)
        if path is not None:
            write_classifier(path, classifier)
            show_info(f"wrote {path}")

    def load(self, path: Path | None = None) -> None:
        """Take a classifier from a file."""
        if path is None:
            chosen, _ = QFileDialog.getOpenFileName(self, "Classifier", "", _FILTER)
            path = Path(chosen) if chosen else None
        if path is not None:
            self.classifier = read_classifier(path)
            self._rest(f"{path.name}: distinguishes {len(self.classifier.classes)} labels")

    def _build(self) -> None:
        self.cells = CellChoice(self._viewer)
        self.material = QComboBox()
        for name, code in MATERIALS.items():
            self.material.addItem(f"{code} {name.replace('_', ' ')}", code)
        self.scale = QDoubleSpinBox(minimum=1.0, maximum=64.0, value=4.0, suffix=" px")
        self.bar, self.state = QProgressBar(), QLabel("paint some voxels of each material")
        self.state.setWordWrap(True)
        self.bar.setRange(0, 1)
        form = QFormLayout()
        form.addRow("cell", self.cells)
        form.addRow("material", beside(self.material, button("Paint", self.paint)))
        form.addRow("largest scale", self.scale)
        layout = QVBoxLayout()
        layout.addLayout(form)
        layout.addWidget(
            beside(button("Train", self.train), button("Preview this slice", self.preview))
        )
        layout.addWidget(button("Label the whole volume", self.label_volume))
        layout.addWidget(beside(button("Load…", self.load), button("Save…", self.save)))
        layout.addWidget(self.bar)
        layout.addWidget(self.state)
        layout.addStretch()
        self.fill(layout)

    def _canvas(self, cell: Cell) -> Any:
        """Give a layer that can be painted on: the reader's, if something was painted before."""
        data = open_painted(cell.volume_path)
        if PAINTED in cell.layers:
            layer = cell.layers[PAINTED]
            layer.data, layer.visible = data, True
            return layer
        settings = placed(cell, PAINTED, colormap=MATERIAL_COLORMAP, opacity=0.7)
        volume = cell.layers["volume"]
        settings |= {"scale": volume.scale, "translate": volume.translate}
        return self._viewer.add_labels(data, **settings)

    def _brush(self, *_: Any) -> None:
        cell = self.cells.cell()
        if cell is not None and cell in self._painted:
            self._painted[cell].selected_label = self.material.currentData()

    def _known(self) -> PixelClassifier:
        if self.classifier is None:
            raise XctError("train a classifier first, or load one")
        return self.classifier

    def _slice(self, cell: Cell) -> int:
        world = np.asarray(self._viewer.dims.point)[-3:]
        z = round(float(cell.layers["volume"].world_to_data(world)[0]))
        return min(max(z, 0), cell.volume.shape[0] - 1)

    def _slice_moved(self, _: Any = None) -> None:
        """Take a preview away that belongs to another slice."""
        name = _PREVIEW
        if name in self._viewer.layers and self.classifier is not None:
            layer = self._viewer.layers[name]
            cell = self.cells.cell()
            layer.visible = cell is not None and layer.metadata.get("z") == self._slice(cell)

    def _learnt(self, classifier: PixelClassifier) -> None:
        self.classifier = classifier
        counts = np.bincount(classifier.labels, minlength=256)
        names = {code: name for name, code in MATERIALS.items()}
        voxels = ", ".join(f"{names.get(int(c), c)} ({counts[c]:,})" for c in classifier.classes)
        self._rest(f"learnt from voxels of {voxels}".replace("_", " "))
        self.trained.emit()
        if not self._work.superseded:
            self.preview()

    def _show(self, cell: Cell, z: int, labels: np.ndarray) -> None:
        if _PREVIEW in self._viewer.layers:
            self._viewer.layers.remove(_PREVIEW)
        volume = cell.layers["volume"]
        settings = placed(cell, "preview", colormap=MATERIAL_COLORMAP, opacity=0.4)
        settings |= {"scale": volume.scale, "translate": volume.data_to_world((z, 0, 0))}
        settings |= {"name": _PREVIEW}
        settings["metadata"]["z"] = z
        active = self._viewer.layers.selection.active
        self._viewer.add_labels(labels, **settings)
        self._viewer.layers.selection.active = active
        # the housing is no material that was painted, and has more voxels than some cells
        counted = labels[0] if cell.geometry is None else labels[0][cell.geometry.in_bore(z)]
        where = f"slice {z}" if cell.geometry is None else f"slice {z}, in the bore"
        parts = np.bincount(counted.ravel(), minlength=8)[:8] / max(counted.size, 1)
        names = {code: name for name, code in MATERIALS.items()}
        voxels = [f"{names[c].replace('_', ' ')} {parts[c]:.1%}" for c in names if parts[c] > 0]
        self._rest(f"{where}: {', '.join(voxels)}")
        self.labelled.emit()

    def _show_all(self, cell: Cell, labels: Any) -> None:
        settings = placed(cell, CLASSIFIED, colormap=MATERIAL_COLORMAP, opacity=0.4)
        if settings["name"] in self._viewer.layers:
            self._viewer.layers.remove(settings["name"])
        volume = cell.layers["volume"]
        settings |= {"scale": volume.scale, "translate": volume.translate}
        self._viewer.add_labels(labels, **settings)
        self._rest(f"labels of the whole volume lie in {cell.volume_path / 'labels' / CLASSIFIED}")
        self.labelled.emit()

    def _busy(self, text: str) -> None:
        self.bar.setRange(0, 0)
        self.state.setText(text)

    def _rest(self, text: str) -> None:
        self.bar.setRange(0, 1)
        self.state.setText(text)
