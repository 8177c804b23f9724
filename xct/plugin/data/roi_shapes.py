"""ROIs as shapes. In: what is drawn in a slice; out: ROIs in cell coordinates, and back."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor

import numpy as np

from xct.analyze.roi.shapes import (
    BoxRoi,
    LineRoi,
    PolygonRoi,
    Roi,
    SectorRoi,
    roi_from_box,
    roi_from_line,
    roi_from_polygon,
    roi_from_sector,
)
from xct.errors import XctError
from xct.geometry import CellGeometry

Drawn = tuple[np.ndarray, str]  # vertices in voxel indices (z, y, x), and napari's shape type

_ALONG = ("depth", "y", "x")
_CORNERS_OF_ELLIPSE = 48


def from_shape(
    cell: CellGeometry, name: str, drawn: Drawn, axis: int, across: slice, width_um: float
) -> Roi:
    """Make a ROI of a shape that was drawn in a slice.

    Parameters
    ----------
    cell : CellGeometry
        The cell that it was drawn on.
    name : str
        Name of the ROI.
    drawn : tuple
        Vertices in voxel indices, shape (n, 3), and rectangle, ellipse, polygon, line or sector:
        two corners of it.
    axis : int
        Axis across the slice.
    across : slice
        Voxels along that axis that a box or a polygon holds.
    width_um : float
        Diameter of a line.

    Raises
    ------
    XctError
        If a shape of this kind is no ROI, or it lies outside of the volume.
    """
    vertices, kind = drawn
    plane = [a for a in range(3) if a != axis]
    if kind == "line":
        return roi_from_line(cell, name, vertices[0], vertices[1], width_um)
    if kind == "sector":
        if axis != 0:
            raise XctError(f"{name}: a sector lies about the axis; draw it in a slice of z")
        return roi_from_sector(
            cell, name, vertices[0, 1:].tolist(), vertices[1, 1:].tolist(), across
        )
    if kind == "rectangle" and _is_upright(vertices[:, plane]):
        parts = [_inside(vertices[:, a], cell.shape[a], name) for a in plane]
        parts.insert(axis, across)
        return roi_from_box(cell, name, (parts[0], parts[1], parts[2]))
    if kind not in ("rectangle", "polygon", "ellipse"):
        raise XctError(f"a {kind} is no ROI: draw a rectangle, a polygon, an ellipse or a line")
    corners = vertices[:, plane]
    if kind == "ellipse":
        corners = _ellipse(corners)
    return roi_from_polygon(cell, name, corners, across, _ALONG[axis])  # type: ignore[arg-type]


def to_shape(cell: CellGeometry, roi: Roi, axis: int, index: float) -> Drawn:
    """Give the shape of a ROI in a slice; where it lies elsewhere, in its own middle.

    Parameters
    ----------
    cell : CellGeometry
        The cell that it is drawn on.
    roi : Roi
        What is drawn.
    axis : int
        Axis across the slice.
    index : float
        The slice, in voxels.
    """
    corners = roi.corners(cell)
    if isinstance(roi, LineRoi):
        return corners, "line"
    if isinstance(roi, SectorRoi) and axis == 0:
        placed = np.concatenate([corners, corners[:1]])
        placed[:, 0] = _within(voxels_across(cell, roi, 0), index)
        apart = np.linalg.norm(np.diff(placed, axis=0), axis=1) > 1e-6
        return placed[np.concatenate([apart, [True]])], "path"
    if isinstance(roi, PolygonRoi) and _ALONG.index(roi.along) == axis:
        placed = corners.copy()
        placed[:, axis] = _within(voxels_across(cell, roi, axis), index)
        return placed, "polygon"
    low, high = _bounds(cell, roi)
    first, second = (a for a in range(3) if a != axis)
    rectangle = np.empty((4, 3))
    rectangle[:, axis] = _within(voxels_across(cell, roi, axis), index)
    rectangle[:, first] = [low[first], low[first], high[first], high[first]]
    rectangle[:, second] = [low[second], high[second], high[second], low[second]]
    return rectangle, "rectangle"


def edited(cell: CellGeometry, roi: Roi, drawn: Drawn, axis: int) -> Roi:
    """Make a ROI of a shape that was moved or changed; across the slice it stays as it was.

    Raises
    ------
    XctError
        If it was changed in a direction in which its outline cannot be drawn.
    """
    if isinstance(roi, LineRoi):
        return roi_from_line(cell, roi.name, drawn[0][0], drawn[0][1], roi.width_um, roi.surface)
    if isinstance(roi, SectorRoi):
        raise XctError(f"{roi.name} lies about the axis: type its radii and azimuths in the table")
    if not isinstance(roi, BoxRoi) and drawn[1] == "rectangle":
        raise XctError(f"{roi.name}: turn the axes to where it was drawn to change its outline")
    return from_shape(cell, roi.name, drawn, axis, voxels_across(cell, roi, axis), 0.0)


def voxels_across(cell: CellGeometry, roi: Roi, axis: int) -> slice:
    """Give the voxels along an axis that lie within a ROI's bounds; at least one."""
    low, high = _bounds(cell, roi)
    first = ceil(low[axis] - 1e-6)
    return slice(first, max(first + 1, ceil(high[axis] - 1e-6)))


