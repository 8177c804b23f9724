"""Where the ROIs of a study lie. In: a cell, ROIs; out: a figure of them.

Each is drawn on the cross-section through the axis, and on a slice in its middle: a flat one, or,
of a ROI that follows a surface, one that follows it, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from xct.analyze.roi.coordinates import Region, Roi
from xct.analyze.roi.scaled import FollowingRoi
from xct.figures import bar, canvas, reduced
from xct.geometry import CellGeometry
from xct.study.cells import Cell
from xct.study.sections import draw_section, grey_window, section_of
from xct.study.settings import SectionPlane

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SEEN_ON_GREY = ("orange", "deepskyblue", "lime", "magenta", "yellow", "cyan", "tomato", "violet")
_AT_ONCE = 8  # slices of a bent picture that are read at a time


def rois_figure(cell: Cell, rois: Sequence[Roi]) -> Figure | None:
    """Draw ROIs on a cell: all on a cross-section, each on a crop of the slice in its middle."""
    geometry = cell.geometry
    if geometry is None or not rois:
        return None
    columns = min(7, len(rois))
    rows = -(-len(rois) // columns)
    figure, axes = canvas(1 + rows, columns, (1.9 * columns, 4.2 + 1.9 * rows))
    grid = np.array(axes).reshape(1 + rows, columns)
    for axis in grid[0]:
        axis.set_visible(False)
    grid[0, 0].get_gridspec().set_height_ratios([2.2, *[1] * rows])
    whole = figure.add_subplot(grid[0, 0].get_gridspec()[0, :])
    middle = SectionPlane(along="x", offset_um=0.0)
    draw_section(whole, cell, geometry, section_of(cell, geometry, middle))
    places = list(grid[1:].flat)
    for number, (axis, roi) in enumerate(zip(places, rois, strict=False)):
        color = _SEEN_ON_GREY[number % len(_SEEN_ON_GREY)]
        _outline_across(whole, roi, geometry, color)
        _draw_crop(axis, cell, geometry, roi, color)
    for axis in places[len(rois) :]:
        axis.set_visible(False)
    whole.set_title(f"{cell.name}: ROIs on the plane through the axis", fontsize=9)
    return figure


def _outline_across(axis: Axes, roi: Roi, geometry: CellGeometry, color: str) -> None:
    from matplotlib.patheffects import withStroke

    z, _, x = roi.region(geometry).slices
    dz, _, dx = geometry.voxel_size_um
    left, right = x.start * dx - geometry.axis_x_um, x.stop * dx - geometry.axis_x_um
    top, bottom = z.start * dz, z.stop * dz
    axis.plot([left, right, right, left, left], [top, top, bottom, bottom, top], color=color, lw=1)
    wide = right - left > geometry.bore_radius_um
    axis.text(
        right if wide else (left + right) / 2, (top + bottom) / 2, f" {roi.name}", color=color,
        fontsize=8, fontweight="bold", ha="left" if wide else "center", va="center",
        path_effects=[withStroke(linewidth=2, foreground="black")],
    )  # fmt: skip


def _draw_crop(axis: Axes, cell: Cell, geometry: CellGeometry, roi: Roi, color: str) -> None:
    region = (roi.flat if isinstance(roi, FollowingRoi) else roi).region(geometry)
    z, y, x = region.slices
    middle = (z.start + z.stop) // 2
    rows, columns = (
        slice(max(0, part.start - more), min(n, part.stop + factor * more))
        for part, factor, n in zip((y, x), (3, 1), geometry.shape[1:], strict=True)
        for more in [max(4, (part.stop - part.start) // 6)]
    )  # below there is room for the scale bar
    mask = np.zeros((rows.stop - rows.start, columns.stop - columns.start), bool)
    mask[
        y.start - rows.start : y.stop - rows.start, x.start - columns.start : x.stop - columns.start
    ] = region.mask(middle - z.start, middle - z.start + 1)[0]
    if isinstance(roi, FollowingRoi):
        index = slice_along(roi, region, middle)[rows, columns]
        mask &= index >= 0
        crop = read_along(cell.grey_values, index, rows, columns)
    else:
        crop = np.asarray(cell.grey_values[middle : middle + 1, rows, columns])[0]
    _, dy, dx = geometry.voxel_size_um
    extent = (0, crop.shape[1] * dx, crop.shape[0] * dy, 0)
    axis.imshow(reduced(crop), cmap="gray", norm=grey_window(), extent=extent, interpolation="none")
    if mask.any() and not mask.all():
        axis.contour(
            (np.arange(crop.shape[1]) + 0.5) * dx, (np.arange(crop.shape[0]) + 0.5) * dy,
            mask.astype(float), [0.5], colors=color, linewidths=1,
        )  # fmt: skip
    axis.set(xticks=[], yticks=[])
    axis.set_title(f"{roi.name}, bent" if isinstance(roi, FollowingRoi) else roi.name, fontsize=8)
    bar(axis, crop.shape[1] * dx)


def slice_along(roi: FollowingRoi, region: Region, middle: int) -> np.ndarray:
    """Give the slice of each column that is as deep below the surface as the middle of a ROI.

    Parameters
    ----------
    roi : FollowingRoi
        The ROI.
    region : Region
        Of `roi.flat`.
    middle : int
        Slice in the middle of that, as deep below the surface's mean plane.

    Returns
    -------
    ndarray of int, shape (y, x)
        -1 where the surface has no height.
    """
    frame = region.frame
    away = (roi.height_um - frame.zero_um[0]) / frame.voxel_size_um[0]
    known = np.isfinite(away)
    return np.where(known, np.rint(np.where(known, away, 0)).astype(int) + middle, -1)


def read_along(grey: Any, index: np.ndarray, rows: slice, columns: slice) -> np.ndarray:
    """Read one value of each column of a volume; NaN where the index lies outside of it.

    Parameters
    ----------
    grey : array, shape (z, y, x)
        Grey values, read by a few slices at a time.
    index : ndarray of int, shape (rows, columns)
        Slices.
    rows, columns : slice
        Of the volume.
    """
    found = np.full(index.shape, np.nan, np.float32)
    inside = (index >= 0) & (index < grey.shape[0])
    if not inside.any():
        return found
    for first in range(int(index[inside].min()), int(index[inside].max()) + 1, _AT_ONCE):
        here = inside & (index >= first) & (index < first + _AT_ONCE)
        if here.any():
            part = np.asarray(grey[first : first + _AT_ONCE, rows, columns])
            y, x = np.nonzero(here)
            found[y, x] = part[index[y, x] - first, y, x]
    return found
