"""Particles planted into measured boxes, and looked for again. In: boxes; out: which are found.

The boxes are laid side by side, and their particles are labelled and separated as those of a whole
volume are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import scipy

from xct.geometry import CellGeometry, Label
from xct.normalize.reference import ElectrolyteReference
from xct.segment.denoise import Triple, sharpen
from xct.segment.particle.instances import choose
from xct.segment.particle.separation import HEIGHT_STEP, Separation, separate_here

_TOP = 12.0  # as in `xct.segment.material.sharpened`
_RIM = 3  # voxels of a box whose sharpened values lack what lies beyond
_LOWEST = 0.005  # of labelled voxels lie below the threshold; what was cut off is not among them
_FINE = 3  # parts of a voxel in which a body is drawn
_TETRAHEDRON = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / np.sqrt(3)
_GAP = 1.0  # voxels between neighbors, at most
_WHOLE = 0.5  # of what both cover: a particle and its truth are one


@dataclass(frozen=True)
class Looking:
    """How particles are labelled and separated.

    Attributes
    ----------
    psf_sigma_px : tuple of float
        Standard deviation of the point spread along each axis, in voxels.
    rounds : int
        Of sharpening.
    threshold, level : float
        Sharpened grey value from which a voxel is active material, and that of wide particles;
        multiples of the electrolyte.
    noise : float
        Standard deviation of a voxel.
    reference : ElectrolyteReference
        With the width of the point spread.
    voxel_um : tuple of float
        Edges of a voxel.
    rise_px, largest_um : float
        As of `particles`.
    """

    psf_sigma_px: Triple
    rounds: int
    threshold: float
    level: float
    noise: float
    reference: ElectrolyteReference
    voxel_um: Triple
    rise_px: float = 0.1
    largest_um: float = 30.0


class _SideBySide:
    """Boxes as one volume in multiples of the electrolyte, as `Separation` reads it."""

    def __init__(self, values: np.ndarray, how: Looking) -> None:
        self.values, self.shape, self._noise = values, values.shape, how.noise
        self.cell = CellGeometry(values.shape, how.voxel_um, 0.0, 0.0, 1.0)
        self.reference = how.reference

    def read(self, first: int, stop: int) -> np.ndarray:
        """Give slices."""
        return self.values[first:stop]

    def noise(self, _: float) -> float:
        """Give the noise of a voxel."""
        return self._noise


def threshold_of(boxes: Sequence[np.ndarray], labels: Sequence[np.ndarray], how: Looking) -> float:
    """Find from which sharpened value on voxels of measured boxes were labelled active material."""
    inner = (slice(_RIM, -_RIM),) * 3
    found = [
        _sharpened(box, how)[inner][of[inner] == Label.ACTIVE_MATERIAL]
        for box, of in zip(boxes, labels, strict=True)
    ]
    values = np.concatenate(found)
    return float(np.quantile(values, _LOWEST)) if values.size else float("nan")


def _sharpened(box: np.ndarray, how: Looking) -> np.ndarray:
    cut = np.minimum(box, np.float32(_TOP))
    return sharpen(cut, how.psf_sigma_px, rounds=how.rounds, top=_TOP) if how.rounds else cut


def are_found(
    boxes: Sequence[np.ndarray], bodies: Sequence[np.ndarray], how: Looking
) -> list[bool]:
    """Say of each box whether the particle planted there is found as one.

    Parameters
    ----------
    boxes : sequence of ndarray, shape (z, y, x)
        Multiples of the electrolyte, with what was planted.
    bodies : sequence of ndarray of bool, shape (z, y, x)
        The voxels of which it fills more than half.
    how : Looking
        How particles are labelled and separated.
    """
    across = int(np.ceil(np.sqrt(len(boxes))))
    depth, height, width = boxes[0].shape
    values = np.ones((depth, -(-len(boxes) // across) * height, across * width), np.float32)
    active = np.zeros(values.shape, bool)
    places = []
    for number, box in enumerate(boxes):
        y, x = number // across * height, number % across * width
        places.append((slice(None), slice(y, y + height), slice(x, x + width)))
        values[places[-1]] = box
        active[places[-1]] = _sharpened(box, how) > how.threshold
    labels = np.where(active, Label.ACTIVE_MATERIAL, Label.ELECTROLYTE).astype(np.uint8)
    volume: Any = _SideBySide(values, how)
    job = Separation(volume, labels, how.largest_um, how.level, depth)
    numbers = np.empty(values.shape, np.uint32)
    pieces = separate_here(job, numbers)
    final = choose(pieces, job, how.rise_px / HEIGHT_STEP).final.copy()
    final[0] = 0
    numbers = final[numbers]  # one part: the volume was gone through at once
    sizes = np.bincount(numbers.ravel())
    return [
        _is_one(numbers[place], body, sizes) for place, body in zip(places, bodies, strict=True)
    ]


def _is_one(numbers: np.ndarray, body: np.ndarray, sizes: np.ndarray) -> bool:
    """Whether one particle covers half of what it and the body cover."""
    common = np.bincount(numbers[body])
    if common.size < 2:
        return False
    both = common[1:] / (sizes[1 : common.size] + np.count_nonzero(body) - common[1:])
    return bool(both.max() >= _WHOLE)


def neighbors_um(
    size_um: float, beside_um: float, voxel_um: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Place four spheres of a diameter about one of a size, less than a voxel from it, (4, 3)."""
    turned = scipy.spatial.transform.Rotation.random(random_state=rng).apply(_TETRAHEDRON)
    gap = rng.uniform(0, _GAP, 4) * voxel_um.min()
    return np.asarray(turned * ((size_um + beside_um) / 2 + gap)[:, None])


