"""What normalization needs of a volume before its layers. In: a volume, its cell; out: numbers.

Noise of each slice, the value of air, the width of the point spread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from xct.geometry import CellGeometry
from xct.io.overview import overview_of
from xct.normalize.blur import (
    GROUP,
    WallBlur,
    blur_at_wall,
    groups_at_wall,
    point_spread_um,
    wall_misfit,
)
from xct.normalize.sampling import thin_group
from xct.parallel.blocks import Voxels
from xct.parallel.executors import map_blocks

_AIR_SLICES = 9
_MARGIN_VOXELS = 4.0
_LEAST_VOXELS = 50
# Lower quartile of |x| of a normal distribution, in sd: structure, which is rare, is above it.
_LOWER_QUARTILE = 0.3186


class AboveAir:
    """A volume less the value of air; float32, computed when it is read.

    Parameters
    ----------
    volume : Voxels, shape (z, y, x)
        Any linear scale.
    air : float
        What is subtracted.
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
        (one value, the corner's, everywhere) does not count.
    """
    return _typical([_air_of(_slice(volume, z), z, cell) for z in _air_slices(cell)])


@dataclass(frozen=True)
class VolumeSample:
    """What is known of a volume before its layers are looked at.

    Attributes
    ----------
    noise : ndarray of float32, shape (z,)
        Standard deviation of a voxel inside the bore; NaN where nothing can be measured.
    air : float
        As `air_level`.
    middle : float
        Median of the bore's voxels in the middle of the wall's slices; NaN without these.
    blur_um, blur_sd_um : float
        Full width at half maximum of the point spread, and its standard deviation; NaN where the
        wall is not in view or nowhere sharp.
    wall_misfit : float
        How far the wall is from a blurred step, over the step; NaN where it is nowhere sharp.
    """

    noise: np.ndarray
    air: float
    middle: float
    blur_um: float
    blur_sd_um: float
    wall_misfit: float


def sample_volume(
    volume: Voxels,
    cell: CellGeometry,
    *,
    wall: tuple[int, int] | None = None,
    rows: int | None = None,
) -> VolumeSample:
    """Measure noise, air and point spread: in the overview of a volume, and in some slices.

    Noise is measured from second differences along z, in which the sample hardly shows: noise of
    neighboring slices is independent, since each comes from a detector row of its own.

    Parameters
    ----------
    volume : Voxels, shape (z, y, x)
        Any linear scale.
    cell : CellGeometry
        Where tube, bore and layers lie.
    wall : tuple of int, optional
        Slices, half open, at which the point spread is measured across the bore's wall.
    rows : int, optional
        Height of a slab that is read where no overview is kept; no number depends on it.
    """
    overview = overview_of(volume, rows)
    sparse, step = np.asarray(overview.sparse[:]), overview.step
    noise = np.array([_noise_of(sparse, z, cell, step) for z in range(len(sparse))], np.float32)
    groups = groups_at_wall(cell, wall) if wall else []
    walls = map_blocks(_blur_of, groups, volume, cell, read=_read_group)
    blur, blur_sd = point_spread_um(walls)
    middle = float("nan")
    if wall:
        z = min((wall[0] + wall[1]) // 2, cell.shape[0] - 1)
        middle = _bore_median(_slice(volume, z), z, cell)
    air = air_level(volume, cell)
    air = float("nan") if air >= middle else air  # a wire beside the cell, and no air
    return VolumeSample(noise, air, middle, blur, blur_sd, wall_misfit(walls))


def _slice(volume: Voxels, z: int) -> np.ndarray:
    [image] = np.asarray(volume[z : z + 1], np.float32)
    return np.asarray(image)


def _read_group(first: int, volume: Voxels, cell: CellGeometry) -> np.ndarray:
    first, stop = thin_group(first, first + GROUP, volume.shape[2])
    return np.asarray(volume[first:stop], np.float32)


def _blur_of(first: int, group: np.ndarray, volume: Voxels, cell: CellGeometry) -> WallBlur:
    return blur_at_wall(group, first, cell)


def _air_slices(cell: CellGeometry) -> list[int]:
    if not np.isfinite(cell.bore_radius_sd_um):
        return []
    return [int(z) for z in np.linspace(0.1, 0.9, _AIR_SLICES) * (cell.shape[0] - 1)]


def _air_of(image: np.ndarray, z: int, cell: CellGeometry) -> float:
    """Median beyond tube or bore; NaN where too little of it is in view."""
    margin = _MARGIN_VOXELS * max(cell.voxel_size_um[1:])
    radius = (cell.tube_radius_um or cell.bore_radius_um) + margin
    beyond = image[(cell.radius_um(z) > radius) & np.isfinite(image)]
    beyond = beyond[beyond != image[0, 0]]
    return float(np.median(beyond)) if beyond.size > _LEAST_VOXELS else float("nan")


def _bore_median(image: np.ndarray, z: int, cell: CellGeometry) -> float:
    inside = image[cell.in_bore(z)]
    inside = inside[np.isfinite(inside)]
    return float(np.median(inside)) if inside.size else float("nan")


def _typical(values: Sequence[float]) -> float:
    found = [one for one in values if np.isfinite(one)]
    return float(np.median(found)) if found else float("nan")


def _noise_of(sparse: np.ndarray, z: int, cell: CellGeometry, step: int) -> float:
    """Noise of one slice from every so many voxels of it and of its neighbors."""
    off_y, off_x = cell.offsets_um(z)
    radius = np.hypot(off_y[::step], off_x[:, ::step])
    inside = radius <= cell.bore_radius_um - 2 * max(cell.voxel_size_um[1:])
    this = sparse[z][inside]
    with np.errstate(invalid="ignore"):
        if 0 < z < len(sparse) - 1:
            others = sparse[z - 1][inside], sparse[z + 1][inside]
            difference = (2 * this - others[0] - others[1]) / np.sqrt(6)
        elif len(sparse) > 1:
            difference = (this - sparse[1 if z == 0 else z - 1][inside]) / np.sqrt(2)
        else:
            return float("nan")
    size = np.abs(difference[np.isfinite(difference)])
    if size.size < _LEAST_VOXELS:
        return float("nan")
    return float(np.quantile(size, 0.25) / _LOWER_QUARTILE)
