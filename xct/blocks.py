"""Blocks: cutting arrays along an axis, with overlap, and working on the pieces through Dask."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from dask.callbacks import Callback
from dask.threaded import get

from xct.stages import QUANTITIES, Stage

T = TypeVar("T")


@dataclass(frozen=True)
class Block:
    """A half-open range along an axis, and the wider range that its answer depends on."""

    first: int
    stop: int
    outer_first: int
    outer_stop: int

    @property
    def inner(self) -> slice:
        """Where the block lies within its wider range."""
        return slice(self.first - self.outer_first, self.stop - self.outer_first)

    @property
    def outer(self) -> slice:
        """The wider range."""
        return slice(self.outer_first, self.outer_stop)


def cut(length: int, size: int, overlap: int = 0) -> list[Block]:
    """Cut 0 … length into blocks of `size` (the last may be smaller), seen `overlap` wider."""
    return [
        Block(
            first,
            min(first + size, length),
            max(first - overlap, 0),
            min(first + size + overlap, length),
        )
        for first in range(0, length, size)
    ]


def along(name: str, value: Any, axis: str) -> int | None:
    """Find which dimension of a quantity runs along `axis`; None where it has no such axis."""
    axes = QUANTITIES[name][0]
    if axis not in axes or np.ndim(value) != len(axes):
        return None
    return axes.index(axis)


def take(quantities: Mapping[str, Any], axis: str, part: slice) -> dict[str, Any]:
    """Cut every quantity that runs along `axis` to `part`; the others stay whole."""
    pieces = {}
    for name, value in quantities.items():
        dimension = along(name, value, axis)
        index = (slice(None),) * (dimension or 0) + (part,)
        pieces[name] = value if dimension is None else value[index]
    return pieces


def in_blocks(
    stage: Stage,
    quantities: Mapping[str, Any],
    settings: Mapping[str, Any],
    *,
    axis: str,
    size: int,
) -> np.ndarray:
    """Run a stage block by block; the answer is that of the stage on the whole.

    Parameters
    ----------
    stage : Stage
        What to run; `axis` must be one along which it may be cut.
    quantities : mapping of str to array
        What the stage needs, by name, and perhaps more.
    settings : mapping
        Its settings.
    axis : {"angle", "row"}
        Where to cut.
    size : int
        Length of a block along that axis.

    Returns
    -------
    ndarray
        What the stage gives, put together again.

    Raises
    ------
    ValueError
        If the stage may not be cut along `axis`, or nothing that it gets runs along it.
    """
    if axis not in stage.cut:
        allowed = ", ".join(stage.cut) or "no axis: it must see the whole"
        raise ValueError(f"{stage.name} may not be cut along {axis!r}; it may along {allowed}")
    lengths = {
        np.shape(quantities[name])[dimension]
        for name in stage.data
        if (dimension := along(name, quantities.get(name), axis)) is not None
    }
    if len(lengths) != 1:
        raise ValueError(f"{stage.name}: lengths along {axis!r} are {sorted(lengths)}, not one")
    overlap = stage.overlap_rows(settings) if axis == "row" else 0
    dimension = QUANTITIES[stage.gives][0].index(axis)

    def one(block: Block) -> np.ndarray:
        answer = stage(take(quantities, axis, block.outer), settings)
        inner = (slice(None),) * dimension + (block.inner,)
        return np.asarray(answer[inner])

    return np.concatenate(each(one, cut(lengths.pop(), size, overlap)), axis=dimension)


def each(
    function: Callable[[Any], T],
    blocks: Sequence[Any] | Iterable[Any],
    *,
    workers: int | None = None,
    done: Callable[[T], None] | None = None,
) -> list[T]:
    """Call ``function(block)`` for every block in Dask's threads.

    Parameters
    ----------
    function : callable
        Works on one block; must be safe to call from several threads.
    blocks : sequence
        The blocks, in the order in which they should start.
    workers : int, optional
        How many at the same time; all cores unless given.
    done : callable, optional
        Called with each answer as it comes, from one thread.

    Returns
    -------
    list
        The answers, in the order of the blocks.
    """
    listed = list(blocks)
    # Dask starts equal tasks from the last name: count down, so that the first block starts first.
    keys = [f"block-{len(listed) - number:08d}" for number in range(len(listed))]
    graph = {key: (function, block) for key, block in zip(keys, listed, strict=True)}

    def finished(_key: str, value: T, *_: Any) -> None:
        if done is not None:
            done(value)

    with Callback(posttask=finished):  # type: ignore[no-untyped-call]
        return list(get(graph, keys, num_workers=workers))


@dataclass
class _Parcel:
    """Something handed from one task to the next, which takes it out: Dask keeps no copy."""

    content: Any

    def take(self) -> Any:
        content, self.content = self.content, None
        return content


def in_line(
    read: Callable[[Any], Any],
    compute: Callable[[Any, Any], Any],
    write: Callable[[Any, Any], T],
    blocks: Sequence[Any],
    *,
    workers: int,
    done: Callable[[T], None],
) -> None:
    """Read, compute and write blocks in Dask's threads, so that the three overlap.

    One block is read ahead and `workers` are computed while others are written: what a task
    waits for in the graph keeps the blocks in memory to ``workers + 2``.

    Parameters
    ----------
    read : callable
        ``read(block)`` gives what `compute` needs.
    compute : callable
        ``compute(block, what was read)`` gives what is to be written.
    write : callable
        ``write(block, what was computed)``; its answer is passed on.
    blocks : sequence
        In the order in which they should start.
    workers : int
        Blocks computed at the same time.
    done : callable
        Called with the answer of each `write`, from one thread.
    """

    def reading(block: Any, *_: Any) -> _Parcel:
        return _Parcel(read(block))

    def computing(block: Any, parcel: _Parcel, *_: Any) -> _Parcel:
        return _Parcel(compute(block, parcel.take()))

    def writing(block: Any, parcel: _Parcel) -> T:
        return write(block, parcel.take())

    count = len(blocks)

    def key(task: str, number: int) -> list[str]:
        # Dask starts equal tasks from the last name: count down.
        return [f"{task}-{count - number:08d}"] if number >= 0 else []

    graph: dict[str, Any] = {}
    for n, block in enumerate(blocks):
        room = key("write", n - workers - 2)
        graph[key("read", n)[0]] = (reading, block, *key("read", n - 1), *room)
        turn = key("compute", n - workers)
        graph[key("compute", n)[0]] = (computing, block, *key("read", n), *turn)
        graph[key("write", n)[0]] = (writing, block, *key("compute", n))

    def finished(name: str, value: T, *_: Any) -> None:
        if name.startswith("write"):
            done(value)

    written = [key("write", n)[0] for n in range(count)]
    with Callback(posttask=finished):  # type: ignore[no-untyped-call]
        get(graph, written, num_workers=workers + 2)


def lazily(read: Callable[[Any], np.ndarray], array: Any) -> Any:
    """Give a Dask array whose blocks are read from a chunked array on demand.

    Parameters
    ----------
    read : callable
        Reads a part, given by a tuple of slices, as float32.
    array : array-like
        Has the `shape` and the `chunks` of what is read.
    """
    from dask import array as dask_array

    make: Any = dask_array  # Dask's own annotations stop here

    def block(block_info: Any = None) -> np.ndarray:
        location = block_info[None]["array-location"]
        return read(tuple(slice(first, stop) for first, stop in location))

    chunks = make.core.normalize_chunks(array.chunks, array.shape)
    return make.map_blocks(block, chunks=chunks, dtype=np.float32, meta=np.empty((0,) * 3))
