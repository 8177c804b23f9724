"""ROIs that fit any cell: parts of a bore and of a layer, flat or along a surface.

In: a cell, and its surfaces for ROIs that follow one; out: ROIs in µm. So one set serves cells of
other sizes, and the middle of a cathode is its middle in each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from xct.analyze.roi.coordinates import Frame, Region, Roi, Span, bad_spans
from xct.analyze.roi.shapes import BoxRoi, SectorRoi
from xct.errors import DataError, XctError
from xct.geometry import SURFACES, CellGeometry, Surface


@dataclass(frozen=True)
class ScaledRoi(Roi):
    """A box or a part of a ring, by fractions of the bore's radius and of a layer.

    Attributes
    ----------
    depth_um : Span or None
        Depth from the surface, µm.
    depth_of_layer : Span or None
        In its place, fractions of the layer that begins at the surface: 0 there, 1 at the next.
    radius_of_bore : Span or None
        Part of a ring about the axis, in radii of the bore, with `azimuth_deg`.
    y_of_bore, x_of_bore : Span or None
        In its place a box, in radii of the bore.
    azimuth_deg : Span
        From +x to +y; a semicircle spans 180°.
    follow : bool
        Whether depth counts from the surface as it was measured in each column, not from its mean
        plane.
    """

    depth_um: Span | None = None
    depth_of_layer: Span | None = None
    radius_of_bore: Span | None = None
    y_of_bore: Span | None = None
    x_of_bore: Span | None = None
    azimuth_deg: Span = (0.0, 360.0)
    follow: bool = False
    shape = "scaled"

    def problems(self) -> list[tuple[str, str]]:
        """List what is wrong: key and error."""
        found = super().problems()
        given = [name for name in _SPANS if getattr(self, name) is not None]
        found += bad_spans(self, *given)
        if self.surface is None:
            found.append(("surface", f"name the surface: {', '.join(SURFACES)}"))
        if ("depth_um" in given) == ("depth_of_layer" in given):
            found.append(("depth_um", "give one of depth_um and depth_of_layer"))
        if "depth_of_layer" in given and self.surface == SURFACES[-1]:
            found.append(("depth_of_layer", f"no layer begins at {SURFACES[-1]}; use depth_um"))
        lateral = {"radius_of_bore", "y_of_bore", "x_of_bore"} & set(given)
        if lateral not in ({"radius_of_bore"}, {"y_of_bore", "x_of_bore"}):
            found.append(("radius_of_bore", "give radius_of_bore, or y_of_bore and x_of_bore"))
        return found

    @property
    def bounds_um(self) -> tuple[Span, Span, Span]:
        """Not known without a cell."""
        raise DataError(f"ROI {self.name} is given in parts of a cell; ask on(cell)")

    def frame(self, cell: CellGeometry) -> Frame:
        """Give the coordinates of this region in a cell."""
        return self.on(cell).frame(cell)

    def region(self, cell: CellGeometry) -> Region:
        """Find the voxels whose centers lie in this region."""
        return self.on(cell).region(cell)

    def corners(self, cell: CellGeometry) -> np.ndarray:
        """Give what draws this region on a volume, in voxel indices."""
        return self.on(cell).corners(cell)

    def on(self, cell: CellGeometry, surfaces: Mapping[str, Surface] | None = None) -> Roi:
        """Give the ROI of one cell, in µm.

        Parameters
        ----------
        cell : CellGeometry
            The cell.
        surfaces : mapping of str to Surface, optional
            Height maps, for a ROI that follows one.

        Raises
        ------
        DataError
            If a surface is not in view, or was not measured where the ROI follows it.
        """
        depth, radius = self._depth_um(cell), cell.bore_radius_um
        roi: BoxRoi | SectorRoi
        if self.radius_of_bore is not None:
            ring = _times(self.radius_of_bore, radius)
            roi = SectorRoi(self.name, self.surface, depth, ring, self.azimuth_deg)
        else:
            spans = [span for span in (self.y_of_bore, self.x_of_bore) if span is not None]
            y, x = (_times(span, radius) for span in spans)
            roi = BoxRoi(self.name, self.surface, depth, y, x)
        if not self.follow:
            return roi
        if surfaces is None or self.surface is None or self.surface not in surfaces:
            raise DataError(
                f"ROI {self.name} follows {self.surface}, which was not measured in this cell; "
                "leave out follow to count depth from the mean plane"
            )
        return FollowingRoi(self.name, self.surface, roi, surfaces[self.surface].height_um)

    def _depth_um(self, cell: CellGeometry) -> Span:
        if self.depth_um is not None:
            return self.depth_um
        assert self.depth_of_layer is not None  # by `problems`
        assert self.surface is not None
        following = SURFACES[SURFACES.index(self.surface) + 1]
        for name in (self.surface, following):
            if name not in cell.planes:
                raise DataError(
                    f"ROI {self.name} is a part of the layer from {self.surface} to {following}, "
                    f"but {name} is not in view"
                )
        first, last = (cell.planes[name].height_um for name in (self.surface, following))
        return _times(self.depth_of_layer, abs(last - first))


_SPANS = (
    "depth_um", "depth_of_layer", "radius_of_bore", "y_of_bore", "x_of_bore", "azimuth_deg"
)  # fmt: skip


@dataclass(frozen=True)
class FollowingRoi(Roi):
    """A region whose depth counts from a surface as it was measured, column by column.

    Attributes
    ----------
    flat : BoxRoi or SectorRoi
        The region by depth from the mean plane.
    height_um : ndarray, shape (y, x)
        Height of the surface; columns without one (NaN) do not belong to the region.
    """

    flat: BoxRoi | SectorRoi
    height_um: np.ndarray
    shape = "following"

    @property
    def bounds_um(self) -> tuple[Span, Span, Span]:
        """Those of the flat region."""
        return self.flat.bounds_um

    def frame(self, cell: CellGeometry) -> Frame:
        """Give the coordinates of this region in a cell."""
        return self.flat.frame(cell)

    def region(self, cell: CellGeometry) -> Region:
        """Find the voxels whose centers lie in this region."""
        frame = self.flat.frame(cell)
        within = _Within(self.flat, frame, frame.sign * (self.height_um - frame.zero_um[0]))
        low, high = within.reach_um(self.flat)
        wide = replace(self.flat, depth_um=(low, high)).region(cell)
        within = replace(within, shift_um=within.shift_um + _apart(wide.frame, frame))
        return replace(wide, is_box=False, contains=within)

    def corners(self, cell: CellGeometry) -> np.ndarray:
        """Give the outline of the flat region."""
        return self.flat.corners(cell)


@dataclass(frozen=True)
class _Within:
    """Says which positions lie in a region that follows a surface."""

    flat: BoxRoi | SectorRoi
    frame: Frame
    shift_um: np.ndarray  # (y, x): how much deeper the surface lies than its plane

    def __call__(self, depth: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        row, column = (
            np.clip(np.rint(self.frame.to_index(axis, um)).astype(int), 0, n - 1)
            for axis, um, n in zip((1, 2), (y, x), self.shift_um.shape, strict=True)
        )
        own = depth - self.shift_um[row, column]
        low, high = self.flat.depth_um
        return np.asarray((own >= low) & (own < high) & self.flat.contains(own, y, x))

    def reach_um(self, flat: BoxRoi | SectorRoi) -> Span:
        """Give the depths from the plane between which the region lies."""
        n_y, n_x = self.shift_um.shape
        y = self.frame.to_um(1, np.arange(n_y))[:, None]
        x = self.frame.to_um(2, np.arange(n_x))[None, :]
        (_, y_span, x_span) = flat.bounds_um
        beside = (y >= y_span[0]) & (y <= y_span[1]) & (x >= x_span[0]) & (x <= x_span[1])
        shifts = self.shift_um[beside & np.isfinite(self.shift_um)]
        if not shifts.size:
            raise DataError(
                f"ROI {flat.name} follows {flat.surface}, which has no height anywhere above it"
            )
        low, high = flat.depth_um
        return low + float(shifts.min()), high + float(shifts.max())


def _apart(wide: Frame, frame: Frame) -> float:
    """How much deeper a position counts in the frame of the wider region."""
    return wide.sign * (frame.zero_um[0] - wide.zero_um[0])


def _times(span: Span, factor: float) -> Span:
    return span[0] * factor, span[1] * factor


def on_cell(roi: Roi, cell: CellGeometry, surfaces: Mapping[str, Surface] | None = None) -> Roi:
    """Give a ROI as it lies in one cell: a scaled one in µm, any other as it is."""
    return roi.on(cell, surfaces) if isinstance(roi, ScaledRoi) else roi


def flat_on_cell(roi: Roi, cell: CellGeometry) -> Roi:
    """Give a ROI as it is drawn and edited: in µm, and flat if it follows a surface.

    Raises
    ------
    XctError
        If the cell has no such place.
    """
    if not isinstance(roi, ScaledRoi):
        return roi
    try:
        return replace(roi, follow=False).on(cell)
    except ValueError as error:
        raise XctError(str(error)) from None
