"""The bore, below the voxel. In: an estimate, and fine slices; out: circle in µm, axis, tilt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xct.errors import DataError
from xct.normalize.blur import RoundEdge, fit_round_edge
from xct.normalize.sampling import thin_group
from xct.parallel.blocks import Voxels
from xct.parallel.executors import map_blocks
from xct.segment.cell.bore_estimate import BoreEstimate, slice_groups
from xct.segment.cell.coarse import Frame

_REACH_PX = 8.0
_LEAST_SIGNIFICANCE = 12.0


@dataclass(frozen=True)
class Bore:
    """The bore, below the voxel."""

    y_um: float
    x_um: float
    slope_y: float
    slope_x: float
    radius_um: float
    radius_sd_um: float
    blur_um: float

    def axis_at(self, offset_um: float) -> tuple[float, float]:
        """Give y and x of the axis at a height over the middle slice, µm."""
        return self.y_um + self.slope_y * offset_um, self.x_um + self.slope_x * offset_um


@dataclass(frozen=True)
class GroupMean:
    """The mean of some slices, first … stop, at full resolution across."""

    first: int
    stop: int
    image: np.ndarray

    def height_um(self, frame: Frame) -> float:
        """Give the height of their middle over the middle slice."""
        return (self.first + self.stop - frame.shape[0]) / 2 * frame.voxel_size_um[0]


def group_means(volume: Voxels, rows: tuple[int, int]) -> list[GroupMean]:
    """Average groups of slices.

    Parameters
    ----------
    volume : Voxels
        The volume itself.
    rows : tuple of int
        First slice of a layer that stands out from the tube, and the one behind its last.
    """
    return map_blocks(_mean_of_group, slice_groups(*rows), volume)


def _mean_of_group(group: tuple[int, int], volume: Voxels) -> GroupMean:
    first, stop = thin_group(*group, volume.shape[2])
    slices = np.asarray(volume[first:stop], np.float32)
    return GroupMean(first, stop, slices.mean(axis=0, dtype=np.float64).astype(np.float32))


def fit_bore(groups: Sequence[GroupMean], frame: Frame, estimate: BoreEstimate) -> Bore:
    """Fit the bore's edge in groups of slices, then a straight axis through their centers.

    Parameters
    ----------
    groups : sequence of GroupMean
        Slices in which a layer stands out from the tube.
    frame : Frame
        The volume's grid.
    estimate : BoreEstimate
        Where to start.

    Raises
    ------
    DataError
        If no sharp edge is found there.
    """
    found = map_blocks(_edge_of_group, groups, frame, estimate)
    edges = [edge for edge in found if edge is not None]
    if not edges:
        raise DataError("no sharp edge of the bore was found")
    heights = [g.height_um(frame) for g, edge in zip(groups, found, strict=True) if edge]
    return _axis(edges, np.array(heights))


def _edge_of_group(group: GroupMean, frame: Frame, estimate: BoreEstimate) -> RoundEdge | None:
    voxel = frame.voxel_size_um[1:]
    usable = frame.reconstructed()
    start = (estimate.y_um, estimate.x_um, estimate.radius_um, max(voxel))
    reach = _REACH_PX * max(voxel)
    for wide in (max(reach, 3 * max(frame.edge_um)), reach):
        try:
            edge = fit_round_edge(
                group.image,
                voxel,
                center_um=start[:2],
                radius_um=start[2],
                reach_um=(wide, wide),
                blur_um=start[3],
                usable=usable,
            )
        except ValueError:
            return None
        start = (edge.y_um, edge.x_um, edge.radius_um, edge.blur_um)
    moved = abs(edge.radius_um - estimate.radius_um) > 4 * max(frame.edge_um) + reach
    blunt = edge.blur_um > 0.5 * reach
    if moved or blunt or edge.significance < _LEAST_SIGNIFICANCE or edge.inner <= edge.outer:
        return None
    return edge


def _axis(edges: list[RoundEdge], heights: np.ndarray) -> Bore:
    """Straight line through the centers, weighted; level where slices are too few for a tilt."""
    line = []
    for center, sd in (
        ([e.y_um for e in edges], [e.y_sd_um for e in edges]),
        ([e.x_um for e in edges], [e.x_sd_um for e in edges]),
    ):
        line.append(_line(heights, np.array(center), np.array(sd)))
    weight = 1 / np.maximum([e.radius_sd_um for e in edges], 1e-6) ** 2
    radii = np.array([e.radius_um for e in edges])
    radius = float(np.sum(weight * radii) / weight.sum())
    radius_sd = float(np.sqrt(1 / weight.sum()))
    if len(edges) > 2:  # slices that disagree more than their own sd allow
        chi = float(np.sum(weight * (radii - radius) ** 2) / (len(edges) - 1))
        radius_sd *= float(np.sqrt(max(1.0, chi)))
    blur = float(np.median([e.blur_um for e in edges]))
    return Bore(line[0][0], line[1][0], line[0][1], line[1][1], radius, radius_sd, blur)


def _line(height: np.ndarray, center: np.ndarray, sd: np.ndarray) -> tuple[float, float]:
    weight = 1 / np.maximum(sd, 1e-6)
    lever = float(np.ptp(height))
    if height.size < 3 or lever <= 0:
        return float(np.average(center, weights=weight**2)), 0.0
    slope, start = np.polyfit(height, center, 1, w=weight)
    slope_sd = float(
        np.sqrt(1 / np.sum(weight**2 * (height - np.average(height, weights=weight**2)) ** 2))
    )
    if abs(slope) < 2 * slope_sd:  # a tilt that is not significant
        return float(np.average(center, weights=weight**2)), 0.0
    return float(start), float(slope)
