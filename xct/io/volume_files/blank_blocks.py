"""Blocks of one exact value: data that are missing, not voids. In: slices; out: where they lie.

What a detector saw is never constant: voids and clipped values have ragged outlines, and begin in
one slice here, in another there. What was lost, a chunk or some slices, is a box, all of whose
sides begin and end at once. Background that surrounds the sample at every height is none.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from zlib import compress, decompress

import numpy as np

from xct.parallel.kernels import njit
from xct.parallel.threads import over_ranges

_EDGE = 8  # voxels of a cell along y and x
_LEAST_CELLS = 2  # of a box, along y and x,
_SURE_CELLS = 3  # and from where on its outline need not be looked at: clipped voids are narrower
_SHARP = 0.1  # of the voxels around a box may have its value; around a ragged void more have
_MANY_CELLS = 64  # a box of so many is believed in one slice,
_LEAST_SLICES = 4  # a smaller one in so many
_A_CIRCLE = 0.65  # of the cells of the square around it, at least
_MOST_CONSTANT = 0.5  # of the cells: with more, there is no noise to tell data from none


@dataclass(frozen=True)
class Box:
    """A box of one value: slices, and cells along y and x, half-open."""

    first: int
    stop: int
    y: tuple[int, int]
    x: tuple[int, int]
    value: float


def constant_cells(values: np.ndarray, *, saturated: float | None = None) -> np.ndarray:
    """Find the cells of 8 × 8 voxels in each slice that hold one value.

    Parameters
    ----------
    values : ndarray of float32, shape (z, y, x)
        Slices.
    saturated : float, optional
        The highest value that the file can hold: what is brighter looks constant.

    Returns
    -------
    ndarray of float32, shape (z, y, x) of cells
        The value; NaN where there are several.
    """
    depth, height, width = values.shape
    cells = np.empty((depth, height // _EDGE, width // _EDGE), np.float32)
    top = np.float32(np.nan if saturated is None else saturated)
    over_ranges(lambda a, b: _constant(values, cells, top, a, b), depth)
    return cells


@njit(cache=True, nogil=True)
def _constant(
    values: np.ndarray, cells: np.ndarray, top: np.float32, first: int, stop: int
) -> None:
    for z in range(first, stop):
        for j in range(cells.shape[1]):
            for i in range(cells.shape[2]):
                y, x = j * _EDGE, i * _EDGE
                value = values[z, y, x]
                same = value != top
                k = 0
                while same and k < _EDGE * _EDGE:
                    same = values[z, y + k // _EDGE, x + k % _EDGE] == value
                    k += 1
                cells[z, j, i] = value if same else np.nan


def packed(cells: np.ndarray) -> str:
    """Write cells as text, for a journal."""
    return f"{'×'.join(map(str, cells.shape))}:{b64encode(compress(cells.tobytes(), 1)).decode()}"


def unpacked(text: str) -> np.ndarray:
    """Read what `packed` wrote."""
    shape, _, data = text.partition(":")
    lengths = [int(n) for n in shape.split("×")]
    return np.frombuffer(decompress(b64decode(data)), np.float32).reshape(lengths)


def find_boxes(slices: Iterable[np.ndarray]) -> list[Box]:
    """Find boxes in cells, slice by slice.

    Parameters
    ----------
    slices : iterable of ndarray, shape (y, x)
        What `constant_cells` gave, from the first slice of the volume to the last.
    """
    begun: list[Box] = []
    found: list[Box] = []
    padding: list[Box] = []
    seen = _Seen()
    before: np.ndarray | None = None
    for z, cells in enumerate(slices):
        seen.add(cells)
        if before is not None:
            ceased = _ceased(before, cells)
            for box in _rectangles(ceased, before):
                found += _ended(box, begun, z, before)
                if not begun and _is_padding(box, ceased, before):
                    found.append(Box(0, z, *box))
            begun = [b for b in begun if _is_still(b, cells)]
            beginning = _ceased(cells, before)
            new = [Box(z, z, *box) for box in _rectangles(beginning, cells)]
            padding = [b for b in padding if _is_still(b, cells)]
            padding += [b for b in new if _is_padding((b.y, b.x, b.value), beginning, cells)]
            begun += new
        before = cells
    if before is None or seen.has_no_noise():
        return []
    open_ = [b for b in begun if _stands_alone((b.y, b.x, b.value), before)]
    found += [Box(b.first, seen.depth, b.y, b.x, b.value) for b in (*open_, *padding)]
    return [box for box in dict.fromkeys(found) if _is_believed(box)]


class _Seen:
    """How much of a volume is constant, but for what is so at every height."""

    def __init__(self) -> None:
        self.depth = 0
        self._first = self._always = self._constant = np.empty(0)

    def add(self, cells: np.ndarray) -> None:
        """Add a slice."""
        if not self.depth:
            self._first, self._constant = cells, np.zeros(cells.shape, np.int64)
            self._always = ~np.isnan(cells)
        self._always = self._always & (cells == self._first)
        self._constant += ~np.isnan(cells)
        self.depth += 1

    def has_no_noise(self) -> bool:
        """Whether so much is constant that it says nothing: drawn, labelled or denoised volumes."""
        varying = ~self._always.astype(bool)
        cells = np.count_nonzero(varying) * self.depth
        return bool(self._constant[varying].sum() > _MOST_CONSTANT * cells)


Rectangle = tuple[tuple[int, int], tuple[int, int], float]


def _ceased(these: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Mark cells that are constant in these, and not in others, or of another value."""
    return np.asarray(~np.isnan(these) & (these != others))


