"""ROIs in 3-D. In: ROIs and a cell; out: outlines and transparent bodies.

A region is drawn as the outline of what it holds in its middle slice, between its first and its
last slice: a box as a box, a sector as one, a region that follows a surface as the flat one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xct.analyze.roi.coordinates import Roi
from xct.analyze.roi.scaled import flat_on_cell
from xct.analyze.roi.shapes import AXES, BoxRoi, LineRoi, PolygonRoi
from xct.errors import DataError, XctError
from xct.geometry import CellGeometry
from xct.render.layers import compacted
from xct.render.scene import Body, Outline, World

_FEW_CORNERS = 12  # an edge stands on every corner; on those of an arc it would be a fence


def outlines(
    rois: Sequence[Roi], cell: CellGeometry, world: World
) -> tuple[list[Outline], list[str]]:
    """Outline ROIs; give what could not be drawn, too.

    Parameters
    ----------
    rois : sequence of Roi
        In cell coordinates.
    cell : CellGeometry
        Where they lie.
    world : World
        Coordinates.
    """
    made, missing = [], []
    for roi in rois:
        try:
            made.append(_outline(flat_on_cell(roi, cell), cell, world))
        except (XctError, DataError) as error:
            missing.append(f"ROI {roi.name}: {error}")
    return made, missing


def _outline(roi: Roi, cell: CellGeometry, world: World) -> Outline:
    """Stand the outline of a region on its first and on its last slice."""
    if isinstance(roi, LineRoi):
        ends = _points(roi.corners(cell), cell, world)
        return Outline(roi.name, compacted(_body(ends, np.zeros((0, 3), int))), [ends])
    roi.region(cell)  # refuses what does not lie in the view
    axis = AXES.index(roi.along) if isinstance(roi, PolygonRoi) else 0
    ring = _ring(roi, cell)
    span = roi.frame(cell).to_index(axis, np.array(roi.bounds_um[axis]))
    both = [ring.copy(), ring.copy()]
    for part, at in zip(both, span, strict=True):
        part[:, axis] = at
    first, last = (_points(part, cell, world) for part in both)
    flat = np.delete(ring, axis, axis=1)
    body = _body(np.concatenate([first, last]), _prism(flat))
    closed = [np.concatenate([part, part[:1]]) for part in (first, last)]
    upright = []
    if len(ring) <= _FEW_CORNERS:
        upright = [np.stack(pair) for pair in zip(first, last, strict=True)]
    return Outline(roi.name, body, [*closed, *upright])


def _ring(roi: Roi, cell: CellGeometry) -> np.ndarray:
    """Give the corners of a region, voxel indices, (corner, 3)."""
    corners = roi.corners(cell)
    if not isinstance(roi, BoxRoi):
        return corners
    (z, y0, x0), (_, y1, x1) = corners
    return np.array([[z, y0, x0], [z, y0, x1], [z, y1, x1], [z, y1, x0]])


def _points(index: np.ndarray, cell: CellGeometry, world: World) -> np.ndarray:
    return world.points(*(np.asarray(index) * np.array(cell.voxel_size_um)).T)


def _body(points: np.ndarray, triangles: np.ndarray) -> Body:
    return Body("rois", points, triangles.astype(np.int32))


def _prism(flat: np.ndarray) -> np.ndarray:
    """Give the triangles of both lids, and of the walls between their corners."""
    from matplotlib.path import Path
    from scipy.spatial import Delaunay

    count = len(flat)
    number = np.arange(count)
    following = np.roll(number, -1)
    walls = [
        np.stack([number, following, number + count], -1),
        np.stack([following, following + count, number + count], -1),
    ]
    lid = Delaunay(flat, qhull_options="QJ").simplices  # corners may lie on one line
    lid = lid[Path(flat).contains_points(flat[lid].mean(axis=1))]
    return np.concatenate([lid, lid + count, *walls])
