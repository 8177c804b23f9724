"""Several answers from one pass over a volume. In: what each wants of a slab; out: the answers.

A function that must see a whole volume yields a `Sweep`, and gets what was computed of every slab.
Called by itself it reads the volume alone; functions that do not need each other's answers can
be led through one pass together.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, ParamSpec, Protocol, TypeVar, cast, runtime_checkable

import numpy as np

from xct.parallel.blocks import Block, Voxels, slabs
from xct.parallel.executors import map_blocks

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Sweep:
    """What is to be computed of every slab of a volume.

    Attributes
    ----------
    volume : Voxels
        What is read, or a `View` of it.
    compute : callable
        ``compute(block, values, *arguments)`` at the top of a module. `values` are those of
        ``block.outer``, float32, and shared with others: not to be changed.
    arguments : tuple, optional
        Lazy arrays, paths, small objects.
    overlap : int, optional
        Slices beyond a slab that its answer depends on, on each side.
    rows : int, optional
        Height of a slab; no answer may depend on it.
    """

    volume: Voxels
    compute: Callable[..., Any]
    arguments: tuple[Any, ...] = ()
    overlap: int = 0
    rows: int | None = None


Asking = Generator[Sweep, list[Any], T]


@runtime_checkable
class View(Protocol):
    """Another scale of a volume, made of what was read of it; equal views are made once."""

    volume: Voxels

    def normalized(self, values: np.ndarray, index: Any) -> np.ndarray:
        """Put what the volume holds in a part on the other scale."""
        ...


class Swept(Protocol[P, T]):
    """A function that reads a volume alone; `asking` yields its sweeps instead."""

    asking: Callable[P, Asking[T]]

    def __call__(self, *arguments: P.args, **settings: P.kwargs) -> T:
        """Carry out the sweeps, and give what is made of them."""
        ...


def sweeping(asking: Callable[P, Asking[T]]) -> Swept[P, T]:
    """Make a function of one that yields sweeps; it keeps that one as its `asking`.

    Examples
    --------
    >>> @sweeping
    ... def brightest(volume):
    ...     found = yield Sweep(volume, maximum_of_slab)
    ...     return max(found)
    """

    @wraps(asking)
    def alone(*arguments: P.args, **settings: P.kwargs) -> T:
        answers: list[Any] | None = None
        steps = asking(*arguments, **settings)
        while True:
            try:
                wanted = next(steps) if answers is None else steps.send(answers)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            [answers] = sweep([wanted])

    swept = cast(Swept[P, T], alone)
    swept.asking = asking
    return swept


def sweep(several: Sequence[Sweep]) -> list[list[Any]]:
    """Carry out sweeps over one volume in one pass; give the answers of the slabs for each."""
    first = several[0]
    overlap = max(one.overlap for one in several)
    blocks = slabs(first.volume.shape, overlap, first.rows)
    found = map_blocks(_compute, blocks, _source(first.volume), tuple(several), read=_read)
    return [list(answers) for answers in zip(*found, strict=True)]


def of_one_volume(several: Sequence[Sweep]) -> bool:
    """Whether sweeps can be carried out in one pass."""
    first = _source(several[0].volume)
    return all(_source(one.volume) is first and one.rows is None for one in several)


def _source(volume: Voxels) -> Voxels:
    return volume.volume if isinstance(volume, View) else volume


def _read(block: Block, source: Voxels, several: tuple[Sweep, ...]) -> np.ndarray:
    return np.asarray(source[block.outer], np.float32)


def _compute(
    block: Block, values: np.ndarray, source: Voxels, several: tuple[Sweep, ...]
) -> list[Any]:
    slab = _Slab(block, values)
    return [
        one.compute(own, slab.values_of(one.volume, own), *one.arguments)
        for one in several
        for own in [_narrowed(block, one.overlap, source.shape[0])]
    ]


def _narrowed(block: Block, overlap: int, depth: int) -> Block:
    first, stop = max(block.first - overlap, 0), min(block.stop + overlap, depth)
    return Block(block.first, block.stop, first, stop)


@dataclass
class _Slab:
    """What was read of a slab, and views of it."""

    block: Block
    values: np.ndarray
    views: list[tuple[View, np.ndarray]] = field(default_factory=list)

    def values_of(self, volume: Voxels, block: Block) -> np.ndarray:
        """Give the slices of ``block.outer``, read or viewed."""
        values = self.values if not isinstance(volume, View) else self._viewed(volume)
        start = block.outer_first - self.block.outer_first
        return values[start : start + block.outer_stop - block.outer_first]

    def _viewed(self, view: View) -> np.ndarray:
        for known, values in self.views:
            if known == view:
                return values
        self.views.append((view, view.normalized(self.values, self.block.outer)))
        return self.views[-1][1]
