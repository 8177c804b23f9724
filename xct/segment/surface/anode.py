"""Steel's face and lithium's as surfaces. In: where to look; out: Surface by name, with sd."""

from __future__ import annotations

import numpy as np

from xct.geometry import SURFACES, Surface
from xct.parallel.kernels import njit
from xct.parallel.threads import over_ranges
from xct.segment.surface.anode_faces import THICK, Fits, Levels, fit_anode
from xct.segment.surface.bands import Band, average_across
from xct.segment.surface.height_fields import hampel, median_of, smoothed
from xct.segment.surface.opaque_edge import OpaqueEdge, opaque_edge, transparent
from xct.segment.surface.refine_interface import Step, follow
from xct.segment.surface.search import Search, as_surface, say_absent
from xct.statistics.gaussian import reach_px

# What sticks out of a height field, by a ball that rolls along it. In: heights; out: a mask.


def narrow_tips(height: np.ndarray, radius: float, *, least: float, shallow: float) -> np.ndarray:
    """Mark where a field rises higher than a ball that rolls below it can follow.

    Parameters
    ----------
    height : ndarray of float64, shape (y, x)
        Heights in columns' widths; NaN where there is none.
    radius : float
        Of the ball, in columns.
    least, shallow : float
        A tip stands out by `least` at its highest, and reaches as far as it does by `shallow`.

    Returns
    -------
    ndarray of bool, shape (y, x)
    """
    from scipy.ndimage import binary_dilation, label

    reach = int(radius)
    offsets = np.arange(-reach, reach + 1)
    below = radius**2 - offsets[:, None] ** 2 - offsets[None] ** 2
    ball = np.where(below >= 0, np.sqrt(np.maximum(below, 0)), -np.inf)
    lowest, opened = np.full(height.shape, np.nan), np.full(height.shape, np.nan)
    over_ranges(lambda a, b: _roll(height, ball, -1.0, lowest, a, b), len(height))
    over_ranges(lambda a, b: _roll(lowest, ball, 1.0, opened, a, b), len(height))
    above = np.nan_to_num(height - opened)
    pieces, _ = label(above > shallow, np.ones((3, 3)))
    tips = np.unique(pieces[above > least])
    marked = np.isin(pieces, tips[tips > 0])
    return np.asarray(binary_dilation(marked) & np.isfinite(height))


@njit(cache=True, nogil=True)
def _roll(
    height: np.ndarray, ball: np.ndarray, sign: float, out: np.ndarray, first: int, stop: int
) -> None:
    """Take the largest of sign · height + ball around each column, times sign."""
    rows, columns = height.shape
    reach = ball.shape[0] // 2
    for y in range(first, stop):
        for x in range(columns):
            if height[y, x] != height[y, x]:
                continue
            most = -np.inf
            for j in range(max(0, y - reach), min(rows, y + reach + 1)):
                for i in range(max(0, x - reach), min(columns, x + reach + 1)):
                    value = sign * height[j, i] + ball[j - y + reach, i - x + reach]
                    if value > most:
                        most = value
            out[y, x] = sign * most


_STEEL, _LITHIUM = SURFACES[:2]
_DEEP, _TAIL = 5, 12  # slices from which steel's μ, and the noise, are taken
_NOISE_ROWS = 256
_LIGHT_BLUR, _STEP_BLUR = 0.5, 0.6  # voxels: of light along z, and of a step (the voxel in it)
_FIRST_PX, _STEEL_PX = 0.7, 1.5  # of the smoothing of a first guess, and of steel's face
_LEAST_VOXELS, _TIMES_SD = 1.6, 3.0  # of thickness, to be lithium at all
# Of its largest half width: by how much a chip stands out of the face, at its tip and its rim.
_TIP, _RIM = 0.6, 0.12
# What a fit does not know of itself, in voxels: its model; where glare fills steel's shadow;
# by how much a face bends within its neighborhood.
_STEP_SD, _STEEL_SD, _SHADOW_SD, _BEND = 0.06, 0.15, 0.6, 0.4


