"""Surfaces where data are missing. In: height maps, a volume with NaN; out: height maps."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from xct.geometry import CellGeometry, Surface
from xct.io.overview import overview_of
from xct.parallel.blocks import Voxels

_MOST_MISSING = 0.5  # of the columns of a surface: with more, it is not given
_HEIGHTS = (1, 99)  # percentiles between which a surface lies


def without_missing(
    surfaces: Mapping[str, Surface], volume: Voxels, cell: CellGeometry, *, reach_um: float
) -> dict[str, Surface]:
    """Take back heights of columns that lack data where the surface lies.

    Where a chunk or some slices were lost, a face is found at their end, wherever it was.

    Parameters
    ----------
    surfaces : mapping of str to Surface
        Height maps, µm.
    volume : Voxels, shape (z, y, x)
        NaN where data are missing.
    cell : CellGeometry
        Where the cell lies.
    reach_um : float
        So near to the heights of a surface no data may be missing.

    Returns
    -------
    dict of str to Surface
        Heights and standard deviations NaN in such columns; without the surfaces that lose more
        than half of them, of which a warning says so.
    """
    overview = overview_of(volume)
    missing = np.asarray(overview.missing) > 0
    if not missing.any():
        return dict(surfaces)
    found = {}
    for name, surface in surfaces.items():
        lacking = _lacking(missing, surface.height_um, overview.edge, cell, reach_um)
        seen = np.isfinite(surface.sd_um) | np.isfinite(surface.height_um)
        lost = np.count_nonzero(lacking & seen) / max(int(np.count_nonzero(seen)), 1)
        if lost > _MOST_MISSING:
            warnings.warn(
                f"{name}: not given, since data are missing where it was looked for, in {lost:.0%} "
                "of its columns; copy the volume again",
                stacklevel=2,
            )
            continue
        heights = np.where(lacking, np.nan, surface.height_um)
        sds = np.where(lacking, np.nan, surface.sd_um)
        found[name] = replace(surface, height_um=heights, sd_um=sds)
    return found


def _lacking(
    missing: np.ndarray, height_um: np.ndarray, edge: int, cell: CellGeometry, reach_um: float
) -> np.ndarray:
    """Mark the columns that lack data at the heights of a surface, whichever is their own.

    By its own height a column with thick lithium would be taken back, and a thin one be kept.
    """
    if not np.isfinite(height_um).any():
        return np.zeros(height_um.shape, bool)
    low, high = np.nanpercentile(height_um, _HEIGHTS) + np.array([-reach_um, reach_um])
    first, stop = (int(np.clip(h / cell.voxel_size_um[0], 0, len(missing))) for h in (low, high))
    columns = np.asarray(missing[first : stop + 1].any(axis=0))
    rows, across = (np.minimum(n // edge, most - 1) for n, most in zip(
        np.indices(height_um.shape), columns.shape, strict=True))  # fmt: skip
    return np.asarray(columns[rows, across])
