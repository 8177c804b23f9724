"""Densities of grey values: of a pure material, and of voxels that hold some of two.

In: grey values, levels and noise, on any one scale; out: densities, per unit of that scale.

Santago & Gage (1995), IEEE Trans. Image Process. 4, 1531. doi:10.1109/83.469934
"""

from __future__ import annotations

import numpy as np
import scipy


def pure(grey: np.ndarray, level: float, noise: float) -> np.ndarray:
    """Give the density of voxels full of one material: a Gaussian about its level.

    Parameters
    ----------
    grey : ndarray
        Grey values.
    level : float
        Grey value of the material.
    noise : float
        Standard deviation.
    """
    off = (grey - level) / noise
    return np.asarray(np.exp(-0.5 * off**2) / (noise * np.sqrt(2 * np.pi)))


def shared(grey: np.ndarray, dark: float, bright: float, noise: float) -> np.ndarray:
    """Give the density of voxels with any share of two materials, all as likely.

    It is uniform between the levels, blurred by the noise.

    Parameters
    ----------
    grey : ndarray
        Grey values.
    dark, bright : float
        Grey values of the materials, which differ.
    noise : float
        Standard deviation.
    """
    below = scipy.special.ndtr((grey - dark) / noise) - scipy.special.ndtr((grey - bright) / noise)
    return np.asarray(below / (bright - dark))
