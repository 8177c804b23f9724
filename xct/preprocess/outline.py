"""The round outline of a sample against the air, by its fringe. In: rows of transmission; out: it.

Phase retrieval for one pair of materials leaves the fringe of another border. That of the outside
is the strongest, and the one whose form is known: what lies in a tube is as thick as a chord of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import scipy

from xct.quantity import Quantity, declare

_ROWS = 8
_AIR_PX, _LEAST_AIR_PX = 4, 5
_FRINGE, _FRINGE_SD = 0.02, 4.0  # above the air, and in its noise: where the first fringe begins
_WINDOW = np.arange(-7, 6)  # columns about an edge, from the air inwards
_SHIFTS = np.arange(-3.0, 3.01, 0.1)
_BLURS_PX = (0.5, 0.7, 0.9, 1.2, 1.6)
_LIKENESS = 0.8  # correlation of light and fringe that is taken for one
_LEAST_SEEN = 0.6  # of the angles
_WIDEST_LEAN = 0.05  # pixels by row: 3°
_FINENESS = 8  # places in a pixel at which the fringe is known


@dataclass(frozen=True)
class Outline:
    """A circle that leans, seen from all angles.

    Attributes
    ----------
    middle_px : ndarray, shape (angle,)
        Column of its middle in row 0.
    lean : ndarray, shape (angle,)
        By how many columns it moves from row to row.
    radius_px : float
        Half its width.
    blur_px : float
        Standard deviation of the point spread that fits its fringe.
    strength : float
        How strong its fringe is: distance over width of a pixel, times what refraction is left.
    """

    middle_px: np.ndarray
    lean: np.ndarray
    radius_px: float
    blur_px: float
    strength: float


def find_outline(read: Callable[[int, int], np.ndarray], rows: int, columns: int) -> Outline | None:
    """Find the outline in some rows.

    Parameters
    ----------
    read : callable
        Gives the transmission of rows first … stop, shape (angle, row, column).
    rows, columns : int
        Of a frame.

    Returns
    -------
    Outline or None
        None where the air on either side, or a fringe as of a tube, is not in view.
    """
    chosen = np.unique(np.linspace(0.06 * rows, 0.94 * rows - 1, _ROWS).round().astype(int))
    chosen = np.clip(chosen, 0, rows - 1)
    if columns < 4 * _LEAST_AIR_PX:
        return None
    sides: list[list[_Side]] = [[], []]
    for row in chosen.tolist():
        seen = _over_air(read(row, row + 1)[:, 0])
        for side, light in zip(sides, (seen, seen[:, ::-1]), strict=True):
            side.append(_Side.of(light))
    left, right = (_Side(*map(np.stack, zip(*side, strict=True))) for side in sides)
    width = columns - 1 - right.peak - left.peak
    known = np.isfinite(width) & (width > 2 * _WINDOW[-1])
    if known.mean() < _LEAST_SEEN:
        return None
    radius = float(np.median(width[known])) / 2
    fits = (_fit((left, right), radius, blur) for blur in _BLURS_PX)
    best = max(fits, key=lambda fit: fit.likeness)
    middle = (columns - 1 - best.right + best.left) / 2
    half = (columns - 1 - best.right - best.left) / 2
    good = np.isfinite(half)
    if best.likeness < _LIKENESS or good.any(axis=0).mean() < _LEAST_SEEN:
        return None
    radius = float(np.median(half[good]))
    return Outline(*_lines(chosen, middle), radius, best.blur, best.strength)


def _over_air(seen: np.ndarray) -> np.ndarray:
    """Divide by the light of the outermost columns; 1 where nothing is known."""
    seen = np.where(np.isfinite(seen), seen, np.float32(1))
    sides = np.median(seen[:, :_AIR_PX], axis=1), np.median(seen[:, -_AIR_PX:], axis=1)
    return np.asarray(seen / np.maximum(np.mean(sides, axis=0), 1e-6)[:, None], np.float32)


class _Side(NamedTuple):
    """The brightest column of the first fringe at each angle, and the light about it."""

    peak: np.ndarray
    light: np.ndarray

    @classmethod
    def of(cls, seen: np.ndarray) -> _Side:
        """Look from the left; NaN where there is no fringe."""
        pairs = 0.5 * (seen[:, 1:] + seen[:, :-1])
        noise = 1.4826 * np.median(np.abs(np.diff(seen[:, :_AIR_PX], axis=1))) / 2
        bright = pairs > 1 + max(_FRINGE, _FRINGE_SD * float(noise))
        first = bright.argmax(axis=1)
        last = seen.shape[1] - 1
        near = np.clip(first[:, None] + np.arange(6), 0, last)
        peak = first + np.take_along_axis(seen, near, axis=1).argmax(axis=1)
        window = np.clip(peak[:, None] + _WINDOW, 0, last)
        there = bright.any(axis=1) & (first >= _LEAST_AIR_PX)
        return cls(np.where(there, peak, np.nan), np.take_along_axis(seen, window, axis=1))


class _Fit(NamedTuple):
    """How alike light and fringe are, and where the edges lie, counted from either side."""

    likeness: float
    blur: float
    left: np.ndarray
    right: np.ndarray
    strength: float


def _fit(sides: tuple[_Side, _Side], radius: float, blur: float) -> _Fit:
    """Place the fringe of a tube on both sides; NaN where it is not alike."""
    templates = _templates(radius, blur)
    found = [_placed(side, templates) for side in sides]
    places = [np.where(likeness > _LIKENESS, place, np.nan) for place, likeness, _ in found]
    likenesses = np.concatenate([one[np.isfinite(one)] for _, one, _ in found])
    strengths = np.concatenate([strength[one > _LIKENESS] for _, one, strength in found])
    typical = float(np.median(strengths)) if strengths.size else 0.0
    return _Fit(float(np.median(likenesses)), blur, places[0], places[1], typical)


def _placed(side: _Side, templates: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give the edge's column, the correlation, and the strength, shape (row, angle) each."""
    window = _levelled(side.light)
    size = np.linalg.norm(templates, axis=1)
    product = window @ (templates / size[:, None]).T
    best = product.argmax(axis=-1)
    strongest = np.take_along_axis(product, best[..., None], axis=-1)[..., 0]
    likeness = strongest / np.maximum(np.linalg.norm(window, axis=-1), 1e-12)
    likeness = np.where(np.isfinite(side.peak), likeness, np.nan)
    return side.peak + _SHIFTS[best], likeness, strongest / size[best]


