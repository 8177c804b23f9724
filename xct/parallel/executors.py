"""Working on blocks: one primitive, and who carries it out.

In: a function and blocks; out: an answer for each block, in their order.

A function that works on blocks stands at the top of its module and takes what can be sent to
another process: blocks, paths, lazy arrays, small objects. Then any executor may carry it out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from xct.parallel.counting import count, counting
from xct.parallel.threads import limit_threads, thread_count

T = TypeVar("T")
Done = Callable[[Any], None]


@dataclass(frozen=True)
class Work:
    """What is done with each block.

    Attributes
    ----------
    compute : callable
        ``compute(block, *arguments)``; with `read`, ``compute(block, what was read, *arguments)``.
    arguments : tuple
        The same for all blocks.
    read : callable or None
        ``read(block, *arguments)``: one block is read ahead while others are computed.
    write : callable or None
        ``write(block, what was computed, *arguments)`` gives the answer of the block.
    """

    compute: Callable[..., Any]
    arguments: tuple[Any, ...] = ()
    read: Callable[..., Any] | None = None
    write: Callable[..., Any] | None = None


class Executor(Protocol):
    """Carries out work on blocks."""

    def map(
        self, work: Work, blocks: Sequence[Any], *, workers: int, done: Done | None
    ) -> list[Any]:
        """Give the answer of every block, in their order; `done` gets each as it comes."""
        ...


class Threads:
    """Dask's threads in this process: no server, nothing to start."""

    def map(
        self, work: Work, blocks: Sequence[Any], *, workers: int, done: Done | None
    ) -> list[Any]:
        """Give the answer of every block; at most ``workers + 2`` are in memory at a time."""
        from dask.callbacks import Callback
        from dask.threaded import get

        workers = max(1, min(workers, len(blocks)))  # one block alone may use all cores
        inside = max(1, thread_count() // workers)
        total, context = len(blocks), copy_context()

        def alone(task: Callable[..., Any], *arguments: Any) -> Any:
            with limit_threads(inside):
                return task(*arguments, *work.arguments)

        def inherit(task: Callable[..., Any], *arguments: Any) -> Any:
            return context.copy().run(alone, task, *arguments)

        def reading(block: Any, *_: Any) -> _Parcel:
            return _Parcel(None if work.read is None else inherit(work.read, block))

        def computing(block: Any, parcel: _Parcel, *_: Any) -> _Parcel:
            content = () if work.read is None else (parcel.take(),)
            return _Parcel(inherit(work.compute, block, *content))

        def writing(block: Any, parcel: _Parcel) -> Any:
            found = parcel.take()
            return found if work.write is None else inherit(work.write, block, found)

        def key(task: str, number: int) -> list[str]:
            # Dask starts equal tasks from the last name: count down.
            return [f"{task}-{total - number:08d}"] if number >= 0 else []

        graph: dict[str, Any] = {}
        for n, block in enumerate(blocks):
            room = key("write", n - workers - 2)
            graph[key("read", n)[0]] = (reading, block, *key("read", n - 1), *room)
            turn = key("compute", n - workers)
            graph[key("compute", n)[0]] = (computing, block, *key("read", n), *turn)
            graph[key("write", n)[0]] = (writing, block, *key("compute", n))

        def finished(name: str, value: Any, *_: Any) -> None:
            if done is not None and name.startswith("write"):
                done(value)

        threads = workers if work.read is None and work.write is None else workers + 2
        # A pool of its own: Dask keeps one for later, whose threads are gone after a fork.
        pool = ThreadPoolExecutor(threads)
        try:
            with Callback(posttask=finished):  # type: ignore[no-untyped-call]
                return list(get(graph, [key("write", n)[0] for n in range(total)], pool=pool))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


_executor: ContextVar[Executor | None] = ContextVar("xct_executor", default=None)
_workers: ContextVar[int] = ContextVar("xct_workers", default=1)


@contextmanager
def executed_by(executor: Executor | None = None, *, workers: int | None = None) -> Iterator[None]:
    """Choose who carries out the work on blocks inside, and how many blocks at a time."""
    chosen = _executor.set(executor or _executor.get())
    several = _workers.set(workers or _workers.get())
    try:
        yield
    finally:
        _workers.reset(several)
        _executor.reset(chosen)


def worker_count() -> int:
    """How many blocks at a time `executed_by` has chosen, in all processes together."""
    return _workers.get() * getattr(_executor.get(), "processes", 1)


def map_blocks(
    compute: Callable[..., T],
    blocks: Sequence[Any],
    *arguments: Any,
    read: Callable[..., Any] | None = None,
    write: Callable[..., Any] | None = None,
    workers: int | None = None,
    done: Done | None = None,
) -> list[Any]:
    """Work on every block; the answers come in the order of the blocks.

    Reading, computing and writing of different blocks overlap where `read` or `write` are given,
    and at most ``workers + 2`` blocks are in memory. What a block gives must not depend on how the
    volume was cut, so that the answers can be combined in order, whatever the cut.

    Parameters
    ----------
    compute : callable
        ``compute(block, *arguments)``, or ``compute(block, found, *arguments)`` with `read`; at the
        top of a module, and safe to call from several threads.
    blocks : sequence
        In the order in which they should start.
    *arguments
        Further arguments of all three functions: lazy arrays, paths, small objects.
    read, write : callable, optional
        ``read(block, *arguments)`` gives what `compute` needs; ``write(block, computed,
        *arguments)`` stores what it gave, and its answer is that of the block.
    workers : int, optional
        Blocks computed at the same time; what `executed_by` says unless given.
    done : callable, optional
        Called with each answer as it comes, from one thread.

    Returns
    -------
    list
        The answers, in the order of the blocks.
    """
    work = Work(compute, arguments, read, write)
    executor = _executor.get() or Threads()

    def counted(answer: Any) -> None:
        count()
        if done is not None:
            done(answer)

    with counting(len(blocks)) as is_pass:
        told = counted if is_pass else done
        return executor.map(work, list(blocks), workers=workers or _workers.get(), done=told)


@dataclass
class _Parcel:
    """Something handed from one task to the next, which takes it out: Dask keeps no copy."""

    content: Any

    def take(self) -> Any:
        content, self.content = self.content, None
        return content
