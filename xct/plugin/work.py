"""Work beside the window: the latest request is answered, older ones are forgotten."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from qtpy.QtCore import QObject, QTimer, Signal

from xct.plugin.notify import MENDABLE, complain


class Latest(QObject):
    """Runs one function at a time in a thread; while it is busy, only the last request waits.

    Signals
    -------
    done
        The answer to the latest request, in the window's thread.
    failed
        There is no answer; the user has been told why.
    """

    done = Signal(object)
    failed = Signal()
    _finished = Signal(object)

    def __init__(self, parent: QObject | None = None, delay_ms: int = 0) -> None:
        super().__init__(parent)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="xct-plugin")
        self._running: Future[Any] | None = None
        self._waiting: Callable[[], Any] | None = None
        self._finished.connect(self._deliver)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(delay_ms)
        self._timer.timeout.connect(self._start)

    @property
    def idle(self) -> bool:
        """Whether nothing is running and nothing waits."""
        return self._running is None and self._waiting is None

    def ask(self, function: Callable[[], Any]) -> None:
        """Have a function called soon, in place of one that still waits."""
        self._waiting = function
        if self._running is None:
            self._timer.start()

    def stop(self) -> None:
        """Forget what waits, and let the thread end."""
        self._waiting = None
        self._timer.stop()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _start(self) -> None:
        function, self._waiting = self._waiting, None
        if function is None or self._running is not None:
            return
        self._running = self._pool.submit(function)
        self._running.add_done_callback(self._tell)

    def _tell(self, future: Future[Any]) -> None:
        try:
            self._finished.emit(future)
        except RuntimeError:  # the window is closed
            pass

    def _deliver(self, future: Future[Any]) -> None:
        self._running = None
        if self._waiting is not None:
            self._timer.start()
        error = None if future.cancelled() else future.exception()
        if error is None:
            self.done.emit(future.result())
        elif isinstance(error, MENDABLE):
            complain(error)
            self.failed.emit()
        else:
            self.failed.emit()
            raise error
