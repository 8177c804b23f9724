"""What is watched during a run: time and memory of each step, warnings, the log.

What watches a run is known to everything that runs inside, in any thread, by context variables.
Outside of a run nothing is watched.
"""

from __future__ import annotations

import logging
import threading
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import psutil

log = logging.getLogger("xct")

_meter: ContextVar[Meter | None] = ContextVar("xct_meter", default=None)
_step: ContextVar[str] = ContextVar("xct_step", default="run")
_stop: ContextVar[threading.Event | None] = ContextVar("xct_stop", default=None)


UNSEEN = {"to_screen": False}  # of a line for the log alone
FAULT = "a fault of the program, not of the data"


def fault_of(error: BaseException) -> str:
    """Say in one line that something failed by a fault of its program, not for its data."""
    what = " ".join(str(error).split())
    kind = type(error).__name__
    return f"{FAULT} ({kind}: {what}); run.log holds what is needed to report it"


# By a signal: the exception that its handler raises is lost where it comes within a callback of the
# interpreter, such as that of a weak reference.
asked_to_end = threading.Event()


class Interrupted(KeyboardInterrupt):
    """The run was asked to end; raised between two steps of a block."""


@contextmanager
def watched(meter: Meter, stop: threading.Event) -> Iterator[None]:
    """Watch what runs inside: `timed` reports to `meter`, `go_on` looks at `stop`."""
    metering, stopping = _meter.set(meter), _stop.set(stop)
    try:
        with meter:
            yield
    finally:
        _stop.reset(stopping)
        _meter.reset(metering)


@contextmanager
def timed(name: str) -> Iterator[None]:
    """Report time and memory of what runs inside as those of a step; its warnings, too."""
    meter, token = _meter.get(), _step.set(name)
    try:
        if meter is None:
            yield
        else:
            with meter.step(name):
                yield
    finally:
        _step.reset(token)


def go_on() -> None:
    """End here if the run was asked to end.

    Raises
    ------
    Interrupted
        If so.
    """
    stop = _stop.get()
    if asked_to_end.is_set() or (stop is not None and stop.is_set()):
        raise Interrupted


class Meter:
    """Adds up the time of each step and watches the memory of the process meanwhile.

    Used as a context manager around a run. Memory is that of the whole process, sampled 20 times
    a second and attributed to every step that is running.
    """

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.cpu_seconds: defaultdict[str, float] = defaultdict(float)
        self.peak_mib: defaultdict[str, float] = defaultdict(float)
        self._running: Counter[str] = Counter()
        self._cpu_booked = time.process_time()
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
            self._book_cpu()
            self._running[name] += 1
        self._book(psutil.Process().memory_info().rss)
        try:
            yield
        finally:
            self._book(psutil.Process().memory_info().rss)
            with self._lock:
                self._book_cpu()
                self._running[name] -= 1
                self.seconds[name] += time.perf_counter() - start

    def _book_cpu(self) -> None:
        """Book the processors' time since the last change, in equal parts to what was running."""
        now = time.process_time()
        running = sum(self._running.values())
        for name, count in self._running.items():
            if count:
                self.cpu_seconds[name] += (now - self._cpu_booked) * count / running
        self._cpu_booked = now

    def _book(self, rss: int) -> None:
        with self._lock:
            for name, count in self._running.items():
                if count:
                    self.peak_mib[name] = max(self.peak_mib[name], rss / 2**20)

    def _watch(self) -> None:
        process = psutil.Process()
        while not self._stop.wait(0.05):
            self._book(process.memory_info().rss)

    def report(self) -> dict[str, dict[str, float]]:
        """Give what was measured, to be added to another meter."""
        return {
            "seconds": dict(self.seconds),
            "cpu_seconds": dict(self.cpu_seconds),
            "peak_mib": dict(self.peak_mib),
        }

    def add(self, report: Mapping[str, Mapping[str, float]]) -> None:
        """Add what a meter in another process measured; memory is that of the largest process."""
        with self._lock:
            for name, seconds in report["seconds"].items():
                self.seconds[name] += seconds
                self.cpu_seconds[name] += report["cpu_seconds"].get(name, 0.0)
                self.peak_mib[name] = max(self.peak_mib[name], report["peak_mib"].get(name, 0.0))


class RunWarnings:
    """Each warning once, in the order in which they came: ``{"step", "message"}``."""

    def __init__(self, earlier: Iterable[dict[str, str]] = ()) -> None:
        self.listed: list[dict[str, str]] = list(earlier)
        self._lock = threading.Lock()

    def add(self, message: str, step: str | None = None, *, first: bool = False) -> bool:
        """Add a warning, before all others if it must be known `first`; False if it was there."""
        entry = {"step": step or _step.get(), "message": message}
        with self._lock:
            if entry in self.listed:
                return False
            self.listed.insert(0 if first else len(self.listed), entry)
            return True

    @contextmanager
    def gathered(self) -> Iterator[None]:
        """Gather what stages say by `warnings.warn` inside, in all threads."""
        listening = _listener.set(self)
        try:
            with _LISTENING:
                yield
        finally:
            _listener.reset(listening)


_listener: ContextVar[RunWarnings | None] = ContextVar("xct_listener", default=None)


class _Listening:
    """`warnings.warn` reaches the run inside which it is called, as long as any run goes on.

    Several runs may begin and end in any order in threads of one process; the first one changes
    what Python does with warnings, and the last one puts it back.
    """

    def __init__(self) -> None:
        self._lock, self._runs = threading.Lock(), 0
        self._before: Any = None

    def __enter__(self) -> None:
        with self._lock:
            self._runs += 1
            if self._runs == 1:
                self._before = warnings.catch_warnings()
                self._before.__enter__()
                warnings.simplefilter("always", UserWarning)
                warnings.showwarning = _heard(warnings.showwarning)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._runs -= 1
            if self._runs == 0:
                self._before.__exit__(None, None, None)


_LISTENING = _Listening()


def _heard(shown: Callable[..., None]) -> Callable[..., None]:
    """Give a warning to the run that it is of; others are shown as before."""

    def note(message: Warning | str, category: type[Warning], *args: Any, **kwargs: Any) -> None:
        run = _listener.get()
        if run is None:
            shown(message, category, *args, **kwargs)
        elif issubclass(category, UserWarning):
            run.add(str(message))

    return note


_logged: ContextVar[Path | None] = ContextVar("xct_logged", default=None)
_levels: list[int] = []  # of the log before the runs that go on now
_levels_lock = threading.Lock()


@contextmanager
def log_file(path: Path) -> Iterator[None]:
    """Write the log of this run, and of no other in the process, into a file as well."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    handler.addFilter(lambda record: _logged.get() == path)
    logged = _logged.set(path)
    with _levels_lock:
        _levels.append(log.level if not _levels else _levels[0])
        log.setLevel(min(log.level or logging.INFO, logging.INFO))
        log.addHandler(handler)
    try:
        yield
    finally:
        _logged.reset(logged)
        with _levels_lock:
            log.removeHandler(handler)
            before = _levels.pop()
            if not _levels:
                log.setLevel(before)
        handler.close()
