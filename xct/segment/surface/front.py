"""The cathode's faces: the share of active material falls to half. In: a band; out: heights.

What the particles lie in attenuates as little as the electrolyte, so μ above the electrolyte's
is a measure of their share, in any blur. Averaged over about a particle, its half is a surface.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from xct.parallel.kernels import njit
from xct.parallel.threads import over_ranges
from xct.segment.surface.bands import Band, Strip
from xct.statistics.gaussian import gaussian_taps

# Loose particles in front of the cathode, erased. In: a strip of a band; out: without them.

_SEEN = 0.4  # of a particle's contrast: more is active material
_CONTRAST_QUANTILE = 0.9  # of what exceeds the plateau in the middle of the cathode
_LEAST_VOXELS = 8
_BEYOND = 0.8  # of its diameter that a loose particle's middle lies ahead of the front
_RIM = 2  # voxels that a particle's blur reaches


def erase_loose(
    values: np.ndarray,
    base: np.ndarray,
    front: np.ndarray,
    middle: np.ndarray,
    plateau: float,
) -> np.ndarray:
    """Put the electrolyte's μ in place of particles that drifted off the cathode.

    A particle is loose that is not connected to the cathode's middle, and whose own middle lies
    ahead of the front by most of its diameter at least.

    Parameters
    ----------
    values : ndarray of float32, shape (s, y, x)
        μ along s; not changed.
    base : ndarray of float64, shape (s,)
        μ without active material.
    front, middle : ndarray of float64, shape (y, x)
        A first guess of the front, and the middle of the cathode, along s.
    plateau : float
        Excess of μ in the cathode.

    Returns
    -------
    ndarray of float32, shape (s, y, x)
    """
    import cc3d

    body = np.nan_to_num(middle, nan=-1.0)
    stop = int(min(len(values), np.nanmax(body) + 1)) if body.size else 0
    if stop < 2 or not np.isfinite(front).any():
        return values
    limit = _limit(values[:stop], base[:stop], body, plateau)
    labels = cc3d.connected_components(_bright(values, base, body, limit, stop), connectivity=26)
    count = int(labels.max())
    facts = _measured(labels, body, np.nan_to_num(front, nan=np.inf), count)
    size, ahead, attached = facts
    diameter = np.cbrt(6 / np.pi * size)
    loose = (attached == 0) & (size >= _LEAST_VOXELS)
    loose &= ahead / np.maximum(size, 1) > _BEYOND * diameter
    if not loose[1:].any():
        return values
    cleaned = values.copy()
    _erase(cleaned, base.astype(np.float32), labels, loose)
    return cleaned


def _limit(values: np.ndarray, base: np.ndarray, body: np.ndarray, plateau: float) -> float:
    """Tell the excess of μ that only active material has."""
    s = np.arange(len(values))[:, None, None]
    near = body[None, ::4, ::4]
    sample = (values - base[:, None, None].astype(np.float32))[:, ::4, ::4]
    deep = sample[(near >= 0) & (s > near - 8) & (s <= near)]
    bright = deep[deep > plateau]
    contrast = float(np.quantile(bright, _CONTRAST_QUANTILE)) if bright.size else 2 * plateau
    return _SEEN * contrast


def _bright(
    values: np.ndarray, base: np.ndarray, body: np.ndarray, limit: float, stop: int
) -> np.ndarray:
    """Mark active material, and all that lies in the cathode's farther half."""
    mask = np.empty((stop, *values.shape[1:]), np.uint8)
    over_ranges(lambda a, b: _mark(values, base, body, limit, mask, a, b), stop)
    return mask


@njit(cache=True, nogil=True)
def _mark(
    values: np.ndarray,
    base: np.ndarray,
    body: np.ndarray,
    limit: float,
    mask: np.ndarray,
    first: int,
    stop: int,
) -> None:
    for s in range(first, stop):
        for y in range(mask.shape[1]):
            for x in range(mask.shape[2]):
                deep = body[y, x] >= 0 and s >= body[y, x]
                bright = body[y, x] >= 0 and values[s, y, x] - base[s] > limit
                mask[s, y, x] = 1 if deep or bright else 0


