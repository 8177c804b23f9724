"""What the turn between two scans leaves open. In: faces of the pin; out: its doubt.

Where a surface is steep around the axis, a turn that is a little off compares columns of other
heights.
"""

from __future__ import annotations

import numpy as np

from xct.geometry import CellGeometry, Surface

_BLOCK_UM = 300.0  # errors of a face are alike over less: light in the shadow of steel is smooth


def turn_sd_rad(cell: CellGeometry, fixed_pin: Surface, moved_pin: Surface) -> float:
    """Tell how far the turn may be off, by what is left between both faces of the pin.

    A turn by δ leaves δ·∂h/∂φ; what is left beside that is taken to be alike within blocks, and
    independent between them.

    Parameters
    ----------
    cell : CellGeometry
        Of the fixed scan.
    fixed_pin, moved_pin : Surface
        Face of the pin in both scans, on the grid of the fixed one.

    Returns
    -------
    float
        Standard deviation, radians; NaN where the faces have no relief in common.
    """
    left = moved_pin.height_um - fixed_pin.height_um.astype(np.float64)
    slopes = [around(cell, pin) for pin in (fixed_pin, moved_pin)]
    known = np.isfinite(left) & np.isfinite(slopes[0]) & np.isfinite(slopes[1])
    relief = float((slopes[0] * slopes[1])[known].sum())  # noise of both scans cancels
    if not relief > 0:
        return float("nan")
    pull = 0.5 * (slopes[0] + slopes[1]) * left
    rows, columns = np.nonzero(known)
    y, x = (
        (at * size // _BLOCK_UM).astype(int)
        for at, size in zip((rows, columns), cell.voxel_size_um[1:], strict=True)
    )
    blocks = np.bincount(y * (x.max() + 1) + x, weights=pull[known])
    return float(np.sqrt((blocks**2).sum()) / relief)


def around(cell: CellGeometry, surface: Surface) -> np.ndarray:
    """Tell by how much a surface rises per radian about the axis, µm; (y, x), NaN at its rim."""
    y, x = cell.offsets_um((cell.shape[0] - 1) / 2)
    height = surface.height_um.astype(np.float64)
    slope_y, slope_x = np.gradient(height, *cell.voxel_size_um[1:])
    return np.asarray(x * slope_y - y * slope_x)
