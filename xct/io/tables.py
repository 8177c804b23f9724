"""Tables on disk. In: pandas tables; out: CSV with units in the column names, and back."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xct.errors import XctError, damage_named
from xct.io.atomic import written_whole
from xct.io.journal import with_checksum

if TYPE_CHECKING:
    from pandas import DataFrame
    from xarray import DataArray


def write_table(path: Path, table: DataFrame) -> None:
    """Write a table as CSV in UTF-8: empty = NaN, True and False as words.

    A text that a spreadsheet would take for a formula (=, +, -, @ first) stands behind an
    apostrophe, which `read_table` takes away again.

    Parameters
    ----------
    path : Path
        The file; it appears when it is whole.
    table : DataFrame
        Columns as they are to be named.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as temporary:
        _csv(table, temporary)


def csv_text(table: DataFrame) -> str:
    """Give what `write_table` writes."""
    return str(_csv(table, None))


def _csv(table: DataFrame, path: Path | None) -> str | None:
    guarded = _texts(table, _guarded)
    return guarded.to_csv(path, index=False, float_format="%.7g", encoding="utf-8")


def read_table(path: Path, rows: int | None = None) -> DataFrame:
    """Read a table that `write_table` wrote, or its first rows.

    Raises
    ------
    XctError
        If there is none.
    """
    import pandas as pd

    if not path.is_file():
        raise XctError(f"{path}: there is no such table; has the run reached that step?")
    try:
        return _texts(pd.read_csv(path, nrows=rows), _unguarded)
    except pd.errors.EmptyDataError:  # a table of nothing has no columns either
        return pd.DataFrame()
    except (ValueError, OverflowError) as error:
        raise XctError(f"{path}: is damaged, or no table: {error}") from None


# What begins so is a formula to a spreadsheet, and is run by it when the table is opened.
_FORMULA, _GUARDED = re.compile(r"'*[=+\-@\t\r]"), re.compile(r"'+[=+\-@\t\r]")


def _guarded(text: Any) -> Any:
    return f"'{text}" if isinstance(text, str) and _FORMULA.match(text) else text


def _unguarded(text: Any) -> Any:
    return text[1:] if isinstance(text, str) and _GUARDED.match(text) else text


def _texts(table: DataFrame, change: Callable[[Any], Any]) -> DataFrame:
    """Change the texts of a table; numbers stay, also negative ones."""
    import pandas as pd

    named = [c for c in table.columns if not pd.api.types.is_numeric_dtype(table[c].dtype)]
    changed = {name: table[name].map(change) for name in named}
    return table.assign(**changed) if named else table


# Depth histograms on disk. In: counts by depth and grey value; out: a Zarr group, and back.

_AXES = ("z_um", "grey_value")


def write_counts(path: Path, counts: DataArray) -> None:
    """Write counts with their axes; the group appears when it is whole.

    Parameters
    ----------
    path : Path
        The group; one that is there is replaced.
    counts : DataArray, dimensions (z_um, grey_value)
        Voxels by depth (center of the slice, µm) and grey value (center of the bin).
    """
    import zarr
    from zarr.codecs import ZstdCodec

    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.partial")
    shutil.rmtree(fresh, ignore_errors=True)
    group: Any = zarr.open_group(fresh, mode="w", zarr_format=3)
    values = np.ascontiguousarray(counts.values, np.int64)
    codecs = with_checksum(ZstdCodec())
    group.create_array("counts", data=values, dimension_names=_AXES, compressors=codecs)
    for axis in _AXES:
        centers = np.ascontiguousarray(counts[axis].values, np.float64)
        group.create_array(axis, data=centers, dimension_names=(axis,), compressors=codecs)
    shutil.rmtree(path, ignore_errors=True)
    os.replace(fresh, path)


def read_counts(path: Path) -> DataArray:
    """Read what `write_counts` wrote.

    Raises
    ------
    XctError
        If it is not there, or damaged.
    """
    import xarray as xr
    import zarr

    with damage_named(path):
        group: Any = zarr.open_group(path, mode="r")
        coords = {axis: np.asarray(group[axis][:]) for axis in _AXES}
        counts = np.asarray(group["counts"][:])
        return xr.DataArray(counts, coords=coords, dims=_AXES, name="counts")
