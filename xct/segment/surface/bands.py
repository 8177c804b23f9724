"""Bands: the slices about a surface, as wide as the bore. In: a volume; out: columns, by strips.

A band runs along s, in voxels away from the anode, whichever side of the volume that is on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil, floor
from typing import Any, NamedTuple, Protocol, TypeVar, runtime_checkable

import numpy as np

from xct.geometry import CellGeometry
from xct.parallel.blocks import Block, Voxels, cut
from xct.parallel.executors import map_blocks

T = TypeVar("T")

_STRIP_BYTES = 96 * 2**20
_KEPT_BYTES = 1664 * 2**20  # of a band that is read once; the pass over particles needs as much
_ALIGNED = 8  # columns: of every so many the same are sampled, wherever the bore begins
_CHUNK_ROWS = 64  # strips that are cut end at multiples of it
_ENOUGH = 2**19  # columns that determine a quantile as well as any more …
_LEAST_GROUPS = 5  # … from so many places


@dataclass(frozen=True)
class Span:
    """Slices of a band, counted by s along the direction away from the anode.

    Attributes
    ----------
    first : int
        Slice of s = 0.
    count : int
        Slices.
    sign : int
        +1 where s grows with the slice number, else -1.
    voxel_um : float
        Edge of a voxel along z.
    """

    first: int
    count: int
    sign: int
    voxel_um: float

    @property
    def slices(self) -> slice:
        """Slices of the volume, ascending."""
        last = self.first + self.sign * (self.count - 1)
        return slice(min(self.first, last), max(self.first, last) + 1)

    def s_of(self, z_um: np.ndarray | float) -> np.ndarray:
        """Give s of heights in µm."""
        return np.asarray(self.sign * (np.asarray(z_um) / self.voxel_um - self.first))

    def z_um(self, s: np.ndarray | float) -> np.ndarray:
        """Give the height of s in µm."""
        return np.asarray((self.first + self.sign * np.asarray(s)) * self.voxel_um)


def span_between(cell: CellGeometry, near_um: float, far_um: float) -> Span:
    """Take the slices between two heights; `near_um` is the one towards the anode."""
    voxel = cell.voxel_size_um[0]
    low, high = sorted((near_um, far_um))
    first = max(0, floor(low / voxel))
    last = min(cell.shape[0] - 1, ceil(high / voxel))
    return Span(first if cell.sign > 0 else last, max(0, last - first + 1), cell.sign, voxel)


@dataclass(frozen=True)
class Strip:
    """Some rows of a band, as wide as the bore, and the rows beside them.

    Attributes
    ----------
    block : Block
        Rows (y) of the volume that belong to the strip, and all rows that `values` holds.
    values : ndarray of float32, shape (s, y, x)
        μ in 1/cm.
    """

    block: Block
    values: np.ndarray

    @property
    def own(self) -> slice:
        """Where the strip's rows lie in `values`."""
        return self.block.inner

    def widened(self, rows: int) -> slice:
        """Where the strip's rows lie in `values`, with as many more on each side as are there."""
        return slice(max(self.own.start - rows, 0), min(self.own.stop + rows, len(self.values[0])))


