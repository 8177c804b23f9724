"""Timing. In: calls to compare; out: the median time of each, taken in turns."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import psutil

GIB = 2**30


@dataclass(frozen=True)
class Task:
    """A call to be timed.

    Attributes
    ----------
    call : callable
        What is timed.
    runs : int
        How often.
    scale : float
        What a run's seconds are multiplied by: one over the slices of a call, or more than 1
        where only a part of the work is done.
    warm_up : callable, optional
        Called once before, untimed runs and compilation included; `call` unless given.
    """

    call: Callable[[], object]
    runs: int = 5
    scale: float = 1.0
    warm_up: Callable[[], object] | None = None


@dataclass(frozen=True)
class Timing:
    """What was measured, in seconds: the median, every run, and the call that came first."""

    seconds: float
    runs: list[float]
    first_call: float


def in_turns(tasks: Mapping[str, Task]) -> dict[str, Timing]:
    """Time tasks in turns, so that a machine that slows down slows all of them.

    Parameters
    ----------
    tasks : mapping of str to Task
        What to time, by name.

    Returns
    -------
    dict of str to Timing
        In the same order.
    """
    first = {name: _seconds(task.warm_up or task.call) for name, task in tasks.items()}
    runs: dict[str, list[float]] = {name: [] for name in tasks}
    for number in range(max(task.runs for task in tasks.values())):
        for name, task in tasks.items():
            if number < task.runs:
                runs[name].append(_seconds(task.call) * task.scale)
    return {name: Timing(median(runs[name]), runs[name], first[name]) for name in tasks}


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


@dataclass
class Peak:
    """Most memory that the process held beyond what it held before, GiB."""

    gib: float = 0.0
    _stop: threading.Event = field(default_factory=threading.Event)


@contextmanager
def peak_memory() -> Iterator[Peak]:
    """Watch the memory of the process, 200 times a second."""
    process, peak = psutil.Process(), Peak()
    before = process.memory_info().rss

    def watch() -> None:
        while not peak._stop.wait(0.005):
            peak.gib = max(peak.gib, (process.memory_info().rss - before) / GIB)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        peak._stop.set()
        thread.join()


def entry(timing: Timing, unit: str) -> dict[str, Any]:
    """Give what a timing has for a file of figures; its seconds under the name `unit`."""
    return {unit: timing.seconds, "runs": timing.runs, "first_call_seconds": timing.first_call}
