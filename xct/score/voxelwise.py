"""One pass over two volumes. In: a slab of both; out: sums, gathered by each kind of score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.ndimage import maximum_filter, minimum_filter

from xct.score.metric import Metrics


@dataclass(frozen=True)
class Slab:
    """The same slices of a result and of its truth.

    Attributes
    ----------
    first : int
        Number of the first slice.
    mu, true_mu : ndarray of float32, shape (z, y, x)
        Attenuation in 1/cm.
    labels, true_labels : mapping of str to ndarray
        Labels by name, as far as there are any.
    interior : ndarray of bool or None
        Voxels of the truth that are surrounded by their own material; None without labels.
    """

    first: int
    mu: np.ndarray
    true_mu: np.ndarray
    labels: Mapping[str, np.ndarray]
    true_labels: Mapping[str, np.ndarray]
    interior: np.ndarray | None


class VoxelScore(Protocol):
    """Something that is summed over slabs."""

    def add(self, slab: Slab) -> None:
        """Add a slab."""
        ...

    def metrics(self) -> Metrics:
        """Give what has been found."""
        ...


def interior(kinds: np.ndarray, margin: int) -> np.ndarray:
    """Tell which voxels are surrounded by their own material, `margin` voxels in every direction.

    At the faces of what is given, only what is given counts.
    """
    size = 2 * margin + 1
    low = minimum_filter(kinds, size, mode="nearest")
    return np.asarray(low == maximum_filter(kinds, size, mode="nearest"))
