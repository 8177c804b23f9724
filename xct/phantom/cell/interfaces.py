"""Rough faces, stripped lithium, dead cathode. In: a layout and a state; out: maps (y, x)."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np
from scipy import fft

from xct.phantom.cell.layout import Layout
from xct.phantom.cell.states import State

# Gaussian random fields: rough faces and patchy maps. In: a grid, a length; out: a map (y, x).


def gaussian_field(
    shape: tuple[int, int], length_px: float, rng: np.random.Generator
) -> np.ndarray:
    """Draw a field whose autocorrelation is exp(-(lag / length)²).

    Parameters
    ----------
    shape : tuple of int
        Rows and columns (y, x).
    length_px : float
        Correlation length, pixels.
    rng : Generator
        Source of the random numbers.

    Returns
    -------
    ndarray of float32, shape (y, x)
        Mean 0 and standard deviation 1 in the ensemble of all fields.
    """
    # Room beyond the edge, so that opposite edges do not know each other.
    room = ceil(2 * length_px)
    size = [fft.next_fast_len(n + room, real=True) for n in shape]
    noise = rng.standard_normal(size, dtype=np.float32)
    spectrum = fft.rfft2(noise, workers=1)
    for axis, frequency in enumerate((fft.fftfreq(size[0])[:, None], fft.rfftfreq(size[1])[None])):
        gain = np.exp(-0.5 * (np.pi * frequency * length_px) ** 2)
        # Parseval: the variance of the result is the mean of the squared gain.
        full = np.exp(-((np.pi * fft.fftfreq(size[axis]) * length_px) ** 2)).mean()
        spectrum *= (gain / np.sqrt(full)).astype(np.float32)
    field: np.ndarray = fft.irfft2(spectrum, s=size, workers=1)[: shape[0], : shape[1]]
    return np.ascontiguousarray(field, np.float32)


def standardized(field: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Shift and scale a field to mean 0 and standard deviation 1 over a mask."""
    values = field[inside]
    sd = float(values.std(dtype=np.float64))
    result: np.ndarray = (field - np.float32(values.mean(dtype=np.float64))) / np.float32(
        sd if sd > 0 else 1
    )
    return result


def plane_of(
    field: np.ndarray, inside: np.ndarray, origin_px: tuple[float, float] = (0.0, 0.0)
) -> tuple[float, float, float]:
    """Fit a plane to a field over a mask: value at an origin, slope per pixel along y and x."""
    y, x = (place - start for place, start in zip(np.nonzero(inside), origin_px, strict=True))
    design = np.column_stack([np.ones(len(y)), y, x])
    fit, *_ = np.linalg.lstsq(design, field[inside].astype(np.float64))
    return float(fit[0]), float(fit[1]), float(fit[2])


