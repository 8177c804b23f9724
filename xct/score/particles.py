"""Particles that were found against those that are there. In: labels, tables; out: recall, bias.

Two particles are one where their overlap is at least half of their union: then no other fits.
What is missed, what is false, and how well the lithium content is told stand by size, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from xct.result import Result
from xct.score.metric import Metrics, Slab, metric

WIDE_VOXELS = 5.0  # smaller particles are judged by their size only
# Equivalent diameters in voxels.
CLASSES = (
    ("under_3", 0.0, 3.0), ("3_to_4", 3.0, 4.0), ("4_to_5", 4.0, 5.0), ("5_to_8", 5.0, 8.0),
    ("over_8", 8.0, np.inf),
)  # fmt: skip
_WHOLE = 0.001  # fraction of cracks below which a particle is none that is cracked
_LEAST_WHOLE = 20  # such particles; fewer say little of a mean
_OVERLAP = 0.5
_OVERLAP_DRIFTED = 0.25  # an isolated particle can be taken for no other
_NEAR = 0.5  # of a particle's diameter, between middles, where there are no labels


@dataclass
class ParticleScore:
    """Overlap of particles, and sizes in voxels; `pairs` are (true, found, voxels).

    Isolated particles are found from about `least_um` on, as the result states.
    """

    mine: pd.DataFrame
    true: pd.DataFrame
    voxel_um: float
    count: Mapping[str, Any] = field(default_factory=dict)
    least_um: float = 0.0
    pairs: list[np.ndarray] = field(default_factory=list)
    sizes: tuple[list[np.ndarray], list[np.ndarray]] = field(default_factory=lambda: ([], []))

    @classmethod
    def of(
        cls, result: Result, truth: Result, mine: Mapping[str, Any], true: Mapping[str, Any]
    ) -> ParticleScore | None:
        """Make one where both sides have labels and tables of particles."""
        if "particles" not in mine or "particles" not in true:
            return None
        tables = result.tables, truth.tables
        if any("particles" not in some for some in tables):
            return None
        count = result.summary.get("particles_above_limit", {})
        found, there = with_charge(tables[0]), tables[1]["particles"]
        return cls(found, there, truth.voxel_size_um, count, _least(result))

    def add(self, slab: Slab) -> None:
        """Add a slab."""
        true, mine = slab.true_labels["particles"], slab.labels["particles"]
        for k, numbers in enumerate((true, mine)):
            self.sizes[k].append(_counted(numbers[numbers > 0]))
        both = (true > 0) & (mine > 0)
        keys = true[both].astype(np.uint64) << np.uint64(32) | mine[both]
        self.pairs.append(_counted(keys))

    def metrics(self) -> Metrics:
        """Give recall, precision, size bias, and how well drifted ones were found."""
        overlap = self._overlap()
        strict = overlap[overlap.iou >= _OVERLAP]
        lenient = overlap[overlap.iou >= _OVERLAP_DRIFTED].sort_values("iou", ascending=False)
        lenient = lenient.drop_duplicates("true").drop_duplicates("mine")
        found = _metrics(self.true, self.mine, strict, lenient, self.voxel_um, self.least_um)
        return found | _above_limit(self.count, self.true)

    def _overlap(self) -> pd.DataFrame:
        """List pairs with common voxels, and the ratio of these to all that the two cover."""
        keys = _summed(self.pairs)
        sizes = [_summed(some) for some in self.sizes]
        pairs = pd.DataFrame(
            {
                "true": (keys.index.to_numpy() >> np.uint64(32)).astype(np.int64),
                "mine": (keys.index.to_numpy() & np.uint64(0xFFFFFFFF)).astype(np.int64),
                "common": keys.to_numpy(),
            }
        )
        size_true = pairs.true.map(sizes[0]).to_numpy(float)
        size_mine = pairs.mine.map(sizes[1]).to_numpy(float)
        return pairs.assign(iou=pairs.common / (size_true + size_mine - pairs.common))


def score_particle_tables(result: Result, truth: Result) -> Metrics:
    """Compare tables alone: two particles are one where their middles are close."""
    tables = result.tables, truth.tables
    if any("particles" not in some or not len(some["particles"]) for some in tables):
        return {}
    mine, true = with_charge(tables[0]), tables[1]["particles"]
    places = [some[["z_um", "y_um", "x_um"]].to_numpy() for some in (mine, true)]
    found = cKDTree(places[0]).query(places[1])
    distance, nearest = (np.asarray(some) for some in found)
    near = distance < _NEAR * true.equivalent_diameter_um
    pairs = pd.DataFrame(
        {
            "true": true.particle[near].to_numpy(),
            "mine": mine.particle.to_numpy()[nearest[near]],
            "distance": distance[near],
        }
    )
    pairs = pairs.sort_values("distance").drop_duplicates("mine")
    return _metrics(true, mine, pairs, pairs, truth.voxel_size_um, _least(result))


def _least(result: Result) -> float:
    """Give the diameter of isolated particles of which half are found, by the result, µm."""
    stated = result.summary.get("particle_detection_um.isolated", {})
    return float(stated.get("value", 0.0))


def with_charge(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Give the table of particles with their lithium contents, where these were read."""
    particles, charge = tables["particles"], tables.get("charge")
    if charge is None or "li_content" not in charge:
        return particles
    columns = ["particle", "li_content", "li_content_low", "li_content_high", "withheld"]
    others = particles.drop(columns=columns[1:], errors="ignore")
    return others.merge(charge[columns], on="particle", how="left")


