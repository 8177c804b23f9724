"""Packing of spheres without overlap. In: radii and a domain; out: centers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from xct.threads import over_ranges

_SWEEPS = 600
_OVERLAP = 0.02  # of the smaller radius: what is left after the last sweep is taken off the radii


@dataclass(frozen=True)
class Domain:
    """A cylinder between two rough faces, in µm.

    Attributes
    ----------
    bottom_um, top_um : ndarray of float32, shape (y, x)
        Heights of the faces over the grid of voxels.
    voxel_um : float
        Distance of the grid's points.
    axis : tuple of float
        y and x of the axis at z = 0, and their slopes dy/dz and dx/dz.
    radius_um : float
        Radius of the cylinder.
    """

    bottom_um: np.ndarray
    top_um: np.ndarray
    voxel_um: float
    axis: tuple[float, float, float, float]
    radius_um: float


def pack_spheres(
    radii_um: np.ndarray, domain: Domain, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Find places for spheres in which none overlaps another or a wall.

    They start at random and push each other away until they fit.

    Parameters
    ----------
    radii_um : ndarray, shape (n,)
        Radii.
    domain : Domain
        Where they have to fit.
    rng : Generator
        Source of the random numbers.

    Returns
    -------
    centers_um : ndarray of float64, shape (n, 3)
        z, y, x.
    scale : ndarray of float64, shape (n,)
        By how much each radius has to shrink so that nothing overlaps at all: 0.95 … 1.

    Raises
    ------
    ValueError
        If they do not fit.
    """
    centers = _scattered(len(radii_um), domain, rng)
    radii = np.ascontiguousarray(radii_um, np.float64)
    if not len(radii):
        return centers, np.ones(0)
    cell = 2 * float(radii.max()) * 1.001
    step = np.zeros_like(centers)
    axis = np.array(domain.axis)
    worst = np.zeros(len(radii))
    for sweep in range(_SWEEPS):
        start, order, low, counts = _cells(centers, cell)

        def push(first: int, stop: int) -> None:
            _push(centers, radii, start, order, low, counts, cell, step, worst, first, stop)  # noqa: B023

        over_ranges(push, len(radii), least=2000)
        if (worst / radii).max() < _OVERLAP or sweep == _SWEEPS - 1:
            break
        centers += step
        _keep_inside(
            centers, radii, domain.bottom_um, domain.top_um, domain.voxel_um, axis,
            domain.radius_um,
        )  # fmt: skip
    scale = 1 - worst / radii
    if scale.min() < 0.95:
        raise ValueError(
            f"{len(radii)} particles do not fit without overlap: after {_SWEEPS} sweeps one still "
            f"overlaps by {worst.max():.2g} µm; ask for a smaller volume fraction"
        )
    return centers, scale


def _scattered(count: int, domain: Domain, rng: np.random.Generator) -> np.ndarray:
    radius = domain.radius_um * np.sqrt(rng.random(count))
    azimuth = rng.uniform(0, 2 * np.pi, count)
    share = rng.random(count)
    y = domain.axis[0] + radius * np.sin(azimuth)
    x = domain.axis[1] + radius * np.cos(azimuth)
    rows, columns = domain.bottom_um.shape
    row = np.clip(np.rint(y / domain.voxel_um).astype(int), 0, rows - 1)
    column = np.clip(np.rint(x / domain.voxel_um).astype(int), 0, columns - 1)
    bottom, top = domain.bottom_um[row, column], domain.top_um[row, column]
    z = bottom + share * (top - bottom)
    return np.column_stack([z, y + domain.axis[2] * z, x + domain.axis[3] * z])


def _cells(
    centers: np.ndarray, cell: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Sort points into cubes: first of each cube, order, lowest corner, cubes along z, y, x."""
    low = centers.min(axis=0)
    place = ((centers - low) / cell).astype(np.int64)
    counts = place.max(axis=0) + 1
    flat = (place[:, 0] * counts[1] + place[:, 1]) * counts[2] + place[:, 2]
    order = np.argsort(flat, kind="stable")
    start = np.zeros(int(counts.prod()) + 1, np.int64)
    np.cumsum(np.bincount(flat, minlength=int(counts.prod())), out=start[1:])
    return start, order, low, counts


@njit(cache=True, nogil=True)
def _push(
    centers: np.ndarray,
    radii: np.ndarray,
    start: np.ndarray,
    order: np.ndarray,
    low: np.ndarray,
    counts: np.ndarray,
    cell: float,
    step: np.ndarray,
    worst: np.ndarray,
    first: int,
    stop: int,
) -> None:
    """Sum what overlapping neighbors push; each gives way by the other's share of the radii."""
    for n in range(first, stop):
        i = order[n]
        place_z = int((centers[i, 0] - low[0]) / cell)
        place_y = int((centers[i, 1] - low[1]) / cell)
        place_x = int((centers[i, 2] - low[2]) / cell)
        sz = sy = sx = most = 0.0
        for cz in range(max(0, place_z - 1), min(counts[0], place_z + 2)):
            for cy in range(max(0, place_y - 1), min(counts[1], place_y + 2)):
                for cx in range(max(0, place_x - 1), min(counts[2], place_x + 2)):
                    cube = (cz * counts[1] + cy) * counts[2] + cx
                    for k in range(start[cube], start[cube + 1]):
                        j = order[k]
                        if j == i:
                            continue
                        dz = centers[i, 0] - centers[j, 0]
                        dy = centers[i, 1] - centers[j, 1]
                        dx = centers[i, 2] - centers[j, 2]
                        reach = radii[i] + radii[j]
                        squared = dz * dz + dy * dy + dx * dx
                        if squared >= reach * reach:
                            continue
                        distance = np.sqrt(squared) + 1e-9
                        overlap = reach - distance
                        most = max(most, overlap * radii[i] / reach)
                        # A little more than needed: neighbors push back.
                        by = 1.2 * overlap * radii[j] / reach / distance
                        sz += by * dz
                        sy += by * dy
                        sx += by * dx
        length = np.sqrt(sz * sz + sy * sy + sx * sx)
        slower = min(1.0, 0.5 * radii[i] / (length + 1e-12))
        step[i, 0] = sz * slower
        step[i, 1] = sy * slower
        step[i, 2] = sx * slower
        worst[i] = most


@njit(cache=True, nogil=True)
def _keep_inside(
    centers: np.ndarray,
    radii: np.ndarray,
    bottom: np.ndarray,
    top: np.ndarray,
    voxel: float,
    axis: np.ndarray,
    bore: float,
) -> None:
    """Move back what left the domain."""
    rows, columns = bottom.shape
    for i in range(len(radii)):
        z = centers[i, 0]
        axis_y, axis_x = axis[0] + axis[2] * z, axis[1] + axis[3] * z
        y, x = centers[i, 1] - axis_y, centers[i, 2] - axis_x
        distance = np.sqrt(y * y + x * x)
        room = bore - radii[i]
        if distance > room:
            y, x = y * room / distance, x * room / distance
            centers[i, 1], centers[i, 2] = axis_y + y, axis_x + x
        row = min(max(int(centers[i, 1] / voxel + 0.5), 0), rows - 1)
        column = min(max(int(centers[i, 2] / voxel + 0.5), 0), columns - 1)
        highest = top[row, column] - radii[i]
        lowest = bottom[row, column] + radii[i]
        centers[i, 0] = min(max(z, min(lowest, highest)), highest)
