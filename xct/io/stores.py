"""Quantities on disk, each as its declaration says. In: a value; out: files, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import singledispatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xct.errors import XctError
from xct.io.atomic import write_json
from xct.io.journal import files_below
from xct.io.labels import finish_labels, open_labels
from xct.io.surfaces import read_surfaces, write_surfaces
from xct.io.tables import read_counts, read_table, write_counts, write_table
from xct.quantity import (
    Counts,
    GreyVolume,
    HeightMaps,
    Json,
    Labels,
    Quantity,
    Table,
    Tables,
)

if TYPE_CHECKING:
    from pandas import DataFrame

_LISTED = "tables-of-{}.json"  # the journal's note of which tables a quantity has


def save(folder: Path, quantity: Quantity, value: Any, voxel_size_um: Sequence[float]) -> None:
    """Write a quantity where a result keeps it; each file appears when it is whole.

    Parameters
    ----------
    folder : Path
        Of the result.
    quantity : Quantity
        Its declaration.
    value : object
        What its stage gave. Labels are on disk already.
    voxel_size_um : sequence of float
        Edges of a voxel along z, y and x.
    """
    for store in quantity.stores:
        _save(store, folder, quantity, value, voxel_size_um)


def load(folder: Path, quantity: Quantity) -> Any:
    """Read what `save` wrote, as the stage gave it.

    Raises
    ------
    XctError
        If it is not there, or damaged.
    """
    return _load(quantity.stores[0], folder, quantity)


def files_kept(folder: Path, quantity: Quantity, value: Any) -> list[Path]:
    """List the files that a result keeps of a quantity."""
    places = [place for store in quantity.stores for place in _places(store, quantity, value)]
    return [file for place in places for file in files_below(folder / place)]


def _places(store: Any, quantity: Quantity, value: Any) -> list[str]:
    """Name the files and folders in which a store keeps a quantity."""
    name = quantity.name
    if isinstance(store, Tables):
        return [f".xct/{_LISTED.format(name)}", *(f"tables/{table}.csv" for table in value)]
    if isinstance(store, Table):
        return [f"tables/{store.file or name}.csv"]
    if isinstance(store, Labels):
        return [f"volume.zarr/labels/{store.group}"]
    if isinstance(store, Json):
        return [f"{name}.json"]
    return [f"tables/{name}.zarr" if isinstance(store, Counts) else f"{name}.zarr"]


def is_stored(quantity: Quantity) -> bool:
    """Whether a result keeps the quantity on disk."""
    return any(not isinstance(store, GreyVolume) for store in quantity.stores)


def write_known(path: Path, table: DataFrame) -> None:
    """Write a table; what is known of it as a whole stands in every row, so that it is not lost."""
    write_table(path, table.assign(**{str(name): fact for name, fact in table.attrs.items()}))


def write_object(path: Path, value: Any) -> None:
    """Write an object as JSON, by its ``to_dict()``."""
    write_json(path, value.to_dict())


def read_object(path: Path, type_: Any) -> Any:
    """Read what `write_object` wrote, by ``from_dict`` of its type.

    Raises
    ------
    XctError
        If there is no such file, or it does not hold such an object.
    """
    if not path.is_file():
        raise XctError(f"{path}: there is no {path.stem}; has the run reached that step?")
    try:
        return type_.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise XctError(f"{path}: does not hold the {path.stem} of a cell ({error})") from None


@singledispatch
def _save(store: Any, folder: Path, quantity: Quantity, value: Any, size: Sequence[float]) -> None:
    raise TypeError(f"{quantity.name}: a result cannot keep {store!r}")


@singledispatch
def _load(store: Any, folder: Path, quantity: Quantity) -> Any:
    raise TypeError(f"{quantity.name}: a result does not keep {store!r}")


def _part(value: Any, of: str | None) -> Any:
    return value if of is None else getattr(value, of)


@_save.register
def _(store: Table, folder: Path, quantity: Quantity, value: Any, size: Sequence[float]) -> None:
    name = store.file or quantity.name
    write_known(folder / "tables" / f"{name}.csv", _part(value, store.of))


@_load.register
def _(store: Table, folder: Path, quantity: Quantity) -> Any:
    return read_table(folder / "tables" / f"{store.file or quantity.name}.csv")


@_save.register
def _(store: Tables, folder: Path, quantity: Quantity, value: Any, size: Sequence[float]) -> None:
    tables: Mapping[str, DataFrame] = value
    for name, table in tables.items():
        write_known(folder / "tables" / f"{name}.csv", table)
    write_json(folder / ".xct" / _LISTED.format(quantity.name), list(tables))


@_load.register
def _(store: Tables, folder: Path, quantity: Quantity) -> Any:
    listed = folder / ".xct" / _LISTED.format(quantity.name)
    names = [quantity.name]
    if listed.is_file():
        names = json.loads(listed.read_text(encoding="utf-8"))
    return {name: read_table(folder / "tables" / f"{name}.csv") for name in names}


@_save.register
def _(
    store: HeightMaps, folder: Path, quantity: Quantity, value: Any, size: Sequence[float]
) -> None:
    write_surfaces(folder / f"{quantity.name}.zarr", _part(value, store.of), size)


@_load.register
def _(store: HeightMaps, folder: Path, quantity: Quantity) -> Any:
    return read_surfaces(folder / f"{quantity.name}.zarr")


@_save.register
def _(store: Json, folder: Path, quantity: Quantity, value: Any, size: Sequence[float]) -> None:
    write_object(folder / f"{quantity.name}.json", value)


@_load.register
def _(store: Json, folder: Path, quantity: Quantity) -> Any:
    return read_object(folder / f"{quantity.name}.json", store.type)


@_save.register
def _(store: Labels, folder: Path, quantity: Quantity, value: Any, size: Sequence[float]) -> None:
    """Labels are written block by block while they are made; coarser levels follow."""
    finish_labels(folder / "volume.zarr", store.group)


@_load.register
def _(store: Labels, folder: Path, quantity: Quantity) -> Any:
    return open_labels(folder / "volume.zarr", store.group)


@_save.register
def _(store: Counts, folder: Path, quantity: Quantity, value: Any, size: Sequence[float]) -> None:
    write_counts(folder / "tables" / f"{quantity.name}.zarr", value)


@_load.register
def _(store: Counts, folder: Path, quantity: Quantity) -> Any:
    return read_counts(folder / "tables" / f"{quantity.name}.zarr")
