"""Projection and back-projection as one convolution. In: angles and a size; out: slices.

Projected and back-projected by xct's gridding, a slice is convolved with one kernel: the gridded
back-projection of a point [1]_. It is made once for all slices of a scan, whatever their axis;
from then on an iteration takes two Fourier transforms.

References
----------
.. [1] Fessler, Lee, Olafsson, Shi & Noll (2005), IEEE Trans. Signal Process. 53, 3393.
   doi:10.1109/TSP.2005.853152
"""

from __future__ import annotations

from functools import lru_cache
from threading import Lock

import numpy as np
import scipy

from xct.parallel.threads import thread_count
from xct.physics.optics import FWHM_PER_SIGMA
from xct.reconstruct.filters import ramp
from xct.reconstruct.gridding.polar import fast_even, geometry, grid_cells
from xct.reconstruct.gridding.spectra import filtered_spectra
from xct.reconstruct.gridding.transform import grid_spectra, transform_grid, write_slices

_POWER_ROUNDS = 12
_lock = Lock()


def back_projected(
    sinogram: np.ndarray,
    theta_deg: np.ndarray,
    weights: np.ndarray,
    center_px: float,
    size: int,
    *,
    filtered: bool = False,
    blur_px: float = 0.0,
) -> np.ndarray:
    """Back-project one row by gridding: the adjoint of projecting a slice of `size` pixels.

    Parameters
    ----------
    sinogram : ndarray, shape (angle, column)
        Of an object that is seen whole: zero at both edges.
    theta_deg, weights : ndarray, shape (angle,)
        Angles, and what each projection is multiplied by.
    center_px : float
        Column of the axis.
    size : int
        Width and height of the slice.
    filtered : bool, optional
        By the ramp first.
    blur_px : float, optional
        Full width at half maximum by which projecting blurs: so does its adjoint.

    Returns
    -------
    ndarray of float32, shape (y, x)
        Corners included.
    """
    length = fast_even(2 * max(sinogram.shape[1], size))
    response = blurring(length, blur_px) * (ramp(length) if filtered else 1.0)
    highest, cells = length // 2 - 1, grid_cells(size)
    theta = np.deg2rad(theta_deg)
    half = 0.5 * ((size + 1) % 2) * (np.cos(theta) - np.sin(theta))
    shift = np.repeat((half + center_px)[:, None], 2, axis=1)
    spectra = np.empty((theta.size, 2 * highest + 1, 2), np.float32)
    filtered_spectra(sinogram[:, None], response, weights, shift, spectra)
    grid = np.empty((cells, cells, 2), np.float32)
    grid_spectra(spectra, geometry(theta_deg, length, cells, highest), grid)
    transform_grid(grid, size)
    out = np.zeros((1, size, size), np.float32)
    write_slices(grid, np.array([2.0 * size]), 1 / length, out)
    picture: np.ndarray = out[0]
    return picture


def blurring(length: int, blur_px: float) -> np.ndarray:
    """Frequency response of a Gaussian of this full width at half maximum, shape (frequency,)."""
    sigma = blur_px / FWHM_PER_SIGMA
    response: np.ndarray = np.exp(-2 * (np.pi * sigma * scipy.fft.fftfreq(length)) ** 2)
    return response


class Convolution:
    """What projecting and back-projecting does to a slice.

    Attributes
    ----------
    size : int
        Width and height of a slice.
    norm : float
        Largest factor by which a slice can grow.
    """

    def __init__(
        self,
        theta_deg: np.ndarray,
        weights: np.ndarray,
        size: int,
        *,
        filtered: bool,
        blur_px: float = 0.0,
    ) -> None:
        self.size = size
        reach = 2 * size - 1  # differences of two positions, and as many back
        point = np.zeros((theta_deg.size, reach), np.float32)
        point[:, size - 1] = 1
        twice = np.sqrt(2) * blur_px  # there and back
        kernel = back_projected(
            point, theta_deg, weights, size - 1.0, reach, filtered=filtered, blur_px=twice
        )
        self._length = scipy.fft.next_fast_len(reach, real=True)
        wrapped = np.zeros((self._length, self._length), np.float32)
        place = (np.arange(reach) - (size - 1)) % self._length
        wrapped[np.ix_(place, place)] = kernel
        self._factors = np.ascontiguousarray(_forward(wrapped, self._length).real)
        self.norm = self._largest()

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        """Project and back-project a slice."""
        spectrum = _forward(picture, self._length)
        spectrum *= self._factors
        shape = (self._length, self._length)
        back = scipy.fft.irfft2(spectrum, s=shape, workers=thread_count(), overwrite_x=True)
        return np.ascontiguousarray(back[: self.size, : self.size])

    def _largest(self) -> float:
        picture = np.random.default_rng(0).random((self.size, self.size), np.float32)
        norm = 1.0
        for _ in range(_POWER_ROUNDS):
            picture = self(picture / np.float32(norm))
            norm = float(np.linalg.norm(picture))
        return norm


def convolution(
    theta_deg: np.ndarray,
    weights: np.ndarray,
    size: int,
    *,
    filtered: bool,
    blur_px: float = 0.0,
) -> Convolution:
    """Give the convolution of a scan; that of the last scan is remembered."""
    angles = np.ascontiguousarray(theta_deg, np.float64).tobytes()
    factors = np.ascontiguousarray(weights, np.float64).tobytes()
    with _lock:
        return _convolution(angles, factors, size, filtered, blur_px)


@lru_cache(maxsize=1)
def _convolution(
    angles: bytes, weights: bytes, size: int, filtered: bool, blur_px: float
) -> Convolution:
    theta, factors = np.frombuffer(angles), np.frombuffer(weights)
    return Convolution(theta, factors, size, filtered=filtered, blur_px=blur_px)


def _forward(picture: np.ndarray, length: int) -> np.ndarray:
    spectrum: np.ndarray = scipy.fft.rfft2(picture, s=(length, length), workers=thread_count())
    return spectrum
