"""The compiler of all kernels. In: functions; out: kernels that fit their sources, kept on disk.

numba keeps a compiled kernel until the kernel's own file changes, but kernels and constants of
other files are compiled into it. Here each module's kernels have a folder named by the content
of its file and of all that it imports of its package and of xct: a change leads to another folder.
"""

from __future__ import annotations

import gc
import logging
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar, cast

from xct.parallel.lazy_kernels import LazyKernel

log = logging.getLogger("xct")
PACKAGE = __name__.partition(".")[0]
_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import[ \t]*(\([^)]*\)|[^\n]*)|import[ \t]+([^\n]*))",
    re.MULTILINE,
)
_STARTED = time.time()
_LOCATING = Lock()
F = TypeVar("F", bound=Callable[..., Any])


def njit(**options: Any) -> Callable[[F], F]:
    """Compile as `numba.njit` does; with ``cache=True``, keep kernels as long as they are right.

    numba is imported when the first kernel is called. Kernels are kept in `NUMBA_CACHE_DIR` where
    it is set, else in the package's own folder, or in the user's where that may not be written
    to. Where neither may, and where sources changed after they were imported, each process
    compiles.
    """
    # As NumPy divides: a check for zero at each division would keep loops from being vectorized.
    options = {"error_model": "numpy", **options}

    def lazy(function: F) -> F:
        kernel: Any = LazyKernel(function, partial(_compiled, options))
        return cast(F, kernel)

    return lazy


def _compiled(options: dict[str, Any], function: Callable[..., Any]) -> Any:
    numba = import_numba()
    sources = _sources(function.__module__)
    # A process that goes on with what it imported must not keep it under the name of the new.
    known = all(source.changed < _STARTED for source in sources.values())
    base = kernel_folder() if options.get("cache") and known else None
    fingerprint = source_fingerprint(function.__module__)
    if base is None:
        return numba.njit(**options | {"cache": False})(function)
    if fingerprint is None:  # a notebook: numba knows where it keeps its cells
        return numba.njit(**options)(function)
    with _LOCATING:
        usual, numba.config.CACHE_DIR = numba.config.CACHE_DIR, str(base / fingerprint)
        try:
            return numba.njit(**options)(function)
        finally:
            numba.config.CACHE_DIR = usual


@cache
def import_numba() -> Any:
    """Import numba when a kernel is needed, and look after its compiling."""
    import numba
    from numba.core import event

    class Listener(event.Listener):
        """Logs that kernels are compiled, once in a process.

        No garbage is collected meanwhile: what numba makes lives until a kernel is ready, and to
        look through it again and again took a tenth of the time.
        """

        def __init__(self) -> None:
            self.lock = Lock()
            self.logged = False
            self.begun = 0
            self.collects = False

        def on_start(self, event: Any) -> None:
            with self.lock:
                if not self.begun:
                    self.collects = gc.isenabled()
                    gc.disable()
                self.begun += 1
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
            with self.lock:
                self.begun -= 1
                if not self.begun and self.collects:
                    gc.enable()

    event.register("numba:compile", Listener())  # type: ignore[no-untyped-call]
    return numba


def kernel_folder() -> Path | None:
    """Find the folder in which kernels are kept; None if none may be written to."""
    chosen = import_numba().config.CACHE_DIR
    if chosen:
        return Path(chosen)
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


@dataclass(frozen=True)
class _Source:
    """A module's file: its digest, what it may import, and when it was put there or changed."""

    digest: bytes
    imported: frozenset[str]
    changed: float


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
    sources = _sources(module)
    total = sha256()
    for name in sorted(sources):
        total.update(name.encode() + b"\n" + sources[name].digest)
    return f"{module.partition('.')[2] or module}-{total.hexdigest()[:16]}" if sources else None


@cache
def _sources(module: str) -> dict[str, _Source]:
    packages = {PACKAGE, module.partition(".")[0]}
    found, waiting = dict[str, _Source](), {module}
    while waiting:
        name = waiting.pop()
        source = _read(name)
        if source is None:  # not a module: a function or a constant
            continue
        found[name] = source
        own = {one for one in source.imported if one.partition(".")[0] in packages}
        waiting |= own - set(found)
    return found


@cache
def _read(module: str) -> _Source | None:
    top, *rest = module.split(".")
    beginning = getattr(sys.modules.get(top), "__file__", None)
    if beginning is None:
        return None
    place = Path(beginning).parent.joinpath(*rest)
    own_file = Path(beginning) if not rest else place.with_name(f"{place.name}.py")
    for file in (own_file, place / "__init__.py"):
        try:
            content, changed = file.read_bytes(), file.stat().st_ctime
        except OSError:
            continue
        names = frozenset(_imported(content.decode("utf-8", "replace")))
        return _Source(sha256(content).digest(), names, changed)
    return None


def _imported(text: str) -> Iterator[str]:
    for module, taken, plain in _IMPORT.findall(text):
        yield from ([module] if module else [])
        for name in re.findall(r"([\w.]+)(?: +as +\w+)?", taken or plain):
            yield f"{module}.{name}" if module else name
