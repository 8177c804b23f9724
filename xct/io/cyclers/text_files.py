"""Text exports of cyclers. In: a file in any of their dialects; out: its columns.

Tab, semicolon or comma between fields, point or comma in numbers, any number of lines before the
headings, UTF-8, UTF-16 or Latin-1.
"""

from __future__ import annotations

import csv
import io
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from xct.errors import XctError, nearest
from xct.io.cyclers.headers import Layout, recognized
from xct.io.cyclers.records import CyclerColumns

if TYPE_CHECKING:
    from pandas import DataFrame

_MOST_LINES = 500  # in which the headings are looked for
_SEPARATORS = ("\t", ";", ",")
OWN = "columns of the study"
_NESTED = (
    "{path}: the lines below its headings (line {line}) are no plain table: cycles and steps stand "
    "among the records; export the layer of records alone"
)


def read_columns(path: Path, columns: CyclerColumns | None) -> tuple[Layout, DataFrame]:
    """Read a text export.

    Parameters
    ----------
    path : Path
        The file.
    columns : CyclerColumns, optional
        Headings, where it is no export of a known cycler.

    Raises
    ------
    XctError
        If no line holds headings that are known, or the lines below have other columns.
    """
    import pandas as pd

    text = _decoded(path)
    lines = text.splitlines()
    found = _headings(lines, columns)
    if found is None:
        raise XctError(_unknown(path, lines, columns))
    number, separator, layout = found
    width = len(_fields(lines[number], separator))
    body = lines[number + 1 :]
    sample = "\n".join(body[:50])
    decimal = "," if separator != "," and re.search(r"\d,\d", sample) else "."
    if not _fields(lines[number], separator)[0]:
        raise XctError(_NESTED.format(path=path, line=number + 1))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # rows longer than headings
            table = pd.read_csv(
                io.StringIO("\n".join(body)), sep=separator, header=None, decimal=decimal,
                names=[str(column) for column in range(width + 1)], index_col=False,
                skip_blank_lines=True, skipinitialspace=True, low_memory=False,
            )  # fmt: skip
    except (pd.errors.ParserError, pd.errors.ParserWarning, pd.errors.EmptyDataError):
        raise XctError(_NESTED.format(path=path, line=number + 1)) from None
    return layout, table


def _decoded(path: Path) -> str:
    data = path.read_bytes()
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _fields(line: str, separator: str) -> list[str]:
    return [field.strip() for field in next(csv.reader([line], delimiter=separator), [])]


def _headings(lines: list[str], columns: CyclerColumns | None) -> tuple[int, str, Layout] | None:
    for number, line in enumerate(lines[:_MOST_LINES]):
        for separator in _SEPARATORS:
            if separator not in line:
                continue
            fields = _fields(line, separator)
            layout = recognized(fields) if columns is None else _own(fields, columns)
            if layout is not None:
                return number, separator, layout
    return None


def _own(fields: list[str], columns: CyclerColumns) -> Layout | None:
    wanted = {"time": columns.time, "voltage": columns.voltage, "current": columns.current}
    if not set(wanted.values()) <= set(fields):
        return None
    units = {"time": columns.time_s, "voltage": columns.voltage_v, "current": columns.current_ma}
    return Layout(OWN, {q: (fields.index(name), units[q]) for q, name in wanted.items()})


def _unknown(path: Path, lines: list[str], columns: CyclerColumns | None) -> str:
    best: list[str] = max(
        (_fields(line, s) for line in lines[:_MOST_LINES] for s in _SEPARATORS),
        key=len,
        default=[],
    )
    shown = ", ".join(best[:30]) or "none"
    if columns is None:
        return (
            f"{path}: is no export of BioLogic, Neware, Arbin or Landt that is known (its columns: "
            f"{shown}); name them: cycler: {{file: …, columns: {{time_s: …, voltage_v: …, "
            "current_ma: …}}, current positive while charging"
        )
    wanted = (columns.time, columns.voltage, columns.current)
    lost = [name for name in wanted if name not in best]
    hints = "".join(nearest(name, best) for name in lost)
    return f"{path}: has no column {', '.join(map(repr, lost))}{hints}; its columns: {shown}"
