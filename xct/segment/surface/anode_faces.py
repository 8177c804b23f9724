"""The anode's faces: steel's and lithium's. In: a band of columns; out: heights in voxels.

Lithium attenuates next to nothing, so between steel and electrolyte it is a gap. Where it is thin,
both edges overlap: they are fitted together, and a thickness of 0 is an answer. Then the columns
around are averaged along the face, not across the band: a steep face stays sharp.
"""

from __future__ import annotations

import math
from functools import partial
from typing import NamedTuple

import numpy as np

from xct.parallel.kernels import njit
from xct.parallel.threads import over_ranges
from xct.segment.surface.averages import average_across
from xct.segment.surface.bands import Band, Strip
from xct.segment.surface.height_fields import median_of
from xct.segment.surface.opaque_edge import REACH, OpaqueEdge
from xct.segment.surface.steps import (
    Noise,
    Prior,
    StepFit,
    change_point,
    drop_point,
    empty_fit,
    empty_prior,
    fit_two_steps,
)

_CLEAR = 1.2  # voxels from steel's face, where a column begins to be searched
THICK = 4.0  # voxels of lithium, above which its face is found without a thought of steel
MEDIAN_REACH = 3  # columns around, whose median is the first guess of steel's face
_KNOWN = (0.3, 0.03, 0.2)  # relative sd of lithium's level (of the noise), electrolyte's, blur


class Levels(NamedTuple):
    """What the columns of a band consist of.

    Attributes
    ----------
    steel : OpaqueEdge
        How steel's face looks.
    lithium : float
        μ in 1/cm.
    electrolyte : ndarray of float64, shape (y, x)
        μ in 1/cm next to the anode.
    noise : float
        Standard deviation of a voxel after averaging across.
    steel_noise : ndarray of float64, shape (y, x)
        … in steel, after averaging across.
    blur : float
        Standard deviation of the blur along s, voxels.
    """

    steel: OpaqueEdge
    lithium: float
    electrolyte: np.ndarray
    noise: float
    steel_noise: np.ndarray
    blur: float


class Fits(NamedTuple):
    """What was found in each column, in voxels along s; NaN where nothing was.

    Attributes
    ----------
    steel, steel_sd : ndarray, shape (y, x)
        Steel's face.
    thickness, thickness_sd : ndarray, shape (y, x)
        Lithium; 0 where there is none.
    face, face_sd : ndarray, shape (y, x)
        Lithium's face to the electrolyte.
    """

    steel: np.ndarray
    steel_sd: np.ndarray
    thickness: np.ndarray
    thickness_sd: np.ndarray
    face: np.ndarray
    face_sd: np.ndarray


class _Known(NamedTuple):
    """What is known of all columns."""

    table: np.ndarray
    lithium: float
    noise: float
    blur: float


class _Columns(NamedTuple):
    """Averaged columns of a strip, shape (s, y, x), and what is known of each, shape (y, x)."""

    values: np.ndarray
    first_row: int
    ring: np.ndarray
    steel_noise: np.ndarray
    electrolyte: np.ndarray
    steel: np.ndarray


def fit_anode(
    band: Band, inside: np.ndarray, levels: Levels, sigma_px: float, *, from_steel: bool = True
) -> Fits:
    """Find both faces in every column of the bore.

    Parameters
    ----------
    band : Band
        From steel into the electrolyte; its reach is that of the average and `MEDIAN_REACH` more.
    inside : ndarray of bool, shape (y, x)
        Columns clear of the wall, which are averaged.
    levels : Levels
        What to expect.
    sigma_px : float
        Width of the average across.
    from_steel : bool, optional
        Whether the band begins in steel; else in lithium.

    Returns
    -------
    Fits
    """
    known = _Known(levels.steel.table, levels.lithium, levels.noise, levels.blur)
    maps = (inside, band.bore, levels.steel.ring, levels.steel_noise, levels.electrolyte)
    found = band.map(_fit_strip, maps, known, sigma_px, from_steel)
    return Fits(*band.joined(found, len(Fits._fields)))


