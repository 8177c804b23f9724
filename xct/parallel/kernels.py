"""The compiler of all kernels. In: functions; out: kernels that fit their sources, kept on disk.

numba keeps a compiled kernel until the kernel's own file changes, but kernels and constants of
other files are compiled into it. Here each module's kernels have a folder named by the content
of its file and of all that it imports of its package and of xct: a change leads to another folder.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Callable, Iterator
from functools import cache
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import numba
from numba.core import event

config: Any = numba.config  # its settings carry no types
log = logging.getLogger("xct")
PACKAGE = __name__.partition(".")[0]
_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import[ \t]*(\([^)]*\)|[^\n]*)|import[ \t]+([^\n]*))",
    re.MULTILINE,
)
_LOCATING = Lock()
F = TypeVar("F", bound=Callable[..., Any])


def njit(**options: Any) -> Callable[[F], F]:
    """Compile as `numba.njit` does; with ``cache=True``, keep kernels as long as they are right.

    They are kept in `NUMBA_CACHE_DIR` where it is set, else in the package's own folder, or in
    the user's where that may not be written to. Where neither may, each process compiles.
    """

    def compiled(function: F) -> Any:
        base = kernel_folder() if options.get("cache") else None
        fingerprint = source_fingerprint(function.__module__) if base else None
        if base is None:
            return numba.njit(**options | {"cache": False})(function)
        if fingerprint is None:  # a notebook: numba knows where it keeps its cells
            return numba.njit(**options)(function)
        with _LOCATING:
            usual, config.CACHE_DIR = config.CACHE_DIR, str(base / fingerprint)
            try:
                return numba.njit(**options)(function)
            finally:
                config.CACHE_DIR = usual

    return compiled


def kernel_folder() -> Path | None:
    """Find the folder in which kernels are kept; None if none may be written to."""
    if config.CACHE_DIR:
        return Path(config.CACHE_DIR)
    user = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    inside = Path(__file__).parents[1] / "__pycache__" / "kernels"
    return _first_writable(inside, Path(user).expanduser() / PACKAGE / "kernels")


@cache
def _first_writable(*folders: Path) -> Path | None:
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return folder
    return None


@cache
def source_fingerprint(module: str) -> str | None:
    """Name a module and the content of its file and of those that it imports, also indirectly.

    Counted are files of the module's own package and of xct, whether they are imported at the top
    of a module or inside a function.

    Returns
    -------
    str or None
        ``name-hash``; None if the module has no file.
    """
    if _read(module) is None:
        return None
    packages = {PACKAGE, module.partition(".")[0]}
    contents, waiting = dict[str, bytes](), {module}
    while waiting:
        name = waiting.pop()
        source = _read(name)
        if source is None:  # not a module: a function or a constant
            continue
        contents[name], imported = source
        waiting |= {one for one in imported if one.partition(".")[0] in packages} - set(contents)
    total = sha256()
    for name in sorted(contents):
        total.update(name.encode() + b"\n" + contents[name])
    return f"{module.partition('.')[2] or module}-{total.hexdigest()[:16]}"


@cache
def _read(module: str) -> tuple[bytes, frozenset[str]] | None:
    """Give the digest of a module's file, and the dotted names that it may import."""
    top, *rest = module.split(".")
    beginning = getattr(sys.modules.get(top), "__file__", None)
    if beginning is None:
        return None
    place = Path(beginning).parent.joinpath(*rest)
    own_file = Path(beginning) if not rest else place.with_name(f"{place.name}.py")
    for file in (own_file, place / "__init__.py"):
        try:
            content = file.read_bytes()
        except OSError:
            continue
        names = frozenset(_imported(content.decode("utf-8", "replace")))
        return sha256(content).digest(), names
    return None


def _imported(text: str) -> Iterator[str]:
    for module, taken, plain in _IMPORT.findall(text):
        yield from ([module] if module else [])
        for name in re.findall(r"([\w.]+)(?: +as +\w+)?", taken or plain):
            yield f"{module}.{name}" if module else name


class _Listener(event.Listener):
    """Logs that kernels are compiled, once in a process."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.logged = False

    def on_start(self, event: Any) -> None:
        module = event.data["dispatcher"].py_func.__module__
        if module.partition(".")[0] != PACKAGE:
            return
        with self.lock:
            first, self.logged = not self.logged, True
        if first:
            log.info(
                "compiling kernels for this processor: takes some seconds, and only once, as "
                "they are kept on disk"
            )

    def on_end(self, event: Any) -> None:
        pass


event.register("numba:compile", _Listener())  # type: ignore[no-untyped-call]
