"""Say it when kernels are being compiled. In: numba's compiler at work; out: one line in the log.

Compiled kernels are kept on disk, so this happens once on a machine, and again after an update.
"""

from __future__ import annotations

import logging
from threading import Lock
from typing import Any

from numba.core import event

log = logging.getLogger("xct")
PACKAGE = __name__.partition(".")[0]


def announce_compiling() -> None:
    """Let the log say, once in a process, that kernels are compiled; nothing if none must be.

    May be called again and again, from any module that has kernels.
    """
    with _listener.lock:
        if not _listener.installed:
            event.register("numba:compile", _listener)  # type: ignore[no-untyped-call]
            _listener.installed = True


class _Listener(event.Listener):
    """Waits for the first kernel of ours that is not found on disk."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.installed = False
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


_listener = _Listener()
