"""Bands: the slices about a surface, smoothed across. In: a volume; out: columns, strip by strip.

A band runs along s, in voxels away from the anode, whichever side of the volume that is on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, floor

import numpy as np

from xct.geometry import CellGeometry
from xct.parallel.blocks import Voxels
from xct.parallel.kernels import njit
from xct.parallel.threads import over_ranges
from xct.statistics.gaussian import gaussian_taps

_STRIP_BYTES = 192 * 2**20
_CHUNK_ROWS = 64  # strips that are cut end at multiples of it
_LEAST_WEIGHT = 1e-3  # of a full neighborhood, to be an average at all


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
    return Span(first if cell.sign > 0 else last, max(0, last - first + 1), cell.sign, voxel)


@dataclass(frozen=True)
class Strip:
    """Some rows of a band.

    Attributes
    ----------
    rows : slice
        Rows (y) of the volume that belong to the strip.
    reach : int
        Rows more that `values` holds before these (at the volume's edge, fewer).
    values : ndarray of float32, shape (s, y, x)
        μ in 1/cm; NaN outside of the bore.
    """

    rows: slice
    reach: int
    values: np.ndarray

    @property
    def own(self) -> slice:
        """Where the strip's rows lie in `values`."""
        return slice(self.reach, self.reach + self.rows.stop - self.rows.start)

    @property
    def seen(self) -> slice:
        """Rows of the volume that `values` holds."""
        first = self.rows.start - self.reach
        return slice(first, first + self.values.shape[1])

    def averaged(self, inside: np.ndarray, sigma_px: float) -> np.ndarray:
        """Average across; only the strip's own rows are right and given."""
        return average_across(self.values, inside[self.seen], sigma_px, self.own)


class Band:
    """The columns of a band, strip by strip; one that fits into memory is read once.

    Parameters
    ----------
    volume : Voxels
        μ in 1/cm.
    span : Span
        Which slices.
    bore : ndarray of bool, shape (y, x)
        Columns; strips without any are left out.
    reach : int
        Rows that a strip must see beyond its own.
    """

    def __init__(self, volume: Voxels, span: Span, bore: np.ndarray, reach: int) -> None:
        self.volume, self.span, self.bore, self.reach = volume, span, bore, reach
        rows = max(1, _STRIP_BYTES // max(1, 4 * bore.shape[1] * span.count))
        if rows < bore.shape[0]:
            rows = max(rows // _CHUNK_ROWS, 1) * _CHUNK_ROWS
        self.rows = rows
        self._kept: Strip | None = None

    def __iter__(self) -> Iterator[Strip]:
        if self._kept is not None:
            yield self._kept
            return
        height = self.bore.shape[0]
        for first in range(0, height, self.rows):
            stop = min(height, first + self.rows)
            if not self.bore[first:stop].any() or not self.span.count:
                continue
            strip = self._read(first, stop)
            if self.rows >= height:
                self._kept = strip
            yield strip

    def _read(self, first: int, stop: int) -> Strip:
        low, high = max(0, first - self.reach), min(self.bore.shape[0], stop + self.reach)
        block = self.volume[self.span.slices, low:high]
        return Strip(
            slice(first, stop),
            first - low,
            np.asarray(block, dtype=np.float32)[:: self.span.sign],
        )


def average_across(
    block: np.ndarray, inside: np.ndarray, sigma_px: float, rows: slice = slice(None)
) -> np.ndarray:
    """Average each slice by a Gaussian over the voxels inside that hold a value.

    Parameters
    ----------
    block : ndarray of float32, shape (s, y, x)
        Slices.
    inside : ndarray of bool, shape (y, x)
        Which columns take part.
    sigma_px : float
        Width of the Gaussian.
    rows : slice, optional
        Which y are wanted.

    Returns
    -------
    ndarray of float32, shape (s, wanted y, x)
        NaN where no voxel in reach takes part.
    """
    first, stop, _ = rows.indices(block.shape[1])
    taps = gaussian_taps(sigma_px)
    smooth = np.empty((len(block), stop - first, block.shape[2]), np.float32)
    over_ranges(
        lambda a, b: _average(block, inside, taps, first, smooth, a, b), len(block), pieces=4
    )
    return smooth


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz", "arcp"})
def _average(
    block: np.ndarray,
    inside: np.ndarray,
    taps: np.ndarray,
    first_row: int,
    smooth: np.ndarray,
    first: int,
    stop: int,
) -> None:
    _, height, width = block.shape
    reach = taps.size // 2
    # Room on either side, so that the inner loops have no conditions.
    values = np.zeros((height, width), np.float32)
    weights = np.zeros((height, width), np.float32)
    total = np.zeros(width + 2 * reach, np.float32)
    weight = np.zeros(width + 2 * reach, np.float32)
    above, below = np.empty(width, np.float32), np.empty(width, np.float32)
    for s in range(first, stop):
        for y in range(height):
            for x in range(width):
                value = block[s, y, x]
                good = inside[y, x] and value == value
                values[y, x] = value if good else np.float32(0)
                weights[y, x] = np.float32(1) if good else np.float32(0)
        for row in range(smooth.shape[1]):
            y = row + first_row
            total[reach : reach + width] = np.float32(0)
            weight[reach : reach + width] = np.float32(0)
            for k in range(max(0, reach - y), min(taps.size, height + reach - y)):
                line, tap = y + k - reach, taps[k]
                for x in range(width):
                    total[reach + x] += tap * values[line, x]
                    weight[reach + x] += tap * weights[line, x]
            above[:] = np.float32(0)
            below[:] = np.float32(0)
            for k in range(taps.size):
                tap = taps[k]
                for x in range(width):
                    above[x] += tap * total[x + k]
                    below[x] += tap * weight[x + k]
            for x in range(width):
                if below[x] > np.float32(_LEAST_WEIGHT):
                    smooth[s, row, x] = above[x] / below[x]
                else:
                    smooth[s, row, x] = np.nan
