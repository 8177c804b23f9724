"""Reconstruction engines: one protocol, found by name. In: a name; out: the engine.

An engine of another package is found by its entry point in the group ``xct.engines``, or is
registered by `register_engine`. It is imported when it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from functools import cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from xct.errors import DataError

if TYPE_CHECKING:
    from xct.reconstruct.inputs import Request

GROUP = "xct.engines"
AUTO = "auto"
_BEST = "fourier"  # what `auto` stands for


@runtime_checkable
class Engine(Protocol):
    """What reconstructs slices from line integrals, and what it needs for that."""

    @property
    def name(self) -> str:
        """Name by which `fbp` and configurations ask for it."""

    @property
    def at_once(self) -> int | None:
        """How many slabs of rows may be reconstructed at the same time; None: any number."""

    def unavailable(self) -> str | None:
        """Give the reason why it cannot run here, and the remedy; None if it can."""

    def memory_bytes(self, shape: tuple[int, int, int], size: int) -> float:
        """Memory that it allocates for a slab, its slices included.

        Parameters
        ----------
        shape : tuple of int
            Angles, rows and columns of the slab.
        size : int
            Width and height of a slice.
        """

    def reconstruct(self, request: Request) -> np.ndarray:
        """Reconstruct slices in 1/cm, shape (row, y, x), float32, as `xct.reconstruct.fbp` says.

        Raises
        ------
        DataError
            If it cannot do with `request.memory_gib`.
        """


def _fourier() -> Engine:
    from xct.reconstruct.gridding.engine import FourierEngine

    return FourierEngine()


def _astra() -> Engine:
    from xct.reconstruct.astra_engine import AstraEngine

    return AstraEngine()


_KNOWN: dict[str, Callable[[], Engine]] = {_BEST: cache(_fourier), "astra": cache(_astra)}


def register_engine(engine: Engine) -> None:
    """Make an engine known in this process by its name; a later one replaces an earlier one.

    Raises
    ------
    TypeError
        If something of the protocol is missing.
    DataError
        If the name is one of xct's own.
    """
    _check_protocol(engine)
    if engine.name in (AUTO, _BEST, "astra"):
        raise DataError(f"engine name {engine.name!r} is taken by xct; choose another")
    _KNOWN[engine.name] = lambda: engine


def engine_names() -> list[str]:
    """Names of all engines, `auto` first; nothing is imported."""
    return [AUTO, *dict.fromkeys([*_KNOWN, *_installed()])]


def find_engine(name: str = AUTO) -> Engine:
    """Find an engine, importing it if need be.

    Raises
    ------
    DataError
        If there is no such engine.
    ImportError
        If the package that it comes from cannot be imported.
    """
    check_engine(name)
    name = _BEST if name == AUTO else name
    if name not in _KNOWN:
        entry = _installed()[name]
        try:
            engine = entry.load()
        except Exception as error:
            raise ImportError(
                f"engine {name!r} ({entry.value}) cannot be imported: {error}"
            ) from error
        _check_protocol(engine)
        _KNOWN[name] = lambda: engine
    return _KNOWN[name]()


def check_engine(name: str) -> str:
    """Refuse an engine that does not exist, naming those that do."""
    known = engine_names()
    if name not in known:
        near = get_close_matches(str(name).lower(), known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise DataError(f"engine={name!r} is unknown{hint} There are: {', '.join(known)}")
    return name


@cache
def _installed() -> dict[str, Any]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def _check_protocol(engine: object) -> None:
    if not isinstance(engine, Engine):
        parts = sorted(part for part in vars(Engine) if not part.startswith("_"))
        missing = [part for part in parts if not hasattr(engine, part)]
        raise TypeError(f"{engine!r} is no engine: it lacks {', '.join(missing)}")


class EngineName:
    """Marks a setting as the name of an engine, for configurations and their schema."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        """Check the name when a configuration is read."""
        from pydantic_core import core_schema

        return core_schema.no_info_after_validator_function(check_engine, handler(source))

    def __get_pydantic_json_schema__(self, core: Any, handler: Any) -> Any:
        """List the names for editors."""
        return handler(core) | {"enum": engine_names()}
