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
# Edges of the squares whose means are compared with single voxels. Narrow ones are many; where
# noise is so smooth that it hardly differs within one, it shows in full only in wide ones.
_EDGES = (3, 7)
_SMOOTH = 2.0  # of at most 3
_LEAST_SQUARES = 100  # that share no voxel
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
    parts = [np.concatenate(some, axis=1) for some in zip(*found, strict=True)]
    narrow, wide = map(_factor, parts, _EDGES)
    return float(np.fmax(narrow, wide)) if narrow > _SMOOTH else narrow


def _factor(differences: np.ndarray, edge: int) -> float:
    """Compare the means over squares with single voxels, shape ([voxel, mean], n)."""
    if differences.shape[1] < _LEAST_SQUARES * edge**2:
        return float("nan")
    one, of_means = np.quantile(np.abs(differences), _QUARTILE, axis=1)
    return float(edge * of_means / one) if one > 0 else float("nan")


def _differences(ratios: Ratios, labels: Voxels, z: int) -> list[np.ndarray]:
    """Second differences along z within the electrolyte: of voxels, and of means over squares."""
    electrolyte = (np.asarray(labels[z - 1 : z + 2]) == Label.ELECTROLYTE).all(axis=0)
    if not electrolyte.any():
        return [np.empty((2, 0), np.float32) for _ in _EDGES]
    before, this, after = ratios.read(z - 1, z + 2)
    difference = 2 * this - before - after
    found = []
    for edge in _EDGES:
        pure = scipy.ndimage.binary_erosion(electrolyte, np.ones((edge + 2, edge + 2), bool))
        mean = scipy.ndimage.uniform_filter(difference, edge)
        found.append(np.stack([difference[pure], mean[pure]]))
    return found
