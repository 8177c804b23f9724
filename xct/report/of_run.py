"""The report of a single run, and what a notebook shows of it. In: a result; out: HTML.

Everything in it is read from the result's folder, so the report of an earlier run can be made, too.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping
from html import escape
from itertools import islice
from math import floor, isfinite, log10
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from xct.errors import show_seconds
from xct.io.atomic import write_text
from xct.io.tables import read_table
from xct.quantity import QUANTITIES
from xct.report.page import MOST_BYTES, Part, render
from xct.stages import load_stages

if TYPE_CHECKING:
    from pandas import DataFrame

REPORT = "report.html"
_MOST_ROWS = 200  # of a table; particles of a large cell are a hundred thousand
_FIRST = ("cross_sections", "thickness", "slice")  # of the figures; a notebook shows the first
# What a reader asks first: words, factor and unit of numbers of the summary.
_HEADLINES: Mapping[str, tuple[str, float, str]] = {
    "thickness_um.lithium": ("lithium is {} thick", 1, "µm"),
    "absent_area_fraction": ("it is gone from {} of the area", 100, "%"),
    "thickness_um.electrolyte": ("the electrolyte is {} thick", 1, "µm"),
    "thickness_um.cathode": ("the cathode is {} thick", 1, "µm"),
    "volume_fraction.active_material": ("active material fills {} of the bore in view", 100, "%"),
    "particles": ("{} were found", 1, "particles"),
    "drifted_particles": ("{} drifted away from the cathode", 1, "particles"),
    "inclusions": ("the electrolyte holds {}", 1, "inclusions"),
    "center_px": ("the axis of rotation lies at column {}", 1, "px"),
    "voxel_size_um": ("a voxel is {} wide", 1, "µm"),
}
_NOTE = (
    "± is one standard uncertainty of the measurement. “At most” and “at least” are bounds: the "
    "table of numbers says why."
)


class Finished(Protocol):
    """What a report needs of a result; an `xct.Result` has it."""

    @property
    def path(self) -> Path:
        """Its folder."""

    @property
    def summary(self) -> dict[str, Any]:
        """Numbers and warnings."""

    @property
    def account(self) -> dict[str, Any]:
        """How it was made."""

    @property
    def warnings(self) -> list[dict[str, str]]:
        """Warnings of the run."""


def write_report(result: Finished) -> Path:
    """Write ``report.html`` into the folder of a result."""
    path = result.path / REPORT
    write_text(path, report(result))
    return path


def report(result: Finished) -> str:
    """Give the report of a result as HTML that needs nothing else.

    Parameters
    ----------
    result : Finished
        Of a finished run.
    """
    import yaml

    load_stages()  # they know what their figures show
    account = result.account
    configuration = account.get("configuration") or {}
    name = str((configuration.get("cell") or {}).get("name") or result.path.resolve().parent.name)
    pngs, left = _figures(result)
    captions = {each: (None, _caption(each)) for each in pngs}
    warnings = [warning_text(warning) for warning in result.warnings]
    versions = account.get("versions") or {}
    return render(
        title=name,
        answers=[(name, list(_answers(result)))],
        note=_NOTE,
        parts=[
            Part("figures", "Figures", left, captions),
            Part("numbers", "Numbers", "", {}, {"summary": (numbers_table(result), _ABOUT)}),
            Part("tables", "Tables", "", {}, dict(_tables(result))),
            Part("steps", "Steps", "", {}, {"steps": (_steps(account), "In their order.")}),
        ],
        pngs=pngs,
        methods=_methods(account),
        settings=yaml.safe_dump(configuration, sort_keys=False, allow_unicode=True, width=100),
        warnings=warnings,
        provenance=_provenance(result, account),
        made=f"Made by xct {versions.get('xct', '')}.",
        svgs={
            file.stem: file.read_bytes()
            for file in sorted((result.path / "figures").glob("*.svg"))
            if file.stem in pngs
        },
    )


_ABOUT = "Every number of summary.json."


def warning_text(warning: Mapping[str, Any]) -> str:
    """Write a warning of a run as one line: step, message, remedy."""
    parts = [str(warning["message"]), str(warning.get("remedy") or "")]
    return f"{warning['step']}: {' – '.join(part for part in parts if part)}"


def _answers(result: Finished) -> Iterator[str]:
    known = {
        key: (words, number_text(result.summary[key], factor, unit))
        for key, (words, factor, unit) in _HEADLINES.items()
        if isinstance(result.summary.get(key), Mapping)
        and isinstance(result.summary[key].get("value"), int | float)
    }
    for keys in (
        ("thickness_um.lithium", "absent_area_fraction"),
        ("thickness_um.electrolyte", "thickness_um.cathode"),
        ("volume_fraction.active_material",),
        ("particles", "drifted_particles"),
        ("inclusions",),
        ("voxel_size_um", "center_px"),
    ):
        said = [known[key][0].format(known[key][1]) for key in keys if key in known]
        if said:
            yield _sentence("; ".join(said))
    for warning in result.warnings:
        if withheld := warning.get("withheld"):
            names = ", ".join(str(name).replace("_", " ") for name in withheld)
            why = warning.get("cause") or warning["message"]
            yield f"Withheld: {names}: {why}."
    count = len(result.warnings)
    yield "No warning." if not count else f"{count} warning{'s' if count > 1 else ''}: see below."


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def number_text(entry: Mapping[str, Any], factor: float = 1, unit: str | None = None) -> str:
    """Write a number with its uncertainty, to two digits of it, its bound and its unit."""
    value = entry["value"]
    unit = str(entry.get("unit", "")) if unit is None else unit
    unit = "" if unit == "1" else unit
    if isinstance(value, str):
        return value
    if {"z", "y", "x"} <= entry.keys():  # a voxel whose edges differ
        text = " × ".join(f"{entry[axis] * factor:.5g}" for axis in "zyx")
    else:
        text = _with_uncertainty(value * factor, entry.get("sd", 0.0) * factor)
    bound = {"upper": "at most ", "lower": "at least "}.get(str(entry.get("bound")), "")
    return f"{bound}{text} {unit}".strip()


def _with_uncertainty(value: float, sd: float) -> str:
    if not sd > 0 or not isfinite(sd):
        return f"{value:,d}" if isinstance(value, int) else f"{value:.5g}"
    decimals = max(0, 1 - floor(log10(sd)))
    return f"{value:.{decimals}f} ± {sd:.{decimals}f}".replace("-", "−")


def numbers_table(result: Finished) -> DataFrame:
    """List every number of a result, as the summary has it."""
    import pandas as pd

    columns = ("value", "sd", "low", "high", "n", "unit", "bound", "note")
    rows = []
    for name, entry in result.summary.items():
        if isinstance(entry, Mapping) and "value" in entry:
            plain = {key: _plain(entry.get(key)) for key in columns}
            rows.append({"number": name, **plain})
    table = pd.DataFrame(rows, columns=["number", *columns]).astype(object)
    table = table.where(table.notna(), None)
    return table[[c for c in table if c in ("number", "value", "unit") or table[c].notna().any()]]


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def _figures(result: Finished) -> tuple[dict[str, bytes], str]:
    """Read the figures, as many as the report may hold; say which are left out."""
    files = {file.stem: file for file in sorted((result.path / "figures").glob("*.png"))}
    names = [*(name for name in _FIRST if name in files), *(n for n in files if n not in _FIRST)]
    found: dict[str, bytes] = {}
    left = []
    for name in names:
        data = files[name].read_bytes()
        if sum(map(len, found.values())) + len(data) <= MOST_BYTES:
            found[name] = data
        else:
            left.append(f"figures/{name}.png")
    return found, f"Too large to be shown here: {', '.join(left)}." if left else ""


def _caption(name: str) -> str:
    """Take what a figure shows from the function that draws it."""
    draws = [quantity.figures[name] for quantity in QUANTITIES.values() if name in quantity.figures]
    text = (draws[0].__doc__ or "").strip().partition("\n")[0] if draws else ""
    shown = text.removeprefix("Draw ").rstrip(".").partition(";")[0]
    label = name.replace("_", " ").capitalize()
    return f"{label}: {shown}." if shown else f"{label}."


def _tables(result: Finished) -> Iterator[tuple[str, tuple[DataFrame, str]]]:
    for file in sorted((result.path / "tables").glob("*.csv")):
        with file.open(encoding="utf-8") as lines:
            count = max(0, sum(1 for _ in lines) - 1)
        table = read_table(file, rows=_MOST_ROWS)
        if len(table):
            shown = f", the first {_MOST_ROWS} of {count:,} rows" if count > _MOST_ROWS else ""
            yield file.stem, (table, f"tables/{file.name}{shown}")


def _steps(account: Mapping[str, Any]) -> DataFrame:
    """List the steps with what they do, their settings, time and memory."""
    import pandas as pd

    stages = load_stages()
    settings = (account.get("configuration") or {}).get("steps") or {}
    spent = account.get("time_and_memory") or {}
    rows = []
    for name in account.get("recipe") or []:
        stage = stages.get(name)
        doc = (stage.function.__doc__ or "").strip().partition("\n")[0] if stage else ""
        chosen = ", ".join(f"{key}: {value}" for key, value in (settings.get(name) or {}).items())
        rows.append({
            "step": name, "does": doc, "settings": chosen,
            "seconds": (spent.get(name) or {}).get("seconds"),
            "peak_memory_mib": (spent.get(name) or {}).get("peak_memory_mib"),
        })  # fmt: skip
    return pd.DataFrame(rows)


def _methods(account: Mapping[str, Any]) -> list[tuple[str, str]]:
    recipe = (account.get("configuration") or {}).get("pipeline")
    spent = [float(e.get("seconds", 0.0)) for e in (account.get("time_and_memory") or {}).values()]
    text = (
        f"The recipe {recipe} was run step by step; the table of steps has the settings of each, "
        f"with every default. All steps together took {show_seconds(sum(spent))}."
    )
    return [("What was done", text)]


def _provenance(result: Finished, account: Mapping[str, Any]) -> DataFrame:
    """Say what went in, what it was made with and on what, one fact a row."""
    import pandas as pd

    facts: dict[str, Any] = {"result": str(result.path)}
    for part in ("input", "versions", "machine"):
        for key, value in (account.get(part) or {}).items():
            facts[f"{part}: {key}"] = _plain(value)
    return pd.DataFrame({"fact": list(facts), "value": [str(value) for value in facts.values()]})


def notebook_html(result: Finished) -> str:
    """Write what a notebook shows of a result: a picture, measured numbers, warnings."""
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td style='text-align:right'>"
        f"{escape(number_text(entry))}</td></tr>"
        for name, entry in result.summary.items()
        if isinstance(entry, Mapping) and "value" in entry
    )
    said = "".join(f"<li>{escape(warning_text(warning))}</li>" for warning in result.warnings)
    return (
        f"<div><b>{escape(str(result.path))}</b>"
        f"<div style='display:flex;gap:1em;align-items:flex-start'>{_picture(result.path)}"
        f"<table>{rows}</table></div>{f'<ul>{said}</ul>' if said else ''}</div>"
    )


def _picture(folder: Path) -> str:
    files = (folder / "figures" / f"{name}.png" for name in _FIRST)
    for file in islice(filter(Path.is_file, files), 1):
        data = b64encode(file.read_bytes()).decode("ascii")
        return f"<img alt='{file.stem}' style='max-width:480px' src='data:image/png;base64,{data}'>"
    return ""
