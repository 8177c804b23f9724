"""ROIs of a cell against those of the pristine one. In: counts by block of both; out: tables.

Changes are of the peak, of the width and of the tail, each with a 95 % interval. The width is half
of the range that holds the middle 68.3 % of the voxels: of a Gaussian its standard deviation, and
wider where the sides are, which the width of the peak alone does not see.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from xct.analyze.grey_counts import GreyBins
from xct.analyze.roi.counts import RoiCounts
from xct.analyze.roi.homogeneity_test import distance_of, grouped, variance_factors
from xct.quantity import Number
from xct.statistics.bootstrap import interval, resample
from xct.statistics.peaks import find_peak

if TYPE_CHECKING:
    import pandas as pd

_MIDDLE = (0.158655, 0.841345)  # one standard deviation of a Gaussian to either side
_FEWEST_BLOCKS = 3
_UNITS = {"peak_change": "GV", "width_ratio": "1", "tail_change": "1"}
_ENDS = {"width_ratio": (0.0, np.inf), "tail_change": (-1.0, 1.0)}  # of their ranges
_NOTE = "against the same ROI of the pristine cell, with the uncertainty of both"
_LIKELY = "that both cells' ROIs are pieces of one packing: their blocks dealt out at random"


def comparison_numbers(histograms: Mapping[str, pd.DataFrame]) -> Iterator[tuple[str, Number]]:
    """Give one p-value of the cell, the changes of each ROI, the slope with depth of each group.

    Nothing is yielded for what was not compared.
    """
    test = histograms.get("roi_test")
    if test is not None:
        for row in test.to_dict("records"):
            yield "roi_p_value", Number(row["p_value"], n=row["blocks"], note=_LIKELY)
    changes = histograms.get("roi_changes")
    if changes is not None:
        for row in changes.to_dict("records"):
            for name, unit in _UNITS.items():
                ends = {end: row[f"{name}_{end}"] for end in ("low", "high")}
                yield (
                    f"roi_{name}.{row['roi']}",
                    Number(row[name], unit, row[f"{name}_sd"], note=_NOTE, details=ends),
                )
    slopes = histograms.get("roi_slopes")
    if slopes is not None:
        for row in slopes.to_dict("records"):
            slope = Number(row["slope_per_um"], "GV/µm", row["slope_per_um_sd"], row["blocks"])
            yield f"roi_slope_per_um.{row['group']}", slope


def roi_changes(
    mine: Sequence[RoiCounts],
    theirs: Sequence[RoiCounts],
    bins: GreyBins,
    limits: Mapping[str, float | None],
    *,
    draws: int = 200,
    seed: int = 0,
) -> pd.DataFrame:
    """Give the change of peak, width and tail of each ROI that both cells have.

    Parameters
    ----------
    mine, theirs : sequence of RoiCounts
        Of this cell and of the pristine one.
    bins : GreyBins
        Of both.
    limits : mapping of str to float or None
        By ROI: the tail is what lies below, in both cells; None: it is not compared.
    draws : int, optional
        Of the block bootstrap, of each cell.
    seed : int, optional
        Of the chance.

    Returns
    -------
    DataFrame
        A row for each ROI: ``roi``, and ``peak_change`` (grey values), ``width_ratio``,
        ``tail_change`` (a difference of fractions), each with ``_sd``, ``_low``, ``_high`` (95 %,
        within its range); ``variance_factor``, by which the bootstrap was widened.
    """
    import pandas as pd

    rng, rows = np.random.default_rng(seed), []
    for pair, factor, _ in _paired(mine, theirs, seed):
        row: dict[str, float | str] = {"roi": pair.mine.name, "variance_factor": factor}
        drawn = [
            np.vstack([each.total[None].astype(float), resample(each.blocks, draws, rng)])
            for each in pair
        ]
        limit = limits.get(pair.mine.name)
        for name, (first, second) in _measured(drawn, bins, limit).items():
            row |= _change(name, first, second, np.sqrt(factor))
        rows.append(row)
    return pd.DataFrame(rows)


class _Pair(NamedTuple):
    """One ROI in both cells."""

    mine: RoiCounts
    theirs: RoiCounts


def _paired(
    mine: Sequence[RoiCounts], theirs: Sequence[RoiCounts], seed: int, draws: int = 1
) -> Iterator[tuple[_Pair, float, np.ndarray]]:
    """Give the ROIs that both cells have, with the factors of variance of their group."""
    other = {each.name: each for each in theirs if len(each.blocks) >= _FEWEST_BLOCKS}
    for group in grouped(mine).values():
        pairs = [_Pair(each, other[each.name]) for each in group if each.name in other]
        pairs = [pair for pair in pairs if len(pair.mine.blocks) >= _FEWEST_BLOCKS]
        if pairs:
            every = [each for pair in pairs for each in pair]
            factor, drawn = variance_factors(every, np.random.default_rng(seed), draws=draws)
            yield from ((pair, factor, drawn) for pair in pairs)


def _measured(
    drawn: Sequence[np.ndarray], bins: GreyBins, limit: float | None
) -> dict[str, list[np.ndarray]]:
    """Measure both cells' histograms, and what was drawn of them; the first is the whole."""
    edges = bins.low + np.arange(bins.count + 1) * bins.width
    below = [np.cumsum(np.pad(h, ((0, 0), (1, 0))), axis=1) / h.sum(axis=1)[:, None] for h in drawn]
    found = {
        "peak_change": [
            np.array([find_peak(one, bins.grey_value).position for one in h]) for h in drawn
        ],
        "width_ratio": [
            np.array([np.diff(np.interp(_MIDDLE, row, edges))[0] / 2 for row in part])
            for part in below
        ],
    }
    if limit is not None:
        found["tail_change"] = [
            np.array([np.interp(limit, edges, row) for row in part]) for part in below
        ]
    return found


