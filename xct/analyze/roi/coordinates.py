"""Coordinates of the cell, in which ROIs lie. In: a cell; out: the voxels that a ROI holds.

A region is at a depth from a surface, and beside the bore's axis: what was drawn on one cell is
measured at the same place in another. The surface counts as flat, at its height in the region's
middle, so that a box of voxels stays a box.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, isfinite
from typing import Any, ClassVar

import numpy as np

from xct.errors import DataError
from xct.geometry import SURFACES, CellGeometry

# Regions in one volume: a ROI's coordinates there, and the voxels that it holds.

Point = tuple[float, float, float]  # depth, y, x
Contains = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Frame:
    """The coordinates of one region in one volume: depth, and y and x from the axis, in µm."""

    zero_um: Point
    sign: int
    voxel_size_um: Point

    def to_um(self, axis: int, index: np.ndarray | float) -> np.ndarray:
        """Turn indices along an axis of the volume into µm."""
        sign = self.sign if axis == 0 else 1
        return sign * (np.asarray(index) * self.voxel_size_um[axis] - self.zero_um[axis])

    def to_index(self, axis: int, um: np.ndarray | float) -> np.ndarray:
        """Turn µm into indices along an axis of the volume."""
        sign = self.sign if axis == 0 else 1
        return (sign * np.asarray(um) + self.zero_um[axis]) / self.voxel_size_um[axis]


@dataclass(frozen=True)
class Region:
    """The voxels of a ROI in one volume.

    Attributes
    ----------
    name : str
        Name of the ROI.
    slices : tuple of slice
        The smallest box around them, along z, y and x.
    in_view : float
        Part of the ROI's box that lies in the volume; less than 1 where it was cut off.
    is_box : bool
        Whether all voxels of the box belong to the ROI.
    contains : callable
        Says from depth, y and x in µm which positions within the box belong to it.
    frame : Frame
        The ROI's coordinates in this volume.
    """

    name: str
    slices: tuple[slice, slice, slice]
    in_view: float
    is_box: bool
    contains: Contains
    frame: Frame

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels of the box along z, y and x."""
        z, y, x = (part.stop - part.start for part in self.slices)
        return z, y, x

    def mask(self, first: int = 0, stop: int | None = None) -> np.ndarray:
        """Determine which voxels of the box belong to the ROI.

        Parameters
        ----------
        first, stop : int, optional
            Rows of the box, counted from its first; unless given, all.

        Returns
        -------
        ndarray of bool, shape (z, y, x)
            Not to be written to.
        """
        rows = range(self.shape[0])[first:stop]
        starts = (self.slices[0].start + rows.start, self.slices[1].start, self.slices[2].start)
        shape = (len(rows), *self.shape[1:])
        depth, y, x = (
            self.frame.to_um(axis, np.arange(shape[axis]) + starts[axis]).reshape(
                [-1 if other == axis else 1 for other in range(3)]
            )
            for axis in range(3)
        )
        return np.broadcast_to(self.contains(depth, y, x), shape)


def frame_at(
    cell: CellGeometry, surface: str | None, z_um: float, y_um: float, x_um: float
) -> Frame:
    """Give the coordinates of a region whose middle lies at a position in the volume, µm."""
    if surface is None:
        y_axis, x_axis = cell.axis_at(z_um)
        return Frame((0.0, y_axis, x_axis), 1, cell.voxel_size_um)
    height = z_um - cell.sign * float(cell.depth_um(surface, z_um, y_um, x_um))
    return Frame((height, *cell.axis_at(z_um)), cell.sign, cell.voxel_size_um)


Span = tuple[float, float]
_SLACK = 1e-6  # of a voxel: a center on an edge is in or out, whatever the rounding


