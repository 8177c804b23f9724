"""Densities of the parts of a mixture, and where its histogram is split to begin with."""

from __future__ import annotations

import numpy as np

from xct.mixed_voxels import pure, shared


def densities(a: float, b: float, sd_a: float, sd_b: float, grey: np.ndarray) -> np.ndarray:
    """Densities of pure a, pure b and mixed voxels, shape (3, bin)."""
    return np.stack(
        [pure(grey, a, sd_a), pure(grey, b, sd_b), between(a, b, (sd_a + sd_b) / 2, grey)]
    )


def between(a: float, b: float, sd: float, grey: np.ndarray) -> np.ndarray:
    """Density of voxels with any share of a and b, all as likely."""
    if abs(b - a) < 1e-6 * sd:
        return pure(grey, a, sd)
    return shared(grey, a, b, sd)


def lower_class(counts: np.ndarray, grey: np.ndarray) -> np.ndarray:
    """Mark the bins of the lower class, by the largest variance between two classes."""
    below = np.cumsum(counts)[:-1]
    moment = np.cumsum(counts * grey)[:-1]
    total, whole = counts.sum(), float(counts @ grey)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (whole * below / total - moment) ** 2 / (below * (total - below))
    cut = int(np.nanargmax(between))
    return np.asarray(np.arange(grey.size) <= cut)
