"""The value of air, where a volume's scale begins elsewhere. In: a volume, its cell; out: air."""

from __future__ import annotations

from typing import Any

import numpy as np

from xct.geometry import CellGeometry
from xct.parallel.blocks import Voxels

_SLICES = 9
_MARGIN_VOXELS = 4.0


class AboveAir:
    """A volume less the value of air; float32, computed when it is read.

    Parameters
    ----------
    volume : Voxels, shape (z, y, x)
        Any linear scale.
    air : float
        What is taken off.
    """

    def __init__(self, volume: Voxels, air: float) -> None:
        self.volume, self.air = volume, air
        self.shape = volume.shape
        self.dtype = np.dtype(np.float32)

    def __getitem__(self, index: Any, /) -> np.ndarray:
        """Read a part."""
        return np.asarray(self.volume[index], np.float32) - np.float32(self.air)


def air_level(volume: Voxels, cell: CellGeometry) -> float:
    """Find the value of what lies around the tube, or where no tube is in view around the bore.

    Parameters
    ----------
    volume : Voxels, shape (z, y, x)
        Any linear scale.
    cell : CellGeometry
        Where tube and bore lie.

    Returns
    -------
    float
        Median of the voxels beyond; NaN where the wall is not in view. What was not reconstructed
        (one value, the corner's, everywhere) has no say.
    """
    if not np.isfinite(cell.bore_radius_sd_um):
        return float("nan")
    margin = _MARGIN_VOXELS * max(cell.voxel_size_um[1:])
    radius = (cell.tube_radius_um or cell.bore_radius_um) + margin
    found = []
    for z in np.linspace(0.1, 0.9, _SLICES) * (cell.shape[0] - 1):
        image = np.asarray(volume[int(z) : int(z) + 1], np.float32)[0]
        beyond = image[(cell.radius_um(int(z)) > radius) & np.isfinite(image)]
        beyond = beyond[beyond != image[0, 0]]
        if beyond.size > 50:
            found.append(float(np.median(beyond)))
    return float(np.median(found)) if found else float("nan")
