"""A mesh of triangles or its parts. In: points and triangles; out: facets, areas, pieces."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class Mesh:
    """Triangles that follow the boundaries of materials.

    Attributes
    ----------
    points : ndarray of float64, shape (node, 2)
        Positions across and along the height of the cell, µm; the anode is on top.
    triangles : ndarray of int, shape (triangle, 3)
        Nodes of each, counterclockwise.
    material : ndarray of uint8, shape (triangle,)
        `Material` of each.
    particle : ndarray of int32, shape (triangle,)
        Which particle it belongs to; 0 where it is no particle.
    """

    points: np.ndarray
    triangles: np.ndarray
    material: np.ndarray
    particle: np.ndarray

    @cached_property
    def area_um2(self) -> np.ndarray:
        """Area of each triangle, µm²."""
        return areas(self.points, self.triangles)

    @cached_property
    def center_um(self) -> np.ndarray:
        """Middle of each triangle, µm, shape (triangle, 2)."""
        return np.asarray(self.points[self.triangles].mean(axis=1))

    @cached_property
    def facets(self) -> Facets:
        """Edges, and the triangles on both sides."""
        return facets_of(self.triangles)

    @cached_property
    def lowest_angle_deg(self) -> np.ndarray:
        """Smallest angle of each triangle, degrees."""
        corners = self.points[self.triangles]
        sides = np.roll(corners, -1, axis=1) - corners
        length = np.linalg.norm(sides, axis=2)
        # The shortest side lies opposite to the smallest angle.
        longest = np.sort(length, axis=1)[:, 1:].prod(axis=1)
        return np.asarray(np.rad2deg(np.arcsin(np.clip(2 * self.area_um2 / longest, 0, 1))))


@dataclass(frozen=True)
class Facets:
    """Edges of triangles.

    Attributes
    ----------
    nodes : ndarray of int, shape (facet, 2)
        Ends of each.
    sides : ndarray of int, shape (facet, 2)
        Triangles on both sides; −1 for none.
    """

    nodes: np.ndarray
    sides: np.ndarray


def areas(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Give the signed area of triangles, positive where their nodes go counterclockwise."""
    a, b, c = (points[triangles[:, k]] for k in range(3))
    (x1, y1), (x2, y2) = (b - a).T, (c - a).T
    return np.asarray(0.5 * (x1 * y2 - x2 * y1))


def facets_of(triangles: np.ndarray) -> Facets:
    """Find the edges of triangles, and what lies on both sides of each."""
    a, b = triangles.ravel().astype(np.int64), np.roll(triangles, -1, axis=1).ravel()
    size = int(triangles.max(initial=0)) + 1
    key = np.minimum(a, b) * size + np.maximum(a, b)
    order = np.argsort(key)
    key, owner = key[order], order // 3
    first = np.flatnonzero(np.diff(key, prepend=-1))
    sides = np.stack([owner[first], np.full(len(first), -1)], axis=1)
    shared = np.diff(first, append=len(key)) == 2
    both = owner[first[shared]], owner[first[shared] + 1]
    sides[shared] = np.stack([np.minimum(*both), np.maximum(*both)], axis=1)
    return Facets(np.stack(np.divmod(key[first], size), axis=1), sides)


def pieces(mesh: Mesh, chosen: np.ndarray) -> tuple[int, np.ndarray]:
    """Tell the pieces of some triangles that hang together by edges.

    Parameters
    ----------
    mesh : Mesh
        All triangles.
    chosen : ndarray of bool, shape (triangle,)
        Which of them.

    Returns
    -------
    count : int
        How many pieces.
    piece : ndarray of int, shape (triangle,)
        Which piece each belongs to, from 0; −1 for those not chosen.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    sides = mesh.facets.sides
    both = (sides >= 0).all(axis=1)
    one, other = sides[both].T
    joined = chosen[one] & chosen[other]
    numbers = np.cumsum(chosen) - 1
    size = int(chosen.sum())
    links = coo_array(
        (np.ones(joined.sum()), (numbers[one[joined]], numbers[other[joined]])), shape=(size, size)
    )
    count, piece = connected_components(links, directed=False)
    found = np.full(len(chosen), -1)
    found[chosen] = piece
    return int(count), found
