"""What tuning shows. In: a slice, a sinogram, materials; out: layers in the viewer."""

from __future__ import annotations

from typing import Any

import numpy as np

from xct.labels import MATERIALS, Label
from xct.plugin.cells import KEY
from xct.plugin.layers import MATERIAL_COLORMAP

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
        shares = counts / max(1, counts.sum())
        told = [f"{name} {shares[code]:.1%}" for name, code in MATERIALS.items() if shares[code]]
        return f"of the bore: {', '.join(told)}".replace("_", " ")

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
