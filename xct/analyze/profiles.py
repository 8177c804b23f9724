"""Thick line profiles. In: grey values and a line in any direction; out: mean along it, with sd."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Literal

import numpy as np
import pandas as pd
from scipy.ndimage import map_coordinates

from xct.analyze.roi_shapes import LineRoi
from xct.geometry import CellGeometry
from xct.voxels import Voxels

CrossSection = Literal["disc", "square"]

# Means of patches across the line are almost independent of each other if these are wide.
_PATCH, _PATCHES = 3, 3  # samples along the edge of a patch at least; patches along the width
_FEWEST = 5  # patches from which a standard deviation can be told
_LARGEST_BOX = 2**28  # voxels


def thick_profile(
    grey_values: Voxels,
    start: Sequence[float],
    stop: Sequence[float],
    *,
    voxel_size_um: Sequence[float],
    width_um: float,
    step_um: float | None = None,
    cross_section: CrossSection = "disc",
) -> pd.DataFrame:
    """Average grey values across a thick line, point by point along it.

    Values between voxels are interpolated linearly; only the box around the line is read. The
    standard deviation of a mean is that of patches over the root of their number, since the noise
    of neighbors is correlated.

    Parameters
    ----------
    grey_values : Voxels, shape (z, y, x)
        Never denoised ones.
    start, stop : sequence of float
        Ends of the line, voxel indices along z, y and x.
    voxel_size_um : sequence of float
        Edges of a voxel along z, y and x.
    width_um : float
        Diameter of the disc, or edge of the square, over which is averaged.
    step_um : float, optional
        Distance between points; unless given, the smallest edge of a voxel.
    cross_section : {"disc", "square"}, optional
        Shape across the line.

    Returns
    -------
    DataFrame
        ``distance_um`` from the start, ``grey_value``, ``grey_value_sd`` of that mean, ``n``
        samples, about one a voxel. Points outside of the volume have none, and NaN.

    Raises
    ------
    ValueError
        If the line has no length, lies outside of the volume, or its box is too large to be read.
    """
    size = np.asarray(voxel_size_um, float)
    first, last = np.asarray(start, float) * size, np.asarray(stop, float) * size
    length = float(np.linalg.norm(last - first))
    if not length > 0 or not width_um > 0:
        raise ValueError(f"a line of {length:g} µm and {width_um:g} µm width has no profile")
    step = step_um or float(size.min())
    distance = np.arange(0, length + step * 1e-6, step)
    across, patch = _cross_section(
        (last - first) / length, width_um, float(size.min()), cross_section
    )
    points = first + distance[:, None, None] * ((last - first) / length) + across
    values = _sampled(grey_values, points / size)
    return _averaged(distance, values, patch)


def profile_of_roi(
    grey_values: Voxels, cell: CellGeometry, roi: LineRoi, *, step_um: float | None = None
) -> pd.DataFrame:
    """Average grey values across a thick line in cell coordinates; see `thick_profile`."""
    start, stop = roi.corners(cell)
    return thick_profile(
        grey_values,
        start,
        stop,
        voxel_size_um=cell.voxel_size_um,
        width_um=roi.width_um,
        step_um=step_um,
    )


def _cross_section(
    direction: np.ndarray, width: float, spacing: float, shape: CrossSection
) -> tuple[np.ndarray, np.ndarray]:
    """Offsets of the samples across the line, µm, shape (sample, 3), and the patch of each."""
    other = np.eye(3)[int(np.argmin(np.abs(direction)))]
    u = np.cross(direction, other)
    u /= np.linalg.norm(u)
    v = np.cross(direction, u)
    count = max(1, round(width / spacing))
    places = (np.arange(count) - (count - 1) / 2) * (width / count)
    a, b = (grid.ravel() for grid in np.meshgrid(places, places, indexing="ij"))
    number = np.arange(count) // max(_PATCH, ceil(count / _PATCHES))
    patch = (number[:, None] * (number[-1] + 1) + number[None, :]).ravel()
    if shape == "disc":
        inside = np.hypot(a, b) <= width / 2
        a, b, patch = a[inside], b[inside], patch[inside]
    return a[:, None] * u + b[:, None] * v, patch


def _sampled(grey_values: Voxels, points: np.ndarray) -> np.ndarray:
    """Interpolate at indices, shape (point, sample, 3); NaN outside of the volume."""
    limit = np.array(grey_values.shape) - 1
    inside = ((points >= -0.5) & (points <= limit + 0.5)).all(axis=-1)
    if not inside.any():
        raise ValueError(
            f"the line lies outside of the volume of {' × '.join(map(str, grey_values.shape))} "
            "voxels"
        )
    held = np.clip(points, 0, limit)
    low = np.floor(held[inside].min(axis=0)).astype(int)
    high = np.minimum(np.ceil(held[inside].max(axis=0)).astype(int), limit) + 1
    if np.prod(high - low, dtype=float) > _LARGEST_BOX:
        raise ValueError(
            f"the box around the line holds {np.prod(high - low, dtype=float):.2g} voxels; take a "
            "shorter line"
        )
    box = np.asarray(grey_values[tuple(slice(a, b) for a, b in zip(low, high, strict=True))])
    values = np.full(inside.shape, np.nan)
    at = (held[inside] - low).T
    values[inside] = map_coordinates(box.astype(np.float64), at, order=1, mode="nearest")
    return values


def _averaged(distance: np.ndarray, values: np.ndarray, patch: np.ndarray) -> pd.DataFrame:
    known = np.isfinite(values)
    n = known.sum(axis=1)
    kinds = np.unique(patch)
    member = (patch[:, None] == kinds).astype(float)  # (sample, patch)
    sums, counts = np.where(known, values, 0) @ member, known.astype(float) @ member
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(known, values, 0).sum(axis=1) / n
        if len(kinds) >= _FEWEST:
            off = np.where(counts > 0, sums - mean[:, None] * counts, 0)
            patches = (counts > 0).sum(axis=1)
            sd = np.sqrt((off**2).sum(axis=1) * patches / (patches - 1)) / n
        else:
            off = np.where(known, values - mean[:, None], 0)
            sd = np.sqrt((off**2).sum(axis=1) / (n - 1) / n)
    sd = np.where(n > 1, sd, np.nan)
    return pd.DataFrame({"distance_um": distance, "grey_value": mean, "grey_value_sd": sd, "n": n})
