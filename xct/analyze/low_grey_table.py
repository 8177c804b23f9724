"""The table of inclusions. In: sums over voxels; out: a row for each inclusion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from xct.analyze import low_grey_sums as of
from xct.analyze.low_grey_sums import Total
from xct.geometry import CellGeometry
from xct.segment.columns import Columns
from xct.segment.crofton import crofton_weights

if TYPE_CHECKING:
    import pandas as pd


def inclusion_table(
    total: Total,
    cell: CellGeometry,
    columns: Columns,
    *,
    least_um3: float,
    noise: float,
    zero: float,
    reference_value: float,
) -> pd.DataFrame:
    """Give the table of inclusions of at least `least_um3`.

    Parameters
    ----------
    total : Total
        Sums over voxels.
    cell : CellGeometry
        Voxel size and axis.
    columns : Columns
        Where lithium is.
    least_um3 : float
        Smaller regions are left out.
    noise : float
        Standard deviation of a voxel, as a multiple of the electrolyte. What is darker than air
        by more than it allows is an artefact and left out.
    zero, reference_value : float
        Grey values of air and of electrolyte.
    """
    import pandas as pd

    size = np.array(cell.voxel_size_um)
    voxels = np.maximum(total.sums[:, of.COUNT], 1)
    mean = of.GREY_STEP * total.sums[:, of.GREY] / voxels
    # Within one slice lie only arcs of rings.
    deep = total.sums[:, of.COUNT] * total.sums[:, of.ZZ] > total.sums[:, of.Z] ** 2
    kept = deep & (voxels * size.prod() >= least_um3) & (mean > -3 * noise / np.sqrt(voxels))
    sums, crossings, extents = total.sums[kept], total.crossings[kept], total.extents[kept]
    count = sums[:, of.COUNT].astype(float)
    z, y, x = ((sums[:, k] / count) * s for k, s in zip((of.Z, of.Y, of.X), size, strict=True))
    surface = crossings @ crofton_weights(size)
    dark = np.maximum(sums[:, of.DARK] * of.GREY_STEP, 0) * size.prod()
    axes = _axes_um(sums, count, size)
    feret = (-extents.sum(axis=2)).max(axis=1, initial=0) + size.mean()
    grey = reference_value - zero
    return pd.DataFrame(
        {
            "inclusion": np.arange(1, len(sums) + 1),
            "z_um": z,
            "y_um": y,
            "x_um": x,
            "volume_um3": count * size.prod(),
            # Of an ellipsoid; where it is bent or branched, its moments say too much.
            "thickness_um": np.minimum(axes[:, 0], 3 * dark / surface),
            "distance_to_anode_um": _distance_um(columns, cell, z, y, x),
            "enclosed": sums[:, of.OPEN] == 0,
            "dark_volume_um3": dark,
            "long_um": axes[:, 2],
            "middle_um": axes[:, 1],
            "short_um": axes[:, 0],
            "feret_um": feret,
            "surface_um2": surface,
            "mean_grey": zero + grey * of.GREY_STEP * sums[:, of.GREY] / count,
            "at_lithium": sums[:, of.LITHIUM] > 0,
            "kind": np.full(len(sums), "low_grey"),
        }
    )


def _distance_um(
    columns: Columns, cell: CellGeometry, z: np.ndarray, y: np.ndarray, x: np.ndarray
) -> np.ndarray:
    step, *pixel = cell.voxel_size_um
    v = np.clip(np.rint(y / pixel[0]).astype(int), 0, cell.shape[1] - 1)
    u = np.clip(np.rint(x / pixel[1]).astype(int), 0, cell.shape[2] - 1)
    lithium = columns.lithium[v, u]
    distance = columns.sign * z - lithium * step
    return np.asarray(np.where(np.isfinite(lithium), distance, np.nan))


def _axes_um(sums: np.ndarray, count: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Axes of the ellipsoid with the same second moments, ascending."""
    mean = np.stack([sums[:, k] / count for k in (of.Z, of.Y, of.X)], axis=1)
    second = np.empty((len(sums), 3, 3))
    for i, j, k in (
        (0, 0, of.ZZ), (1, 1, of.YY), (2, 2, of.XX), (0, 1, of.ZY), (0, 2, of.ZX), (1, 2, of.YX)
    ):  # fmt: skip
        moment = (sums[:, k] / count - mean[:, i] * mean[:, j]) * size[i] * size[j]
        second[:, i, j] = second[:, j, i] = moment
    second += np.diag(size**2 / 12)
    return np.asarray(2 * np.sqrt(5 * np.linalg.eigvalsh(second)))
