"""Tables on disk. In: pandas tables; out: CSV with units in the column names, and back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from xct.errors import XctError
from xct.io.atomic import written_whole

if TYPE_CHECKING:
    from pandas import DataFrame


def write_table(path: Path, table: DataFrame) -> None:
    """Write a table as CSV in UTF-8: empty = NaN, True and False as words.

    Parameters
    ----------
    path : Path
        The file; it appears when it is whole.
    table : DataFrame
        Columns as they are to be named.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as temporary:
        table.to_csv(temporary, index=False, float_format="%.7g", encoding="utf-8")


def read_table(path: Path) -> DataFrame:
    """Read a table that `write_table` wrote.

    Raises
    ------
    XctError
        If there is none.
    """
    import pandas as pd

    if not path.is_file():
        raise XctError(f"{path}: there is no such table; has the run reached that step?")
    try:
        return pd.read_csv(path)
    except pd.errors.EmptyDataError:  # a table of nothing has no columns either
        return pd.DataFrame()
