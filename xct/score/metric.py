"""Metrics by name: a value, its unit, and how many samples it rests on."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Metrics = dict[str, dict[str, Any]]


def metric(value: float, unit: str, n: int) -> dict[str, Any]:
    """Make one metric."""
    return {"value": float(value), "unit": unit, "n": int(n)}


def map_errors(kind: str, name: str, error: np.ndarray, sd: np.ndarray) -> Metrics:
    """Give bias, RMSE, and the share of columns within 1.96 stated standard deviations.

    Parameters
    ----------
    kind, name : str
        Of what, such as ``surface``, and of which.
    error, sd : ndarray, shape (n,)
        Of each column, µm; no coverage where no `sd` is stated.
    """
    found = {
        f"{kind}_bias_um.{name}": metric(error.mean(), "µm", error.size),
        f"{kind}_rmse_um.{name}": metric(np.sqrt(np.mean(error**2)), "µm", error.size),
    }
    stated = sd > 0
    if stated.any():
        within = np.abs(error[stated]) <= 1.96 * sd[stated]
        found[f"coverage_95.{kind}.{name}"] = metric(within.mean(), "1", stated.sum())
    return found


def known(metrics: Metrics) -> Metrics:
    """Leave out what could not be computed."""
    return {name: entry for name, entry in metrics.items() if math.isfinite(entry["value"])}
