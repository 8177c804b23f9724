"""The compiler of all kernels. In: functions; out: kernels that fit their sources, kept on disk.

Importing it forgets kernels that were compiled from older sources, and lets the log say, once in a
process, when kernels are compiled: after an update, or on a machine where it was never done.
"""

from __future__ import annotations

import logging
from pathlib import Path
from threading import Lock
from typing import Any

from numba import njit
from numba.core import event

from xct.outdated_kernels import forget_outdated

__all__ = ["njit"]

log = logging.getLogger("xct")
PACKAGE = __name__.partition(".")[0]


class _Listener(event.Listener):
    """Waits for the first kernel of ours that is not found on disk."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.said = False

    def on_start(self, event: Any) -> None:
        module = event.data["dispatcher"].py_func.__module__
        if module.partition(".")[0] != PACKAGE:
            return
        with self.lock:
            first, self.said = not self.said, True
        if first:
            log.info(
                "compiling kernels for this processor: takes some seconds, and only once, as "
                "they are kept on disk"
            )

    def on_end(self, event: Any) -> None:
        pass


forget_outdated(Path(__file__).parent)
event.register("numba:compile", _Listener())  # type: ignore[no-untyped-call]
