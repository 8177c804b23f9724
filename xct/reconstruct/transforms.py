"""Fourier transforms of rows side by side. In: complex arrays; out: their transforms."""

from __future__ import annotations

import numpy as np
import scipy.fft

from xct.threads import thread_count


def forward(values: np.ndarray) -> np.ndarray:
    """Transform along the middle axis, in this thread; the input may be overwritten."""
    result: np.ndarray = scipy.fft.fft(values, axis=1, overwrite_x=True, workers=1)
    return result


def inverse(values: np.ndarray, axis: int) -> np.ndarray:
    """Inverse transform without its factor 1/n, in all threads; the input may be overwritten."""
    result: np.ndarray = scipy.fft.ifft(
        values, axis=axis, norm="forward", overwrite_x=True, workers=thread_count()
    )
    return result
