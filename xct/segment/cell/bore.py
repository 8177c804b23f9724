"""Bore and tube. In: a coarse volume, then its fine slices; out: circles in µm, axis and tilt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xct.normalize.blur import RoundEdge, fit_round_edge
from xct.parallel.blocks import Voxels
from xct.segment.cell.bore_estimate import Disc, middle_um, slice_groups
from xct.segment.cell.coarse import Coarse

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


def fit_bore(
    volume: Voxels, coarse: Coarse, disc: Disc, rows: tuple[int, int]
) -> tuple[Bore, list[RoundEdge]]:
    """Fit the bore's edge in groups of slices, then a straight axis through their centers.

    Parameters
    ----------
    volume : Voxels
        The volume itself.
    coarse : Coarse
        Its coarse twin.
    disc : Disc
        Where to start.
    rows : tuple of int
        First slice of a layer that stands out from the tube, and the one behind its last.

    Raises
    ------
    ValueError
        If no sharp edge is found there.
    """
    edges, heights = [], []
    for first, stop in slice_groups(*rows):
        image = np.asarray(volume[first:stop], np.float32)
        mean = image.mean(axis=0, dtype=np.float64)
        edge = _fit_one(mean, coarse, disc)
        if edge is not None:
            edges.append(edge)
            heights.append((first + stop - 1) / 2 * coarse.voxel_size_um[0])
    if not edges:
        raise ValueError("no sharp edge of the bore was found")
    return _axis(edges, np.array(heights), coarse), edges


def _fit_one(mean: np.ndarray, coarse: Coarse, disc: Disc) -> RoundEdge | None:
    voxel = coarse.voxel_size_um[1:]
    usable = usable_pixels(coarse)
    start = (disc.y_um, disc.x_um, disc.radius_um, max(voxel))
    reach = _REACH_PX * max(voxel)
    for wide in (max(reach, 3 * max(coarse.edge_um)), reach):
        try:
            edge = fit_round_edge(
                mean,
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
    moved = abs(edge.radius_um - disc.radius_um) > 4 * max(coarse.edge_um) + reach
    blunt = edge.blur_um > 0.5 * reach
    if moved or blunt or edge.significance < _LEAST_SIGNIFICANCE or edge.inner <= edge.outer:
        return None
    return edge


def usable_pixels(coarse: Coarse) -> np.ndarray | None:
    """Tell which pixels of a slice were reconstructed; None: all."""
    if coarse.field_radius_um is None:
        return None
    middle = middle_um(coarse)
    y = np.arange(coarse.shape[1])[:, None] * coarse.voxel_size_um[1] - middle[0]
    x = np.arange(coarse.shape[2])[None, :] * coarse.voxel_size_um[2] - middle[1]
    margin = 0.5 * max(coarse.voxel_size_um[1:])
    return np.asarray(np.hypot(y, x) <= coarse.field_radius_um - margin)


def _axis(edges: list[RoundEdge], heights: np.ndarray, coarse: Coarse) -> Bore:
    """Straight line through the centers, weighted; level where slices are too few for a tilt."""
    off = heights - (coarse.shape[0] - 1) / 2 * coarse.voxel_size_um[0]
    line = []
    for center, sd in (
        ([e.y_um for e in edges], [e.y_sd_um for e in edges]),
        ([e.x_um for e in edges], [e.x_sd_um for e in edges]),
    ):
        line.append(_line(off, np.array(center), np.array(sd)))
    weight = 1 / np.maximum([e.radius_sd_um for e in edges], 1e-6) ** 2
    radii = np.array([e.radius_um for e in edges])
    radius = float(np.sum(weight * radii) / weight.sum())
    radius_sd = float(np.sqrt(1 / weight.sum()))
    if len(edges) > 2:  # slices that disagree more than they say
        chi = float(np.sum(weight * (radii - radius) ** 2) / (len(edges) - 1))
        radius_sd *= float(np.sqrt(max(1.0, chi)))
    blur = float(np.median([e.blur_um for e in edges]))
    return Bore(line[0][0], line[1][0], line[0][1], line[1][1], radius, radius_sd, blur)


def _line(off: np.ndarray, center: np.ndarray, sd: np.ndarray) -> tuple[float, float]:
    weight = 1 / np.maximum(sd, 1e-6)
    lever = float(np.ptp(off))
    if off.size < 3 or lever <= 0:
        return float(np.average(center, weights=weight**2)), 0.0
    slope, start = np.polyfit(off, center, 1, w=weight)
    slope_sd = float(
        np.sqrt(1 / np.sum(weight**2 * (off - np.average(off, weights=weight**2)) ** 2))
    )
    if abs(slope) < 2 * slope_sd:  # no tilt that could be told from none
        return float(np.average(center, weights=weight**2)), 0.0
    return float(start), float(slope)
