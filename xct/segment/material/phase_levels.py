"""Levels of any number of phases in a histogram. In: grey values; out: a mixture, thresholds."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import scipy

from xct.errors import DataError
from xct.statistics.mixture import Mixture
from xct.statistics.mixture_fits import fit_gaussians, fit_levels

_BINS = 200
_BEYOND = 0.001  # part of the values on either side that is counted into the outermost bins
_RESOLVED = 3.0  # widths that neighboring levels are apart at least
# Of all voxels, the pure ones: in drawn stacks three quarters; where a phase has no level of its
# own (its grey values are as wide as the range) two fifths or less.
_PURE = 0.6
_SHIFT = 1.5  # widths that a threshold may be off the middle between two levels
_PROMINENCE = 0.3  # of a peak of the logarithm of the counts
_MOST_PEAKS, _REFINED = 6, 3
_RARE = 1e-4  # of the values: a level that so few are nearest to is none


@dataclass(frozen=True)
class PhaseLevels:
    """Phases in a histogram.

    Attributes
    ----------
    mixture : Mixture
        Pure phases from dark to bright, of common width, and voxels that hold some of two.
    thresholds : ndarray, shape (phase - 1,)
        Above each a voxel is more probably the next phase.
    certainty : ndarray, shape (phase,)
        Mean probability that a voxel is the phase that the thresholds give it.
    """

    mixture: Mixture
    thresholds: np.ndarray
    certainty: np.ndarray

    @property
    def are_resolved(self) -> bool:
        """Whether levels are further apart than the phases scatter, and most voxels are pure."""
        if len(self.mixture.levels) == 1:
            return True
        pure = sum(weight for (i, j), weight in self.mixture.weights.items() if i == j)
        apart = np.diff(self.mixture.levels).min() >= _RESOLVED * self.mixture.noise
        return bool(apart and pure >= _PURE)

    @property
    def fractions(self) -> np.ndarray:
        """Fraction of each phase: its pure voxels, and half of those that it shares."""
        found = np.zeros(len(self.mixture.levels))
        for (i, j), weight in self.mixture.weights.items():
            found[i] += weight / 2
            found[j] += weight / 2
        return found


def find_levels(values: np.ndarray, count: int) -> PhaseLevels:
    """Fit so many phases with partial volumes to grey values.

    The mixture of `xct.statistics.mixture`, begun at peaks and ends of the histogram, and at Otsu's
    classes [1]_: a phase that is rare has a peak, but no class; one without a peak has a class.

    Parameters
    ----------
    values : ndarray
        Finite grey values.
    count : int
        Phases, from 1 to 6.

    Raises
    ------
    DataError
        If the values are fewer than the phases, or two of them come out as one.

    References
    ----------
    .. [1] Liao, Chen & Chung (2001), J. Inf. Sci. Eng. 17, 713.
    """
    if count == 1:
        alone = Mixture((float(values.mean()),), (float(values.std()),), {(0, 0): 1.0})
        return PhaseLevels(alone, np.zeros(0), np.full(1, np.nan))
    low, high = (float(v) for v in np.quantile(values, [_BEYOND, 1 - _BEYOND]))
    if not high > low:
        low, high = float(values.min()), float(values.max())
    if not high > low:
        raise DataError(f"all grey values are {low:g}; there is one phase only")
    counts, edges = np.histogram(np.clip(values, low, high), _BINS, (low, high))
    grey = (edges[:-1] + edges[1:]) / 2
    found = _most_likely(counts.astype(float), grey, count)
    chosen = np.stack([found.more_than_half(grey, k) for k in range(count)])
    phase = np.maximum.accumulate(chosen.argmax(axis=0))
    held = np.bincount(phase, counts, minlength=count)
    if (held < _RARE * counts.sum()).any():
        raise DataError(
            f"the grey values show {np.count_nonzero(held >= _RARE * counts.sum())} phases, not "
            f"{count}: two levels come out as one; set steps.phases.count to fewer"
        )
    certainty = np.bincount(phase, counts * chosen.max(axis=0), minlength=count) / held
    thresholds = np.array([edges[np.argmax(phase >= k)] for k in range(1, count)])
    # Voxels of the pair of the darkest and the brightest have the grey values of every edge.
    middle = (np.array(found.levels[1:]) + np.array(found.levels[:-1])) / 2
    reach = _SHIFT * found.noise
    thresholds = np.clip(thresholds, middle - reach, middle + reach)
    return PhaseLevels(found, thresholds, certainty)


def _most_likely(counts: np.ndarray, grey: np.ndarray, count: int) -> Mixture:
    """Refine the likeliest of several beginnings; the classes alone where nothing else fits."""
    rough, begun = _beginnings(counts, grey, count)
    begun.sort(key=lambda one: -_likelihood(_of(counts, grey, *one, held=True), counts, grey))
    found = [_of(counts, grey, *one, held=False) for one in begun[:_REFINED]]
    return max(found or rough, key=lambda mixture: _likelihood(mixture, counts, grey))


def _beginnings(
    counts: np.ndarray, grey: np.ndarray, count: int
) -> tuple[list[Mixture], list[tuple[tuple[float, ...], float]]]:
    """Give Otsu's classes as they are, and levels and noise to begin with."""
    from skimage.filters import threshold_multiotsu

    step, rough, begun = float(grey[1] - grey[0]), [], []
    try:
        classes = np.digitize(grey, threshold_multiotsu(classes=count, hist=(counts, grey)))  # type: ignore[no-untyped-call]
        rough = [fit_gaussians(counts, grey, classes)]
        begun = [(rough[0].levels, max(rough[0].noise, step))]
    except ValueError:
        pass  # fewer values than classes
    shown = scipy.ndimage.gaussian_filter1d(np.log1p(counts), 2)
    padded = np.concatenate([[0.0], shown, [0.0]])
    peaks, facts = scipy.signal.find_peaks(padded, prominence=_PROMINENCE)
    peaks = np.sort(peaks[np.argsort(-facts["prominences"])][:_MOST_PEAKS])
    places = np.unique(np.concatenate([peaks - 1, [2, grey.size - 3]]))
    top = int(np.argmax(counts))
    noise = max(step, 0.4 * counts.sum() * step / max(float(counts[top]) * step, 1e-12) / 2)
    for chosen in combinations(places.tolist(), count):
        levels = tuple(float(grey[k]) for k in chosen)
        width = min(noise, 0.3 * float(np.diff(levels).min()))
        begun.append((levels, max(width, step)))
    fit = [one for one in begun if np.diff(one[0]).min() > 1.1 * one[1]]
    return rough, fit


def _of(
    counts: np.ndarray, grey: np.ndarray, levels: tuple[float, ...], noise: float, *, held: bool
) -> Mixture:
    return fit_levels(
        counts, grey, levels, noise=noise, fixed=[held] * len(levels), fixed_noise=held
    )


def _likelihood(found: Mixture, counts: np.ndarray, grey: np.ndarray) -> float:
    return float(counts @ np.log(np.maximum(found.density(grey), 1e-30)))
