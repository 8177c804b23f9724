"""Regions in one volume: a ROI's coordinates there, and the voxels that it holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from xct.geometry import CellGeometry

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
        Tells from depth, y and x in µm which positions within the box belong to it.
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
        """Tell which voxels of the box belong to the ROI.

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
