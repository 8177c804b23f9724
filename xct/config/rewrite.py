"""Changing a configuration in place. In: its file and new values; out: the file, comments kept."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xct.config.loading import read_config, read_text
from xct.errors import ConfigError
from xct.io.atomic import write_text
from xct.io.yaml import parse, with_values


def rewrite_config(path: Path, changes: Mapping[str, Any]) -> None:
    """Set values of a configuration and leave the rest of the file as it is.

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
    before = parse(text)
    errors = [f"{path}:{line}: {message}" for line, message in before.errors]
    if not errors and not isinstance(before.value, dict):
        errors = [f"{path}: holds no mapping of settings"]
    if errors:
        raise ConfigError(*errors)
    try:
        text = with_values(text, changes)
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from None
    values = parse(text).value
    _, errors = read_config({key: values[key] for key in values if key != "stages"})
    if errors:
        raise ConfigError(*(f"{path}: {message}" for message in errors))
    write_text(path, text)
