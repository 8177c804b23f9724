"""Where a layer surely lies. In: a cell; out: ranges of slices, limits of height by position."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xct.geometry import CellGeometry


@dataclass(frozen=True)
class Span:
    """A layer between two planes, less a margin; None: to the end of the volume.

    Attributes
    ----------
    cell : CellGeometry
        The cell.
    near, far : str or None
        Surfaces on the anode's and on the collector's side.
    margin_um : float
        How far from either surface, and from the bore's wall.
    """

    cell: CellGeometry
    near: str | None
    far: str | None
    margin_um: float

    def limits_um(self, y_um: np.ndarray, x_um: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Give the lowest and highest z that lie inside, at positions across."""
        ends = [self.near, self.far] if self.cell.sign > 0 else [self.far, self.near]
        last = (self.cell.shape[0] - 1) * self.cell.voxel_size_um[0]
        step = self.cell.voxel_size_um[0]
        low = self._height(ends[0], -step, y_um, x_um) + (self.margin_um if ends[0] else 0)
        high = self._height(ends[1], last + step, y_um, x_um) - (self.margin_um if ends[1] else 0)
        return low, high

    def _height(self, surface: str | None, end: float, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        if surface is None:
            return np.broadcast_to(end, np.broadcast_shapes(np.shape(y), np.shape(x)))
        plane = self.cell.planes[surface]
        return np.asarray(
            plane.height_um
            + plane.slope_y * (y - self.cell.axis_y_um)
            + plane.slope_x * (x - self.cell.axis_x_um)
        )

    def rows(self) -> tuple[int, int]:
        """Give the first slice that may hold some of it, and the one behind the last."""
        reach = self.cell.bore_radius_um
        y = self.cell.axis_y_um + reach * np.array([-1.0, 1.0])[:, None]
        x = self.cell.axis_x_um + reach * np.array([-1.0, 1.0])[None, :]
        low, high = self.limits_um(y, x)
        step = self.cell.voxel_size_um[0]
        first = int(np.clip(np.floor(low.min() / step), 0, self.cell.shape[0]))
        stop = int(np.clip(np.ceil(high.max() / step) + 1, first, self.cell.shape[0]))
        return first, stop


def electrolyte_span(cell: CellGeometry, margin_um: float) -> Span | None:
    """Find the electrolyte between the planes that are in view; None where it is not in view."""
    if cell.only == "cathode":
        return None
    near = next((s for s in ("lithium_electrolyte", "steel_lithium") if s in cell.planes), None)
    far = "electrolyte_cathode" if "electrolyte_cathode" in cell.planes else None
    if far is None and "cathode_collector" in cell.planes:
        return None
    return Span(cell, near, far, margin_um)


def cathode_span(cell: CellGeometry, margin_um: float) -> Span | None:
    """Find the cathode between the planes that are in view; None where it is not in view."""
    if cell.only == "cathode":
        return Span(cell, None, None, margin_um)
    near = "electrolyte_cathode" if "electrolyte_cathode" in cell.planes else None
    far = "cathode_collector" if "cathode_collector" in cell.planes else None
    if near is None and (far is None or "steel_lithium" in cell.planes):
        return None
    return Span(cell, near, far, margin_um)
