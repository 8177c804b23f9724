"""Natural or decadic logarithm? In: line integrals; out: how their noise grows with them.

N photons scatter by √N: the variance of natural line integrals p grows as exp(p), that of decadic
ones as exp(2.3 p).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from xct.io.frames import View

_VALUES = 3_000_000  # that are looked at
_MOST = 1.0  # line integral; behind more, the noise of the camera counts too
_BINS, _LEAST_BINS, _LEAST_IN_BIN = 12, 5, 200
_STRUCTURE = 0.3  # of the variance, that rows share: more is the sample's
_MISSED = 1.3  # times what neighboring rows share is the sample's
_OUTLIER_SD, _MAD = 4.0, 1.4826
# Natural ones have up to 1.5 with camera and sample; decadic ones 2.3 and more.
_DECADIC, _SURE_SD = 1.8, 2.0


def looks_decadic(view: View) -> bool:
    """Whether noise grows with line integrals as it does where their logarithm was decadic.

    Parameters
    ----------
    view : View
        Line integrals; a few times three frames that follow each other are read.
    """
    found = noise_growth(view)
    return found is not None and found[0] - _SURE_SD * found[1] > _DECADIC


def noise_growth(view: View) -> tuple[float, float] | None:
    """Fit how the logarithm of the noise's variance grows with line integrals up to 1.

    Returns
    -------
    (slope, sd) or None
        1 for natural line integrals; None where values say too little.
    """
    level, noise, below = _residuals(replace(view, bin=1))
    known = np.isfinite(level + noise + below) & (level < _MOST)
    level, noise, below = level[known], noise[known], below[known]
    if level.size < _BINS * _LEAST_IN_BIN:
        return None
    edges = np.quantile(level, np.linspace(0, 1, _BINS + 1))
    which = np.clip(np.searchsorted(edges, level, "right") - 1, 0, _BINS - 1)
    points = []
    for number in range(_BINS):
        inside = which == number
        variance = _white(noise[inside], below[inside])
        if variance > 0:
            points.append((np.median(level[inside]), np.log(variance), inside.sum()))
    return _slope(np.array(points)) if len(points) >= _LEAST_BINS else None


def _residuals(view: View) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give values, what of them is no smooth function of angle and column, and that a row below."""
    frames, rows, columns = view.shape
    wanted = int(np.clip(_VALUES // (3 * rows * columns), 3, 40))
    parts: tuple[list[np.ndarray], ...] = ([], [], [])
    for first in np.unique(np.linspace(0, max(frames - 3, 0), wanted).astype(int)).tolist():
        three = np.asarray(view.read(slice(first, first + 3)), np.float64)
        if len(three) < 3 or rows < 2:
            continue
        three[~np.isfinite(three)] = np.nan  # the logarithm of no light
        total = three.sum(axis=0)
        smooth = (total[:, :-2] + total[:, 1:-1] + total[:, 2:]) / 9
        odd = np.diff(np.diff(three, 2, axis=0)[0], 2, axis=1)
        for part, values in zip(parts, (smooth[:-1], odd[:-1], odd[1:]), strict=True):
            part.append(values.ravel())
    level, noise, below = (np.concatenate(part) if part else np.empty(0) for part in parts)
    return level, noise, below


def _white(noise: np.ndarray, below: np.ndarray) -> float:
    """Give the variance of what differs from row to row; 0 where the sample's is too large."""
    if noise.size < _LEAST_IN_BIN:
        return 0.0
    sd = _MAD * float(np.median(np.abs(noise)))
    here, there = (np.clip(part, -_OUTLIER_SD * sd, _OUTLIER_SD * sd) for part in (noise, below))
    shared = float(np.mean(here * there) / max(np.mean(here**2), 1e-30))
    return sd**2 * (1 - _MISSED * max(shared, 0)) if shared < _STRUCTURE else 0.0


def _slope(points: np.ndarray) -> tuple[float, float]:
    value, log, weight = points.T
    away = value - np.average(value, weights=weight)
    spread = max(float(np.sum(weight * away**2)), 1e-30)
    slope = float(np.sum(weight * away * log) / spread)
    rest = log - np.average(log, weights=weight) - slope * away
    scatter = float(np.sum(weight * rest**2)) / (len(points) - 2)
    return slope, float(np.sqrt(max(scatter, 5.0) / spread))
