"""Gaussian random fields: rough faces and patchy maps. In: a grid, a length; out: a map (y, x)."""

from __future__ import annotations

from math import ceil

import numpy as np
from scipy import fft


def gaussian_field(
    shape: tuple[int, int], length_px: float, rng: np.random.Generator
) -> np.ndarray:
    """Draw a field whose autocorrelation is exp(-(lag / length)²).

    Parameters
    ----------
    shape : tuple of int
        Rows and columns (y, x).
    length_px : float
        Correlation length, pixels.
    rng : Generator
        Source of the random numbers.

    Returns
    -------
    ndarray of float32, shape (y, x)
        Mean 0 and standard deviation 1 in the ensemble of all fields.
    """
    # Room beyond the edge, so that opposite edges do not know each other.
    room = ceil(2 * length_px)
    size = [fft.next_fast_len(n + room, real=True) for n in shape]
    noise = rng.standard_normal(size, dtype=np.float32)
    spectrum = fft.rfft2(noise, workers=1)
    for axis, frequency in enumerate((fft.fftfreq(size[0])[:, None], fft.rfftfreq(size[1])[None])):
        gain = np.exp(-0.5 * (np.pi * frequency * length_px) ** 2)
        # Parseval: the variance of the result is the mean of the squared gain.
        full = np.exp(-((np.pi * fft.fftfreq(size[axis]) * length_px) ** 2)).mean()
        spectrum *= (gain / np.sqrt(full)).astype(np.float32)
    field: np.ndarray = fft.irfft2(spectrum, s=size, workers=1)[: shape[0], : shape[1]]
    return np.ascontiguousarray(field, np.float32)


def standardized(field: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Shift and scale a field to mean 0 and standard deviation 1 over a mask."""
    values = field[inside]
    spread = float(values.std(dtype=np.float64))
    result: np.ndarray = (field - np.float32(values.mean(dtype=np.float64))) / np.float32(
        spread if spread > 0 else 1
    )
    return result


def plane_of(
    field: np.ndarray, inside: np.ndarray, origin_px: tuple[float, float] = (0.0, 0.0)
) -> tuple[float, float, float]:
    """Fit a plane to a field over a mask: value at an origin, slope per pixel along y and x."""
    y, x = (place - start for place, start in zip(np.nonzero(inside), origin_px, strict=True))
    design = np.column_stack([np.ones(len(y)), y, x])
    fit, *_ = np.linalg.lstsq(design, field[inside].astype(np.float64))
    return float(fit[0]), float(fit[1]), float(fit[2])


def detrended(field: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Take the best plane over a mask off a field."""
    height, slope_y, slope_x = plane_of(field, inside)
    y, x = np.ogrid[: field.shape[0], : field.shape[1]]
    flat: np.ndarray = (field - (height + slope_y * y + slope_x * x)).astype(np.float32)
    return flat


def correlated(
    wanted: float, with_field: np.ndarray, other: np.ndarray, inside: np.ndarray
) -> np.ndarray:
    """Mix two fields into one whose correlation with the first, over a mask, is as wanted.

    Parameters
    ----------
    wanted : float
        Pearson's coefficient, -1 … 1; met exactly, not in the mean over many cells.
    with_field, other : ndarray, shape (y, x)
        The field to agree with, and the one that fills up.
    inside : ndarray of bool, shape (y, x)
        Where.

    Returns
    -------
    ndarray of float32, shape (y, x)
        Mean 0 and standard deviation 1 over the mask.
    """
    first = standardized(with_field, inside)
    second = standardized(other, inside)
    shared = float(np.mean(first[inside] * second[inside], dtype=np.float64))
    rest = standardized(second - np.float32(shared) * first, inside)
    return np.asarray(
        np.float32(wanted) * first + np.float32(np.sqrt(1 - wanted**2)) * rest, np.float32
    )