def anode_surfaces(
    search: Search,
    *,
    average_px: float,
    follow_px: float,
    least_thickness_um: float | None,
    chip_um: float,
) -> dict[str, Surface]:
    """Find steel's face and lithium's.

    Parameters
    ----------
    search : Search
        Where.
    average_px, follow_px : float
        Width of the average across the columns for the first fit, and along the face after it.
    least_thickness_um : float or None
        Thinner lithium counts as absent; None: three standard deviations of a thickness, and at
        least 1.6 voxels.
    chip_um : float
        Half of the width below which lithium that sticks out of the face is a chip; 0: none is.

    Returns
    -------
    dict of str to Surface
    """
    planes = [name for name in (_STEEL, _LITHIUM) if search.knows(name)]
    if not planes:
        return say_absent(f"{_STEEL}, {_LITHIUM}", "neither plane is in view")
    far_um = search.room_um(planes[-1], SURFACES[2])
    near = _STEEL if search.knows(_STEEL) else None
    span = search.span(near, planes[-1], near_um=search.search_um, far_um=far_um)
    bore, inside = search.columns(search.height_um(planes[-1]))
    if span.count < _TAIL or not inside.any():
        return say_absent(", ".join(planes), "too few voxels of the bore are in view there")
    band = search.band(span, bore, reach_px(max(average_px, follow_px)))
    levels = _levels(search, band, inside, planes, average_px)
    fits = fit_anode(band, bore, inside, levels, average_px, from_steel=near is not None)
    found: dict[str, Surface] = {}
    steel, steel_sd = _settle(fits.steel, fits.steel_sd, bore, _STEEL_PX)
    if near is not None and np.isfinite(steel).any():
        steel_sd = np.hypot(steel_sd, _STEEL_SD + _SHADOW_SD * levels.steel.shadow)
        found[_STEEL] = as_surface(span, steel, steel_sd, "face of the steel, step fitted")
    elif near is not None:
        say_absent(_STEEL, "no column shows steel's edge")
    least = None if least_thickness_um is None else least_thickness_um / span.voxel_um
    absent = _absent(fits, bore, least)
    height, sd = _lithium_face(
        band, inside, bore & ~absent, fits, levels, steel, follow_px, chip_um / search.pixel_um
    )
    if not np.isfinite(height).any():
        return found | say_absent(_LITHIUM, "no column holds lithium that is thick enough")
    sd = np.where(absent, np.fmax(fits.thickness_sd, _STEP_SD), sd)
    definition = "face of the lithium to the electrolyte, step fitted; NaN: no lithium"
    return found | {_LITHIUM: as_surface(span, height, sd, definition)}


