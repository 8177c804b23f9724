"""What a pixel looks like at several scales. In: grey values; out: features, slab by slab."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from typing import Any, Literal

import numpy as np

from xct.errors import DataError
from xct.parallel.blocks import Voxels, slabs

Dimensions = Literal[2, 3]

_TRUNCATE = 4.0  # of scikit-image's Gaussians
_DERIVATIVES = 4  # rows that its derivatives reach beyond these
_SLAB_BYTES = 256 * 2**20
# Between two scales: in slices of one cathode widths differ by a fifth, medians by a quarter width.
_OTHER = 2.0
_SAMPLE = 200_000  # voxels from which the range of grey values is taken


@dataclass(frozen=True)
class Look:
    """How features are made.

    Attributes
    ----------
    sigma_px : float
        Largest scale; the smallest is 1, each one twice the one before.
    dimensions : {2, 3}
        Whether slices are looked at one by one, or as a volume.
    scale : tuple of float or None
        Median and interquartile range of the grey values that were learnt from. A volume that is
        plainly on another scale is brought to it, so that what was learnt serves there, too;
        within one scale grey values stay what they are: they tell materials better than their
        rank among the others does. None: they always stay.
    """

    sigma_px: float = 8.0
    dimensions: Dimensions = 2
    scale: tuple[float, float] | None = None

    @property
    def overlap(self) -> int:
        """Slices that a slice's features depend on, on each side."""
        return ceil(_TRUNCATE * self.sigma_px) + _DERIVATIVES if self.dimensions == 3 else 0

    @property
    def count(self) -> int:
        """Number of features."""
        return (2 + self.dimensions) * (int(np.log2(self.sigma_px)) + 1)

    def slabs(
        self, volume: Voxels, rows: int | None = None, only: np.ndarray | None = None
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Yield features slab by slab: the first slice, and features (z, y, x, feature).

        Parameters
        ----------
        volume : Voxels, shape (z, y, x)
            Grey values.
        rows : int, optional
            Slices of a slab; the answer does not depend on it.
        only : ndarray of bool, shape (z,), optional
            Slabs without any of these slices are left out.
        """
        factor, offset = self._to_scale(volume)
        plane = 4 * self.count * int(np.prod(volume.shape[1:]))
        height = rows or max(1, _SLAB_BYTES // plane - 2 * self.overlap)
        for block in slabs(volume.shape, self.overlap, height):
            if only is not None and not only[block.first : block.stop].any():
                continue
            grey = np.asarray(volume[block.outer], np.float32)
            if (factor, offset) != (1.0, 0.0):
                grey = grey * np.float32(factor) + np.float32(offset)
            if not np.isfinite(grey).all():
                raise DataError(
                    f"slices {block.outer_first} to {block.outer_stop - 1} hold values that are "
                    "not finite; a classifier needs a volume without gaps"
                )
            yield block.first, self.of(grey)[block.inner]

    def _to_scale(self, volume: Voxels) -> tuple[float, float]:
        """Find factor and offset that bring a volume to the scale that was learnt from."""
        if self.scale is None:
            return 1.0, 0.0
        middle, width = grey_range(volume)
        wanted, wanted_width = self.scale
        factor = wanted_width / width
        if 1 / _OTHER < factor < _OTHER and abs(middle - wanted) < _OTHER * wanted_width:
            return 1.0, 0.0
        return factor, wanted - factor * middle

    def of(self, grey: np.ndarray) -> np.ndarray:
        """Give the features of a slab, shape (z, y, x, feature)."""
        if self.dimensions == 3:
            return self._basic(grey)
        return np.stack([self._basic(plane) for plane in grey])

    def _basic(self, image: np.ndarray) -> np.ndarray:
        from skimage.feature import multiscale_basic_features

        look: Any = multiscale_basic_features  # numpydoc types only
        found = look(
            image,
            sigma_min=1,
            sigma_max=self.sigma_px,
            num_sigma=int(np.log2(self.sigma_px)) + 1,
        )
        return np.asarray(found, np.float32)


def grey_range(volume: Voxels) -> tuple[float, float]:
    """Give median and interquartile range of a volume, from voxels evenly distributed over it."""
    every = max(1, ceil((float(np.prod(volume.shape)) / _SAMPLE) ** (1 / 3)))
    sample = np.concatenate(
        [np.asarray(volume[z : z + 1])[:, ::every, ::every].ravel()
         for z in range(0, volume.shape[0], every)]
    )  # fmt: skip
    low, middle, high = np.nanquantile(sample, [0.25, 0.5, 0.75])
    if not high > low:
        raise DataError(f"all grey values are {middle:g}; there is nothing to distinguish")
    return float(middle), float(high - low)
