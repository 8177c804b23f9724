"""Bodies of the layers. In: height maps; out: closed surfaces in cylinder coordinates.

Layers come from the surfaces as they were measured, not from voxels: a film of lithium that is
thinner than a coarse voxel keeps its thickness, and a hole in it its shape.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from xct.analyze.layers import absent_lithium
from xct.geometry import CellGeometry, Surface
from xct.render.scene import Body, World

_SHEET_UM = 1.0  # thickness of what has none


def layer_bodies(
    cell: CellGeometry, surfaces: Mapping[str, Surface], world: World, radii: int
) -> Iterator[Body]:
    """Give lithium, places without lithium, and the electrolyte down to the collector.

    Parameters
    ----------
    cell : CellGeometry
        Where it lies.
    surfaces : mapping of str to Surface
        Height maps by name; what is missing is not drawn.
    world : World
        Coordinates.
    radii : int
        Steps from the axis to the wall.
    """
    grid = _Grid(cell, world, radii)
    steel, lithium = surfaces.get("steel_lithium"), surfaces.get("lithium_electrolyte")
    top = None
    if steel is not None and lithium is not None:
        upper, lower = grid.heights(steel.height_um), grid.heights(lithium.height_um)
        gone = grid.nearest(absent_lithium(surfaces).astype(np.float32)) > 0.5
        yield grid.between("lithium", upper, lower)
        yield grid.between("absent_lithium", upper, upper - _SHEET_UM, at_least_one=gone)
        top = np.where(np.isfinite(lower), lower, np.where(gone, upper, np.nan))
    elif lithium is not None:
        top = grid.heights(lithium.height_um)
    yield grid.between("electrolyte", *_glass(cell, surfaces, grid, top))


def _glass(
    cell: CellGeometry, surfaces: Mapping[str, Surface], grid: _Grid, top: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Give the faces of electrolyte and cathode; mean planes, or the view's end, fill gaps."""
    bottom = None
    if "cathode_collector" in surfaces:
        bottom = grid.heights(surfaces["cathode_collector"].height_um)
    filled = []
    for found, surface, end in (
        (top, "lithium_electrolyte", "anode"),
        (bottom, "cathode_collector", "collector"),
    ):
        plane = grid.plane(surface) if surface in cell.planes else grid.end(end)
        filled.append(plane if found is None else np.where(np.isfinite(found), found, plane))
    return filled[0], np.minimum(filled[1], filled[0])


class _Grid:
    """Columns by radius and azimuth, over the three quarters that are left."""

    def __init__(self, cell: CellGeometry, world: World, radii: int) -> None:
        self._cell, self._world = cell, world
        radius = np.linspace(0.0, world.radius_um, radii + 1)[:, None]
        azimuth = np.linspace(0.0, 1.5 * np.pi, 5 * radii + 1)[None, :]
        self._x, self._y = radius * np.cos(azimuth), radius * np.sin(azimuth)
        y_um, x_um = world.positions_um(self._y, self._x)
        self._at = tuple(
            np.clip(np.rint(um / step).astype(int), 0, n - 1)
            for um, step, n in zip(
                (y_um, x_um), cell.voxel_size_um[1:], cell.shape[1:], strict=True
            )
        )

    def nearest(self, values: np.ndarray) -> np.ndarray:
        """Give the values of a map (y, x) at the columns, (radius, azimuth)."""
        return np.asarray(values[self._at])

    def heights(self, height_um: np.ndarray) -> np.ndarray:
        """Give heights of a height map in world coordinates, (radius, azimuth)."""
        return self._world.heights(self.nearest(height_um))

    def plane(self, surface: str) -> np.ndarray:
        """Give the heights of a mean plane."""
        return self.heights(self._cell.plane_um(surface))

    def end(self, side: str) -> np.ndarray:
        """Give the end of the view on one side."""
        last = (self._cell.shape[0] - 1) * self._cell.voxel_size_um[0]
        ends = self._world.heights(np.array([0.0, last]))
        return np.full(self._x.shape, ends.max() if side == "anode" else ends.min())

    def between(
        self,
        name: str,
        upper: np.ndarray,
        lower: np.ndarray,
        *,
        at_least_one: np.ndarray | None = None,
    ) -> Body:
        """Close the space between two faces where both are; walls stand around holes, too.

        With `at_least_one`, only where a corner is marked: up to what has no marked corner.
        """
        number = np.arange(upper.size).reshape(upper.shape)
        corners = np.stack([number[:-1, :-1], number[1:, :-1], number[1:, 1:], number[:-1, 1:]])
        there = np.isfinite(upper) & np.isfinite(lower)
        shown = there.ravel()[corners].all(axis=0)
        if at_least_one is not None:
            shown &= at_least_one.ravel()[corners].any(axis=0)
        corners = corners[:, shown]
        a, b, c, d = corners
        face = np.concatenate([np.stack([a, b, c], -1), np.stack([a, c, d], -1)])
        walls = _walls(face, upper.size)
        triangles = np.concatenate([face, face[:, ::-1] + upper.size, walls])
        points = np.concatenate(
            [
                np.stack([self._x.ravel(), self._y.ravel(), height.ravel()], -1)
                for height in (upper, lower)
            ]
        )
        return compacted(Body(name, points, triangles))


def _walls(face: np.ndarray, count: int) -> np.ndarray:
    """Stand two triangles on every edge that only one triangle of the face has."""
    edges = np.concatenate([face[:, [0, 1]], face[:, [1, 2]], face[:, [2, 0]]]).astype(np.int64)
    keys, reverse = edges[:, 0] * count + edges[:, 1], edges[:, 1] * count + edges[:, 0]
    a, b = edges[~np.isin(keys, reverse)].T
    return np.concatenate(
        [np.stack([a, a + count, b], -1), np.stack([b, a + count, b + count], -1)]
    )


def compacted(body: Body) -> Body:
    """Leave out points that no triangle has."""
    used, inverse = np.unique(body.triangles, return_inverse=True)
    triangles = inverse.reshape(-1, 3).astype(np.int32)
    return Body(body.name, body.points[used].astype(np.float32), triangles)