def _metrics(
    true: pd.DataFrame,
    mine: pd.DataFrame,
    strict: pd.DataFrame,
    lenient: pd.DataFrame,
    voxel_um: float,
    least_um: float = 0.0,
) -> Metrics:
    least = WIDE_VOXELS * voxel_um
    found: Metrics = {}
    wide = true[true.equivalent_diameter_um > least]
    if len(wide):
        found["particle_recall"] = metric(wide.particle.isin(strict.true).mean(), "1", len(wide))
    wide_mine = mine[mine.equivalent_diameter_um > least]
    if len(wide_mine):
        right = wide_mine.particle.isin(strict.mine).mean()
        found["particle_precision"] = metric(right, "1", len(wide_mine))
    found |= _by_size(true, mine, strict, voxel_um)
    both = strict.merge(true, left_on="true", right_on="particle").merge(
        mine, left_on="mine", right_on="particle", suffixes=("", "_found")
    )
    found |= _charge(both, voxel_um)
    both = both[both.equivalent_diameter_um > least]
    return found | _errors(both) | _drifted(true, mine, lenient, least_um)


def _by_size(
    true: pd.DataFrame, mine: pd.DataFrame, strict: pd.DataFrame, voxel_um: float
) -> Metrics:
    """Give which part of each size is missed, and which part of what was found is false."""
    found: Metrics = {}
    for what, table, good in (("missed", true, strict.true), ("false", mine, strict.mine)):
        size = table.equivalent_diameter_um / voxel_um
        for name, low, high in CLASSES:
            some = table.particle[(size >= low) & (size < high)]
            if len(some):
                fraction = 1 - some.isin(good).mean()
                found[f"particle_{what}.{name}"] = metric(fraction, "1", len(some))
    return found


def _charge(both: pd.DataFrame, voxel_um: float) -> Metrics:
    """Give how often intervals of the lithium content hold the truth, and where none is given."""
    if "li_content_found" not in both or "withheld" not in both:
        return {}
    found: Metrics = {}
    read = both.li_content_found.notna()
    held = (both.li_content_low <= both.li_content) & (both.li_content <= both.li_content_high)
    size = both.equivalent_diameter_um / voxel_um
    for name, low, high in (("", 0.0, np.inf), *((f".{n}", a, b) for n, a, b in CLASSES)):
        own = (size >= low) & (size < high)
        if (own & read).any():
            some = both[own & read]
            n = len(some)
            found[f"coverage_95.li_content{name}"] = metric(held[own & read].mean(), "1", n)
            bias = (some.li_content_found - some.li_content).mean()
            found[f"li_content_bias{name}"] = metric(bias, "1", n)
        whole = own & (both.get("crack_porosity", 0.0) < _WHOLE)
        if whole.any():
            undecided = both.withheld[whole].astype(str).str.startswith("undecidable").mean()
            found[f"li_content_undecidable{name}"] = metric(undecided, "1", whole.sum())
    return found


