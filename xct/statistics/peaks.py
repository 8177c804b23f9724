"""Where grey values lie most densely. In: a sample, or a histogram; out: the main peak.

Both ways begin at the half-sample mode [1]_ and end with a Gaussian through the top half of the
peak: what lies below half of its height, such as a tail of mixed voxels, does not move it.

.. [1] Bickel & Frühwirth (2006), Comput. Stat. Data Anal. 50, 3500. doi:10.1016/j.csda.2005.07.011
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from xct.errors import DataError
from xct.parallel.kernels import njit

_HALVINGS = 3  # down to the densest eighth of the voxels: beyond, single bins decide
_BINS_PER_SD = 5.0
_RESAMPLED = 32
_WIDEST = 10**0.5  # times the width so far: more is no peak
_LEAST_SAMPLE = 30
_BIWEIGHT, _TURNS = 4.7, 10


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
    top, length = _mode(counts)
    smooth = _smoothed(counts, max(1, length // 4))
    top += int(np.argmax(smooth[top : top + length]))
    return Peak(*_fitted(counts, smooth, np.asarray(grey_value, float), top), n=int(counts.sum()))


@njit(cache=True, nogil=True)
def _mode(counts: np.ndarray) -> tuple[int, int]:
    """Find the first bin and the length of the densest eighth, half by half."""
    first, stop = 0, counts.size
    for _ in range(_HALVINGS):
        first, stop = _densest_half(counts, first, stop)
    return first, stop - first


@njit(cache=True, nogil=True)
def _densest_half(counts: np.ndarray, first: int, stop: int) -> tuple[int, int]:
    """Find the shortest range of bins with half of the voxels of a range.

    Where several are as short, the one with most voxels.
    """
    below = np.zeros(stop - first + 1)
    below[1:] = np.cumsum(counts[first:stop])
    half = below[-1] / 2
    start, length, most, end = 0, below.size, -1.0, 0
    for begin in range(below.size):
        while end < below.size and below[end] < below[begin] + half:
            end += 1
        if end == below.size:
            break
        held = below[end] - below[begin]
        if end - begin < length or (end - begin == length and held > most):
            start, length, most = begin, end - begin, held
    return first + start, first + start + length


def _smoothed(counts: np.ndarray, reach: int) -> np.ndarray:
    kernel = np.ones(2 * reach + 1) / (2 * reach + 1)
    return np.convolve(counts, kernel, mode="same")


@njit(cache=True, nogil=True)
def _fitted(
    counts: np.ndarray, smooth: np.ndarray, grey: np.ndarray, top: int
) -> tuple[float, float]:
    """Position and width of the Gaussian through the top half, the second time about its center."""
    position, width = np.nan, np.nan
    for _ in range(2):
        position, width = _through_bins(counts, smooth, grey, top)
        if not np.isfinite(width):
            break
        top = min(int(np.searchsorted(grey, position)), counts.size - 1)
    return position, width


@njit(cache=True, nogil=True)
def _through_bins(
    counts: np.ndarray, smooth: np.ndarray, grey: np.ndarray, top: int
) -> tuple[float, float]:
    """Gaussian through the filled bins of the top half."""
    first, stop = _top_half(smooth, top)
    used = first + np.flatnonzero(counts[first:stop] > 0)
    if used.size < 3:
        return grey[top], np.nan
    unit = (grey[used[-1]] - grey[used[0]]) / 2
    found = _gaussian((grey[used] - grey[top]) / unit, counts[used], np.sqrt(counts[used]), np.inf)
    position = grey[top] + unit * found[0]
    if grey[first] <= position <= grey[stop - 1]:
        return position, unit * found[1]
    return grey[top], np.nan


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


def mean_about(values: np.ndarray, peak: Peak) -> Peak:
    """Give the mean of what belongs to a sample's peak, which is surer than where its top lies.

    Values count the less the farther they are from it, and none from 4.7 widths on (Tukey's
    biweight): a tail beside the peak hardly moves it.

    Parameters
    ----------
    values : ndarray
        The sample.
    peak : Peak
        Its main peak; it is given back where it has no width.
    """
    if not peak.width > 0:
        return peak
    position, sample = peak.position, np.asarray(values, np.float64).ravel()
    for _ in range(_TURNS):
        far = (sample - position) / (_BIWEIGHT * peak.width)
        weight = np.clip(1 - far**2, 0, None) ** 2
        position = float((weight * sample).sum() / weight.sum())
    variance = (weight**2 * (sample - position) ** 2).sum() / weight.sum() ** 2
    slope = (np.clip(1 - far**2, 0, None) * (1 - 5 * far**2)).sum() / weight.sum()
    return replace(peak, position=position, sd=float(np.sqrt(variance) / max(slope, 0.5)))


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
    first, stop = _top_half(smooth, int(smooth[1:-1].argmax()) + 1)
    part = slice(first, stop)
    if stop - first < 4 or (counts[part] < 1).all():
        return start, width
    weight = np.sqrt(np.maximum(smooth[part], 1))
    moved, wider = _gaussian(
        (middles[part] - start) / width, np.maximum(counts[part], 0.5), weight, _WIDEST
    )
    if not np.isfinite(wider):
        return start, width
    return start + float(np.clip(moved, -1.5, 1.5)) * width, float(np.clip(wider, 0.5, 2.0)) * width


@njit(cache=True, nogil=True)
def _top_half(smooth: np.ndarray, top: int) -> tuple[int, int]:
    """First and last bin, the latter excluded, about the top that are not below half of it."""
    first, stop = top, top + 1
    while first > 0 and smooth[first - 1] >= 0.5 * smooth[top]:
        first -= 1
    while stop < smooth.size and smooth[stop] >= 0.5 * smooth[top]:
        stop += 1
    return first, stop


@njit(cache=True, nogil=True)
def _gaussian(
    x: np.ndarray, counts: np.ndarray, weight: np.ndarray, widest: float
) -> tuple[float, float]:
    """Mean and standard deviation of the parabola through the logarithm; (0, NaN) if it has none.

    Where it is wider than `widest`, it is no peak either.
    """
    # Normal equations of a + b x + c x², solved by elimination: x is of order 1.
    s0 = s1 = s2 = s3 = s4 = t0 = t1 = t2 = 0.0
    for k in range(x.size):
        w, y = weight[k] ** 2, np.log(counts[k])
        s0, s1, s2 = s0 + w, s1 + w * x[k], s2 + w * x[k] ** 2
        s3, s4 = s3 + w * x[k] ** 3, s4 + w * x[k] ** 4
        t0, t1, t2 = t0 + w * y, t1 + w * x[k] * y, t2 + w * x[k] ** 2 * y
    s22, s23, t2 = s2 - s1 * s1 / s0, s3 - s1 * s2 / s0, t2 - s2 * t0 / s0
    s33, t1 = s4 - s2 * s2 / s0, t1 - s1 * t0 / s0
    curve = (t2 - s23 / s22 * t1) / (s33 - s23 / s22 * s23)
    slope = (t1 - s23 * curve) / s22
    if curve >= -0.5 / widest**2:
        return 0.0, np.nan
    return -slope / (2 * curve), np.sqrt(-0.5 / curve)
