"""A result in a notebook. In: a Result; out: HTML with a picture, its numbers and warnings."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xct.result import Result

_PICTURES = ("cross_sections", "slice")  # the first that is there is shown


def result_html(result: Result) -> str:
    """Write a result as HTML: thumbnail, measured numbers with uncertainty, warnings."""
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td style='text-align:right'>{_number(entry)}</td>"
        f"<td style='text-align:left'>{escape(str(entry.get('unit', '')))}</td></tr>"
        for name, entry in result.summary.items()
        if isinstance(entry, Mapping) and "value" in entry
    )
    warnings = "".join(
        f"<li>{escape(found['step'])}: {escape(found['message'])}</li>" for found in result.warnings
    )
    return (
        f"<div><b>{escape(str(result.path))}</b>"
        f"<div style='display:flex;gap:1em;align-items:flex-start'>{_picture(result.path)}"
        f"<table>{rows}</table></div>{f'<ul>{warnings}</ul>' if warnings else ''}</div>"
    )


def _number(entry: Mapping[str, Any]) -> str:
    value = entry["value"]
    if isinstance(value, str):
        return escape(value)
    text = f"{value:.5g}"
    return f"{text} ± {entry['sd']:.2g}" if "sd" in entry else text


def _picture(folder: Path) -> str:
    for name in _PICTURES:
        file = folder / "figures" / f"{name}.png"
        if file.is_file():
            data = b64encode(file.read_bytes()).decode("ascii")
            return f"<img alt='{name}' style='max-width:480px' src='data:image/png;base64,{data}'>"
    return ""
