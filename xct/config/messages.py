"""Messages: what pydantic finds, in sentences with file, line, key, value and remedy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from xct.errors import nearest
from xct.io.yaml import Document, Key


def validation_messages(
    error: ValidationError, document: Document, name: str, model: type[BaseModel], at: Key = ()
) -> list[str]:
    """Put pydantic's findings into sentences with file, line, key, value and remedy.

    Parameters
    ----------
    error : ValidationError
        What pydantic found.
    document : Document
        The YAML, for the lines.
    name : str
        Name of its file.
    model : type of BaseModel
        The model that was asked, for the keys that are allowed.
    at : tuple, optional
        Where in the document the model's values stand.
    """
    found: dict[tuple[str, str], list[str]] = {}
    details = [(detail, (*at, *_in_document(detail, document, at))) for detail in error.errors()]
    for detail, key in details:
        if any(len(key) < len(other) and other[: len(key)] == key for _, other in details):
            if detail["type"] == "string_type":  # a mapping is asked to be a text as well
                continue
        line = document.line(key)
        place = "--set" if line == -1 else f"{name}:{line}" if line else name
        dotted = ".".join(str(part) for part in key)
        lead = f"{place}: {dotted}: " if dotted else f"{place}: "
        start, message = _sentence(detail, key, model, key[len(at) :])
        found.setdefault((lead, start), []).append(message)
    # A value that may be of several types gives one message for each of them.
    return [lead + start + " or ".join(messages) for (lead, start), messages in found.items()]


def _sentence(
    detail: Mapping[str, Any], key: Key, model: type[BaseModel], inner: Key
) -> tuple[str, str]:
    if detail["type"] == "extra_forbidden":
        allowed = _allowed_keys(model, inner)
        hint = nearest(str(key[-1]), allowed)
        known = f"allowed: {', '.join(allowed)}" if allowed else "it has no settings"
        if str(key[-1]).isdigit():  # {pixel_size_um: 1,3}
            known = f"a decimal point is no comma; {known}"
        return "", f"unknown key{hint}; {known}"
    if detail["type"] == "missing":
        return "", f"is missing; {_purpose(key)}"
    message = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "value_error":
        return "", message
    message = message[0].lower() + message[1:]
    if detail["type"] == "tuple_type":
        last = str(key[-1]) if key else ""
        message = f"it should be {_TUPLES.get(last, 'two numbers, [first, stop]')}"
    for wording, plain in _PLAIN.items():
        message = re.sub(wording, plain, message)
    message += _unit(message, str(key[-1]) if key else "", detail["input"])
    return f"{detail['input']!r} is not accepted: ", message


# pydantic's words for what a scientist writes
_PLAIN = {
    r"input should be ": "it should be ",
    r"a valid dictionary or instance of \w+": "a mapping {key: value, …}",
    r"a valid dictionary": "a mapping {key: value, …}",
    r"a valid string": "a text (in quotes if it looks like a number)",
    r"a valid integer": "a whole number (integer)",
    r"a valid number": "a number",
    r"greater than or equal to": "at least",
    r"less than or equal to": "at most",
}

_UNITS = {"um": "µm", "mm": "mm", "kev": "keV", "deg": "degrees", "px": "pixels", "gib": "GiB"}


def _unit(message: str, key: str, given: Any) -> str:
    """Say the unit of a number that is asked for, and how it is written where a text was given."""
    unit = _UNITS.get(key.rpartition("_")[2], "") if "_" in key else ""
    if message.endswith("a number"):
        text = given.strip() if isinstance(given, str) else ""
        said = f" of {unit}" if unit else ""
        if re.fullmatch(r"[-+]?\d+,\d+", text):
            return f"{said}; write {text.replace(',', '.')}"
        return f"{said}, without the unit" if said and text[:1].isdigit() else said
    return f" {unit}" if unit and message[-1].isdigit() else ""


# What keys other than ranges ask for in brackets.
_TUPLES = {
    "voxel_size_um": "three numbers, [z, y, x] in µm",
    "from_um": "three numbers, [depth, y, x] in µm",
    "to_um": "three numbers, [depth, y, x] in µm",
}


def _in_document(detail: Mapping[str, Any], document: Document, at: Key) -> Key:
    """Drop the names that pydantic adds for members of a union: they are no keys of the YAML."""
    key: list[str | int] = []
    parts = detail["loc"]
    for number, part in enumerate(parts):
        is_last = number == len(parts) - 1
        if _stands(document, (*at, *key, part)) or (is_last and detail["type"] == "missing"):
            key.append(part)
    return tuple(key)


def _stands(document: Document, key: Key) -> bool:
    """Whether a document has a key: by its lines, or in a mapping of Python, which has none."""
    if document.lines:
        return key in document.lines
    value: Any = document.value
    for part in key:
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            return False
    return True


def _purpose(key: Key) -> str:
    purposes: dict[Key, str] = {
        ("output",): "name the folder for the result, such as output: ../out/my_cell",
        ("scan",): "name the raw scan, such as scan: {file: ../raw/my_cell.h5}",
    }
    return purposes.get(key, "give it a value")


def _allowed_keys(model: type[BaseModel], key: Key) -> list[str]:
    fields: Any = model
    for part in key[:-1]:
        if isinstance(part, int):  # an entry of a list, whose members were found with the list
            continue
        annotation = fields.model_fields[part].annotation if part in fields.model_fields else None
        members = [annotation, *getattr(annotation, "__args__", ())]
        inner = [m for m in members if isinstance(m, type) and issubclass(m, BaseModel)]
        if not inner:
            return []
        fields = inner[0]
    return list(fields.model_fields)
