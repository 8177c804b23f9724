"""The JSON Schema of configurations, stages' settings included: for editors."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

from xct.config.model import Config
from xct.stages import load_stages


def config_schema() -> dict[str, Any]:
    """Make the schema from the models of the configuration and the signatures of the stages.

    Settings are described by the section "Parameters" of their stage's docstring.
    """
    schema = Config.model_json_schema()
    steps = {}
    for name, stage in load_stages().items():
        own = stage.settings.model_json_schema(ref_template=f"#/$defs/{name}.{{model}}")
        for key, definition in own.pop("$defs", {}).items():
            schema["$defs"][f"{name}.{key}"] = definition
        described = parameter_texts(stage.function)
        for setting, definition in own.get("properties", {}).items():
            definition.setdefault("description", _with_unit(setting, described.get(setting, "")))
        text = _first_line(stage.function)
        steps[name] = {"anyOf": [own, {"type": "null"}], "description": text}
    section = schema["properties"]["steps"]
    section |= {"properties": steps, "additionalProperties": False}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def parameter_texts(function: Callable[..., Any]) -> Mapping[str, str]:
    """Read what a numpydoc docstring says of each parameter."""
    sections = re.split(r"^(\w[\w ]*)\n-{3,}\n", inspect.getdoc(function) or "", flags=re.MULTILINE)
    texts = dict(zip(sections[1::2], sections[2::2], strict=True))
    found: dict[str, str] = {}
    # An entry: `name, name : type`, and indented lines below.
    entries = re.finditer(
        r"^(\w.*?)(?: : .*)?\n((?:[ \t]+.*\n?|\n)*)", texts.get("Parameters", ""), re.M
    )
    for names, text in (entry.groups() for entry in entries):
        for name in names.split(","):
            found[name.strip()] = " ".join(text.split())
    return found


_UNITS = {"um": ("µm",), "px": ("pixels", "voxels"), "deg": ("degrees",), "gib": ("GiB",)}


def _with_unit(name: str, text: str) -> str:
    """Add the unit that the end of a name stands for, where the text does not say it."""
    units = _UNITS.get(name.rpartition("_")[2], ())
    missing = text and units and not any(unit.rstrip("s") in text for unit in units)
    return f"{text.rstrip('.')}, in {units[0]}." if missing else text


def _first_line(function: Callable[..., Any]) -> str:
    return re.sub(r" \[\d+\]_", "", (inspect.getdoc(function) or "").split("\n", 1)[0])
