"""Values at the middles of voxels as a function of points."""

from __future__ import annotations

import numpy as np


class Sampled:
    """Values at the middles of voxels as a function of points: linear between them.

    Parameters
    ----------
    values : ndarray, shape (height, across)
        At the middles.
    voxel_um : tuple of float
        Edges of a voxel along the height and across.
    """

    def __init__(self, values: np.ndarray, voxel_um: tuple[float, float]) -> None:
        self._values = np.ascontiguousarray(values, np.float32)
        self._voxel_um = voxel_um

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Give the values at points (point, 2), µm across and along the height."""
        from scipy.ndimage import map_coordinates

        at = [points[:, 1] / self._voxel_um[0] - 0.5, points[:, 0] / self._voxel_um[1] - 0.5]
        return np.asarray(
            map_coordinates(self._values, at, order=1, mode="nearest", output=np.float64)
        )