@lru_cache(maxsize=16)
def _templates(radius: float, blur: float) -> np.ndarray:
    """Give the fringe about an edge at each of the shifts, shape (shift, column)."""
    place = _WINDOW - _SHIFTS[:, None]
    slopes = [np.interp(place + half, *slope_of_chord(radius, blur)) for half in (-0.5, 0.5)]
    return _levelled(slopes[1] - slopes[0])


def _levelled(light: np.ndarray) -> np.ndarray:
    """Take off a straight line: what the sample absorbs changes slowly."""
    basis, _ = np.linalg.qr(np.stack([np.ones(light.shape[-1]), np.arange(light.shape[-1])], 1))
    return np.asarray(light - (light @ basis) @ basis.T)


def _lines(rows: np.ndarray, middle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fit a line over rows to each angle; angles where that fails take their neighbors'."""
    known = np.isfinite(middle)
    weight = known.astype(float)
    filled = np.where(known, middle, 0.0)
    count = np.maximum(weight.sum(axis=0), 1)
    at = (weight * rows[:, None]).sum(axis=0) / count
    mean = filled.sum(axis=0) / count
    offset = (rows[:, None] - at) * weight
    spread = (offset**2).sum(axis=0)
    lean = (offset * (filled - mean)).sum(axis=0) / np.maximum(spread, 1e-9)
    usable = known.sum(axis=0) >= min(3, len(rows))
    usable &= np.abs(lean) < _WIDEST_LEAN
    place = np.arange(middle.shape[1])
    if not usable.any():
        return np.full(place.size, float(np.median(middle[known]))), np.zeros(place.size)
    both = (np.interp(place, place[usable], part[usable]) for part in (mean - lean * at, lean))
    first, slope = both
    return first, slope


@lru_cache(maxsize=16)
def slope_of_chord(radius: float, blur: float) -> tuple[np.ndarray, np.ndarray]:
    """Give the slope of a circle's chord across its edge, blurred.

    Parameters
    ----------
    radius, blur : float
        In pixels; `blur` is the standard deviation of the point spread.

    Returns
    -------
    place, slope : ndarray
        Pixels from the edge inwards, to the middle; pixels of chord by pixel.
    """
    outside = 8 * max(blur, 1.0)
    place = np.arange(-outside, radius + 2 * outside, 1 / _FINENESS)
    edges = np.append(place, place[-1] + 1 / _FINENESS) - 0.5 / _FINENESS
    chord = 2 * np.sqrt(np.maximum(radius**2 - (radius - edges) ** 2, 0))
    slope = np.diff(chord) * _FINENESS
    # A pixel's own width, and the point spread.
    wide = float(np.hypot(blur, 12**-0.5)) * _FINENESS
    kept = place <= radius
    return place[kept], scipy.ndimage.gaussian_filter1d(slope, wide, mode="nearest")[kept]


def fringe_of(
    outline: Outline, angle: int, rows: np.ndarray, transmission: np.ndarray
) -> np.ndarray:
    """Give the light that refraction at the outline moved, as a multiple of its strength.

    Parameters
    ----------
    outline : Outline
        Of the sample.
    angle : int
        Number of the frame.
    rows : ndarray, shape (row,)
        Numbers of the rows.
    transmission : ndarray, shape (row, column)
        About what absorption leaves.

    Returns
    -------
    ndarray, shape (row, column)
        ``∂(T ∂c/∂x)/∂x`` with the chord c, in pixels.
    """
    columns = transmission.shape[1]
    between = np.arange(columns + 1) - 0.5
    off = between - (outline.middle_px[angle] + outline.lean[angle] * rows)[:, None]
    place, slope = slope_of_chord(outline.radius_px, outline.blur_px)
    there = np.sign(off) * -np.interp(outline.radius_px - np.abs(off), place, slope, left=0.0)
    light = np.pad(transmission, ((0, 0), (1, 1)), mode="edge")
    return np.asarray(np.diff(there * 0.5 * (light[:, 1:] + light[:, :-1]), axis=1))


declare(
    Quantity("outline", unit="round outline against the air", source="run", sample=find_outline)
)
