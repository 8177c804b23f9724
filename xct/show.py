"""Texts for the terminal: stages, plans, results. In: objects; out: lines."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np

from xct.complaints import nearest
from xct.errors import XctError
from xct.plan import Plan
from xct.recipe import load_stages
from xct.resources import show_bytes, show_seconds
from xct.result import Result
from xct.stages import QUANTITIES, Stage


def stages_text() -> str:
    """List every stage: what it takes, what it gives, and what it does."""
    lines = []
    for stage in sorted(load_stages().values(), key=_state):
        lines.append(f"{stage.name:<18}{', '.join(stage.needs)} → {stage.gives}")
        lines.append(f"{'':<18}{_summary(stage)}")
    return "\n".join([*lines, "", "xct stages NAME shows the settings of one."])


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
    axes, unit = QUANTITIES[stage.gives]
    lines = [
        f"{name}: {_summary(stage)}",
        f"takes {', '.join(stage.needs)}; gives {stage.gives} ({', '.join(axes)}), unit {unit}",
        f"blocks along {' or '.join(stage.cut) or 'nothing: it sees the whole'}",
        "",
        "settings:" if stage.settings.model_fields else "no settings",
    ]
    schema = stage.settings.model_json_schema()
    for key, value in schema.get("properties", {}).items():
        lines.append(f"  {key}: {value.get('default')}    # {_allowed(value)}")
    return "\n".join([*lines, "", inspect.getdoc(stage.function) or ""])


def _summary(stage: Stage) -> str:
    return (inspect.getdoc(stage.function) or "").split("\n", 1)[0].replace(" [1]_", "")


def _state(stage: Stage) -> tuple[int, int]:
    """Place a stage on the way from counts to a volume."""
    names = list(QUANTITIES)
    return names.index(stage.gives), names.index(stage.data[0])


def _allowed(schema: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_allowed(member) for member in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(str(choice) for choice in schema["enum"])
    words = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    limits = [f"{sign} {schema[key]:g}" for key, sign in words.items() if key in schema]
    return " ".join([str(schema.get("type", "any")), " and ".join(limits)]).strip()


def plan_text(plan: Plan, state: str = "ready: xct run writes to") -> str:
    """Say what a run will read, do and need; `state` is said of the output folder."""
    scan, need = plan.scan, plan.resources
    angles = scan.projections.shape[0]
    theta = scan.theta_deg
    lines = [scan.describe().split("\n  note:")[0]]
    if theta is not None:
        steps = np.abs(np.diff(theta))
        lines.append(f"  angles: {angles}, median step {np.median(steps):.4g}°")
    if scan.projection_dose is not None:
        spread = np.ptp(scan.projection_dose) / np.mean(scan.projection_dose)
        lines.append(f"  counts are scaled to one dose; that of projections varies by {spread:.1%}")
    lines.append(f"steps: {' → '.join(step.name for step in plan.steps)}")
    if "find_center" in [step.name for step in plan.steps] and scan.center_px is not None:
        lines.append(f"find_center is skipped: scan.center_px = {scan.center_px:g}")
    lines.append(
        f"needs: {show_bytes(need.memory_bytes)} memory, {show_bytes(need.disk_bytes)} disk"
        + (f" ({show_bytes(need.temporary_bytes)} of it temporary)" if need.temporary_bytes else "")
        + f", about {show_seconds(need.seconds)}; {need.sharing()}"
    )
    lines += [f"warning: {message}" for message in plan.warnings]
    return "\n".join([*lines, f"{state} {plan.output}"])


def result_text(result: Result) -> str:
    """Show the measured numbers of a result, and time and memory of each step."""
    lines = [f"\n{result.path}"]
    for name, entry in result.summary.items():
        if isinstance(entry, dict) and "value" in entry:
            lines.append(f"  {name:<28}{_entry(entry)}")
    lines.append(f"  {'step':<28}{'seconds':>10}{'peak MiB':>10}")
    for name, row in result.account["time_and_memory"].items():
        lines.append(f"  {name:<28}{row['seconds']:>10.2f}{row['peak_memory_mib']:>10.0f}")
    lines += [f"  warning: {w['step']}: {w['message']}" for w in result.warnings]
    return "\n".join(lines)


def _entry(entry: Mapping[str, Any]) -> str:
    value = f"{entry['value']:.6g}"
    if "sd" in entry:
        value = f"{entry['value']:.2f} ± {entry['sd']:.2f}"
    text = f"{value} {entry.get('unit', '')}"
    if "confidence" in entry:
        text += f", confidence {entry['confidence']:.2f}"
    return text
