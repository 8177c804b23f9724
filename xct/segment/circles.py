"""Circles through points, some of which lie elsewhere. In: y, x; out: center and radius."""

from __future__ import annotations

import numpy as np

_TRIALS = 300


def circle_through(
    y: np.ndarray, x: np.ndarray, *, tolerance: float, seed: int = 0
) -> tuple[float, float, float, np.ndarray]:
    """Fit a circle to the points that agree best: three at a time, then all that lie close.

    Parameters
    ----------
    y, x : ndarray, shape (n,)
        Points.
    tolerance : float
        How far off the circle a point may lie, in the same unit.
    seed : int, optional
        Of the random choices: the answer is repeatable.

    Returns
    -------
    y, x, radius : float
        Center and radius.
    close : ndarray of bool, shape (n,)
        Points that lie on it.

    Raises
    ------
    ValueError
        If there are fewer than 5 points, or all lie on a line.
    """
    if y.size < 5:
        raise ValueError(f"a circle needs at least 5 points; there are {y.size}")
    best = _best_of_trials(y, x, tolerance, np.random.default_rng(seed))
    if best is None:
        raise ValueError("the points lie on a line; no circle goes through them")
    close = _off(best, y, x) < tolerance
    for _ in range(10):
        best = _through_all(y[close], x[close])
        again = _off(best, y, x) < tolerance
        if again.sum() < 5 or np.array_equal(again, close):
            break
        close = again
    return float(best[0]), float(best[1]), float(best[2]), close


def _best_of_trials(
    y: np.ndarray, x: np.ndarray, tolerance: float, rng: np.random.Generator
) -> np.ndarray | None:
    best, votes = None, -1
    for _ in range(_TRIALS):
        three = rng.choice(y.size, 3, replace=False)
        trial = _through_all(y[three], x[three])
        if not np.isfinite(trial).all():
            continue
        count = int(np.count_nonzero(_off(trial, y, x) < tolerance))
        if count > votes:
            best, votes = trial, count
    return best


def _off(circle: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    return np.asarray(np.abs(np.hypot(y - circle[0], x - circle[1]) - circle[2]))


def _through_all(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Least squares of y² + x² = 2·y0·y + 2·x0·x + c, about the mean of the points."""
    y_mean, x_mean = y.mean(), x.mean()
    dy, dx = y - y_mean, x - x_mean
    terms = np.stack([2 * dy, 2 * dx, np.ones_like(dy)], axis=1)
    answer, _, rank, _ = np.linalg.lstsq(terms, dy**2 + dx**2, rcond=1e-10)
    if rank < 3:
        return np.full(3, np.nan)
    radius = np.sqrt(max(answer[2] + answer[0] ** 2 + answer[1] ** 2, 0))
    return np.array([answer[0] + y_mean, answer[1] + x_mean, radius])
