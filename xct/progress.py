"""Progress: a bar on a terminal, plain lines in a log."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from xct.resources import show_seconds

log = logging.getLogger("xct")


class Progress:
    """Counts finished pieces of a known number.

    Parameters
    ----------
    what : str
        Name of the work.
    total : int
        Pieces in all.
    done : int
        Pieces that an earlier run finished.
    """

    def __init__(self, what: str, total: int, done: int = 0) -> None:
        self.what, self.total, self.done = what, total, done
        self._start, self._first = time.monotonic(), done
        self._bar: Any = None
        if sys.stderr.isatty() and log.isEnabledFor(logging.INFO):
            from tqdm import tqdm

            self._bar = tqdm(total=total, initial=done, desc=what, unit="slab", leave=False)

    def step(self, piece: str) -> None:
        """Count a piece as finished."""
        self.done += 1
        spent = time.monotonic() - self._start
        left = spent / (self.done - self._first) * (self.total - self.done)
        extra = {"to_screen": self._bar is None}
        ending = f"; about {show_seconds(left)} left" if self.done < self.total else ""
        log.info("%s: %d of %d: %s%s", self.what, self.done, self.total, piece, ending, extra=extra)
        if self._bar is not None:
            self._bar.update()

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()


@contextmanager
def log_file(path: Path) -> Iterator[None]:
    """Write the log into a file as well, with times."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    level = log.level
    log.addHandler(handler)
    log.setLevel(min(level or logging.INFO, logging.INFO))
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
        handler.close()
