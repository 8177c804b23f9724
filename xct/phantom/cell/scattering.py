"""Another packing of spheres: one after the other, where chance puts them. In: radii, a domain."""

from __future__ import annotations

import numpy as np

from xct.parallel.kernels import njit
from xct.phantom.cell.packing import Domain

_AT_ONCE, _TRIES = 512, 400  # places that are tried together, and how often


def scatter_spheres(radii_um: np.ndarray, domain: Domain, rng: np.random.Generator) -> np.ndarray:
    """Find places for spheres by random sequential adsorption, the largest first [1]_.

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
    ndarray of float64, shape (n, 3)
        z, y, x in µm.

    Raises
    ------
    ValueError
        If one finds no place.

    References
    ----------
    .. [1] Widom (1966), J. Chem. Phys. 44, 3888. doi:10.1063/1.1726548
    """
    grid = _Grid.over(domain, 2 * float(np.max(radii_um, initial=1.0)))
    centers = np.zeros((len(radii_um), 3))
    following = np.full(len(radii_um), -1, np.int64)
    for number in np.argsort(-radii_um, kind="stable"):
        for _ in range(_TRIES):
            places = _drawn(float(radii_um[number]), domain, rng)
            which = _first_free(
                places, number, centers, radii_um, grid.first, following, grid.low, grid.edge
            )
            if which >= 0:
                break
        else:
            raise ValueError(
                f"no place was found for one of {len(radii_um)} particles in {_AT_ONCE * _TRIES} "
                "tries; ask for a smaller volume fraction (ncm_fraction)"
            )
    return centers


class _Grid:
    """Cubes as wide as the largest sphere; each knows the last sphere in it."""

    def __init__(self, low: np.ndarray, high: np.ndarray, edge: float) -> None:
        self.low, self.edge = low, edge
        self.first = np.full(np.maximum(((high - low) / edge).astype(int) + 1, 1), -1, np.int64)

    @classmethod
    def over(cls, domain: Domain, edge: float) -> _Grid:
        height, width = (n * domain.voxel_um for n in domain.bottom_um.shape)
        low = np.array([float(domain.bottom_um.min()), 0.0, 0.0])
        return cls(low, np.array([float(domain.top_um.max()), height, width]), edge)


def _drawn(radius: float, domain: Domain, rng: np.random.Generator) -> np.ndarray:
    """Draw places at which a sphere is within the domain, shape (place, 3)."""
    unit = rng.random((_AT_ONCE, 3))
    away, azimuth = (domain.radius_um - radius) * np.sqrt(unit[:, 0]), 2 * np.pi * unit[:, 1]
    middle = 0.5 * float(domain.bottom_um.mean() + domain.top_um.mean())
    y = domain.axis[0] + domain.axis[2] * middle + away * np.sin(azimuth)
    x = domain.axis[1] + domain.axis[3] * middle + away * np.cos(azimuth)
    row, column = (
        np.clip(np.rint(place / domain.voxel_um).astype(int), 0, n - 1)
        for place, n in zip((y, x), domain.bottom_um.shape, strict=True)
    )
    low, high = domain.bottom_um[row, column] + radius, domain.top_um[row, column] - radius
    fits = high > low
    z = low + unit[:, 2] * (high - low)
    return np.asarray(np.column_stack([z, y, x])[fits])


@njit(cache=True, nogil=True)
def _first_free(
    places: np.ndarray,
    number: int,
    centers: np.ndarray,
    radii: np.ndarray,
    first: np.ndarray,
    following: np.ndarray,
    low: np.ndarray,
    edge: float,
) -> int:
    """Put a sphere at the first place that no other reaches; -1: there is none."""
    for p in range(len(places)):
        cube = ((places[p] - low) / edge).astype(np.int64)
        for k in range(3):
            cube[k] = min(max(cube[k], 0), first.shape[k] - 1)
        free = True
        for c in range(max(cube[0] - 1, 0), min(cube[0] + 2, first.shape[0])):
            for b in range(max(cube[1] - 1, 0), min(cube[1] + 2, first.shape[1])):
                for a in range(max(cube[2] - 1, 0), min(cube[2] + 2, first.shape[2])):
                    other = first[c, b, a]
                    while free and other >= 0:
                        reach = radii[number] + radii[other]
                        apart = places[p] - centers[other]
                        free = np.sum(apart * apart) >= reach * reach
                        other = following[other]
        if free:
            centers[number] = places[p]
            following[number] = first[cube[0], cube[1], cube[2]]
            first[cube[0], cube[1], cube[2]] = number
            return p
    return -1
