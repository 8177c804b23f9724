"""How noise adds up over neighbors. In: volume, labels; out: a factor for the noise of a mean.

Neighbors in a slice share noise where the volume is smooth, and differ the more where its
reconstruction was sharp: the mean over n voxels is wrong by more, or less, than noise over √n.
Slices do not share any, since each comes from a detector row of its own.
"""

from __future__ import annotations

import numpy as np
import scipy

from xct.geometry import Label
from xct.normalize.grey_scale import Ratios
from xct.parallel.blocks import Voxels

_SAMPLES = 9  # slices that are looked at
_EDGE = 3  # voxels of the squares whose means are compared with single voxels
_LEAST_VOXELS = 200
_QUARTILE = 0.25  # of absolute values: structure, which is rare, is above it


def shared_noise(ratios: Ratios, labels: Voxels) -> float:
    """Measure by how much the noise of a mean exceeds that of as many independent voxels.

    Second differences along z are of noise almost alone, between the grains of the electrolyte.

    Parameters
    ----------
    ratios : Ratios, shape (z, y, x)
        The volume in multiples of the electrolyte.
    labels : Voxels, shape (z, y, x)
        Materials.

    Returns
    -------
    float
        1 for independent voxels; NaN where there is too little electrolyte to tell.
    """
    depth = ratios.shape[0]
    if depth < 3:
        return float("nan")
    middles = np.unique(np.linspace(1, depth - 2, _SAMPLES).astype(int)).tolist()
    found = [_differences(ratios, labels, z) for z in middles]
    single, mean = (np.concatenate(some) for some in zip(*found, strict=True))
    if single.size < _LEAST_VOXELS:
        return float("nan")
    one, of_means = (float(np.quantile(np.abs(some), _QUARTILE)) for some in (single, mean))
    return _EDGE * of_means / one if one > 0 else float("nan")


def _differences(ratios: Ratios, labels: Voxels, z: int) -> tuple[np.ndarray, np.ndarray]:
    """Second differences along z within the electrolyte: of voxels, and of means over squares."""
    pure = (np.asarray(labels[z - 1 : z + 2]) == Label.ELECTROLYTE).all(axis=0)
    pure = scipy.ndimage.binary_erosion(pure, np.ones((_EDGE + 2, _EDGE + 2), bool))
    if not pure.any():
        return np.empty(0, np.float32), np.empty(0, np.float32)
    before, this, after = ratios.read(z - 1, z + 2)
    difference = 2 * this - before - after
    return difference[pure], scipy.ndimage.uniform_filter(difference, _EDGE)[pure]
