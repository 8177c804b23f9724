"""Stages: pure functions over arrays, declared once. In: a function; out: its entry in STAGES.

Positional parameters are data, found by name among what the scan and earlier stages gave.
Keyword-only parameters with a default are settings from the YAML; a keyword-only parameter
without a default is a fact of the scan, found by name too. Types, ranges and defaults stand
in the signature and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import import_module
from importlib.metadata import entry_points
from inspect import Parameter, unwrap
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, get_type_hints

import numpy as np

from xct.errors import DataError, nearest, ranges
from xct.parallel.blocks import Block, cut
from xct.parallel.executors import map_blocks
from xct.parallel.sweeps import Asking
from xct.quantity import (
    QUANTITIES,
    Labels,
    Number,
    Quantity,
    along,
    declare,
    parameters_of,
    take,
    unknown_names,
)

if TYPE_CHECKING:
    from pydantic import BaseModel

Overlap = int | Callable[[Mapping[str, Any]], int]
F = TypeVar("F", bound=Callable[..., Any])

_OWN = ("preprocess", "reconstruct", "normalize", "segment", "analyze")
_GROUP = "xct.stages"  # entry points of other packages


@dataclass(frozen=True)
class RowCounts:
    """Values that a stage marks or replaces, counted by row.

    Attributes
    ----------
    name : str
        Key in ``summary.json``.
    of_pixels : bool
        The stage treats a pixel alike at all angles: pixels are counted, not values.
    warning : callable or None
        ``warning(counts by row, values of a row)`` gives what the user must know, or None.
    wide_px : int or None
        The stage says by `replaced` which pixels it replaces, since its answer does not show
        them; those side by side in a row, as many as this or more, are kept as `Band`.
    band_warning : callable or None
        ``band_warning(bands)`` gives what the user must know of these, or None.
    """

    name: str
    of_pixels: bool = False
    warning: Callable[[np.ndarray, int], str | None] | None = None
    wide_px: int | None = None
    band_warning: Callable[[Sequence[Band]], str | None] | None = None


class Band(NamedTuple):
    """Pixels side by side in a row that a stage replaced: columns first … stop, half-open."""

    row: int
    first: int
    stop: int


def name_bands(bands: Sequence[Band], most: int = 10) -> str:
    """Write bands of columns with their rows: columns 80–91 (rows 3–8)."""
    alike: dict[str, list[int]] = {}
    for band in bands:
        alike.setdefault(ranges(range(band.first, band.stop)), []).append(band.row)
    named = [f"{columns} (rows {ranges(sorted(rows))})" for columns, rows in alike.items()]
    more = f" and {len(named) - most} more" if len(named) > most else ""
    return f"columns {'; '.join(named[:most])}{more}"


_told: ContextVar[list[np.ndarray] | None] = ContextVar("xct_replaced", default=None)


def replaced(pixels: np.ndarray) -> None:
    """Say which pixels a stage replaced at all angles, bool of shape (row, column)."""
    told = _told.get()
    if told is not None:
        told.append(pixels)


@contextmanager
def hearing() -> Iterator[list[np.ndarray]]:
    """Hear what a stage that is called inside says by `replaced`."""
    told: list[np.ndarray] = []
    token = _told.set(told)
    try:
        yield told
    finally:
        _told.reset(token)


@dataclass(frozen=True)
class Stage:
    """One step of a recipe: a function, what it gives, and how its data may be cut.

    Attributes
    ----------
    function : callable
        The public function itself.
    gives : tuple of str
        Names of the quantities that it returns; of several, it returns a tuple.
    cut : tuple of {"angle", "row"}
        Axes along which blocks may be cut without changing the answer. Empty: the stage must
        see the whole, or a sample of rows (`estimate`).
    measures : bool
        The stage measures a finished volume: it gets the volume as something to read block by
        block, and cuts it itself.
    overlap : int or callable
        Rows beyond a block that its answer depends on; a callable gets the settings, and what the
        stage takes of what is known of the whole scan: facts, and what was estimated so far.
    estimate : callable or None
        A number is wanted, and some rows of the scan are enough to find it:
        ``estimate(answer, rows)`` gives the `Number`, or refuses.
    counts : RowCounts or None
        What is counted, by row, of the values that the stage marks or replaces.
    engine : callable or None
        The stage reconstructs: ``engine(settings)`` gives the `xct.reconstruct.Engine` that does
        it, which says what it takes and whether it can run here.
    rests_on : tuple of str
        Quantities that are a `basis`: in a run, the stage is left out where one of them says that
        something is wrong.
    """

    function: Callable[..., Any]
    gives: tuple[str, ...]
    cut: tuple[str, ...]
    overlap: Overlap = 0
    estimate: Callable[[Any, int], Number] | None = None
    counts: RowCounts | None = None
    measures: bool = False
    engine: Callable[[Mapping[str, Any]], Any] | None = None
    rests_on: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Name of the function, and of the step in a recipe."""
        return str(self.function.__name__)

    @property
    def sample(self) -> bool:
        """Whether some rows of the scan are enough."""
        return self.estimate is not None

    @cached_property
    def _parameters(self) -> list[Parameter]:
        return parameters_of(self.function)

    @cached_property
    def data(self) -> tuple[str, ...]:
        """Names of the positional parameters, required and optional."""
        return tuple(p.name for p in self._parameters if p.kind is not p.KEYWORD_ONLY)

    @cached_property
    def facts(self) -> tuple[str, ...]:
        """Keyword-only parameters without a default: facts of the scan such as its pixel size."""
        return tuple(
            p.name for p in self._parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty
        )

    @cached_property
    def needs(self) -> tuple[str, ...]:
        """Quantities without which the stage cannot run."""
        return tuple(p.name for p in self._parameters if p.default is p.empty)

    @cached_property
    def settings(self) -> type[BaseModel]:
        """Pydantic model of the settings, made from the signature."""
        from pydantic import ConfigDict, create_model

        own = [p for p in self._parameters if p.kind is p.KEYWORD_ONLY and p.default is not p.empty]
        # Of the settings alone: types of data may be known to type checkers only.
        typed = SimpleNamespace(__annotations__={p.name: p.annotation for p in own})
        module = unwrap(self.function).__globals__
        hints = get_type_hints(typed, module, include_extras=True)
        fields: dict[str, Any] = {p.name: (hints[p.name], p.default) for p in own}
        return create_model(
            self.name, __config__=ConfigDict(extra="forbid", allow_inf_nan=False), **fields
        )

    @property
    def labels(self) -> Labels | None:
        """The label volume that the stage fills, if it fills one."""
        stores = [store for name in self.gives for store in QUANTITIES[name].stores]
        return next((store for store in stores if isinstance(store, Labels)), None)

    @property
    def sweeps(self) -> bool:
        """Whether the stage can share a pass over the volume with others."""
        return hasattr(self.function, "asking")

    def __call__(self, quantities: Mapping[str, Any], settings: Mapping[str, Any]) -> Any:
        """Call the function with what it takes from `quantities`, and the settings."""
        return self.function(**self._taken(quantities), **settings)

    def asking(self, quantities: Mapping[str, Any], settings: Mapping[str, Any]) -> Asking[Any]:
        """Begin a stage that sweeps: the same, but it yields what it wants of the volume."""
        steps: Asking[Any] = self.function.asking(**self._taken(quantities), **settings)  # type: ignore[attr-defined]
        return steps

    def _taken(self, quantities: Mapping[str, Any]) -> dict[str, Any]:
        data = {name: quantities[name] for name in self.data if name in quantities}
        return data | {name: quantities[name] for name in self.facts}

    def answers(self, answer: Any) -> dict[str, Any]:
        """Give what the function returned by the names of the quantities."""
        return {self.gives[0]: answer} if len(self.gives) == 1 else dict(zip(self.gives, answer))  # noqa: B905

    def overlap_rows(self, settings: Mapping[str, Any], scan: Mapping[str, Any]) -> int:
        """Rows that a block must see on either side, with these settings.

        `scan` holds what is known of the whole scan: its facts, and what was estimated.
        """
        if not callable(self.overlap):
            return self.overlap
        asked = (*self.data, *self.facts)
        return self.overlap({name: scan.get(name) for name in asked} | dict(settings))


