"""Do ROIs hold the same? In: counts by block of several ROIs; out: differences and a p-value."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy

from xct.analyze.grey_counts import GreyBins
from xct.analyze.roi.counts import RoiCounts
from xct.analyze.roi.grey_statistics import wasserstein

if TYPE_CHECKING:
    import pandas as pd

# How alike are blocks near each other? In: counts by block of ROIs; out: factors of variance.
#
# Particles are packed in clusters wider than a block, so the mean over a ROI scatters more than if
# its blocks were independent: in a packed cathode four to ten times more, as a variance.

_MOST_BLOCKS = 500  # pairs of more take time, and add nothing
_FEWEST_BLOCKS = 3
_AT_ONCE = 100_000  # blocks that are dealt out, of several draws


@dataclass(frozen=True)
class _Pairs:
    """Sums of the fit of a variogram over the pairs of blocks of one ROI."""

    normal: np.ndarray
    right: np.ndarray
    blocks: int
    shared: float  # mean correlation of two blocks, each with itself included


def variance_factors(
    counts: Sequence[RoiCounts], rng: np.random.Generator, *, draws: int, length_um: float = 35.0
) -> tuple[float, np.ndarray]:
    """Give how many times more ROIs scatter than if their blocks were independent.

    The variogram of the blocks' cumulative histograms, within ROIs only, is that of noise and of
    clusters whose correlation falls as exp(-distance / length): from it follows the variance of
    a whole ROI, clusters as wide as itself included [1]_. A difference between ROIs does not
    enter, nor does a straight trend with depth that they have in common. The length is held,
    since a ROI a few clusters wide does not determine it.

    Parameters
    ----------
    counts : sequence of RoiCounts
        ROIs of one group.
    rng : Generator
        Source of chance.
    draws : int
        How often the ROIs are weighted anew, to know the uncertainty of the factor.
    length_um : float, optional
        Of the clusters: three particles.

    Returns
    -------
    factor : float
        Variance of a ROI over that of as many independent blocks; at least 1.
    drawn : ndarray, shape (draw,)
        The same after each draw.

    References
    ----------
    .. [1] Chilès & Delfiner (2012), Geostatistics, 2nd ed., ch. 2. doi:10.1002/9781118136188
    """
    kept = [each for each in counts if len(each.blocks) >= _FEWEST_BLOCKS]
    if not kept:
        return 1.0, np.ones(draws)
    chosen = [_some(len(each.blocks), rng) for each in kept]
    some = [each.blocks[one] for each, one in zip(kept, chosen, strict=True)]
    shapes = _cumulative(some)
    # What blocks that are dealt out at random have.
    variance = float(np.concatenate(shapes).var(axis=0, ddof=1).sum())
    places = [each.places_um[one] for each, one in zip(kept, chosen, strict=True)]
    shapes = _without_trend(shapes, [place[:, 0] for place in places])
    pairs = [
        _pairs(shape, place, len(each.blocks), length_um)
        for shape, place, each in zip(shapes, places, kept, strict=True)
    ]
    weights = rng.dirichlet(np.ones(len(pairs)), size=draws)
    first, *drawn = _factors(
        pairs, np.concatenate([[np.full(len(pairs), 1 / len(pairs))], weights]), variance
    )
    return float(first), np.array(drawn)


def _some(count: int, rng: np.random.Generator) -> np.ndarray:
    return np.sort(rng.permutation(count)[:_MOST_BLOCKS])


def _cumulative(several: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Give cumulative histograms of blocks, (block, bin), such that squares add up to those of all.

    Bins that nothing falls into, most of them, repeat the one before: that counts as often.
    """
    used = np.flatnonzero(np.any([blocks.any(axis=0) for blocks in several], axis=0))
    often = np.sqrt(np.diff(used, append=several[0].shape[1]))
    below = [np.cumsum(blocks[:, used], axis=1, dtype=np.float64) for blocks in several]
    return [each / each[:, -1:] * often for each in below]


def _without_trend(shapes: list[np.ndarray], heights: list[np.ndarray]) -> list[np.ndarray]:
    """Subtract the straight trend with height that is common to all, each about its own middle."""
    heights = [height - height.mean() for height in heights]
    square = sum(float(z @ z) for z in heights)
    if square == 0:
        return shapes
    slope = np.sum([z @ shape for z, shape in zip(heights, shapes, strict=True)], axis=0) / square
    return [shape - np.outer(height, slope) for shape, height in zip(shapes, heights, strict=True)]


