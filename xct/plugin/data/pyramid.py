"""Levels of a volume. In: its OME-Zarr group; out: arrays in 1/cm for napari, and a contrast."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from xct.io.volumes import Volume, open_levels
from xct.normalize import grey_values
from xct.plugin.data.arrays import LazyArray
from xct.result import Result

_FEW_SLICES = 8
_MANY_VALUES = 2_000_000


def levels(path: Path) -> list[LazyArray]:
    """Open every level of a ``volume.zarr``, the finest first.

    Raises
    ------
    XctError
        If it is not a volume of xct.
    """
    return [lazy(volume) for volume in open_levels(path)]


def grey_levels(path: Path, result: Result) -> list[LazyArray]:
    """Open every level of a volume on the electrolyte's grey scale.

    Raises
    ------
    XctError
        If the run found no reference for it.
    """
    found = []
    for volume in open_levels(path):
        chunk = int(volume.array.chunks[0])
        grey = grey_values(
            volume, result.reference, result.cell.in_level(volume.shape, volume.voxel_size_um)
        )
        found.append(LazyArray(volume.shape, np.float32, grey.__getitem__, chunk))
    return found


def lazy(volume: Volume) -> LazyArray:
    """Make a volume look like an array; slices that share chunks are read together."""
    return LazyArray(volume.shape, np.float32, volume.read, int(volume.array.chunks[0]))


def sample(array: LazyArray) -> np.ndarray:
    """Read a few slices over the height, thinned out: enough for a contrast."""
    depth = array.shape[0]
    chosen = np.unique(np.linspace(0.1, 0.9, _FEW_SLICES) * (depth - 1)).astype(int)
    step = max(1, int(np.sqrt(np.prod(array.shape[1:]) * len(chosen) / _MANY_VALUES)))
    return np.stack([array[number][::step, ::step] for number in np.unique(chosen)])


def contrast(
    array: LazyArray, electrolyte: float | None = None, air: float = 0.0
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Choose what is black and what is white.

    Where the electrolyte's value m above air is known, the range is that in which lithium (0),
    electrolyte (1 m) and active material (about 9 m) can be distinguished; steel is white.
    Else it spans the values but for the outermost percent.

    Parameters
    ----------
    array : LazyArray
        A coarse level.
    electrolyte : float, optional
        The electrolyte's value above that of air.
    air : float, optional
        Value of air: not 0 in grey values of an unknown scale.

    Returns
    -------
    limits : tuple of float
        Black and white.
    span : tuple of float
        What the slider spans.
    """
    values = sample(array)
    values = values[np.isfinite(values) & (values != 0)]
    if values.size == 0:
        return (0.0, 1.0), (0.0, 1.0)
    low, high = (float(v) for v in np.percentile(values, (1, 99)))
    least, most = float(values.min()), float(values.max())
    if electrolyte:
        low, high = air - electrolyte, air + 9.0 * electrolyte
    if not high > low:
        low, high = low - 0.5, low + 0.5
    margin = 0.1 * (high - low)
    return (low, high), (min(least, low) - margin, max(most, high) + margin)