def _levels(
    search: Search, band: Band, inside: np.ndarray, planes: list[str], average_px: float
) -> Levels:
    span = band.span
    z_um = float(span.z_um(span.count - _TAIL))
    electrolyte = search.electrolyte(z_um)
    middle = max(0, inside.shape[0] // 2 - _NOISE_ROWS // 2)
    rows = slice(middle, middle + _NOISE_ROWS)
    tail = np.asarray(search.attenuation[span.slices, rows][:: span.sign][-_TAIL:], np.float32)
    noise = _noise(average_across(tail, inside[rows], average_px), inside[rows])
    if _STEEL not in planes:
        edge, steel_noise = transparent(inside.shape), np.zeros(inside.shape)
    else:
        edge, steel_noise = _steel(search, band, inside, average_px)
    return Levels(edge, 0.0, electrolyte, noise, steel_noise, _STEP_BLUR)


def _noise(averaged: np.ndarray, inside: np.ndarray) -> float:
    """Tell the noise from neighboring slices, which detector rows of their own have made."""
    steps = np.diff(averaged, axis=0)[:, inside]
    steps = steps[np.isfinite(steps)]
    if not steps.size:
        return 1.0
    low, high = np.quantile(steps, (0.25, 0.75))
    return max(float(high - low) / 1.349 / 2**0.5, 1e-6)


def _steel(
    search: Search, band: Band, inside: np.ndarray, average_px: float
) -> tuple[OpaqueEdge, np.ndarray]:
    """Look at the first slices of the band, as far as they are steel."""
    span = band.span
    deep = int(np.clip(span.s_of(search.cell.plane_um(_STEEL))[inside].min() - 4, 1, _DEEP))
    first = span.first
    slices = slice(first, first + deep) if span.sign > 0 else slice(first - deep + 1, first + 1)
    block = np.asarray(search.attenuation[slices], np.float32)
    averaged = average_across(block, inside, average_px)
    values = np.where(inside, np.median(averaged, axis=0), np.nan)
    noise = np.nan_to_num(np.std(averaged, axis=0)).astype(np.float64)
    radius = search.cell.radius_um(first) / search.pixel_um
    bore = search.cell.bore_radius_um / search.pixel_um
    return opaque_edge(values, radius, bore, search.pixel_um * 1e-4, _LIGHT_BLUR), noise


def _absent(fits: Fits, bore: np.ndarray, least: float | None) -> np.ndarray:
    """Tell where lithium is too thin to be any, by most of the columns around."""
    limit = np.fmax(_TIMES_SD * fits.thickness_sd, _LEAST_VOXELS) if least is None else least
    thin = np.where(np.isfinite(fits.thickness), (fits.thickness < limit).astype(float), np.nan)
    return np.asarray(bore & (median_of(thin, bore, reach=1, least=2) > 0.5))


def _lithium_face(
    band: Band,
    inside: np.ndarray,
    wanted: np.ndarray,
    fits: Fits,
    levels: Levels,
    steel: np.ndarray,
    follow_px: float,
    chip_px: float,
) -> tuple[np.ndarray, np.ndarray]:
    face = np.where(wanted, fits.face, np.nan)
    first, first_sd = _settle(face, fits.face_sd, wanted, _FIRST_PX)
    step = Step(levels.lithium, levels.electrolyte, levels.blur, levels.noise)
    again, again_sd = follow(band, inside, first, steel, step, follow_px)
    thick = np.isfinite(again) & (fits.thickness > THICK)
    height, sd = np.where(thick, again, first), np.where(thick, again_sd, first_sd)
    weight = np.isfinite(height).astype(np.float64)
    smooth, _ = smoothed(np.nan_to_num(height), weight, wanted, 2 * follow_px)
    extra = np.where(thick, _STEP_SD, _STEEL_SD)
    sd = np.sqrt(sd**2 + extra**2 + (_BEND * (height - smooth)) ** 2)
    return _without_chips(height, sd, chip_px)


def _without_chips(
    height: np.ndarray, sd: np.ndarray, chip_px: float
) -> tuple[np.ndarray, np.ndarray]:
    """Leave out columns with a chip that touches the face: there it looks like more lithium."""
    if not chip_px >= 1:
        return height, sd
    chips = narrow_tips(height, chip_px, least=_TIP * chip_px, shallow=_RIM * chip_px)
    return np.where(chips, np.nan, height), np.where(chips, np.nan, sd)


def _settle(
    raw: np.ndarray, sd: np.ndarray, wanted: np.ndarray, sigma_px: float
) -> tuple[np.ndarray, np.ndarray]:
    """Leave outliers out, and smooth by a local plane."""
    valid = np.isfinite(raw) & np.isfinite(sd)
    filled = np.where(valid, raw, 0.0)
    odd = hampel(filled, valid)
    weight = np.where(valid & ~odd, 1 / np.maximum(np.where(valid, sd, 1.0), 0.05) ** 2, 0.0)
    smooth, variance = smoothed(filled, weight, wanted, sigma_px)
    return smooth, np.sqrt(variance)
