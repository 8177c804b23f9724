"""Meter: seconds and peak memory of each step, also where several run at once."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import psutil


class Meter:
    """Adds up the time of each step and watches the memory of the process meanwhile.

    Used as a context manager around a run. Memory is that of the whole process, sampled 20 times
    a second and booked to every step that is running.
    """

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.peak_mib: defaultdict[str, float] = defaultdict(float)
        self._running: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._stop = threading.Event()

    def __enter__(self) -> Meter:
        self._stop.clear()
        threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step; the same step may run in several threads."""
        start = time.perf_counter()
        with self._lock:
            self._running[name] += 1
        self._book(psutil.Process().memory_info().rss)
        try:
            yield
        finally:
            self._book(psutil.Process().memory_info().rss)
            with self._lock:
                self._running[name] -= 1
                self.seconds[name] += time.perf_counter() - start

    def _book(self, rss: int) -> None:
        with self._lock:
            for name, count in self._running.items():
                if count:
                    self.peak_mib[name] = max(self.peak_mib[name], rss / 2**20)

    def _watch(self) -> None:
        process = psutil.Process()
        while not self._stop.wait(0.05):
            self._book(process.memory_info().rss)
