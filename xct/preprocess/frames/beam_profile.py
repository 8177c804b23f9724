"""A beam whose profile moves. In: flats and projections in a few rows; out: a flat for each frame.

Between flats the beam drifts over optics that are not even, and no mean of flats fits a
projection. Flats are taken apart into their mean and the few principal components in which they
differ by more than noise; of these each projection gets as much as leaves the least structure
in it [1]_.

.. [1] Van Nieuwenhove, De Beenhouwer, De Carlo, Mancini, Marone & Sijbers (2015), Opt. Express
   23, 27975. doi:10.1364/OE.23.027975
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from xct.parallel.kernels import njit
from xct.parallel.threads import over_ranges

_PAIRS = 8  # of neighboring rows, over the height of the frame
_MOST = 12  # components
_ABOVE_NOISE = 3.0  # variance of a component over that of the noise
_MORE_THAN_WHITE = 2.0  # noise that a scintillator spreads differs less from pixel to pixel
_MOVES = 0.003  # rms of what moves, as a fraction of the beam
_ROUNDS = 10
_CHUNK = 128  # projections
_NEAR = 0.05  # of the brightness by time, what air says of it
_LIT = 0.05  # of the beam: darker places say nothing


@dataclass(frozen=True)
class FlatMixture:
    """A flat for each projection: ``sum over k, j of by_frame[i, k] of_flats[k, j] flat[j]``.

    Attributes
    ----------
    by_frame : ndarray of float32, shape (angle, component)
        How much of each component a projection gets; the first is the mean of all flats.
    of_flats : ndarray of float32, shape (component, flat)
        How much of each flat, above the dark, is in a component.
    moved : float
        Rms of what the components add to the mean over the flats, as a fraction of the beam.
    """

    by_frame: np.ndarray
    of_flats: np.ndarray
    moved: float

    def to_dict(self) -> dict[str, Any]:
        """Give plain values for JSON."""
        return {
            "by_frame": self.by_frame.tolist(),
            "of_flats": self.of_flats.tolist(),
            "moved": self.moved,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> FlatMixture:
        """Give what `to_dict` gave."""
        by_frame, of_flats = (np.array(values[k], np.float32) for k in ("by_frame", "of_flats"))
        return cls(by_frame, of_flats, float(values["moved"]))


def pairs_of_rows(rows: int) -> np.ndarray:
    """Choose pairs of neighboring rows over the height of a frame: the first row of each."""
    return np.unique(np.linspace(0, max(rows - 2, 0), min(_PAIRS, max(rows - 1, 1))).astype(int))


@dataclass(frozen=True)
class Components:
    """What flats are made of, in pairs of rows.

    Attributes
    ----------
    mean : ndarray, shape (pair, 2, column)
        Of the flats, each divided by its brightness.
    parts : ndarray, shape (component, pair, 2, column)
        In which they differ.
    of_flats : ndarray, shape (1 + component, flat)
        As in `FlatMixture`.
    moved : float
        As in `FlatMixture`.
    """

    mean: np.ndarray
    parts: np.ndarray
    of_flats: np.ndarray
    moved: float


def components(flats: np.ndarray) -> Components | None:
    """Take flats apart; None where they differ by nothing but brightness and noise.

    Parameters
    ----------
    flats : ndarray, shape (flat, pair, 2, column)
        Counts above the dark.
    """
    if len(flats) < 3:
        return None
    bright = flats.mean(axis=(1, 2, 3), dtype=np.float64)
    scaled = flats / bright[:, None, None, None]
    mean = scaled.mean(axis=0)
    lit = mean > _LIT
    away = np.where(lit, (scaled - mean) / np.where(lit, mean, 1), 0)
    noise = _MORE_THAN_WHITE * _white(away, lit)
    away = away.reshape(len(flats), -1)
    variance, vectors = np.linalg.eigh(away @ away.T / lit.sum())
    variance, vectors = np.clip(variance[::-1], 0, None), vectors[:, ::-1]
    noise = min(noise, float(np.median(variance[: len(flats) - 1])))
    several = min(_MOST, len(flats) - 2)
    count = int(np.argmin(np.append(variance[:several] > _ABOVE_NOISE * noise, False)))
    moved = float(np.sqrt(max(variance[:count].sum() - count * noise, 0) / len(flats)))
    if count == 0 or moved < _MOVES:
        return None
    centered = vectors[:, :count] - vectors[:, :count].mean(axis=0)
    weights = np.concatenate([np.full((1, len(flats)), 1 / len(flats)), centered.T]) / bright
    parts = np.tensordot(weights[1:], flats, axes=1)
    return Components(mean, parts, weights, moved)


def _white(away: np.ndarray, lit: np.ndarray) -> float:
    """Give the variance of what differs from pixel to pixel: noise, even where all flats differ."""
    curved = np.diff(away, 2, axis=3)[:, lit[..., 2:] & lit[..., 1:-1] & lit[..., :-2]]
    return float(np.mean(np.square(curved)) / 6) if curved.size else np.inf


def mixture(
    found: Components,
    read: Callable[[slice], np.ndarray],
    brightness: np.ndarray,
    air: np.ndarray | None = None,
) -> FlatMixture:
    """Find how much of each component every projection gets.

    Where columns show air, what is left of the beam there is least. Elsewhere the structure of a
    projection is, the sum of the absolute steps of its logarithm along rows and columns: what the
    sample adds does not look like the beam.

    Parameters
    ----------
    found : Components
        Of the flats.
    read : callable
        ``read(frames)`` gives some projections above the dark, shape (angle, pair, 2, column).
    brightness : ndarray, shape (angle,)
        Of the beam at each projection, by the flats around it.
    air : ndarray of bool, shape (column,), optional
        Columns that show air at all angles.
    """
    lit = found.mean > _LIT
    mean = np.where(lit, found.mean, 1)
    parts = [np.where(lit, part / mean, 0) for part in found.parts]
    if air is not None:
        usable = (lit & air).ravel()
        basis = np.stack([np.ones(lit.size), *(part.ravel() for part in parts)], axis=1)
    else:
        usable = _steps(lit.astype(float)) == 0
        basis = np.stack([_steps(part) for part in parts], axis=1)
    basis = np.ascontiguousarray(basis[usable])
    amounts = np.ones((len(brightness), 1 + len(parts)))
    by_air = np.array(brightness, np.float64)
    for first in range(0, len(brightness), _CHUNK):
        part = slice(first, min(first + _CHUNK, len(brightness)))
        counts = read(part) / mean
        if air is not None:
            seen = counts.reshape(len(counts), -1)[:, usable]
            level = seen.mean(axis=1, keepdims=True)
            fit = _fitted(basis, seen / level)
            amounts[part, 1:] = fit[:, 1:] / fit[:, :1]
            by_air[part] = fit[:, 0] * level[:, 0]
        else:
            steps = np.stack([_steps(frame) for frame in np.log(np.maximum(counts, _LIT))])
            amounts[part, 1:] = _fitted(basis, steps[:, usable])
    # A profile that moves takes its brightness along; what is further off has another cause.
    near = abs(float(np.median(by_air / brightness)) - 1) < _NEAR
    amounts *= (by_air if near else brightness)[:, None]
    return FlatMixture(amounts.astype(np.float32), found.of_flats.astype(np.float32), found.moved)


def _steps(rows: np.ndarray) -> np.ndarray:
    """Give the differences of neighbors along columns and between the two rows of each pair."""
    along, across = np.diff(rows, axis=2), np.diff(rows, axis=1)
    return np.concatenate([along.ravel(), across.ravel()])


def _fitted(basis: np.ndarray, values: np.ndarray) -> np.ndarray:
    found = np.empty((len(values), basis.shape[1]))
    seen = np.ascontiguousarray(values, np.float64)
    over_ranges(lambda a, b: _fit(basis, seen, found, a, b), len(values))
    return found


@njit(cache=True, nogil=True)
def _fit(basis: np.ndarray, steps: np.ndarray, amounts: np.ndarray, first: int, stop: int) -> None:
    """Minimize the sum of absolute residuals, by least squares weighted anew a few times."""
    values, count = basis.shape
    rest = np.empty(values)
    for frame in range(first, stop):
        fit = np.zeros(count)
        for value in range(values):
            rest[value] = steps[frame, value]
        for _ in range(_ROUNDS):
            small = np.float64(0)
            for value in range(values):
                small += abs(rest[value])
            small = 0.3 * small / values + 1e-12
            normal, right = np.zeros((count, count)), np.zeros(count)
            for value in range(values):
                weight = 1 / max(abs(rest[value]), small)
                for i in range(count):
                    scaled = weight * basis[value, i]
                    right[i] += scaled * steps[frame, value]
                    for j in range(i + 1):
                        normal[i, j] += scaled * basis[value, j]
            for i in range(count):
                normal[i, i] *= 1 + 1e-9
                for j in range(i):
                    normal[j, i] = normal[i, j]
            fit[:] = np.linalg.solve(normal, right)
            for value in range(values):
                rest[value] = steps[frame, value]
                for i in range(count):
                    rest[value] -= fit[i] * basis[value, i]
        for i in range(count):
            amounts[frame, i] = fit[i]
