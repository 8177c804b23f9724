"""From the exit of the sample to the chip: propagation, point spread, glare. Frames in, frames out.

Frames are (row, column), in quanta or as transmission; what lies beyond their edges is taken to be
like the edge.
"""

from __future__ import annotations

from functools import lru_cache
from math import ceil
from typing import Any, Literal

import numpy as np
from scipy.fft import fft2, fftfreq, ifft2, next_fast_len
from scipy.ndimage import affine_transform, gaussian_filter, zoom

from xct.physics.materials import wavelength_um
from xct.physics.optics import FWHM_PER_SIGMA

# Pixels of a glare map per standard deviation of the glare: enough for what is that smooth.
_FINENESS = 8
_GLARE_REACH_SD = 4.0
# The wave is sampled so finely that, where light passes (line integrals below `_DARK`), all but a
# hundredth of the steps of its phase are at most a quarter turn, within limits: planes between
# layers lie along the rows, and need most. In a cell of 0.4 mm at 20 keV and 40 mm the median error
# is 0.1 % at faces of steel and less elsewhere; of pixels alone, 10 % in the cathode.
_DARK, _STEPS_SEEN, _STEP_RAD, _FINEST = 6.0, 0.99, np.pi / 2, (16, 4)
_FADE_RAD = 0.8  # below half a turn from sample to sample
_OPAQUE = 60.0  # e^-60: more would underflow


def propagate(
    line_integrals: np.ndarray,
    phase_integrals: np.ndarray,
    *,
    energy_kev: float,
    pixel_um: float,
    distance_mm: float,
) -> np.ndarray:
    """Let the wave behind the sample travel to the detector; give its intensity there.

    The wave ``exp(-L / 2 - i k D)`` is multiplied by the Fresnel propagator
    ``exp(-i π λ z f²)`` in Fourier space [1]_, on a grid finer than the pixels where the phase
    turns too far from one to the next; a pixel sees the mean.

    Parameters
    ----------
    line_integrals : ndarray, shape (row, column)
        L, integral of μ; dimensionless.
    phase_integrals : ndarray, shape (row, column)
        D, integral of δ; µm.
    energy_kev, pixel_um, distance_mm : float
        Photon energy, width of a pixel, sample to detector.

    Returns
    -------
    ndarray of float32, shape (row, column)
        Intensity over that of the beam: transmission with fringes.

    References
    ----------
    .. [1] Paganin (2006), Coherent X-Ray Optics, Oxford, section 1.4.
    """
    wavelength = wavelength_um(energy_kev)
    phase = (2 * np.pi / wavelength * phase_integrals).astype(np.float32)
    absorbed = np.minimum(line_integrals, _OPAQUE).astype(np.float32)
    finer = _fineness(phase, absorbed)
    fine = _zoomed(phase, finer, 3)
    amplitude = np.sqrt(_fine_transmission(absorbed, finer)) * _held(fine)
    wave = amplitude * np.exp(-1j * fine).astype(np.complex64)
    steps_um = [pixel_um / factor for factor in finer]
    # Pixels that the finest detail spreads.
    reach = [wavelength * distance_mm * 1e3 / step**2 for step in steps_um]
    margins = [int(min(ceil(each) + 8, 256)) for each in reach]
    shape = tuple(next_fast_len(n + 2 * m) for n, m in zip(wave.shape, margins, strict=True))
    around = [(m, total - n - m) for n, m, total in zip(wave.shape, margins, shape, strict=True)]
    travelled = ifft2(fft2(np.pad(wave, around, mode="edge")) * _propagator(shape, *reach))
    inner = tuple(slice(m, m + n) for n, m in zip(wave.shape, margins, strict=True))
    return _averaged(np.abs(travelled[inner]) ** 2, finer)


def _fineness(phase: np.ndarray, absorbed: np.ndarray) -> tuple[int, int]:
    """Choose how much finer than pixels the wave is sampled: its phase must not step too far."""
    lit = absorbed < _DARK
    finer = []
    for axis, (n, most) in enumerate(zip(phase.shape, _FINEST, strict=True)):
        both = lit.take(range(1, n), axis) & lit.take(range(n - 1), axis)
        steps = np.abs(np.diff(phase, axis=axis))[both]
        largest = float(np.quantile(steps, _STEPS_SEEN)) if steps.size else 0.0
        finer.append(int(np.clip(ceil(largest / _STEP_RAD), 1, most)))
    return finer[0], finer[1]


