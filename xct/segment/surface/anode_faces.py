"""The anode's faces: steel's and lithium's. In: a band of columns; out: heights in voxels.

Lithium attenuates next to nothing, so between steel and electrolyte it is a gap. Where it is thin,
both edges overlap: they are fitted together, and a thickness of 0 is an answer. Then the columns
around are averaged along the face, not across the band: a steep face stays sharp.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np

from xct.parallel.kernels import njit
from xct.parallel.threads import over_ranges
from xct.segment.surface.bands import Band
from xct.segment.surface.height_fields import median_of
from xct.segment.surface.opaque_edge import REACH, OpaqueEdge
from xct.segment.surface.steps import change_point, falls_below, fit_two_steps

_CLEAR = 1.2  # voxels off steel's face, from where a column is looked through
THICK = 4.0  # voxels of lithium, above which its face is found without a thought of steel
_KNOWN = (0.3, 0.03, 0.2)  # relative sd of lithium's level (of the noise), electrolyte's, blur


@dataclass(frozen=True)
class Levels:
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


@dataclass(frozen=True)
class Fits:
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

    @classmethod
    def empty(cls, shape: tuple[int, ...]) -> Fits:
        """Nothing found yet."""
        return cls(*(np.full(shape, np.nan) for _ in fields(cls)))


def fit_anode(
    band: Band,
    bore: np.ndarray,
    inside: np.ndarray,
    levels: Levels,
    sigma_px: float,
    *,
    from_steel: bool = True,
) -> Fits:
    """Find both faces in every column of the bore.

    Parameters
    ----------
    band : Band
        From steel into the electrolyte.
    bore, inside : ndarray of bool, shape (y, x)
        Columns that are wanted; those off the wall, which are averaged.
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
    fits = Fits.empty(bore.shape)
    steel = np.where(bore, -2.0 * REACH, np.nan)
    if from_steel:
        raw = np.full(bore.shape, np.nan)
        _in_rows(band, inside, sigma_px, levels, (raw,), _steel_rows)
        steel = median_of(raw, bore, reach=3)
    maps = (steel, *(getattr(fits, f.name) for f in fields(Fits)))
    _in_rows(band, inside, sigma_px, levels, maps, _fit_rows)
    return fits


def _in_rows(
    band: Band,
    inside: np.ndarray,
    sigma_px: float,
    levels: Levels,
    maps: tuple[np.ndarray, ...],
    kernel: Callable[..., None],
) -> None:
    """Call a kernel over the averaged columns of each strip, with its part of the maps."""
    edge = levels.steel
    for strip in band:
        columns = strip.averaged(inside, sigma_px)
        given = [np.ascontiguousarray(m[strip.rows]) for m in (
            edge.ring, levels.steel_noise, levels.electrolyte
        )]  # fmt: skip
        numbers = (levels.lithium, levels.noise, levels.blur)
        parts = [m[strip.rows] for m in maps]

        def some(a: int, b: int, columns=columns, given=given, parts=parts) -> None:  # type: ignore[no-untyped-def]
            kernel(columns, edge.table, *given, *numbers, *parts, a, b)  # noqa: B023

        over_ranges(some, columns.shape[1], pieces=8)


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
    values: np.ndarray,
    table: np.ndarray,
    rings: np.ndarray,
    steel_noise: np.ndarray,
    electrolyte: np.ndarray,
    lithium: float,
    noise: float,
    blur: float,
    steel: np.ndarray,
    first: int,
    stop: int,
) -> None:
    count, _, width = values.shape
    columns = np.empty((width, count), np.float64)
    for y in range(first, stop):
        _turned(values, y, columns)
        for x in range(width):
            level = lithium + 0.5 * table[0, 0, int(rings[y, x])]
            steel[y, x] = falls_below(columns[x], level, 0)


@njit(cache=True, nogil=True)
def _fit_rows(
    values: np.ndarray,
    table: np.ndarray,
    rings: np.ndarray,
    steel_noise: np.ndarray,
    electrolyte: np.ndarray,
    lithium: float,
    noise: float,
    blur: float,
    guess: np.ndarray,
    out_steel: np.ndarray,
    out_steel_sd: np.ndarray,
    out_thickness: np.ndarray,
    out_thickness_sd: np.ndarray,
    out_face: np.ndarray,
    out_face_sd: np.ndarray,
    first: int,
    stop: int,
) -> None:
    count, _, width = values.shape
    columns = np.empty((width, count), np.float64)
    edge = np.empty(table.shape[:2])
    start, spread = np.empty(5), np.empty(5)
    answer, sd = np.empty(5), np.empty(5)
    other, other_sd = np.empty(5), np.empty(5)
    for y in range(first, stop):
        _turned(values, y, columns)
        for x in range(width):
            column, face, level = columns[x], guess[y, x], electrolyte[y, x]
            if not (face == face and level > lithium):
                continue
            change = change_point(column, max(int(face + _CLEAR) + 1, 0), lithium, level, noise)
            if not change >= 0:
                continue
            _edge_at(table, rings[y, x], edge)
            start[0], start[1] = face, max(change - face, 0.5)
            start[2], start[3], start[4] = lithium, level, blur
            spread[0], spread[1] = 1.0, 0.0
            spread[2], spread[3] = _KNOWN[0] * noise, _KNOWN[1] * level
            spread[4] = _KNOWN[2] * blur
            cost = fit_two_steps(column, edge, start, spread, noise, steel_noise[y, x], answer, sd)
            if start[1] < THICK:  # two minima: lithium, and none
                start[1] = 0.3 if start[1] > 1.5 else 3.0
                if fit_two_steps(
                    column, edge, start, spread, noise, steel_noise[y, x], other, other_sd
                ) < cost:  # fmt: skip
                    answer[:], sd[:] = other, other_sd
            out_steel[y, x], out_steel_sd[y, x] = answer[0], sd[0]
            out_thickness[y, x], out_thickness_sd[y, x] = answer[1], sd[1]
            out_face[y, x] = answer[0] + answer[1]
            out_face_sd[y, x] = math.hypot(sd[1], sd[0]) if answer[1] < THICK else sd[1]
