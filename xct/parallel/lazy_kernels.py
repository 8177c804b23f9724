"""Kernels that are compiled late. In: functions; out: what numba makes of them at the first call.

Importing numba takes longer than most commands of xct, which list, explain or check and compute
nothing. A kernel is therefore declared when its module is imported, and handed to numba when it
is first called or asked for.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Iterator
from threading import RLock
from types import CodeType, ModuleType
from typing import Any

_MAKING = RLock()


class LazyKernel:
    """A function that becomes numba's dispatcher when it is first called.

    Parameters
    ----------
    function : callable
        The kernel in Python.
    make : callable
        Gives numba's dispatcher, or intrinsic, for it.
    """

    def __init__(self, function: Callable[..., Any], make: Callable[[Any], Any]) -> None:
        functools.update_wrapper(self, function)
        self.py_func = function
        self._make = make
        self._begun: Any = None
        self._ready: Any = None

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Compute, as numba's dispatcher does."""
        return (self._ready or self.made())(*arguments, **named)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.made(), name)

    def __reduce__(self) -> tuple[Any, ...]:
        return _named, (self.__module__, self.__qualname__)

    def made(self) -> Any:
        """Hand this kernel, and those that it calls, to numba."""
        with _MAKING:
            if self._begun is None:
                self._begun = self._make(self.py_func)
                _resolve(self.py_func)
                self._ready = self._begun
            return self._begun


def _named(module: str, name: str) -> Any:
    return getattr(importlib.import_module(module), name)


def _resolve(function: Callable[..., Any]) -> None:
    """Put what numba made in place of the lazy kernels that a function names.

    numba looks at the values of a kernel's global names, and knows its own objects only.
    """
    names = set(_names(function.__code__))
    holders = [function.__globals__]
    holders += [vars(m) for name in names if isinstance(m := holders[0].get(name), ModuleType)]
    found = [
        (holder, name, holder[name].made())
        for holder in holders
        for name in names & holder.keys()
        if isinstance(holder[name], LazyKernel)
    ]
    for holder, name, made in found:  # when all are ready: other threads may call them at once
        holder[name] = made


def _names(code: CodeType) -> Iterator[str]:
    """List the global names and attributes that a function mentions, inner functions included."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
