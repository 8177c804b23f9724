"""Grey values as multiples of the electrolyte's. In: volume, reference; out: slabs of ratios."""

from __future__ import annotations

from typing import Any

import numpy as np

from xct.geometry import CellGeometry
from xct.parallel.blocks import Voxels
from xct.parallel.kernels import njit
from xct.parallel.threads import over_ranges

_LEAST_NOISE = 1e-3  # 1/cm
_STEP = 2.0  # entries of the table of the reference per voxel of radius


class Ratios:
    """A volume divided by the electrolyte's attenuation at the same height and radius.

    Air is 0 and electrolyte 1 everywhere. Read by slices, like the volume.

    Parameters
    ----------
    volume : Voxels, shape (z, y, x)
        Linear attenuation, 1/cm.
    cell : CellGeometry
        Where the cell lies.
    reference : Reference
        The electrolyte's attenuation, and the noise.
    """

    def __init__(self, volume: Voxels, cell: CellGeometry, reference: Any) -> None:
        self.volume, self.cell, self.reference = volume, cell, reference
        self.shape = volume.shape
        pixel = min(cell.voxel_size_um[1:])
        corner = float(np.linalg.norm(np.array(cell.shape[1:]) * cell.voxel_size_um[1:]))
        self._radii = np.arange(int(_STEP * corner / pixel) + 2) * (pixel / _STEP)

    def electrolyte(self, first: int, stop: int) -> np.ndarray:
        """Give the electrolyte's attenuation in 1/cm by slice and radius, (z, half voxel)."""
        step = self.cell.voxel_size_um[0]
        return np.stack(
            [
                np.broadcast_to(
                    self.reference.mu_per_cm(z * step, self._radii), self._radii.shape
                ).astype(np.float32)
                for z in range(first, stop)
            ]
        )

    def noise(self, z_index: float) -> float:
        """Give the noise of a slice as a ratio."""
        step = self.cell.voxel_size_um[0]
        at = float(np.asarray(self.reference.mu_per_cm(z_index * step, 0.0)))
        return self._absolute_noise(z_index) / at

    def _absolute_noise(self, z_index: float) -> float:
        noise = self.reference.noise_per_cm
        if np.ndim(noise) == 0:
            return max(float(noise), _LEAST_NOISE)
        value = float(noise[min(round(z_index), np.size(noise) - 1)])
        if not np.isfinite(value):
            value = float(np.nanmedian(noise)) if np.isfinite(noise).any() else _LEAST_NOISE
        return max(value, _LEAST_NOISE)

    def axes(self, first: int, stop: int) -> np.ndarray:
        """Give y and x of the bore's axis in slices, in µm, shape (z, 2)."""
        step = self.cell.voxel_size_um[0]
        return np.array([self.cell.axis_at(z * step) for z in range(first, stop)], float)

    def read(self, first: int, stop: int, strip: slice = slice(None)) -> np.ndarray:
        """Read slices, or a strip of rows of them, as float32 ratios; what is not finite is 0."""
        values = np.array(self.volume[first:stop, strip], np.float32, order="C")
        table = self.electrolyte(first, stop)
        axes = self.axes(first, stop)
        size = np.array(self.cell.voxel_size_um, float)
        scale = _STEP / min(size[1:])
        air = np.float32(getattr(self.reference, "air", 0.0))
        top = strip.start or 0
        over_ranges(
            lambda a, b: _divide(values, table, axes, size, scale, air, top, a, b), len(values)
        )
        return values


@njit(cache=True, nogil=True)
def _divide(
    values: np.ndarray,
    table: np.ndarray,
    axes: np.ndarray,
    size: np.ndarray,
    scale: float,
    air: np.float32,
    top: int,
    first: int,
    stop: int,
) -> None:
    _, height, width = values.shape
    last = table.shape[1] - 1
    for z in range(first, stop):
        factors = np.float32(1) / table[z]
        for y in range(height):
            off_y = (top + y) * size[1] - axes[z, 0]
            for x in range(width):
                off_x = x * size[2] - axes[z, 1]
                at = int(np.sqrt(off_y * off_y + off_x * off_x) * scale + 0.5)
                value = values[z, y, x]
                if not np.isfinite(value):
                    value = air
                values[z, y, x] = (value - air) * factors[min(at, last)]
