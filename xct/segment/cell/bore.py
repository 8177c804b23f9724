"""The bore, below the voxel. In: an estimate, and fine slices; out: circle in µm, axis, tilt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

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
# A radius that changes with the square of the height over the middle is what a lens makes of a
# bore: by what part it changes at the wall, and how many standard errors, where a radius is known
# to this part of a voxel. Of plain cells radii differ by up to 0.0005; a lens that moves the wall
# by 0.022 is read as 0.020 to 0.025 (eight cells of 24 slices of electrolyte), by 0.007 as none.
_BENT, _SURELY, _RADIUS_PX = 0.005, 4.0, 0.02


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
    lens: float = 0.0

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
    heights = np.array([g.height_um(frame) for g, e in zip(groups, found, strict=True) if e])
    radii = np.array([edge.radius_um for edge in edges])
    own_sd = np.array([edge.radius_sd_um for edge in edges])
    sd = np.hypot(own_sd, _RADIUS_PX * max(frame.voxel_size_um[1:]))
    return replace(_axis(edges, heights), lens=lens_of(heights, radii, sd))


def lens_of(heights_um: np.ndarray, radii_um: np.ndarray, sd_um: np.ndarray) -> float:
    """Tell a lens that distorts frames by the radius of the bore over its height.

    Such a lens moves what lies at a distance r from the middle of a frame to r (1 + k r²): of a
    wall whose radius is R the height h adds R k h², and the wall itself is moved by the part k R².

    Parameters
    ----------
    heights_um : ndarray, shape (n,)
        Over the middle slice, which is taken for the middle of the frames.
    radii_um, sd_um : ndarray, shape (n,)
        Of the bore there, and their standard deviations.

    Returns
    -------
    float
        k R²; 0 where the radius does not change, or rather evenly from one end to the other, as
        that of a bore which is a cone.
    """
    if radii_um.size < 3 or np.ptp(heights_um**2) == 0:
        return 0.0
    bow, sd, misfit = _slope(heights_um**2, radii_um, sd_um)
    _, _, of_cone = _slope(heights_um, radii_um, sd_um)
    lens, lens_sd = bow * float(radii_um.mean()), sd * float(radii_um.mean())
    sure = abs(lens) > max(_BENT, _SURELY * lens_sd) and misfit < of_cone
    return lens if sure else 0.0


def _slope(t: np.ndarray, values: np.ndarray, sd: np.ndarray) -> tuple[float, float, float]:
    """Fit a straight line; give its slope, the slope's standard deviation, and chi square."""
    weight = 1 / sd**2
    middle = np.average(t, weights=weight)
    power = float(np.sum(weight * (t - middle) ** 2))
    slope = float(np.sum(weight * (t - middle) * values)) / power
    left = values - np.average(values, weights=weight) - slope * (t - middle)
    return slope, power**-0.5, float(np.sum(weight * left**2))


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
