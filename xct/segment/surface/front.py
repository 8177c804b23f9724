"""The cathode's faces: the fraction of active material falls to half. In: a band; out: heights.

What the particles lie in attenuates as little as the electrolyte, so μ above the electrolyte's
is a measure of their fraction, in any blur. Averaged over about a particle, its half is a surface.
"""

from __future__ import annotations

from functools import partial, reduce
from typing import NamedTuple

import numpy as np

from xct.parallel.kernels import njit
from xct.parallel.threads import over_ranges
from xct.segment.surface.averages import average_across
from xct.segment.surface.bands import Band, Strip
from xct.segment.surface.detached import (
    Body,
    Pieces,
    detached_voxels,
    find_pieces,
    without_detached,
)
from xct.segment.surface.excess import ExcessCounts
from xct.statistics.gaussian import gaussian_taps

_EVERY = 4  # column, along y and x, takes part in quantiles
_FRACTION_SD = 0.04  # of the plateau: what the fraction is uncertain by, beside noise
_IN_FRONT = 8  # voxels before the middle from which the particles' contrast is taken
_ACTIVE = 0.4  # of a particle's contrast: more is active material
_CONTRAST_QUANTILE = 0.9  # of what exceeds the plateau in the middle of the cathode
_LEAST_WEIGHT = 0.3  # of the average along a column, to be one


class Cathode(NamedTuple):
    """What is known of a cathode before its faces are.

    Attributes
    ----------
    base : ndarray of float64, shape (s,)
        μ without active material, 1/cm.
    quarter : float
        A quarter of its thickness, voxels.
    sigma_px : float
        Width of the average across the columns.
    taps : ndarray of float64
        Weights of the average along them.
    """

    base: np.ndarray
    quarter: float
    sigma_px: float
    taps: np.ndarray


class Faces(NamedTuple):
    """Both faces of the cathode in voxels along s; NaN where there is none, shape (y, x).

    Attributes
    ----------
    front, front_sd, back, back_sd : ndarray of float64
        Faces towards the anode and towards the collector, and their standard deviations.
    """

    front: np.ndarray
    front_sd: np.ndarray
    back: np.ndarray
    back_sd: np.ndarray

    @classmethod
    def empty(cls, shape: tuple[int, ...]) -> Faces:
        """Give room for faces that are not found yet."""
        return cls(*(np.full(shape, np.nan) for _ in cls._fields))


