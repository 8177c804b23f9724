"""Notifications: errors shown by napari itself. In: errors; out: words, never a traceback."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from napari.utils.notifications import (
    notification_manager,
    show_error,
    show_info,
    show_warning,
)

from xct.errors import RunError, XctError

__all__ = [
    "MENDABLE",
    "errors_shown",
    "explained",
    "show_again",
    "show_info",
    "show_mistake",
    "show_warning",
    "words",
]

_PATH = re.compile(
    r"(?P<folder>(?:/|[A-Za-z]:\\)[^:\n]*|[^:\s]+)[/\\](?P<name>[^/\\:\n]+(?::\d+)?): (?P<what>.+)",
    re.DOTALL,
)
F = TypeVar("F", bound=Callable[..., Any])

# What a user can mend, or a file can cause. Anything else is a mistake in xct, and napari shows
# it as such.
MENDABLE = (ValueError, KeyError, IndexError, OSError, RunError, ImportError, MemoryError)


def show_mistake(error: BaseException | str) -> None:
    """Show the user what is wrong.

    napari shows the first line of it, as wide as a few words, until it is clicked: a path stands at
    the end of it.
    """
    text = words(error)
    path = _PATH.match(text)
    if path and (Path(path["folder"]).is_absolute() or Path(path["folder"]).exists()):
        text = f"{path['name']}: {path['what']} (in {path['folder']})"
    show_error(text)


def show_again(first: int) -> None:
    """Show the notifications from number `first` on: they were given before there was a window."""
    for note in notification_manager.records[first:]:
        notification_manager.notification_ready(note)


def words(error: BaseException | str) -> str:
    """Put an error into words; never a traceback."""
    if isinstance(error, str):
        return error
    if isinstance(error, MemoryError):
        return "out of memory: look at a smaller part"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'file'}: {error.strerror}"
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    return text or type(error).__name__


class errors_shown:
    """Show errors of the user's data or settings as notifications, and go on.

    Parameters
    ----------
    what : str, optional
        What is wrong, where the error itself may not name it; errors of xct do.
    """

    def __init__(self, what: str = "") -> None:
        self._what = what

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, _: TracebackType | None) -> bool:
        if not isinstance(error, MENDABLE):
            return False
        named = self._what and not isinstance(error, XctError)
        show_mistake(f"{self._what}: {words(error)}" if named else error)
        return True


def explained(function: F) -> F:
    """Make a slot of a widget show what goes wrong instead of raising."""

    @wraps(function)
    def explaining(*args: Any, **settings: Any) -> Any:
        with errors_shown():
            return function(*args, **settings)
        return None

    return explaining  # type: ignore[return-value]
