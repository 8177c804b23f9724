"""Bands: the slices about a surface, smoothed across. In: a volume; out: columns, strip by strip.

A band runs along the depth s: away from the anode, whichever side of the volume that is on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, floor

import numpy as np
from numba import njit

from xct.geometry import CellGeometry
from xct.threads import over_ranges
from xct.voxels import Voxels

_STRIP_BYTES = 160 * 2**20
_TRUNCATE = 3.0  # a Gaussian ends after so many sd


@dataclass(frozen=True)
class Span:
    """Slices of a band, counted by s along the direction away from the anode.

    Attributes
    ----------
    first : int
        Slice of s = 0.
    count : int
        Slices.
    sign : int
        +1 where s grows with the slice number, else -1.
    voxel_um : float
        Edge of a voxel along z.
    """

    first: int
    count: int
    sign: int
    voxel_um: float

    @property
    def slices(self) -> slice:
        """Slices of the volume, ascending."""
        last = self.first + self.sign * (self.count - 1)
        return slice(min(self.first, last), max(self.first, last) + 1)

    def s_of(self, z_um: np.ndarray | float) -> np.ndarray:
        """Tell s of heights in µm."""
        return np.asarray(self.sign * (np.asarray(z_um) / self.voxel_um - self.first))

    def z_um(self, s: np.ndarray | float) -> np.ndarray:
        """Tell the height of s in µm."""
        return np.asarray((self.first + self.sign * np.asarray(s)) * self.voxel_um)


def span_between(cell: CellGeometry, near_um: float, far_um: float) -> Span:
    """Take the slices between two heights; `near_um` is the one towards the anode."""
    voxel = cell.voxel_size_um[0]
    low, high = sorted((near_um, far_um))
    first = max(0, floor(low / voxel))
    last = min(cell.shape[0] - 1, ceil(high / voxel))
    count = max(0, last - first + 1)
    return Span(first if cell.sign > 0 else last, count, cell.sign, voxel)


@dataclass(frozen=True)
class Strip:
    """Some rows of a band.

    Attributes
    ----------
    rows : slice
        Rows (y) of the volume that `values` holds.
    values : ndarray of float32, shape (s, y, x)
        μ in 1/cm, averaged across; NaN where no voxel in reach belongs to the bore.
    """

    rows: slice
    values: np.ndarray


def strips(volume: Voxels, span: Span, inside: np.ndarray, sigma_px: float) -> Iterator[Strip]:
    """Read a band strip by strip, and average it across the columns.

    Parameters
    ----------
    volume : Voxels
        μ in 1/cm.
    span : Span
        Which slices.
    inside : ndarray of bool, shape (y, x)
        Columns that take part in the average: not the wall.
    sigma_px : float
        Width of the Gaussian; 0 leaves the columns as they are.

    Yields
    ------
    Strip
    """
    height, width = inside.shape
    reach = ceil(_TRUNCATE * sigma_px)
    rows = max(1, min(height, _STRIP_BYTES // max(1, 4 * width * span.count)))
    if rows < height:  # chunks on disk are tall: strips that end with them read each but once
        rows = max(1, rows // 256) * 256 if rows >= 256 else rows
    for first in range(0, height, rows):
        stop = min(height, first + rows)
        low, high = max(0, first - reach), min(height, stop + reach)
        if not inside[low:high].any():
            continue
        block = np.asarray(volume[span.slices, low:high], dtype=np.float32)
        smooth = average_across(block[:: span.sign], inside[low:high], sigma_px)
        yield Strip(slice(first, stop), smooth[:, first - low : stop - low])


def average_across(block: np.ndarray, inside: np.ndarray, sigma_px: float) -> np.ndarray:
    """Average each slice by a Gaussian over the voxels inside that hold a value.

    Parameters
    ----------
    block : ndarray of float32, shape (s, y, x)
        Slices.
    inside : ndarray of bool, shape (y, x)
        Which columns take part.
    sigma_px : float
        Width of the Gaussian.

    Returns
    -------
    ndarray of float32, shape (s, y, x)
        NaN where no voxel in reach takes part.
    """
    taps = gaussian_taps(sigma_px)
    smooth = np.empty(block.shape, np.float32)
    over_ranges(lambda a, b: _average(block, inside, taps, smooth, a, b), len(block))
    return smooth


def gaussian_taps(sigma_px: float) -> np.ndarray:
    """Weights of a Gaussian of sum 1, float32, of odd length."""
    if sigma_px <= 0:
        return np.ones(1, np.float32)
    reach = ceil(_TRUNCATE * sigma_px)
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma_px) ** 2)
    return np.asarray(taps / taps.sum(), np.float32)


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz", "arcp"})
def _average(
    block: np.ndarray,
    inside: np.ndarray,
    taps: np.ndarray,
    smooth: np.ndarray,
    first: int,
    stop: int,
) -> None:
    _, height, width = block.shape
    reach = taps.size // 2
    # One row more on either side than are looked at, so that the inner loops have no conditions.
    values = np.zeros((height, width + 2 * reach), np.float32)
    weights = np.zeros((height, width + 2 * reach), np.float32)
    total = np.empty(width + 2 * reach, np.float32)
    weight = np.empty(width + 2 * reach, np.float32)
    for s in range(first, stop):
        for y in range(height):
            for x in range(width):
                value = block[s, y, x]
                good = inside[y, x] and value == value
                values[y, reach + x] = value if good else np.float32(0)
                weights[y, reach + x] = np.float32(1) if good else np.float32(0)
        for y in range(height):
            total[:] = np.float32(0)
            weight[:] = np.float32(0)
            for k in range(max(0, reach - y), min(taps.size, height + reach - y)):
                row, tap = y + k - reach, taps[k]
                for x in range(width + 2 * reach):
                    total[x] += tap * values[row, x]
                    weight[x] += tap * weights[row, x]
            for x in range(width):
                above, below = np.float32(0), np.float32(0)
                for k in range(taps.size):
                    above += taps[k] * total[x + k]
                    below += taps[k] * weight[x + k]
                if below > np.float32(1e-4):
                    smooth[s, y, x] = above / below
                else:
                    smooth[s, y, x] = np.nan
