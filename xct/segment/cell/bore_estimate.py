"""Where the bright inside of a cell ends, roughly. In: a coarse volume; out: a circle in µm.

A bore is drilled, so it is round: where it seems oval, the voxel size of one axis is wrong.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy

from xct.errors import DataError
from xct.segment.cell.coarse import Coarse, Frame, known_quantile

_TRIALS = 300
_REFITS = 10
MOST_OVAL = 0.02
_SECTORS, _LEAST_SECTORS = 16, 14  # of the way round, and those that must hold points
_LEAST_CLOSE = 0.7
_MOST_SLICES = 256
# Two cells: radius of the second disc over that of the first, distance of their middles over it,
# and how narrow it is between them. And pixels.
_AS_LARGE, _APART, _NECK, _LEAST_DISC = 0.7, 1.5, 0.6, 6
_GROUP = 8  # slices averaged for one fit
_GROUPS = 12


def circle_through(
    y: np.ndarray, x: np.ndarray, *, tolerance: float
) -> tuple[float, float, float, np.ndarray]:
    """Fit a circle to the points that agree best, by RANSAC; some may lie elsewhere.

    Parameters
    ----------
    y, x : ndarray, shape (n,)
        Points.
    tolerance : float
        How far from the circle a point may lie, in the same unit.

    Returns
    -------
    y, x, radius : float
        Center and radius.
    close : ndarray of bool, shape (n,)
        Points that lie on it.

    Raises
    ------
    DataError
        If there are fewer than 5 points, or all lie on a line.
    """
    from skimage.measure import CircleModel

    if y.size < 5:
        raise DataError(f"a circle needs at least 5 points; there are {y.size}")
    points = np.column_stack([y, x])
    length, width = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    if width <= 1e-9 * length:
        raise DataError("the points lie on a line; no circle goes through them")
    circle, close = _agreeing(CircleModel, points, 3, tolerance)
    if circle is None:
        raise DataError(f"no circle has points within {tolerance:.4g} of it")
    return float(circle.center[0]), float(circle.center[1]), float(circle.radius), close


def _agreeing(
    model: Any, points: np.ndarray, least: int, tolerance: float
) -> tuple[Any | None, np.ndarray]:
    """Fit a model to the points that agree best with one, until these are the same again."""
    from skimage import measure

    ransac: Any = measure.ransac  # carries no types

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there is none is said by the caller
        fit, close = ransac(points, model, least, tolerance, max_trials=_TRIALS, rng=0)
    for _ in range(_REFITS):
        if not fit:
            return None, np.zeros(len(points), bool)
        again = np.abs(fit.residuals(points)) < tolerance
        if np.count_nonzero(again) < least + 2 or np.array_equal(again, close):
            break
        close, fit = again, model.from_estimate(points[again])
    return (fit, close) if fit else (None, close)


@dataclass(frozen=True)
class Oval:
    """An ellipse with its axes along y and x, µm: a model for RANSAC.

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
        """Whether the widths agree within `MOST_OVAL`."""
        return abs(float(np.log(self.ratio))) <= MOST_OVAL

    @classmethod
    def from_estimate(cls, points: np.ndarray) -> Oval | None:
        """Fit y² = −c·x² + 2·y0·y + 2·c·x0·x + k about the mean of the points; None: no ellipse."""
        if len(points) < 6:
            return None
        mean = points.mean(axis=0)
        dy, dx = (points - mean).T
        terms = np.stack([-(dx**2), 2 * dy, 2 * dx, np.ones_like(dy)], axis=1)
        (c, y0, cx0, k), _, rank, _ = np.linalg.lstsq(terms, dy**2, rcond=1e-10)
        if rank < 4 or c <= 0:
            return None
        x0 = cx0 / c
        square = k + y0**2 + c * x0**2
        if square <= 0:
            return None
        half = float(np.sqrt(square))
        return cls(float(y0 + mean[0]), float(x0 + mean[1]), half, float(half / np.sqrt(c)))

    def residuals(self, points: np.ndarray) -> np.ndarray:
        """Distances of points (y, x) from the ellipse, to first order."""
        v = (points[:, 0] - self.y_um) / self.half_y_um
        u = (points[:, 1] - self.x_um) / self.half_x_um
        r = np.maximum(np.hypot(v, u), 1e-9)
        slope = np.maximum(np.hypot(v / self.half_y_um, u / self.half_x_um) / r, 1e-9)
        return np.asarray(np.abs(r - 1) / slope)

    def goes_round(self, points: np.ndarray) -> bool:
        """Return whether points on the ellipse go all the way round."""
        v = (points[:, 0] - self.y_um) / self.half_y_um
        u = (points[:, 1] - self.x_um) / self.half_x_um
        turn = np.arctan2(v, u) / (2 * np.pi) + 0.5
        return np.unique((turn * _SECTORS).astype(int) % _SECTORS).size >= _LEAST_SECTORS


