"""Bodies inside the cell: particles, gaps, chips, cracks. In: sizes; out: what is painted.

A body is an ellipsoid, given by a matrix that maps it to the unit sphere; facets, a cavity and
slits are cut into it in those unit coordinates.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

# In the order in which they are painted: a particle closes the gap of its neighbor.
VOID_CHIP, LITHIUM_CHIP, FILAMENT, GAP, PARTICLE = range(5)

SHAPES = 64
FACETS = 6
NO_FACETS = -1
LEAST_ANGLE_DEG = 62.0  # apart, so that caps do not overlap and their volumes add
FACET_DEPTH = (0.88, 0.97)


@dataclass(frozen=True)
class Bodies:
    """Bodies, one per row of every array; lengths in µm.

    Attributes
    ----------
    center : ndarray of float64, shape (n, 3)
        z, y, x.
    reach : ndarray of float32, shape (n,)
        Radius of a sphere about the center that holds the whole body.
    to_unit : ndarray of float32, shape (n, 3, 3)
        Maps an offset from the center to the coordinates of the unit sphere.
    kind : ndarray of uint8
        `VOID_CHIP` (a crack, too), `LITHIUM_CHIP`, `FILAMENT`, `GAP` or `PARTICLE`.
    facets : ndarray of int16
        Row of `facet_library`, or `NO_FACETS`.
    number : ndarray of uint32
        Particle number, 0 for others.
    mu, delta : ndarray of float32
        Of a particle's NCM.
    cavity : ndarray of float32
        Radius of a void in the middle, unit coordinates.
    slits : ndarray of float32, shape (n, 2, 8)
        Two cracks through the body, unit coordinates: normal, distance from the center, half
        width (0: none), a direction in its plane times the crack's waviness, and where along
        that direction it ends.
    """

    center: np.ndarray
    reach: np.ndarray
    to_unit: np.ndarray
    kind: np.ndarray
    facets: np.ndarray
    number: np.ndarray
    mu: np.ndarray
    delta: np.ndarray
    cavity: np.ndarray
    slits: np.ndarray

    def __len__(self) -> int:
        return len(self.kind)

    def __getitem__(self, which: np.ndarray) -> Bodies:
        return Bodies(*(getattr(self, f.name)[which] for f in fields(self)))

    def between(self, low_um: float, high_um: float) -> Bodies:
        """Give those that may reach between two heights, in the same order."""
        z = self.center[:, 0]
        return self[np.flatnonzero((z + self.reach >= low_um) & (z - self.reach <= high_um))]


def joined(*parts: Bodies) -> Bodies:
    """Put bodies one after another, which is the order in which they are painted."""
    return Bodies(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Bodies)))


def plain_bodies(
    kind: int,
    center: np.ndarray,
    half_axes: np.ndarray,
    rotation: np.ndarray | None = None,
) -> Bodies:
    """Make plain ellipsoids: centers and half axes (n, 3), rotations (n, 3, 3)."""
    count = len(center)
    if rotation is None:
        rotation = np.broadcast_to(np.eye(3), (count, 3, 3))
    to_unit = np.swapaxes(rotation, 1, 2) / half_axes[:, :, None]
    return Bodies(
        np.asarray(center, np.float64).reshape(count, 3),
        half_axes.max(axis=1, initial=0).astype(np.float32),
        to_unit.astype(np.float32, order="C"),  # kernels are compiled once for each layout
        np.full(count, kind, np.uint8),
        np.full(count, NO_FACETS, np.int16),
        np.zeros(count, np.uint32),
        np.zeros(count, np.float32),
        np.zeros(count, np.float32),
        np.zeros(count, np.float32),
        np.zeros((count, 2, 8), np.float32),
    )


@dataclass(frozen=True)
class FacetLibrary:
    """Sets of planes that cut caps off the unit sphere.

    Attributes
    ----------
    planes : ndarray of float32, shape (set, facet, 4)
        Normal, and distance from the center.
    volume, sphericity : ndarray, shape (set,)
        Of what they leave, to the unit sphere.
    """

    planes: np.ndarray
    volume: np.ndarray
    sphericity: np.ndarray


def facet_library(
    seed: int = 0,
    *,
    facets: int = FACETS,
    least_angle_deg: float = LEAST_ANGLE_DEG,
    depth: tuple[float, float] = FACET_DEPTH,
) -> FacetLibrary:
    """Draw the shapes of particles.

    Parameters
    ----------
    seed : int, optional
        Of the shapes.
    facets : int, optional
        Caps that are cut off each.
    least_angle_deg : float, optional
        Between the normals of two.
    depth : tuple of float, optional
        Least and largest distance of a facet from the middle.
    """
    rng = np.random.default_rng(seed)
    planes = np.empty((SHAPES, facets, 4), np.float32)
    for shape in range(SHAPES):
        planes[shape, :, :3] = _separate_normals(rng, facets, least_angle_deg)
        planes[shape, :, 3] = rng.uniform(*depth, facets)
    apart = 2 * np.rad2deg(np.arccos(depth[0])) < least_angle_deg
    volume, sphericity = (_of_caps if apart else _by_rays)(planes)
    return FacetLibrary(planes, volume, sphericity)


def _of_caps(planes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Volume and sphericity; exact where no two caps overlap."""
    cap = 1 - planes[:, :, 3].astype(np.float64)
    volume = 4 / 3 * np.pi - (np.pi * cap**2 * (3 - cap) / 3).sum(axis=1)
    # A flat disc takes the place of each cap: π (2 h - h²) for 2 π h.
    area = 4 * np.pi - (np.pi * cap**2).sum(axis=1)
    return volume, np.cbrt(np.pi) * (6 * volume) ** (2 / 3) / area


