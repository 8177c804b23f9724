"""Where steel begins behind a cathode whose collector was not found. In: a volume; out: a slice."""

from __future__ import annotations

import numpy as np

from xct.io.overview import columns_of
from xct.normalize.grey_scale import Ratios
from xct.segment.material.columns import Columns

# Steel goes on to the end of the volume, and each slice of it exceeds all before it by half: also
# where no light passes it, and it seems to attenuate less than it does.
_OVER = 1.5
_BLUR_PX = 3  # slices before it that blur has brightened
_FRONT_UM = 13.0  # over which a composite begins


def steel_behind(ratios: Ratios, columns: Columns) -> int | None:
    """Find the first slice behind the cathode's front that may hold steel.

    Parameters
    ----------
    ratios : Ratios
        The volume in multiples of the electrolyte.
    columns : Columns
        Where the cathode's front is.

    Returns
    -------
    int or None
        None where the front is not known, or no steel follows.
    """
    depth, cell = ratios.shape[0], ratios.cell
    front = columns.front[cell.in_bore(depth / 2)]
    if not np.isfinite(front).any():
        return None
    heights = columns.sign * np.arange(depth)
    begins = np.median(front[np.isfinite(front)]) + _FRONT_UM / cell.voxel_size_um[0]
    behind = np.flatnonzero(heights > begins)
    slices = behind[np.argsort(heights[behind])]
    levels = np.nan_to_num([_level(ratios, z) for z in slices.tolist()])
    if levels.size <= _BLUR_PX + 1:
        return None
    before = np.maximum.accumulate(levels)[: -_BLUR_PX - 1]
    after = np.minimum.accumulate(levels[::-1])[::-1][_BLUR_PX + 1 :]
    steel = np.flatnonzero(after > _OVER * before)
    return int(slices[steel[0] + 1]) if steel.size else None


def _level(ratios: Ratios, z: int) -> float:
    """Typical value of a slice, inside the bore."""
    cell, step = ratios.cell, ratios.cell.voxel_size_um
    [plane], edge = columns_of(ratios.volume, z, z + 1)
    y, x = (((np.arange(n) + 0.5) * edge - 0.5) * s
            for n, s in zip(plane.shape, step[1:], strict=True))  # fmt: skip
    axis_y, axis_x = ratios.axes(z, z + 1)[0]
    radius = np.hypot(y[:, None] - axis_y, x[None] - axis_x)
    inside = (radius < 0.8 * cell.bore_radius_um) & np.isfinite(plane)
    if not inside.any():
        return float("nan")
    model = np.asarray(ratios.reference.mu_per_cm(z * step[0], radius[inside]))
    return float(np.median((plane[inside] - ratios.reference.air) / model))
