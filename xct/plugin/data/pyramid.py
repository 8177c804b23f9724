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
# Multiples of the electrolyte's value above air: noise of lithium reaches below air.
_BELOW_AIR, _ACTIVE_MATERIAL = 0.5, 9.0
_ELECTROLYTE_SHOWN = 0.42  # of white: lithium is darker then, and particles much brighter


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
        cell = result.cell.in_level(volume.shape, volume.voxel_size_um)
        grey = grey_values(volume, result.reference, cell, result.grey_scale)
        found.append(LazyArray(volume.shape, np.float32, grey.__getitem__, volume.array.chunks))
    return found


def lazy(volume: Volume) -> LazyArray:
    """Make a volume look like an array; slices that share chunks are read together."""
    return LazyArray(
        volume.shape,
        np.float32,
        volume.codes,
        volume.array.chunks,
        decode=volume.decode,
        kept_as=volume.array.dtype,
    )


def sample(array: LazyArray) -> np.ndarray:
    """Read a few slices over the height, thinned out: enough for a contrast."""
    depth = array.shape[0]
    chosen = np.unique(np.linspace(0.1, 0.9, _FEW_SLICES) * (depth - 1)).astype(int)
    step = max(1, int(np.sqrt(np.prod(array.shape[1:]) * len(chosen) / _MANY_VALUES)))
    return np.stack([array[number][::step, ::step] for number in np.unique(chosen)])


def contrast(
    array: LazyArray,
    electrolyte: float | None = None,
    air: float = 0.0,
    active_material: float | None = None,
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
    active_material : float, optional
        The value that most of the active material stays below, above that of air.

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
        low = air - _BELOW_AIR * electrolyte
        high = air + (active_material or _ACTIVE_MATERIAL * electrolyte)
    if not high > low:
        low, high = low - 0.5, low + 0.5
    margin = 0.1 * (high - low)
    return (low, high), (min(least, low) - margin, max(most, high) + margin)


def gamma(limits: tuple[float, float], electrolyte: float) -> float:
    """Choose how grey tones are spread: the electrolyte, of little attenuation, is no black.

    Active material attenuates about nine times as much: on a straight scale that shows both,
    lithium and electrolyte are nearly the same black.

    Parameters
    ----------
    limits : tuple of float
        Black and white.
    electrolyte : float
        The electrolyte's value, on the same scale.
    """
    part = (electrolyte - limits[0]) / (limits[1] - limits[0])
    return float(np.clip(np.log(_ELECTROLYTE_SHOWN) / np.log(np.clip(part, 0.02, 0.9)), 0.3, 1.0))