def oval_through(
    y: np.ndarray, x: np.ndarray, *, tolerance: float, grow: Sequence[float] = (0.0, 0.0)
) -> Oval | None:
    """Fit an ellipse along the axes to the points that agree best; some may lie elsewhere.

    Parameters
    ----------
    y, x : ndarray, shape (n,)
        Points of an edge, µm.
    tolerance : float
        How far from the ellipse a point may lie, µm.
    grow : sequence of float, optional
        By how much the edge lies outside of its points along y and x, µm.

    Returns
    -------
    Oval or None
        None where most points lie on no ellipse, or they do not go all the way round.
    """
    if y.size < 20:
        return None
    points = np.column_stack([y, x])
    oval, close = _agreeing(Oval, points, 6, tolerance)
    if oval is None or close.mean() < _LEAST_CLOSE or not oval.goes_round(points[close]):
        return None
    return Oval(oval.y_um, oval.x_um, oval.half_y_um + grow[0], oval.half_x_um + grow[1])


def refuse_oval(ovals: Sequence[Oval], voxel_size_um: Sequence[float]) -> None:
    """Refuse a bore that is oval in most of the slices that show one.

    Slices are looked at by themselves: a bore that leans smears into an oval over all of them.

    Raises
    ------
    DataError
        If the widths along y and x differ by more than `MOST_OVAL`.
    """
    if not ovals:
        return
    ratios = np.array([oval.ratio for oval in ovals])
    middle = ovals[int(np.argsort(ratios)[ratios.size // 2])]
    if middle.is_round:
        return
    z, y, x = (float(edge) for edge in voxel_size_um)
    raise DataError(
        f"the bore is not round: it is {2 * middle.half_y_um:.4g} µm wide along y and "
        f"{2 * middle.half_x_um:.4g} µm along x, {middle.ratio:.3g} times as wide, where at most "
        f"{MOST_OVAL:.0%} are expected. The voxel size of one of the axes is probably wrong: "
        f"voxel_size_um is [{z:.4g}, {y:.4g}, {x:.4g}] along z, y and x; the bore is round with "
        f"{y / middle.ratio:.4g} along y, or with {x * middle.ratio:.4g} along x"
    )


@dataclass(frozen=True)
class BoreEstimate:
    """Where the bright inside of a cell ends, roughly.

    Attributes
    ----------
    y_um, x_um, radius_um : float
        A circle; without an edge in view, one about the middle that holds all that is in view.
    in_view : bool
        The edge is in view.
    outside : float or None
        Grey value beyond it.
    """

    y_um: float
    x_um: float
    radius_um: float
    in_view: bool
    outside: float | None


def estimate_bore(coarse: Coarse, least: float | None = None) -> BoreEstimate:
    """Find the circle inside which a cell is brighter than around it, from the coarse volume.

    Parameters
    ----------
    coarse : Coarse
        Means of the volume.
    least : float, optional
        What nothing can be darker than: streaks beside opaque steel are, and say nothing of what
        lies around a cell.

    Raises
    ------
    DataError
        If the edge is an oval, which a wrong voxel size makes of a bore.
    """
    step = -(-len(coarse.values) // _MOST_SLICES)
    sampled = coarse.values[::step]
    field = coarse.in_field()
    bright = np.full(field.shape, np.nan)
    bright[field] = known_quantile(sampled[:, field].T, 0.7)
    y, x = coarse.positions_um()
    middle = coarse.frame.middle_um
    widest = float(np.hypot(y - middle[0], x - middle[1])[field].max())
    central = field & (np.hypot(y - middle[0], x - middle[1]) < 0.3 * widest)
    inside, outside = float(np.median(bright[central])), float(np.quantile(bright[field], 0.03))
    whole = all_in_view(coarse.frame)
    darkest = float(known_quantile(sampled[:, field].reshape(1, -1), 0.005)[0])
    darkest = darkest if least is None else max(darkest, least)
    if inside - outside < max(0.3 * (inside - darkest), 4 * _roughness(bright)):
        return whole
    mask = bright > 0.5 * (inside + outside)
    refuse_two_bores(mask & field)
    edge = _edge_points(mask, field)
    if edge[0].size < 20:
        return whole
    oval = _oval(coarse, edge)
    if oval is not None and not oval.is_round:
        refuse_oval(_ovals_of_slices(coarse, field, inside, outside), coarse.frame.voxel_size_um)
    try:
        y_um, x_um, radius, _ = circle_through(
            y[edge[0], 0], x[0, edge[1]], tolerance=1.5 * max(coarse.frame.edge_um)
        )
    except ValueError:
        return whole
    beyond = field & (np.hypot(y - y_um, x - x_um) > radius + 1.5 * max(coarse.frame.edge_um))
    if not beyond.any():
        return whole
    outside = float(known_quantile(sampled[:, beyond].reshape(1, -1), 0.5)[0])
    return BoreEstimate(y_um, x_um, radius + 0.5 * max(coarse.frame.edge_um), True, outside)


def refuse_two_bores(mask: np.ndarray) -> None:
    """Refuse what holds two discs of about one size side by side, with a neck between them.

    Parameters
    ----------
    mask : ndarray of bool, shape (y, x)
        What is as bright as a cell.

    Raises
    ------
    DataError
        If there are two.
    """
    solid = np.pad(scipy.ndimage.binary_fill_holes(mask), 1)
    depth = scipy.ndimage.distance_transform_edt(solid)
    first = np.unravel_index(int(depth.argmax()), depth.shape)
    y, x = np.ogrid[: depth.shape[0], : depth.shape[1]]
    away = np.where(np.hypot(y - first[0], x - first[1]) > _APART * depth[first], depth, 0)
    second = np.unravel_index(int(away.argmax()), away.shape)
    if away[second] < _AS_LARGE * depth[first] or away[second] < _LEAST_DISC:
        return
    along = np.linspace(first, second, 64).round().astype(int)
    if depth[tuple(along.T)].min() < _NECK * away[second]:
        raise DataError(
            "two bores of about one size lie side by side in the volume, the smaller "
            f"{away[second] / depth[first]:.0%} as wide: results are of one cell. Crop the volume "
            "to each of them, and run each by itself"
        )


def _oval(coarse: Coarse, edge: tuple[np.ndarray, np.ndarray]) -> Oval | None:
    y, x = coarse.positions_um()
    half = (0.5 * coarse.frame.edge_um[0], 0.5 * coarse.frame.edge_um[1])
    return oval_through(
        y[edge[0], 0], x[0, edge[1]], tolerance=1.5 * max(coarse.frame.edge_um), grow=half
    )


def _ovals_of_slices(
    coarse: Coarse, field: np.ndarray, inside: float, outside: float
) -> list[Oval]:
    """Fit an oval in each group of slices whose inside is about as bright as a cell's."""
    found = []
    for first, stop in slice_groups(0, len(coarse.values)):
        image = np.nan_to_num(coarse.values[first:stop].mean(axis=0), nan=outside)
        oval = _oval(coarse, _edge_points(image > 0.5 * (inside + outside), field))
        if oval is not None:
            found.append(oval)
    return found


def all_in_view(frame: Frame) -> BoreEstimate:
    """Give the circle about the middle that holds everything in view."""
    corner = float(np.hypot(*frame.middle_um)) + max(frame.voxel_size_um[1:])
    return BoreEstimate(*frame.middle_um, frame.field_radius_um or corner, False, None)


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