def _by_rays(planes: np.ndarray, rays: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """Volume and sphericity, from how far rays from the middle go; within 0.1 %."""
    k = np.arange(rays) + 0.5
    z, azimuth = 1 - 2 * k / rays, np.pi * (1 + np.sqrt(5)) * k
    side = np.sqrt(1 - z**2)
    unit = np.column_stack([z, side * np.sin(azimuth), side * np.cos(azimuth)])
    volume, area = np.empty((2, len(planes)))
    for shape, facets in enumerate(planes.astype(np.float64)):
        towards = np.maximum(unit @ facets[:, :3].T, 1e-9)
        reach = facets[:, 3] / towards
        nearest = reach.argmin(axis=1)
        far = np.minimum(reach.min(axis=1), 1)
        slant = np.where(far < 1, towards[np.arange(rays), nearest], 1)
        volume[shape] = 4 / 3 * np.pi * np.mean(far**3)
        area[shape] = 4 * np.pi * np.mean(far**2 / slant)
    return volume, np.cbrt(np.pi) * (6 * volume) ** (2 / 3) / area


def _separate_normals(rng: np.random.Generator, facets: int, least_angle_deg: float) -> np.ndarray:
    least = np.cos(np.deg2rad(least_angle_deg))
    while True:
        kept = np.empty((0, 3))
        for normal in directions(60, rng):
            if (kept @ normal < least).all():
                kept = np.vstack([kept, normal])
            if len(kept) == facets:
                return kept


def directions(count: int, rng: np.random.Generator) -> np.ndarray:
    """Draw directions evenly over the sphere, shape (count, 3)."""
    points = rng.standard_normal((count, 3))
    unit: np.ndarray = points / np.linalg.norm(points, axis=1, keepdims=True)
    return unit


def rotations(count: int, rng: np.random.Generator) -> np.ndarray:
    """Draw rotations evenly, shape (count, 3, 3)."""
    q = rng.standard_normal((count, 4))
    a, b, c, d = (q / np.linalg.norm(q, axis=1, keepdims=True)).T
    rows = (
        (1 - 2 * (c * c + d * d), 2 * (b * c - a * d), 2 * (b * d + a * c)),
        (2 * (b * c + a * d), 1 - 2 * (b * b + d * d), 2 * (c * d - a * b)),
        (2 * (b * d - a * c), 2 * (c * d + a * b), 1 - 2 * (b * b + c * c)),
    )
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=1)


def turned_to(normal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Give rotations whose first axis is a normal (n, 3), at a random angle about it."""
    helper = directions(len(normal), rng)
    second = helper - (helper * normal).sum(axis=1, keepdims=True) * normal
    second /= np.linalg.norm(second, axis=1, keepdims=True)
    return np.stack([normal, second, np.cross(normal, second)], axis=2)
