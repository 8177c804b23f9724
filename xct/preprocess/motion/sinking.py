"""How far the sample moves along the axis. In: line integrals of neighboring rows; out: pixels.

What a row attenuates in all is the same in all views, whatever the sample is [1]_. Where it
changes as neighboring rows differ, the sample stands higher or lower.

References
----------
.. [1] Azevedo, Schneberk, Fitch & Martz (1990), IEEE Trans. Nucl. Sci. 37, 1525.
   doi:10.1109/23.55866
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_LEAST_VIEWS, _LEAST_PAIRS = 60, 3
_PARTS = 10  # of the views: what moves faster is jitter
_ROUNDS = 3
_BENT = 0.3  # by which steps between rows differ further on
_OPAQUE = 3.0  # line integral: noise and glare of what is darker are no mass
# Virtual cells that stand still have up to 0.38 px, 7.6 sd (one of eight of 400 × 512²).
_SURE_SD, _LEAST_PX = 12.0, 0.5
# Steps between rows are not the same further on. Of ramps, jumps and waves of 0.5 to 3 px in three
# virtual cells up to 1 px was found to a fifth; of a jump by 2 px 1.4.
_OFF, _NEAR_PX, _FAR_OFF = 0.2, 1.3, 0.4
_MOST_PX = 8.0  # what else changes rows so much
_FAR_PX = 1.5
_ALIKE = 0.1  # of the sample's depth: by which both sides of the view may differ, if both are air
_LEANS = 0.03  # radians; a tilt is found and corrected by itself


@dataclass(frozen=True)
class Sinking:
    """Where the sample stands along the axis.

    Attributes
    ----------
    path_px : ndarray, shape (part,)
        Towards larger rows, about its mean, of parts of the scan that are as long.
    sd_px : float
        Its standard uncertainty, by leaving out each pair of rows.
    aside_px : float
        How far the centers of rows go sideways: with an axis that leans, they go up and down, too.
    lift_px : float
        By how much a tilt of the axis that was taken out lifts the ends of rows.
    """

    path_px: np.ndarray
    sd_px: float
    aside_px: float = 0.0
    lift_px: float = 0.0

    @property
    def range_px(self) -> float:
        """From the lowest to the highest of the parts."""
        return float(np.ptp(self.path_px))

    @property
    def is_sure(self) -> bool:
        """Whether it moves, for sure."""
        tilted = max(_LEANS * self.aside_px, self.lift_px)
        least = max(_LEAST_PX, _SURE_SD * self.sd_px, tilted)
        return least < self.range_px < _MOST_PX

    @property
    def left_px(self) -> float:
        """What is left of it once it is corrected."""
        off = _OFF if self.range_px < _NEAR_PX else _FAR_OFF
        return max(self.sd_px, off * self.range_px)

    def rows_px(self, views: int) -> np.ndarray:
        """Give it for so many views."""
        return _spread(self.path_px, views)


def find_sinking(views: np.ndarray, pairs: np.ndarray) -> Sinking | None:
    """Find where the sample stands along the axis.

    Parameters
    ----------
    views : ndarray, shape (angle, row, column)
        Line integrals, in the order of time, of a sample that is in view as a whole.
    pairs : ndarray of int, shape (pair,)
        Rows that are followed by their neighbor in the frame.

    Returns
    -------
    Sinking or None
        None where rows or views are few, or one side of the view lies within the sample, as in
        half acquisition.
    """
    if not _sides_alike(views):
        return None
    told = views.mean(axis=0).max(axis=-1) < _OPAQUE
    pairs = pairs[told[pairs] & told[pairs + 1]]
    if len(views) < _LEAST_VIEWS or len(pairs) < _LEAST_PAIRS:
        return None
    masses, moments = _masses(views)
    upper, lower = masses[:, pairs], masses[:, pairs + 1]
    usual = (upper + lower).mean(axis=0) / 2
    change = (upper + lower) / 2 - usual
    leaning = _parts(moments[:, pairs + 1] - moments[:, pairs])
    # Light, darks or angles that are not quite right change all rows by a part of what they are.
    model = np.stack([(upper - lower).mean(axis=0), usual], axis=1)
    noise = np.mean(np.diff(change, 2, axis=0) ** 2, axis=0) / 6
    slow = _parts(change)
    noise *= _PARTS / len(views)
    weight = 1 / (noise + (_BENT * model[:, 0]) ** 2)
    tilt = 0.0
    for _ in range(_ROUNDS):
        more = _tilt(model, slow, leaning, weight)
        slow, tilt = slow - more * leaning, tilt + more
        fit = _solved(model, slow, weight)
        left = np.mean((slow - fit @ model.T) ** 2, axis=0)
        weight = 1 / (noise + left + (_BENT * model[:, 0]) ** 2 * np.var(fit[:, 0]))
    path = _solved(model, slow, weight)[:, 0]
    count = len(pairs)
    others = [np.arange(count) != pair for pair in range(count)]
    without = np.array([_solved(model[o], slow[:, o], weight[o])[:, 0] for o in others])
    variance = (count - 1) * np.mean((without - without.mean(axis=0)) ** 2)
    aside, lift = _aside(moments, masses), abs(tilt) * views.shape[-1] / 2
    return Sinking(path - path.mean(), float(np.sqrt(variance)), aside, lift)


def _sides_alike(views: np.ndarray) -> bool:
    profile = views.mean(axis=(0, 1), dtype=np.float64)
    margin = max(2, profile.size // 50)
    apart = abs(profile[:margin].mean() - profile[-margin:].mean())
    return bool(apart < _ALIKE * np.ptp(profile))


def slow_part(values: np.ndarray) -> np.ndarray:
    """Give what a `Sinking` would hold of values of each view, shape (angle,)."""
    return _spread(_parts(values), len(values))


def along_axis_px(rows_px: Sequence[float]) -> float:
    """Give how far shifts along rows go slowly; 0 where that does not matter."""
    far = float(np.ptp(slow_part(np.asarray(rows_px, np.float64))))
    return far if far > _LEAST_PX else 0.0


def raised(views: np.ndarray, shift_px: np.ndarray, row_px: np.ndarray) -> np.ndarray:
    """Move views along rows, each back by its own shift, as far as neighboring rows say how.

    Parameters
    ----------
    views : ndarray, shape (angle, row, column)
        Line integrals; a row without a neighbor stays.
    shift_px : ndarray, shape (angle,)
        Towards larger rows; no more than a row and a half is made up for.
    row_px : ndarray, shape (row,)
        Which rows of the frame these are, ascending.
    """
    moved = np.array(views, np.float32)
    shift = np.clip(shift_px, -_FAR_PX, _FAR_PX).astype(np.float32)
    for row in range(views.shape[1]):
        above = row > 0 and row_px[row] - row_px[row - 1] == 1
        below = row + 1 < len(row_px) and row_px[row + 1] - row_px[row] == 1
        for part, first in ((shift > 0, row if below else row - 1),
                            (shift < 0, row - 1 if above else row)):  # fmt: skip
            if above or below:
                step = views[part, first + 1] - views[part, first]
                moved[part, row] += shift[part, None] * step
    return moved


def _parts(values: np.ndarray) -> np.ndarray:
    """Average parts of the scan that are as long."""
    return np.array([part.mean(axis=0) for part in np.array_split(values, _PARTS)])


def _spread(path: np.ndarray, views: int) -> np.ndarray:
    """Give what was found of parts of the scan for each view."""
    middles = (np.arange(len(path)) + 0.5) * (views / len(path)) - 0.5
    return np.asarray(np.interp(np.arange(views), middles, path))


def _masses(views: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give what rows attenuate in all, above the air at both sides, and its first moments."""
    columns = views.shape[-1]
    margin = max(3, columns // 50)
    air = (views[..., :margin].mean(axis=-1) + views[..., -margin:].mean(axis=-1)) / 2
    masses = views.sum(axis=-1, dtype=np.float64) - air * columns
    position = np.arange(columns, dtype=np.float32) - np.float32((columns - 1) / 2)
    return masses, np.asarray(views @ position, np.float64)


def _aside(moments: np.ndarray, masses: np.ndarray) -> float:
    """Give how far the centers of rows go sideways."""
    usual = np.clip(masses.mean(axis=0), 1e-9, None)
    return float(np.average(np.ptp(_parts(moments) / usual, axis=0), weights=usual))


def _tilt(model: np.ndarray, slow: np.ndarray, leaning: np.ndarray, weight: np.ndarray) -> float:
    """Find the tilt of the axis, radians: it lifts one side of a row, and lowers the other."""
    seen, tilted = (v - _solved(model, v, weight) @ model.T for v in (slow, leaning))
    size = float(np.sum(weight * tilted**2))
    return float(np.sum(weight * tilted * seen)) / size if size > 0 else 0.0


def _solved(model: np.ndarray, values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Fit the columns of a model, (pair, column), to each of the values, (time, pair)."""
    normal = (model.T * weight) @ model
    return np.asarray(np.linalg.solve(normal, (model.T * weight) @ values.T).T)
