"""Changing a configuration in place. In: its file and new values; out: the file, comments kept."""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

from xct.config.model import read_config, read_text
from xct.io.yaml import parse
from xct.errors import ConfigError
from xct.io.atomic import write_text


def rewrite_config(path: Path, changes: Mapping[str, Any]) -> None:
    """Set values of a configuration and leave the rest of the file as it is.

    A section that is written over several lines keeps its comments; one in braces is written
    anew.

    Parameters
    ----------
    path : Path
        The configuration.
    changes : mapping
        Values by dotted key, such as ``{"scan.center_px": 92.5}``; None takes a key out.

    Raises
    ------
    ConfigError
        If the file is no configuration, or would not be one with the new values. Nothing is
        written then.
    """
    text = read_text(path)
    before = parse(text).value
    if not isinstance(before, dict):
        raise ConfigError(f"{path}: holds no mapping of settings")
    wanted = deepcopy(before)
    for key, value in changes.items():
        _set(wanted, key.split("."), value)
    for section in {key.split(".")[0] for key in changes}:
        text = _with_section(text, section, before.get(section), wanted.get(section))
    document = parse(text)
    if document.errors or document.value != wanted:  # laid out in a way not foreseen here
        text = yaml.safe_dump(wanted, sort_keys=False, allow_unicode=True)
    _check(text, path)
    write_text(path, text)


def _set(place: dict[str, Any], keys: list[str], value: Any) -> None:
    for key in keys[:-1]:
        if not isinstance(place.get(key), dict):
            place[key] = {}
        place = place[key]
    if value is None:
        place.pop(keys[-1], None)
    else:
        place[keys[-1]] = value


def _with_section(text: str, section: str, before: Any, wanted: Any) -> str:
    """Replace a section of the text, line by line where it is written so."""
    lines = text.splitlines()
    starts = [n for n, line in enumerate(lines) if re.match(rf"{re.escape(section)}\s*:", line)]
    if not starts:
        return "\n".join([*lines, *_dumped(section, wanted)]) + "\n"
    first = starts[0]
    stop = first + 1
    while stop < len(lines) and (not lines[stop].strip() or lines[stop][0] in " \t"):
        stop += 1
    while stop > first + 1 and not lines[stop - 1].strip():
        stop -= 1
    head = re.match(rf"{re.escape(section)}\s*:\s*(#.*)?$", lines[first])
    if head and isinstance(before, dict) and isinstance(wanted, dict):
        body = _changed(lines[first + 1 : stop], before, wanted)
        new = [lines[first], *body]
    else:
        new = _dumped(section, wanted)
    return "\n".join([*lines[:first], *new, *lines[stop:]]) + "\n"


def _changed(body: list[str], before: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Change, add and take out single lines of a section."""
    indents = [len(line) - len(line.lstrip()) for line in body if line.strip()]
    indent = " " * (indents[0] if indents else 2)
    kept = list(body)
    for key in {**before, **wanted}:
        if before.get(key) == wanted.get(key):
            continue
        at = [n for n, line in enumerate(kept) if re.match(rf"{indent}{re.escape(key)}\s*:", line)]
        new = [indent + line for line in _dumped(key, wanted[key])] if key in wanted else []
        where = slice(at[0], at[0] + 1) if at else slice(len(kept), len(kept))
        kept[where] = new
    return kept


def _dumped(key: str, value: Any) -> list[str]:
    flow = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10_000)
    return [f"{key}: {flow.strip().removesuffix('...').strip()}"]


def _check(text: str, path: Path) -> None:
    """Refuse what would no longer be a configuration."""
    document = parse(text)
    complaints = [f"{path}:{line}: {message}" for line, message in document.errors]
    if not complaints:
        _, complaints = read_config(document.value)
        complaints = [f"{path}: {text}" for text in complaints]
    if complaints:
        raise ConfigError(*complaints)
