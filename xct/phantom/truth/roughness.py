"""Roughness of a height map by ISO 25178. In: heights (y, x), NaN outside; out: parameters."""

from __future__ import annotations

import numpy as np
from scipy import fft

from xct.phantom.cell.interfaces import detrended, plane_of

_SHORTEST = 0.2  # of the autocorrelation, at Sal


def height_parameters(height_um: np.ndarray, voxel_um: float) -> dict[str, float]:
    """Give the roughness of a map against its mean plane.

    Parameters
    ----------
    height_um : ndarray, shape (y, x)
        Heights; NaN where there is none.
    voxel_um : float
        Distance of the grid's points.

    Returns
    -------
    dict
        ``mean_height_um, Sa_um, Sq_um, Ssk, Sku, Sz_um, Sdr, Sal_um, tilt_x_deg, tilt_y_deg``;
        Sdr as a fraction.
    """
    there = np.isfinite(height_um)
    _, slope_y, slope_x = plane_of(height_um, there)
    flat = np.where(there, detrended(np.nan_to_num(height_um), there), 0).astype(np.float64)
    values = flat[there]
    sq = float(np.sqrt(np.mean(values**2)))
    scale = max(sq, 1e-12)
    return {
        "mean_height_um": float(np.mean(height_um[there], dtype=np.float64)),
        "Sa_um": float(np.mean(np.abs(values))),
        "Sq_um": sq,
        "Ssk": float(np.mean((values / scale) ** 3)),
        "Sku": float(np.mean((values / scale) ** 4)),
        "Sz_um": float(np.ptp(values)),
        "Sdr": _developed(flat, there, voxel_um),
        "Sal_um": _shortest_lag(flat, there) * voxel_um,
        "tilt_x_deg": float(np.rad2deg(np.arctan(slope_x / voxel_um))),
        "tilt_y_deg": float(np.rad2deg(np.arctan(slope_y / voxel_um))),
    }


def _developed(flat: np.ndarray, there: np.ndarray, voxel_um: float) -> float:
    """Give by which fraction the surface is larger than its projection."""
    corners = there[1:, 1:] & there[1:, :-1] & there[:-1, 1:] & there[:-1, :-1]
    slope_y = (flat[1:, :-1] - flat[:-1, :-1])[corners] / voxel_um
    slope_x = (flat[:-1, 1:] - flat[:-1, :-1])[corners] / voxel_um
    return float(np.mean(np.sqrt(1 + slope_y**2 + slope_x**2)) - 1) if corners.any() else 0.0


def _shortest_lag(flat: np.ndarray, there: np.ndarray) -> float:
    """Find the shortest lag, in pixels, at which the autocorrelation has fallen to 0.2."""
    size = [fft.next_fast_len(2 * n, real=True) for n in flat.shape]

    def correlated(field: np.ndarray) -> np.ndarray:
        power = np.abs(fft.rfft2(field, size)) ** 2
        lags: np.ndarray = fft.fftshift(fft.irfft2(power, size))
        return lags

    pairs = np.maximum(correlated(there.astype(np.float64)), 0.5)
    correlation = correlated(flat) / pairs
    middle = tuple(n // 2 for n in size)
    correlation /= correlation[middle]
    y, x = (np.arange(n) - n // 2 for n in size)
    lag = np.hypot(y[:, None], x[None])
    fallen = (correlation < _SHORTEST) & (lag > 0)
    return float(lag[fallen].min()) if fallen.any() else float("nan")
