"""Materials and partial volumes in a histogram. In: levels, noise; out: densities, thresholds.

A voxel is full of one material, or holds two of them in any ratio, all ratios as likely [1]_::

    p(g) = Σ w_i N(g; m_i, s_i) + Σ w_ij [Φ((g − m_i)/s) − Φ((g − m_j)/s)] / (m_j − m_i)

with the levels m of the pure materials and their noise s.

.. [1] Santago & Gage (1995), IEEE Trans. Image Process. 4, 1531. doi:10.1109/83.469934
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy

from xct.errors import DataError
from xct.statistics.gaussian import gaussian_density

Kind = Literal["one", "two", "mixture"]
KINDS: tuple[Kind, ...] = ("one", "two", "mixture")
Pair = tuple[int, int]  # (i, i): voxels full of material i; (i, j): voxels that hold i and j

_VANISHED = 1e-280  # of a density


def partial_volume_density(
    grey: np.ndarray, dark: float, bright: float, noise: float
) -> np.ndarray:
    """Give the density of voxels with any fraction of two materials, all as likely.

    It is uniform between the levels, blurred by the noise.

    Parameters
    ----------
    grey : ndarray
        Grey values.
    dark, bright : float
        Grey values of the pure materials; where they are equal, the density is Gaussian.
    noise : float
        Standard deviation.
    """
    if abs(bright - dark) < 1e-6 * noise:
        return gaussian_density(grey, dark, noise)
    below = scipy.special.ndtr((grey - dark) / noise) - scipy.special.ndtr((grey - bright) / noise)
    return np.asarray(below / (bright - dark))


def densities(
    grey: np.ndarray, levels: Sequence[float], noises: Sequence[float], pairs: Collection[Pair]
) -> np.ndarray:
    """Give the density of each part of a mixture, shape (pair, grey value)."""
    return np.stack(
        [
            gaussian_density(grey, levels[i], noises[i])
            if i == j
            else partial_volume_density(grey, levels[i], levels[j], (noises[i] + noises[j]) / 2)
            for i, j in pairs
        ]
    )


@dataclass(frozen=True)
class Mixture:
    """Pure materials, and voxels that hold some of two.

    Attributes
    ----------
    levels, noises : tuple of float
        Grey value of each pure material, and its standard deviation.
    weights : mapping of (int, int) to float
        Fraction of the voxels: full of material i under (i, i), of i and j under (i, j).
    log_likelihood, bic : float
        Of the histogram, and Bayes' information criterion; the lower of two is the better model.
        NaN where the mixture was not fitted by likelihood.
    n : float
        Voxels, or independent ones if that was given.
    """

    levels: tuple[float, ...]
    noises: tuple[float, ...]
    weights: Mapping[Pair, float]
    log_likelihood: float = float("nan")
    bic: float = float("nan")
    n: float = float("nan")

    @property
    def kind(self) -> Kind:
        """One material, several without partial volumes, or with them."""
        if len(self.levels) == 1:
            return "one"
        return "mixture" if any(i != j for i, j in self.weights) else "two"

    @property
    def noise(self) -> float:
        """Standard deviation of the first material; with partial volumes that of all."""
        return self.noises[0]

    @property
    def a(self) -> float:
        """Grey value of the first material."""
        return self.levels[0]

    @property
    def b(self) -> float:
        """Grey value of the last material; of the only one, where there is one."""
        return self.levels[-1]

    @property
    def sd_a(self) -> float:
        """Noise of the first material."""
        return self.noises[0]

    @property
    def sd_b(self) -> float:
        """Noise of the last material."""
        return self.noises[-1]

    @property
    def weight_a(self) -> float:
        """Fraction of the voxels that are full of the first material."""
        return self.weights.get((0, 0), 0.0)

    @property
    def weight_b(self) -> float:
        """Fraction of the voxels that are full of the second material."""
        return self.weights.get((1, 1), 0.0)

    @property
    def weight_ab(self) -> float:
        """Fraction of the voxels that hold the first two materials."""
        return self.weights.get((0, 1), 0.0)

    @property
    def fraction_b(self) -> float:
        """Fraction of the volume that is b: pure voxels and half of the mixed ones."""
        return self.weight_b + self.weight_ab / 2

    def density(self, grey_value: np.ndarray | float) -> np.ndarray:
        """Give the probability density of grey values."""
        grey = np.atleast_1d(np.asarray(grey_value, float))
        parts = densities(grey, self.levels, self.noises, self.weights)
        return np.asarray(np.array(list(self.weights.values())) @ parts)

    def more_than_half(self, grey_value: np.ndarray | float, material: int) -> np.ndarray:
        """Give the probability that more than half of a voxel is one material.

        All ratios of a pair within one voxel being as likely, the part of its density up to the
        middle between its levels belongs to the first, the rest to the second.

        Parameters
        ----------
        grey_value : ndarray or float
            Grey values.
        material : int
            Number of the material, counted from the first level.

        Returns
        -------
        ndarray of float64
            Over all materials they sum to 1; where all densities vanish, the nearest level has 1.
        """
        grey = np.atleast_1d(np.asarray(grey_value, float))
        own, total = np.zeros(grey.shape), np.zeros(grey.shape)
        for (i, j), weight in self.weights.items():
            parts = self._halves(grey, i, j)
            own += weight * parts.get(material, 0)
            total += weight * sum(parts.values())
        nearest = np.abs(grey[..., None] - np.array(self.levels)).argmin(axis=-1) == material
        return np.asarray(np.where(total > _VANISHED, own / np.maximum(total, _VANISHED), nearest))

    def _halves(self, grey: np.ndarray, i: int, j: int) -> dict[int, np.ndarray]:
        """Density of the voxels of a pair, by the material that has more than half of them."""
        if i == j:
            return {i: gaussian_density(grey, self.levels[i], self.noises[i])}
        noise, half = (self.noises[i] + self.noises[j]) / 2, (self.levels[i] + self.levels[j]) / 2
        return {
            i: partial_volume_density(grey, self.levels[i], half, noise) / 2,
            j: partial_volume_density(grey, half, self.levels[j], noise) / 2,
        }

    def probability_b(self, grey_value: np.ndarray | float) -> np.ndarray:
        """Give the probability that more than half of a voxel with this grey value is b."""
        return self.more_than_half(grey_value, len(self.levels) - 1)

    def threshold(self) -> float:
        """Give the grey value at which a voxel is as likely mostly b as mostly anything else.

        Raises
        ------
        ValueError
            If there is one material only.
        """
        if self.kind == "one" or self.a == self.b:
            raise DataError(
                "the histogram holds one material only, so there is no threshold between two"
            )
        low, high = self.levels[-2:]
        if (self.probability_b(low)[0] - 0.5) * (self.probability_b(high)[0] - 0.5) > 0:
            return (low + high) / 2  # one of them is too rare to win even at its own peak
        return float(
            scipy.optimize.brentq(lambda g: float(self.probability_b(g)[0]) - 0.5, low, high)
        )
