"""The compiler of all kernels. In: functions; out: kernels that fit their sources, kept on disk.

Importing it forgets kernels that were compiled from older sources, and lets the log say, once in a
process, when kernels are compiled: after an update, or on a machine where it was never done.
"""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path
from threading import Lock
from typing import Any

from numba import njit
from numba.core import event

# numba keeps a compiled kernel on disk until the kernel's own file changes. Kernels and constants
# of other files are compiled into it, so that after a change of those it would compute as before.


_IMPORT = re.compile(r"^\s*(?:from|import) ([\w.]+)(?: import ([\w, ]+))?", re.MULTILINE)


def forget_outdated(package: Path) -> list[Path]:
    """Remove the compiled kernels of a package that are older than what they are made of.

    Folders that may not be written to are left alone: numba does not look there.

    Parameters
    ----------
    package : Path
        The package's folder.

    Returns
    -------
    list of Path
        Index files that are gone; numba compiles these kernels when they are called next.
    """
    sources = _Sources(package)
    outdated = [
        index
        for index in package.rglob("__pycache__/*.nbi")
        if os.access(index.parent, os.W_OK)
        and _written(index) <= sources.changed(_source_of(index))
    ]
    for index in outdated:
        for data in index.parent.glob(f"{index.stem}.*.nbc"):
            data.unlink(missing_ok=True)
        index.unlink(missing_ok=True)
    return outdated


def _written(index: Path) -> float:
    """Tell when a kernel was compiled; never, if another process has just removed it."""
    try:
        return index.stat().st_mtime
    except FileNotFoundError:
        return float("-inf")


def _source_of(index: Path) -> Path:
    """Give the file of ``module.function-line.python.nbi``."""
    return index.parent.parent / f"{index.name.partition('.')[0]}.py"


class _Sources:
    """When files of a package changed, or what they import of it."""

    def __init__(self, package: Path) -> None:
        self.package = package
        self.imports: dict[Path, set[Path]] = {}

    def changed(self, source: Path) -> float:
        """Give the latest change of a file and of all that it imports, in seconds."""
        seen, waiting = set[Path](), {source}
        while waiting:
            one = waiting.pop()
            seen.add(one)
            waiting |= self._imports(one) - seen
        return max((one.stat().st_mtime for one in seen if one.is_file()), default=float("inf"))

    def _imports(self, source: Path) -> set[Path]:
        if source not in self.imports:
            text = source.read_text(encoding="utf-8") if source.is_file() else ""
            found = {
                file for match in _IMPORT.finditer(text) for file in self._files(*match.groups())
            }
            self.imports[source] = found
        return self.imports[source]

    def _files(self, module: str, names: str | None) -> list[Path]:
        """Find a module, and those among the names taken from it, if they are of the package."""
        if module.partition(".")[0] != self.package.name:
            return []
        place = self.package.parent.joinpath(*module.split("."))
        inside = [place / f"{name.strip()}.py" for name in (names or "").split(",")]
        candidates = [place.with_suffix(".py"), place / "__init__.py", *inside]
        return [file for file in candidates if file.is_file()]


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


forget_outdated(Path(__file__).parents[1])
event.register("numba:compile", _Listener())  # type: ignore[no-untyped-call]
