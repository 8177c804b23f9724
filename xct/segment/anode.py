"""The anode's surfaces: steel's face and lithium's. In: a volume; out: heights by column.

Lithium attenuates next to nothing, so between steel and electrolyte it is a gap. Where it is thin,
both steps overlap: they are fitted together, and a thickness of 0 is an answer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from xct.segment.bands import Span, strips
from xct.segment.steps import _CLEAR, change_point, falls_below, fit_two_steps
from xct.threads import over_ranges
from xct.voxels import Voxels

_HALF = 0.5


@dataclass(frozen=True)
class Levels:
    """What the columns of a band consist of.

    Attributes
    ----------
    steel, lithium : float
        μ in 1/cm.
    electrolyte : ndarray, shape (y, x)
        μ in 1/cm next to the anode.
    noise : float
        Standard deviation of a voxel after averaging across.
    sigma : float
        Point spread along s, voxels.
    """

    steel: float
    lithium: float
    electrolyte: np.ndarray
    noise: float
    sigma: float


@dataclass(frozen=True)
class Columns:
    """What was found in each column, in voxels along s; NaN where nothing was.

    Attributes
    ----------
    steel, steel_sd : ndarray, shape (y, x)
        Steel's face.
    thickness, thickness_sd : ndarray, shape (y, x)
        Lithium.
    face_sd : ndarray, shape (y, x)
        Standard deviation of the face of the electrolyte.
    """

    steel: np.ndarray
    steel_sd: np.ndarray
    thickness: np.ndarray
    thickness_sd: np.ndarray
    face_sd: np.ndarray

    @classmethod
    def empty(cls, shape: tuple[int, ...]) -> Columns:
        """Nothing found yet."""
        return cls(*(np.full(shape, np.nan) for _ in range(5)))


def anode_columns(
    volume: Voxels, span: Span, inside: np.ndarray, levels: Levels, sigma_px: float
) -> Columns:
    """Fit both steps in every column of the bore."""
    found = Columns.empty(inside.shape)
    for strip in strips(volume, span, inside, sigma_px):
        rows = strip.rows
        electrolyte = np.ascontiguousarray(levels.electrolyte[rows], np.float64)
        part = [getattr(found, name)[rows] for name in found.__dataclass_fields__]

        def fit(a: int, b: int, strip=strip, electrolyte=electrolyte, part=part) -> None:  # type: ignore[no-untyped-def]
            _fit_rows(
                strip.values,
                levels.steel,
                levels.lithium,
                electrolyte,
                levels.noise,
                levels.sigma,
                *part,
                a,
                b,
            )

        over_ranges(fit, strip.values.shape[1], pieces=4)
    return found


@njit(cache=True, nogil=True)
def _fit_rows(
    values: np.ndarray,
    steel: float,
    lithium: float,
    electrolyte: np.ndarray,
    noise: float,
    sigma: float,
    out_steel: np.ndarray,
    out_steel_sd: np.ndarray,
    out_thickness: np.ndarray,
    out_thickness_sd: np.ndarray,
    out_face_sd: np.ndarray,
    first: int,
    stop: int,
) -> None:
    count, _, width = values.shape
    columns = np.empty((width, count), np.float64)
    start, spread, answer, sd = np.empty(5), np.empty(5), np.empty(5), np.empty(5)
    for y in range(first, stop):
        for s in range(count):
            for x in range(width):
                columns[x, s] = values[s, y, x]
        for x in range(width):
            column, level = columns[x], electrolyte[y, x]
            if not level > lithium:
                continue
            face = falls_below(column, _HALF * (steel + lithium), 0)
            if not face >= 0:
                continue
            begin = int(np.ceil(face + _CLEAR * sigma))
            change = change_point(column, begin, lithium, level, noise)
            if not change >= 0:
                continue
            start[0], start[1] = face, max(change - face, 0.5)
            start[2], start[3], start[4] = steel, lithium, level
            spread[0], spread[1] = 0.0, 0.0
            spread[2], spread[3], spread[4] = 0.05 * steel, 0.3 * noise, 0.03 * level
            fit_two_steps(column, start, spread, sigma, noise, answer, sd)
            if abs(answer[0] - face) > 3 * sigma:
                continue
            out_steel[y, x], out_steel_sd[y, x] = answer[0], sd[0]
            out_thickness[y, x], out_thickness_sd[y, x] = answer[1], sd[1]
            out_face_sd[y, x] = sd[1]
