"""Fields of a mesh as pictures. In: values at nodes or triangles; out: arrays (height, across)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xct.simulate.mesh.mesh import Mesh


@dataclass(frozen=True)
class Raster:
    """Pixels over a mesh, the lowest row first.

    Attributes
    ----------
    mesh : Mesh
        What lies below.
    pixel_um : float
        Edge of a pixel.
    triangle : ndarray of int, shape (height, across)
        Which triangle the middle of a pixel lies in.
    weights : ndarray, shape (height, across, 3)
        Barycentric coordinates there.
    """

    mesh: Mesh
    pixel_um: float
    triangle: np.ndarray
    weights: np.ndarray

    def of_triangles(self, values: np.ndarray) -> np.ndarray:
        """Give values of triangles (triangle, …) in every pixel."""
        return np.asarray(values[self.triangle])

    def of_corners(self, values: np.ndarray) -> np.ndarray:
        """Give values at the corners of triangles (triangle, 3), linear within each."""
        return np.asarray((values[self.triangle] * self.weights).sum(axis=-1))

    def of_nodes(self, values: np.ndarray) -> np.ndarray:
        """Give values of nodes (node,), linear within each triangle."""
        return self.of_corners(values[self.mesh.triangles])


def raster(mesh: Mesh, pixel_um: float) -> Raster:
    """Find the triangle below every pixel, row by row of the triangles' own extents."""
    width, height = mesh.points.max(axis=0)
    shape = max(1, int(height / pixel_um)), max(1, int(width / pixel_um))
    x, y = (np.arange(shape[1]) + 0.5) * pixel_um, (np.arange(shape[0]) + 0.5) * pixel_um
    corners = mesh.points[mesh.triangles]
    low, high = (
        np.clip(_to_pixels(f(corners, axis=1), pixel_um), 0, None) for f in (np.min, np.max)
    )
    found = np.full(shape, -1)
    pending = np.arange(len(corners))
    columns = np.minimum(high[:, 0], shape[1] - 1) - low[:, 0] + 1
    rows = np.minimum(high[:, 1], shape[0] - 1) - low[:, 1] + 1
    pending = pending[(columns > 0) & (rows > 0)]
    for row in range(int(rows.max(initial=0))):
        pending = pending[rows[pending] > row]
        across = pending
        for column in range(int(columns[pending].max(initial=0))):
            across = across[columns[across] > column]
            i, j = low[across, 1] + row, low[across, 0] + column
            inside = _weights(corners[across], x[j], y[i]).min(axis=1) >= -1e-9
            found[i[inside], j[inside]] = across[inside]
    grid = np.stack(np.meshgrid(x, y), axis=-1)
    weights = _weights(corners[found.ravel()], grid[..., 0].ravel(), grid[..., 1].ravel())
    return Raster(mesh, pixel_um, found, weights.reshape(*shape, 3))


def _to_pixels(places: np.ndarray, pixel_um: float) -> np.ndarray:
    return np.floor(places / pixel_um).astype(int)


def _weights(corners: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Give the barycentric coordinates of points in triangles, (point, 3)."""
    (ax, ay), (bx, by), (cx, cy) = (corners[:, k].T for k in range(3))
    area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
    second = ((x - ax) * (cy - ay) - (cx - ax) * (y - ay)) / area
    third = ((bx - ax) * (y - ay) - (x - ax) * (by - ay)) / area
    return np.stack([1 - second - third, second, third], axis=1)
