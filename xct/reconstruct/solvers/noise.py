"""Noise of the line integrals, from themselves. In: a sinogram; out: how large it is."""

from __future__ import annotations

import numpy as np

_SD_OF_MEDIAN = 1.4826  # standard deviation of normal noise, in medians of its size
_ACROSS = np.array([1, -4, 6, -4, 1]) / np.sqrt(70)  # differences that hardly see the sample
_ALONG = np.array([1, -2, 1]) / np.sqrt(6)
# Columns that see less than this part of the largest mean line integral see no sample.
_SAMPLE = 0.1


def noise_sd(sinogram: np.ndarray) -> np.ndarray:
    """Estimate the noise of every column, from differences of neighbors.

    Parameters
    ----------
    sinogram : ndarray, shape (angle, column)
        Line integrals, angles in the order in which they lie.

    Returns
    -------
    ndarray, shape (column,)
        Standard deviation; the smaller of what columns and what angles say, since the sample's
        own structure adds to either.
    """
    angles, columns = sinogram.shape
    values = np.asarray(sinogram, np.float64)
    found = []
    if angles >= _ALONG.size:
        change = sum(w * values[i : angles - 2 + i] for i, w in enumerate(_ALONG))
        found.append(_SD_OF_MEDIAN * np.median(np.abs(change), axis=0))
    if columns >= _ACROSS.size:
        change = sum(w * values[:, i : columns - 4 + i] for i, w in enumerate(_ACROSS))
        sd = _SD_OF_MEDIAN * np.median(np.abs(change), axis=0)
        found.append(np.pad(sd, 2, mode="edge"))
    sd = np.min(found, axis=0) if found else np.zeros(columns)
    return np.asarray(sd)


def noise_square(sinogram: np.ndarray) -> float:
    """Estimate the sum of the squares of the noise of all line integrals, shape (angle, column)."""
    return float(len(sinogram) * np.sum(np.square(noise_sd(sinogram))))


def noise_of_slice(sinogram: np.ndarray, weights: np.ndarray) -> float:
    """Estimate the standard deviation of the noise that FBP gives, per pixel.

    Parameters
    ----------
    sinogram : ndarray, shape (angle, column)
        Line integrals, angles in the order in which they lie.
    weights : ndarray, shape (angle,)
        Weight of each projection; their sum is π.
    """
    mean = np.abs(sinogram.mean(axis=0))
    seen = mean >= _SAMPLE * mean.max()
    variance = float(np.mean(np.square(noise_sd(sinogram))[seen]))
    # The ramp's squares add up to 1/12.
    return float(np.sqrt(variance * np.sum(np.square(weights)) / 12))
