"""Along which axis the layers lie. In: any volume, sampled; out: its axis, and how sure that is.

A cell is made of discs: values depend on height and on the distance from the axis, and on nothing
else but noise and grains. So the axis is the one about which these two explain most.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from xct.parallel.blocks import Voxels

_MOST = 64  # of a sample along each axis
_RINGS = 24
CENTERS = (-1.0, -0.5, 0.0, 0.5, 1.0)  # of half the width: where the axis may pass
# Of the variance, which an axis must explain more than both others to be the one.
CLEARLY = 0.1


@dataclass(frozen=True)
class Sample:
    """A volume by some of its voxels.

    Attributes
    ----------
    values : ndarray of float32, shape (z, y, x)
        Means of small squares in some of the slices.
    step : tuple of int
        Voxels from one to the next.
    voxel_size_um : tuple of float
        Edges of a voxel of the volume.
    """

    values: np.ndarray
    step: tuple[int, int, int]
    voxel_size_um: tuple[float, float, float]

    def turned(self, order: tuple[int, ...], against: tuple[bool, ...]) -> Sample:
        """Give the axes in another order, some of them reversed."""
        if order == (0, 1, 2) and not any(against):
            return self
        z, y, x = order
        step, size = self.step, self.voxel_size_um
        flips = tuple(slice(None, None, -1 if flip else 1) for flip in against)
        return Sample(
            self.values.transpose(order)[flips],
            (step[z], step[y], step[x]),
            (size[z], size[y], size[x]),
        )

    @cached_property
    def ranks(self) -> np.ndarray:
        """The values by their ranks, 0 … 1."""
        return ranked(self.values)

    @property
    def edges_um(self) -> np.ndarray:
        """Distances of the values along z, y and x."""
        return np.array(self.step) * self.voxel_size_um


@dataclass(frozen=True)
class LayerAxis:
    """The axis of a cell in a volume.

    Attributes
    ----------
    axis : int or None
        0, 1 or 2 for z, y and x; None where nothing tells.
    explained : tuple of float
        Part of the variance of ranked values that height and radius explain, about each axis.
    """

    axis: int | None
    explained: tuple[float, float, float]


def sample_volume(voxels: Voxels, voxel_size_um: tuple[float, float, float]) -> Sample:
    """Read at most 64 slices, each at most 64 squares wide.

    Parameters
    ----------
    voxels : Voxels, shape (z, y, x)
        Any scale.
    voxel_size_um : tuple of float
        Edges of a voxel.
    """
    z, y, x = (-(-int(n) // _MOST) for n in voxels.shape)
    kept = [_squares(np.asarray(voxels[k : k + 1])[0], y, x) for k in range(0, voxels.shape[0], z)]
    return Sample(np.array(kept, np.float32), (z, y, x), voxel_size_um)


def _squares(plane: np.ndarray, y: int, x: int) -> np.ndarray:
    rows, columns = plane.shape[0] // y, plane.shape[1] // x
    cut = plane[: rows * y, : columns * x].astype(np.float32).reshape(rows, y, columns, x)
    return np.asarray(cut.mean(axis=(1, 3)))


def layer_axis(sample: Sample) -> LayerAxis:
    """Find the axis along which the layers of a cell follow each other.

    Values are ranked, so any scale serves, inverted ones too.

    Parameters
    ----------
    sample : Sample
        Of the volume.
    """
    ranks = sample.ranks
    found = _clearest(ranks, sample.edges_um, (0.0,))
    # Where the cell is cut off, its axis does not pass through the middle.
    return found if found.axis == 0 else _clearest(ranks, sample.edges_um, CENTERS)


def _clearest(ranks: np.ndarray, edges_um: np.ndarray, centers: tuple[float, ...]) -> LayerAxis:
    explained = [_explained(np.moveaxis(ranks, a, 0), edges_um, a, centers) for a in range(3)]
    best = int(np.argmax(explained))
    others = max(value for a, value in enumerate(explained) if a != best)
    axis = best if explained[best] > others + CLEARLY else None
    return LayerAxis(axis, (explained[0], explained[1], explained[2]))


def ranked(values: np.ndarray) -> np.ndarray:
    """Give ranks 0 … 1, alike for alike values; NaN are the lowest."""
    _, at, count = np.unique(np.nan_to_num(values), return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - 0.5 * (count + 1)) / max(values.size - 1, 1)
    return np.asarray(rank[at].reshape(values.shape))


def _explained(values: np.ndarray, edges_um: np.ndarray, axis: int, at: tuple[float, ...]) -> float:
    """Give the part of the variance between bins of height and radius, about the best center."""
    across = np.delete(edges_um, axis)
    y, x = ((np.arange(n) - (n - 1) / 2) * e for n, e in zip(values.shape[1:], across, strict=True))
    planes = values.reshape(len(values), -1)
    total = float(values.var())
    if not total > 0:
        return 0.0
    centers = [(y[0] * a, x[0] * b) for a in at for b in at]
    within = min(_within(planes, np.hypot(y[:, None] - v, x[None] - u)) for v, u in centers)
    return 1 - within / total


def _within(planes: np.ndarray, radius: np.ndarray) -> float:
    """Give the variance within bins of height and radius."""
    ring = np.minimum(radius / radius.max() * _RINGS, _RINGS - 1).astype(int).ravel()
    count = np.maximum(np.bincount(ring, minlength=_RINGS), 1)
    member = np.zeros((ring.size, _RINGS), np.float32)
    member[np.arange(ring.size), ring] = 1
    sums = planes.astype(np.float32) @ member
    return float((np.sum(planes**2) - np.sum(sums**2 / count)) / planes.size)
