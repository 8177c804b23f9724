"""Whether slices of a file lie as far apart as is said, before anything is measured.

In: a volume as it is stored, whose layers follow each other along z; out: the shape of its grains.
"""

from __future__ import annotations

import numpy as np

from xct.io.volume_files.volume import ForeignVolume, Values
from xct.normalize.grain_shape import (
    GrainShape,
    alike,
    apart_from_mean,
    grain_shape,
    grain_warning,
)
from xct.segment.cell.orientation import layer_axis, sample_volume

_LOOKED_AT = 32  # slices
_WIDTH = 192  # voxels in the middle of each, at most half of its width
_SLICES = 32  # of the cathode, at most
_LEAST_SLICES = 5
# Standard deviation of grains over the range of all values that are looked at: electrolyte, with
# rings of a tenth, has less than 0.01, cathodes 0.06 and more.
_GRAINY = 0.02
_THINNED = 3  # every so manieth value tells the range
_ENDS = 0.2  # of the grainy slices at either end: faces


def spacing_doubt(volume: ForeignVolume) -> str | None:
    """Say that slices cannot lie as far apart as is said; None where they can, or nothing tells.

    Parameters
    ----------
    volume : ForeignVolume
        As it is stored; layers may lie along any axis.
    """
    sample = sample_volume(Values(volume), volume.voxel_size_um)
    return None if layer_axis(sample).axis else grain_warning(grains_in_file(volume))


def grains_in_file(volume: ForeignVolume) -> GrainShape | None:
    """Look for the grains of a cathode in the middle of slices, and measure their shape.

    Parameters
    ----------
    volume : ForeignVolume
        Its layers follow each other along z.

    Returns
    -------
    GrainShape or None
        None where no cathode is seen.
    """
    shape = volume.voxels.shape
    middle = [
        slice(n // 2 - min(_WIDTH, n // 2) // 2, n // 2 + min(_WIDTH, n // 2) // 2)
        for n in shape[1:]
    ]
    step = -(-shape[0] // _LOOKED_AT)
    planes = [volume.read((slice(z, z + 1), *middle))[0] for z in range(0, shape[0], step)]
    first, stop = _longest(_grainy(np.array(planes)))
    ends = _ENDS * (stop - first)
    first, stop = round((first + ends) * step), round((stop - ends) * step)
    skipped = max(stop - first - _SLICES, 0) // 2
    if stop - first < _LEAST_SLICES:
        return None
    block = volume.read((slice(first + skipped, stop - skipped), *middle))
    return grain_shape(block, volume.voxel_size_um, volume.voxel_size_um[0])


def _grainy(planes: np.ndarray) -> np.ndarray:
    """Mark slices that vary from pixel to pixel, beyond noise."""
    if not np.isfinite(planes).any():
        return np.zeros(len(planes), bool)
    # Not the least and the largest: steel that hardly any light passed scatters far beyond its own.
    low, high = np.nanquantile(planes[:, ::_THINNED, ::_THINNED], (0.05, 0.95))
    apart = apart_from_mean(planes)
    beside = alike(apart[:, :, 1:], apart[:, :, :-1], by_slice=True)
    return np.asarray(beside > (_GRAINY * (high - low)) ** 2)


def _longest(marked: np.ndarray) -> tuple[int, int]:
    """Give the longest run of what is marked, half open."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], marked.astype(int), [0]])))
    runs = edges.reshape(-1, 2)
    if not len(runs):
        return 0, 0
    first, stop = runs[np.argmax(runs[:, 1] - runs[:, 0])]
    return int(first), int(stop)
