"""Where values lie most densely. In: a sample; out: position of its peak, width, uncertainty."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_BINS_PER_SD = 5.0
_RESAMPLED = 32


@dataclass(frozen=True)
class Peak:
    """A peak of a distribution.

    Attributes
    ----------
    position, width : float
        Of the Gaussian through the peak's upper half.
    sd : float
        Standard deviation of the position, by resampling.
    n : int
        Values that went in.
    """

    position: float
    width: float
    sd: float
    n: int


def half_sample_mode(values: np.ndarray) -> float:
    """Find the mode by halving: keep the shortest interval with half of the values, and again.

    Parameters
    ----------
    values : ndarray
        At least one finite value.

    References
    ----------
    .. [1] Bickel & Frühwirth (2006), Comput. Stat. Data Anal. 50, 3500.
       doi:10.1016/j.csda.2005.07.011
    """
    left = np.sort(np.asarray(values, np.float64).ravel())
    while left.size > 3:
        half = (left.size + 1) // 2
        widths = left[half - 1 :] - left[: left.size - half + 1]
        first = int(widths.argmin())
        left = left[first : first + half]
    if left.size < 3:
        return float(left.mean())
    low, high = left[1] - left[0], left[2] - left[1]
    if low == high:
        return float(left[1])
    return float(left[:2].mean() if low < high else left[1:].mean())


def find_peak(values: np.ndarray, *, seed: int = 0) -> Peak:
    """Fit a Gaussian to the top half of the highest peak.

    Values far from the peak, such as inclusions and partial volumes, have no say.

    Parameters
    ----------
    values : ndarray
        A sample whose members are nearly independent; its standard deviation comes from
        resampling them.
    seed : int, optional
        Of the resampling.

    Raises
    ------
    ValueError
        If there are fewer than 30 values.
    """
    sample = np.asarray(values, np.float64).ravel()
    sample = sample[np.isfinite(sample)]
    if sample.size < 30:
        raise ValueError(f"a peak needs at least 30 values; there are {sample.size}")
    start, width = _start(sample)
    if width == 0:
        return Peak(start, 0.0, 0.0, sample.size)
    for _ in range(3):
        counts, middles = _counted(sample, start, width)
        start, width = _through_top(counts, middles, start, width)
    counts, middles = _counted(sample, start, width)
    again = np.random.default_rng(seed).poisson(counts, (_RESAMPLED, counts.size))
    positions = [_through_top(row, middles, start, width)[0] for row in again]
    return Peak(start, width, float(np.std(positions)), sample.size)


def _start(sample: np.ndarray) -> tuple[float, float]:
    """Mode, and a width from the values around it, of which most belong to the peak."""
    mode = half_sample_mode(sample)
    close = np.sort(np.abs(sample - mode))
    # Half of the sample lies within 0.674 sd of a normal peak that holds all of it.
    return mode, float(close[close.size // 2] / 0.674)


def _counted(sample: np.ndarray, start: float, width: float) -> tuple[np.ndarray, np.ndarray]:
    bins = _BINS_PER_SD if sample.size > 1000 else _BINS_PER_SD / 2
    edges = start + width * np.arange(-3.0, 3.0 + 0.5 / bins, 1 / bins)
    counts, _ = np.histogram(sample, edges)
    return counts, 0.5 * (edges[1:] + edges[:-1])


def _through_top(
    counts: np.ndarray, middles: np.ndarray, start: float, width: float
) -> tuple[float, float]:
    """Parabola through the logarithm of the counts in the top half, weighted as counts are."""
    smooth = np.convolve(counts, (0.25, 0.5, 0.25), mode="same")
    top = int(smooth[1:-1].argmax()) + 1
    low = np.flatnonzero(smooth[:top] < 0.5 * smooth[top])
    high = np.flatnonzero(smooth[top:] < 0.5 * smooth[top])
    first = int(low[-1]) + 1 if low.size else 0
    stop = top + (int(high[0]) if high.size else smooth.size - top)
    part = slice(first, stop)
    if stop - first < 4 or (counts[part] < 1).all():
        return start, width
    x = (middles[part] - start) / width
    weight = np.sqrt(np.maximum(smooth[part], 1))
    curve, slope, _ = np.polyfit(x, np.log(np.maximum(counts[part], 0.5)), 2, w=weight)
    if curve >= -0.05:
        return start, width
    moved = float(np.clip(-slope / (2 * curve), -1.5, 1.5))
    spread = float(np.clip(np.sqrt(-0.5 / curve), 0.5, 2.0))
    return start + moved * width, spread * width
