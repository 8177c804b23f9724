"""Remarks: warnings of stages, gathered with the step that they come from."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_step: ContextVar[str] = ContextVar("xct_step", default="run")


@contextmanager
def from_step(name: str) -> Iterator[None]:
    """Book remarks made inside to a step."""
    token = _step.set(name)
    try:
        yield
    finally:
        _step.reset(token)


class Remarks:
    """Each remark once, in the order in which they came: ``{"step", "message"}``."""

    def __init__(self, earlier: Iterable[dict[str, str]] = ()) -> None:
        self.listed: list[dict[str, str]] = list(earlier)
        self._lock = threading.Lock()

    def add(self, message: str, step: str | None = None) -> bool:
        """Add a remark; False if it was there already."""
        remark = {"step": step or _step.get(), "message": message}
        with self._lock:
            if remark in self.listed:
                return False
            self.listed.append(remark)
            return True

    @contextmanager
    def gathered(self) -> Iterator[None]:
        """Gather what stages say by `warnings.warn` inside, in all threads."""

        def note(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
            if issubclass(category, UserWarning):
                self.add(str(message))

        with warnings.catch_warnings():
            warnings.simplefilter("always", UserWarning)
            warnings.showwarning = note
            yield