STAGES: dict[str, Stage] = {}


def stage(
    *,
    gives: str | Quantity | Iterable[str | Quantity],
    cut: tuple[str, ...] = (),
    overlap: Overlap = 0,
    estimate: Callable[[Any, int], Number] | None = None,
    counts: RowCounts | str | None = None,
    measures: bool = False,
    engine: Callable[[Mapping[str, Any]], Any] | None = None,
    rests_on: tuple[str, ...] = (),
) -> Callable[[F], F]:
    """Declare a function as a stage; the function itself is returned unchanged.

    Parameters
    ----------
    gives : str, Quantity, or several
        What it returns. A `Quantity` is declared with it; a name must be declared by another.
    cut, overlap, estimate, counts, measures, engine, rests_on
        As of `Stage`; `counts` may be a name alone.

    Examples
    --------
    >>> from xct.quantity import Number, Quantity, Table
    >>> def fractions(porosity):
    ...     yield "porosity", Number(porosity["fraction"].mean(), n=len(porosity))
    >>> @stage(gives=Quantity("porosity", store=Table(), numbers=fractions), measures=True)
    ... def measure_porosity(labels, cell): ...
    """
    several = [gives] if isinstance(gives, str | Quantity) else list(gives)
    names = tuple(declare(one).name if isinstance(one, Quantity) else one for one in several)
    counted = RowCounts(counts) if isinstance(counts, str) else counts

    def register(function: F) -> F:
        made = Stage(function, names, cut, overlap, estimate, counted, measures, engine, rests_on)
        STAGES[made.name] = made
        return function

    return register


