"""A ROI in 3-D at full resolution. In: a cell and a ROI; out: a layer of its own."""

from __future__ import annotations

from typing import Any

import numpy as np

from xct.analyze.roi.shapes import Roi
from xct.errors import XctError
from xct.geometry import CellGeometry
from xct.plugin.data.cells import KEY, Cell
from xct.plugin.data.layers import AXES, UNITS

_MOST_VOXELS = 400**3


def show_crop(viewer: Any, cell: Cell, roi: Roi, geometry: CellGeometry) -> Any:
    """Show the box around a ROI in 3-D: napari shows whole volumes at their coarsest level only.

    Raises
    ------
    XctError
        If it is too large to be drawn.
    """
    region = roi.region(geometry)
    if np.prod(region.shape) > _MOST_VOXELS:
        raise XctError(
            f"{roi.name} holds {np.prod(region.shape) / 1e6:.0f} million voxels, too many to draw "
            f"in 3-D (at most {_MOST_VOXELS / 1e6:.0f}); make it smaller"
        )
    volume = cell.layers["volume"]
    first = [part.start for part in region.slices]
    layer = viewer.add_image(
        cell.volume[region.slices],
        name=f"{cell.name} {roi.name} in 3-D",
        scale=volume.scale,
        translate=volume.data_to_world(first),
        units=UNITS,
        axis_labels=AXES,
        colormap="gray",
        contrast_limits=volume.contrast_limits,
        metadata={KEY: {"kind": "crop"}},
    )
    volume.visible = False
    viewer.dims.ndisplay = 3
    return layer
