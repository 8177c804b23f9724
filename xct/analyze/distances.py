"""Distance from an object, slab by slab. In: labels, an object; out: distances in µm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, inf
from typing import Any, Literal

import numpy as np

from xct.errors import DataError
from xct.geometry import Surface
from xct.parallel.blocks import Block, Voxels, slabs
from xct.parallel.threads import thread_count

Side = Literal["low_z", "high_z"]


@dataclass(frozen=True)
class Near:
    """Labels of a stack with their distance from an object.

    Attributes
    ----------
    labels : Voxels, shape (z, y, x)
        Codes of materials, or of anything.
    of : sequence of int or Surface
        The labels that make up the object; or a surface, whose one side is the object.
    voxel_size_um : tuple of float
        Edges of a voxel along z, y and x.
    farthest_um : float
        Distances beyond are not needed.
    side : {"low_z", "high_z"}
        The side of a surface that counts as the object.
    """

    labels: Voxels
    of: Sequence[int] | Surface
    voxel_size_um: tuple[float, float, float]
    farthest_um: float
    side: Side = "low_z"

    def blocks(self, rows: int | None = None) -> list[Block]:
        """Cut the stack into slabs, with what they must see beyond."""
        reach = ceil(self.farthest_um / self.voxel_size_um[0]) + 2
        overlap = min(reach, max(1, self.labels.shape[0]))
        return slabs(self.labels.shape, overlap, rows)

    def read(self, block: Block) -> tuple[np.ndarray, np.ndarray]:
        """Read the labels of a slab with its overlap, and their distances.

        The distance of a voxel's center from the object's face; infinite beyond `farthest_um`.
        The object's own voxels are at 0 or less.
        """
        labels = np.ascontiguousarray(self.labels[block.outer])
        return labels, self._distance(labels, block)

    def _distance(self, labels: np.ndarray, block: Block) -> np.ndarray:
        from edt import edt

        outside = ~self.object_in(labels, block)
        if outside.all():
            return np.full(labels.shape, inf, np.float32)
        # The wall between two voxels lies half-way between their centers.
        found: Any = edt(outside, anisotropy=self.voxel_size_um, parallel=thread_count())
        found -= np.float32(0.5 * min(self._edges()))
        found[found > self.farthest_um] = inf
        return np.asarray(found)

    def _edges(self) -> list[float]:
        return [e for e, n in zip(self.voxel_size_um, self.labels.shape, strict=True) if n > 1] or [
            0
        ]

    def object_in(self, labels: np.ndarray, block: Block) -> np.ndarray:
        """Determine which voxels of a slab, seen with its overlap, belong to the object."""
        if not isinstance(self.of, Surface):
            return np.isin(labels, list(self.of))
        z_um = np.arange(block.outer_first, block.outer_stop) * self.voxel_size_um[0]
        height = self.of.height_um[None]
        z = z_um[:, None, None]
        return (z <= height) if self.side == "low_z" else (z >= height)


def as_stack(labels: Any) -> Any:
    """Take a single image as a stack of one.

    Raises
    ------
    DataError
        If it is neither an image nor a stack.
    """
    if len(labels.shape) == 2:
        return np.asarray(labels)[None]
    if len(labels.shape) != 3:
        raise DataError(f"labels have {len(labels.shape)} axes; an image has 2, a stack 3")
    return labels


def stack_size(voxel_size_um: float | Sequence[float]) -> tuple[float, float, float]:
    """Take one edge for all, or two of an image, as three.

    Raises
    ------
    DataError
        If there is an edge that is not above 0.
    """
    given = np.atleast_1d(np.asarray(voxel_size_um, float))
    edges = np.repeat(given, 3) if given.size == 1 else given
    if edges.size == 2:
        edges = np.array([edges.min(), *edges])
    if edges.size != 3 or not (edges > 0).all():
        raise DataError(f"{voxel_size_um!r} are not the edges of a pixel or voxel in µm")
    return float(edges[0]), float(edges[1]), float(edges[2])
