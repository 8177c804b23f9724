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
# Likelihood per voxel that three levels have to gain over one; noise alone 0.001, electrodes 0.06
# to 0.2.
_LEAST_GAIN = 0.01


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
        Mask, probability and levels.

    Raises
    ------
    ValueError
        If values are not finite, or a slice holds one material only.

    References
    ----------
    .. [1] Otsu (1979), IEEE Trans. Syst. Man Cybern. 9, 62. doi:10.1109/TSMC.1979.4310076
    .. [2] Dempster, Laird & Rubin (1977), J. R. Stat. Soc. B 39, 1.
       doi:10.1111/j.2517-6161.1977.tb01600.x
    """
    if image.ndim not in (2, 3):
        raise ValueError(f"the image has {image.ndim} axes; it needs 2, or 3 for a stack")
    slices = image[None] if image.ndim == 2 else image
    probability = np.empty(slices.shape, np.float32)
    levels = []
    for number, plane in enumerate(slices):
        contrast = _in_local_contrast(_checked(plane, number), drift_px)
        sharp = _sharpened(contrast, blur_px, sharpening)
        found = fit_levels(sharp)
        if found.log_likelihood - _one_level(sharp).log_likelihood < _LEAST_GAIN:
            raise ValueError(
                f"slice {number} holds one material only: its grey values are distributed like "
                "noise"
            )
        probability[number] = 1 - found.more_than_half(sharp, 0)
        levels.append(found)
    probability = probability.reshape(image.shape)
    return BrightPhase(probability > 0.5, probability, tuple(levels))


def _checked(plane: np.ndarray, number: int) -> np.ndarray:
    values = np.asarray(plane, np.float32)
    missing = int(np.count_nonzero(~np.isfinite(values)))
    if missing:
        raise ValueError(f"slice {number} holds {missing} values that are NaN or infinite")
    sd = float(values.std())
    if sd == 0:
        raise ValueError(f"slice {number} holds the one value {values.flat[0]:g}")
    return np.asarray((values - values.mean()) / sd)


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
