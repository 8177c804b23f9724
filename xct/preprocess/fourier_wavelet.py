"""Stripes taken off wavelet by wavelet. In: a sinogram; out: the same without them.

A stripe is fine across the columns and changes slowly along the angles: it is in few coefficients.
"""

from __future__ import annotations

from math import ceil, log2

import numpy as np

_WAVELET = "db5"
# Number of times that a stripe may change sign over the scan: the σ of the damping.
_DAMPING = 2.0
# Frequencies up to so many σ are damped; exp(-12.5) of those beyond would be.
_REACH = 5.0


def damp_stripes(sinogram: np.ndarray, size: int) -> np.ndarray:
    """Damp what is fine across the columns and slow along the angles [1]_.

    Of each scale of a wavelet decomposition, the coefficients that are fine across the columns
    lose their low frequencies along the angles, by ``exp(-k² / 2σ²)``, k the number of periods.

    Parameters
    ----------
    sinogram : ndarray of float32, shape (angle, column)
        Finite values.
    size : int
        Scales up to this one are damped, in pixels: more than twice the width of the widest stripe.

    Returns
    -------
    ndarray of float32, shape (angle, column)
        As it was where there are too few angles or columns for a wavelet.

    References
    ----------
    .. [1] Münch, Trtik, Marone & Stampanoni (2009), Opt. Express 17, 8567.
       doi:10.1364/OE.17.008567
    """
    import pywt

    most = pywt.dwtn_max_level(sinogram.shape, _WAVELET)
    scales = min(ceil(log2(size)), most)
    if scales < 1:
        return sinogram
    coarsest, *details = pywt.wavedec2(sinogram, _WAVELET, level=scales)
    kept = [(along, _without_slow(across), both) for along, across, both in details]
    angles, width = sinogram.shape
    restored = pywt.waverec2([coarsest, *kept], _WAVELET)
    return np.asarray(restored[:angles, :width], np.float32)


def _without_slow(coefficients: np.ndarray) -> np.ndarray:
    """Damp the low frequencies along the first axis; the few there are, not the whole spectrum."""
    count = len(coefficients)
    periods = np.arange(min(ceil(_REACH * _DAMPING), (count - 1) // 2) + 1)
    phase = 2 * np.pi / count * np.outer(periods, np.arange(count))
    waves = np.concatenate([np.cos(phase), np.sin(phase[1:])]).astype(np.float32)
    once = np.exp(-(periods**2) / (2 * _DAMPING**2)) * np.where(periods > 0, 2, 1) / count
    damped = np.concatenate([once, once[1:]]).astype(np.float32)[:, None]
    return np.asarray(coefficients - waves.T @ (damped * (waves @ coefficients)))
