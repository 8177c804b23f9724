"""Packing of spheres without overlap. In: radii and a domain; out: centers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xct.parallel.kernels import njit
from xct.parallel.threads import over_ranges

# Which spheres are close to which. In: centers, radii; out: lists of neighbors.

MARGIN_UM = 6.0
_CUBES = 2  # that the largest sphere reaches over


def find_neighbors(
    centers: np.ndarray, radii: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sort spheres into cubes and list which are close to which.

    Returns
    -------
    order : ndarray, shape (n,)
        Spheres, neighbors beside each other; what follows counts in this order.
    start : ndarray, shape (n + 1,)
        First neighbor of each.
    neighbors : ndarray of int32
        Those that may overlap before one of them has moved by half of `MARGIN_UM`.
    """
    cell = (2 * float(radii.max()) + MARGIN_UM) / _CUBES
    low = centers.min(axis=0)
    cubes = ((centers - low) / cell).astype(np.int64)
    counts = cubes.max(axis=0) + 1
    flat = (cubes[:, 0] * counts[1] + cubes[:, 1]) * counts[2] + cubes[:, 2]
    order = np.argsort(flat, kind="stable")
    first = np.zeros(int(counts.prod()) + 1, np.int64)
    np.cumsum(np.bincount(flat, minlength=int(counts.prod())), out=first[1:])
    place, size, cubes = centers[order], radii[order], cubes[order]
    start = np.zeros(len(order) + 1, np.int64)

    none_yet = np.empty(0, np.int32)

    def count(a: int, b: int) -> None:
        _look_around(place, size, cubes, first, counts, start[1:], none_yet, start, a, b)

    over_ranges(count, len(order), least=2000)
    np.cumsum(start, out=start)
    neighbors, no_counts = np.empty(start[-1], np.int32), np.empty(0, np.int64)

    def fill(a: int, b: int) -> None:
        _look_around(place, size, cubes, first, counts, no_counts, neighbors, start, a, b)

    over_ranges(fill, len(order), least=2000)
    return order, start, neighbors


@njit(cache=True, nogil=True)
def _look_around(
    place: np.ndarray,
    size: np.ndarray,
    cubes: np.ndarray,
    first: np.ndarray,
    counts: np.ndarray,
    number: np.ndarray,
    neighbors: np.ndarray,
    start: np.ndarray,
    a: int,
    b: int,
) -> None:
    """Count the neighbors of spheres a … b into `number`, or list them in `neighbors`."""
    for i in range(a, b):
        found = 0
        for cz in range(max(0, cubes[i, 0] - _CUBES), min(counts[0], cubes[i, 0] + _CUBES + 1)):
            for cy in range(max(0, cubes[i, 1] - _CUBES), min(counts[1], cubes[i, 1] + _CUBES + 1)):
                row = (cz * counts[1] + cy) * counts[2]
                low = row + max(0, cubes[i, 2] - _CUBES)
                high = row + min(counts[2], cubes[i, 2] + _CUBES + 1)
                for j in range(first[low], first[high]):
                    dz = place[i, 0] - place[j, 0]
                    dy = place[i, 1] - place[j, 1]
                    dx = place[i, 2] - place[j, 2]
                    reach = size[i] + size[j] + MARGIN_UM
                    if j != i and dz * dz + dy * dy + dx * dx < reach * reach:
                        if neighbors.size:
                            neighbors[start[i] + found] = j
                        found += 1
        if number.size:
            number[i] = found


