"""Reading of configurations. In: a YAML file; out: a checked Config, or every error at once."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from xct.config.aliases import put_moved, take_moved
from xct.config.messages import validation_messages
from xct.config.model import Config, InFile, ScanSection, place_of
from xct.config.own_stages import load_own_stages
from xct.errors import ConfigError, nearest
from xct.io.atomic import read_small
from xct.io.yaml import Document, Key, parse

_OF_SCANS = {".h5", ".hdf5", ".hdf", ".nxs", ".nx", ".tif", ".tiff", ".edf"}


def load_config(
    source: Path | str | Mapping[str, Any],
    changes: Sequence[str] = (),
    *,
    allow_stages: bool = False,
) -> Config:
    """Read and check a configuration.

    Parameters
    ----------
    source : path or mapping
        A YAML file; relative paths inside start at its folder. A mapping's start here.
    changes : sequence of str, optional
        Changes such as ``scan.bin=2``, applied before the check.
    allow_stages : bool, optional
        Import the modules that the configuration names under ``stages``: this runs their code.

    Returns
    -------
    Config
        All paths absolute.

    Raises
    ------
    ConfigError
        With every error at once: file, line, key, value, what is allowed, nearest name.
    """
    config, errors = read_config(source, changes, allow_stages=allow_stages)
    if errors or config is None:
        raise ConfigError(*errors)
    return config


def read_config(
    source: Path | str | Mapping[str, Any],
    changes: Sequence[str] = (),
    *,
    allow_stages: bool = False,
) -> tuple[Config | None, list[str]]:
    """Read a configuration as `load_config` does, but return what is wrong with it.

    Returns
    -------
    config : Config or None
        What is left without the wrong entries, so that the rest can be checked as well; None
        where nothing useful is left.
    errors : list of str
        Empty where the configuration is right.
    """
    if isinstance(source, Mapping):
        values = _copied(source)
        document, name, folder = Document(values, keys_of(values)), "configuration", Path.cwd()
    else:
        path = Path(source)
        try:
            document = parse(_text(path))
        except ConfigError as error:
            return None, list(error.errors)
        name, folder = str(source), path.resolve().parent
    errors = [f"{name}:{line}: {message}" for line, message in document.errors]
    errors += _apply(changes, document)
    if not isinstance(document.value, dict):
        start = "`xct init SCAN` writes a configuration to start from"
        return None, errors or [f"{name}: holds no mapping of settings; {start}"]
    config, more = _validated(document, name)
    if config is None:
        return None, errors + more
    config = _absolute(config, folder)
    return config, errors + more + _import_stages(config, folder, allowed=allow_stages)


def _import_stages(config: Config, folder: Path, *, allowed: bool) -> list[str]:
    """Import the modules that a configuration names, or say why not."""
    if not config.stages:
        return []
    place = f"{config.place('stages')}: stages: "
    if not allowed:
        names = ", ".join(config.stages)
        return [
            f"{place}the code of {names} would be run; allow it with --allow-stages, or with "
            "allow_stages=True in xct.run"
        ]
    try:
        config._own_stages = load_own_stages(config.stages, folder)
    except ConfigError as error:
        return [place + text for text in error.errors]
    return []


def _validated(document: Document, name: str) -> tuple[Config | None, list[str]]:
    values = _filled(document.value, Config)
    if isinstance(values.get("scan"), dict):
        values["scan"] = _filled(values["scan"], ScanSection)
    elif "scan" in document.value or "volume" in values:
        values.setdefault("scan", {})
    errors: list[str] = []
    if values["scan"] if "volume" in values else False:
        line = document.line(("volume",))
        errors.append(f"{name}:{line}: volume: stands beside scan: start from one of the two")
    warnings, contradictions = _under_new_names(values, document, name)
    errors += contradictions
    try:
        config = Config.model_validate(values)
    except ValidationError as error:
        errors += validation_messages(error, document, name, Config)
        try:
            config = Config.model_validate(_without(values, error))
        except ValidationError:
            return None, errors
    config._document, config._name, config._warnings = document, name, warnings
    return config, errors


def _filled(values: Mapping[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    """Leave out keys that wait for their value; one that is not known is refused, empty or not."""
    known = model.model_fields
    return {key: value for key, value in values.items() if value is not None or key not in known}


def _under_new_names(
    values: dict[str, Any], document: Document, name: str
) -> tuple[list[str], list[str]]:
    """Move what stands under an old name; list warnings, and what contradicts."""
    if not isinstance(values.get("steps"), dict):
        return [], []

    def place(stage: str, setting: str) -> str:
        return place_of(document, name, ("steps", stage, setting))

    values["steps"], moved = take_moved(values["steps"], place)
    for one in moved:
        line = document.line(("steps", *one.old)) or 0
        for length in range(1, len(one.new) + 1):
            document.lines.setdefault(one.new[:length], line)
    return [one.warning for one in moved], list(put_moved(values, moved))


def _without(values: dict[str, Any], error: ValidationError) -> dict[str, Any]:
    """Leave out the entries that are wrong."""
    kept = _copied(values)
    for detail in error.errors():
        place: Any = kept
        for part in detail["loc"]:
            if not (isinstance(place, dict) and part in place):
                break
            if part == detail["loc"][-1] or not isinstance(place[part], dict):
                del place[part]
                break
            place = place[part]
    return {"output": ".", **kept}


def _text(path: Path) -> str:
    if not path.is_file():
        siblings = [p.name for p in path.parent.glob("*.y*ml")] if path.parent.is_dir() else []
        if path.is_dir():
            raise ConfigError(f"{path}: is a folder, not a configuration; {_begin_with(path)}")
        raise ConfigError(f"{path}: no such configuration file{nearest(path.name, siblings)}")
    if path.suffix.lower() in _OF_SCANS:
        raise ConfigError(f"{path}: is a file of data, not a configuration; {_begin_with(path)}")
    return read_text(path)


def _begin_with(path: Path) -> str:
    return f"`xct init {shlex.quote(str(path))}` writes one for a scan"


def read_text(path: Path) -> str:
    """Read a text file in UTF-8.

    Raises
    ------
    ConfigError
        If that is not possible.
    """
    try:
        return read_small(path).decode("utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read as UTF-8 text: {error}") from None


def read_document(source: Path | str | Mapping[str, Any], what: str) -> tuple[Document, str, Path]:
    """Read YAML that is no configuration of a run: a study, a simulation.

    Parameters
    ----------
    source : path or mapping
        A file, or the same as a mapping.
    what : str
        What it is, for messages.

    Returns
    -------
    document : Document
        Its values, and where they stand.
    name : str
        How messages name it.
    folder : Path
        Where relative paths start.

    Raises
    ------
    ConfigError
        If there is no such file (the nearest names are given), or it is no YAML.
    """
    if isinstance(source, Mapping):
        return Document(dict(source), keys_of(source)), what, Path.cwd()
    path = Path(source)
    if not path.is_file():
        siblings = [p.name for p in path.parent.glob("*.y*ml")] if path.parent.is_dir() else []
        raise ConfigError(f"{path}: no such {what}{nearest(path.name, siblings)}")
    document = parse(read_text(path))
    if document.errors:
        raise ConfigError(*(f"{path}:{line}: {text}" for line, text in document.errors))
    return document, str(path), path.resolve().parent


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _copied(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_copied(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def keys_of(value: Any, above: Key = ()) -> dict[Key, int]:
    """List every key of nested mappings and lists, with 0 for the line that it does not have."""
    keys = {above: 0}
    inner = value.items() if isinstance(value, Mapping) else ()
    for name, item in enumerate(value) if isinstance(value, list | tuple) else inner:
        keys |= keys_of(item, (*above, name))
    return keys


def _apply(changes: Sequence[str], document: Document) -> list[str]:
    errors = []
    for change in changes:
        name, equals, text = change.partition("=")
        value = parse(text)
        keys = name.strip().split(".")
        if not equals or not all(keys) or value.errors:
            errors.append(f"--set {change}: write KEY=VALUE, such as --set scan.bin=2")
            continue
        place = document.value if isinstance(document.value, dict) else {}
        for key in keys[:-1]:
            if not isinstance(place.get(key), dict):
                place[key] = {}
            place = place[key]
        place[keys[-1]] = value.value
        for length in range(1, len(keys)):
            document.lines.setdefault(tuple(keys[:length]), -1)
        document.lines[tuple(keys)] = -1
    return errors


def _absolute(config: Config, folder: Path) -> Config:
    def from_here(text: str) -> str:
        return os.path.normpath(Path(folder, os.path.expanduser(text)))

    scan = config.scan
    changes: dict[str, Any] = {}
    for key in ("file", "projections", "flats", "darks", "theta_deg", "links_below", "mask"):
        value = getattr(scan, key)
        if isinstance(value, str):
            changes[key] = from_here(value)
        elif isinstance(value, InFile):
            changes[key] = value.model_copy(update={"file": from_here(value.file)})
    named = config.pipeline.endswith((".yaml", ".yml")) or "/" in config.pipeline
    cell, volume = config.cell, config.volume
    if cell.pristine is not None:
        cell = cell.model_copy(update={"pristine": from_here(cell.pristine)})
    if volume is not None:
        volume = volume.model_copy(update={"file": from_here(volume.file)})
    return config.model_copy(
        update={
            "scan": scan.model_copy(update=changes),
            "volume": volume,
            "cell": cell,
            "rois": None if config.rois is None else from_here(config.rois),
            "output": from_here(config.output),
            "pipeline": from_here(config.pipeline) if named else config.pipeline,
        }
    )
