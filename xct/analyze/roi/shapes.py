"""ROIs as they are drawn. In: voxel indices in one volume; out: ROIs in cell coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from typing import Literal

import numpy as np

from xct.analyze.roi.coordinates import (
    Frame,
    Point,
    Region,
    Roi,
    Span,
    are_numbers,
    bad_spans,
    frame_at,
    shown,
)
from xct.geometry import CellGeometry

# Shapes of ROIs: box, sector, polygon, thick line, in cell coordinates.

Along = Literal["depth", "y", "x"]
AXES: tuple[Along, ...] = ("depth", "y", "x")


@dataclass(frozen=True)
class BoxRoi(Roi):
    """A box along depth, y and x, µm."""

    depth_um: Span
    y_um: Span
    x_um: Span
    shape = "box"
    fills_box = True

    def problems(self) -> list[tuple[str, str]]:
        """List what is wrong: key and error."""
        return super().problems() + bad_spans(self, "depth_um", "y_um", "x_um")

    @property
    def bounds_um(self) -> tuple[Span, Span, Span]:
        """The box itself."""
        return self.depth_um, self.y_um, self.x_um

    def contains(self, depth: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Everything within the bounds."""
        return np.ones(np.broadcast_shapes(depth.shape, y.shape, x.shape), bool)


