"""How far a run is. In: steps that begin, pieces that are done; out: bar, log, a note.

The note `progress` in the journal is what `xct status` reads from another terminal.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from xct.errors import show_seconds
from xct.io.journal import Journal
from xct.parallel.counting import heard_by

log = logging.getLogger("xct")

NOTE = "progress"
_NOTED_EVERY_S = 2.0  # at most
_SHORT_S = 5.0  # what is shorter says nothing of how fast this machine is
_LOGGED_EVERY_S = 30.0  # of a step that is not done yet


@dataclass
class Whereabouts:
    """Where a run is: which step, how far, and about how long it goes on.

    Attributes
    ----------
    journal : Journal
        Of the run; a note there says where it is.
    expected_s : mapping of str to float
        The steps of the run in order, and how long each is expected to take.
    """

    journal: Journal
    expected_s: Mapping[str, float]
    _step: str = "start"
    _now: list[str] = field(default_factory=list)
    _since: float = field(default_factory=time.time)
    _begun: float = field(default_factory=time.monotonic)  # of the pass that goes on
    _first: int = 0  # pieces that were done then
    _pieces: tuple[int, int] = (0, 0)
    _spent_s: float = 0.0  # by steps that are done, and are expected to take a while
    _planned_s: float = 0.0  # by the same steps
    _noted: float = 0.0
    _logged: float = field(default_factory=time.monotonic)
    _bar: Any = None
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def enter(self, steps: Sequence[str]) -> None:
        """Begin one step, or several that share a pass over the volume."""
        with self._lock:
            self._take_bar_away()
            self._book()
            self._step, self._now = ", ".join(steps), list(steps)
            self._since, self._pieces = time.time(), (0, 0)
            self._logged = time.monotonic()
            self._note()

    def begin(self, done: int, total: int) -> None:
        """Begin a pass of so many pieces, some of which an earlier run did."""
        with self._lock:
            self._begun, self._first, self._pieces = time.monotonic(), done, (done, total)

    def advance(self, done: int, total: int) -> None:
        """Say how far the pass is that goes on."""
        with self._lock:
            if self._pieces[1] != total or done <= self._pieces[0]:
                self._take_bar_away()
                self.begin(0, total)
            self._pieces = (done, total)
            self._note_in_time()

    def hear(self, done: int, total: int) -> None:
        """Say how far a step without a `Progress` is: bar, now and then a line in the log."""
        with self._lock:
            if self._step in PASSES:
                return
            self.advance(done, total)
            if self._bar is None:
                self._bar = make_bar(self._step, total, 0, "part")
            if self._bar is not None:
                self._bar.update(done - self._bar.n)
            if done == total:
                self._take_bar_away()
            elif time.monotonic() - self._logged > _LOGGED_EVERY_S:
                self._logged = time.monotonic()
                left = self.left_s()
                ending = "" if left is None else f"; about {show_seconds(left)} left of this pass"
                log.info("%s: %d of %d parts%s", self._step, done, total, ending)

    def left_s(self) -> float | None:
        """Seconds left of the pass that goes on; None before the first piece."""
        done, total = self._pieces
        fresh = done - self._first
        spent = time.monotonic() - self._begun
        return spent / fresh * (total - done) if fresh > 0 else None

    def close(self) -> None:
        """Take the note and the bar away: the run ended."""
        with self._lock:
            self._take_bar_away()
            with suppress(OSError):
                (self.journal.folder / f"{NOTE}.json").unlink(missing_ok=True)

    def _take_bar_away(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _expected(self) -> tuple[float | None, float | None]:
        """Seconds left of this step, by its pace or as was expected, and of all later ones.

        Where steps until now took longer than was expected, later ones will as well.
        """
        steps = list(self.expected_s)
        here = [steps.index(name) for name in self._now if name in self.expected_s]
        if not here:
            return None, None
        later = sum(self.expected_s[name] for name in steps[max(here) + 1 :])
        own = sum(self.expected_s[steps[number]] for number in here)
        spent, left = time.time() - self._since, self.left_s()
        is_pass = self._step in PASSES
        took = spent + (left or 0.0) if is_pass else spent
        slower = max(1.0, (self._spent_s + took) / max(self._planned_s + own, _SHORT_S))
        if is_pass and left is not None:
            return left, later * slower
        return max(own * slower - spent, left or 0.0), later * slower

    def _book(self) -> None:
        """Keep how long the step took that ends, and was expected to take."""
        own = sum(self.expected_s.get(name, 0.0) for name in self._now)
        if own > 0:
            self._spent_s += time.time() - self._since
            self._planned_s += own

    def _note_in_time(self) -> None:
        if time.monotonic() - self._noted > _NOTED_EVERY_S:
            self._note()

    def _note(self) -> None:
        self._noted = time.monotonic()
        steps = list(self.expected_s)
        numbers = [steps.index(name) + 1 for name in self._now if name in self.expected_s]
        done, total = self._pieces
        step_left_s, later_s = self._expected()
        with suppress(OSError):  # no run ends for that
            self.journal.write(
                NOTE,
                {
                    "step": self._step,
                    "number": min(numbers, default=0),
                    "steps": len(steps),
                    "since": self._since,
                    "at": time.time(),
                    "done": done,
                    "total": total,
                    "left_s": self.left_s() if total else None,
                    "step_left_s": step_left_s,
                    "later_s": later_s,
                },
            )


PASSES = ("frames", "slabs", "copying", "turning")  # steps that are one pass each

_whereabouts: ContextVar[Whereabouts | None] = ContextVar("xct_whereabouts", default=None)


@contextmanager
def noted(whereabouts: Whereabouts) -> Iterator[None]:
    """Note where the run inside is; what it was doing stays noted where it fails."""
    known = _whereabouts.set(whereabouts)
    try:
        with heard_by(pass_goes_on):
            yield
        whereabouts.close()
    finally:
        _whereabouts.reset(known)


def at_step(*steps: str) -> None:
    """Say that a step of the run begins, or several that share a pass over the volume."""
    whereabouts = _whereabouts.get()
    if whereabouts is not None:
        whereabouts.enter(steps)


def pass_goes_on(done: int, total: int) -> None:
    """Say how far the pass of the present step is; a `Progress` says it itself."""
    whereabouts = _whereabouts.get()
    if whereabouts is not None and total > 1:
        whereabouts.hear(done, total)


def make_bar(what: str, total: int, done: int, unit: str) -> Any:
    """Make a bar of progress; None where nobody would see it, or lines were asked for."""
    lines = any(getattr(handler, "without_bars", False) for handler in log.handlers)
    if lines or not (sys.stderr.isatty() and log.isEnabledFor(logging.INFO)):
        return None
    from tqdm import tqdm

    return tqdm(total=total, initial=done, desc=what, unit=unit, leave=False)


class Progress:
    """Counts finished pieces of a known number: a bar on a terminal, plain lines in a log.

    Parameters
    ----------
    what : str
        Name of the work, which is a step of the run.
    total : int
        Pieces in all.
    done : int
        Pieces that an earlier run finished.
    """

    def __init__(self, what: str, total: int, done: int = 0) -> None:
        self.what, self.total, self.done = what, total, done
        self._where = _whereabouts.get()
        at_step(what)
        if self._where is not None:
            self._where.begin(done, total)
        self._start, self._first = time.monotonic(), done
        self._bar = make_bar(what, total, done, "slab")

    def step(self, piece: str) -> None:
        """Count a piece as finished."""
        self.done += 1
        spent = time.monotonic() - self._start
        left = spent / (self.done - self._first) * (self.total - self.done)
        extra = {"to_screen": self._bar is None, "done": self.done, "total": self.total}
        ending = f"; about {show_seconds(left)} left" if self.done < self.total else ""
        log.info("%s: %d of %d: %s%s", self.what, self.done, self.total, piece, ending, extra=extra)
        if self._bar is not None:
            self._bar.update()
        if self._where is not None:
            self._where.advance(self.done, self.total)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()
