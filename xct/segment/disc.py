"""Where the bright inside of a cell ends, roughly. In: a coarse volume; out: a circle in µm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_erosion, binary_fill_holes, label

from xct.segment.circles import circle_through
from xct.segment.coarse import Coarse
from xct.segment.quantiles import known_quantile
from xct.segment.roundness import Oval, oval_through, refuse_oval

_MOST_SLICES = 256
_GROUP = 8  # slices averaged for one fit
_GROUPS = 12


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
    middle = middle_um(coarse)
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
    return Disc(*middle_um(coarse), radius, False, None)


def middle_um(coarse: Coarse) -> tuple[float, float]:
    """Give the middle of a slice, along y and x."""
    return (
        (coarse.shape[1] - 1) / 2 * coarse.voxel_size_um[1],
        (coarse.shape[2] - 1) / 2 * coarse.voxel_size_um[2],
    )


def _corner_um(coarse: Coarse) -> float:
    return float(np.hypot(*middle_um(coarse))) + max(coarse.voxel_size_um[1:])


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


def slice_groups(first: int, stop: int) -> list[tuple[int, int]]:
    """List groups of slices, evenly over a range, that are averaged for one fit each."""
    count = max(1, min(_GROUPS, (stop - first) // _GROUP))
    starts = np.linspace(first, max(first, stop - _GROUP), count).astype(int)
    return [(int(s), int(min(s + _GROUP, stop))) for s in starts]
