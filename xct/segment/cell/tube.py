"""The tube's wall. In: slices about a known bore; out: its inner and outer radius, µm.

A wall of a few voxels blurs into the bore's edge and shifts it: both edges are fitted at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import scipy

from xct.parallel.executors import map_blocks
from xct.segment.cell.bore import Bore, GroupMean
from xct.segment.cell.coarse import Frame

_BINS_PER_VOXEL = 2
_INWARD_VOXELS = 8.0
# Walls to start from, in voxels, each a third thicker than the last.
_WALLS = tuple(2.5 * 1.33**k for k in range(18))
_BEYOND = 6.0  # voxels outside of the tube that must be in view
_LEAST_SIGNIFICANCE = 8.0
_MODEL_VOXELS = 0.003  # sd of a radius that the form of the edges leaves, even without noise
_BRIGHT_WALL = 1.6  # times as bright as what a can holds


@dataclass(frozen=True)
class Wall:
    """A tube about the bore.

    Attributes
    ----------
    inner_um, outer_um : float
        Radii.
    inner_sd_um : float
        Standard deviation of the inner one.
    tube, beyond : float
        Values of the tube and of what lies outside.
    significance : float
        The step at the outer edge in its standard deviations.
    """

    inner_um: float
    outer_um: float
    tube: float
    beyond: float
    significance: float
    inner_sd_um: float = float("nan")


class RadialProfile(NamedTuple):
    """What narrow rings about the axis hold: mean radius (µm), mean value, number of voxels."""

    radius_um: np.ndarray
    values: np.ndarray
    voxels: np.ndarray

    @classmethod
    def of(cls, sums: np.ndarray) -> RadialProfile:
        """Take means of the sums of some groups of slices, shape (group, 3, ring)."""
        radius, values, voxels = sums.sum(axis=0)
        filled = voxels > 8
        return cls(radius[filled] / voxels[filled], values[filled] / voxels[filled], voxels[filled])


def ring_sums(groups: Sequence[GroupMean], frame: Frame, bore: Bore) -> np.ndarray:
    """Sum many slices over narrow rings about the bore's axis.

    Parameters
    ----------
    groups : sequence of GroupMean
        Slices in which a layer stands out from the tube.
    frame : Frame
        The volume's grid.
    bore : Bore
        The axis.

    Returns
    -------
    ndarray, shape (group, 3, ring)
        Radius, value and number of voxels, summed for each group of slices.
    """
    return np.array(map_blocks(_rings_of_group, groups, frame, bore))


def _rings_of_group(group: GroupMean, frame: Frame, bore: Bore) -> np.ndarray:
    """Sum radius, value and one over the pixels of each ring, shape (3, ring)."""
    width = min(frame.voxel_size_um[1:]) / _BINS_PER_VOXEL
    y, x = frame.pixels_um()
    length = int(np.hypot(y.max(), x.max()) / width) + 2
    y_axis, x_axis = bore.axis_at(group.height_um(frame))
    r = np.hypot(y - y_axis, x - x_axis)
    usable, mean = frame.reconstructed(), group.image.astype(np.float64)
    known = np.isfinite(mean) if usable is None else usable & np.isfinite(mean)
    ring = (r[known] / width).astype(int)
    return np.stack([np.bincount(ring, w, length) for w in (r[known], mean[known], None)])


def find_wall(sums: np.ndarray, bore: Bore, voxel: float) -> Wall | None:
    """Fit the bore's and the tube's outer edge to the mean over azimuth and many slices.

    Parameters
    ----------
    sums : ndarray, shape (group, 3, ring)
        As `ring_sums` gives them.
    bore : Bore
        A first radius.
    voxel : float
        Edge of a voxel across, µm.

    Returns
    -------
    Wall or None
        None where no outer edge stands out: a tube that is thick, or not there.
    """
    profile = RadialProfile.of(sums)
    best: tuple[float, float, Wall] | None = None
    for start in (wall * voxel for wall in _WALLS):
        near = _near(profile, bore, start, voxel)
        reach = bore.radius_um + start + 0.5 * _BEYOND * voxel
        if near.values.size < 20 or near.radius_um.max() < reach:
            break
        found = _fit(near, bore, start, voxel)
        if found is not None and (best is None or found[0] < best[0]):
            best = (*found[:1], start, found[1])
    if best is None:
        return None
    _, start, wall = best
    return replace(wall, inner_sd_um=_sd_of_inner(sums, bore, start, voxel))


def _near(profile: RadialProfile, bore: Bore, wall: float, voxel: float) -> RadialProfile:
    """Take the rings about a wall as thick as that."""
    far = bore.radius_um + 1.7 * wall + _BEYOND * voxel
    r = profile.radius_um
    near = (r > bore.radius_um - _INWARD_VOXELS * voxel) & (r < far)
    return RadialProfile(*(column[near] for column in profile))


def _sd_of_inner(sums: np.ndarray, bore: Bore, wall: float, voxel: float) -> float:
    """Estimate the inner radius's sd by the jackknife: groups of slices left out one by one."""
    left_out = (RadialProfile.of(np.delete(sums, k, axis=0)) for k in range(len(sums)))
    fits = [_fit(_near(profile, bore, wall, voxel), bore, wall, voxel) for profile in left_out]
    inner = [fit[1].inner_um for fit in fits if fit is not None]
    if len(inner) < 2:
        return bore.radius_sd_um
    return float(np.hypot(np.std(inner) * np.sqrt(len(inner) - 1), _MODEL_VOXELS * voxel))