@dataclass(frozen=True)
class SectorRoi(Roi):
    """A part of a ring about the axis; azimuth in degrees from +x to +y, any 360° of it."""

    depth_um: Span
    radius_um: Span
    azimuth_deg: Span = (0.0, 360.0)
    shape = "sector"

    def problems(self) -> list[tuple[str, str]]:
        """List what is wrong: key and error."""
        found = super().problems() + bad_spans(self, "depth_um", "radius_um", "azimuth_deg")
        if not found and self.radius_um[0] < 0:
            found.append(("radius_um", f"{self.radius_um[0]:g} is negative; start at 0 or more"))
        if not found and self.azimuth_deg[1] - self.azimuth_deg[0] > 360:
            found.append(("azimuth_deg", "it spans more than 360 degrees"))
        return found

    @property
    def bounds_um(self) -> tuple[Span, Span, Span]:
        """The smallest box around it, along depth, y and x."""
        _, y, x = np.array(self._outline_um()).T
        return self.depth_um, (float(y.min()), float(y.max())), (float(x.min()), float(x.max()))

    def contains(self, depth: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Determine which positions lie between the radii and the azimuths."""
        radius = np.hypot(y, x)
        turned = (np.rad2deg(np.arctan2(y, x)) - self.azimuth_deg[0]) % 360
        width = self.azimuth_deg[1] - self.azimuth_deg[0]
        inside = (radius >= self.radius_um[0]) & (radius < self.radius_um[1])
        return np.asarray(inside & ((turned < width) | (width == 360)))

    def _outline_um(self) -> list[Point]:
        first, last = self.azimuth_deg
        axes = [
            90 * n for n in range(ceil(first / 90), int(last // 90) + 1)
        ]  # where it bulges most
        turns = np.deg2rad(sorted({*np.linspace(first, last, 61), *axes}))
        depth = sum(self.depth_um) / 2
        inner, outer = self.radius_um
        arcs = [(outer, turn) for turn in turns] + [(inner, turn) for turn in turns[::-1]]
        return [(depth, r * float(np.sin(turn)), r * float(np.cos(turn))) for r, turn in arcs]


@dataclass(frozen=True)
class PolygonRoi(Roi):
    """A prism: a polygon, and a span along the axis that the polygon does not have.

    Its corners are (y, x) where it runs along depth, (depth, x) along y, (depth, y) along x.
    """

    corners_um: tuple[Span, ...]
    span_um: Span
    along: Along = "depth"
    shape = "polygon"

    def problems(self) -> list[tuple[str, str]]:
        """List what is wrong: key and error."""
        found = super().problems() + bad_spans(self, "span_um")
        if self.along not in AXES:
            found.append(("along", f"{self.along!r} is not one of {', '.join(AXES)}"))
        corners = self.corners_um
        if not isinstance(corners, Sequence) or not all(are_numbers(c, 2) for c in corners):
            found.append(("corners_um", "each corner is a pair of numbers, such as [-20.0, 35.5]"))
        elif len(corners) < 3:
            found.append(("corners_um", f"a polygon has at least 3 corners, not {len(corners)}"))
        elif not np.ptp(np.array(corners), axis=0).all():
            found.append(("corners_um", "all corners lie on one line"))
        return found

    @property
    def bounds_um(self) -> tuple[Span, Span, Span]:
        """The smallest box around it, along depth, y and x."""
        spans = [
            (float(min(values)), float(max(values)))
            for values in zip(*self.corners_um, strict=True)
        ]
        spans.insert(AXES.index(self.along), self.span_um)
        return spans[0], spans[1], spans[2]

    def contains(self, depth: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Determine which positions lie in the polygon, by counting the edges to one side."""
        v, u = (p for name, p in zip(AXES, (depth, y, x), strict=True) if name != self.along)
        inside = np.zeros(np.broadcast_shapes(v.shape, u.shape), bool)
        for (v0, u0), (v1, u1) in zip(
            self.corners_um, (*self.corners_um[1:], self.corners_um[0]), strict=True
        ):
            if v0 != v1:
                crossed = (v >= min(v0, v1)) & (v < max(v0, v1))
                inside ^= crossed & (u < u0 + (v - v0) * ((u1 - u0) / (v1 - v0)))
        return inside

    def _outline_um(self) -> list[list[float]]:
        axis, middle = AXES.index(self.along), sum(self.span_um) / 2
        return [[*corner[:axis], middle, *corner[axis:]] for corner in self.corners_um]


@dataclass(frozen=True)
class LineRoi(Roi):
    """A thick line between two points (depth, y, x): a cylinder of a given width, µm."""

    from_um: Point
    to_um: Point
    width_um: float
    shape = "line"

    def problems(self) -> list[tuple[str, str]]:
        """List what is wrong: key and error."""
        found = super().problems()
        for key in ("from_um", "to_um"):
            if not are_numbers(point := getattr(self, key), 3):
                found.append((key, f"{shown(point)} is not a point [depth, y, x]"))
        if not found and tuple(self.from_um) == tuple(self.to_um):
            found.append(("to_um", "the line ends where it starts"))
        if not are_numbers((self.width_um,), 1) or self.width_um <= 0:
            found.append(("width_um", f"{self.width_um!r} is not a width above 0"))
        return found

    @property
    def length_um(self) -> float:
        """Distance between its ends."""
        return float(np.linalg.norm(np.subtract(self.to_um, self.from_um)))

    @property
    def bounds_um(self) -> tuple[Span, Span, Span]:
        """The smallest box around it, along depth, y and x."""
        direction = np.subtract(self.to_um, self.from_um) / self.length_um
        spans = []
        for a, b, along in zip(self.from_um, self.to_um, direction, strict=True):
            half = self.width_um / 2 * sqrt(max(0.0, 1 - along**2))
            spans.append((min(a, b) - half, max(a, b) + half))
        return spans[0], spans[1], spans[2]

    def contains(self, depth: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Determine which positions lie within the cylinder."""
        direction = np.subtract(self.to_um, self.from_um) / self.length_um
        from_start = [p - start for p, start in zip((depth, y, x), self.from_um, strict=True)]
        run = sum(o * d for o, d in zip(from_start, direction, strict=True))
        square = sum(o**2 for o in from_start) - run**2
        inside = (run >= 0) & (run <= self.length_um) & (square <= (self.width_um / 2) ** 2)
        return np.asarray(inside)

    def _outline_um(self) -> list[Point]:
        return [self.from_um, self.to_um]


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
    "roi_from_sector",
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
    DataError
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
    cell, name
        As for `roi_from_box`.
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


def roi_from_sector(
    cell: CellGeometry,
    name: str,
    start: Sequence[float],
    stop: Sequence[float],
    span: slice,
    surface: str | None = NEAREST,
) -> SectorRoi:
    """Make a ROI of a sector about the bore's axis, from two of its corners in a slice.

    Parameters
    ----------
    cell, name
        As for `roi_from_box`.
    start, stop : sequence of float
        Two opposite corners, voxel indices along y and x: their radii, and their azimuths, the
        shorter way round.
    span : slice
        First slice and the one after the last.
    surface : str or None, optional
        As for `roi_from_box`.

    Raises
    ------
    ValueError
        If both corners have one radius or one azimuth.
    """
    middle = [(span.start + span.stop - 1) / 2, *(np.add(start, stop) / 2)]
    named, frame = _frame(cell, surface, middle)
    ends = [(float(frame.to_um(1, y)), float(frame.to_um(2, x))) for y, x in (start, stop)]
    radii = sorted(float(np.hypot(y, x)) for y, x in ends)
    first, last = (float(np.rad2deg(np.arctan2(y, x))) for y, x in ends)
    turn = (last - first + 180) % 360 - 180
    low, high = sorted((first, first + turn))
    depth = _span(frame, 0, span.start - 0.5, span.stop - 0.5)
    return SectorRoi(name, named, depth, (radii[0], radii[1]), (low, high))


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
    cell, name
        As for `roi_from_box`.
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
