"""What voxels conduct if their boundaries are smooth. In: which conduct; out: conductivity.

Steps of voxels narrow every way between grains: with grains of 8 voxels they hide a tenth of a
conductivity. Here boundaries are those of smoothed masks, as in planes, and the way between two
voxels conducts by the part of its width that lies within (as cut cells do: Johansen, Colella, J.
Comput. Phys. 147, 60 (1998)).
"""

from __future__ import annotations

import numpy as np

from xct.errors import XctError
from xct.simulate.block.voxels import faces_between, network_matrix, solve_network
from xct.simulate.geometry.labels import SMOOTHING_PX

_FINER = 4  # points along an edge of a face, to find how much of it conducts


def smooth_conductivity(
    conducts: np.ndarray, voxel_um: tuple[float, float, float] = (1.0, 1.0, 1.0)
) -> float:
    """Find what voxels conduct along z if their boundaries are smooth, as those of planes are.

    The mask is smoothed by a Gaussian of 0.7 voxels; its boundary lies where as many voxels are
    within as before.

    Parameters
    ----------
    conducts : ndarray of bool, shape (z, y, x)
        What conducts.
    voxel_um : tuple of float, optional
        Edges of a voxel.

    Returns
    -------
    float
        Effective conductivity over that of what conducts.

    Raises
    ------
    XctError
        If nothing conducts from end to end.
    """
    from scipy.ndimage import gaussian_filter

    level = gaussian_filter(conducts.astype(np.float32), SMOOTHING_PX, mode="nearest")
    level -= _boundary(level, float(conducts.mean()))
    opened = [open_part(level, axis) for axis in range(3)]
    ends = [_inside(level[end]) for end in (0, -1)]
    cells = _reached(opened, ends)
    if not cells.any():
        raise XctError("there is no way through from end to end")
    number = np.full(cells.size, -1)
    number[cells.ravel()] = np.arange(int(cells.sum()))
    inner = faces_between(cells, cells, voxel_um)
    steps = np.array([cells[0].size, cells.shape[2], 1])
    axis = (inner.other - inner.one)[:, None] == steps
    conductance = (
        sum(np.where(axis[:, k], opened[k].ravel()[inner.one], 0) for k in range(3))
        * inner.area_over_length_um
    )
    size = int(cells.sum())
    diagonal = np.zeros(size)
    for face in (inner.one, inner.other):
        diagonal += np.bincount(number[face], conductance, minlength=size)
    half = 2 * voxel_um[1] * voxel_um[2] / voxel_um[0]
    first, last = (np.where(cells[end], number.reshape(cells.shape)[end], -1) for end in (0, -1))
    right = np.zeros(size)
    for at, part, drives in ((first, ends[0], False), (last, ends[1], True)):
        here = at >= 0
        diagonal[at[here]] += half * part[here]
        right[at[here]] += half * part[here] * drives
    found = solve_network(network_matrix(number, inner, conductance, diagonal), right)
    here = first >= 0
    current = float((half * ends[0][here] * found[first[here]]).sum())
    area = cells[0].size * voxel_um[1] * voxel_um[2]
    return float(current * cells.shape[0] * voxel_um[0] / area)


def _boundary(smooth: np.ndarray, fraction: float) -> float:
    """Find the value that bounds a part of the volume, by halves.

    A voxel counts by the part of it that lies within: a smoothed step rises by `slope` in a voxel.
    """
    slope = 1 / (SMOOTHING_PX * np.sqrt(2 * np.pi))
    low, high = 0.0, 1.0
    for _ in range(20):
        middle = (low + high) / 2
        within = float(np.clip(0.5 + (smooth - middle) / slope, 0, 1).mean())
        low, high = (middle, high) if within > fraction else (low, middle)
    return (low + high) / 2


def open_part(level: np.ndarray, axis: int) -> np.ndarray:
    """Give how wide the way to the next voxel along an axis is, where a level is positive: 0 to 1.

    The width at both middles and at the face between them count as resistances in series, so that
    a wall as thin as a voxel closes it. The last one's is 0. The level is linear between middles.
    """
    level = np.moveaxis(level, axis, 0)
    found = np.zeros(level.shape, np.float32)
    here = _inside(level[0])
    for number in range(len(level) - 1):
        face, there = _inside((level[number] + level[number + 1]) / 2), _inside(level[number + 1])
        narrowest = np.minimum(np.minimum(here, there), face)
        with np.errstate(divide="ignore"):
            resistance = (1 / here + 4 / face + 1 / there) / 6
        found[number] = np.where(narrowest > 0, 1 / resistance, 0)
        here = there
    return np.moveaxis(found, 0, axis)


def _inside(plane: np.ndarray) -> np.ndarray:
    """Give which part of each pixel lies where a level is positive, by points within it."""
    offsets = (np.arange(_FINER) + 0.5) / _FINER - 0.5
    total = np.zeros(plane.shape, np.float32)
    for down in offsets:
        row = _moved(plane, float(down), 0)
        for across in offsets:
            total += _moved(row, float(across), 1) > 0
    return total / _FINER**2


def _moved(plane: np.ndarray, offset: float, axis: int) -> np.ndarray:
    """Give a plane's values at an offset from the middles, linear between them."""
    padded = np.pad(plane, [(int(k == axis),) * 2 for k in (0, 1)], mode="edge")
    other = np.roll(padded, -1 if offset > 0 else 1, axis)
    mixed = (1 - abs(offset)) * padded + abs(offset) * other
    return np.asarray(np.take(mixed, np.arange(1, plane.shape[axis] + 1), axis))


def _reached(opened: list[np.ndarray], ends: list[np.ndarray]) -> np.ndarray:
    """Mark the voxels that current reaches from one end and from the other."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    shape = opened[0].shape
    index = np.arange(opened[0].size).reshape(shape)
    ones, others = [], []
    for axis, part in enumerate(opened):
        there = np.moveaxis(part > 0, axis, 0)[:-1]
        along = np.moveaxis(index, axis, 0)
        ones.append(along[:-1][there])
        others.append(along[1:][there])
    one, other = np.concatenate(ones), np.concatenate(others)
    links = coo_array((np.ones(len(one)), (one, other)), shape=(index.size,) * 2)
    piece = connected_components(links, directed=False)[1].reshape(shape)
    both = np.intersect1d(piece[0][ends[0] > 0], piece[-1][ends[1] > 0])
    return np.isin(piece, both)
