"""Pieces of a material that keep their area. In: labels; out: which piece is where, and how large.

A smoothed mask, and edges that cut its corners, shrink what is small: a particle of eight voxels
across by 6 %, a pore of three by half. Each piece is let grow until its triangles have the area of
its voxels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xct.simulate.geometry.sampled import Sampled
from xct.simulate.mesh.cutting import Level

_MOST_PX = 0.75  # that a boundary is moved by
_RELAXED = 0.7  # of a step: small pieces come and go with less than a voxel


@dataclass(frozen=True)
class Pieces:
    """Pieces of one material.

    Attributes
    ----------
    nearest : ndarray of int, shape (height, across)
        Which piece is nearest to each voxel, from 0.
    area_um2 : ndarray, shape (piece,)
        Area of each by its voxels.
    voxel_um : tuple of float
        Edges of a voxel along the height and across.
    """

    nearest: np.ndarray
    area_um2: np.ndarray
    voxel_um: tuple[float, float]

    def areas_of(self, centers_um: np.ndarray, area_um2: np.ndarray) -> np.ndarray:
        """Give the area that triangles of the material have, by the piece in which they lie."""
        size = len(self.area_um2)
        row, column = (
            np.clip((centers_um[:, 1 - axis] / edge).astype(int), 0, length - 1)
            for axis, (edge, length) in enumerate(
                zip(self.voxel_um, self.nearest.shape, strict=True)
            )
        )
        return np.bincount(self.nearest[row, column], area_um2, minlength=size)

    def grown(self, level: Level, moved_um: np.ndarray) -> Level:
        """Give a level whose boundaries lie further out, without a step between neighbors."""
        from scipy.ndimage import gaussian_filter

        further = Sampled(gaussian_filter(moved_um[self.nearest], 1.0), self.voxel_um)
        return lambda points: np.asarray(level(points) + further(points))


class Search:
    """Looks for how far the boundary of each piece is to be moved, mesh by mesh.

    Parameters
    ----------
    pieces : Pieces
        Whose boundaries.
    """

    def __init__(self, pieces: Pieces) -> None:
        self._pieces = pieces
        self._moved = np.zeros(len(pieces.area_um2))
        self._best = self._moved
        self._missing = np.full(len(pieces.area_um2), np.inf)

    def learn(self, centers_um: np.ndarray, area_um2: np.ndarray) -> None:
        """Take the triangles of the last mesh, and choose what to try next."""
        wanted = self._pieces.area_um2
        missing = wanted - self._pieces.areas_of(centers_um, area_um2)
        better = np.abs(missing) < self._missing
        self._best = np.where(better, self._moved, self._best)
        self._missing = np.where(better, np.abs(missing), self._missing)
        limit = _MOST_PX * min(self._pieces.voxel_um)
        step = _RELAXED * missing / np.maximum(np.sqrt(4 * np.pi * wanted), 1e-12)
        self._moved = np.clip(self._moved + step, -limit, limit)

    def level(self, level: Level, *, last: bool) -> Level:
        """Give the level to mesh next; for the last mesh, the best of what was tried."""
        return self._pieces.grown(level, self._best if last else self._moved)


def pieces_of(numbers: np.ndarray, inside: np.ndarray, voxel_um: tuple[float, float]) -> Pieces:
    """Find the pieces of a material.

    Parameters
    ----------
    numbers : ndarray of int, shape (height, across)
        Piece of each voxel; 0 where it is of none.
    inside : ndarray of bool, shape (height, across)
        Where the material is, of a numbered piece or not.
    voxel_um : tuple of float
        Edges of a voxel along the height and across.
    """
    from scipy.ndimage import distance_transform_edt

    at = distance_transform_edt(
        numbers == 0, sampling=voxel_um, return_distances=False, return_indices=True
    )
    known, nearest = np.unique(numbers[tuple(at)], return_inverse=True)
    nearest = nearest.reshape(numbers.shape)
    voxel_area = voxel_um[0] * voxel_um[1]
    area = np.bincount(nearest[inside], minlength=len(known)) * voxel_area
    return Pieces(nearest, area, voxel_um)
