"""Maps at a scale, about the axis. In: scattered values with noise; out: rings of smooth values.

A map is kept on rings about the bore's axis, evenly by radius and azimuth: turning one map against
another is then a shift along the rings, without any interpolation that would smooth it more than
the map that is not turned.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

from xct.physics.optics import FWHM_PER_SIGMA

_RINGS, _AZIMUTHS = 24, 180
_LEAST_WEIGHT = 0.05  # of a typical place: with less in reach, a value is not known


@dataclass(frozen=True)
class Samples:
    """Values at places in a bore, each with its noise.

    Attributes
    ----------
    y_um, x_um : ndarray, shape (n,)
        From the axis.
    value : ndarray, shape (n,)
        Any unit.
    variance : ndarray, shape (n,)
        Of the noise of each value, independent of that of the others.
    name : str
        What they are.
    """

    y_um: np.ndarray
    x_um: np.ndarray
    value: np.ndarray
    variance: np.ndarray
    name: str = ""


@dataclass(frozen=True)
class RingMap:
    """A smooth map on rings.

    Attributes
    ----------
    value : ndarray, shape (ring, azimuth)
        With the mean of each ring subtracted; NaN where nothing is known.
    variance : ndarray, shape (ring, azimuth)
        Of its noise.
    """

    value: np.ndarray
    variance: np.ndarray

    @property
    def known(self) -> np.ndarray:
        """Where there is a value, bool (ring, azimuth)."""
        return np.asarray(np.isfinite(self.value))


def ring_radii_um(radius_um: float) -> np.ndarray:
    """Give the radii of the rings within a bore."""
    return np.asarray((np.arange(_RINGS) + 0.5) / _RINGS * radius_um)


def ring_map(samples: Samples, radius_um: float, fwhm_um: float) -> RingMap:
    """Smooth values with a Gaussian and read them on rings.

    Values are weighted by the inverse of their variance. What depends on the radius alone is taken
    out: the beam and the wall make such structure in every layer.

    Parameters
    ----------
    samples : Samples
        Values in the bore.
    radius_um : float
        Of the bore, or of the part that is looked at.
    fwhm_um : float
        Of the Gaussian.

    Returns
    -------
    RingMap
    """
    pitch = fwhm_um / 4
    count = int(np.ceil(2 * (radius_um + 2 * fwhm_um) / pitch)) | 1
    weight = 1 / samples.variance
    sums = [_gridded(samples, of, pitch, count) for of in (weight * samples.value, weight)]
    sigma = fwhm_um / FWHM_PER_SIGMA / pitch
    top, below = (scipy.ndimage.gaussian_filter(s, sigma, mode="constant") for s in sums)
    # Σ (w g)² variance = Σ g² w: a Gaussian squared is one of 1/√2 the width, times a factor.
    squared = scipy.ndimage.gaussian_filter(sums[1], sigma / np.sqrt(2), mode="constant")
    squared *= 1 / (4 * np.pi * sigma**2)
    radii = ring_radii_um(radius_um)[:, None]
    turn = 2 * np.pi * np.arange(_AZIMUTHS) / _AZIMUTHS
    at = [radii * np.sin(turn) / pitch + count // 2, radii * np.cos(turn) / pitch + count // 2]
    read = [scipy.ndimage.map_coordinates(m, at, order=1) for m in (top, below, squared)]
    enough = read[1] > _LEAST_WEIGHT * np.median(read[1])
    with np.errstate(invalid="ignore", divide="ignore"):
        value = np.where(enough, read[0] / read[1], np.nan)
        variance = np.where(enough, read[2] / read[1] ** 2, np.nan)
    alike = np.exp(-((radii * np.sin(turn / 2) * FWHM_PER_SIGMA / fwhm_um) ** 2))
    variance *= 1 - alike.mean(axis=1, keepdims=True)  # noise of a ring's mean is taken out, too
    return RingMap(_without_ring_means(value), variance)


def _gridded(samples: Samples, of: np.ndarray, pitch: float, count: int) -> np.ndarray:
    """Sum what the samples add to the pixels of a grid, each shared by the four around it."""
    sums = np.zeros(count * count)
    y, x = (um / pitch + count // 2 for um in (samples.y_um, samples.x_um))
    row, column = np.floor(y).astype(int), np.floor(x).astype(int)
    for dy, dx in ((0, 0), (0, 1), (1, 0), (1, 1)):
        part = of * np.abs(1 - dy - (y - row)) * np.abs(1 - dx - (x - column))
        r, c = row + dy, column + dx
        inside = (r >= 0) & (r < count) & (c >= 0) & (c < count)
        sums += np.bincount((r * count + c)[inside], weights=part[inside], minlength=count * count)
    return np.asarray(sums.reshape(count, count))


def _without_ring_means(value: np.ndarray) -> np.ndarray:
    known = np.isfinite(value)
    counts = np.maximum(known.sum(axis=1, keepdims=True), 1)
    return np.asarray(value - np.where(known, value, 0).sum(axis=1, keepdims=True) / counts)
