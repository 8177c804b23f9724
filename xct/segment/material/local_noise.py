"""Noise by height and radius, within a cell. In: multiples of the electrolyte; out: factors.

A plane that passes little light is noisier than the next one, and its middle than its rim: what is
certain in one place is chance in another.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xct.normalize.grey_scale import Ratios
from xct.parallel.blocks import Block, cut
from xct.parallel.executors import map_blocks
from xct.segment.material.columns import Columns

RINGS = 6  # of equal width, from the axis to the wall
_ROWS = 16
_LEAST_VOXELS = 60  # of a ring; one with fewer has the noise of its slice
_WALL_PX, _MARGIN_PX = 2.0, 3.0
# Lower quartile of |x| of a normal distribution, in sd: structure, which is rare, is above it.
_LOWER_QUARTILE = 0.3186


@dataclass(frozen=True)
class LocalNoise:
    """Noise of a voxel over that of the separator.

    Attributes
    ----------
    factor : ndarray of float32, shape (z, ring)
        1 in slices that hold neither electrolyte nor cathode.
    """

    factor: np.ndarray

    @classmethod
    def even(cls, depth: int) -> LocalNoise:
        """Take the same noise everywhere."""
        return cls(np.ones((depth, RINGS), np.float32))


def find_local_noise(ratios: Ratios, columns: Columns, band: Block) -> LocalNoise:
    """Measure the noise of each slice between lithium and collector, ring by ring.

    By what differs in checks, from voxel to voxel along all three axes at once: noise of filtered
    back-projection is strongest there, and of the sample, which is blurred, nothing is left, be
    it as full of particles as the cathode.

    Parameters
    ----------
    ratios : Ratios
        The volume in multiples of the electrolyte.
    columns : Columns
        Where the layers lie.
    band : Block
        Rows along y that are read.
    """
    depth = ratios.shape[0]
    found = LocalNoise.even(depth)
    inside = ratios.cell.in_bore(depth / 2)
    first, stop = columns.rows(columns.lithium[inside], columns.collector[inside], depth)
    if stop - first < 1 or depth < 3:
        return found
    noise = np.full((depth, RINGS + 1), np.nan)
    parts = map_blocks(_noise_of_slices, cut(stop - first, _ROWS), ratios, first, band)
    noise[first:stop] = np.concatenate(parts)
    base = _of_separator(noise[:, -1], columns, inside)
    if np.isfinite(base) and base > 0:
        known = np.isfinite(noise[:, :-1])
        found.factor[known] = (noise[:, :-1] / base)[known]
    return found


def _noise_of_slices(block: Block, ratios: Ratios, start: int, band: Block) -> np.ndarray:
    """Measure slices, shape (z, ring and whole); NaN where there are too few voxels."""
    first, stop = start + block.first, start + block.stop
    low, high = max(first - 1, 0), min(stop + 1, ratios.shape[0])
    checks = ratios.read(low, high, slice(band.first, band.stop))
    found = np.full((stop - first, RINGS + 1), np.nan)
    if min(checks.shape) < 3:
        return found
    for axis in range(3):
        checks = np.diff(checks, n=2, axis=axis)
    size = ratios.cell.voxel_size_um
    radius_um = ratios.cell.bore_radius_um - _WALL_PX * max(size[1:])
    y = (np.arange(band.first + 1, band.stop - 1) * size[1])[:, None]
    x = (np.arange(1, ratios.shape[2] - 1) * size[2])[None]
    for plane, z in zip(checks, range(low + 1, high - 1), strict=True):
        axis_y, axis_x = ratios.axes(z, z + 1)[0]
        radius = np.hypot(y - axis_y, x - axis_x)
        within = radius < radius_um
        ring = (radius[within] * (RINGS / ratios.cell.bore_radius_um)).astype(int)
        values = np.abs(plane[within])
        filled = values > 0  # nothing differs where data are missing
        ring, values = ring[filled], values[filled]
        whole = _scale(values)
        rings = [_scale(values[ring == number]) for number in range(RINGS)]
        found[z - first, :-1] = np.where(np.isfinite(rings), rings, whole)
        found[z - first, -1] = whole
    return found


def _scale(values: np.ndarray) -> float:
    """Give a standard deviation, up to a factor, in which structure has no part."""
    if values.size < _LEAST_VOXELS:
        return float("nan")
    return float(np.quantile(values, 0.25)) / _LOWER_QUARTILE


def _of_separator(noise: np.ndarray, columns: Columns, inside: np.ndarray) -> float:
    """Give the typical noise of slices that hold electrolyte alone; of all where none does."""
    height = columns.sign * np.arange(len(noise))
    low = columns.lithium[inside].max() + _MARGIN_PX
    high = columns.front[inside].min() - _MARGIN_PX
    own = (height > low) & (height < high) & np.isfinite(noise)
    chosen = noise[own] if own.any() else noise[np.isfinite(noise)]
    return float(np.median(chosen)) if chosen.size else float("nan")