@njit(cache=True, nogil=True)
def _measured(
    labels: np.ndarray, body: np.ndarray, front: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    size, ahead = np.zeros(count + 1), np.zeros(count + 1)
    attached = np.zeros(count + 1, np.uint8)
    for s in range(labels.shape[0]):
        for y in range(labels.shape[1]):
            for x in range(labels.shape[2]):
                label = labels[s, y, x]
                if label == 0:
                    continue
                size[label] += 1
                ahead[label] += min(front[y, x] - s, 1e6)
                if s >= body[y, x]:
                    attached[label] = 1
    return size, ahead, attached


@njit(cache=True, nogil=True)
def _erase(values: np.ndarray, base: np.ndarray, labels: np.ndarray, loose: np.ndarray) -> None:
    depth, rows, columns = labels.shape
    for s in range(depth):
        for y in range(rows):
            for x in range(columns):
                if not loose[labels[s, y, x]]:
                    continue
                for k in range(max(0, s - _RIM), min(depth, s + _RIM + 1)):
                    for j in range(max(0, y - _RIM), min(rows, y + _RIM + 1)):
                        for i in range(max(0, x - _RIM), min(columns, x + _RIM + 1)):
                            if labels[k, j, i] == 0 or loose[labels[k, j, i]]:
                                values[k, j, i] = base[k]


Kernel = Callable[[int, int], object]

_MAPS = ("front", "front_sd", "back", "back_sd")
_EVERY = 4  # column, along y and x, takes part in the median
_DOUBT = 0.04  # of the plateau: what the share is uncertain by, beside noise


@dataclass(frozen=True)
class Faces:
    """Both faces of the cathode in voxels along s; NaN where there is none, shape (y, x).

    Attributes
    ----------
    front, front_sd, back, back_sd : ndarray of float64
        Faces towards the anode and towards the collector, and their standard deviations.
    plateau : float
        Excess of μ in the middle of the cathode, 1/cm.
    """

    front: np.ndarray
    front_sd: np.ndarray
    back: np.ndarray
    back_sd: np.ndarray
    plateau: float


def cathode_faces(
    band: Band,
    inside: np.ndarray,
    base: np.ndarray,
    middle: np.ndarray,
    quarter: float,
    sigma_px: tuple[float, float],
) -> Faces:
    """Find both faces of the cathode in every column of the bore.

    Parameters
    ----------
    band : Band
        Slices: the cathode and as much beside it as its faces may be off.
    inside : ndarray of bool, shape (y, x)
        Columns that take part in the average.
    base : ndarray of float64, shape (s,)
        μ without active material.
    middle : ndarray of float64, shape (y, x)
        s of the middle of the cathode; NaN outside of the bore.
    quarter : float
        A quarter of its thickness, voxels.
    sigma_px : tuple of float
        Width of the Gaussian across the columns, and along them.

    Returns
    -------
    Faces
    """
    taps = gaussian_taps(sigma_px[1]).astype(np.float64)
    plateau = _plateau(band, inside, base, middle, quarter, sigma_px[0], taps)
    faces = Faces(**{name: np.full(middle.shape, np.nan) for name in _MAPS}, plateau=plateau)
    if not plateau > 0:
        return faces
    rough = np.full(middle.shape, np.nan)
    for strip in band:
        smooth = strip.averaged(inside, sigma_px[0])
        near = np.ascontiguousarray(middle[strip.rows])
        found: Kernel = partial(
            _from_inside, smooth, base, near, 0.5 * plateau, taps, rough[strip.rows]
        )
        over_ranges(found, len(near), pieces=4)
    for strip in band:
        seen = strip.seen
        cleaned = erase_loose(strip.values, base, rough[seen], middle[seen], plateau)
        smooth = Strip(strip.rows, strip.reach, cleaned).averaged(inside, sigma_px[0])
        near = np.ascontiguousarray(middle[strip.rows])
        parts = [getattr(faces, name)[strip.rows] for name in _MAPS]
        found = partial(_from_outside, smooth, base, near, plateau, taps, *parts)
        over_ranges(found, len(near), pieces=4)
    return faces


def _plateau(
    band: Band,
    inside: np.ndarray,
    base: np.ndarray,
    middle: np.ndarray,
    quarter: float,
    sigma_px: float,
    taps: np.ndarray,
) -> float:
    """Take the median over the middle half; over strips, the mean of their medians."""
    medians, counts = [0.0], [0]
    for strip in band:
        near = np.ascontiguousarray(middle[strip.rows])
        smooth = strip.averaged(inside, sigma_px)
        sample = _middle_half(smooth, base, near, quarter, taps)
        medians.append(float(np.median(sample)) if sample.size else 0.0)
        counts.append(sample.size)
    return float(np.average(medians, weights=counts)) if sum(counts) else float("nan")


@njit(cache=True, nogil=True)
def _column(
    values: np.ndarray, base: np.ndarray, y: int, x: int, taps: np.ndarray, smooth: np.ndarray
) -> None:
    """Average one column along s; what lies beyond the band is left out."""
    reach, count = taps.size // 2, values.shape[0]
    for s in range(count):
        total, weight = 0.0, 0.0
        for k in range(max(0, reach - s), min(taps.size, count + reach - s)):
            value = values[s + k - reach, y, x] - base[s + k - reach]
            if value == value:
                total += taps[k] * value
                weight += taps[k]
        smooth[s] = total / weight if weight > 0.3 else np.nan


@njit(cache=True, nogil=True)
def _middle_half(
    values: np.ndarray, base: np.ndarray, middle: np.ndarray, quarter: float, taps: np.ndarray
) -> np.ndarray:
    count, rows, width = values.shape
    smooth = np.empty(count)
    most = int(2 * quarter) + 2
    found = np.empty((rows // _EVERY + 1) * (width // _EVERY + 1) * most, np.float32)
    number = 0
    for y in range(0, rows, _EVERY):
        for x in range(0, width, _EVERY):
            if not middle[y, x] >= 0:
                continue
            _column(values, base, y, x, taps, smooth)
            low = max(0, int(np.ceil(middle[y, x] - quarter)))
            for s in range(low, min(count, int(middle[y, x] + quarter) + 1)):
                if smooth[s] == smooth[s]:
                    found[number] = smooth[s]
                    number += 1
    return found[:number]


@njit(cache=True, nogil=True)
def _from_inside(
    values: np.ndarray,
    base: np.ndarray,
    middle: np.ndarray,
    half: float,
    taps: np.ndarray,
    front: np.ndarray,
    first: int,
    stop: int,
) -> None:
    """Find where the share first stays below half, from the middle on: whatever is loose or not."""
    count, _, width = values.shape
    smooth = np.empty(count)
    for y in range(first, stop):
        for x in range(width):
            if not middle[y, x] >= 0:
                continue
            _column(values, base, y, x, taps, smooth)
            for s in range(min(max(int(middle[y, x]), 1), count - 1), 3, -1):
                if smooth[s] >= half and smooth[s - 1] < half and smooth[s - 3] < half:
                    front[y, x] = s - (smooth[s] - half) / (smooth[s] - smooth[s - 1])
                    break


@njit(cache=True, nogil=True)
def _from_outside(
    values: np.ndarray,
    base: np.ndarray,
    middle: np.ndarray,
    plateau: float,
    taps: np.ndarray,
    front: np.ndarray,
    front_sd: np.ndarray,
    back: np.ndarray,
    back_sd: np.ndarray,
    first: int,
    stop: int,
) -> None:
    """Find the first rise through half on the way from outside to the middle."""
    count, _, width = values.shape
    smooth = np.empty(count)
    half, doubt = 0.5 * plateau, _DOUBT * plateau
    for y in range(first, stop):
        for x in range(width):
            if not middle[y, x] >= 0:
                continue
            _column(values, base, y, x, taps, smooth)
            center = min(max(int(middle[y, x]), 0), count - 1)
            for s in range(center):
                rise = smooth[s + 1] - smooth[s]
                if smooth[s] < half and smooth[s + 1] >= half:
                    front[y, x] = s + (half - smooth[s]) / rise
                    front_sd[y, x] = doubt / rise
                    break
            for s in range(count - 1, center, -1):
                rise = smooth[s - 1] - smooth[s]
                if smooth[s] < half and smooth[s - 1] >= half:
                    back[y, x] = s - (half - smooth[s]) / rise
                    back_sd[y, x] = doubt / rise
                    break