def find_can(sums: np.ndarray, bore: Bore) -> tuple[float, float] | None:
    """Find the inner radius of a can, whose wall is much brighter than what it holds.

    Its outer face was then taken for the bore's edge: between can and air there is no tube.

    Returns
    -------
    radius_um, sd_um : float, or None
        None where the edge has no bright wall inside.
    """
    r, values, _ = RadialProfile.of(sums)
    inside = (r > 0.3 * bore.radius_um) & (r < 0.85 * bore.radius_um)
    rim = (r > 0.85 * bore.radius_um) & (r < bore.radius_um)
    if not inside.any() or not rim.any():
        return None
    held, wall = float(np.quantile(values[inside], 0.9)), float(values[rim].max())
    beyond = float(values[r > bore.radius_um + 2 * bore.blur_um].min(initial=held))
    if wall - beyond < _BRIGHT_WALL * (held - beyond):
        return None
    brightest = int(np.flatnonzero(rim)[values[rim].argmax()])
    darker = np.flatnonzero(values[:brightest] < 0.5 * (held + wall))
    if not darker.size:
        return None
    ring = float(r[darker[-1] + 1] - r[darker[-1]])
    return float(r[darker[-1]]), float(np.hypot(bore.radius_sd_um, ring / np.sqrt(3)))


def _fit(
    profile: RadialProfile, bore: Bore, wall: float, voxel: float
) -> tuple[float, Wall] | None:
    """Give what a fit leaves, and the wall; None where the outer edge does not stand out."""
    r, values, count = profile
    if not r.size:  # of groups of slices, none is left
        return None
    weight = np.sqrt(count / count.max())
    sides = [np.median(values[part]) for part in (r < bore.radius_um - 3 * voxel,
                                                  np.abs(r - bore.radius_um - wall / 2) < wall / 3,
                                                  r > bore.radius_um + wall + 2 * voxel)
             if part.any()]  # fmt: skip
    if len(sides) < 3:
        return None
    start = np.array([bore.radius_um, wall, bore.blur_um, *sides])

    def left(p: np.ndarray) -> np.ndarray:
        sigma = max(abs(p[2]), 0.1 * voxel)
        model = p[3] + (p[4] - p[3]) * scipy.special.ndtr((r - p[0]) / sigma)
        model = model + (p[5] - p[4]) * scipy.special.ndtr((r - p[0] - p[1]) / sigma)
        return np.asarray((model - values) * weight)

    scale = max(abs(sides[0] - sides[2]), 1e-9)
    fit = scipy.optimize.least_squares(
        left, start, x_scale=[voxel, voxel, voxel, scale, scale, scale]
    )
    slopes = np.asarray(fit.jac)
    free = max(1, r.size - start.size)
    variance = float(2 * fit.cost / free)
    covariance = np.linalg.pinv(slopes.T @ slopes) * variance
    step_sd = _sd_of_difference(covariance, 4, 5)
    inner, thick, sigma, _, tube, beyond = (float(v) for v in fit.x)
    inner += sigma**2 / (2 * inner)  # as in `fit_round_edge`
    significance = (tube - beyond) / step_sd
    moved = abs(inner - bore.radius_um) > 2 * voxel
    outside = not voxel < thick < r.max() - inner - 2 * voxel
    if moved or outside or significance < _LEAST_SIGNIFICANCE:
        return None
    return variance, Wall(inner, inner + thick, tube, beyond, significance)


def _sd_of_difference(covariance: np.ndarray, i: int, j: int) -> float:
    variance = covariance[i, i] + covariance[j, j] - 2 * covariance[i, j]
    return float(np.sqrt(max(variance, 1e-30)))
