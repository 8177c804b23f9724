"""Height maps against the true ones. In: results; out: bias, RMSE, coverage, absent area."""

from __future__ import annotations

import numpy as np

from xct.geometry import SURFACES, Surface
from xct.result import Result
from xct.score.metric import Metrics, map_errors, metric

# The truth has the collector's face twice: what a result shows is told by its definition.
BY_SHARE = "cathode_collector_half_share"


def score_surfaces(result: Result, truth: Result) -> Metrics:
    """Compare the surfaces that both sides have.

    Bias and RMSE are over the columns where both have a height; coverage is the share of these
    whose error is within 1.96 of the stated standard deviations, 0.95 where these are right.
    """
    if any(not (some.path / "surfaces.zarr" / "zarr.json").is_file() for some in (result, truth)):
        return {}
    mine, true = result.surfaces, truth.surfaces
    found: Metrics = {}
    for name in SURFACES:
        if name in mine and name in true:
            reference = true[name]
            if "half" in mine[name].definition and name == SURFACES[3] and BY_SHARE in true:
                reference = true[BY_SHARE]
            if mine[name].height_um.shape == reference.height_um.shape:
                found |= _one(name, mine[name], reference)
    steel, lithium = SURFACES[:2]
    if all(name in side for name in (steel, lithium) for side in (mine, true)):
        found |= _absent((mine[steel], mine[lithium]), (true[steel], true[lithium]))
    return found


def _one(name: str, mine: Surface, true: Surface) -> Metrics:
    there, seen = np.isfinite(true.height_um), np.isfinite(mine.height_um)
    both = there & seen
    found: Metrics = {}
    if there.any():
        share = both.sum() / there.sum()
        found[f"surface_found.{name}"] = metric(share, "1", there.sum())
    if both.any():
        error = mine.height_um[both].astype(np.float64) - true.height_um[both]
        found |= map_errors("surface", name, error, mine.sd_um[both])
        far = np.percentile(np.abs(error), 95)
        found[f"surface_p95_um.{name}"] = metric(far, "µm", error.size)
    return found


def _absent(mine: tuple[Surface, Surface], true: tuple[Surface, Surface]) -> Metrics:
    """Compare where lithium is absent: no height, though the column was measured."""
    gone = [
        np.isfinite(steel.height_um) & np.isnan(lithium.height_um) & np.isfinite(lithium.sd_um)
        for steel, lithium in (mine, true)
    ]
    measured = [
        np.isfinite(steel.height_um) & (np.isfinite(lithium.height_um) | where)
        for (steel, lithium), where in zip((mine, true), gone, strict=True)
    ]
    both = measured[0] & measured[1]
    if not both.any():
        return {}
    share = [float(where[both].mean()) for where in gone]
    found = {"absent_area_error": metric(share[0] - share[1], "1", both.sum())}
    total = (gone[0] & both).sum() + (gone[1] & both).sum()
    if (gone[1] & both).any():
        dice = 2 * (gone[0] & gone[1] & both).sum() / total
        found["dice.absent_area"] = metric(dice, "1", both.sum())
    return found