def around(index: float, thickness_um: float, voxel_um: float, length: int) -> slice:
    """Give the voxels of a thickness about a slice, inside of a volume."""
    count = max(1, round(thickness_um / voxel_um))
    first = min(max(round(index) - count // 2, 0), length - 1)
    return slice(first, min(first + count, length))


def edges(cell: CellGeometry, rois: Sequence[Roi]) -> np.ndarray:
    """Give the edges of the boxes around ROIs for 3-D: start and direction, in voxels."""
    pieces = []
    for roi in rois:
        low, high = _bounds(cell, roi)
        for axis in range(3):
            for corner in range(4):
                others = [a for a in range(3) if a != axis]
                start = np.array(low, float)
                start[others[0]] = (low, high)[corner & 1][others[0]]
                start[others[1]] = (low, high)[corner >> 1][others[1]]
                direction = np.zeros(3)
                direction[axis] = high[axis] - low[axis]
                pieces.append([start, direction])
    return np.array(pieces).reshape(-1, 2, 3)


def _bounds(cell: CellGeometry, roi: Roi) -> tuple[np.ndarray, np.ndarray]:
    """Give the box around a ROI in voxel indices, edges included: voxel i is i − ½ … i + ½."""
    frame = roi.frame(cell)
    ends = np.array(
        [frame.to_index(axis, np.array(roi.bounds_um[axis])) for axis in range(3)], float
    )
    return ends.min(axis=1), ends.max(axis=1)


def _within(part: slice, index: float) -> float:
    return (
        index if part.start - 0.5 <= index < part.stop - 0.5 else (part.start + part.stop - 1) / 2
    )


def _is_upright(corners: np.ndarray) -> bool:
    """Whether a rectangle's sides run along the axes."""
    return all(len(np.unique(np.round(corners[:, a], 6))) == 2 for a in range(2))


def _inside(values: np.ndarray, length: int, name: str) -> slice:
    """Give the voxels whose middles lie between two values."""
    first, stop = max(ceil(values.min()), 0), min(floor(values.max()) + 1, length)
    if stop <= first:
        raise XctError(f"{name}: the rectangle holds no voxel of the volume; draw it larger")
    return slice(first, stop)


def _ellipse(corners: np.ndarray) -> np.ndarray:
    """Give points on the ellipse in a parallelogram of four corners."""
    middle = corners.mean(axis=0)
    a, b = (corners[1] - corners[0]) / 2, (corners[3] - corners[0]) / 2
    turn = np.linspace(0, 2 * np.pi, _CORNERS_OF_ELLIPSE, endpoint=False)[:, None]
    return np.asarray(middle + np.cos(turn) * a + np.sin(turn) * b)
