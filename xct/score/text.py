"""Metrics for the terminal. In: metrics; out: a table as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def score_text(metrics: Mapping[str, Mapping[str, Any]]) -> str:
    """Write metrics as a table, in the order in which they were scored.

    Parameters
    ----------
    metrics : mapping
        As `xct.score.score` gives them.

    Returns
    -------
    str
        One line for each metric: name, value, unit, n.
    """
    if not metrics:
        return "nothing to compare: result and truth have no data in common"
    width = max(len("metric"), *(len(name) for name in metrics))
    lines = [f"{'metric':<{width}}  {'value':>10}  {'unit':<10}  {'n':>10}"]
    for name, entry in metrics.items():
        value, unit, n = float(entry["value"]), entry["unit"], entry["n"]
        lines.append(f"{name:<{width}}  {value:>10.4g}  {unit:<10}  {n:>10}")
    return "\n".join(lines)
