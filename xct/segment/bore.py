"""Bore and tube. In: a coarse volume, then its fine slices; out: circles in µm, axis and tilt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_erosion, binary_fill_holes, label

from xct.normalize.edge_fit import RoundEdge, fit_round_edge
from xct.segment.circles import circle_through
from xct.segment.coarse import Coarse
from xct.segment.quantiles import known_quantile
from xct.segment.roundness import Oval, oval_through, refuse_oval
from xct.voxels import Voxels

_MOST_SLICES = 256
_GROUP = 8  # slices averaged for one fit
_GROUPS = 12
_REACH_PX = 8.0
_LEAST_SIGNIFICANCE = 12.0


@dataclass(frozen=True)
class Disc:
    """Where the bright inside of a cell ends, roughly.

    Attributes
    ----------
    y_um, x_um, radius_um : float
        A circle; without an edge in view, one about the middle that holds all that is in view.
    seen : bool
        The edge is in view.
    outside : float or None
        Grey value beyond it.
    """

    y_um: float
    x_um: float
    radius_um: float
    seen: bool
    outside: float | None


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


def find_disc(coarse: Coarse) -> Disc:
    """Find the circle inside which a cell is brighter than around it, from the coarse volume.

    Raises
    ------
    ValueError
        If the edge is an oval, which a wrong voxel size makes of a bore.
    """
    step = -(-coarse.shape[0] // _MOST_SLICES)
    sampled = coarse.values[::step]
    field = coarse.in_field()
    bright = np.full(field.shape, np.nan)
    bright[field] = known_quantile(sampled[:, field].T, 0.7)
    y, x = coarse.positions_um()
    middle = _middle_um(coarse)
    widest = float(np.hypot(y - middle[0], x - middle[1])[field].max())
    central = field & (np.hypot(y - middle[0], x - middle[1]) < 0.3 * widest)
    inside, outside = float(np.median(bright[central])), float(np.quantile(bright[field], 0.03))
    whole = all_in_view(coarse)
    darkest = float(known_quantile(sampled[:, field].reshape(1, -1), 0.005)[0])
    if inside - outside < max(0.3 * (inside - darkest), 4 * _roughness(bright)):
        return whole
    edge = _edge_points(bright > 0.5 * (inside + outside), field)
    if edge[0].size < 20:
        return whole
    oval = _oval(coarse, edge)
    if oval is not None and not oval.is_round:
        refuse_oval(_ovals_of_slices(coarse, field, inside, outside), coarse.voxel_size_um)
    try:
        y_um, x_um, radius, _ = circle_through(
            y[edge[0], 0], x[0, edge[1]], tolerance=1.5 * max(coarse.edge_um)
        )
    except ValueError:
        return whole
    beyond = field & (np.hypot(y - y_um, x - x_um) > radius + 1.5 * max(coarse.edge_um))
    if not beyond.any():
        return whole
    outside = float(known_quantile(sampled[:, beyond].reshape(1, -1), 0.5)[0])
    return Disc(y_um, x_um, radius + 0.5 * max(coarse.edge_um), True, outside)


def _oval(coarse: Coarse, edge: tuple[np.ndarray, np.ndarray]) -> Oval | None:
    y, x = coarse.positions_um()
    half = (0.5 * coarse.edge_um[0], 0.5 * coarse.edge_um[1])
    return oval_through(
        y[edge[0], 0], x[0, edge[1]], tolerance=1.5 * max(coarse.edge_um), grow=half
    )


def _ovals_of_slices(
    coarse: Coarse, field: np.ndarray, inside: float, outside: float
) -> list[Oval]:
    """Fit an oval in each group of slices whose inside is about as bright as a cell's."""
    found = []
    for first, stop in slice_groups(0, coarse.shape[0]):
        image = np.nan_to_num(coarse.values[first:stop].mean(axis=0), nan=outside)
        oval = _oval(coarse, _edge_points(image > 0.5 * (inside + outside), field))
        if oval is not None:
            found.append(oval)
    return found


def all_in_view(coarse: Coarse) -> Disc:
    """Give the circle about the middle that holds everything in view."""
    radius = coarse.field_radius_um or _corner_um(coarse)
    return Disc(*_middle_um(coarse), radius, False, None)


def _middle_um(coarse: Coarse) -> tuple[float, float]:
    return (
        (coarse.shape[1] - 1) / 2 * coarse.voxel_size_um[1],
        (coarse.shape[2] - 1) / 2 * coarse.voxel_size_um[2],
    )


def _corner_um(coarse: Coarse) -> float:
    return float(np.hypot(*_middle_um(coarse))) + max(coarse.voxel_size_um[1:])


def _roughness(image: np.ndarray) -> float:
    """Noise of an image, from differences of neighbors."""
    steps = np.abs(np.diff(image, axis=1))
    return 1.05 * float(np.nanmedian(steps))


def _edge_points(mask: np.ndarray, field: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of the largest bright region at its border, where there is something beyond it."""
    regions, count = label(mask & field)
    if not count:
        return np.empty(0, int), np.empty(0, int)
    largest = 1 + int(np.argmax(np.bincount(regions.ravel())[1:]))
    solid = binary_fill_holes(regions == largest)
    border = solid & ~binary_erosion(solid)
    known = binary_erosion(field, iterations=2)
    rows, columns = np.nonzero(border & known)
    return rows, columns


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


def slice_groups(first: int, stop: int) -> list[tuple[int, int]]:
    """List groups of slices, evenly over a range, that are averaged for one fit each."""
    count = max(1, min(_GROUPS, (stop - first) // _GROUP))
    starts = np.linspace(first, max(first, stop - _GROUP), count).astype(int)
    return [(int(s), int(min(s + _GROUP, stop))) for s in starts]


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
    middle = _middle_um(coarse)
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
