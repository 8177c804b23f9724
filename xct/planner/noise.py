"""Noise of a reconstruction. In: light that comes through; out: standard deviation of μ."""

from __future__ import annotations

import numpy as np

from xct.reconstruct.windows import Window, window_response

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
    flats: int = 30,
    window: Window = "ramp",
    radius_um: float = 0.0,
    around: float = 0.0,
) -> float:
    """Tell the noise of a voxel in the filtered back-projection of a filled bore.

    ``σ = π / (√12 Δ √n) · √(mean of the rays' variance)``, times the window's factor; the
    variance of a ray's line integral is ``(N + σ_r²) / N² + 1 / (N_0 n_flats)``, N the quanta that
    come through, N_0 those of a flat [1]_.

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
    flats : int, optional
        Flats that are averaged.
    window : str, optional
        Of the ramp.
    radius_um : float, optional
        Distance of the voxel from the bore's axis.
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
    variance = np.mean((through + read_noise**2) / through**2) + 1 / (quanta * flats)
    ramp = np.pi / (np.sqrt(12 * angles) * pixel_um * 1e-4)
    return float(ramp * np.sqrt(variance) * window_factor(window))


def window_factor(window: Window) -> float:
    """Tell by how much a window lowers the noise of the plain ramp."""
    frequency = np.abs(np.fft.fftfreq(_FREQUENCIES))
    passed = (frequency * window_response(window, _FREQUENCIES)) ** 2
    return float(np.sqrt(passed.sum() / (frequency**2).sum()))