def offsets_um(
    shape: tuple[int, ...],
    voxel_um: np.ndarray,
    rng: np.random.Generator,
    place: np.ndarray | None = None,
) -> tuple[np.ndarray, ...]:
    """Give fine points' distances from a body's middle, somewhere within the voxel of its place.

    Along each axis; there are `_FINE` points in a voxel.
    """
    place = np.zeros(3) if place is None else place
    return tuple(
        ((np.arange(_FINE * n) + 0.5) / _FINE - 0.5 - (n - 1) / 2 - p - rng.uniform(-0.5, 0.5)) * s
        for n, s, p in zip(shape, voxel_um, place, strict=True)
    )


def fine_points(offsets: Sequence[np.ndarray]) -> np.ndarray:
    """Give a bool for each fine point, all False."""
    return np.zeros([axis.size for axis in offsets], bool)


def points_within(
    offsets: Sequence[np.ndarray], reach_um: float, center_um: Sequence[float] = (0.0, 0.0, 0.0)
) -> tuple[tuple[slice, ...], list[np.ndarray]]:
    """Give the box of fine points about a center, and how far they are from it along each axis."""
    away = [axis - c for axis, c in zip(offsets, center_um, strict=True)]
    near = [np.flatnonzero(np.abs(axis) <= reach_um) for axis in away]
    box = tuple(slice(k[0], k[-1] + 1) if k.size else slice(0, 0) for k in near)
    cut = [axis[part] for axis, part in zip(away, box, strict=True)]
    return box, list(np.meshgrid(*cut, indexing="ij", sparse=True))


def add_ball(
    inside: np.ndarray,
    offsets: Sequence[np.ndarray],
    radius_um: float,
    center_um: Sequence[float] = (0.0, 0.0, 0.0),
) -> None:
    """Mark the fine points of a ball in `inside`, a bool for each of them."""
    box, (z, y, x) = points_within(offsets, radius_um, center_um)
    inside[box] |= z**2 + y**2 + x**2 <= radius_um**2


def filled_parts(inside: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Give which part of each voxel the fine points fill."""
    count = inside.view(np.uint8)
    for axis, length in enumerate(shape):  # one by one: five times as fast as a mean over all
        fine = (*count.shape[:axis], length, _FINE, *count.shape[axis + 1 :])
        count = reduce(np.add, np.moveaxis(count.reshape(fine), axis + 1, 0))
    return (count / _FINE**3).astype(np.float32)
