"""Faces of the cathode by definition. In: shares of active material, slice by slice; out: heights.

Each is the height beyond which the smoothed share stays below half of its plateau.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

FWHM_UM = 13.0
_SD_OF_FWHM = 0.42466  # of a Gaussian
_TRUNCATE = 4.0
_EVERY = 4  # voxel, along y and x, takes part in the median


@dataclass(frozen=True)
class Fronts:
    """Heights in µm, shape (y, x), NaN where there is none, and the plateau that they refer to."""

    front_um: np.ndarray
    back_um: np.ndarray
    plateau: float


def cathode_fronts(
    share: Callable[[int, int], np.ndarray],
    near_um: np.ndarray,
    far_um: np.ndarray,
    inside: np.ndarray,
    rows: int,
    voxel_um: float,
) -> Fronts:
    """Find where the share of active material falls to half of its plateau, seen from outside.

    Parameters
    ----------
    share : callable
        ``share(z0, z1)`` gives the share of attached active material in each voxel (z, y, x).
    near_um, far_um : ndarray, shape (y, x)
        Up to where the cathode was filled, at small and at large z.
    inside : ndarray of bool, shape (y, x)
        The bore; only what is inside takes part in the mean.
    rows : int
        Slices of the volume.
    voxel_um : float
        Edge of a voxel.

    Returns
    -------
    Fronts
        The face at small z, the one at large z, and the plateau.
    """
    sigma = FWHM_UM * _SD_OF_FWHM / voxel_um
    middle = 0.5 * (near_um + far_um) / voxel_um
    quarter = 0.25 * (far_um - near_um) / voxel_um
    smooth = _Smooth(share, inside, sigma, rows)
    within = inside[::_EVERY, ::_EVERY]
    low, high = ((middle + s * quarter)[::_EVERY, ::_EVERY] for s in (-1, 1))
    sample = [
        values[::_EVERY, ::_EVERY][within & (low <= z) & (z <= high)]
        for z, values in smooth.slices(*_span(low, high, within, rows, 0))
    ]
    plateau = float(np.median(np.concatenate(sample)))
    room = int(np.ceil(3 * sigma))
    first, _ = _span(near_um / voxel_um, middle, inside, rows, room)
    _, stop = _span(middle, far_um / voxel_um, inside, rows, room)
    _, half = _span(middle, middle, inside, rows, 1)
    front = _first(smooth.slices(first, half), middle, plateau / 2, 1)
    start, _ = _span(middle, middle, inside, rows, 1)
    back = _first(_reversed(smooth, start, stop), middle, plateau / 2, -1)
    for face in (front, back):
        face[~inside] = np.nan
    return Fronts(
        (front * voxel_um).astype(np.float32), (back * voxel_um).astype(np.float32), plateau
    )


def _span(
    low: np.ndarray, high: np.ndarray, inside: np.ndarray, rows: int, room: int
) -> tuple[int, int]:
    first, last = int(np.floor(low[inside].min())), int(np.ceil(high[inside].max()))
    return max(0, first - room), min(rows, last + room + 1)


@dataclass(frozen=True)
class _Smooth:
    """The share averaged with a Gaussian over the bore, slice by slice."""

    share: Callable[[int, int], np.ndarray]
    inside: np.ndarray
    sigma: float
    rows: int

    def slices(self, first: int, stop: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield slices in order, with their numbers."""
        reach = int(_TRUNCATE * self.sigma + 0.5)
        taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / self.sigma) ** 2)
        taps = (taps / taps.sum()).astype(np.float32)
        window: deque[np.ndarray] = deque(maxlen=2 * reach + 1)
        flat = self._flat(first - reach, stop + reach)
        for _ in range(2 * reach):
            window.append(next(flat))
        for z in range(first, stop):
            window.append(next(flat))
            total = np.zeros_like(window[0])
            for tap, plane in zip(taps, window, strict=True):
                total += tap * plane
            yield z, total

    def _flat(self, first: int, stop: int) -> Iterator[np.ndarray]:
        """Yield slices averaged along y and x; beyond the volume there is nothing."""
        kept = self._mean(self.inside.astype(np.float32))
        weight = np.where(self.inside, 1 / np.maximum(kept, 1e-6), 0).astype(np.float32)
        step = max(1, 2**24 // self.inside.size)
        for z0 in range(first, stop, step):
            z1 = min(z0 + step, stop)
            low, high = max(z0, 0), min(z1, self.rows)
            planes = self.share(low, high) if high > low else None
            for z in range(z0, z1):
                if planes is None or not low <= z < high:
                    yield np.zeros(self.inside.shape, np.float32)
                else:
                    yield weight * self._mean(planes[z - low] * self.inside)

    def _mean(self, plane: np.ndarray) -> np.ndarray:
        mean: np.ndarray = gaussian_filter(plane, self.sigma, mode="constant", truncate=_TRUNCATE)
        return mean


def _reversed(smooth: _Smooth, first: int, stop: int) -> Iterator[tuple[int, np.ndarray]]:
    turned = _Smooth(
        lambda a, b: smooth.share(smooth.rows - b, smooth.rows - a)[::-1],
        smooth.inside, smooth.sigma, smooth.rows,
    )  # fmt: skip
    for z, values in turned.slices(smooth.rows - stop, smooth.rows - first):
        yield smooth.rows - 1 - z, values


def _first(
    slices: Iterator[tuple[int, np.ndarray]], middle: np.ndarray, half: float, step: int
) -> np.ndarray:
    """Find the first rise through half on the way from outside to the middle."""
    found = np.full(middle.shape, np.nan)
    before: np.ndarray | None = None
    for z, values in slices:
        if before is not None:
            rises = np.isnan(found) & (values >= half) & (before < half)
            rises &= step * z <= step * middle
            share = (values - half) / np.where(rises, values - before, 1)
            np.copyto(found, z - step * share, where=rises)
        before = values
    return found
