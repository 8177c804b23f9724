"""ROIs of a cell against those of the pristine one. In: counts by block of both; out: tables.

Changes are of the peak, of the width and of the tail, each with a 95 % interval. The width is half
of the range that holds the middle 68.3 % of the voxels: of a Gaussian its standard deviation, and
wider where the sides are, which the width of the peak alone does not see.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from xct.analyze.grey_counts import GreyBins
from xct.analyze.roi.counts import RoiCounts
from xct.analyze.roi.homogeneity_test import grouped, variance_factors
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
_LIKELY = (
    "chance of a change of any group of ROIs as large as the largest, in its standard deviations, "
    "if both cells were alike; by a bootstrap over blocks"
)


def comparison_numbers(histograms: Mapping[str, pd.DataFrame]) -> Iterator[tuple[str, Number]]:
    """Give one p-value of the cell, the changes of each ROI, the slope with depth of each group.

    Nothing is yielded for what was not compared.
    """
    test = histograms.get("roi_test")
    if test is not None:
        for row in test.to_dict("records"):
            yield "roi_p_value", Number(
                row["p_value"], n=row["blocks"], note=_LIKELY,
                details={"largest": row["largest"], "largest_sd": row["largest_sd"]},
            )  # fmt: skip
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


def compare_rois(
    mine: Sequence[RoiCounts],
    theirs: Sequence[RoiCounts],
    bins: GreyBins,
    limits: Mapping[str, float | None],
    *,
    draws: int = 200,
    seed: int = 0,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Give the change of peak, width and tail of each ROI that both cells have, and one test.

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
    changes : DataFrame
        A row for each ROI: ``roi``, and ``peak_change`` (grey values), ``width_ratio``,
        ``tail_change`` (a difference of fractions), each with ``_sd``, ``_low``, ``_high`` (95 %,
        within its range); ``variance_factor``, by which the bootstrap was widened.
    test : DataFrame
        One row, or none without common ROIs: ``rois``, ``blocks``, ``p_value``, and the group and
        change with the ``largest`` mean over its ROIs in standard deviations, ``largest_sd``.
        How often the largest of all would be as large if nothing had changed is known from the
        same draws [1]_, so that asking for many changes at once makes none of them likelier.

    References
    ----------
    .. [1] Westfall & Young (1993), Resampling-Based Multiple Testing, ch. 2. ISBN 0-471-55761-7
    """
    import pandas as pd

    rng, rows, blocks = np.random.default_rng(seed), [], 0
    errors: dict[tuple[str, str], list[np.ndarray]] = {}
    for group, pair, factor in _paired(mine, theirs, seed):
        row: dict[str, float | str] = {"roi": pair.mine.name, "variance_factor": factor}
        drawn = [
            np.vstack([each.total[None].astype(float), resample(each.blocks, draws, rng)])
            for each in pair
        ]
        limit = limits.get(pair.mine.name)
        for name, (first, second) in _measured(drawn, bins, limit).items():
            change = _difference(name, first, second, np.sqrt(factor))
            row |= _stated(name, change)
            errors.setdefault((group, name), []).append(change)
        rows.append(row)
        blocks += sum(len(each.blocks) for each in pair)
    return pd.DataFrame(rows), _test(errors, len(rows), blocks)


def _test(errors: Mapping[tuple[str, str], list[np.ndarray]], rois: int, blocks: int) -> Any:
    """Ask whether the largest mean change of a group, in its standard deviations, is chance."""
    import pandas as pd

    scores, names = [], []
    for (group, name), changes in errors.items():
        mean = np.mean(changes, axis=0)
        sd = np.nanstd(mean[1:] - mean[0], ddof=1)
        if np.isfinite(mean[0]) and sd > 0:
            scores.append(np.append(mean[0], mean[1:] - mean[0]) / sd)
            names.append(f"{name}.{group}")
    columns = ["rois", "blocks", "p_value", "largest", "largest_sd"]
    if not scores:
        return pd.DataFrame([], columns=columns)
    sizes = np.nan_to_num(np.abs(scores))
    most = sizes.max(axis=0)
    p = (1 + np.count_nonzero(most[1:] >= most[0])) / len(most)
    which = int(sizes[:, 0].argmax())
    row = (rois, blocks, p, names[which], float(np.array(scores)[which, 0]))
    return pd.DataFrame([row], columns=columns)


class _Pair(NamedTuple):
    """One ROI in both cells."""

    mine: RoiCounts
    theirs: RoiCounts


def _paired(
    mine: Sequence[RoiCounts], theirs: Sequence[RoiCounts], seed: int
) -> Iterator[tuple[str, _Pair, float]]:
    """Give the ROIs that both cells have, with their group and its factor of variance."""
    other = {each.name: each for each in theirs if len(each.blocks) >= _FEWEST_BLOCKS}
    for name, group in grouped(mine).items():
        pairs = [_Pair(each, other[each.name]) for each in group if each.name in other]
        pairs = [pair for pair in pairs if len(pair.mine.blocks) >= _FEWEST_BLOCKS]
        if pairs:
            every = [each for pair in pairs for each in pair]
            factor, _ = variance_factors(every, np.random.default_rng(seed), draws=1)
            yield from ((name, pair, factor) for pair in pairs)


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


def _difference(name: str, mine: np.ndarray, theirs: np.ndarray, spread: float) -> np.ndarray:
    """Compare a number of both cells, and what was drawn of it; ratios as logarithms."""
    if name.endswith("ratio"):  # so that their intervals are positive
        mine, theirs = np.log(mine), np.log(theirs)
    value = mine[0] - theirs[0]
    return np.append(value, value + spread * (mine[1:] - theirs[1:] - value))


def _stated(name: str, change: np.ndarray) -> dict[str, float]:
    found = interval(float(change[0]), change[1:])
    value, low, high, sd = found.value, found.low, found.high, found.sd
    if name.endswith("ratio"):
        value, low, high = (float(np.exp(end)) for end in (value, low, high))
        sd *= value
    least, most = _ENDS.get(name, (-np.inf, np.inf))
    ends = {"low": max(low, least), "high": min(high, most)}
    return {name: value, f"{name}_sd": sd, **{f"{name}_{end}": at for end, at in ends.items()}}


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
