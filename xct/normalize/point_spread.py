"""Width of the point spread. In: a volume and its cell; out: full width at half maximum, µm."""

from __future__ import annotations

import numpy as np

from xct.geometry import CellGeometry
from xct.normalize.edge_fit import fit_round_edge
from xct.voxels import Voxels

FWHM_OF_SD = 2.3548200450309493
_GROUP, _GROUPS = 8, 8
_REACH_VOXELS = 7.0


def point_spread_um(
    volume: Voxels, cell: CellGeometry, rows: tuple[int, int]
) -> tuple[float, float]:
    """Measure the blur across the bore's wall in groups of slices.

    Parameters
    ----------
    volume : Voxels, shape (z, y, x)
        Any linear scale.
    cell : CellGeometry
        Its bore must be in view.
    rows : tuple of int
        First slice of a layer that stands out from the tube, and the one behind its last.

    Returns
    -------
    fwhm_um, sd_um : float
        Full width at half maximum of the Gaussian, the voxel's own width in it, and its standard
        deviation; NaN where the wall is not in view or nowhere sharp.
    """
    if not np.isfinite(cell.bore_radius_sd_um):
        return float("nan"), float("nan")
    voxel = cell.voxel_size_um[1:]
    reach = _REACH_VOXELS * max(voxel)
    wall = cell.tube_radius_um - cell.bore_radius_um if cell.tube_radius_um else reach
    found = []
    for first in np.linspace(rows[0], max(rows[0], rows[1] - _GROUP), _GROUPS).astype(int):
        mean = np.asarray(volume[first : first + _GROUP], np.float32).mean(axis=0)
        z_um = (first + (_GROUP - 1) / 2) * cell.voxel_size_um[0]
        try:
            edge = fit_round_edge(
                mean,
                voxel,
                center_um=cell.axis_at(z_um),
                radius_um=cell.bore_radius_um,
                reach_um=(reach, min(reach, 0.7 * wall)),
                blur_um=max(voxel),
            )
        except ValueError:
            continue
        if edge.significance > 10 and edge.blur_um < 0.4 * reach:
            found.append(edge.blur_um)
    if not found:
        return float("nan"), float("nan")
    spread = float(np.std(found) / np.sqrt(len(found))) if len(found) > 1 else float("nan")
    return FWHM_OF_SD * float(np.median(found)), FWHM_OF_SD * spread