@dataclass(frozen=True)
class StagePackage:
    """An installed package that declares stages by the entry point ``xct.stages``.

    Attributes
    ----------
    module : str
        What was imported.
    version : str
        Of the package; it is part of a run's identity.
    failure : str or None
        Why it could not be imported.
    """

    module: str
    version: str
    failure: str | None = None


def load_stages() -> Mapping[str, Stage]:
    """Import every package that declares stages; return them by name.

    Packages of others are found by the entry points ``xct.stages``; `installed_packages` says
    which of them could not be imported.

    Raises
    ------
    ValueError
        If a stage gives a quantity that is declared nowhere, or a function of one takes such.
    """
    for package in _OWN:
        import_module(f"xct.{package}")
    installed_packages()
    check_quantities()
    return STAGES


@cache
def installed_packages() -> tuple[StagePackage, ...]:
    """Import the installed packages that declare stages, once in a process."""
    found = []
    for point in entry_points(group=_GROUP):
        version, failure = (point.dist.version if point.dist else "unknown"), None
        try:
            point.load()
        except Exception as error:  # whatever another package does when it is imported
            failure = f"stages of {point.value} cannot be imported: {error}"
        found.append(StagePackage(point.module, version, failure))
    return tuple(found)


def check_quantities() -> None:
    """Refuse stages that give, and functions that take, a quantity that is declared nowhere.

    Raises
    ------
    ValueError
        Naming the stage or function, and the quantity.
    """
    known = ", ".join(QUANTITIES)
    for each in STAGES.values():
        for name in each.rests_on:
            if name not in QUANTITIES or not QUANTITIES[name].basis:
                bases = [one.name for one in QUANTITIES.values() if one.basis]
                raise DataError(
                    f"stage {each.name} rests on {name!r}, which is not a basis; there are "
                    f"{', '.join(bases)}"
                )
        for name in each.gives:
            if name not in QUANTITIES:
                raise DataError(
                    f"stage {each.name} gives {name!r}, which is not a quantity; declare it by "
                    f"gives=Quantity({name!r}, …); known: {known}"
                )
    for quantity in QUANTITIES.values():
        for function, name in unknown_names(quantity):
            raise DataError(
                f"{function} of quantity {quantity.name} takes {name!r}, which is not a quantity"
                f"{nearest(name, list(QUANTITIES))}: it would never be called; known: {known}"
            )


def in_blocks(
    stage: Stage,
    quantities: Mapping[str, Any],
    settings: Mapping[str, Any],
    *,
    axis: str,
    size: int,
) -> np.ndarray:
    """Run a stage block by block; the answer is that of the stage on the whole.

    Parameters
    ----------
    stage : Stage
        What to run; `axis` must be one along which it may be cut.
    quantities : mapping of str to array
        What the stage needs, by name, and perhaps more.
    settings : mapping
        Its settings.
    axis : {"angle", "row"}
        Where to cut.
    size : int
        Length of a block along that axis.

    Returns
    -------
    ndarray
        What the stage gives, put together again.

    Raises
    ------
    ValueError
        If the stage may not be cut along `axis`, or nothing that it gets runs along it.
    """
    if axis not in stage.cut:
        allowed = ", ".join(stage.cut) or "no axis: it must see the whole"
        raise DataError(f"{stage.name} may not be cut along {axis!r}; it may along {allowed}")
    lengths = {
        np.shape(quantities[name])[dimension]
        for name in stage.data
        if (dimension := along(name, quantities.get(name), axis)) is not None
    }
    if len(lengths) != 1:
        raise DataError(f"{stage.name}: lengths along {axis!r} are {sorted(lengths)}, not one")
    overlap = stage.overlap_rows(settings, quantities) if axis == "row" else 0
    dimension = QUANTITIES[stage.gives[0]].axes.index(axis)

    blocks = cut(lengths.pop(), size, overlap)
    pieces = map_blocks(_one_block, blocks, stage, quantities, settings, axis, dimension)
    return np.concatenate(pieces, axis=dimension)


def _one_block(
    block: Block,
    stage: Stage,
    quantities: Mapping[str, Any],
    settings: Mapping[str, Any],
    axis: str,
    dimension: int,
) -> np.ndarray:
    answer = stage.answers(stage(take(quantities, axis, block.outer), settings))[stage.gives[0]]
    return np.asarray(answer[(slice(None),) * dimension + (block.inner,)])
