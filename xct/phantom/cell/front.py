"""Faces of the cathode by definition. In: fraction of active material by slice; out: heights.

Each is the height beyond which the smoothed fraction stays below half of its plateau.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from scipy.ndimage import gaussian_filter

from xct.physics.optics import FWHM_PER_SIGMA

FWHM_UM = 13.0
_TRUNCATE = 4.0
_SLAB_VOXELS, _KEPT_VOXELS = 2**24, 2**26
_EVERY = 4  # voxel, along y and x, takes part in the median


@dataclass(frozen=True)
class Fronts:
    """Heights in µm, shape (y, x), NaN where there is none, and the plateau that they refer to."""

    front_um: np.ndarray
    back_um: np.ndarray
    plateau: float


def cathode_fronts(
    fraction: Callable[[int, int], np.ndarray],
    near_um: np.ndarray,
    far_um: np.ndarray,
    inside: np.ndarray,
    rows: int,
    voxel_um: float,
) -> Fronts:
    """Find where the fraction of active material falls to half of its plateau, seen from outside.

    Parameters
    ----------
    fraction : callable
        ``fraction(z0, z1)`` gives the fraction of attached active material in each voxel (z, y, x).
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
    sigma = FWHM_UM / FWHM_PER_SIGMA / voxel_um
    middle = 0.5 * (near_um + far_um) / voxel_um
    quarter = 0.25 * (far_um - near_um) / voxel_um
    smooth = _Smooth(fraction, inside, sigma, rows)
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
    back = _first(smooth.slices(stop - 1, start - 1), middle, plateau / 2, -1)
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
    """The fraction averaged with a Gaussian over the bore, slice by slice."""

    fraction: Callable[[int, int], np.ndarray]
    inside: np.ndarray
    sigma: float
    rows: int
    kept: dict[int, np.ndarray] = field(default_factory=dict)

    def slices(self, first: int, stop: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield slices from first to stop, upwards or downwards, with their numbers."""
        step = 1 if stop > first else -1
        reach = int(_TRUNCATE * self.sigma + 0.5)
        taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / self.sigma) ** 2)
        taps = (taps / taps.sum()).astype(np.float32)
        window: deque[np.ndarray] = deque(maxlen=2 * reach + 1)
        flat = self._flat(range(first - step * reach, stop + step * reach, step))
        for _ in range(2 * reach):
            window.append(next(flat))
        for z in range(first, stop, step):
            window.append(next(flat))
            total = np.zeros_like(window[0])
            for tap, plane in zip(taps, window, strict=True):
                total += tap * plane
            yield z, total

    def _flat(self, order: range) -> Iterator[np.ndarray]:
        """Yield slices averaged along y and x; beyond the volume there is nothing."""
        nothing = np.zeros(self.inside.shape, np.float32)
        height = max(1, _SLAB_VOXELS // nothing.size)
        for start in range(0, len(order), height):
            part = order[start : start + height]
            there = [z for z in part if 0 <= z < self.rows]
            planes = self._planes(there)
            for z in part:
                yield planes.get(z, nothing)

    def _planes(self, wanted: list[int]) -> dict[int, np.ndarray]:
        """Average some slices; a small cathode is kept for the next way through it."""
        missing = [z for z in wanted if z not in self.kept]
        made = {z: self.kept[z] for z in wanted if z in self.kept}
        if missing:
            low = min(missing)
            fraction = self.fraction(low, max(missing) + 1)
            weight = _mean(self.inside.astype(np.float32), self.sigma)
            weight = np.where(self.inside, 1 / np.maximum(weight, 1e-6), 0).astype(np.float32)
            for z in missing:
                made[z] = weight * _mean(fraction[z - low] * self.inside, self.sigma)
        if (len(self.kept) + len(missing)) * self.inside.size <= _KEPT_VOXELS:
            self.kept.update(made)
        return made


def _mean(plane: np.ndarray, sigma: float) -> np.ndarray:
    mean: np.ndarray = gaussian_filter(plane, sigma, mode="constant", truncate=_TRUNCATE)
    return mean


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
            rise = (values - half) / np.where(rises, values - before, 1)
            np.copyto(found, z - step * rise, where=rises)
        before = values
    return found
