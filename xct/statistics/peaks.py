"""Where grey values lie most densely. In: a sample, or a histogram; out: the main peak.

Both ways begin at the half-sample mode [1]_ and end with a Gaussian through the top half of the
peak: what lies below half of its height, such as a tail of mixed voxels, does not move it.

.. [1] Bickel & Frühwirth (2006), Comput. Stat. Data Anal. 50, 3500. doi:10.1016/j.csda.2005.07.011
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xct.errors import DataError

_HALVINGS = 3  # down to the densest eighth of the voxels: beyond, single bins decide
_BINS_PER_SD = 5.0
_RESAMPLED = 32
_WIDEST = 10**0.5  # times the width so far: more is no peak
_LEAST_SAMPLE = 30


@dataclass(frozen=True)
class Peak:
    """The main peak of a distribution.

    Attributes
    ----------
    position : float
        Grey value.
    width : float
        Standard deviation of the Gaussian through its top half; NaN where the top is no peak.
    sd : float
        Standard deviation of the position, by resampling; NaN for a histogram, whose voxels are
        not independent.
    n : int
        Values that went in.
    """

    position: float
    width: float
    sd: float = float("nan")
    n: int = 0


def find_peak(counts: np.ndarray, grey_value: np.ndarray) -> Peak:
    """Find the main peak of a histogram: the half-sample mode [1]_, then a Gaussian.

    Parameters
    ----------
    counts : ndarray, shape (bin,)
        Voxels.
    grey_value : ndarray, shape (bin,)
        Centers of equal bins.

    Returns
    -------
    Peak
        NaN where there are no voxels; a width of NaN where the top is no peak.

    References
    ----------
    .. [1] Bickel & Frühwirth (2006), Comput. Stat. Data Anal. 50, 3500.
       doi:10.1016/j.csda.2005.07.011
    """
    counts = np.asarray(counts, float)
    if not counts.any():
        return Peak(np.nan, np.nan)
    first, stop = 0, counts.size
    for _ in range(_HALVINGS):
        first, stop = _densest_half(counts, first, stop)
    smooth = _smoothed(counts, max(1, (stop - first) // 4))
    top = first + int(np.argmax(smooth[first:stop]))
    for _ in range(2):  # the second time about the fitted center
        peak = _through_bins(counts, smooth, grey_value, top)
        if not np.isfinite(peak.width):
            break
        top = int(np.clip(np.searchsorted(grey_value, peak.position), 0, counts.size - 1))
    return peak


def _densest_half(counts: np.ndarray, first: int, stop: int) -> tuple[int, int]:
    """Find the shortest range of bins with half of the voxels of a range."""
    below = np.concatenate([[0.0], np.cumsum(counts[first:stop])])
    ends = np.searchsorted(below, below + below[-1] / 2)
    starts = np.flatnonzero(ends < below.size)
    # Where several are as short, the one with most voxels.
    length = ends[starts] - starts
    short = starts[length == length.min()]
    best = int(short[np.argmax(below[short + length.min()] - below[short])])
    return first + best, first + best + int(length.min())


def _smoothed(counts: np.ndarray, reach: int) -> np.ndarray:
    kernel = np.ones(2 * reach + 1) / (2 * reach + 1)
    return np.convolve(counts, kernel, mode="same")


def _through_bins(counts: np.ndarray, smooth: np.ndarray, grey: np.ndarray, top: int) -> Peak:
    """Gaussian through the filled bins of the top half."""
    n = int(counts.sum())
    part = _top_half(smooth, top)
    used = np.flatnonzero(counts[part] > 0) + part.start
    if used.size < 3:
        return Peak(float(grey[top]), np.nan, n=n)
    unit = float(grey[used[-1]] - grey[used[0]]) / 2
    found = _gaussian((grey[used] - grey[top]) / unit, counts[used], np.sqrt(counts[used]))
    position = float(grey[top]) + unit * found[0]
    inside = grey[part.start] <= position <= grey[part.stop - 1]
    return Peak(position, unit * found[1], n=n) if inside else Peak(float(grey[top]), np.nan, n=n)


def half_sample_mode(values: np.ndarray) -> float:
    """Find the mode by halving: keep the shortest interval with half of the values, and again.

    Parameters
    ----------
    values : ndarray
        At least one finite value.
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


def sample_peak(values: np.ndarray, *, seed: int = 0) -> Peak:
    """Find the main peak of a sample, and the standard deviation of its position.

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
    if sample.size < _LEAST_SAMPLE:
        raise DataError(f"a peak needs at least {_LEAST_SAMPLE} values; there are {sample.size}")
    start, width = _located(sample)
    if width == 0:
        return Peak(start, 0.0, 0.0, sample.size)
    counts, middles = _counted(sample, start, width)
    rng = np.random.default_rng(seed)
    again = rng.poisson(counts, (_RESAMPLED, counts.size))
    positions = [_refined(row, middles, start, width)[0] for row in again]
    if np.count_nonzero(np.equal(positions, start)) > _RESAMPLED / 4:
        # Too few values for a Gaussian through the top: the position is that of the mode.
        drawn = rng.choice(sample, (_RESAMPLED, sample.size))
        drawn += rng.uniform(-0.5, 0.5, drawn.shape) * width * 2 / _BINS_PER_SD
        positions = [_located(one)[0] for one in drawn]
    return Peak(start, width, float(np.std(positions)), sample.size)


def _located(sample: np.ndarray) -> tuple[float, float]:
    """Position and width of the peak."""
    start, width = _start(sample)
    for _ in range(3 if width > 0 else 0):
        start, width = _refined(*_counted(sample, start, width), start, width)
    return start, width


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


def _refined(
    counts: np.ndarray, middles: np.ndarray, start: float, width: float
) -> tuple[float, float]:
    """Gaussian through the top half, at most 1.5 widths away; as before where there is no peak."""
    smooth = np.convolve(counts, (0.25, 0.5, 0.25), mode="same")
    part = _top_half(smooth, int(smooth[1:-1].argmax()) + 1)
    if part.stop - part.start < 4 or (counts[part] < 1).all():
        return start, width
    weight = np.sqrt(np.maximum(smooth[part], 1))
    moved, wider = _gaussian(
        (middles[part] - start) / width, np.maximum(counts[part], 0.5), weight, _WIDEST
    )
    if not np.isfinite(wider):
        return start, width
    return start + float(np.clip(moved, -1.5, 1.5)) * width, float(np.clip(wider, 0.5, 2.0)) * width


def _top_half(smooth: np.ndarray, top: int) -> slice:
    """Bins about the top whose counts are not below half of it."""
    low = smooth < 0.5 * smooth[top]
    below, above = np.flatnonzero(low[:top]), np.flatnonzero(low[top:])
    first = int(below[-1]) + 1 if below.size else 0
    return slice(first, top + int(above[0]) if above.size else smooth.size)


def _gaussian(
    x: np.ndarray, counts: np.ndarray, weight: np.ndarray, widest: float = np.inf
) -> tuple[float, float]:
    """Mean and standard deviation of the parabola through the logarithm; (0, NaN) if it has none.

    Where it is wider than `widest`, it is no peak either.
    """
    curve, slope, _ = np.polyfit(x, np.log(counts), 2, w=weight)
    if curve >= -0.5 / widest**2:
        return 0.0, float("nan")
    return float(-slope / (2 * curve)), float(np.sqrt(-0.5 / curve))
