"""Width of the point spread. In: a volume and its cell; out: full width at half maximum, µm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scipy

from xct.errors import DataError
from xct.geometry import CellGeometry
from xct.physics.optics import FWHM_PER_SIGMA

# Round edges, below the voxel. In: slices, a rough circle; out: center, radius, point spread.

_SECTORS = 36
_STEPS = 40
_SQRT2 = float(np.sqrt(2))
_SQRT_PI = float(np.sqrt(np.pi))


@dataclass(frozen=True)
class RoundEdge:
    """A circular edge, blurred by a Gaussian point spread.

    Attributes
    ----------
    y_um, x_um, radius_um : float
        Center and radius.
    blur_um : float
        Standard deviation of the point spread across the edge.
    inner, outer : float
        Values on both sides.
    y_sd_um, x_sd_um, radius_sd_um, blur_sd_um : float
        Standard deviations, from the disagreement of sectors.
    seen : float
        Fraction of the circumference that was in view.
    significance : float
        The step between both sides in its standard deviations.
    misfit : float
        How far the mean over the circumference is from the model: root mean square over the step.
    """

    y_um: float
    x_um: float
    radius_um: float
    blur_um: float
    inner: float
    outer: float
    y_sd_um: float
    x_sd_um: float
    radius_sd_um: float
    blur_sd_um: float
    seen: float
    significance: float
    misfit: float


def fit_round_edge(
    image: np.ndarray,
    voxel_size_um: Sequence[float],
    *,
    center_um: tuple[float, float],
    radius_um: float,
    reach_um: tuple[float, float],
    blur_um: float,
    usable: np.ndarray | None = None,
) -> RoundEdge:
    """Fit a blurred circular step to all pixels near it, at once.

    The model is ``outer + (inner - outer) (1 - erf((r - R) / (√2 σ))) / 2``; pixels that agree
    badly count less (Tukey's biweight), which is what particles and streaks do.

    Parameters
    ----------
    image : ndarray, shape (y, x)
        A slice, or the mean of some.
    voxel_size_um : sequence of float
        Edges of a pixel along y and x.
    center_um : tuple of float
        Where to start: y and x.
    radius_um, blur_um : float
        Where to start.
    reach_um : tuple of float
        How far inwards and outwards of the radius pixels are looked at.
    usable : ndarray of bool, shape (y, x), optional
        Pixels that hold a value.

    Returns
    -------
    RoundEdge

    Raises
    ------
    DataError
        If fewer than 60 pixels lie near the circle.
    """
    y = np.arange(image.shape[0])[:, None] * voxel_size_um[0]
    x = np.arange(image.shape[1])[None, :] * voxel_size_um[1]
    distance = np.hypot(y - center_um[0], x - center_um[1]) - radius_um
    near = (distance >= -reach_um[0]) & (distance <= reach_um[1]) & np.isfinite(image)
    if usable is not None:
        near &= usable
    if np.count_nonzero(near) < 60:
        raise DataError(
            f"only {np.count_nonzero(near)} pixels lie near a circle of radius {radius_um:.4g} µm "
            f"about (y, x) = ({center_um[0]:.4g}, {center_um[1]:.4g}) µm; too few to fit its edge"
        )
    rows, columns = np.nonzero(near)
    y_um, x_um = rows * voxel_size_um[0], columns * voxel_size_um[1]
    values = image[near].astype(np.float64)
    start = np.array([*center_um, radius_um, blur_um, *_sides(distance[near], values)])
    least_blur = 0.2 * min(voxel_size_um)
    answer, weight = _descend(start, y_um, x_um, values, least_blur, max(reach_um))
    return _described(answer, weight, y_um, x_um, values)


def _sides(distance: np.ndarray, values: np.ndarray) -> tuple[float, float]:
    inner = values[distance < min(0, np.quantile(distance, 0.3))]
    outer = values[distance > max(0, np.quantile(distance, 0.7))]
    if not inner.size or not outer.size:
        return float(values.max()), float(values.min())
    return float(np.median(inner)), float(np.median(outer))


def _model(p: np.ndarray, y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values of the model and its derivatives by y, x, R, σ, inner, outer."""
    dy, dx = y - p[0], x - p[1]
    r = np.maximum(np.hypot(dy, dx), 1e-9)
    u = (r - p[2]) / (_SQRT2 * p[3])
    within = 0.5 * (1 - scipy.special.erf(u))
    step = p[4] - p[5]
    steep = step * np.exp(-u * u) / (_SQRT_PI * _SQRT2 * p[3])  # -d(model)/dr
    slopes = np.empty((6, y.size))
    slopes[0], slopes[1] = steep * dy / r, steep * dx / r
    slopes[2] = steep
    slopes[3] = steep * (r - p[2]) / p[3]
    slopes[4], slopes[5] = within, 1 - within
    return p[5] + step * within, slopes


def _descend(
    p: np.ndarray,
    y: np.ndarray,
    x: np.ndarray,
    values: np.ndarray,
    least_blur: float,
    reach: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Newton with reweighting; steps are kept within a third of the reach."""
    limit = np.array([reach / 3, reach / 3, reach / 3, reach / 6, np.inf, np.inf])
    weight = np.ones_like(values)
    for number in range(_STEPS):
        model, slopes = _model(p, y, x)
        residual = values - model
        scale = 1.4826 * float(np.median(np.abs(residual)))
        if number >= 3 and scale > 0:
            weight = np.clip(1 - (residual / (4.7 * scale)) ** 2, 0, None) ** 2
        normal = (slopes * weight) @ slopes.T
        normal[np.diag_indices(6)] *= 1 + 1e-9
        normal[np.diag_indices(6)] += 1e-30
        step = np.linalg.lstsq(normal, slopes @ (weight * residual), rcond=None)[0]
        step = np.clip(step, -limit, limit)
        p = p + step
        p[3] = min(max(p[3], least_blur), reach)
        if number > 5 and np.all(np.abs(step[:4]) < 1e-4 * least_blur):
            break
    return p, weight


def _described(
    p: np.ndarray, weight: np.ndarray, y: np.ndarray, x: np.ndarray, values: np.ndarray
) -> RoundEdge:
    """Add standard deviations, by sectors: noise along the edge is correlated, sectors are not."""
    model, slopes = _model(p, y, x)
    turn = np.arctan2(y - p[0], x - p[1])
    sector = np.minimum(((turn + np.pi) / (2 * np.pi) * _SECTORS).astype(int), _SECTORS - 1)
    pull = slopes * (weight * (values - model))
    by_sector = np.stack([np.bincount(sector, row, _SECTORS) for row in pull])
    inverse = np.linalg.pinv((slopes * weight) @ slopes.T)
    filled = np.bincount(sector, minlength=_SECTORS) > 0
    used = int(filled.sum())
    # As many parameters as were fitted have taken their part of the disagreement.
    covariance = inverse @ (by_sector @ by_sector.T) @ inverse * used / max(used - len(p), 1)
    sd = np.sqrt(np.maximum(np.diag(covariance), 0))
    step_sd = np.sqrt(max(covariance[4, 4] + covariance[5, 5] - 2 * covariance[4, 5], 0))
    y_um, x_um, radius_um, blur_um, inner, outer = (float(v) for v in p)
    radius_um += blur_um**2 / (2 * radius_um)  # a blurred disc is at its half-level inside its edge
    return RoundEdge(
        y_um=y_um,
        x_um=x_um,
        radius_um=radius_um,
        blur_um=blur_um,
        inner=inner,
        outer=outer,
        y_sd_um=float(sd[0]),
        x_sd_um=float(sd[1]),
        radius_sd_um=float(sd[2]),
        blur_sd_um=float(sd[3]),
        seen=float(filled.mean()),
        significance=float(abs(p[4] - p[5]) / step_sd) if step_sd > 0 else np.inf,
        misfit=_misfit(p, np.hypot(y - p[0], x - p[1]), values - model),
    )


def _misfit(p: np.ndarray, radius: np.ndarray, residual: np.ndarray) -> float:
    """Average what is left over the circumference, in rings half as wide as the point spread."""
    ring = np.floor(radius / max(0.5 * p[3], 1e-9)).astype(int)
    ring -= ring.min()
    count = np.bincount(ring)
    mean = np.bincount(ring, residual) / np.maximum(count, 1)
    well_known = count >= 0.2 * np.median(count[count > 0])
    step = max(abs(float(p[4] - p[5])), 1e-30)
    return float(np.sqrt(np.mean(mean[well_known] ** 2)) / step)


class WallBlur(NamedTuple):
    """Blur across the wall in a group of slices, µm; NaN where the wall is not sharp."""

    blur_um: float
    sd_um: float
    misfit: float = 0.0


GROUP, _GROUPS = 8, 8  # slices of a group, and at most so many groups
_REACH_VOXELS = 7.0
_OF_MEDIAN = 1.16  # its standard deviation over that of the mean, of 3 to 8 values
_MAD_TO_SD = 1.4826  # of a normal distribution


def groups_at_wall(cell: CellGeometry, rows: tuple[int, int]) -> list[int]:
    """Choose the first slices of the groups in whose mean the wall is looked at.

    Groups share no slice: their errors are independent.

    Parameters
    ----------
    cell : CellGeometry
        Its bore must be in view; otherwise there are none.
    rows : tuple of int
        First slice of a layer that stands out from the tube, and the one behind its last.
    """
    if not np.isfinite(cell.bore_radius_sd_um):
        return []
    count = min(max((rows[1] - rows[0]) // GROUP, 1), _GROUPS)
    firsts = np.linspace(rows[0], max(rows[0], rows[1] - GROUP), count)
    return [int(first) for first in firsts]


def blur_at_wall(slices: np.ndarray, first: int, cell: CellGeometry) -> WallBlur:
    """Measure the blur across the bore's wall.

    Parameters
    ----------
    slices : ndarray of float32, shape (slice, y, x)
        A group of slices, on any linear scale.
    first : int
        Number of the first.
    cell : CellGeometry
        Where the bore lies.

    Returns
    -------
    WallBlur
        Standard deviation of the point spread, and its own; NaN where the wall is not sharp.
    """
    voxel = cell.voxel_size_um[1:]
    reach = _REACH_VOXELS * max(voxel)
    wall = cell.tube_radius_um - cell.bore_radius_um if cell.tube_radius_um else reach
    try:
        edge = fit_round_edge(
            slices.mean(axis=0),
            voxel,
            center_um=cell.axis_at((first + (GROUP - 1) / 2) * cell.voxel_size_um[0]),
            radius_um=cell.bore_radius_um,
            reach_um=(reach, min(reach, 0.7 * wall)),
            blur_um=max(voxel),
        )
    except ValueError:
        return WallBlur(float("nan"), float("nan"))
    sharp = edge.significance > 10 and edge.blur_um < 0.4 * reach
    if not sharp:
        return WallBlur(float("nan"), float("nan"))
    return WallBlur(edge.blur_um, edge.blur_sd_um, edge.misfit)


def point_spread_um(found: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Give the width of the point spread from the blur in groups of slices.

    A handful of groups may agree by chance: their scatter alone would now and then give a standard
    deviation that is far too small. It is no less than what the sectors of each group disagree by.

    Parameters
    ----------
    found : sequence of (float, float)
        What `blur_at_wall` gave for each group.

    Returns
    -------
    fwhm_um, sd_um : float
        Full width at half maximum of the Gaussian, the voxel's own width in it, and its standard
        deviation; NaN where the wall is not in view or nowhere sharp.
    """
    sharp = np.array([one[:2] for one in found if np.isfinite(one[0])])
    if not sharp.size:
        return float("nan"), float("nan")
    # Medians: the outermost groups may reach into the layers beside, where nothing is even.
    blur, sd = np.median(sharp, axis=0)
    scatter = _MAD_TO_SD * float(np.median(np.abs(sharp[:, 0] - blur)))
    of_median = _OF_MEDIAN if len(sharp) > 2 else 1.0
    sd_um = of_median * max(float(sd), scatter) / float(np.sqrt(len(sharp)))
    return FWHM_PER_SIGMA * float(blur), FWHM_PER_SIGMA * sd_um


def wall_misfit(found: Sequence[WallBlur]) -> float:
    """Give how far the wall is from a blurred step in the typical group; NaN where none is sharp.

    Parameters
    ----------
    found : sequence of WallBlur
        What `blur_at_wall` gave for each group.

    Returns
    -------
    float
        As `RoundEdge.misfit`, dimensionless.
    """
    sharp = [one.misfit for one in found if np.isfinite(one.blur_um)]
    return float(np.median(sharp)) if sharp else float("nan")
