"""Metrics by name: a value, its unit, and how many samples it rests on."""

from __future__ import annotations

import math
from typing import Any

Metrics = dict[str, dict[str, Any]]


def metric(value: float, unit: str, n: int) -> dict[str, Any]:
    """Make one metric."""
    return {"value": float(value), "unit": unit, "n": int(n)}


def known(metrics: Metrics) -> Metrics:
    """Leave out what could not be computed."""
    return {name: entry for name, entry in metrics.items() if math.isfinite(entry["value"])}
