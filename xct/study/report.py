"""The report of a study: one HTML file that needs nothing else. In: a comparison; out: text."""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from math import isfinite
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

_DPI = 110


@dataclass(frozen=True)
class Part:
    """A section of the report.

    Attributes
    ----------
    name, title, text : str
        Anchor, heading, and what must be known to read it.
    figures : mapping of str to (Figure, str)
        By the names of their files, with captions.
    tables : mapping of str to (DataFrame, str)
        By the names of their files, with captions.
    """

    name: str
    title: str
    text: str = ""
    figures: Mapping[str, tuple[Figure, str]] = field(default_factory=dict)
    tables: Mapping[str, tuple[DataFrame, str]] = field(default_factory=dict)


def render(
    *,
    title: str,
    answers: Sequence[tuple[str, Sequence[str]]],
    parts: Sequence[Part],
    methods: Sequence[tuple[str, str]],
    settings: str,
    warnings: Sequence[str],
    provenance: DataFrame,
    made: str,
) -> str:
    """Write the report.

    Parameters
    ----------
    title : str
        Of the study.
    answers : sequence of (str, sequence of str)
        What comes first.
    parts : sequence of Part
        Figures and tables.
    methods : sequence of (str, str)
        What was done, by heading.
    settings : str
        The study with every default, as YAML.
    warnings : sequence of str
        What must be known.
    provenance : DataFrame
        Where each result comes from.
    made : str
        When, and with which version.

    Returns
    -------
    str
        HTML. Every text is escaped: a name with ``<`` shows as it is written.
    """
    import jinja2

    template = resources.files("xct.study").joinpath("report.html.j2").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    return environment.from_string(template).render(
        title=title,
        answers=answers,
        parts=[_prepared(part) for part in parts],
        methods=methods,
        settings=settings,
        warnings=warnings,
        provenance=table_cells(provenance),
        made=made,
    )


def _prepared(part: Part) -> dict[str, Any]:
    return {
        "name": part.name,
        "title": part.title,
        "text": part.text,
        "figures": [
            {"name": name, "caption": caption, "png": _png(figure)}
            for name, (figure, caption) in part.figures.items()
        ],
        "tables": [
            {"name": name, "caption": caption, **table_cells(table)}
            for name, (table, caption) in part.tables.items()
        ],
    }


def _png(figure: Figure) -> str:
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=_DPI)
    return b64encode(data.getvalue()).decode("ascii")


def table_cells(table: DataFrame) -> dict[str, Any]:
    """Turn a table into texts: headings, and rows of (shown, key to sort by, is a number)."""
    columns = [str(column) for column in table]
    rows = [
        [_cell(value) for value in record] for record in table.itertuples(index=False, name=None)
    ]
    return {"columns": columns, "rows": rows}


def _cell(value: Any) -> tuple[str, str, bool]:
    if isinstance(value, bool) or value is None or isinstance(value, str):
        text = {True: "yes", False: "no", None: "–"}.get(value, value)  # type: ignore[call-overload]
        return str(text), str(text), False
    try:
        number = float(value)
    except (TypeError, ValueError):
        return str(value), str(value), False
    if not isfinite(number):
        return "–", "", True
    return f"{number:.4g}" if abs(number) < 10_000 else f"{number:,.0f}", repr(number), True
