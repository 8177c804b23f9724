"""Several answers from one pass over a volume. In: what each wants of a slab; out: the answers.

A function that must see a whole volume yields a `Sweep`, and gets what was computed of every slab.
Called by itself it reads the volume alone; functions that do not need each other's answers can
be led through one pass together.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec, Protocol, TypeVar, cast, runtime_checkable

import numpy as np

from xct.errors import DataError
from xct.parallel.blocks import CHUNK_SLICES, Block, Voxels, slabs
from xct.parallel.counting import count, counting
from xct.parallel.executors import map_blocks, worker_count
from xct.parallel.rolling import Rolling, runs

_MOST_BYTES = 256 * 2**20
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
    begin : callable, optional
        Makes what the slabs of a run are added to: `compute` is given it last, and it is the
        run's one answer. For answers so large that one for each slab would fill the memory.
    """

    volume: Voxels
    compute: Callable[..., Any]
    arguments: tuple[Any, ...] = ()
    overlap: int = 0
    rows: int | None = None
    begin: Callable[[], Any] | None = None


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
    """Carry out sweeps over one volume in one pass; give the answers of the slabs for each.

    Raises
    ------
    ValueError
        If they are not `of_one_volume`.
    """
    first = several[0]
    if len(several) > 1 and not of_one_volume(several):
        raise DataError("sweeps over different volumes, or cut differently, cannot share a pass")
    blocks = runs(first.volume.shape[0], worker_count())
    height = first.rows or _height(first.volume.shape)
    with counting(first.volume.shape[0]):
        found = map_blocks(_sweep_run, blocks, _source(first.volume), tuple(several), height)
    return [[answer for run in found for answer in run[number]] for number, _ in enumerate(several)]


def _height(shape: Sequence[int]) -> int:
    """Give the height of a slab; half the usual where each worker's windows would be gigabytes."""
    height, plane = slabs(shape)[0].stop, 4 * int(np.prod(shape[1:]))
    return height if height * plane <= _MOST_BYTES else max(height // 2, 1)


def of_one_volume(several: Sequence[Sweep]) -> bool:
    """Whether sweeps can be carried out in one pass."""
    first = _source(several[0].volume)
    rows = several[0].rows
    return all(_source(one.volume) is first and one.rows == rows for one in several)


def _source(volume: Voxels) -> Voxels:
    return volume.volume if isinstance(volume, View) else volume


def _sweep_run(
    run: Block, source: Voxels, several: tuple[Sweep, ...], height: int
) -> list[list[Any]]:
    """Go through slices slab by slab; what two slabs look at is read and made once."""
    depth, windows = source.shape[0], _Windows(source)
    widest = max(one.overlap for one in several)
    answers: list[list[Any]] = [[] if one.begin is None else [one.begin()] for one in several]
    for first in range(run.first, run.stop, height):
        stop = min(first + height, run.stop)
        low, high = max(first - widest, 0), min(stop + widest, depth)
        windows.read.planes(low, high)  # all that views are made of here
        for one, found in zip(several, answers, strict=True):
            block = Block(first, stop, max(first - one.overlap, 0), min(stop + one.overlap, depth))
            values = windows.of(one.volume).planes(low, high)
            own = values[block.outer_first - low : block.outer_stop - low]
            if one.begin is None:
                found.append(one.compute(block, own, *one.arguments))
            else:
                one.compute(block, own, *one.arguments, *found)
        count(stop - first)
    return answers


class _Windows:
    """Windows that move along a volume and along views of it."""

    def __init__(self, source: Voxels) -> None:
        self._depth = source.shape[0]
        self.read = Rolling(
            lambda a, b: np.asarray(source[a:b], np.float32), self._depth, CHUNK_SLICES
        )
        self._views: list[tuple[View, Rolling]] = []

    def of(self, volume: Voxels) -> Rolling:
        """Give the window on the volume itself, or on a view; equal views have one."""
        if not isinstance(volume, View):
            return self.read
        for known, window in self._views:
            if known == volume:
                return window
        read = self.read
        made = Rolling(lambda a, b: volume.normalized(read.planes(a, b), slice(a, b)), self._depth)
        self._views.append((volume, made))
        return made
