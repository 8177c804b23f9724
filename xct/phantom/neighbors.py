"""Which spheres are close to which. In: centers, radii; out: lists of neighbors."""

from __future__ import annotations

import numpy as np

from xct.compiling import njit
from xct.threads import over_ranges

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
    nothing = np.empty(0, np.int32)

    def count(a: int, b: int) -> None:
        _look_around(place, size, cubes, first, counts, start[1:], nothing, start, a, b)

    over_ranges(count, len(order), least=2000)
    np.cumsum(start, out=start)
    neighbors = np.empty(start[-1], np.int32)

    def fill(a: int, b: int) -> None:
        _look_around(place, size, cubes, first, counts, nothing, neighbors, start, a, b)

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
