"""The page of a report: one HTML file that needs nothing else. In: answers, parts; out: text."""

from __future__ import annotations

import gzip
import io
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from math import isfinite
from typing import TYPE_CHECKING, Any

from xct.io.figures import pixels
from xct.io.tables import csv_text
from xct.report.chart import Chart

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

_DPI = (200, 145, 100)  # the first at which all pictures fit
_SEEN, _MOST_LOST = 60, 50  # levels of red, green or blue that make another colour; pixels that may
MOST_BYTES = 8_500_000  # of all pictures: as text in the report they take a third more
_MOST_PACKED = 1_500_000  # letters of drawings (SVG) within the report; larger ones lie beside it


@dataclass(frozen=True)
class Part:
    """A section of the report.

    Attributes
    ----------
    name, title, text : str
        Anchor, heading, and what must be known to read it.
    figures : mapping of str to (Figure or None, str)
        By the names of their files, with captions; None where it is drawn already.
    tables : mapping of str to (DataFrame, str)
        By the names of their files, with captions.
    links : mapping of str to str
        Files beside the report, by what they show.
    charts : sequence of Chart
        What is looked into, before the figures.
    sources : mapping of str to str
        By figure: the name of the table that it is drawn from, which can be saved beside it.
    """

    name: str
    title: str
    text: str = ""
    figures: Mapping[str, tuple[Figure | None, str]] = field(default_factory=dict)
    tables: Mapping[str, tuple[DataFrame, str]] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    charts: Sequence[Chart] = ()
    sources: Mapping[str, str] = field(default_factory=dict)


def known_figures(
    figures: Mapping[str, tuple[Figure | None, str]],
) -> dict[str, tuple[Figure, str]]:
    """Leave out figures that there are none of."""
    return {name: (made, text) for name, (made, text) in figures.items() if made is not None}


def known_tables(
    tables: Mapping[str, DataFrame], captions: Mapping[str, str]
) -> dict[str, tuple[DataFrame, str]]:
    """Give the tables that there are, with their captions."""
    return {name: (tables[name], text) for name, text in captions.items() if name in tables}


def render(
    *,
    title: str,
    answers: Sequence[tuple[str, Sequence[str]]],
    note: str,
    parts: Sequence[Part],
    pngs: Mapping[str, bytes],
    methods: Sequence[tuple[str, str]],
    settings: str,
    warnings: Sequence[str],
    provenance: DataFrame,
    made: str,
    svgs: Mapping[str, bytes] | None = None,
    tables: Mapping[str, DataFrame] | None = None,
) -> str:
    """Write the report.

    Parameters
    ----------
    title : str
        Of the study, or of the cell.
    answers : sequence of (str, sequence of str)
        What comes first, by heading.
    note : str
        What must be known to read the answers, or what there is in place of them.
    parts : sequence of Part
        Figures and tables.
    pngs : mapping of str to bytes
        What `pictures` made of the figures.
    methods : sequence of (str, str)
        What was done, by heading.
    settings : str
        The study, or the configuration, with every default, as YAML.
    warnings : sequence of str
        What must be known.
    provenance : DataFrame
        Where each result comes from.
    made : str
        When, and with which version.
    svgs : mapping of str to bytes, optional
        Drawings of the figures; those that are too large lie in ``figures/`` beside the report.
    tables : mapping of str to DataFrame, optional
        In which the parts' `sources` are found.

    Returns
    -------
    str
        HTML. Every text is escaped: a name with ``<`` shows as it is written.
    """
    import jinja2

    here = resources.files("xct.report")
    template = here.joinpath("page.html.j2").read_text(encoding="utf-8")
    known = tables or {}
    packed = _packed_svgs(svgs or {})
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    return environment.from_string(template).render(
        title=title,
        answers=answers,
        note=note,
        parts=[_prepared(part, pngs, svgs or {}, packed, known) for part in parts],
        sources={
            name: _packed(csv_text(known[name]).encode())
            for name in sorted({source for part in parts for source in part.sources.values()})
            if name in known
        },
        script=here.joinpath("chart.js").read_text(encoding="utf-8"),
        methods=methods,
        settings=settings,
        warnings=warnings,
        provenance=table_cells(provenance),
        made=made,
    )