def _fit_strip(
    strip: Strip,
    inside: np.ndarray,
    bore: np.ndarray,
    ring: np.ndarray,
    steel_noise: np.ndarray,
    electrolyte: np.ndarray,
    known: _Known,
    sigma_px: float,
    from_steel: bool,
) -> Fits:
    """Look for steel's face, take medians of the columns around, and fit from there."""
    wide = strip.widened(MEDIAN_REACH)
    values = average_across(strip.values, inside, sigma_px, wide)
    first = strip.own.start - wide.start
    count = strip.own.stop - strip.own.start
    steel = np.where(bore[strip.own], -2.0 * REACH, np.nan)
    if from_steel:
        raw = np.full(bore[wide].shape, np.nan)
        over_ranges(partial(_steel_rows, values, known, ring[wide], raw), len(raw), pieces=8)
        steel = median_of(raw, bore[wide], reach=MEDIAN_REACH)[first : first + count]
    own = (ring[strip.own], steel_noise[strip.own], electrolyte[strip.own], steel)
    fits = Fits(*(np.full(steel.shape, np.nan) for _ in Fits._fields))
    over_ranges(
        partial(_fit_rows, _Columns(values, first, *own), known, fits), len(steel), pieces=8
    )
    return fits


@njit(cache=True, nogil=True)
def _turned(values: np.ndarray, y: int, columns: np.ndarray) -> None:
    """Copy one row of columns so that each lies together."""
    for s in range(values.shape[0]):
        for x in range(values.shape[2]):
            columns[x, s] = values[s, y, x]


@njit(cache=True, nogil=True)
def _edge_at(table: np.ndarray, ring: float, edge: np.ndarray) -> None:
    low = int(ring)
    edge[:] = table[:, :, low] + (ring - low) * (table[:, :, low + 1] - table[:, :, low])


@njit(cache=True, nogil=True)
def _steel_rows(
    values: np.ndarray, known: _Known, ring: np.ndarray, steel: np.ndarray, first: int, stop: int
) -> None:
    count, _, width = values.shape
    columns = np.empty((width, count), np.float64)
    for y in range(first, stop):
        _turned(values, y, columns)
        for x in range(width):
            level = known.lithium + 0.5 * known.table[0, 0, int(ring[y, x])]
            steel[y, x] = drop_point(columns[x], level)


@njit(cache=True, nogil=True)
def _fit_rows(given: _Columns, known: _Known, fits: Fits, first: int, stop: int) -> None:
    count, _, width = given.values.shape
    columns = np.empty((width, count), np.float64)
    edge = np.empty(known.table.shape[:2])
    prior, best, other = empty_prior(5), empty_fit(5), empty_fit(5)
    for y in range(first, stop):
        _turned(given.values, y + given.first_row, columns)
        for x in range(width):
            face, level = given.steel[y, x], given.electrolyte[y, x]
            if not (face == face and level > known.lithium):
                continue
            start = max(int(face + _CLEAR) + 1, 0)
            change = change_point(columns[x], start, known.lithium, level, known.noise)
            if not change >= 0:
                continue
            _edge_at(known.table, given.ring[y, x], edge)
            _expect(prior, known, face, change, level)
            noise = Noise(known.noise, given.steel_noise[y, x])
            _fit_column(columns[x], edge, prior, noise, best, other)
            fits.steel[y, x], fits.steel_sd[y, x] = best.value[0], best.sd[0]
            fits.thickness[y, x], fits.thickness_sd[y, x] = best.value[1], best.sd[1]
            fits.face[y, x] = best.value[0] + best.value[1]
            thin = best.value[1] < THICK
            fits.face_sd[y, x] = math.hypot(best.sd[1], best.sd[0]) if thin else best.sd[1]


@njit(cache=True, nogil=True)
def _expect(prior: Prior, known: _Known, face: float, change: float, level: float) -> None:
    """Set steel's face, thickness, both levels and the blur, as far as they are known."""
    prior.value[0], prior.sd[0] = face, 1.0
    prior.value[1], prior.sd[1] = max(change - face, 0.5), 0.0
    prior.value[2], prior.sd[2] = known.lithium, _KNOWN[0] * known.noise
    prior.value[3], prior.sd[3] = level, _KNOWN[1] * level
    prior.value[4], prior.sd[4] = known.blur, _KNOWN[2] * known.blur


@njit(cache=True, nogil=True)
def _fit_column(
    column: np.ndarray,
    edge: np.ndarray,
    prior: Prior,
    noise: Noise,
    best: StepFit,
    other: StepFit,
) -> None:
    """Fit a column; where lithium is thin there are two minima, with lithium and without."""
    cost = fit_two_steps(column, edge, prior, noise, best)
    if prior.value[1] < THICK:
        prior.value[1] = 0.3 if prior.value[1] > 1.5 else 3.0
        if fit_two_steps(column, edge, prior, noise, other) < cost:
            best.value[:], best.sd[:] = other.value, other.sd
