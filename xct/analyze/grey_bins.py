"""Bins of grey values, and counting voxels into them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xct.parallel.kernels import njit


@dataclass(frozen=True)
class GreyBins:
    """Equal bins; the first and the last also hold what lies beyond.

    Attributes
    ----------
    low, high : float
        Lower edge of the first and upper edge of the last bin.
    count : int
        Number of bins.
    """

    low: float = 10_000.0
    high: float = 60_000.0
    count: int = 1000

    def __post_init__(self) -> None:
        if not (np.isfinite([self.low, self.high]).all() and self.low < self.high):
            raise ValueError(
                f"bins from {self.low:g} to {self.high:g} are empty; low must be below high"
            )
        if self.count < 3:
            raise ValueError(f"{self.count} bins are too few; a histogram needs at least 3")

    @property
    def width(self) -> float:
        """Width of a bin."""
        return (self.high - self.low) / self.count

    @property
    def grey_value(self) -> np.ndarray:
        """Centers of the bins."""
        return self.low + (np.arange(self.count) + 0.5) * self.width


@njit(cache=True, nogil=True)
def count_blocks(
    values: np.ndarray,
    mask: np.ndarray,
    masked: bool,
    first: int,
    edge_z: int,
    edge_y: int,
    edge_x: int,
    blocks_y: int,
    blocks_x: int,
    low: float,
    width: float,
    counts: np.ndarray,
) -> int:
    """Add rows of a box to the counts (block, bin) of blocks of voxels; return the NaN.

    `first` is the row of the box that comes first in `values`.
    """
    bins = counts.shape[1]
    missing = 0
    inverse = 1.0 / width
    for z in range(values.shape[0]):
        block_z = (first + z) // edge_z * blocks_y
        for y in range(values.shape[1]):
            block_y = (block_z + y // edge_y) * blocks_x
            for x in range(values.shape[2]):
                if masked and not mask[z, y, x]:
                    continue
                value = values[z, y, x]
                if value != value:
                    missing += 1
                    continue
                place = (value - low) * inverse
                number = int(min(max(place, 0.0), bins - 1.0))
                counts[block_y + x // edge_x, number] += 1
    return missing


@njit(cache=True, nogil=True)
def count_disc(
    plane: np.ndarray,
    y_off: np.ndarray,
    x_off: np.ndarray,
    radius: float,
    low: float,
    width: float,
    counts: np.ndarray,
) -> None:
    """Add the voxels of a slice within a circle to the counts (bin,); NaN are left out."""
    bins = counts.size
    inverse = 1.0 / width
    for y in range(plane.shape[0]):
        left = radius * radius - y_off[y] * y_off[y]
        if left < 0:
            continue
        for x in range(plane.shape[1]):
            if x_off[x] * x_off[x] > left:
                continue
            value = plane[y, x]
            if value == value:
                counts[int(min(max((value - low) * inverse, 0.0), bins - 1.0))] += 1
