"""Noise of a reconstruction. In: light that comes through; out: standard deviation of μ."""

from __future__ import annotations

import numpy as np
from scipy.special import j0

from xct.reconstruct.filters import Window, window_response

# Where a plan predicts the noise, in radii: on the axis itself flats make more than elsewhere.
NEAR_AXIS = 0.2
_RAYS = 181
_FREQUENCIES = 4096


def expected_noise(
    mu_per_cm: float,
    bore_um: float,
    *,
    pixel_um: float,
    angles: int,
    quanta: float,
    read_noise: float = 0.0,
    flats: float = 15,
    darks: int = 10,
    window: Window = "ramp",
    radius_um: float = 0.0,
    around: float = 0.0,
) -> float:
    """Give the noise of a voxel in the filtered back-projection of a filled bore.

    Projections have noise of their own: ``σ² = π² / (12 Δ² n) · mean of (N + σ_r²) / N²`` over the
    rays through the voxel, N the quanta that come through [1]_. The noise of flats and darks is
    the same in all of them, and makes rings: at a distance r from the axis
    ``2 π² Δ ∫ k² J_0²(2πkr) dk`` times its variance, strongest on the axis itself.

    Parameters
    ----------
    mu_per_cm : float
        Mean attenuation in the bore.
    bore_um : float
        Its diameter.
    pixel_um : float
        Width of a (binned) pixel.
    angles : int
        Projections over 180°.
    quanta : float
        Quanta that a (binned) pixel detects in a flat.
    read_noise : float, optional
        Standard deviation of the reading, quanta.
    flats : float, optional
        Flats that are averaged for a projection; interpolated in time between blocks of n each,
        1.5 n on average.
    darks : int, optional
        Darks that are averaged.
    window : str, optional
        Of the ramp.
    radius_um : float, optional
        Distance of the voxel from the bore's axis, which is taken as that of the rotation.
    around : float, optional
        Line integral of what surrounds the bore: tube, housing.

    Returns
    -------
    float
        Standard deviation of μ, 1/cm.

    References
    ----------
    .. [1] Kak & Slaney (1988), Principles of Computerized Tomographic Imaging, section 5.2.
       doi:10.1137/1.9780898719277
    """
    azimuth = np.linspace(0, np.pi / 2, _RAYS)
    past_axis = radius_um * np.sin(azimuth)
    chord_cm = 2e-4 * np.sqrt(np.maximum((bore_um / 2) ** 2 - past_axis**2, 0))
    through = quanta * np.exp(-mu_per_cm * chord_cm - around)
    own = np.mean((through + read_noise**2) / through**2) / angles
    of_darks = read_noise**2 / darks * np.mean((1 / through - 1 / quanta) ** 2)
    shared = 1 / (quanta * flats) + of_darks
    k, passed = _frequencies(window)
    rings = np.mean((k * passed * j0(2 * np.pi * k * radius_um / pixel_um)) ** 2)
    variance = own * np.mean((k * passed) ** 2) + shared * rings
    return float(np.pi / (pixel_um * 1e-4) * np.sqrt(variance))


def window_factor(window: Window) -> float:
    """Give by how much a window lowers the noise of the plain ramp."""
    k, passed = _frequencies(window)
    return float(np.sqrt(np.mean((k * passed) ** 2) / np.mean(k**2)))


def _frequencies(window: Window) -> tuple[np.ndarray, np.ndarray]:
    """Give frequencies in cycles per pixel, evenly from 0 to ½, and what a window passes."""
    half = _FREQUENCIES // 2
    k = np.abs(np.fft.fftfreq(_FREQUENCIES))[:half]
    return k, window_response(window, _FREQUENCIES)[:half]
