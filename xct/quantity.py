"""Quantities: what stages exchange, and everything that is to be known of each, in one place.

A quantity is declared once, where it is made: its axes and unit, where it comes from, how a result
keeps it, which numbers of ``summary.json`` it gives, and its figures. Functions of a quantity get
what they need by the names of their parameters, as stages do.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from xct.figures import slice_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Source = Literal["scan", "config", "run", "stage"]


@dataclass(frozen=True)
class Number:
    """A measured number with what is known of its uncertainty: an entry of ``summary.json``.

    Attributes
    ----------
    value : float, int, str or bool
        The number, or a verdict in a word.
    unit : str
        Its unit; "1" where it has none.
    sd : float or None
        Standard uncertainty; None where it is not known.
    n : int or None
        How many samples it rests on.
    bound : {"upper", "lower"} or None
        Where the data bound the number on one side only.
    note : str or None
        What must be known to read it.
    details : mapping
        Further entries, such as the confidence of an estimate.
    headline : bool
        Whether it says at once that the cell is not as it should be: it stands before all others.
    """

    value: Any
    unit: str = "1"
    sd: float | None = None
    n: int | None = None
    bound: Literal["upper", "lower"] | None = None
    note: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    headline: bool = False

    @property
    def is_known(self) -> bool:
        """Whether there is a value, and a finite one."""
        value = self.value
        return value is not None and (isinstance(value, str) or math.isfinite(value))

    def entry(self) -> dict[str, Any]:
        """Give plain values for JSON; what is not known is left out."""
        value = self.value if isinstance(self.value, str | int) else float(self.value)
        made: dict[str, Any] = {"value": value}
        if self.sd is not None and math.isfinite(self.sd):
            made["sd"] = float(self.sd)
        if self.n is not None:
            made["n"] = int(self.n)
        made["unit"] = self.unit
        made |= {"bound": self.bound} if self.bound else {}
        made |= {"note": self.note} if self.note else {}
        made |= {"headline": True} if self.headline else {}
        return made | dict(self.details)


@dataclass(frozen=True)
class Table:
    """A pandas table: ``tables/FILE.csv``.

    Attributes
    ----------
    file : str
        Name without ending; that of the quantity unless given.
    of : str or None
        The attribute of the quantity that is the table, if not the quantity itself.
    """

    file: str = ""
    of: str | None = None


@dataclass(frozen=True)
class Tables:
    """Tables by the names of their files: a mapping of str to DataFrame."""


@dataclass(frozen=True)
class HeightMaps:
    """Surfaces by name: ``NAME.zarr``; `of` as of `Table`."""

    of: str | None = None


@dataclass(frozen=True)
class Json:
    """An object with ``to_dict()``: ``NAME.json``; `type` gives it back by ``from_dict``."""

    type: Any


@dataclass(frozen=True)
class Labels:
    """A label volume beside the volume: ``volume.zarr/labels/GROUP``.

    The stage fills it block by block: it is given as its parameter `into`.
    """

    group: str
    dtype: Literal["uint8", "uint32"]


@dataclass(frozen=True)
class Counts:
    """Whole numbers along two axes (an xarray): ``tables/NAME.zarr``."""


@dataclass(frozen=True)
class GreyVolume:
    """A volume that is computed when it is read: ``NAME.zarr``, written only when it is kept."""


Store = Table | Tables | HeightMaps | Json | Labels | Counts | GreyVolume


@dataclass(frozen=True)
class Quantity:
    """One quantity.

    Attributes
    ----------
    name : str
        By which stages take and give it.
    axes : tuple of str
        Of its array; empty where it has none. `volume` runs along z = row.
    unit : str
        Unit, or what it is.
    source : {"scan", "config", "run", "stage"}
        Who gives it: the raw scan, the user's configuration, the run itself, or a stage.
    store : store or tuple of stores
        How a result keeps it; the first of several gives it back.
    numbers : callable or None
        Yields ``(key, Number)`` for ``summary.json``.
    figures : mapping of str to callable
        Give a matplotlib figure each, by the name of its file; None: there is nothing to draw.
    tables : mapping of str to callable
        Give further tables made from it, by the name of their file; None: there is none.
    derive : callable or None
        Gives the quantity from others whenever it is asked for, without a step of its own.
    sample : callable or None
        ``sample(read, rows, columns)`` gives it from single rows of the scan, before any slab;
        ``read(first, stop)`` gives `sampled` of rows, by the first step that makes it.
    sampled : str
        The quantity that `sample` reads.
    watched : bool
        It is sampled in every run that makes `sampled`, also where no step needs it.
    warning : callable or None
        Says what the user must know of what was sampled before anything else, or None. Like
        `numbers`, it may take the facts of the scan and `steps`, the settings by step.
    basis : bool
        It is None, or says what is wrong with something that measurements rest on: that is said
        before anything else, and stages that rest on it are left out.
    optional : bool
        Of the user's choice: without it, steps that need it are left out without a word.
    asked : bool
        The configuration may say it where a scan does not.
    taken : callable or None
        Gives what stages take of an estimated number from its entry; its value unless given.
    """

    name: str
    axes: tuple[str, ...] = ()
    unit: str = ""
    source: Source = "stage"
    store: Store | tuple[Store, ...] = ()
    numbers: Callable[..., Iterator[tuple[str, Number]]] | None = None
    figures: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    tables: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    derive: Callable[..., Any] | None = None
    sample: Callable[..., Any] | None = None
    sampled: str = "transmission"
    watched: bool = False
    warning: Callable[..., str | None] | None = None
    basis: bool = False
    optional: bool = False
    asked: bool = False
    taken: Callable[[Mapping[str, Any]], Any] | None = None

    def of_entry(self, entry: Mapping[str, Any]) -> Any:
        """Give what stages take of an estimated number."""
        return entry["value"] if self.taken is None else self.taken(entry)

    @property
    def stores(self) -> tuple[Store, ...]:
        """How a result keeps it, as a tuple in any case."""
        return self.store if isinstance(self.store, tuple) else (self.store,)


QUANTITIES: dict[str, Quantity] = {}


def declare(quantity: Quantity) -> Quantity:
    """Enter a quantity; what is declared once more by the same module takes its place."""
    QUANTITIES[quantity.name] = quantity
    return quantity


def unknown_names(quantity: Quantity) -> Iterator[tuple[str, str]]:
    """Find what functions of a quantity take that is no quantity: ``(function, parameter)``.

    What is not there is not called for: such a function would be skipped without a word.
    """
    functions = {
        "numbers": quantity.numbers,
        "derive": quantity.derive,
        "warning": quantity.warning,
        **{f"figure {name}": function for name, function in quantity.figures.items()},
        **{f"table {name}": function for name, function in quantity.tables.items()},
    }
    for name, function in functions.items():
        for p in [] if function is None else parameters_of(function):
            setting = p.kind is p.KEYWORD_ONLY and p.default is not p.empty
            if not setting and p.name not in QUANTITIES:
                yield name, p.name


def parameters_of(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """List the parameters of a function, in order."""
    return list(inspect.signature(function).parameters.values())


def needs_of(function: Callable[..., Any]) -> tuple[str, ...]:
    """Name the quantities without which a function cannot be called."""
    return tuple(p.name for p in parameters_of(function) if p.default is p.empty)


def call_by_name(function: Callable[..., Any], quantities: Mapping[str, Any]) -> Any:
    """Call a function with what it takes from `quantities`; the rest keeps its defaults."""
    names = [p.name for p in parameters_of(function)]
    return function(**{name: quantities[name] for name in names if name in quantities})


def can_be_called(function: Callable[..., Any], quantities: Mapping[str, Any]) -> bool:
    """Whether everything is there that a function needs."""
    return all(name in quantities for name in needs_of(function))


Failed = Callable[[str, Exception], None]


def numbers_of(
    quantities: Mapping[str, Any], failed: Failed | None = None
) -> dict[str, dict[str, Any]]:
    """Collect the numbers of all quantities; those that are not known are left out.

    Parameters
    ----------
    quantities : mapping
        What is known, by name.
    failed : callable, optional
        Called for a function that fails, so that it does not take the others with it.
    """
    found: dict[str, dict[str, Any]] = {}
    for quantity in _declared(quantities):
        for pairs in called(quantity, {"numbers": quantity.numbers}, quantities, failed).values():
            found |= {key: number.entry() for key, number in pairs if number.is_known}
    return found


def made_of(
    quantities: Mapping[str, Any], kind: Literal["tables", "figures"], failed: Failed | None = None
) -> Iterator[tuple[str, Any]]:
    """Make the tables or figures of all quantities that are known, by the names of their files."""
    for quantity in _declared(quantities):
        made = called(quantity, getattr(quantity, kind), quantities, failed)
        yield from ((name, value) for name, value in made.items() if value is not None)


def called(
    quantity: Quantity,
    functions: Mapping[str, Callable[..., Any] | None],
    quantities: Mapping[str, Any],
    failed: Failed | None,
) -> dict[str, Any]:
    """Call those functions of a quantity that find what they need."""
    answers: dict[str, Any] = {}
    for name, function in functions.items():
        if function is None or not can_be_called(function, quantities):
            continue
        try:
            answer = call_by_name(function, quantities)
            answers[name] = list(answer) if name == "numbers" else answer
        except Exception as error:  # of a stage that somebody else may have written
            if failed is None:
                raise
            failed(f"{name} of {quantity.name}", error)
    return answers


def _declared(quantities: Mapping[str, Any]) -> list[Quantity]:
    return [QUANTITIES[name] for name in quantities if name in QUANTITIES]


def derived(quantities: Mapping[str, Any], failed: Failed | None = None) -> dict[str, Any]:
    """Give the quantities that follow from those which are there; `failed` as of `numbers_of`."""
    found: dict[str, Any] = {}
    for name, quantity in QUANTITIES.items():
        if quantity.derive is None or name in quantities:
            continue
        known = {**quantities, **found}
        if not can_be_called(quantity.derive, known):
            continue
        try:
            found[name] = call_by_name(quantity.derive, known)
        except Exception as error:  # of a stage that somebody else may have written
            if failed is None:
                raise
            failed(name, error)
            found[name] = None
    return found


def along(name: str, value: Any, axis: str) -> int | None:
    """Find which dimension of a quantity runs along `axis`; None where it has no such axis."""
    axes = QUANTITIES[name].axes if name in QUANTITIES else ()
    if axis not in axes or np.ndim(value) != len(axes):
        return None
    return axes.index(axis)


def take(quantities: Mapping[str, Any], axis: str, part: slice) -> dict[str, Any]:
    """Cut every quantity that runs along `axis` to `part`; the others stay whole."""
    pieces = {}
    for name, value in quantities.items():
        dimension = along(name, value, axis)
        index = (slice(None),) * (dimension or 0) + (part,)
        pieces[name] = value if dimension is None else value[index]
    return pieces


def files_of(quantities: Sequence[Quantity]) -> set[str]:
    """Name what may lie in the folder of a result because of these quantities."""
    found = set()
    for quantity in quantities:
        if any(isinstance(store, Json) for store in quantity.stores):
            found.add(f"{quantity.name}.json")
        found.add(f"{quantity.name}.zarr")
    return found


# What the way from counts to a volume is made of. What is measured in a volume is declared by the
# stages that measure it.
for _name, _axes, _unit in (
    ("projections", ("angle", "row", "column"), "counts"),
    ("flats", ("frame", "row", "column"), "counts"),
    ("darks", ("frame", "row", "column"), "counts"),
    ("projection_time", ("angle",), "s, or frames where the file has no clock"),
    ("flat_time", ("frame",), "on the clock of projection_time"),
    ("projection_dose", ("angle",), "mean dose of a projection"),
    ("flat_dose", ("frame",), "mean dose of a projection"),
    ("light_beside", ("angle",), "transmission beside the sample"),
    ("flat_mixture", (), "a flat for each projection, where the beam's profile moves"),
    ("wrong_flats", (), "what is wrong with the flats, in words"),
    ("theta_deg", ("angle",), "degrees"),
    ("row_px", ("row",), "number of the row"),
    ("sample_mask", ("row", "y", "x"), "where the sample may be, of the user's choice"),
    ("frame_shape", (), "rows and columns of a frame"),
    ("pixel_size_um", (), "µm"),
    ("energy_kev", (), "keV"),
    ("distance_mm", (), "mm"),
):
    _asked = _name in ("flats", "theta_deg", "pixel_size_um", "energy_kev", "distance_mm")
    declare(Quantity(_name, _axes, _unit, source="scan", asked=_asked))

for _name, _axes, _unit in (
    ("transmission", ("angle", "row", "column"), "1"),
    ("line_integrals", ("angle", "row", "column"), "1"),
):
    declare(Quantity(_name, _axes, _unit))


def _middle_slice(
    volume: Any, voxel_size_um: Sequence[float], title: str, scale_name: str
) -> Figure:
    number = volume.shape[0] // 2
    heading = f"{title}, slice {number}"
    return slice_figure(volume[number], voxel_size_um[2], title=heading, scale_name=scale_name)


declare(Quantity("volume", ("row", "y", "x"), "1/cm", figures={"slice": _middle_slice}))
declare(Quantity("table", unit="a table of one's own", store=Table()))

for _name, _unit, _optional in (
    ("voxel_size_um", "µm, along z, y and x", False),
    ("anode", "side of the anode, where it is known", False),
    ("volume_unit", "of a volume that was given: 1/cm, or grey", True),
    ("grey_scale", "grey values of air and of electrolyte", False),
    ("rois", "regions of interest in cell coordinates", True),
    ("pristine", "result of the pristine cell", True),
    ("labelled", "whether the stack holds labels", False),
    ("frame_interval_s", "s, where the slices are images taken one after the other", False),
    ("blur_um", "full width at half maximum of the point spread, where it is known", True),
    ("same_cell", "whether the pristine cell is this one, before it was cycled", True),
):
    declare(Quantity(_name, (), _unit, source="config", optional=_optional))

for _name, _axes, _unit in (
    ("into", ("z", "y", "x"), "where labels are written, block by block"),
    ("numbers", (), "entries of summary.json, as far as they are known"),
    ("steps", (), "settings of the steps that led to the volume, by name"),
    ("title", (), "name of the cell"),
    ("scale_name", (), "what the values of the volume are"),
):
    declare(Quantity(_name, _axes, _unit, source="run"))