_SWEEPS = 1500
_OVERLAP = 0.04  # of a radius: what is left after the last sweep is subtracted from the radii
_PUSH = 1.2
# Where it is thin there is room for fewer: spheres move a little way only, and even out in small
# cells by themselves.
_MANY = 50_000
_ROBERTS = 1.2207440846057596  # positive root of x⁴ = x + 1
_JITTER_UM = 1.0


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
        By how much each radius has to shrink so that nothing overlaps at all: at least 0.92.

    Raises
    ------
    ValueError
        If they do not fit.
    """
    centers = _scattered(len(radii_um), domain, rng)
    radii = np.ascontiguousarray(radii_um, np.float64)
    if not len(radii):
        return centers, np.ones(0)
    axis = np.array(domain.axis)
    worst = np.zeros(len(radii))
    left = _SWEEPS
    while left > 0:
        order, start, neighbors = find_neighbors(centers, radii)
        place, size = centers[order], radii[order]
        sweeps, overlap = _relax(
            place, size, start, neighbors, domain.bottom_um, domain.top_um, domain.voxel_um,
            axis, domain.radius_um, left,
        )  # fmt: skip
        centers[order], worst[order] = place, overlap
        left -= sweeps
        if sweeps == 0:
            break
    scale = 1 - worst / radii
    if scale.min() < 1 - 2 * _OVERLAP:
        raise ValueError(
            f"{len(radii)} particles do not fit without overlap: after {_SWEEPS} sweeps one still "
            f"overlaps by {worst.max():.2g} µm; ask for a smaller volume fraction"
        )
    return centers, scale


def _scattered(count: int, domain: Domain, rng: np.random.Generator) -> np.ndarray:
    # Points that keep away from each other (Roberts' sequence) overlap less than chance would.
    thickness = domain.top_um - domain.bottom_um
    most = float(thickness.max() / thickness.mean()) if count > _MANY else 1.0
    tried = round(1.1 * most * count) if count > _MANY else count
    unit = (rng.random(3) + np.arange(1, tried + 1)[:, None] / _ROBERTS ** np.arange(1, 4)) % 1
    radius, azimuth = domain.radius_um * np.sqrt(unit[:, 0]), 2 * np.pi * unit[:, 1]
    depth = unit[:, 2]
    y = domain.axis[0] + radius * np.sin(azimuth)
    x = domain.axis[1] + radius * np.cos(azimuth)
    rows, columns = domain.bottom_um.shape
    row = np.clip(np.rint(y / domain.voxel_um).astype(int), 0, rows - 1)
    column = np.clip(np.rint(x / domain.voxel_um).astype(int), 0, columns - 1)
    bottom, top = domain.bottom_um[row, column], domain.top_um[row, column]
    z = bottom + depth * (top - bottom)
    center = np.column_stack([z, y + domain.axis[2] * z, x + domain.axis[3] * z])
    if count > _MANY:
        center = center[rng.random(tried) * thickness.max() < top - bottom][:count]
    return center + rng.normal(0, _JITTER_UM, center.shape)


@njit(cache=True, nogil=True)
def _relax(
    place: np.ndarray,
    size: np.ndarray,
    start: np.ndarray,
    neighbors: np.ndarray,
    bottom: np.ndarray,
    top: np.ndarray,
    voxel: float,
    axis: np.ndarray,
    bore: float,
    most: int,
) -> tuple[int, np.ndarray]:
    """Sweep until all fit, the neighbors may have changed, or `most` sweeps are done.

    Returns the sweeps, and by how much each sphere overlaps: its part of the worst overlap.
    """
    step = np.zeros_like(place)
    worst = np.zeros(len(size))
    origin = place.copy()
    farthest = 0.0
    for sweep in range(most):
        largest = 0.0
        for i in range(len(size)):
            worst[i] = _pushed(i, place, size, start, neighbors, step)
            largest = max(largest, worst[i] / size[i])
        if largest < _OVERLAP or farthest > 0.25 * MARGIN_UM**2:
            return sweep, worst
        for i in range(len(size)):
            place[i] += step[i]
            _keep_inside(i, place, size, bottom, top, voxel, axis, bore)
            squared = 0.0
            for k in range(3):
                squared += (place[i, k] - origin[i, k]) ** 2
            farthest = max(farthest, squared)
    return most, worst


@njit(cache=True, nogil=True)
def _pushed(
    i: int,
    place: np.ndarray,
    size: np.ndarray,
    start: np.ndarray,
    neighbors: np.ndarray,
    step: np.ndarray,
) -> float:
    """Sum what overlapping neighbors push; each gives way by the other's part of the radii."""
    sz = sy = sx = most = 0.0
    for n in range(start[i], start[i + 1]):
        j = neighbors[n]
        dz = place[i, 0] - place[j, 0]
        dy = place[i, 1] - place[j, 1]
        dx = place[i, 2] - place[j, 2]
        reach = size[i] + size[j]
        squared = dz * dz + dy * dy + dx * dx
        if squared < reach * reach:
            distance = np.sqrt(squared) + 1e-9
            overlap = reach - distance
            most = max(most, overlap * size[i] / reach)
            # A little more than needed: neighbors push back.
            by = _PUSH * overlap * size[j] / reach / distance
            sz += by * dz
            sy += by * dy
            sx += by * dx
    length = np.sqrt(sz * sz + sy * sy + sx * sx)
    slower = min(1.0, 0.5 * size[i] / (length + 1e-12))
    step[i, 0], step[i, 1], step[i, 2] = sz * slower, sy * slower, sx * slower
    return float(most)


@njit(cache=True, nogil=True)
def _keep_inside(
    i: int,
    place: np.ndarray,
    size: np.ndarray,
    bottom: np.ndarray,
    top: np.ndarray,
    voxel: float,
    axis: np.ndarray,
    bore: float,
) -> None:
    """Move a sphere back that left the domain."""
    _keep_between(i, place, size, bottom, top, voxel)
    z = place[i, 0]
    axis_y, axis_x = axis[0] + axis[2] * z, axis[1] + axis[3] * z
    y, x = place[i, 1] - axis_y, place[i, 2] - axis_x
    distance = np.sqrt(y * y + x * x)
    room = bore - size[i]
    if distance > room:
        y, x = y * room / distance, x * room / distance
        place[i, 1], place[i, 2] = axis_y + y, axis_x + x
        _keep_between(i, place, size, bottom, top, voxel)


@njit(cache=True, nogil=True)
def _keep_between(
    i: int, place: np.ndarray, size: np.ndarray, bottom: np.ndarray, top: np.ndarray, voxel: float
) -> None:
    rows, columns = bottom.shape
    row = min(max(int(place[i, 1] / voxel + 0.5), 0), rows - 1)
    column = min(max(int(place[i, 2] / voxel + 0.5), 0), columns - 1)
    highest = top[row, column] - size[i]
    lowest = bottom[row, column] + size[i]
    place[i, 0] = min(max(place[i, 0], min(lowest, highest)), highest)
