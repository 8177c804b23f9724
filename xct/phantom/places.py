"""Places in the bore. In: a layout; out: random points, and what maps (y, x) say at points."""

from __future__ import annotations

import numpy as np

from xct.phantom.layout import Layout


def at(field: np.ndarray, points_um: np.ndarray, voxel_um: float) -> np.ndarray:
    """Read a map (y, x) at the columns of points (n, 3), nearest voxel."""
    row, column = (
        np.clip(np.rint(points_um[:, k + 1] / voxel_um).astype(int), 0, field.shape[k] - 1)
        for k in range(2)
    )
    values: np.ndarray = field[row, column].astype(np.float64)
    return values


def in_bore(
    z_um: np.ndarray, layout: Layout, margin_um: np.ndarray | float, rng: np.random.Generator
) -> np.ndarray:
    """Draw points evenly over the bore at given heights.

    Parameters
    ----------
    z_um : ndarray, shape (n,)
        Heights.
    layout : Layout
        The bore.
    margin_um : ndarray or float
        Distance that each keeps from the wall.
    rng : Generator
        Source of the random numbers.

    Returns
    -------
    ndarray, shape (n, 3)
        z, y, x in µm.
    """
    radius = np.maximum(layout.bore_radius_um - margin_um, 0) * np.sqrt(rng.random(len(z_um)))
    azimuth = rng.uniform(0, 2 * np.pi, len(z_um))
    y = layout.axis[0] + layout.axis[2] * z_um + radius * np.sin(azimuth)
    x = layout.axis[1] + layout.axis[3] * z_um + radius * np.cos(azimuth)
    return np.column_stack([z_um, y, x])
