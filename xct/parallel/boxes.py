"""Small boxes of a volume, many of them. In: a volume, boxes; out: what each holds.

A chunk on disk is a few whole slices: read one by one, boxes at one height would each have it
decompressed anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod

import numpy as np

from xct.parallel.blocks import CHUNK_SLICES, Voxels
from xct.parallel.sweeps import View

Box = tuple[slice, slice, slice]

_MOST_BYTES = 256 * 2**20  # of boxes at a time


class Window:
    """A box of a volume that was read, by the indices of the volume.

    Parameters
    ----------
    values : ndarray, shape (z, y, x)
        What it holds.
    box : tuple of slice
        Where it lies.
    shape : tuple of int, optional
        Of the volume; to its end unless given.
    """

    def __init__(
        self, values: np.ndarray, box: Box, shape: tuple[int, int, int] | None = None
    ) -> None:
        z, y, x = (part.stop for part in box)
        self.values, self.shape, self.dtype = values, shape or (z, y, x), values.dtype
        self._box = box

    def __getitem__(self, index: Box, /) -> np.ndarray:
        """Give a part, by slices of the volume within the box."""
        if any(a.start < b.start or a.stop > b.stop for a, b in zip(index, self._box, strict=True)):
            raise IndexError(f"{index} is not within the box that was read, {self._box}")
        return np.asarray(self.values[_within(index, self._box)])


def around(boxes: Sequence[tuple[slice, ...]]) -> Box:
    """Give the smallest box that holds several."""
    z, y, x = (
        slice(min(part.start for part in axis), max(part.stop for part in axis))
        for axis in zip(*boxes, strict=True)
    )
    return z, y, x


def read_boxes(
    volume: Voxels, boxes: Sequence[Box], most_bytes: int = _MOST_BYTES
) -> Iterator[tuple[int, np.ndarray]]:
    """Read boxes by their heights; a chunk that several share is decompressed once.

    Parameters
    ----------
    volume : Voxels, shape (z, y, x)
        What is read, or a view of it.
    boxes : sequence of tuple of slice
        Within the volume, none empty.
    most_bytes : int, optional
        As many boxes are read at a time as fit into it; one at least.

    Yields
    ------
    number : int
        Of the box.
    values : ndarray
        What it holds.
    """
    view = volume if isinstance(volume, View) else None
    source = view.volume if view is not None else volume
    batch: list[int] = []
    held = 0
    order = sorted(range(len(boxes)), key=lambda number: boxes[number][0].start)
    for number in order:
        size = prod(part.stop - part.start for part in boxes[number]) * source.dtype.itemsize
        if batch and held + size > most_bytes:
            yield from _batch(source, view, boxes, batch)
            batch, held = [], 0
        batch.append(number)
        held += size
    yield from _batch(source, view, boxes, batch)


def _batch(
    source: Voxels, view: View | None, boxes: Sequence[Box], batch: Sequence[int]
) -> Iterator[tuple[int, np.ndarray]]:
    for number, values in zip(batch, _together(source, [boxes[n] for n in batch]), strict=True):
        yield number, values if view is None else view.normalized(values, boxes[number])


def _together(source: Voxels, boxes: Sequence[Box]) -> list[np.ndarray]:
    found = [np.empty([part.stop - part.start for part in box], source.dtype) for box in boxes]
    starts = sorted({
        first for z, _, _ in boxes
        for first in range(z.start // CHUNK_SLICES * CHUNK_SLICES, z.stop, CHUNK_SLICES)
    })  # fmt: skip
    for first in starts:
        parts = []
        for box, values in zip(boxes, found, strict=True):
            z = slice(max(first, box[0].start), min(first + CHUNK_SLICES, box[0].stop))
            if z.start < z.stop:
                parts.append(
                    ((z, *box[1:]), values[z.start - box[0].start : z.stop - box[0].start])
                )
        whole = around([part for part, _ in parts])
        read = np.asarray(source[whole])
        for part, values in parts:
            values[...] = read[_within(part, whole)]
    return found


def _within(part: Sequence[slice], box: Sequence[slice]) -> Box:
    """Give where a part lies in a box that holds it."""
    z, y, x = (slice(a.start - b.start, a.stop - b.start) for a, b in zip(part, box, strict=True))
    return z, y, x
