"""A grid of triangles that is fine where it has to be. In: a size field; out: a triangulation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from xct.errors import XctError

# Wanted length of the longest side of a triangle at points, µm: (node, 2) → (node,)
Size = Callable[[np.ndarray], np.ndarray]

_MOST_TRIANGLES = 6_000_000  # more would not fit into 8 GiB


def graded(width_um: float, height_um: float, size: Size, coarsest_um: float) -> Any:
    """Fill a rectangle with right-angled isosceles triangles, halved until they are small enough.

    Squares are cut by both diagonals, so that the grid is its own mirror image. Triangles that are
    too large are halved, and neighbors with them, as far as no edge may end within another (red,
    green and blue refinement [1]_).

    Parameters
    ----------
    width_um, height_um : float
        The rectangle, from the origin.
    size : callable
        Wanted longest side at points, µm.
    coarsest_um : float
        Longest side to start from.

    Returns
    -------
    MeshTri
        Of scikit-fem, with points in µm.

    Raises
    ------
    XctError
        If it would take too many triangles.

    References
    ----------
    .. [1] Carstensen, Constr. Approx. 20, 549 (2004).
    """
    mesh = _crossed(width_um, height_um, coarsest_um)
    while True:
        corners = mesh.p[:, mesh.t]
        side = np.sqrt(((np.roll(corners, -1, axis=1) - corners) ** 2).sum(axis=0)).max(axis=0)
        # The middle and the corners: no small place between them is overlooked by much.
        samples = np.concatenate([corners.mean(axis=1)[:, None], corners], axis=1)
        wanted = size(samples.reshape(2, -1).T).reshape(4, -1).min(axis=0)
        large = np.flatnonzero(side > 1.001 * wanted)
        if not len(large):
            return mesh
        _check_count(mesh.t.shape[1] + 2 * len(large))
        mesh = mesh.refined(large)


def _check_count(triangles: int) -> None:
    if triangles > _MOST_TRIANGLES:
        raise XctError(
            f"the mesh would have more than {_MOST_TRIANGLES:,} triangles; make "
            "mesh.boundary_um larger, or the part of the cell smaller"
        )


def _crossed(width_um: float, height_um: float, coarsest_um: float) -> Any:
    from skfem import MeshTri

    nx, ny = (max(1, int(np.ceil(length / coarsest_um))) for length in (width_um, height_um))
    _check_count(4 * nx * ny)
    x, y = np.linspace(0, width_um, nx + 1), np.linspace(0, height_um, ny + 1)
    corner = np.arange((nx + 1) * (ny + 1)).reshape(ny + 1, nx + 1)
    grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    middle = np.stack(np.meshgrid((x[1:] + x[:-1]) / 2, (y[1:] + y[:-1]) / 2), axis=-1)
    center = len(grid) + np.arange(nx * ny).reshape(ny, nx)
    ring = [corner[:-1, :-1], corner[:-1, 1:], corner[1:, 1:], corner[1:, :-1]]
    triangles = [
        np.stack([a.ravel(), b.ravel(), center.ravel()])
        for a, b in zip(ring, [*ring[1:], ring[0]], strict=True)
    ]
    points = np.concatenate([grid, middle.reshape(-1, 2)]).T
    return MeshTri(np.ascontiguousarray(points), np.ascontiguousarray(np.hstack(triangles)))
