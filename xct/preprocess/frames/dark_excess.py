"""Darks too high or too low. In: rows of all projections, a flat, a dark; out: counts too many.

What a sample in view takes out of the beam is the same at all angles. Where too much was subtracted
it is not: line integrals grow by the excess times exp(p) - 1 over the light, more where they are
large.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import hypot, sqrt
from typing import NamedTuple

import numpy as np

from xct.preprocess.frames.beside import over_rows
from xct.preprocess.frames.coarse import borders

_ROWS = 12
_AIR, _AIR_SD = 0.012, 5.0  # by which air differs from air, and in noise of it
_LEAST_AIR, _LEAST_BODY = 4, 16  # columns
_LIT = 0.5  # of the light of the others, in each frame
_OPAQUE = 0.05  # transmission; rows that pass less are photon-starved
_LEAST_ROWS, _LEAST_VIEWS, _BLOCKS = 3, 24, 12
# Chosen on discs of seeds 0 to 5: without an excess at most 1.8, with 1.5 % at least 7.0.
_SURE_SD, _ALIKE = 5.0, 0.8
_LEAST = 0.004  # of the light
# … that was not subtracted: less of it scatters in many a scan. A sample that grows by 1 % looks
# like 3.9 standard deviations of it, darks 3 % too low like 12 (seed 6).
_LEAST_LACK, _SURE_LACK_SD = 0.015, 6.0
_BOUND_SD, _SEEN = 3.0, 0.7  # of the excess is seen at least
_MORE_ROUNDS = 3
_ROWS_AGREE = (0.4, 2.5)  # times the mean
_UNDER, _UNDER_SD = 0.003, 6.0  # of the light, that the darkest place is below none


@dataclass(frozen=True)
class DarkExcess:
    """By how much darks are too high.

    Attributes
    ----------
    counts, sd : float
        Counts that were subtracted too much (negative where it was not enough), and their
        standard uncertainty; of the light, where `rows` is 0.
    of_light : float
        The same over the light of the flats.
    rows : int
        How many rows it rests on; 0 where places without light show it.
    bound : bool
        Whether `of_light` is only what it may be at most: nothing is sure, as behind a round
        sample, which takes the same out of the beam at all angles whatever was subtracted.
    """

    counts: float
    sd: float
    of_light: float
    rows: int
    bound: bool = False


def dark_message(darks: DarkExcess) -> str:
    """Say by how much darks are wrong, how that shows, and what to do."""
    as_if = "as the sample turns, what it takes out of the beam changes as if"
    if darks.counts < 0:
        return (
            f"{as_if} {-darks.counts:.3g} ± {darks.sd:.2g} counts too few were subtracted "
            f"({-darks.of_light:.1%} of the light): the darks are of another exposure, light "
            "scatters into shadows (glare), or the beam has more than one energy. Line integrals "
            "are too small, the more so where they are large: give darks of the same exposure by "
            "scan.darks, or the glare by steps.glare.fraction"
        )
    how = (
        f"{as_if} {darks.counts:.3g} ± {darks.sd:.2g} counts too many were subtracted"
        if darks.rows
        else "behind what is opaque, projections hold less than no light"
    )
    return (
        f"the darks are too high by about {darks.of_light:.1%} of the light: {how}. Line integrals "
        "are too large, the more so where they are large, and μ and state of charge with them: "
        "give darks of the same exposure, camera settings and closed shutter by scan.darks"
    )


def rows_for_darks(rows: int) -> np.ndarray:
    """Choose the rows that are looked at."""
    return np.unique(np.linspace(0, rows - 1, min(_ROWS, rows)).round().astype(int))


def below_dark(transmission: np.ndarray) -> DarkExcess | None:
    """Find that projections hold less than no light: a lower bound of the excess.

    Parameters
    ----------
    transmission : ndarray, shape (angle, row, cell)
        Coarse transmission, NaN beyond the beam.
    """
    known = transmission[:, np.isfinite(transmission).all(axis=0)]
    if not known.size:
        return None
    mean = known.mean(axis=0, dtype=np.float64)
    darkest = known[:, int(np.argmin(mean))]
    sd = float(np.std(np.diff(darkest)) / sqrt(2 * len(darkest))) if len(darkest) > 2 else np.inf
    under = -float(mean.min())
    return DarkExcess(under, sd, under, 0) if under > max(_UNDER, _UNDER_SD * sd) else None


def air_columns(transmission: np.ndarray, columns: int) -> np.ndarray | None:
    """Mark columns at both sides that show nothing but air at all angles.

    Parameters
    ----------
    transmission : ndarray, shape (angle, row, cell)
        Coarse transmission.
    columns : int
        Of a frame.

    Returns
    -------
    ndarray of bool, shape (column,), or None
        None where the sample is not in view between two strips of air.
    """
    by_cell = over_rows(transmission)
    if not np.isfinite(by_cell).all() or by_cell.shape[1] < 8:
        return None
    light = by_cell[:, [0, 1, -2, -1]].mean(axis=1)
    away = np.abs(by_cell / light[:, None] - 1)
    noise = 1.4826 * float(np.median(np.abs(np.diff(by_cell[:, [0, 1, -2, -1]], axis=0)))) / sqrt(2)
    odd = np.flatnonzero(away.max(axis=0) > _AIR + _AIR_SD * noise)
    if not odd.size:
        return None
    edges = borders(columns)
    first, stop = edges[odd[0]], edges[odd[-1] + 1]
    air = np.ones(columns, bool)
    air[max(first - 2, 0) : stop + 2] = False
    both = min(air[:first].sum(), air[stop:].sum()) >= _LEAST_AIR
    return air if both and (~air).sum() >= _LEAST_BODY else None


def dark_excess(
    read: Callable[[int], np.ndarray], gain: np.ndarray, air: np.ndarray, theta_deg: np.ndarray
) -> DarkExcess | None:
    """Measure by how much darks are too high.

    Parameters
    ----------
    read : callable
        Gives the counts above the dark of one row, by its place in `gain`, shape (angle, column).
    gain : ndarray, shape (row, column)
        Counts of the flats above the dark.
    air : ndarray of bool, shape (column,)
        From `air_columns`.
    theta_deg : ndarray, shape (angle,)
        Angles.

    Returns
    -------
    DarkExcess or None
        A bound where it is not sure, or too small to matter; None where rows say nothing.
    """
    order = np.argsort(np.asarray(theta_deg) % 360, kind="stable")
    if len(order) < _LEAST_VIEWS:
        return None
    found = _excess(read, gain, air, order, 0.0)
    light = float(np.mean(gain[:, air]))
    if found is None:
        return None
    lacks = found.is_lacking and -found.counts > _LEAST_LACK * light
    if not lacks and (not found.is_sure or found.counts < _LEAST * light):
        most = (max(found.counts, 0.0) + _BOUND_SD * found.sd) / _SEEN
        return DarkExcess(found.counts, found.sd, most / light, found.rows, bound=True)
    total = found.counts
    for _ in range(_MORE_ROUNDS):  # what grows was itself grown by the excess
        more = _excess(read, gain, air, order, total)
        total += 0.0 if more is None else more.counts
    if lacks and -total < _SURE_LACK_SD * found.sd:
        return DarkExcess(total, found.sd, _BOUND_SD * found.sd / _SEEN / light, found.rows, True)
    return DarkExcess(total, found.sd, total / (light + total), found.rows)


class _Fit(NamedTuple):
    counts: float
    sd: float
    alike: float
    rows: int

    @property
    def is_lacking(self) -> bool:
        return self.counts < -_SURE_SD * self.sd and self.alike >= _ALIKE

    @property
    def is_sure(self) -> bool:
        return self.counts > _SURE_SD * self.sd and self.alike >= _ALIKE


def _excess(
    read: Callable[[int], np.ndarray],
    gain: np.ndarray,
    air: np.ndarray,
    order: np.ndarray,
    known: float,
) -> _Fit | None:
    """Fit the excess that is left once `known` counts are given back; None where rows are few."""
    light = gain + known
    sums = [
        _sums((read(row)[order] + known) / light[row], light[row], air) for row in range(len(gain))
    ]
    lit = [one for one in sums if one is not None]
    if len(lit) < _LEAST_ROWS:
        return None
    edge, mass, inverse, constant = (np.stack(parts, axis=-1) for parts in zip(*lit, strict=True))
    beside = edge.mean(axis=1)
    if beside.min() < _LIT * np.median(beside):
        return None  # frames without light that the user keeps
    mass = mass + (~air).sum() * np.log(beside)[:, None]
    grown = beside[:, None] * inverse - constant
    grown = (grown[:-2] + grown[2:]) / 2  # of the views beside, whose noise is not in the mass
    mass = mass[1:-1]
    fit = _regressed(grown - grown.mean(axis=0), mass - mass.mean(axis=0))
    return _Fit(*fit, len(lit))


def _sums(
    seen: np.ndarray, gain: np.ndarray, air: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float] | None:
    """Give the air, what the row takes out, and what an excess of a count adds; None if opaque."""
    body = seen[:, ~air]
    if not np.isfinite(seen).all() or np.percentile(body, 2) < _OPAQUE:
        return None
    body, light = np.clip(body, 1e-2, None), gain[~air]
    inverse = np.asarray(np.sum(1 / body / light, axis=1, dtype=np.float64))
    mass = np.asarray(-np.log(body).sum(axis=1, dtype=np.float64))
    beside = np.asarray(seen[:, air].mean(axis=1, dtype=np.float64))
    return beside, mass, inverse, float(np.sum(1 / light))


def _regressed(grown: np.ndarray, mass: np.ndarray) -> tuple[float, float, float]:
    """Fit the excess; its uncertainty by rows and by parts of the scan, and how many rows agree.

    The noise of the air is the same in all rows: what they share weighs less than what they do not.
    """
    rows = mass.shape[1]
    curved = np.diff(mass, 2, axis=0)
    shared = curved.mean(axis=1)
    own = float(np.mean((curved - shared[:, None]) ** 2)) * rows / (rows - 1) / 6
    common = max(float(np.mean(shared**2)) / 6 - own / rows, 0.0)
    grown_mean, mass_mean = (part.mean(axis=1, keepdims=True) for part in (grown, mass))
    by_row, by_mean = 1 / own, 1 / (own + rows * common)
    product = (grown - grown_mean) * (mass - mass_mean) * by_row + grown_mean * mass_mean * by_mean
    weight = (grown - grown_mean) ** 2 * by_row + grown_mean**2 * by_mean
    found = float(product.sum() / weight.sum())
    sd = hypot(*(_jackknifed(product, weight, axis) for axis in (0, 1)))
    of_rows = product.sum(axis=0) / weight.sum(axis=0)
    low, high = sorted(limit * found for limit in _ROWS_AGREE)
    return found, sd, float(np.mean((of_rows > low) & (of_rows < high)))


def _jackknifed(product: np.ndarray, weight: np.ndarray, axis: int) -> float:
    parts = np.array_split(np.arange(product.shape[axis]), min(_BLOCKS, product.shape[axis]))
    top, bottom = (
        np.array([values.take(part, axis).sum() for part in parts]) for values in (product, weight)
    )
    without = (top.sum() - top) / (bottom.sum() - bottom)
    return sqrt((len(parts) - 1) * float(np.mean((without - without.mean()) ** 2)))
