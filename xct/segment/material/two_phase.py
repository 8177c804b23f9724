"""One bright material against the rest, without labels. In: grey values; out: a mask, thresholds.

For images of powders and electrodes in which grey values drift, small particles are greyer than
large ones, and what lies between them has more than one grey value.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

import numpy as np
import scipy
from annotated_types import Ge, Gt

from xct.errors import DataError
from xct.statistics.mixture import Mixture
from xct.statistics.mixture_fits import fit_gaussians, fit_mixture

_BINS = 200
_BEYOND = 0.001  # part of the values on either side that is counted into the outermost bins


def split_levels(values: np.ndarray) -> tuple[float, float]:
    """Find the two thresholds that make the variance between three classes largest (Otsu)."""
    fractions, grey = _histogram(values)
    first, second = _split(fractions, grey)
    return float(grey[first]), float(grey[second])


def fit_levels(values: np.ndarray) -> Mixture:
    """Fit three normal distributions of common noise, starting at Otsu's three classes."""
    fractions, grey = _histogram(values)
    first, second = _split(fractions, grey)
    return fit_gaussians(fractions, grey, np.digitize(np.arange(grey.size), [first, second]))


def _histogram(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    low, high = np.quantile(values, [_BEYOND, 1 - _BEYOND])
    if not high > low:
        low, high = float(values.min()), float(values.max()) + 1e-6
    counts, edges = np.histogram(np.clip(values, low, high), _BINS, (low, high))
    return counts / counts.sum(), (edges[:-1] + edges[1:]) / 2


def _one_level(values: np.ndarray) -> Mixture:
    return fit_mixture(*_histogram(values), kind="one")


def _split(fractions: np.ndarray, grey: np.ndarray) -> tuple[int, int]:
    """Bins at which the second and the third class start."""
    below = np.concatenate([[0.0], np.cumsum(fractions)])
    moment = np.concatenate([[0.0], np.cumsum(fractions * grey)])
    first, second = np.triu_indices(grey.size, 1)
    first, second = first[first > 0], second[first > 0]
    between = np.zeros(first.size)
    bounds = (np.zeros_like(first), first, second, np.full_like(first, grey.size))
    for start, stop in pairwise(bounds):
        weight = below[stop] - below[start]
        between += (moment[stop] - moment[start]) ** 2 / np.maximum(weight, 1e-12)
    best = int(np.argmax(between))
    return int(first[best]), int(second[best])


_ROUNDS = 2  # levels depend on the classes, and these on the levels
_PRIOR = 0.05  # weight of the mean level where a class is rare
_QUIET_PX = 0.7  # smoothing beside which sharpening does not raise the noise
# Likelihood per voxel that three levels have to gain over one. As it is: noise alone 0.001,
# electrodes 0.06 to 0.2. Smoothed: noise alone up to 0.02, also where neighbors share it; two
# materials that differ by its standard deviation mostly more.
_LEAST_GAIN, _LEAST_QUIET_GAIN = 0.01, 0.021
_NOISY = 0.12  # of the scatter of grey values: more noise is smoothed first; in electrodes 0.07
# Weight of the total variation in multiples of the noise, by the noise: where the contrast is high,
# small things need not be lost.
_OF_NOISE = ((0.53, 0.77), (0.35, 1.2))
_MIDDLE = (0.45, 0.55)  # of the local contrast: where the threshold of smoothed values may lie
# Correlation of what smoothing takes away over 4 to 12 pixels. Noise, also of pixels that share it:
# up to 0.2; windings and other fine patterns 0.4 to 0.8.
_PATTERN, _PATTERN_PX = 0.25, (4, 12)
# Of what would be called bright, what is only in between and has no background near by: in
# electrodes up to 0.02, in a wound cell 0.15. After smoothing, what is in between at all: of two
# materials up to 0.2, of three 0.3 and more.
_MOST_BETWEEN, _MOST_QUIET_BETWEEN = 0.06, 0.3
_FAR = 0.05  # of the pixels within drift_px are background: there is none near by
_ONE = (
    "slice {} shows one material only: its grey values are distributed like noise. If it holds "
    "two, their contrast is lost in it: average slices, or expose longer"
)
_THREE = (
    "slice {} does not fall into two materials: {:.0%} of {} has a grey value between those of the "
    "background and of the bright material, and is no edge or gap; use `phases` with a count of 3 "
    "or more, or take out first what lets grey values drift, or, in strong noise, average slices"
)


@dataclass(frozen=True)
class BrightPhase:
    """Where the bright material is.

    Attributes
    ----------
    mask : ndarray of bool, shape (y, x) or (z, y, x)
        The bright material.
    probability : ndarray of float32, of the same shape
        Of a voxel to belong to it.
    levels : tuple of Mixture
        For each slice, in units of the local contrast: 0 background, 1 bright material.
    """

    mask: np.ndarray
    probability: np.ndarray
    levels: tuple[Mixture, ...]


def bright_phase(
    image: np.ndarray,
    *,
    drift_px: Annotated[float, Gt(0)] = 40.0,
    blur_px: Annotated[float, Gt(0)] = 6.0,
    sharpening: Annotated[float, Ge(0)] = 0.5,
) -> BrightPhase:
    """Find the bright material, slice by slice, from grey values alone.

    1. Three classes by the thresholds of [1]_: background, bright, and what lies between, which
       is small particles and edges.
    2. The local grey value of background and bright material (Gaussian means over `drift_px`,
       drawn to the mean of the slice where there is little of one) become 0 and 1.
    3. Gaps narrower than the blur are greyer than pores, small particles than large ones: part
       of what smoothing by `blur_px` takes away is added.
    4. Three normal distributions of common noise are fitted by expectation maximization [2]_.
       Unlike Otsu's thresholds, they mind how rare a class is. The background ends where it is as
       likely as the two others together.

    A slice whose noise is more than an eighth of the scatter of its grey values is smoothed by
    total variation [3]_ instead of sharpened; then the middle between both local grey values
    parts the materials. So it does, without smoothing, where smoothing would take a fine pattern
    for noise.

    Parameters
    ----------
    image : ndarray, shape (y, x) or (z, y, x)
        Grey values on any scale; each slice is taken by itself.
    drift_px : float, optional
        Over which the levels are averaged: about the radius of the larger particles.
    blur_px : float, optional
        Scale of what is sharpened: a few pixels.
    sharpening : float, optional
        How much of it is added; 0 for images as noisy as they are sharp.

    Returns
    -------
    BrightPhase
        Mask, probability and levels. In a noisy slice the probability is where a smoothed grey
        value lies between the levels.

    Raises
    ------
    DataError
        If values are not finite, or a slice holds one material only, as far as its noise tells,
        or more than two.

    References
    ----------
    .. [1] Otsu (1979), IEEE Trans. Syst. Man Cybern. 9, 62. doi:10.1109/TSMC.1979.4310076
    .. [2] Dempster, Laird & Rubin (1977), J. R. Stat. Soc. B 39, 1.
       doi:10.1111/j.2517-6161.1977.tb01600.x
    .. [3] Chambolle (2004), J. Math. Imaging Vis. 20, 89. doi:10.1023/B:JMIV.0000011325.36760.1e
    """
    if image.ndim not in (2, 3):
        raise DataError(f"the image has {image.ndim} axes; it needs 2, or 3 for a stack")
    slices = image[None] if image.ndim == 2 else image
    probability = np.empty(slices.shape, np.float32)
    levels = []
    for number, plane in enumerate(slices):
        found, probability[number] = _parted(_checked(plane, number), number, drift_px, blur_px,
                                             sharpening)  # fmt: skip
        levels.append(found)
    probability = probability.reshape(image.shape)
    return BrightPhase(probability > 0.5, probability, tuple(levels))


def noise_sd(image: np.ndarray) -> float:
    """Estimate the standard deviation of the noise of an image, as it is for smoothing.

    From the finest wavelets of the image and of means of 2 × 2 pixels, which are lower by half
    unless neighbors share their noise.

    Parameters
    ----------
    image : ndarray, shape (y, x)
        Grey values on any scale.

    References
    ----------
    .. [1] Donoho & Johnstone (1994), Biometrika 81, 425. doi:10.1093/biomet/81.3.425
    """
    from skimage.measure import block_reduce
    from skimage.restoration import estimate_sigma

    height, width = (n // 2 * 2 for n in image.shape)
    pairs = block_reduce(image[:height, :width], 2, np.mean)  # type: ignore[no-untyped-call]
    sds = [float(estimate_sigma(some)) for some in (image, pairs)]  # type: ignore[no-untyped-call]
    return max(sds[0], 2 * sds[1])


def _parted(
    values: np.ndarray, number: int, drift_px: float, blur_px: float, sharpening: float
) -> tuple[Mixture, np.ndarray]:
    """Find the levels of a slice, and the probability of the bright material."""
    noise = noise_sd(values)
    if noise < _NOISY:
        contrast = _in_local_contrast(values, drift_px)
        sharp = _sharpened(contrast, blur_px, sharpening)
        found = fit_levels(sharp)
        bright = 1 - found.more_than_half(sharp, 0)
        between = (bright > 0.5) & (found.more_than_half(sharp, 1) > 0.5)
        return _judged(number, sharp, found, bright, _far_between(contrast, between, drift_px))
    quiet = _quiet(values, noise)
    patterned = _pattern(values - quiet) > _PATTERN
    contrast = _in_local_contrast(_standardized(values if patterned else quiet), drift_px)
    found = fit_levels(contrast)
    if patterned:
        bright = np.clip(contrast, 0, 1)
        between = (bright > 0.5) & (found.more_than_half(contrast, 1) > 0.5)
        return _judged(number, contrast, found, bright, _far_between(contrast, between, drift_px))
    if not _parts(contrast, found, _LEAST_QUIET_GAIN):
        raise DataError(_ONE.format(number))
    part = found.weights[1, 1]
    if part > _MOST_QUIET_BETWEEN:
        raise DataError(_THREE.format(number, part, "it"))
    return found, _beyond_middle(contrast)


def _beyond_middle(contrast: np.ndarray) -> np.ndarray:
    """Give 0.5 at the threshold between two classes, and 0 and 1 half the contrast away.

    The local grey values are those of blurred things, too: Otsu's threshold minds that, but goes
    astray where one material is rare.
    """
    from skimage.filters import threshold_otsu

    middle = float(np.clip(threshold_otsu(contrast), *_MIDDLE))  # type: ignore[no-untyped-call]
    return np.asarray(np.clip(contrast - middle + 0.5, 0, 1))


def _judged(
    number: int, values: np.ndarray, found: Mixture, bright: np.ndarray, between: np.ndarray
) -> tuple[Mixture, np.ndarray]:
    """Refuse a slice of one material, or of more than two."""
    if not _parts(values, found, _LEAST_GAIN):
        raise DataError(_ONE.format(number))
    part = float(between.sum()) / max(float((bright > 0.5).sum()), 1.0)
    if part > _MOST_BETWEEN:
        raise DataError(_THREE.format(number, part, "what is not background"))
    return found, bright


def _far_between(contrast: np.ndarray, between: np.ndarray, drift_px: float) -> np.ndarray:
    """Keep of what is in between what has no background near by: edges and gaps do."""
    background = (contrast < split_levels(contrast)[0]).astype(np.float32)
    near = scipy.ndimage.gaussian_filter(background, drift_px, truncate=2.5)
    return np.asarray(between & (near < _FAR))


def _quiet(values: np.ndarray, noise: float) -> np.ndarray:
    from skimage.restoration import denoise_tv_chambolle

    weight = noise * float(np.interp(noise, *_OF_NOISE))
    return np.asarray(denoise_tv_chambolle(values, weight=weight))  # type: ignore[no-untyped-call]


def _pattern(taken: np.ndarray) -> float:
    """Largest correlation, along either axis, of what smoothing took away with itself."""
    taken = taken - taken.mean()
    whole = float(np.mean(taken**2)) or 1.0
    found = [0.0]
    for shift in range(_PATTERN_PX[0], _PATTERN_PX[1] + 1):
        found += [float(abs(np.mean(each[shift:] * each[:-shift]))) for each in (taken, taken.T)
                  if len(each) > shift]  # fmt: skip
    return float(max(found)) / whole


def _parts(values: np.ndarray, levels: Mixture, least_gain: float) -> bool:
    """Whether three levels describe the values better than one does."""
    return levels.log_likelihood - _one_level(values).log_likelihood >= least_gain


def _checked(plane: np.ndarray, number: int) -> np.ndarray:
    values = np.asarray(plane, np.float32)
    missing = int(np.count_nonzero(~np.isfinite(values)))
    if missing:
        raise DataError(f"slice {number} holds {missing} values that are NaN or infinite")
    if values.min() == values.max():
        raise DataError(f"slice {number} holds the one value {values.flat[0]:g}")
    return _standardized(values)


def _standardized(values: np.ndarray) -> np.ndarray:
    return np.asarray((values - values.mean()) / values.std())


def _in_local_contrast(values: np.ndarray, drift_px: float) -> np.ndarray:
    """Make the local level of the background 0 and that of the bright material 1."""
    contrast = values
    for _ in range(_ROUNDS):
        low, high = split_levels(contrast)
        dark = _local_mean(values, contrast < low, drift_px)
        bright = _local_mean(values, contrast > high, drift_px)
        contrast = (values - dark) / np.maximum(bright - dark, 1e-3)
    return contrast


def _local_mean(values: np.ndarray, where: np.ndarray, sigma_px: float) -> np.ndarray:
    weight = where.astype(np.float32)
    mean = float(values[where].mean()) if where.any() else float(values.mean())
    total = scipy.ndimage.gaussian_filter(values * weight, sigma_px, truncate=2.5) + _PRIOR * mean
    return np.asarray(
        total / (scipy.ndimage.gaussian_filter(weight, sigma_px, truncate=2.5) + _PRIOR)
    )


def _sharpened(contrast: np.ndarray, blur_px: float, amount: float) -> np.ndarray:
    if amount == 0:
        return contrast
    quiet = scipy.ndimage.gaussian_filter(contrast, _QUIET_PX)
    return np.asarray(quiet + amount * (quiet - scipy.ndimage.gaussian_filter(contrast, blur_px)))
