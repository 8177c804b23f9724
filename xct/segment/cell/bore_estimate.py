"""Where the bright inside of a cell ends, roughly. In: a coarse volume; out: a circle in µm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy

from xct.segment.cell.coarse import Coarse, known_quantile

# Circles through points, some of which lie elsewhere. In: y, x; out: center and radius.

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


# Is a bore as wide along y as along x? In: points of its edge, µm; out: an ellipse, or a refusal.
#
# A bore is drilled: where it seems oval, the voxel size of one axis is wrong.

MOST_OVAL = 0.02
_ROUNDNESS_TRIALS = 200
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
    best = _roundness_best_of_trials(y, x, tolerance)
    for _ in range(10):
        if best is None:
            return None
        best = _ellipse(*(v[_roundness_off(best, y, x) < tolerance] for v in (y, x)))
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


def _roundness_best_of_trials(
    y: np.ndarray, x: np.ndarray, tolerance: float
) -> tuple[float, ...] | None:
    rng, best, votes = np.random.default_rng(0), None, 0
    for _ in range(_ROUNDNESS_TRIALS):
        some = rng.choice(y.size, 6, replace=False)
        trial = _ellipse(y[some], x[some])
        if trial is None:
            continue
        count = int(np.count_nonzero(_roundness_off(trial, y, x) < tolerance))
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


def _roundness_off(ellipse: tuple[float, ...], y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Distance from an ellipse, to first order."""
    y0, x0, a, b = ellipse
    v, u = (y - y0) / a, (x - x0) / b
    r = np.maximum(np.hypot(v, u), 1e-9)
    slope = np.maximum(np.hypot(v / a, u / b) / r, 1e-9)
    return np.asarray(np.abs(r - 1) / slope)


def _goes_round(ellipse: tuple[float, ...], y: np.ndarray, x: np.ndarray, tolerance: float) -> bool:
    close = _roundness_off(ellipse, y, x) < tolerance
    angle = np.arctan2((y - ellipse[0]) / ellipse[2], (x - ellipse[1]) / ellipse[3])[close]
    sectors = np.unique(((angle / (2 * np.pi) + 0.5) * _SECTORS).astype(int) % _SECTORS)
    return bool(close.mean() >= _LEAST_CLOSE and sectors.size >= _LEAST_SECTORS)


_MOST_SLICES = 256
_GROUP = 8  # slices averaged for one fit
_GROUPS = 12


@dataclass(frozen=True)
class Disc:
    """Where the bright inside of a cell ends, roughly.

    Attributes
    ----------
    y_um, x_um, radius_um : float
        A circle; without an edge in view, one about the middle that holds all that is in view.
    seen : bool
        The edge is in view.
    outside : float or None
        Grey value beyond it.
    """

    y_um: float
    x_um: float
    radius_um: float
    seen: bool
    outside: float | None


def find_disc(coarse: Coarse) -> Disc:
    """Find the circle inside which a cell is brighter than around it, from the coarse volume.

    Raises
    ------
    ValueError
        If the edge is an oval, which a wrong voxel size makes of a bore.
    """
    step = -(-coarse.shape[0] // _MOST_SLICES)
    sampled = coarse.values[::step]
    field = coarse.in_field()
    bright = np.full(field.shape, np.nan)
    bright[field] = known_quantile(sampled[:, field].T, 0.7)
    y, x = coarse.positions_um()
    middle = middle_um(coarse)
    widest = float(np.hypot(y - middle[0], x - middle[1])[field].max())
    central = field & (np.hypot(y - middle[0], x - middle[1]) < 0.3 * widest)
    inside, outside = float(np.median(bright[central])), float(np.quantile(bright[field], 0.03))
    whole = all_in_view(coarse)
    darkest = float(known_quantile(sampled[:, field].reshape(1, -1), 0.005)[0])
    if inside - outside < max(0.3 * (inside - darkest), 4 * _roughness(bright)):
        return whole
    edge = _edge_points(bright > 0.5 * (inside + outside), field)
    if edge[0].size < 20:
        return whole
    oval = _oval(coarse, edge)
    if oval is not None and not oval.is_round:
        refuse_oval(_ovals_of_slices(coarse, field, inside, outside), coarse.voxel_size_um)
    try:
        y_um, x_um, radius, _ = circle_through(
            y[edge[0], 0], x[0, edge[1]], tolerance=1.5 * max(coarse.edge_um)
        )
    except ValueError:
        return whole
    beyond = field & (np.hypot(y - y_um, x - x_um) > radius + 1.5 * max(coarse.edge_um))
    if not beyond.any():
        return whole
    outside = float(known_quantile(sampled[:, beyond].reshape(1, -1), 0.5)[0])
    return Disc(y_um, x_um, radius + 0.5 * max(coarse.edge_um), True, outside)


def _oval(coarse: Coarse, edge: tuple[np.ndarray, np.ndarray]) -> Oval | None:
    y, x = coarse.positions_um()
    half = (0.5 * coarse.edge_um[0], 0.5 * coarse.edge_um[1])
    return oval_through(
        y[edge[0], 0], x[0, edge[1]], tolerance=1.5 * max(coarse.edge_um), grow=half
    )


def _ovals_of_slices(
    coarse: Coarse, field: np.ndarray, inside: float, outside: float
) -> list[Oval]:
    """Fit an oval in each group of slices whose inside is about as bright as a cell's."""
    found = []
    for first, stop in slice_groups(0, coarse.shape[0]):
        image = np.nan_to_num(coarse.values[first:stop].mean(axis=0), nan=outside)
        oval = _oval(coarse, _edge_points(image > 0.5 * (inside + outside), field))
        if oval is not None:
            found.append(oval)
    return found


def all_in_view(coarse: Coarse) -> Disc:
    """Give the circle about the middle that holds everything in view."""
    radius = coarse.field_radius_um or _corner_um(coarse)
    return Disc(*middle_um(coarse), radius, False, None)


def middle_um(coarse: Coarse) -> tuple[float, float]:
    """Give the middle of a slice, along y and x."""
    return (
        (coarse.shape[1] - 1) / 2 * coarse.voxel_size_um[1],
        (coarse.shape[2] - 1) / 2 * coarse.voxel_size_um[2],
    )


def _corner_um(coarse: Coarse) -> float:
    return float(np.hypot(*middle_um(coarse))) + max(coarse.voxel_size_um[1:])


def _roughness(image: np.ndarray) -> float:
    """Noise of an image, from differences of neighbors."""
    steps = np.abs(np.diff(image, axis=1))
    return 1.05 * float(np.nanmedian(steps))


def _edge_points(mask: np.ndarray, field: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of the largest bright region at its border, where there is something beyond it."""
    regions, count = scipy.ndimage.label(mask & field)
    if not count:
        return np.empty(0, int), np.empty(0, int)
    largest = 1 + int(np.argmax(np.bincount(regions.ravel())[1:]))
    solid = scipy.ndimage.binary_fill_holes(regions == largest)
    border = solid & ~scipy.ndimage.binary_erosion(solid)
    known = scipy.ndimage.binary_erosion(field, iterations=2)
    rows, columns = np.nonzero(border & known)
    return rows, columns


def slice_groups(first: int, stop: int) -> list[tuple[int, int]]:
    """List groups of slices, evenly over a range, that are averaged for one fit each."""
    count = max(1, min(_GROUPS, (stop - first) // _GROUP))
    starts = np.linspace(first, max(first, stop - _GROUP), count).astype(int)
    return [(int(s), int(min(s + _GROUP, stop))) for s in starts]