def cathode_faces(
    band: Band,
    inside: np.ndarray,
    base: np.ndarray,
    middle: np.ndarray,
    quarter: float,
    sigma_px: tuple[float, float],
) -> tuple[Faces, float]:
    """Find both faces of the cathode in every column of the bore.

    Its plateau, and what a particle exceeds it by, are quantiles over all columns; detached
    particles are followed from strip to strip: nothing depends on how the band is cut.

    Parameters
    ----------
    band : Band
        Slices: the cathode and as much beside it as its faces may be offset.
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
    faces : Faces
    plateau : float
        Excess of μ in the middle of the cathode, 1/cm; NaN where there is none.
    """
    cathode = Cathode(base, quarter, sigma_px[0], gaussian_taps(sigma_px[1]).astype(np.float64))
    plateau, contrast = _levels(band, inside, middle, cathode)
    if not plateau > 0:
        return Faces.empty(middle.shape), plateau
    stop = int(min(band.span.count, np.nanmax(middle, initial=-1.0) + 1))
    body = Body(base, _ACTIVE * contrast, max(stop, 0))
    voxels = np.empty((0, 3), np.int32)
    if stop > 1:
        upper, _ = band.part(0, stop + cathode.taps.size // 2)
        near = cathode._replace(base=base[: upper.span.count])
        pieces = upper.map(_pieces, (inside, middle), near, body, plateau)
        voxels = detached_voxels(upper.strips(), pieces)
    found = band.map(_faces, (inside, middle), cathode, body, plateau, voxels)
    return Faces(*band.joined(found, len(Faces._fields))), plateau


def _levels(
    band: Band, inside: np.ndarray, middle: np.ndarray, cathode: Cathode
) -> tuple[float, float]:
    """Give the plateau, the median over the middle half, and the contrast of a particle."""
    reach, known = cathode.taps.size // 2, np.isfinite(middle)
    if not known.any():
        return float("nan"), float("nan")
    half, first = band.part(
        float(middle[known].min()) - max(cathode.quarter + reach, _IN_FRONT),
        float(middle[known].max()) + cathode.quarter + reach,
    )
    near = cathode._replace(base=cathode.base[first : first + half.span.count])
    electrolyte = float(np.mean(cathode.base))
    counts = half.sampled().map(_count, (inside, middle - first), near, electrolyte)
    if not counts:
        return float("nan"), float("nan")
    smooth, raw = (reduce(ExcessCounts.plus, some) for some in zip(*counts, strict=True))
    plateau = smooth.quantile(0.5)
    contrast = raw.quantile(_CONTRAST_QUANTILE, above=plateau)
    return plateau, contrast if np.isfinite(contrast) else 2 * plateau


def _count(
    strip: Strip, inside: np.ndarray, middle: np.ndarray, cathode: Cathode, electrolyte: float
) -> tuple[ExcessCounts, ExcessCounts]:
    """Count what the middle of the cathode exceeds the electrolyte by: averaged, and as it is."""
    first = -strip.block.first % _EVERY  # the same columns, however the band is cut
    smooth = average_across(strip.values, inside, cathode.sigma_px, strip.own)
    near = middle[strip.own]
    sample = _middle_half(smooth, cathode.base, near, cathode.quarter, cathode.taps, first)
    near = near[first::_EVERY, ::_EVERY]
    excess = strip.values[:, strip.own][:, first::_EVERY, ::_EVERY] - cathode.base[
        :, None, None
    ].astype(np.float32)
    s = np.arange(len(excess))[:, None, None]
    deep = excess[(near >= 0) & (s > near - _IN_FRONT) & (s <= near)]
    return ExcessCounts.of(sample, electrolyte), ExcessCounts.of(deep, electrolyte)


def _pieces(
    strip: Strip,
    inside: np.ndarray,
    middle: np.ndarray,
    cathode: Cathode,
    body: Body,
    plateau: float,
) -> Pieces:
    """Find pieces of active material, and how far they lie ahead of a first guess of the front."""
    smooth = average_across(strip.values, inside, cathode.sigma_px, strip.own)
    near = middle[strip.own]
    front = np.full(near.shape, np.nan)
    over_ranges(
        partial(_from_inside, smooth, cathode, near, 0.5 * plateau, front), len(near), pieces=4
    )
    # Through a gap as deep as half of the cathode no front is seen: it is where the plane lies.
    front = np.where(np.isfinite(front), front, near - 2 * cathode.quarter)
    values = np.ascontiguousarray(strip.values[: body.stop, strip.own])
    return find_pieces(values, strip.block.first, front, near, body)


def _faces(
    strip: Strip,
    inside: np.ndarray,
    middle: np.ndarray,
    cathode: Cathode,
    body: Body,
    plateau: float,
    voxels: np.ndarray,
) -> Faces:
    """Find both faces where detached particles are erased."""
    cleaned = without_detached(strip.values, strip.block.outer_first, middle, body, voxels)
    smooth = average_across(cleaned, inside, cathode.sigma_px, strip.own)
    near = middle[strip.own]
    faces = Faces.empty(near.shape)
    over_ranges(partial(_from_outside, smooth, cathode, near, plateau, faces), len(near), pieces=4)
    return faces


@njit(cache=True, nogil=True)
def _along(
    values: np.ndarray,
    base: np.ndarray,
    y: int,
    taps: np.ndarray,
    room: np.ndarray,
) -> None:
    """Average the columns of row y along s into room[0]; what lies beyond is left out."""
    reach, (count, _, width) = taps.size // 2, values.shape
    smooth, weight = room[0], room[1]
    smooth[:], weight[:] = 0.0, 0.0
    for t in range(count):
        for s in range(max(0, t - reach), min(count, t + reach + 1)):
            tap = taps[t - s + reach]
            for x in range(width):
                value = values[t, y, x] - base[t]
                known = value == value
                smooth[s, x] += tap * value if known else 0.0
                weight[s, x] += tap if known else 0.0
    for s in range(count):
        for x in range(width):
            smooth[s, x] = smooth[s, x] / weight[s, x] if weight[s, x] > _LEAST_WEIGHT else np.nan


@njit(cache=True, nogil=True)
def _middle_half(
    values: np.ndarray,
    base: np.ndarray,
    middle: np.ndarray,
    quarter: float,
    taps: np.ndarray,
    first_row: int,
) -> np.ndarray:
    """Averages of every fourth column in the middle half of the cathode."""
    count, rows, width = values.shape
    room = np.empty((2, count, width))
    most = int(2 * quarter) + 2
    found = np.empty((rows // _EVERY + 1) * (width // _EVERY + 1) * most, np.float32)
    number = 0
    for y in range(first_row, rows, _EVERY):
        _along(values, base, y, taps, room)
        smooth = room[0]
        for x in range(0, width, _EVERY):
            if not middle[y, x] >= 0:
                continue
            low = max(0, int(np.ceil(middle[y, x] - quarter)))
            for s in range(low, min(count, int(middle[y, x] + quarter) + 1)):
                if smooth[s, x] == smooth[s, x]:
                    found[number] = smooth[s, x]
                    number += 1
    return found[:number]


@njit(cache=True, nogil=True)
def _from_inside(
    values: np.ndarray,
    cathode: Cathode,
    middle: np.ndarray,
    half: float,
    front: np.ndarray,
    first: int,
    stop: int,
) -> None:
    """Find where the fraction first stays below half, from the middle on: detached or not."""
    count, _, width = values.shape
    room = np.empty((2, count, width))
    for y in range(first, stop):
        _along(values, cathode.base, y, cathode.taps, room)
        smooth = room[0]
        for x in range(width):
            if not middle[y, x] >= 0:
                continue
            for s in range(min(max(int(middle[y, x]), 1), count - 1), 3, -1):
                here, before = smooth[s, x], smooth[s - 1, x]
                if here >= half and before < half and smooth[s - 3, x] < half:
                    front[y, x] = s - (here - half) / (here - before)
                    break


@njit(cache=True, nogil=True)
def _from_outside(
    values: np.ndarray,
    cathode: Cathode,
    middle: np.ndarray,
    plateau: float,
    found: Faces,
    first: int,
    stop: int,
) -> None:
    """Find the first rise through half on the way from outside to the middle."""
    count, _, width = values.shape
    room = np.empty((2, count, width))
    half, sd = 0.5 * plateau, _FRACTION_SD * plateau
    for y in range(first, stop):
        _along(values, cathode.base, y, cathode.taps, room)
        smooth = room[0]
        for x in range(width):
            if not middle[y, x] >= 0:
                continue
            center = min(max(int(middle[y, x]), 0), count - 1)
            for s in range(center):
                here, following = smooth[s, x], smooth[s + 1, x]
                rise = following - here
                if here < half and following >= half:
                    found.front[y, x] = s + (half - here) / rise
                    found.front_sd[y, x] = sd / rise
                    break
            for s in range(count - 1, center, -1):
                here, following = smooth[s, x], smooth[s - 1, x]
                rise = following - here
                if here < half and following >= half:
                    found.back[y, x] = s - (half - here) / rise
                    found.back_sd[y, x] = sd / rise
                    break
