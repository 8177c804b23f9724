"""Filaments through the electrolyte. In: tables; out: how many were found, and how well measured.

A filament that was found is a true one where its middle lies within a quarter of its length of it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from xct.result import Result
from xct.score.metric import Metrics, metric

_NEAR = 0.25  # of a filament's length
# What the truth calls it, what a result does, and how many per cent an error is of.
_MEASURED = (("length_um", "length_um"), ("thickness_um", "mean_diameter_um"))


def score_filaments(result: Result, truth: Result) -> Metrics:
    """Compare tables of inclusions, if both know of filaments.

    Returns
    -------
    dict
        ``bridges_error`` (found less true), ``filament_false``; with true filaments
        ``filament_recall``, ``filament_class`` (the fraction of those found that are said to touch
        what they touch), bias and standard deviation in per cent of ``length`` and ``thickness``,
        and the bias of ``tortuosity``.
    """
    tables = [some.tables.get("inclusions") for some in (result, truth)]
    if any(some is None or "filament" not in some for some in tables):
        return {}
    mine, there = tables
    assert mine is not None
    assert there is not None
    bridging = [int((some["class"] == "bridging").sum()) for some in (mine, there)]
    found, true = (some[some["filament"].astype(bool)] for some in (mine, there))
    pairs = _paired(found, true)
    metrics = {
        "bridges_error": metric(bridging[0] - bridging[1], "bridges", bridging[1]),
        "filament_false": metric(len(found) - len(pairs), "filaments", len(found)),
    }
    if len(true):
        metrics["filament_recall"] = metric(len(pairs) / len(true), "1", len(true))
    return metrics | _errors(pairs)


def _paired(found: pd.DataFrame, true: pd.DataFrame) -> pd.DataFrame:
    """Pair each true filament with the nearest that was found, near enough, each once."""
    places = [some[["z_um", "y_um", "x_um"]].to_numpy(float) for some in (found, true)]
    away = np.linalg.norm(places[1][:, None] - places[0][None], axis=2)
    far = away > _NEAR * true["length_um"].to_numpy(float)[:, None]
    rows, columns = np.nonzero(~far)
    pairs = pd.DataFrame({"true": rows, "mine": columns, "away": away[rows, columns]})
    pairs = pairs.sort_values("away").drop_duplicates("true").drop_duplicates("mine")
    sides = [
        some.iloc[pairs[name]].reset_index(drop=True).add_prefix(f"{name}_")
        for some, name in ((true, "true"), (found, "mine"))
    ]
    return pd.concat(sides, axis=1)


def _errors(pairs: pd.DataFrame) -> Metrics:
    found: Metrics = {}
    if not len(pairs):
        return found
    n = len(pairs)
    right = (pairs["true_class"] == pairs["mine_class"]).mean()
    found["filament_class"] = metric(right, "1", n)
    for true, mine in _MEASURED:
        if f"mine_{mine}" in pairs:
            error = 100 * (pairs[f"mine_{mine}"] / pairs[f"true_{true}"] - 1)
            name = f"filament_{true.removesuffix('_um')}"
            found[f"{name}_bias_percent"] = metric(error.mean(), "%", n)
            found[f"{name}_sd_percent"] = metric(error.std(ddof=0), "%", n)
    error = pairs["mine_tortuosity"] - pairs["true_tortuosity"]
    found["filament_tortuosity_bias"] = metric(error.mean(), "1", n)
    return found