def pictures(parts: Sequence[Part]) -> dict[str, bytes]:
    """Draw every figure as PNG, all coarser where they would make the report too large."""
    found: dict[str, bytes] = {}
    for dpi in _DPI:
        found = {
            name: _png(figure, dpi)
            for part in parts
            for name, (figure, _) in part.figures.items()
            if figure is not None
        }
        if sum(map(len, found.values())) <= MOST_BYTES:
            break
    return found


def _png(figure: Figure, dpi: int) -> bytes:
    """Draw with 256 colours, unless one that is rare would be lost: a third of the bytes."""
    from PIL import Image, ImageChops

    reduced = io.BytesIO()
    whole = Image.fromarray(pixels(figure, dpi)).convert("RGB")
    few = whole.quantize(256)
    red, green, blue = ImageChops.difference(whole, few.convert("RGB")).split()
    lost = ImageChops.lighter(ImageChops.lighter(red, green), blue).histogram()
    kept = whole if sum(lost[_SEEN:]) > _MOST_LOST else few
    kept.save(reduced, format="png", compress_level=6)  # 9: a twentieth less, six times as long
    return reduced.getvalue()


def _packed(data: bytes) -> str:
    return b64encode(gzip.compress(data, 6, mtime=0)).decode("ascii")


def _packed_svgs(svgs: Mapping[str, bytes]) -> dict[str, str]:
    """Pack drawings, the smallest first, as many as there is room for."""
    found: dict[str, str] = {}
    room = _MOST_PACKED
    for name in sorted(svgs, key=lambda name: len(svgs[name])):
        text = _packed(svgs[name])
        room -= len(text)
        if room < 0:
            break
        found[name] = text
    return found


def _prepared(
    part: Part,
    pngs: Mapping[str, bytes],
    svgs: Mapping[str, bytes],
    packed: Mapping[str, str],
    tables: Mapping[str, DataFrame],
) -> dict[str, Any]:
    sources = {name: source for name, source in part.sources.items() if source in tables}
    return {
        "name": part.name,
        "title": part.title,
        "text": part.text,
        "links": dict(part.links),
        "figures": [
            {
                "name": name, "caption": caption, "png": b64encode(pngs[name]).decode("ascii"),
                "svg": packed.get(name, ""), "has_svg": name in svgs,
                "source": sources.get(name, ""),
            }
            for name, (_, caption) in part.figures.items()
        ],
        "charts": part.charts,
        "tables": [
            {"name": name, "caption": caption, **table_cells(table)}
            for name, (table, caption) in part.tables.items()
        ],
    }  # fmt: skip


Shown = tuple[str, str, bool, list[str]]


def table_cells(table: DataFrame) -> dict[str, Any]:
    """Turn a table into texts; ends of an interval stand in the cell of their value.

    Returns
    -------
    dict
        ``columns``: headings; ``rows`` of (what is shown, key to sort by, whether it is a number,
        keys of the ends of its interval); ``ends``: for each heading those of the ends, ``X_low``
        and ``X_high`` where there are such columns.
    """
    names = [str(column) for column in table]
    pairs = {name: [f"{name}_low", f"{name}_high"] for name in names}
    ends = {name: pair for name, pair in pairs.items() if set(pair) <= set(names)}
    within = {end for pair in ends.values() for end in pair}
    columns = [name for name in names if name not in within]
    rows = []
    for record in table.itertuples(index=False, name=None):
        values = dict(zip(names, record, strict=True))
        rows.append([
            _with_ends(_cell(values[name]), [_cell(values[end]) for end in ends.get(name, [])])
            for name in columns
        ])  # fmt: skip
    return {"columns": columns, "rows": rows, "ends": [ends.get(name, []) for name in columns]}


def _with_ends(value: tuple[str, str, bool], ends: list[tuple[str, str, bool]]) -> Shown:
    keys = [key for _, key, _ in ends]
    if any(keys):
        return f"{value[0]} ({' … '.join(text for text, *_ in ends)})", value[1], value[2], keys
    return *value, keys


def _cell(value: Any) -> tuple[str, str, bool]:
    if value is None or value is True or value is False:
        text = {True: "yes", False: "no", None: "–"}[value]
        return text, text, False
    if isinstance(value, str):
        return value, value, False
    number = float(value)
    if not isfinite(number):
        return "–", "", True
    text = f"{number:.4g}" if abs(number) < 10_000 else f"{number:,.0f}"
    return text.replace("-", "−"), repr(number), True