def _pairs(shapes: np.ndarray, places: np.ndarray, blocks: int, length_um: float) -> _Pairs:
    centered = shapes - shapes.mean(axis=0)
    product = centered @ centered.T
    own = np.diag(product)
    half_square = (own[:, None] + own) / 2 - product
    count, away = len(shapes), scipy.spatial.distance.cdist(places, places)
    apart = 1 - np.exp(-away / length_um)  # 0 of a block and itself, as half of their square
    both = count * (count - 1) / 2
    cross = float(apart.sum()) / 2
    normal = np.array([[both, cross], [cross, float((apart**2).sum()) / 2]])
    right = np.array([half_square.sum(), (apart * half_square).sum()]) / 2
    shared = (1 + (blocks - 1) * (1 - cross / both)) / blocks
    return _Pairs(normal, right, blocks, shared)


def _factors(pairs: Sequence[_Pairs], weights: np.ndarray, variance: float) -> np.ndarray:
    """Give the factor for each row of weights, (draw, ROI)."""
    normal = np.tensordot(weights, [each.normal for each in pairs], 1)
    right = np.tensordot(weights, [each.right for each in pairs], 1)
    known = np.linalg.matrix_rank(normal) == 2
    factors = np.ones(len(weights))
    if variance <= 0 or not known.any():
        return factors
    normal, right = normal[known], right[known]
    noise, clusters = np.linalg.solve(normal, right[:, :, None])[..., 0].T
    alone = clusters < 0
    other = (noise < 0) & ~alone
    noise = np.where(alone, right[:, 0] / normal[:, 0, 0], np.where(other, 0.0, noise))
    clusters = np.where(other, right[:, 1] / normal[:, 1, 1], np.where(alone, 0.0, clusters))
    wide = float(np.mean([each.shared * each.blocks for each in pairs]))
    factors[known] = np.maximum(1.0, (noise + clusters * wide) / variance)
    return factors


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
    particles are wider than blocks, and drawn with that factor's own uncertainty: differences no
    larger than those between regions of one random packing are alike. ROIs less than about 100 µm
    wide hold too few clusters: their p-values are too small somewhat more often than they say.

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
        with its standard deviation, widened too; ``variance_factor`` says by how much, as a
        variance.
    """
    import pandas as pd

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
    dealt = np.stack([owner, *(rng.permutation(owner) for _ in range(draws))])
    found, *others = _distances(blocks, dealt, bins)
    chance = np.array(others)
    factor, drawn = variance_factors(group, rng, draws=draws)
    chance *= np.sqrt(drawn)
    means, variances = zip(*[_mean(each, bins) for each in group], strict=True)
    low, high = int(np.argmin(means)), int(np.argmax(means))
    return {
        "group": name,
        "rois": len(group),
        "distance": float(found),
        "distance_by_chance": float(chance.mean()),
        "p_value": float((1 + (chance >= found).sum()) / (1 + draws)),
        "largest_difference": float(means[high] - means[low]),
        "largest_difference_sd": float(np.sqrt(factor * (variances[low] + variances[high]))),
        "variance_factor": factor,
    }


def _distances(blocks: np.ndarray, owners: np.ndarray, bins: GreyBins) -> np.ndarray:
    """Mean distance of the ROIs from all together, for each way to deal out the blocks.

    Many ways at a time: to read the blocks' histograms takes longer than to sum them.
    """
    kinds = np.arange(owners.max() + 1, dtype=owners.dtype)[:, None]
    used = np.flatnonzero(blocks.any(axis=0))
    filled = np.ascontiguousarray(blocks[:, used])
    everything = blocks.sum(axis=0, dtype=np.float64)[None]
    found = []
    for some in np.array_split(owners, max(1, owners.size // _AT_ONCE)):
        members = (some[:, None] == kinds).reshape(-1, owners.shape[1]).astype(np.float32)
        histograms = np.zeros((len(members), blocks.shape[1]))
        histograms[:, used] = members @ filled
        distance = wasserstein(histograms, everything, bins.width)
        found.append(distance.reshape(len(some), -1).mean(axis=1))
    return np.concatenate(found)


def _mean(counts: RoiCounts, bins: GreyBins) -> tuple[float, float]:
    """Mean grey value, and its variance from the scatter of the blocks' means."""
    weight = counts.blocks.sum(axis=1)
    sums = counts.blocks @ bins.grey_value
    mean = float(sums.sum() / weight.sum())
    left = sums - mean * weight
    unbiased = len(weight) / max(1, len(weight) - 1)
    return mean, float((left**2).sum() * unbiased / weight.sum() ** 2)
