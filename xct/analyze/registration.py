"""Rigid motion between two scans of one cell. In: bore and pin of both; out: the motion.

The bore is round: it gives the axis, not the turn about it. That comes from the relief of the
pin's face, correlated around the axis.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

from xct.errors import DataError
from xct.geometry import CellGeometry, Surface

_RINGS, _AZIMUTHS = 48, 1440
_INNER, _OUTER = 0.2, 0.95  # of the bore's radius, where the relief is compared
_ROUNDS = 3
_CERTAIN = 0.25  # correlation of both reliefs …
_OVER_OTHERS = 1.3  # … and how far it must stand above that at any other turn
_PEAK_DEG = 15.0  # around the peak, which is as wide as the relief is smooth
_TRIM = 3.0


@dataclass(frozen=True)
class Motion:
    """From the grid of one scan to the other's.

    Attributes
    ----------
    turn_deg : float
        About the axis, from +x to +y.
    turn_known : bool
        Whether the relief determines it; else it is taken as 0.
    plane : tuple of float
        What the moved heights are too high by: at the axis (µm), and slopes along y and x.
    residual_um : float
        Standard deviation of what is left between the pin's faces: the noise floor.
    height_sd_um : float
        Standard deviation of the height that the motion leaves open.
    """

    turn_deg: float
    turn_known: bool
    plane: tuple[float, float, float]
    residual_um: float
    height_sd_um: float


def find_motion(
    fixed: CellGeometry, fixed_pin: Surface, moving: CellGeometry, moving_pin: Surface
) -> Motion:
    """Find the motion that brings the pin of one scan onto the other's.

    Parameters
    ----------
    fixed, moving : CellGeometry
        Axis of the bore in both.
    fixed_pin, moving_pin : Surface
        Face of the pin.

    Returns
    -------
    Motion

    Raises
    ------
    DataError
        If the pin's faces have no columns in common.
    """
    turn, known = _turn(fixed, fixed_pin, moving, moving_pin)
    start = Motion(turn if known else 0.0, known, (0.0, 0.0, 0.0), np.nan, np.nan)
    offset = carried(moving_pin, moving, fixed, start).height_um - fixed_pin.height_um
    y, x = fixed.offsets_um((fixed.shape[0] - 1) / 2)
    y, x = np.broadcast_arrays(y, x)
    design = np.stack([np.ones(offset.shape), y, x], axis=-1)
    kept = np.isfinite(offset)
    if np.count_nonzero(kept) < 10:
        raise DataError("the faces of the pin have no columns in common; is it the same cell?")
    plane, residual = np.zeros(3), np.inf
    for _ in range(_ROUNDS):
        plane = np.linalg.lstsq(design[kept], offset[kept].astype(np.float64))[0]
        left = offset - design @ plane
        residual = float(1.4826 * np.median(np.abs(left[kept])))
        kept = np.isfinite(offset) & (np.abs(left) <= _TRIM * max(residual, 1e-9))
    # Half of what is left is taken to be common to wide areas, as glare in steel's shadow is.
    ends = (float(plane[0]), float(plane[1]), float(plane[2]))
    return Motion(start.turn_deg, known, ends, residual, 0.5 * residual)


def carried(surface: Surface, moving: CellGeometry, fixed: CellGeometry, motion: Motion) -> Surface:
    """Bring a surface of the moving scan onto the grid of the fixed one.

    Parameters
    ----------
    surface : Surface
        On the moving grid.
    moving, fixed : CellGeometry
        Axis of the bore in both.
    motion : Motion
        What `find_motion` gave.

    Returns
    -------
    Surface
        NaN where a neighbor on the moving grid has no height.
    """
    y, x = fixed.offsets_um((fixed.shape[0] - 1) / 2)
    y, x = np.broadcast_arrays(y, x)
    sine, cosine = np.sin(np.deg2rad(motion.turn_deg)), np.cos(np.deg2rad(motion.turn_deg))
    # Seen from the anode, a scan taken upside down runs the other way round.
    mirror = 1.0 if fixed.sign == moving.sign else -1.0
    there_y = (cosine * y + sine * x) * mirror
    there_x = cosine * x - sine * y
    rows = (there_y + moving.axis_y_um) / moving.voxel_size_um[1]
    columns = (there_x + moving.axis_x_um) / moving.voxel_size_um[2]
    height, sd = (
        scipy.ndimage.map_coordinates(
            part.astype(np.float64), (rows, columns), order=1, cval=np.nan
        )
        for part in (surface.height_um, surface.sd_um)
    )
    sign = fixed.sign * moving.sign
    at_axis, slope_y, slope_x = motion.plane
    return Surface(sign * height - (at_axis + slope_y * y + slope_x * x), sd, surface.definition)


def _turn(
    fixed: CellGeometry, fixed_pin: Surface, moving: CellGeometry, moving_pin: Surface
) -> tuple[float, bool]:
    """Correlate both reliefs around the axis: the turn in degrees, and whether it is certain."""
    radius = min(fixed.bore_radius_um, moving.bore_radius_um)
    mirrored = fixed.sign != moving.sign
    first = _polar(fixed, fixed_pin, radius, mirror=False)
    second = _polar(moving, moving_pin, radius, mirror=mirrored)
    weight = np.linspace(_INNER, _OUTER, _RINGS)[:, None]
    spectra = [scipy.fft.rfft(part * np.sqrt(weight), axis=1) for part in (first, second)]
    shared = scipy.fft.irfft((np.conj(spectra[0]) * spectra[1]).sum(axis=0), _AZIMUTHS)
    size = np.sqrt((weight * first**2).sum() * (weight * second**2).sum())
    if not size > 0:
        return 0.0, False
    correlation = shared / size
    best = int(np.argmax(correlation))
    away = np.abs((np.arange(_AZIMUTHS) - best + _AZIMUTHS // 2) % _AZIMUTHS - _AZIMUTHS // 2)
    others = correlation[away * 360 / _AZIMUTHS > _PEAK_DEG]
    certain = correlation[best] > _CERTAIN and correlation[best] > _OVER_OTHERS * others.max()
    turn = (best + _vertex(correlation, best)) * 360 / _AZIMUTHS
    # The moving relief at azimuth φ + turn is the fixed one at φ.
    return float((turn + 180) % 360 - 180), bool(certain)


def _vertex(values: np.ndarray, at: int) -> float:
    before, here, after = values[at - 1], values[at], values[(at + 1) % len(values)]
    bend = before - 2 * here + after
    return float(0.5 * (before - after) / bend) if bend < 0 else 0.0


def _polar(cell: CellGeometry, pin: Surface, radius: float, *, mirror: bool) -> np.ndarray:
    """Sample the relief of the pin over rings and azimuths; mean 0 on each ring."""
    ring = np.linspace(_INNER, _OUTER, _RINGS)[:, None] * radius
    azimuth = np.linspace(0, 2 * np.pi, _AZIMUTHS, endpoint=False)[None]
    y = ring * np.sin(azimuth) * (-1 if mirror else 1) + cell.axis_y_um
    x = ring * np.cos(azimuth) + cell.axis_x_um
    at = (y / cell.voxel_size_um[1], x / cell.voxel_size_um[2])
    height = cell.sign * pin.height_um.astype(np.float64)
    sampled = scipy.ndimage.map_coordinates(height, at, order=1, cval=np.nan)
    known = np.isfinite(sampled)
    if np.count_nonzero(known) < 10:
        return np.zeros_like(sampled)
    # Neither the tilt of the pin against the scan, nor what is round about the axis, is relief.
    terms = [np.ones_like(sampled), ring * np.sin(azimuth), ring * np.cos(azimuth)]
    design = np.stack(np.broadcast_arrays(*terms), axis=-1)
    flat = sampled - design @ np.linalg.lstsq(design[known], sampled[known])[0]
    flat = np.where(known, flat, 0.0)
    count = np.maximum(known.sum(axis=1, keepdims=True), 1)
    return np.where(known, flat - flat.sum(axis=1, keepdims=True) / count, 0.0)
