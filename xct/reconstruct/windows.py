"""The ramp filter and its windows. In: a length and a name; out: factors by frequency."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Literal, get_args

import numpy as np
import scipy.fft

Window = Literal["ramp", "shepp-logan", "cosine", "hamming", "hann", "parzen"]


def ramp(length: int) -> np.ndarray:
    """Frequency response of the band-limited ramp, as the DFT of its kernel [1]_.

    A ramp sampled in frequency would lose the mean of the object: 3.6 % inside a disc.

    Parameters
    ----------
    length : int
        Length of the padded projection, even.

    Returns
    -------
    ndarray of float64, shape (length,)
        Response at the frequencies of `scipy.fft.fft`, for a pixel length of 1. Zero at the
        Nyquist frequency, whose sign is unknown.

    References
    ----------
    .. [1] Kak & Slaney (1988), Principles of Computerized Tomographic Imaging, ch. 3.
       doi:10.1137/1.9780898719277
    """
    lag = np.abs(scipy.fft.fftfreq(length, 1 / length))
    kernel = np.where(lag % 2 == 1, -1 / (np.pi * np.maximum(lag, 1)) ** 2, 0.0)
    kernel[0] = 0.25
    response: np.ndarray = scipy.fft.fft(kernel).real
    response[length // 2] = 0
    return response


def window_response(window: str, length: int, cutoff: float = 1.0) -> np.ndarray:
    """Factor by which a window lowers each frequency.

    Parameters
    ----------
    window : {"ramp", "shepp-logan", "cosine", "hamming", "hann", "parzen"}
        Name of the window; ``ramp`` is none at all.
    length : int
        Length of the padded projection.
    cutoff : float, optional
        Frequency beyond which nothing passes, as a fraction of the Nyquist frequency; the
        window is stretched to end there.

    Returns
    -------
    ndarray of float64, shape (length,)
        Factors at the frequencies of `scipy.fft.fft`.

    Raises
    ------
    ValueError
        If there is no such window.
    """
    check_window(window)
    x = np.abs(scipy.fft.fftfreq(length, 0.5)) / cutoff
    if window == "shepp-logan":
        response = np.sinc(x / 2)
    elif window == "cosine":
        response = np.cos(np.pi * x / 2)
    elif window == "hamming":
        response = 0.54 + 0.46 * np.cos(np.pi * x)
    elif window == "hann":
        response = 0.5 + 0.5 * np.cos(np.pi * x)
    elif window == "parzen":
        response = np.where(x <= 0.5, 1 - 6 * x**2 * (1 - x), 2 * (1 - x) ** 3)
    else:
        response = np.ones_like(x)
    return np.where(x <= 1, response, 0.0)


def check_window(window: str) -> None:
    """Refuse a window that does not exist, naming the nearest that does."""
    known = get_args(Window)
    if window not in known:
        near = get_close_matches(str(window).lower(), known, n=1, cutoff=0.4)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"window={window!r} is unknown{hint} There are: {', '.join(known)}")
