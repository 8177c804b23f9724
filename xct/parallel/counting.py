"""How far a pass over a volume has come. In: pieces that were done; out: calls to who listens.

A pass inside of another one is part of it. In another process nobody listens.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

Listener = Callable[[int, int], None]


@dataclass
class _Counter:
    total: int
    tell: Listener
    done: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, pieces: int) -> None:
        with self.lock:
            self.done += pieces
            self.tell(self.done, self.total)


_listener: ContextVar[Listener | None] = ContextVar("xct_listener_of_passes", default=None)
_counter: ContextVar[_Counter | None] = ContextVar("xct_counter", default=None)


@contextmanager
def heard_by(listener: Listener) -> Iterator[None]:
    """Call ``listener(done, total)`` when a pass inside begins, and after every piece of it.

    The calls come one at a time, from any thread.
    """
    heard = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(heard)


@contextmanager
def counting(total: int) -> Iterator[bool]:
    """Begin a pass over so many pieces; whether it is one, and not a part of another."""
    listener = _listener.get()
    if listener is None or _counter.get() is not None:
        yield False
        return
    listener(0, total)
    counter = _counter.set(_Counter(total, listener))
    try:
        yield True
    finally:
        _counter.reset(counter)


def count(pieces: int = 1) -> None:
    """Count pieces of the pass that goes on as done."""
    counter = _counter.get()
    if counter is not None:
        counter.add(pieces)
