"""Numbers of histograms with their intervals. In: counts by block; out: a row of the table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy

from xct.analyze.grey_counts import GreyBins
from xct.analyze.roi.counts import RoiCounts
from xct.statistics.bootstrap import interval, resample
from xct.statistics.mixture import Mixture
from xct.statistics.mixture_fits import fit_mixture
from xct.statistics.peaks import find_peak

_TAIL_SD = 3.0
_NORMAL_95 = 1.96  # standard deviations on each side
_LOW, _HIGH = 0.001, 0.999
_MIXTURE_BINS = 100  # fits take time by the bin; noise is several of these wide
_MIXTURE_DRAWS = 24  # enough for a standard deviation within 15 %
# Numbers whose intervals end where their range does.
_FRACTIONS = {
    "tail_fraction", "model_weight_a", "model_weight_b", "model_weight_ab", "model_fraction_b"
}  # fmt: skip
_POSITIVE = {"width", "sd", "wasserstein", "model_sd_a"}


@dataclass(frozen=True)
class Known:
    """What is known from elsewhere.

    Attributes
    ----------
    electrolyte : float
        Grey value of the electrolyte.
    noise : float
        Standard deviation of the grey values there.
    pristine : ndarray or None
        Histogram of the same ROI of the pristine cell, in the same bins.
    scatter : float or None
        Standard deviation about the electrolyte's grey value at the depth of the ROI; more than
        the noise among particles, where hardly a voxel is pure. None: the noise.
    pristine_mean_sd : float
        Standard deviation of the mean of the pristine cell's ROI.
    """

    electrolyte: float
    noise: float
    pristine: np.ndarray | None = None
    scatter: float | None = None
    pristine_mean_sd: float = 0.0

    @property
    def tail_below(self) -> float:
        """Grey value below which the tail begins."""
        return self.electrolyte - _TAIL_SD * self.noise


def statistics_of(
    counts: RoiCounts,
    bins: GreyBins,
    known: Known | None,
    *,
    factor: float = 1.0,
    resamples: int,
    seed: int,
    mixture: bool = True,
) -> dict[str, float | str | int]:
    """Measure the histogram of one ROI.

    Parameters
    ----------
    counts : RoiCounts
        Counts by block.
    bins : GreyBins
        Their bins.
    known : Known or None
        Without it there is no tail and no distance to the pristine cell, and the mixture is fitted
        freely.
    factor : float, optional
        Of `variance_factors`: by which the variance of the ROI exceeds that of so many independent
        blocks.
    resamples : int
        Draws of the block bootstrap.
    seed : int
        Of the random numbers.
    mixture : bool, optional
        Whether to fit the partial-volume mixture.

    Returns
    -------
    dict
        Each number ``X`` with ``X_sd``, ``X_low`` and ``X_high``, the ends of its 95 % interval, by
        the bootstrap, widened by ``variance_factor``: clusters of particles are wider than blocks.
    """
    rng = np.random.default_rng(seed)
    whole = counts.total.astype(np.float64)[None]
    drawn = resample(counts.blocks, resamples, rng)
    row: dict[str, float | str | int] = {
        "roi": counts.name,
        "n": int(whole.sum()),
        "missing": counts.missing,
        "blocks": len(counts.blocks),
        "in_view": counts.in_view,
        "beyond_fraction": float(whole[0, [0, -1]].sum() / whole.sum()),
        "variance_factor": factor,
    }
    peaks = [find_peak(one, bins.grey_value) for one in (*whole, *drawn)]
    for name in ("position", "width"):
        values = np.array([getattr(peak, name) for peak in peaks])
        _add(row, {"position": "peak"}.get(name, name), float(values[0]), values[1:])
    for name, measure in _measures(bins, known).items():
        _add(row, name, float(measure(whole)[0]), measure(drawn))
    if known is not None and "shift" in row:
        _add_variance(row, "shift", known.pristine_mean_sd)
    if mixture:
        _add_mixture(row, counts, bins, known, rng)
    return row


Measure = Callable[[np.ndarray], np.ndarray]


def _measures(bins: GreyBins, known: Known | None) -> dict[str, Measure]:
    grey = bins.grey_value
    measures: dict[str, Measure] = {
        "mean": lambda h: _moment(h, grey, 1),
        "sd": lambda h: np.sqrt(_moment(h, grey, 2)),
        "skewness": lambda h: _moment(h, grey, 3) / _moment(h, grey, 2) ** 1.5,
        "percentile_0_1": lambda h: _quantile(h, bins, _LOW),
        "percentile_99_9": lambda h: _quantile(h, bins, _HIGH),
    }
    if known is not None:
        limit = known.tail_below
        measures["tail_fraction"] = lambda h: _below(h, bins, limit)
    if known is not None and known.pristine is not None:
        pristine = known.pristine.astype(np.float64)[None]
        measures["wasserstein"] = lambda h: wasserstein(h, pristine, bins.width)
        measures["shift"] = lambda h: _moment(h, grey, 1) - _moment(pristine, grey, 1)
    return measures


def wasserstein(first: np.ndarray, second: np.ndarray, width: float) -> np.ndarray:
    """Distance between histograms, in grey values: the mean way from one to the other.

    Parameters
    ----------
    first, second : ndarray, shape (histogram, bin)
        Counts in the same equal bins.
    width : float
        Of a bin.

    References
    ----------
    .. [1] Villani (2009), Optimal Transport. doi:10.1007/978-3-540-71050-9
    """
    below = [np.cumsum(h, axis=1) / h.sum(axis=1, keepdims=True) for h in (first, second)]
    return np.asarray(np.abs(below[0] - below[1]).sum(axis=1) * width)


def _moment(histograms: np.ndarray, grey: np.ndarray, order: int) -> np.ndarray:
    total = histograms.sum(axis=1)
    mean = histograms @ grey / total
    if order == 1:
        return np.asarray(mean)
    centered = grey - mean[:, None]
    return np.asarray((histograms * centered**order).sum(axis=1) / total)


def _quantile(histograms: np.ndarray, bins: GreyBins, fraction: float) -> np.ndarray:
    edges = bins.low + np.arange(bins.count + 1) * bins.width
    below = np.concatenate([np.zeros((len(histograms), 1)), np.cumsum(histograms, axis=1)], axis=1)
    return np.array([np.interp(fraction * row[-1], row, edges) for row in below])


def _below(histograms: np.ndarray, bins: GreyBins, limit: float) -> np.ndarray:
    """Part of the voxels below a grey value; a bin that it cuts counts in part."""
    weight = np.clip((limit - bins.low) / bins.width - np.arange(bins.count), 0, 1)
    return np.asarray(histograms @ weight / histograms.sum(axis=1))


def _add(row: dict[str, float | str | int], name: str, value: float, drawn: np.ndarray) -> None:
    # Blocks that are drawn scatter as if they were independent of each other.
    spread = float(np.sqrt(float(row["variance_factor"])))
    found = interval(value, value + spread * (drawn - value))
    low, high = found.low, found.high
    if name in _FRACTIONS:
        low, high = _within_range(value, drawn, spread, 0.5 / float(row["n"]))
    elif name in _POSITIVE:
        low = max(low, 0.0)
    row |= {name: value, f"{name}_sd": found.sd, f"{name}_low": low, f"{name}_high": high}


def _within_range(
    value: float, drawn: np.ndarray, spread: float, least: float
) -> tuple[float, float]:
    """Give an interval of a fraction between 0 and 1: it is widened as the logarithm of its odds.

    `least` stands for a fraction of 0: half a voxel.
    """
    odds, other = (np.log(p + least) - np.log1p(least - p) for p in (value, np.clip(drawn, 0, 1)))
    found = interval(odds, odds + spread * (other - odds))
    ends = scipy.special.expit([found.low, found.high]) * (1 + 2 * least) - least
    low, high = np.clip(ends, 0, 1)
    return min(float(low), value), max(float(high), value)


def _add_variance(row: dict[str, float | str | int], name: str, other_sd: float) -> None:
    """Widen an interval by an independent error."""
    value, sd, low, high = (float(row[f"{name}{end}"]) for end in ("", "_sd", "_low", "_high"))
    row[f"{name}_sd"] = float(np.hypot(sd, other_sd))
    row[f"{name}_low"] = value - float(np.hypot(value - low, _NORMAL_95 * other_sd))
    row[f"{name}_high"] = value + float(np.hypot(high - value, _NORMAL_95 * other_sd))


def _add_mixture(
    row: dict[str, float | str | int],
    counts: RoiCounts,
    bins: GreyBins,
    known: Known | None,
    rng: np.random.Generator,
) -> None:
    """Add the fit with the electrolyte's grey value and scatter held."""
    blocks, grey = _coarser(counts.blocks, bins)
    held = (known.electrolyte, known.scatter or known.noise) if known is not None else None
    # As many voxels count as independent ones would give the mean its uncertainty.
    alone = float(row["mean_sd"]) / np.sqrt(float(row["variance_factor"]))
    independent = (float(row["sd"]) / alone) ** 2 / float(row["n"])
    independent = min(1.0, independent) if np.isfinite(independent) and independent > 0 else 1.0
    try:
        fit = fit_mixture(blocks.sum(axis=0), grey, held=held, independent=independent)
    except ValueError:  # one bin holds everything
        row["model"] = ""
        return
    row["model"] = fit.kind
    drawn: list[Mixture] = []
    for histogram in resample(blocks, _MIXTURE_DRAWS, rng):
        start = fit if fit.kind != "one" else None
        drawn.append(fit_mixture(histogram, grey, kind=fit.kind, held=held, start=start))
    for name in ("a", "b", "sd_a", "weight_a", "weight_b", "weight_ab", "fraction_b"):
        _add(row, f"model_{name}", getattr(fit, name), np.array([getattr(d, name) for d in drawn]))
    if known is not None and known.scatter and fit.kind == "mixture":
        total = blocks.sum(axis=0)
        other = fit_mixture(total, grey, kind="mixture", held=(known.electrolyte, known.noise))
        for name in ("b", "fraction_b"):
            _widen(row, f"model_{name}", getattr(other, name))


def _widen(row: dict[str, float | str | int], name: str, other: float) -> None:
    """Let the interval of a number reach to what another model gives, for neither is right."""
    away = other - float(row[name])
    low, high, sd = (float(row[f"{name}_{end}"]) for end in ("low", "high", "sd"))
    row[f"{name}_low"], row[f"{name}_high"] = low + min(away, 0), high + max(away, 0)
    row[f"{name}_sd"] = float(np.hypot(sd, away / np.sqrt(3)))  # as likely anywhere up to it


def _coarser(blocks: np.ndarray, bins: GreyBins) -> tuple[np.ndarray, np.ndarray]:
    """Join bins over the range that is used, without the first and the last."""
    inner = blocks[:, 1:-1]
    used = np.flatnonzero(inner.any(axis=0))
    if used.size == 0:
        return inner[:, :1], bins.grey_value[1:2]
    first, stop = int(used[0]), int(used[-1]) + 1
    step = max(1, (stop - first) // _MIXTURE_BINS)
    starts = np.arange(first, stop - step + 1, step)
    joined = np.add.reduceat(inner[:, : starts[-1] + step], starts, axis=1)
    return joined, bins.grey_value[1:-1][starts] + (step - 1) / 2 * bins.width
