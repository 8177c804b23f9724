"""ROIs as they are drawn. In: voxel indices in one volume; out: ROIs in cell coordinates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xct.analyze.regions import Frame, Region, frame_at
from xct.analyze.roi_base import Roi, Span
from xct.analyze.roi_shapes import AXES, Along, BoxRoi, LineRoi, PolygonRoi, SectorRoi
from xct.geometry import CellGeometry

__all__ = [
    "BoxRoi",
    "LineRoi",
    "PolygonRoi",
    "Region",
    "Roi",
    "SectorRoi",
    "nearest_surface",
    "roi_from_box",
    "roi_from_line",
    "roi_from_polygon",
]

NEAREST = "nearest"


def roi_from_box(
    cell: CellGeometry,
    name: str,
    slices: tuple[slice, slice, slice],
    surface: str | None = NEAREST,
) -> BoxRoi:
    """Make a ROI of a box of voxels; its region in the same cell is that box again.

    Parameters
    ----------
    cell : CellGeometry
        The cell that it was drawn on.
    name : str
        Name of the ROI.
    slices : tuple of slice
        First voxel and the one after the last, along z, y and x.
    surface : str or None, optional
        From which surface depth counts: a name, the nearest in view unless given, or None: z from
        the first slice of the volume.

    Raises
    ------
    ValueError
        If the box is empty or the surface is not in view.
    """
    edges = [(part.start - 0.5, part.stop - 0.5) for part in slices]
    named, frame = _frame(cell, surface, [sum(edge) / 2 for edge in edges])
    depth, y, x = (_span(frame, axis, *edge) for axis, edge in enumerate(edges))
    return BoxRoi(name, named, depth, y, x)


def roi_from_polygon(
    cell: CellGeometry,
    name: str,
    corners: Sequence[Sequence[float]] | np.ndarray,
    span: slice,
    along: Along = "depth",
    surface: str | None = NEAREST,
) -> PolygonRoi:
    """Make a ROI of a polygon drawn in a slice or cross-section, and a range of voxels across it.

    Parameters
    ----------
    cell : CellGeometry
        The cell that it was drawn on.
    name : str
        Name of the ROI.
    corners : array, shape (corner, 2)
        Voxel indices (fractions too) along the two axes of the picture, in the order z, y, x.
    span : slice
        First voxel and the one after the last, across the picture.
    along : {"depth", "y", "x"}, optional
        The axis across the picture.
    surface : str or None, optional
        As for `roi_from_box`.
    """
    points, across = np.asarray(corners, float), AXES.index(along)
    middle = list((points.min(axis=0) + points.max(axis=0)) / 2)
    middle.insert(across, (span.start + span.stop - 1) / 2)
    named, frame = _frame(cell, surface, middle)
    first, second = (axis for axis in range(3) if axis != across)
    pairs = zip(frame.to_um(first, points[:, 0]), frame.to_um(second, points[:, 1]), strict=True)
    corners_um = tuple((float(a), float(b)) for a, b in pairs)
    span_um = _span(frame, across, span.start - 0.5, span.stop - 0.5)
    return PolygonRoi(name, named, corners_um, span_um, along)


def roi_from_line(
    cell: CellGeometry,
    name: str,
    start: Sequence[float],
    stop: Sequence[float],
    width_um: float,
    surface: str | None = NEAREST,
) -> LineRoi:
    """Make a ROI of a thick line between two positions, voxel indices along z, y and x.

    Parameters
    ----------
    cell : CellGeometry
        The cell that it was drawn on.
    name : str
        Name of the ROI.
    start, stop : sequence of float
        Its ends.
    width_um : float
        Its diameter.
    surface : str or None, optional
        As for `roi_from_box`.
    """
    named, frame = _frame(cell, surface, list(np.add(start, stop) / 2))
    ends = [
        tuple(float(frame.to_um(axis, end[axis])) for axis in range(3)) for end in (start, stop)
    ]
    (z0, y0, x0), (z1, y1, x1) = ends
    return LineRoi(name, named, (z0, y0, x0), (z1, y1, x1), width_um)


def nearest_surface(cell: CellGeometry, z_um: float, y_um: float, x_um: float) -> str | None:
    """Name the surface whose plane is nearest to a position in the volume; None without any."""
    far = {name: abs(float(cell.depth_um(name, z_um, y_um, x_um))) for name in cell.planes}
    return min(far, key=lambda name: far[name]) if far else None


def _frame(
    cell: CellGeometry, surface: str | None, middle: Sequence[float]
) -> tuple[str | None, Frame]:
    z, y, x = (i * edge for i, edge in zip(middle, cell.voxel_size_um, strict=True))
    named = nearest_surface(cell, z, y, x) if surface == NEAREST else surface
    return named, frame_at(cell, named, z, y, x)


def _span(frame: Frame, axis: int, first: float, stop: float) -> Span:
    low, high = sorted(float(frame.to_um(axis, edge)) for edge in (first, stop))
    return low, high