@dataclass(frozen=True)
class Roi:
    """What all regions of interest have; see `BoxRoi`, `SectorRoi`, `PolygonRoi`, `LineRoi`.

    Attributes
    ----------
    name : str
        Its name in tables.
    surface : str or None
        The surface from which depth is counted, positive away from the anode; None counts z from
        the first slice of the volume.
    """

    name: str
    surface: str | None
    shape: ClassVar[str]
    fills_box: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if found := self.problems():
            raise DataError("; ".join(f"ROI {self.name}: {key}: {text}" for key, text in found))

    def problems(self) -> list[tuple[str, str]]:
        """List what is wrong: key and error."""
        if self.surface is None or self.surface in SURFACES:
            return []
        return [("surface", f"{self.surface!r} is not one of {', '.join(SURFACES)}")]

    @property
    def bounds_um(self) -> tuple[Span, Span, Span]:
        """The smallest box around it, along depth, y and x."""
        raise NotImplementedError

    def contains(self, depth: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Find which positions (µm, of any shapes that broadcast) within the bounds belong to it.

        The bounds themselves need not be asked for again.
        """
        raise NotImplementedError

    def frame(self, cell: CellGeometry) -> Frame:
        """Give the coordinates of this region in a cell.

        Raises
        ------
        DataError
            If the surface is not in view.
        """
        depth, y, x = (sum(span) / 2 for span in self.bounds_um)
        if self.surface is None:
            return frame_at(cell, None, depth, 0, 0)
        z = 0.0
        for _ in range(8):  # axis and surface lean little: their product dies out at once
            y_axis, x_axis = cell.axis_at(z)
            frame = frame_at(cell, self.surface, z, y_axis + y, x_axis + x)
            z = frame.zero_um[0] + frame.sign * depth
        return frame

    def region(self, cell: CellGeometry) -> Region:
        """Find the voxels whose centers lie in this region.

        Raises
        ------
        DataError
            If the surface is not in view, or no voxel of the volume lies in the region.
        """
        frame = self.frame(cell)
        whole = [_voxels_between(frame, axis, span) for axis, span in enumerate(self.bounds_um)]
        seen = [(max(a, 0), min(b, n)) for (a, b), n in zip(whole, cell.shape, strict=True)]
        if any(a >= b for a, b in seen):
            raise DataError(self._nowhere(whole, cell))
        part = np.prod([(b - a) / (d - c) for (a, b), (c, d) in zip(seen, whole, strict=True)])
        z, y, x = (slice(a, b) for a, b in seen)
        return Region(self.name, (z, y, x), float(part), self.fills_box, self.contains, frame)

    def corners(self, cell: CellGeometry) -> np.ndarray:
        """Give what draws this region on a volume, in voxel indices (fractions of a voxel too).

        Returns
        -------
        ndarray, shape (corner, 3)
            Indices along z, y and x: two opposite corners of a box, the corners of a polygon or
            of the outline of a sector in the middle of its span, the two ends of a line.
        """
        frame = self.frame(cell)
        points = np.array(self._outline_um(), dtype=float)
        return np.stack([frame.to_index(axis, points[:, axis]) for axis in range(3)], axis=1)

    def _outline_um(self) -> Sequence[Sequence[float]]:
        return list(zip(*self.bounds_um, strict=True))

    def _nowhere(self, whole: Sequence[tuple[int, int]], cell: CellGeometry) -> str:
        for axis, (first, stop), length in zip("zyx", whole, cell.shape, strict=True):
            if first >= stop:
                return f"ROI {self.name} lies between two voxels along {axis}; make it wider"
            if stop <= 0 or first >= length:
                return (
                    f"ROI {self.name} lies outside of the volume: along {axis} it spans voxels "
                    f"{first} to {stop - 1}, the volume 0 to {length - 1}"
                )
        return f"ROI {self.name} holds no voxel"


def _voxels_between(frame: Frame, axis: int, span: Span) -> tuple[int, int]:
    first, stop = sorted(float(edge) for edge in frame.to_index(axis, np.array(span)))
    return ceil(first - _SLACK), ceil(stop - _SLACK)


def bad_spans(roi: Roi, *keys: str) -> list[tuple[str, str]]:
    """List the attributes that are no spans [low, high]: key and error."""
    found = []
    for key in keys:
        span = getattr(roi, key)
        if not are_numbers(span, 2) or not span[0] < span[1]:
            found.append((key, f"{shown(span)} is not a span [low, high] with low below high"))
    return found


def are_numbers(values: Any, count: int) -> bool:
    """Return whether it is a list of that many finite numbers."""
    if not isinstance(values, Sequence) or isinstance(values, str) or len(values) != count:
        return False
    return all(isinstance(v, int | float | np.number) and isfinite(v) for v in values)


def shown(value: Any) -> str:
    """Write tuples as they stand in the YAML."""
    if isinstance(value, tuple):
        return f"[{', '.join(shown(item) for item in value)}]"
    return repr(value)