def _rectangles(changed: np.ndarray, cells: np.ndarray) -> Iterator[Rectangle]:
    """Give the rectangles of one value that are filled, whose cells changed at once."""
    if np.count_nonzero(changed) < _LEAST_CELLS**2:
        return
    from scipy.ndimage import find_objects, label

    for value in np.unique(cells[changed]):
        pieces, _ = label(changed & (cells == value))
        for place in find_objects(pieces):
            y, x = ((part.start, part.stop) for part in place)
            wide = min(y[1] - y[0], x[1] - x[0]) >= _LEAST_CELLS
            if wide and bool((cells[place] == value).all()):
                yield y, x, float(value)


def _ended(rectangle: Rectangle, begun: list[Box], stop: int, cells: np.ndarray) -> Iterator[Box]:
    """Give the box that ends; one that began before the first slice was there from the first."""
    y, x, value = rectangle
    same = [b for b in begun if b.value == value and _covers(b, y, x)]
    if same:
        yield Box(same[-1].first, stop, y, x, value)
    elif any(b.value == value and _touch(b, y, x) for b in begun):
        return
    elif _stands_alone(rectangle, cells):
        yield Box(0, stop, y, x, value)


def _stands_alone(rectangle: Rectangle, cells: np.ndarray) -> bool:
    """Whether nothing beside a rectangle has its value: asked where only one end was seen."""
    y, x, value = rectangle
    around = tuple(slice(max(part[0] - 1, 0), part[1] + 1) for part in (y, x))
    same = np.count_nonzero(cells[around] == value)
    return bool(same == (y[1] - y[0]) * (x[1] - x[0]))


def _is_padding(rectangle: Rectangle, changed: np.ndarray, cells: np.ndarray) -> bool:
    """Whether a slice has one value, and most of it, a circle or more, another one next to it.

    Of a dark layer that a window cut off, cells change here in one slice, there in another.
    """
    y, x, value = rectangle
    place = changed[slice(*y), slice(*x)]
    wide = all(2 * n >= whole for n, whole in zip(place.shape, cells.shape, strict=True))
    return bool(wide and place.mean() > _A_CIRCLE and (cells == value).all())


def _covers(box: Box, y: tuple[int, int], x: tuple[int, int]) -> bool:
    """Whether both are the same rectangle, but for background beside it."""
    return box.y == y and box.x == x


def _touch(box: Box, y: tuple[int, int], x: tuple[int, int]) -> bool:
    return box.y[0] < y[1] and y[0] < box.y[1] and box.x[0] < x[1] and x[0] < box.x[1]


def _is_still(box: Box, cells: np.ndarray) -> bool:
    return bool((cells[slice(*box.y), slice(*box.x)] == box.value).all())


def _is_believed(box: Box) -> bool:
    height, width = _lengths(box)
    return height * width >= _MANY_CELLS or box.stop - box.first >= _LEAST_SLICES


def outlined(
    boxes: Iterable[Box], read: Callable[[int], np.ndarray]
) -> Iterator[tuple[Box, tuple[slice, slice]]]:
    """Find the exact rows and columns of boxes; leave out clipped voids, whose outline is ragged.

    Parameters
    ----------
    boxes : iterable of Box
        Known to a cell.
    read : callable
        Gives a slice.

    Yields
    ------
    box : Box
    place : tuple of slice
        Rows and columns.
    """
    for box in boxes:
        place = _voxels_of(box, read(box.first))
        if min(_lengths(box)) >= _SURE_CELLS or _is_sharp(box, read, place):
            yield box, place


def _lengths(box: Box) -> tuple[int, int]:
    return box.y[1] - box.y[0], box.x[1] - box.x[0]


def _voxels_of(box: Box, image: np.ndarray) -> tuple[slice, slice]:
    rows, columns = [[n * _EDGE for n in part] for part in (box.y, box.x)]
    same: Any = image == np.float32(box.value)
    _widen(rows, same[:, slice(*columns)].all(axis=1))
    _widen(columns, same[slice(*rows)].all(axis=0))
    return slice(*rows), slice(*columns)


def _is_sharp(box: Box, read: Callable[[int], np.ndarray], place: tuple[slice, slice]) -> bool:
    """Whether a box is alike in its first and its last slice, with hardly its value around it."""
    for z in (box.first, box.stop - 1):
        image = read(z)
        around = image[tuple(slice(max(part.start - 1, 0), part.stop + 1) for part in place)]
        inside = image[place].size
        same = np.count_nonzero(around == np.float32(box.value)) - inside
        if same > _SHARP * (around.size - inside) or _voxels_of(box, image) != place:
            return False
    return True


def _widen(span: list[int], same: np.ndarray) -> None:
    """Move both ends outwards while lines are of the same value."""
    while span[0] > 0 and same[span[0] - 1]:
        span[0] -= 1
    while span[1] < len(same) and same[span[1]]:
        span[1] += 1
