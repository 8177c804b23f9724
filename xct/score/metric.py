"""Metrics by name: a value, its unit, and how many samples it rests on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from scipy.ndimage import maximum_filter, minimum_filter

Metrics = dict[str, dict[str, Any]]


def metric(value: float, unit: str, n: int) -> dict[str, Any]:
    """Make one metric."""
    return {"value": float(value), "unit": unit, "n": int(n)}


def map_errors(kind: str, name: str, error: np.ndarray, sd: np.ndarray) -> Metrics:
    """Give bias, RMSE, what is stated, and the fraction of columns within 1.96 times that.

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
        found[f"{kind}_sd_um.{name}"] = metric(np.median(sd[stated]), "µm", stated.sum())
    return found


def known(metrics: Metrics) -> Metrics:
    """Leave out what could not be computed."""
    return {name: entry for name, entry in metrics.items() if math.isfinite(entry["value"])}


# One pass over two volumes. In: a slab of both; out: sums, gathered by each kind of score.


@dataclass(frozen=True)
class Slab:
    """The same slices of a result and of its truth.

    Attributes
    ----------
    first : int
        Number of the first slice.
    mu, true_mu : ndarray of float32, shape (z, y, x)
        Attenuation in 1/cm.
    labels, true_labels : mapping of str to ndarray
        Labels by name, as far as there are any.
    interior : ndarray of bool or None
        Voxels of the truth that are surrounded by their own material; None without labels.
    """

    first: int
    mu: np.ndarray
    true_mu: np.ndarray
    labels: Mapping[str, np.ndarray]
    true_labels: Mapping[str, np.ndarray]
    interior: np.ndarray | None


class VoxelScore(Protocol):
    """Something that is summed over slabs."""

    def add(self, slab: Slab) -> None:
        """Add a slab."""
        ...

    def metrics(self) -> Metrics:
        """Give what has been found."""
        ...


def interior(kinds: np.ndarray, margin: int) -> np.ndarray:
    """Find which voxels are surrounded by their own material, `margin` voxels in every direction.

    At the faces of what is given, only what is given counts.
    """
    size = 2 * margin + 1
    low = minimum_filter(kinds, size, mode="nearest")
    return np.asarray(low == maximum_filter(kinds, size, mode="nearest"))


# Metrics for the terminal. In: metrics; out: a table as text.


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
