"""Height maps as napari draws them. In: a surface; out: a mesh, or lines in the shown slice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from skimage.measure import find_contours

from xct.geometry import Surface

# Red, green, blue of each surface, as in the study's figures: pink towards the anode, blue towards
# the cathode.
COLORS = {
    "steel_lithium": (0.95, 0.75, 0.2),
    "lithium_electrolyte": (1.0, 0.35, 0.65),
    "electrolyte_cathode": (0.25, 0.65, 1.0),
    "cathode_collector": (0.4, 0.9, 0.5),
}
_OTHER = (0.9, 0.9, 0.9)
_MESH_EDGE = 200  # vertices along a side, at most: more would not be seen


def color(name: str) -> tuple[float, float, float]:
    """Give the color of a surface."""
    return COLORS.get(name, _OTHER)


def mesh(
    height_um: np.ndarray, voxel_size_um: Sequence[float]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Make a mesh of a height map; triangles with a missing corner are left out.

    Parameters
    ----------
    height_um : ndarray, shape (y, x)
        Position along z, NaN where the surface is missing.
    voxel_size_um : sequence of float
        Edges of a voxel along z, y and x.

    Returns
    -------
    vertices : ndarray, shape (n, 3)
        z, y, x in µm.
    faces : ndarray of int, shape (m, 3)
        Vertices of each triangle.
    values : ndarray, shape (n,)
        Height of each vertex in µm.
    """
    step = max(1, -(-max(height_um.shape) // _MESH_EDGE))
    heights = height_um[::step, ::step].astype(np.float64)
    rows, columns = heights.shape
    y, x = np.mgrid[:rows, :columns] * float(step)
    y, x = y * voxel_size_um[1], x * voxel_size_um[2]
    number = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = number[:-1, :-1], number[:-1, 1:], number[1:, :-1], number[1:, 1:]
    faces = np.concatenate(
        [np.stack([a, b, c], -1).reshape(-1, 3), np.stack([b, d, c], -1).reshape(-1, 3)]
    )
    flat = heights.ravel()
    faces = faces[np.isfinite(flat[faces]).all(axis=1)]
    used, numbers = np.unique(faces, return_inverse=True)
    vertices = np.stack([flat, y.ravel(), x.ravel()], -1)[used]
    return vertices, numbers.reshape(-1, 3), flat[used]


def lines(
    surfaces: Mapping[str, Surface],
    voxel_size_um: Sequence[float],
    axis: int,
    position_um: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Cut height maps with a slice.

    Parameters
    ----------
    surfaces : mapping of str to Surface
        By name.
    voxel_size_um : sequence of float
        Edges of a voxel along z, y and x.
    axis : int
        Axis across the slice: 0, 1 or 2 for z, y or x.
    position_um : float
        Where the slice lies on that axis.

    Returns
    -------
    segments : ndarray, shape (n, 2, 3)
        Start and direction of each piece of line, z, y, x in µm.
    colors : ndarray, shape (n, 4)
        Their colors.
    """
    pieces, colors = [], []
    for name, surface in surfaces.items():
        for points in _paths(surface.height_um, voxel_size_um, axis, position_um):
            segments = np.stack([points[:-1], np.diff(points, axis=0)], axis=1)
            segments = segments[np.isfinite(segments).all(axis=(1, 2))]
            pieces.append(segments)
            colors.append(np.tile((*color(name), 1.0), (len(segments), 1)))
    if not pieces:
        return np.zeros((0, 2, 3)), np.zeros((0, 4))
    return np.concatenate(pieces), np.concatenate(colors)


def _paths(
    height_um: np.ndarray, voxel_size_um: Sequence[float], axis: int, position_um: float
) -> list[np.ndarray]:
    size = np.asarray(voxel_size_um, float)
    if axis == 0:
        contours: list[np.ndarray] = find_contours(height_um, position_um)  # type: ignore[no-untyped-call]
        return [np.insert(c * size[1:], 0, position_um, axis=1) for c in contours]
    number = round(position_um / size[axis])
    if not 0 <= number < height_um.shape[axis - 1]:
        return []
    heights = height_um[number] if axis == 1 else height_um[:, number]
    along = np.arange(heights.size) * size[3 - axis]
    across = np.full(heights.size, position_um)
    columns = [heights, across, along] if axis == 1 else [heights, along, across]
    return [np.stack(columns, axis=1)]
