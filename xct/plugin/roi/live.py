"""What is measured in a ROI while it is drawn. In: a cell, a ROI; out: counts and numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from xct.analyze.grey_counts import GreyBins, count_slices
from xct.analyze.profiles import profile_edges, profile_of_roi
from xct.analyze.roi.counts import RoiCounts, count_rois
from xct.analyze.roi.shapes import LineRoi, Roi
from xct.io.tables import read_counts
from xct.io.volumes import open_levels
from xct.normalize import grey_values
from xct.plugin.data.cells import Cell
from xct.plugin.data.pyramid import contrast, lazy

if TYPE_CHECKING:
    import pandas as pd
    from xarray import DataArray

_GREY_BINS = GreyBins(10_000.0, 60_000.0, 500)
_BINS = 400
_SLICES, _FEW_VALUES = 9, 250_000  # that are looked at to choose bins
_MANY_VOXELS = 64 * 2**20


@dataclass(frozen=True)
class Histogram:
    """The voxels of a ROI by value, and the pristine cell's.

    Attributes
    ----------
    name : str
        Of the ROI.
    unit : str
        "grey value", or "1/cm" where the cell is not normalized.
    bins : GreyBins
        Bins.
    counts : RoiCounts
        By block.
    pristine : RoiCounts or None
        The same ROI in the pristine cell.
    pristine_name : str
        Of that cell; empty without one.
    """

    name: str
    unit: str
    bins: GreyBins
    counts: RoiCounts
    pristine: RoiCounts | None
    pristine_name: str = ""


def histogram_of(cell: Cell, roi: Roi, pristine: Cell | None) -> Histogram:
    """Count the voxels of a ROI, and of the same one in the pristine cell.

    Grey values where every cell is normalized to its electrolyte, else attenuation.

    Raises
    ------
    ValueError
        If the ROI holds no voxel, or a surface that it counts from is not in view.
    """
    normalized = cell.normalized and (pristine is None or pristine.normalized)
    bins = _GREY_BINS if normalized else _bins_for(cell, roi)
    other = None
    if pristine is not None:
        other = _count(pristine, roi, bins, normalized=normalized)
    counts = _count(cell, roi, bins, normalized=normalized)
    unit = "grey value" if normalized else "1/cm"
    return Histogram(roi.name, unit, bins, counts, other, "" if pristine is None else pristine.name)


def profile_of(cell: Cell, roi: LineRoi, *, normalized: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Average along a thick line, and find the edges on it.

    Raises
    ------
    ValueError
        If the line lies outside of the volume.
    """
    values = values_of(cell, normalized=normalized)
    profile = profile_of_roi(values, cell.frame, roi)
    return profile, profile_edges(profile)


def values_of(cell: Cell, *, normalized: bool) -> Any:
    """Give the values of a cell to be read in parts: grey values, or 1/cm."""
    if normalized and cell.result is not None:
        result = cell.result
        return grey_values(cell.volume, result.reference, result.cell, result.grey_scale)
    return cell.volume


def _count(cell: Cell, roi: Roi, bins: GreyBins, *, normalized: bool) -> RoiCounts:
    values = values_of(cell, normalized=normalized)
    return count_rois(values, cell.frame, [roi], bins)[0]


def _bins_for(cell: Cell, roi: Roi) -> GreyBins:
    """Choose bins that span what some slices of the ROI hold, and half as much beyond.

    Slices at both ends are among them: a ROI that reaches from one layer into another has values
    that its middle has not.
    """
    z, y, x = roi.region(cell.frame).slices
    chosen = np.unique(np.linspace(z.start, z.stop - 1, _SLICES).round().astype(int))
    step = max(1, int(np.sqrt((y.stop - y.start) * (x.stop - x.start) / _FEW_VALUES)))
    parts = [cell.volume[n : n + 1, y, x][:, ::step, ::step] for n in chosen.tolist()]
    values = np.concatenate([part[np.isfinite(part)] for part in parts])
    if not values.size:
        return GreyBins(0.0, 1.0, _BINS)
    low, high = (float(v) for v in np.percentile(values, (0.1, 99.9)))
    margin = max(0.5 * (high - low), 1e-3)
    return GreyBins(low - margin, high + margin, _BINS)


def depth_of(cell: Cell) -> tuple[DataArray, str]:
    """Give the voxels of a cell by depth and value: as the run counted them, or counted now.

    Where the run did not, a level of at most 64 million voxels is counted.
    """
    path = cell.path / "tables" / "depth_histogram.zarr"
    if cell.result is not None and path.is_dir():
        return read_counts(path), "grey value"
    geometry = cell.frame
    if cell.normalized and cell.result is not None:
        fine = values_of(cell, normalized=True)
        if np.prod(fine.shape) <= _MANY_VOXELS:
            return count_slices(fine, geometry, _GREY_BINS), "grey value"
    volumes = open_levels(cell.volume_path)
    volume = next((v for v in volumes if np.prod(v.shape) <= _MANY_VOXELS), volumes[-1])
    low, high = contrast(lazy(volume))[1]
    there = geometry.in_level(volume.shape, volume.voxel_size_um)
    return count_slices(volume, there, GreyBins(low, high, _BINS)), "1/cm"
