"""Two materials and the voxels that both share. In: a histogram; out: their values and shares.

Santago & Gage (1995), IEEE Trans. Image Process. 4, 1531. doi:10.1109/83.469934
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

from xct.statistics.mixed_voxels import pure, shared


@dataclass(frozen=True)
class TwoMaterials:
    """Two materials with common noise, and their partial volumes.

    Attributes
    ----------
    dark, bright : float
        Values of both materials.
    noise : float
        Standard deviation.
    dark_share, bright_share, mixed_share : float
        Shares of voxels, which add up to 1.
    dark_sd : float
        Standard deviation of the dark value, from the curvature of the fit.
    misfit : float
        Root mean square of what is left, relative to the highest count.
    """

    dark: float
    bright: float
    noise: float
    dark_share: float
    bright_share: float
    mixed_share: float
    dark_sd: float
    misfit: float


def density(
    g: np.ndarray, dark: float, bright: float, noise: float, shares: tuple[float, float, float]
) -> np.ndarray:
    """Give the density of values: two Gaussians and the blurred uniform between them."""
    return np.asarray(
        shares[0] * pure(g, dark, noise) + shares[1] * pure(g, bright, noise)
        + shares[2] * shared(g, dark, bright, noise)
    )  # fmt: skip


def fit_mixture(
    counts: np.ndarray, edges: np.ndarray, *, dark: float, bright: float, noise: float
) -> TwoMaterials:
    """Fit the mixture to a histogram, from a first guess.

    Parameters
    ----------
    counts : ndarray, shape (n,)
        Voxels in each bin.
    edges : ndarray, shape (n + 1,)
        Of equal bins.
    dark, bright, noise : float
        Where to start.

    Raises
    ------
    ValueError
        If there are fewer than 500 voxels, or no contrast to start from.
    """
    total = float(counts.sum())
    if total < 500 or bright <= dark:
        raise ValueError(
            f"a mixture of two materials needs 500 voxels and a bright above a dark value; there "
            f"are {total:.0f} voxels, dark {dark:.4g} and bright {bright:.4g}"
        )
    middles, width = 0.5 * (edges[1:] + edges[:-1]), float(edges[1] - edges[0])
    seen = counts / total / width
    weight = 1 / np.sqrt(np.maximum(counts, 4) / total / width)

    def unpacked(p: np.ndarray) -> tuple[float, float, float, tuple[float, float, float]]:
        share = np.exp(np.array([p[3], p[4], 0.0]) - max(p[3], p[4], 0.0))
        share /= share.sum()
        return p[0], p[1], abs(p[2]) + 1e-9, (float(share[0]), float(share[1]), float(share[2]))

    def left(p: np.ndarray) -> np.ndarray:
        return np.asarray((density(middles, *unpacked(p)) - seen) * weight)

    start = np.array([dark, bright, noise, 0.5, 0.0])
    fit = scipy.optimize.least_squares(
        left, start, x_scale=[noise, noise, noise, 1, 1], loss="soft_l1"
    )
    a, b, s, share = unpacked(fit.x)
    slopes = np.asarray(fit.jac)
    spread = np.linalg.pinv(slopes.T @ slopes) * float(np.mean(left(fit.x) ** 2))
    rest = density(middles, a, b, s, share) - seen
    misfit = float(np.sqrt(np.mean(rest**2)) / seen.max())
    return TwoMaterials(a, b, s, *share, float(np.sqrt(max(spread[0, 0], 0))), misfit)
