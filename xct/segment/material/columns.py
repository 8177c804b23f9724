"""Where the layers lie in each column of voxels. In: surfaces, cell; out: heights in slices.

Heights are counted from the anode's side, so that they ascend from steel to collector whichever
side of the volume that is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy

from xct.geometry import SURFACES, CellGeometry, Surface


@dataclass(frozen=True)
class Columns:
    """Heights of the surfaces in slices, times the cell's sign, without gaps.

    Attributes
    ----------
    steel, lithium, front, collector : ndarray of float32, shape (y, x)
        Faces of steel, lithium, cathode and collector; ∓infinity where a layer is out of view.
    sign : int
        +1 where the anode lies at small z.
    front_sd : ndarray of float32, shape (y, x)
        Stated standard deviation of the cathode's face; 0 where none is.
    """

    steel: np.ndarray
    lithium: np.ndarray
    front: np.ndarray
    collector: np.ndarray
    sign: int
    front_sd: np.ndarray

    def height(self, z_index: float) -> float:
        """Give the height of a slice."""
        return self.sign * z_index

    def rows(self, low: np.ndarray, high: np.ndarray, depth: int) -> tuple[int, int]:
        """Give the slices between the lowest of `low` and the highest of `high`."""
        ends = sorted((self.sign * float(low.min()), self.sign * float(high.max())))
        first, stop = max(0.0, np.floor(ends[0])), min(float(depth), np.ceil(ends[1]) + 1)
        return int(min(first, depth)), int(max(stop, 0))


def find_columns(cell: CellGeometry, surfaces: Mapping[str, Surface]) -> Columns:
    """Turn height maps into heights without gaps.

    Where lithium is absent its face is the steel's. A height that could not be measured is that
    of the nearest column where it could, and outside of the bore too; a surface without any is the
    mean plane of the cell, and one without that lies beyond the volume. Where a cathode fills the
    volume, its face lies below.
    """
    above = np.full(cell.shape[1:], np.inf, np.float32)
    maps = {name: _heights(name, cell, surfaces) for name in SURFACES}
    steel = maps["steel_lithium"]
    collector = maps["cathode_collector"]
    front = maps["electrolyte_cathode"]
    collector = above if collector is None else collector
    steel = -above if steel is None else steel
    if cell.only == "cathode":
        front = -above
    front = collector if front is None else np.minimum(front, collector)
    lithium = _lithium(cell, surfaces, maps["lithium_electrolyte"], steel)
    sd = np.zeros_like(above)
    if "electrolyte_cathode" in surfaces:
        sd = np.nan_to_num(
            surfaces["electrolyte_cathode"].sd_um / np.float32(cell.voxel_size_um[0])
        )
    return Columns(steel, np.maximum(lithium, steel), front, collector, cell.sign, sd)


def _lithium(
    cell: CellGeometry,
    surfaces: Mapping[str, Surface],
    filled: np.ndarray | None,
    steel: np.ndarray,
) -> np.ndarray:
    if filled is None:
        return steel
    surface = surfaces.get("lithium_electrolyte")
    if surface is None:
        return filled
    absent = np.isnan(surface.height_um) & np.isfinite(surface.sd_um)
    return np.where(absent, steel, filled)


def _heights(name: str, cell: CellGeometry, surfaces: Mapping[str, Surface]) -> np.ndarray | None:
    scale = np.float32(cell.sign / cell.voxel_size_um[0])
    surface = surfaces.get(name)
    if surface is not None and np.isfinite(surface.height_um).any():
        return filled(surface.height_um) * scale
    if name in cell.planes:
        return np.asarray(cell.plane_um(name), np.float32) * scale
    return None


def filled(values: np.ndarray) -> np.ndarray:
    """Give every NaN of a map the value of the nearest pixel that has one."""
    missing = ~np.isfinite(values)
    if not missing.any():
        return values.astype(np.float32)
    nearest = scipy.ndimage.distance_transform_edt(
        missing, return_distances=False, return_indices=True
    )
    return np.asarray(values[tuple(nearest)], np.float32)