def _change(name: str, mine: np.ndarray, theirs: np.ndarray, spread: float) -> dict[str, float]:
    """Compare a number of both cells; a ratio as a logarithm, so that its interval is positive."""
    if name.endswith("ratio"):
        mine, theirs = np.log(mine), np.log(theirs)
    value = float(mine[0] - theirs[0])
    error = (mine[1:] - mine[0]) - (theirs[1:] - theirs[0])
    found = interval(value, value + spread * error)
    low, high, sd = found.low, found.high, found.sd
    if name.endswith("ratio"):
        value, low, high = (float(np.exp(end)) for end in (value, low, high))
        sd *= value
    least, most = _ENDS.get(name, (-np.inf, np.inf))
    ends = {"low": max(low, least), "high": min(high, most)}
    return {name: value, f"{name}_sd": sd, **{f"{name}_{end}": at for end, at in ends.items()}}


def roi_test(
    mine: Sequence[RoiCounts],
    theirs: Sequence[RoiCounts],
    bins: GreyBins,
    *,
    draws: int = 500,
    seed: int = 0,
) -> pd.DataFrame:
    """Test all ROIs of a cell at once against those of the pristine one.

    In each ROI the blocks of both cells are dealt out to the two at random; blocks, not voxels,
    since neighbors share noise and particles, and what chance gives is widened as in
    `homogeneity`. The mean Wasserstein distance over the ROIs answers to peak, width and tail.

    Returns
    -------
    DataFrame
        One row, or none without common ROIs: ``rois``, ``blocks``, ``distance`` and
        ``distance_by_chance`` (grey values), ``p_value``.
    """
    import pandas as pd

    rng, found, chance, blocks, rois = np.random.default_rng(seed), 0.0, np.zeros(draws), 0, 0
    for pair, _, factors in _paired(mine, theirs, seed, draws):
        both = np.concatenate([each.blocks for each in pair]).astype(np.float32)
        owner = np.repeat([0, 1], [len(each.blocks) for each in pair])
        own = np.array([distance_of(both, rng.permutation(owner), bins) for _ in range(draws)])
        found += distance_of(both, owner, bins)
        chance += own * np.sqrt(factors)
        blocks, rois = blocks + len(owner), rois + 1
    row = {
        "rois": rois, "blocks": blocks, "distance": found / max(rois, 1),
        "distance_by_chance": float(chance.mean()) / max(rois, 1),
        "p_value": float((1 + (chance >= found).sum()) / (1 + draws)),
    }  # fmt: skip
    return pd.DataFrame([row][:rois], columns=list(row))


def roi_slopes(
    counts: Sequence[RoiCounts], bins: GreyBins, sign: int, *, draws: int = 200, seed: int = 0
) -> pd.DataFrame:
    """Give how the mean grey value changes with depth, for each group of ROIs named alike.

    Parameters
    ----------
    counts : sequence of RoiCounts
        Counts by block.
    bins : GreyBins
        Their bins.
    sign : int
        +1 where the anode lies at small z: depth grows away from it.
    draws : int, optional
        Of a bootstrap over blocks, widened as elsewhere.
    seed : int, optional
        Of the chance.

    Returns
    -------
    DataFrame
        ``group``, ``slope_per_um`` (grey values per µm) with ``_sd``, ``_low``, ``_high``,
        ``depth_um`` (from the first block to the last), ``blocks``; a row for each group whose
        blocks lie at three depths at least.
    """
    import pandas as pd

    rng, rows = np.random.default_rng(seed), []
    for name, group in grouped(counts).items():
        depth = np.concatenate([sign * _heights_um(each) for each in group])
        if len(np.unique(np.round(depth, 3))) < _FEWEST_BLOCKS:
            continue
        blocks = np.concatenate([each.blocks for each in group])
        weight = blocks.sum(axis=1).astype(float)
        mean = blocks @ bins.grey_value / weight
        chosen = rng.multinomial(len(depth), np.full(len(depth), 1 / len(depth)), size=draws)
        value, *drawn = (
            _slope(depth, mean, weight * often) for often in (np.ones(len(depth)), *chosen)
        )
        factor, _ = variance_factors(group, rng, draws=1)
        found = interval(value, value + np.sqrt(factor) * (np.array(drawn) - value))
        rows.append({
            "group": name, "slope_per_um": value, "slope_per_um_sd": found.sd,
            "slope_per_um_low": found.low, "slope_per_um_high": found.high,
            "depth_um": float(np.ptp(depth)), "blocks": len(depth),
        })  # fmt: skip
    return pd.DataFrame(rows)


def _heights_um(counts: RoiCounts) -> np.ndarray:
    """Middle of each block along z, in the volume."""
    box = counts.places_um[:, 0]
    return np.asarray(counts.middle[0] + box - (box.min() + box.max()) / 2)


def _slope(depth: np.ndarray, mean: np.ndarray, weight: np.ndarray) -> float:
    middle = np.average(depth, weights=weight)
    square = np.sum(weight * (depth - middle) ** 2)
    return float(np.sum(weight * (depth - middle) * mean) / square) if square > 0 else np.nan
