"""The JSON Schema of configurations, stages' settings included: for editors."""

from __future__ import annotations

from typing import Any

from xct.config.model import Config
from xct.stages import load_stages


def config_schema() -> dict[str, Any]:
    """Make the schema from the models of the configuration and the signatures of the stages."""
    schema = Config.model_json_schema()
    settings = {}
    for name, stage in load_stages().items():
        own = stage.settings.model_json_schema(ref_template=f"#/$defs/{name}.{{model}}")
        for key, definition in own.pop("$defs", {}).items():
            schema["$defs"][f"{name}.{key}"] = definition
        settings[name] = {"anyOf": [own, {"type": "null"}]}
    steps = schema["properties"]["steps"]
    steps |= {"properties": settings, "additionalProperties": False}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