def detrended(field: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Subtract the best plane over a mask from a field."""
    height, slope_y, slope_x = plane_of(field, inside)
    y, x = np.ogrid[: field.shape[0], : field.shape[1]]
    flat: np.ndarray = (field - (height + slope_y * y + slope_x * x)).astype(np.float32)
    return flat


def correlated(
    wanted: float, with_field: np.ndarray, other: np.ndarray, inside: np.ndarray
) -> np.ndarray:
    """Mix two fields into one whose correlation with the first, over a mask, is as wanted.

    Parameters
    ----------
    wanted : float
        Pearson's coefficient, -1 … 1; met exactly, not in the mean over many cells.
    with_field, other : ndarray, shape (y, x)
        The field to agree with, and the one that fills up.
    inside : ndarray of bool, shape (y, x)
        Where.

    Returns
    -------
    ndarray of float32, shape (y, x)
        Mean 0 and standard deviation 1 over the mask.
    """
    first = standardized(with_field, inside)
    second = standardized(other, inside)
    common = float(np.mean(first[inside] * second[inside], dtype=np.float64))
    rest = standardized(second - np.float32(common) * first, inside)
    return np.asarray(
        np.float32(wanted) * first + np.float32(np.sqrt(1 - wanted**2)) * rest, np.float32
    )


# Sq and correlation length (µm) of faces that cycling does not change.
_STEEL = (0.5, 50.0)
_COLLECTOR = (1.0, 40.0)
_FRONT_LENGTH_UM = 30.0
_ANODE_LENGTH_UM = 40.0
_PATCH_LENGTH_UM = 120.0
_MOST_SQ = 0.3  # of the layer's mean thickness: a thin layer cannot be rougher
_EDGE = 0.3  # steepness of a patch's edge, in sd of the field that it is cut from
MEAN_DEAD, _SD_DEAD = 0.4, 0.12


@dataclass(frozen=True)
class Interfaces:
    """Faces and maps over the voxels, shape (y, x), lengths in µm.

    Attributes
    ----------
    faces : ndarray of float32, shape (6, y, x)
        Steel, void above it, lithium's top, the cathode's filling, collector, steel.
    lithium_um : ndarray of float32
        Thickness of lithium.
    stripped_um : ndarray of float32
        What the pristine layer had more.
    dead : ndarray of float32
        Fraction of the cathode that takes no part.
    inside : ndarray of bool
        In the bore.
    """

    faces: np.ndarray
    lithium_um: np.ndarray
    stripped_um: np.ndarray
    dead: np.ndarray
    inside: np.ndarray


@dataclass(frozen=True)
class Bend:
    """What both faces of the electrolyte are lifted by, in µm.

    Attributes
    ----------
    dome_um : float
        In the middle, over the wall.
    tilt_um : float
        At the wall, over the middle.
    azimuth : float
        Towards where it is tilted, radians.
    """

    dome_um: float = 0.0
    tilt_um: float = 0.0
    azimuth: float = 0.0

    def over(self, layout: Layout) -> np.ndarray:
        """Give it over the voxels, shape (y, x), at most a quarter of the lithium's thickness."""
        middle = layout.middle_axis
        y, x = (
            (np.arange(n) * layout.voxel_um - at) / layout.bore_radius_um
            for n, at in zip(layout.shape[1:], middle, strict=True)
        )
        most = 0.25 * (layout.heights_um[1] - layout.heights_um[0])
        dome, tilt = np.clip((self.dome_um, self.tilt_um), -most, most)
        away = np.minimum(y[:, None] ** 2 + x**2, 1)
        along = np.sin(self.azimuth) * y[:, None] + np.cos(self.azimuth) * x
        return np.asarray(dome * (0.5 - away) + tilt * along, np.float32)


def draw_interfaces(
    layout: Layout,
    state: State,
    seed: int,
    bend: Bend = Bend(),
) -> Interfaces:
    """Draw the faces and maps of a cell; equal seeds have the same fields in all states."""
    bent = bend.over(layout)
    inside = layout.in_bore()
    streams = iter(np.random.default_rng((seed, 1, k)) for k in range(10))

    def field(length_um: float, *, flat: bool = False) -> np.ndarray:
        # A small bore has room for short waves only.
        length = min(length_um, layout.bore_radius_um / 3)
        drawn = gaussian_field(layout.shape[1:], max(length / layout.voxel_um, 0.5), next(streams))
        return standardized(detrended(drawn, inside) if flat else drawn, inside)

    steel = layout.plane_um(0) + _STEEL[0] * field(_STEEL[1], flat=True)
    rough = field(_ANODE_LENGTH_UM, flat=True)
    patches = field(_PATCH_LENGTH_UM)
    front = (
        layout.plane_um(2)
        + bent
        + np.float32(state.front_sq_um) * field(_FRONT_LENGTH_UM, flat=True)
    )
    collector = layout.plane_um(3) + _COLLECTOR[0] * field(_COLLECTOR[1], flat=True)
    pin = layout.plane_um(4) + _STEEL[0] * field(_STEEL[1], flat=True)
    other = field(_PATCH_LENGTH_UM)
    pristine = np.maximum(layout.plane_um(1) + bent + 3 * rough - steel, 2 * layout.voxel_um)
    lithium, void = _lithium(pristine, rough, patches, state, inside)
    stripped = np.where(inside, pristine - lithium, 0).astype(np.float32)
    dead = np.zeros_like(stripped)
    if state.correlation is not None:
        mixed = correlated(state.correlation, stripped, other, inside)
        dead = np.clip(MEAN_DEAD + _SD_DEAD * mixed, 0, 1)
    top = steel + np.where(lithium > 0, lithium, void)
    faces = np.stack([steel, steel + void, top, front, collector, pin]).astype(np.float32)
    faces[1] = np.minimum(faces[1], faces[2])
    return Interfaces(faces, lithium, stripped, dead.astype(np.float32), inside)


def _lithium(
    pristine: np.ndarray,
    rough: np.ndarray,
    patches: np.ndarray,
    state: State,
    inside: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Give the thickness of lithium, and of the void where it is gone."""
    mean = float(pristine[inside].mean()) * (1 - state.lithium_lost)
    zero = np.zeros_like(pristine)
    if state.lithium_lost == 0:
        return pristine, zero
    present = mean / (1 - 0.9 * state.absent_area)
    sq = min(state.anode_sq_um, _MOST_SQ * present)
    full = np.maximum(present + np.float32(sq) * rough, 0.2 * present)
    kept, void = np.ones_like(pristine), zero
    if state.absent_area > 0:
        limit = np.quantile(patches[inside], 1 - state.absent_area)
        kept = np.sqrt(np.clip((limit - patches) / _EDGE, 0, 1))
        if state.voids:
            void = 0.6 * mean * np.sqrt(np.clip((patches - limit) / _EDGE, 0, 1))
    thickness = full * kept
    thickness *= mean / thickness[inside].mean()
    return thickness.astype(np.float32), void.astype(np.float32)
