"""Spectra of views under a smooth window. In: views; out: their Fourier transform by column."""

from __future__ import annotations

import numpy as np
import scipy.fft

from xct.threads import thread_count


def window(columns: int, center_px: float, half_px: float) -> np.ndarray:
    """Weight of each column: 1 near the center, smoothly to 0 at `half_px` from it."""
    distance = np.abs(np.arange(columns) - center_px) / half_px
    edge = np.clip((1.0 - distance) / 0.15, 0.0, 1.0)
    return np.asarray(np.sin(edge * np.pi / 2) ** 2, dtype=np.float32)


def spectra(views: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fourier transform views along their columns, padded to twice the width.

    Parameters
    ----------
    views : ndarray, shape (…, column)
        Line integrals.
    weight : ndarray, shape (column,)
        As `window` gives it.

    Returns
    -------
    kappa : ndarray, shape (frequency,)
        Radians per pixel.
    spectrum : ndarray of complex64, shape (…, frequency)
        Of the weighted views.
    """
    padded = scipy.fft.next_fast_len(2 * views.shape[-1], real=True)
    kappa = 2 * np.pi * np.arange(padded // 2 + 1) / padded
    spectrum = scipy.fft.rfft(views * weight, n=padded, axis=-1, workers=thread_count())
    return kappa, spectrum


def usable(kappa: np.ndarray, half_px: float, *, cut: bool) -> np.ndarray:
    """Frequencies worth asking: not those of the window itself where the sample is cut off."""
    lowest = 4 * np.pi / half_px if cut else 0.0
    return (kappa > lowest) & (kappa < 0.95 * np.pi)


def independent(weight: np.ndarray, kappa: np.ndarray) -> float:
    """Independent numbers per frequency: padding and window correlate neighbours."""
    return float(np.sum(weight**2)) / (2.0 * (kappa.size - 1))
