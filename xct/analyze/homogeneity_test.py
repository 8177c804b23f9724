"""Do ROIs hold the same? In: counts by block of several ROIs; out: differences and a p-value."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from xct.analyze.block_correlation import variance_factors
from xct.analyze.grey_bins import GreyBins
from xct.analyze.grey_statistics import wasserstein
from xct.analyze.roi_counts import RoiCounts

COLUMNS = (
    "group", "rois", "distance", "distance_by_chance", "p_value", "largest_difference",
    "largest_difference_sd", "variance_factor",
)  # fmt: skip


def homogeneity(
    counts: Sequence[RoiCounts], bins: GreyBins, *, draws: int = 500, seed: int = 0
) -> pd.DataFrame:
    """Test for each group of ROIs whether their grey values are distributed alike.

    ROIs are in one group if their names differ in the number at the end only: C-1, C-2, C-3. The
    mean Wasserstein distance from the ROIs to all of them together is compared with that after
    the blocks have been dealt out to the ROIs at random; blocks, not voxels, since neighbors
    share noise and particles. What chance gives is widened by `variance_factors`, as clusters of
    particles are wider than blocks, and drawn with that factor's own doubt: differences no larger
    than those between regions of one random packing are alike. ROIs less than about 100 µm wide
    hold too few clusters to tell: their p-values are too small somewhat more often than they say.

    Parameters
    ----------
    counts : sequence of RoiCounts
        Counts by block.
    bins : GreyBins
        Their bins.
    draws : int, optional
        How often the blocks are dealt out.
    seed : int, optional
        Of the chance.

    Returns
    -------
    DataFrame
        A row for each group of two or more: ``distance`` and what chance gives in the mean, in
        grey values, ``p_value`` (below 0.05: not alike), and the largest difference of two means
        with its standard deviation, widened too; ``variance_factor`` tells by how much, as a
        variance.
    """
    rng = np.random.default_rng(seed)
    rows = [_row(name, g, bins, draws, rng) for name, g in grouped(counts).items() if len(g) > 1]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def grouped(counts: Sequence[RoiCounts]) -> dict[str, list[RoiCounts]]:
    """Sort ROIs that hold voxels by their names without the number at the end."""
    groups: dict[str, list[RoiCounts]] = {}
    for each in (c for c in counts if len(c.blocks)):
        groups.setdefault(re.sub(r"[-_ ]*\d+$", "", each.name), []).append(each)
    return groups


def _row(
    name: str, group: list[RoiCounts], bins: GreyBins, draws: int, rng: np.random.Generator
) -> dict[str, float | str]:
    blocks = np.concatenate([each.blocks for each in group]).astype(np.float32)
    owner = np.repeat(np.arange(len(group)), [len(each.blocks) for each in group])
    found = _distance(blocks, owner, bins)
    chance = np.array([_distance(blocks, rng.permutation(owner), bins) for _ in range(draws)])
    factor, drawn = variance_factors(group, rng, draws=draws)
    chance *= np.sqrt(drawn)
    means, variances = zip(*[_mean(each, bins) for each in group], strict=True)
    low, high = int(np.argmin(means)), int(np.argmax(means))
    return {
        "group": name,
        "rois": len(group),
        "distance": found,
        "distance_by_chance": float(chance.mean()),
        "p_value": float((1 + (chance >= found).sum()) / (1 + draws)),
        "largest_difference": float(means[high] - means[low]),
        "largest_difference_sd": float(np.sqrt(factor * (variances[low] + variances[high]))),
        "variance_factor": factor,
    }


def _distance(blocks: np.ndarray, owner: np.ndarray, bins: GreyBins) -> float:
    share = np.zeros((owner.max() + 1, owner.size), np.float32)
    share[owner, np.arange(owner.size)] = 1
    histograms = (share @ blocks).astype(np.float64)
    everything = histograms.sum(axis=0, keepdims=True)
    return float(wasserstein(histograms, everything, bins.width).mean())


def _mean(counts: RoiCounts, bins: GreyBins) -> tuple[float, float]:
    """Mean grey value, and its variance from the scatter of the blocks' means."""
    weight = counts.blocks.sum(axis=1)
    sums = counts.blocks @ bins.grey_value
    mean = float(sums.sum() / weight.sum())
    left = sums - mean * weight
    spread = len(weight) / max(1, len(weight) - 1)
    return mean, float((left**2).sum() * spread / weight.sum() ** 2)