def _above_limit(count: Mapping[str, Any], true: pd.DataFrame) -> Metrics:
    """Compare the count of particles above the size that the result says it finds."""
    if "limit_um" not in count:
        return {}
    there = int((true.equivalent_diameter_um >= count["limit_um"]).sum())
    error = float(count["value"]) - there
    found = {"particle_count_error_percent": metric(100 * error / max(there, 1), "%", there)}
    if count.get("bound") == "lower":
        return found | {"particle_count_bound_holds": metric(error <= 0, "1", 1)}
    if count.get("sd"):
        within = abs(error) <= 1.96 * float(count["sd"])
        found["coverage_95.particle_count"] = metric(within, "1", 1)
    return found


def _errors(both: pd.DataFrame) -> Metrics:
    """Bias of what is measured of particles that were found."""
    found: Metrics = {}
    if not len(both):
        return found
    ratio = 100 * (both.equivalent_diameter_um_found / both.equivalent_diameter_um - 1)
    found["particle_diameter_bias_percent"] = metric(ratio.mean(), "%", len(both))
    found["particle_diameter_sd_percent"] = metric(ratio.std(ddof=0), "%", len(both))
    for column, unit in (("core_grey", "GV"), ("mean_grey", "GV"), ("distance_to_front_um", "µm")):
        if f"{column}_found" in both and column in both:
            error = (both[f"{column}_found"] - both[column]).dropna()
            if len(error):
                found[f"particle_{column}_bias"] = metric(error.mean(), unit, len(error))
    found |= _of_whole_particles(both)
    for column in both.columns:
        stated = both.get(f"{column}_sd")
        if stated is not None and f"{column}_found" in both:
            error = (both[f"{column}_found"] - both[column]).abs()
            usable = error.notna() & (stated > 0)
            if usable.any():
                fraction = (error[usable] <= 1.96 * stated[usable]).mean()
                found[f"coverage_95.particle_{column}"] = metric(fraction, "1", usable.sum())
    return found


def _of_whole_particles(both: pd.DataFrame) -> Metrics:
    """Bias of the core of particles that have neither cracks nor a cavity."""
    needed = ("core_grey", "core_grey_found", "crack_porosity", "cavity_um3")
    if not all(name in both for name in needed):
        return {}
    some = both[(both.crack_porosity < _WHOLE) & (both.cavity_um3 == 0)]
    error = (some.core_grey_found - some.core_grey).dropna()
    if len(error) < _LEAST_WHOLE:
        return {}
    return {"particle_core_grey_bias.whole": metric(error.mean(), "GV", len(error))}


def _drifted(
    true: pd.DataFrame, mine: pd.DataFrame, lenient: pd.DataFrame, least_um: float
) -> Metrics:
    """Compare drifted ones of a size that is found; smaller ones are neither missed nor false."""
    if "drifted" not in mine or "drifted" not in true:
        return {}
    there = true[true.drifted == True]  # noqa: E712
    small = set(there.particle[there.equivalent_diameter_um < least_um])
    really = set(there.particle) - small
    partner = dict(zip(lenient.mine, lenient.true, strict=True))
    called = set(mine.particle[mine.drifted == True])  # noqa: E712
    called = {number for number in called if partner.get(number) not in small}
    right = {number for number in called if partner.get(number) in really}
    found = {"drifted_false": metric(len(called - right), "particles", len(called))}
    if really:
        found["drifted_recall"] = metric(len(right) / len(really), "1", len(really))
        found["drifted_f1"] = metric(2 * len(right) / (len(really) + len(called)), "1", len(really))
    return found


def _counted(values: np.ndarray) -> np.ndarray:
    """Give each value and how often it occurs, shape (2, n)."""
    found, counts = np.unique(values, return_counts=True)
    return np.stack([found.astype(np.uint64), counts.astype(np.uint64)])


def _summed(parts: list[np.ndarray]) -> pd.Series:
    """Add up what slabs counted, by value."""
    both = np.concatenate(parts, axis=1) if parts else np.empty((2, 0), np.uint64)
    series = pd.Series(both[1].astype(np.int64), index=both[0])
    summed: pd.Series = series.groupby(level=0).sum()
    return summed
