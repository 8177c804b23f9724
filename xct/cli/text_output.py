"""Texts for the terminal: stages and results. In: objects; out: lines."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from math import floor, log10
from typing import TYPE_CHECKING, Any

from xct.errors import XctError, nearest, show_with_sd
from xct.quantity import QUANTITIES, Quantity
from xct.stages import Stage, installed_packages, load_stages

if TYPE_CHECKING:
    from xct.result import Result
    from xct.simulate import Simulation
    from xct.study.comparing import Comparison

_BOUNDS = {"upper": "≤ ", "lower": "≥ "}


def stages_text() -> str:
    """List every stage: what it takes, what it gives, and what it does."""
    lines = []
    for stage in sorted(load_stages().values(), key=_state):
        lines.append(f"{stage.name:<23}{', '.join(stage.needs)} → {', '.join(stage.gives)}")
        lines.append(f"{'':<23}{_summary(stage)}")
    failures = [package.failure for package in installed_packages() if package.failure]
    lines += ["", *(f"warning: {failure}" for failure in failures)]
    return "\n".join([*lines, "xct stages NAME shows the settings of one."])


def stage_text(name: str) -> str:
    """Explain one stage: its settings with types, ranges, defaults and units, and its sources.

    Raises
    ------
    XctError
        If there is no such stage.
    """
    stages = load_stages()
    if name not in stages:
        hint = nearest(name, list(stages))
        raise XctError(f"{name!r} is not a stage{hint}; there are {', '.join(stages)}")
    stage = stages[name]
    lines = [
        f"{name}: {_summary(stage)}",
        f"takes {', '.join(stage.needs)}",
        *(_given(QUANTITIES[name]) for name in stage.gives),
        *(
            [f"rests on {', '.join(stage.rests_on)}: left out where one says why"]
            if stage.rests_on
            else []
        ),
        f"blocks along {' or '.join(stage.cut) or 'nothing: it sees the whole'}",
        "",
        "settings:" if stage.settings.model_fields else "no settings",
    ]
    schema = stage.settings.model_json_schema()
    for key, value in schema.get("properties", {}).items():
        lines.append(f"  {key}: {value.get('default')}    # {_allowed(value)}")
    return "\n".join([*lines, "", inspect.getdoc(stage.function) or ""])


def _given(quantity: Quantity) -> str:
    axes = f" ({', '.join(quantity.axes)})" if quantity.axes else ""
    return f"gives {quantity.name}{axes}: {quantity.unit or 'no unit'}"


def _summary(stage: Stage) -> str:
    return (inspect.getdoc(stage.function) or "").split("\n", 1)[0].replace(" [1]_", "")


def _state(stage: Stage) -> tuple[int, int]:
    """Place a stage on the way from counts to a volume."""
    names = list(QUANTITIES)
    return names.index(stage.gives[0]), names.index(stage.data[0])


def _allowed(schema: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_allowed(member) for member in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(str(choice) for choice in schema["enum"])
    words = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    limits = [f"{sign} {schema[key]:g}" for key, sign in words.items() if key in schema]
    return " ".join([str(schema.get("type", "any")), " and ".join(limits)]).strip()


def result_text(result: Result) -> str:
    """Show the measured numbers of a result, and time and memory of each step."""
    from xct.report.of_run import REPORT

    lines = [f"\n{result.path}"]
    for name, entry in result.summary.items():
        if isinstance(entry, dict) and "value" in entry:
            lines.append(f"  {name:<33} {_entry(entry)}")
    lines.append(f"  {'step':<32}{'seconds':>10}{'peak MiB':>10}")
    for name, row in result.account["time_and_memory"].items():
        lines.append(f"  {name:<32}{row['seconds']:>10.2f}{row['peak_memory_mib']:>10.0f}")
    lines += [f"  warning: {w['step']}: {w['message']}" for w in result.warnings]
    if (result.path / REPORT).is_file():
        lines.append(f"look at {result.path / REPORT}, or: xct view {result.path}")
    return "\n".join(lines)


def comparison_text(comparison: Comparison) -> str:
    """Show the answers of a study, and its warnings."""
    lines = []
    for heading, sentences in comparison.answers:
        lines += [f"\n{heading}", *(f"  {sentence}" for sentence in sentences)]
    lines += [f"warning: {warning}" for warning in comparison.warnings]
    return "\n".join(lines)


def simulation_text(simulation: Simulation) -> str:
    """Show the numbers of every case side by side, and its warnings."""
    cases = simulation.all_cases
    names = list(dict.fromkeys(name for case in cases for name in case.numbers))
    columns = [
        [case.name, *(_entry(case.numbers[n].entry()) if n in case.numbers else "–" for n in names)]
        for case in cases
    ]
    widths = [max(map(len, column)) + 2 for column in columns]
    lines = []
    for name, *texts in zip(["", *names], *columns, strict=True):
        row = "".join(f"{text:<{width}}" for text, width in zip(texts, widths, strict=True))
        lines.append(f"  {name:<32}{row}".rstrip())
    lines += [f"  warning: {case.name}: {text}" for case in cases for text in case.warnings]
    return "\n".join(["", *lines])


def _with_sd(value: float, sd: float) -> str:
    """Write a number with as many digits as its standard deviation warrants."""
    digits = max(0, min(8, 1 - floor(log10(sd)))) if sd > 0 else 2
    return show_with_sd(value, sd, digits)


def _entry(entry: Mapping[str, Any]) -> str:
    value = entry["value"] if isinstance(entry["value"], str) else f"{entry['value']:.6g}"
    if {"z", "y", "x"} <= entry.keys():  # a voxel whose edges differ
        value = " × ".join(f"{entry[axis]:.6g}" for axis in "zyx")
    if "sd" in entry:
        value = _with_sd(entry["value"], entry["sd"])
    unit = entry.get("unit", "1")
    text = str(value) if unit == "1" else f"{value} {unit}"
    if "confidence" in entry:
        text += f", confidence {entry['confidence']:.2f}"
    return _BOUNDS.get(str(entry.get("bound")), "") + text
