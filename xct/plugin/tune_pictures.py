"""What tuning shows. In: a slice, a sinogram, thresholds; out: layers in the viewer."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.utils.colormaps import DirectLabelColormap

from xct.plugin.cells import KEY

_SLICE, _SINOGRAM, _ABOVE = "tuning: slice", "tuning: sinogram", "tuning: thresholds"
_UNITS = ("micrometer",) * 2
_GAP_PX = 8
_NOTHING = (0.0, 0.0, 0.0, 0.0)
_COLORS = {0: _NOTHING, 1: (0.2, 0.6, 1.0, 1.0), 2: (1.0, 0.3, 0.2, 1.0), None: _NOTHING}


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

    def show_thresholds(
        self, picture: np.ndarray | None, limits: tuple[float, float] | None
    ) -> str:
        """Color what lies between two values, and what lies above; say how much that is."""
        if picture is None or limits is None:
            self._remove(_ABOVE)
            return ""
        classes = (picture > limits[0]).astype(np.uint8) + (picture > limits[1])
        if _ABOVE in self._viewer.layers:
            self._viewer.layers[_ABOVE].data = classes
        else:
            self._viewer.add_labels(
                classes,
                name=_ABOVE,
                scale=(self._size_um, self._size_um),
                units=_UNITS,
                opacity=0.4,
                colormap=DirectLabelColormap(color_dict=_COLORS),
            )
        parts = np.bincount(classes.ravel(), minlength=3) / classes.size
        return f"{parts[1]:.1%} between (blue), {parts[2]:.1%} above (red)"

    def _put(
        self, name: str, data: np.ndarray, scale: tuple[float, float], place: tuple[float, float]
    ) -> None:
        layers = self._viewer.layers
        if name in layers and layers[name].data.shape == data.shape:
            layers[name].data = data
            return
        self._remove(name)
        low, high = (float(v) for v in np.percentile(data, (1, 99.7)))
        self._viewer.add_image(
            data,
            name=name,
            scale=scale,
            translate=place,
            units=_UNITS,
            colormap="gray",
            contrast_limits=(low, max(high, low + 1e-6)),
            metadata={KEY: {"kind": "tuning"}},
        )

    def _remove(self, name: str) -> None:
        if name in self._viewer.layers:
            self._viewer.layers.remove(name)