@runtime_checkable
class Stored(Protocol):
    """A volume whose values can be had as they are stored: in half the memory, if as uint16."""

    @property
    def code_bytes(self) -> int:
        """Bytes of a stored value."""
        ...

    def codes(self, index: Any = ...) -> np.ndarray:
        """Read a part as it is stored."""
        ...

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Give stored values as float32, as reading does."""
        ...


@dataclass(frozen=True)
class _Slices:
    """The slices of a span as far as the bore goes; `kept` in memory where they fit, as stored.

    `rows` and `columns` are those of the volume in which columns of the bore lie.
    """

    volume: Voxels
    span: Span
    rows: slice
    columns: slice
    kept: np.ndarray | None = None

    def in_memory(self) -> _Slices:
        """Read all, if they fit."""
        size = self.volume.code_bytes if isinstance(self.volume, Stored) else 4
        height, width = (some.stop - some.start for some in (self.rows, self.columns))
        if not 0 < size * self.span.count * height * width <= _KEPT_BYTES:
            return self
        part = self.volume.codes if isinstance(self.volume, Stored) else self.volume.__getitem__
        kept = part((self.span.slices, self.rows, self.columns))
        return replace(self, kept=kept[:: self.span.sign])

    def read(self, rows: slice) -> np.ndarray:
        """Give rows of all slices, shape (s, y, x)."""
        if self.kept is None:
            values = self.volume[self.span.slices, rows, self.columns][:: self.span.sign]
        else:
            first = self.rows.start
            values = self.kept[:, rows.start - first : rows.stop - first]
            if isinstance(self.volume, Stored):
                values = self.volume.decode(values)
        return np.ascontiguousarray(values, np.float32)


@dataclass
class _Successive:
    """Slices read strip by strip: rows that follow those read last are read, no others again."""

    source: _Slices
    overlap: int
    last: tuple[slice, np.ndarray] | None = None

    def read(self, rows: slice) -> np.ndarray:
        """Give rows of all slices, shape (s, y, x)."""
        if self.source.kept is not None:
            return self.source.read(rows)
        known, values = 0, None
        if self.last is not None:
            before, seen = self.last
            known = before.stop - rows.start if before.start <= rows.start <= before.stop else 0
        if known:
            new = self.source.read(slice(rows.start + known, rows.stop))
            values = np.concatenate([seen[:, seen.shape[1] - known :], new], axis=1)
        else:
            values = self.source.read(rows)
        first = max(rows.stop - self.overlap, rows.start)
        self.last = slice(first, rows.stop), values[:, first - rows.start :].copy()
        return values


@dataclass(frozen=True)
class Band:
    """The columns of a span of slices, strip by strip; one that fits into memory is read once.

    Attributes
    ----------
    bore : ndarray of bool, shape (y, x)
        Columns; strips without any are left out.
    reach : int
        Rows that a strip must see beyond its own.
    every : int
        Of groups of 64 rows every so many are looked at, however the band is cut; 1: all rows.
    """

    source: _Slices
    bore: np.ndarray
    reach: int
    every: int = 1

    @classmethod
    def about(cls, volume: Voxels, span: Span, bore: np.ndarray, reach: int) -> Band:
        """Take slices of a volume in 1/cm."""
        rows, columns = (_extent(np.any(bore, axis=axis)) for axis in (1, 0))
        return cls(_Slices(volume, span, rows, columns).in_memory(), bore, reach)

    @property
    def span(self) -> Span:
        """Slices of the band."""
        return self.source.span

    def part(self, low: float, high: float, reach: int | None = None) -> tuple[Band, int]:
        """Take the slices from s = low to s = high; give the s of the first, too."""
        first = min(max(floor(low), 0), max(self.span.count - 1, 0))
        stop = max(min(ceil(high) + 1, self.span.count), first)
        kept = None if self.source.kept is None else self.source.kept[first:stop]
        span = replace(
            self.span, first=self.span.first + self.span.sign * first, count=stop - first
        )
        source = replace(self.source, span=span, kept=kept)
        return Band(source, self.bore, self.reach if reach is None else reach), first

    def sampled(self) -> Band:
        """Leave rows out where there are many more columns than a quantile needs."""
        groups, columns = len(self.bore) // _CHUNK_ROWS, int(np.count_nonzero(self.bore))
        return replace(self, every=max(1, min(columns // _ENOUGH, groups // _LEAST_GROUPS)))

    def strips(self) -> list[Block]:
        """Cut the rows of the band into strips of about 96 MiB; sampled rows, by group."""
        height = len(self.bore)
        rows = max(1, _STRIP_BYTES // max(1, 4 * self.bore.shape[1] * self.span.count))
        if rows < height:
            rows = max(rows // _CHUNK_ROWS, 1) * _CHUNK_ROWS
        rows = rows if self.every == 1 else _CHUNK_ROWS
        blocks = cut(height, rows, self.reach) if self.span.count else []
        taken = blocks[self.every // 2 :: self.every]
        blocks = [_within(block, self.source.rows) for block in taken]
        return [block for block in blocks if block.first < block.stop]

    def map(
        self, compute: Callable[..., T], maps: Sequence[np.ndarray], *arguments: Any
    ) -> list[T]:
        """Call ``compute(strip, *maps, *arguments)`` for each strip, in their order.

        Parameters
        ----------
        compute : callable
            At the top of a module.
        maps : sequence of ndarray, shape (y, x)
            Of these, each call gets the rows and columns that its strip holds.
        *arguments
            The same for all strips.
        """
        columns = self.source.columns
        tasks = [
            _Task(block, tuple(some[block.outer, columns] for some in maps))
            for block in self.strips()
        ]
        source = _Successive(self.source, 2 * self.reach)
        return map_blocks(_compute, tasks, source, compute, *arguments, read=_read)

    def joined(self, answers: Sequence[Sequence[np.ndarray]], count: int) -> list[np.ndarray]:
        """Put maps of the strips' own rows together, shape (y, x); NaN where there is no strip."""
        maps = [np.full(self.bore.shape, np.nan) for _ in range(count)]
        for block, answer in zip(self.strips(), answers, strict=True):
            for whole, part in zip(maps, answer, strict=True):
                whole[block.first : block.stop, self.source.columns] = part
        return maps


def _extent(some: np.ndarray) -> slice:
    """Give from the first to the last that is true, widened to where columns are sampled."""
    found = np.flatnonzero(some)
    return slice(found[0] // _ALIGNED * _ALIGNED, found[-1] + 1) if found.size else slice(0, 0)


def _within(block: Block, rows: slice) -> Block:
    """Leave out of a strip what lies outside of rows."""
    ends = (block.first, block.stop, block.outer_first, block.outer_stop)
    return Block(*(min(max(end, rows.start), rows.stop) for end in ends))


class _Task(NamedTuple):
    """Rows of a band, and those of the maps that belong to them."""

    block: Block
    maps: tuple[np.ndarray, ...]


def _read(task: _Task, source: _Successive, *_: Any) -> np.ndarray:
    return source.read(task.block.outer)


def _compute(
    task: _Task,
    values: np.ndarray,
    source: _Successive,
    compute: Callable[..., T],
    *arguments: Any,
) -> T:
    maps = [np.ascontiguousarray(some) for some in task.maps]
    return compute(Strip(task.block, values), *maps, *arguments)