def _held(phase: np.ndarray) -> np.ndarray:
    """Fade out what is refracted farther than the samples can tell: it would come back elsewhere.

    That is light at faces of steel along the beam, thrown many pixels away.
    """
    step = np.zeros_like(phase)
    for axis in range(2):
        ahead = np.abs(np.diff(phase, axis=axis))
        ends = [(int(a == axis), 0) for a in range(2)]
        np.maximum(step, np.pad(ahead, ends), out=step)
        np.maximum(step, np.pad(ahead, [end[::-1] for end in ends]), out=step)
    return np.clip((np.pi - step) / _FADE_RAD, 0, 1)


def _zoomed(values: np.ndarray, finer: tuple[int, int], order: Literal[1, 3]) -> np.ndarray:
    if finer == (1, 1):
        return values
    zoomed: Any = zoom(values, finer, order=order, mode="nearest", grid_mode=True)
    return np.asarray(zoomed, np.float32)


def _fine_transmission(absorbed: np.ndarray, finer: tuple[int, int]) -> np.ndarray:
    """Give the transmission between pixels, so that the mean of a pixel is its own."""
    if finer == (1, 1):
        return np.asarray(np.exp(-absorbed))
    fine = np.exp(-_zoomed(absorbed, finer, 1))
    of_pixels = np.exp(-absorbed) / _averaged(fine, finer)
    return np.asarray(fine * np.kron(of_pixels, np.ones(finer, np.float32)))


def _averaged(fine: np.ndarray, finer: tuple[int, int]) -> np.ndarray:
    rows, columns = (n // factor for n, factor in zip(fine.shape, finer, strict=True))
    pixels = fine.reshape(rows, finer[0], columns, finer[1])
    return np.asarray(pixels.mean(axis=(1, 3)), np.float32)


@lru_cache(maxsize=2)
def _propagator(shape: tuple[int, int], *reach: float) -> np.ndarray:
    along, across = (r * fftfreq(n) ** 2 for n, r in zip(shape, reach, strict=True))
    return np.asarray(np.exp(-1j * np.pi * (along[:, None] + across)), np.complex64)


def turn(
    frame: np.ndarray,
    tilt_deg: float,
    about: tuple[float, float],
    moved: tuple[float, float] = (0.0, 0.0),
) -> np.ndarray:
    """Tilt the rotation axis within the plane of the detector, and move what is seen.

    Parameters
    ----------
    frame : ndarray, shape (row, column)
        As seen with the axis along the columns.
    tilt_deg : float
        Positive: the axis falls on larger columns as rows grow.
    about : (row, column)
        The point that stays.
    moved : (row, column), optional
        How far what is seen is moved.

    Returns
    -------
    ndarray of float32, shape (row, column)
        Between pixels, a cubic spline.
    """
    if tilt_deg == 0 and not any(moved):
        return frame
    angle = np.deg2rad(tilt_deg)
    cosine, sine = np.cos(angle), np.sin(angle)
    # From where a pixel takes its value: its offset from the point, turned back.
    matrix = np.array([[cosine, sine], [-sine, cosine]])
    shift = np.asarray(about) - matrix @ (np.asarray(about) + np.asarray(moved))
    turned = affine_transform(frame, matrix, shift, order=3, mode="nearest")
    return np.asarray(turned, np.float32)


def spread(light: np.ndarray, blur_px: float, glare: float, glare_range_px: float) -> np.ndarray:
    """Spread light as scintillator and lenses do: a narrow core, and veiling glare.

    Parameters
    ----------
    light : ndarray, shape (row, column)
        Quanta.
    blur_px : float
        Full width at half maximum of the core, a Gaussian.
    glare : float
        Fraction of all light that goes into the glare.
    glare_range_px : float
        Standard deviation of the glare, a wide Gaussian.

    Returns
    -------
    ndarray of float32, shape (row, column)
    """
    core = np.asarray(light, np.float32)
    if blur_px > 0:
        core = gaussian_filter(core, blur_px / FWHM_PER_SIGMA, mode="nearest")
    if glare == 0:
        return core
    return np.asarray((1 - glare) * core + glare * glare_map(light, glare_range_px), np.float32)


def glare_map(light: np.ndarray, range_px: float) -> np.ndarray:
    """Average light over a wide Gaussian of standard deviation `range_px`, coarsely."""
    rows, columns = light.shape
    step = max(1, min(int(range_px / _FINENESS), rows, columns))
    grid = [max(1, ceil(n / step)) for n in (rows, columns)]
    padding = [(0, cells * step - n) for cells, n in zip(grid, light.shape, strict=True)]
    padded = np.pad(light, padding, mode="edge") if any(b for _, b in padding) else light
    coarse = padded.reshape(grid[0], step, grid[1], step).mean(axis=(1, 3), dtype=np.float64)
    smooth = gaussian_filter(coarse, range_px / step, mode="nearest", truncate=_GLARE_REACH_SD)
    fine = zoom(smooth, step, order=1, mode="nearest", grid_mode=True)
    return np.asarray(fine[:rows, :columns], np.float32)
