"""Is a bore as wide along y as along x? In: points of its edge, µm; out: an ellipse, or a refusal.

A bore is drilled: where it seems oval, the voxel size of one axis is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

MOST_OVAL = 0.02
_TRIALS = 200
_SECTORS, _LEAST_SECTORS = 16, 14  # of the way round, and those that must hold points
_LEAST_CLOSE = 0.7


@dataclass(frozen=True)
class Oval:
    """An ellipse with its axes along y and x, µm.

    Attributes
    ----------
    y_um, x_um : float
        Center.
    half_y_um, half_x_um : float
        Half widths.
    """

    y_um: float
    x_um: float
    half_y_um: float
    half_x_um: float

    @property
    def ratio(self) -> float:
        """Width along y over width along x."""
        return self.half_y_um / self.half_x_um

    @property
    def is_round(self) -> bool:
        """Tell whether the widths agree within `MOST_OVAL`."""
        return abs(float(np.log(self.ratio))) <= MOST_OVAL


def oval_through(
    y: np.ndarray, x: np.ndarray, *, tolerance: float, grow: Sequence[float] = (0.0, 0.0)
) -> Oval | None:
    """Fit an ellipse along the axes to the points that agree best; some may lie elsewhere.

    Parameters
    ----------
    y, x : ndarray, shape (n,)
        Points of an edge, µm.
    tolerance : float
        How far off the ellipse a point may lie, µm.
    grow : sequence of float, optional
        By how much the edge lies outside of its points along y and x, µm.

    Returns
    -------
    Oval or None
        None where most points lie on no ellipse, or they do not go all the way round.
    """
    if y.size < 20:
        return None
    best = _best_of_trials(y, x, tolerance)
    for _ in range(10):
        if best is None:
            return None
        best = _ellipse(*(v[_off(best, y, x) < tolerance] for v in (y, x)))
    if best is None or not _goes_round(best, y, x, tolerance):
        return None
    return Oval(best[0], best[1], best[2] + grow[0], best[3] + grow[1])


def refuse_oval(ovals: Sequence[Oval], voxel_size_um: Sequence[float]) -> None:
    """Refuse a bore that is oval in most of the slices that show one.

    Slices are looked at by themselves: a bore that leans smears into an oval over all of them.

    Raises
    ------
    ValueError
        If the widths along y and x differ by more than `MOST_OVAL`.
    """
    if not ovals:
        return
    ratios = np.array([oval.ratio for oval in ovals])
    middle = ovals[int(np.argsort(ratios)[ratios.size // 2])]
    if middle.is_round:
        return
    z, y, x = (float(edge) for edge in voxel_size_um)
    raise ValueError(
        f"the bore is not round: it is {2 * middle.half_y_um:.4g} µm wide along y and "
        f"{2 * middle.half_x_um:.4g} µm along x, {middle.ratio:.3g} times as wide, where at most "
        f"{MOST_OVAL:.0%} are expected. The voxel size of one of the axes is probably wrong: "
        f"voxel_size_um is [{z:.4g}, {y:.4g}, {x:.4g}] along z, y and x; the bore is round with "
        f"{y / middle.ratio:.4g} along y, or with {x * middle.ratio:.4g} along x"
    )


def _best_of_trials(y: np.ndarray, x: np.ndarray, tolerance: float) -> tuple[float, ...] | None:
    rng, best, votes = np.random.default_rng(0), None, 0
    for _ in range(_TRIALS):
        some = rng.choice(y.size, 6, replace=False)
        trial = _ellipse(y[some], x[some])
        if trial is None:
            continue
        count = int(np.count_nonzero(_off(trial, y, x) < tolerance))
        if count > votes:
            best, votes = trial, count
    return best


def _ellipse(y: np.ndarray, x: np.ndarray) -> tuple[float, ...] | None:
    """Least squares of y² = −c·x² + 2·y0·y + 2·c·x0·x + k, about the mean of the points."""
    if y.size < 6:
        return None
    dy, dx = y - y.mean(), x - x.mean()
    terms = np.stack([-(dx**2), 2 * dy, 2 * dx, np.ones_like(dy)], axis=1)
    (c, y0, cx0, k), _, rank, _ = np.linalg.lstsq(terms, dy**2, rcond=1e-10)
    if rank < 4 or c <= 0:
        return None
    x0 = cx0 / c
    square = k + y0**2 + c * x0**2
    if square <= 0:
        return None
    half = float(np.sqrt(square))
    return float(y0 + y.mean()), float(x0 + x.mean()), half, float(half / np.sqrt(c))


def _off(ellipse: tuple[float, ...], y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Distance from an ellipse, to first order."""
    y0, x0, a, b = ellipse
    v, u = (y - y0) / a, (x - x0) / b
    r = np.maximum(np.hypot(v, u), 1e-9)
    slope = np.maximum(np.hypot(v / a, u / b) / r, 1e-9)
    return np.asarray(np.abs(r - 1) / slope)


def _goes_round(ellipse: tuple[float, ...], y: np.ndarray, x: np.ndarray, tolerance: float) -> bool:
    close = _off(ellipse, y, x) < tolerance
    angle = np.arctan2((y - ellipse[0]) / ellipse[2], (x - ellipse[1]) / ellipse[3])[close]
    sectors = np.unique(((angle / (2 * np.pi) + 0.5) * _SECTORS).astype(int) % _SECTORS)
    return bool(close.mean() >= _LEAST_CLOSE and sectors.size >= _LEAST_SECTORS)
