"""Steel's face and lithium's as surfaces. In: where to look; out: Surface by name, with sd."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from xct.geometry import SURFACES, Surface
from xct.parallel.threads import over_ranges
from xct.segment.surface.anode_faces import MEDIAN_REACH, THICK, Fits, Levels, fit_anode
from xct.segment.surface.averages import average_across
from xct.segment.surface.bands import Band, Span
from xct.segment.surface.height_fields import hampel, median_of, smoothed
from xct.segment.surface.opaque_edge import OpaqueEdge, light_blur_px, opaque_edge, transparent
from xct.segment.surface.refine_interface import Step, refine_interface
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

    opened = rolling_ball(height, radius)
    above = np.nan_to_num(height - opened)
    pieces, _ = label(above > shallow, np.ones((3, 3)))
    tips = np.unique(pieces[above > least])
    marked = np.isin(pieces, tips[tips > 0])
    return np.asarray(binary_dilation(marked) & np.isfinite(height))


def rolling_ball(height: np.ndarray, radius: float) -> np.ndarray:
    """Open a field by a ball below it: the highest that the ball reaches, shape (y, x).

    Rows are shared among threads; columns without a height (NaN) neither hold nor lift the ball.
    """
    from scipy.ndimage import grey_dilation, grey_erosion

    reach = int(radius)
    offsets = np.arange(-reach, reach + 1)
    below = radius**2 - offsets[:, None] ** 2 - offsets[None] ** 2
    ball = {"footprint": below >= 0, "structure": np.sqrt(np.maximum(below, 0))}
    known = np.isfinite(height)
    low, opened = np.where(known, height, np.inf), np.full(height.shape, np.nan)

    def some(first: int, stop: int) -> None:
        top = max(first - 2 * reach, 0)
        rows = slice(top, stop + 2 * reach)
        lowest = grey_erosion(low[rows], mode="constant", cval=np.inf, **ball)
        lowest[~known[rows]] = -np.inf
        rolled = grey_dilation(lowest, mode="constant", cval=-np.inf, **ball)
        opened[first:stop] = rolled[first - top : stop - top]

    over_ranges(some, len(height), least=8 * reach + 1)
    opened[~known] = np.nan
    return opened


_STEEL, _LITHIUM = SURFACES[:2]
_FAR = 5.0  # voxels from the mean plane: further, and without steel to go by, it is another face
_STEEL_PART = 0.9  # of the densest slice: less is not steel alone
_DEEP, _TAIL = 5, 12  # slices from which steel's μ, and the noise, are taken
_NOISE_ROWS = 256
_OF_VOXEL = 0.11  # voxels²: what a voxel adds to the variance of the blur of light along z
_FIRST_PX, _STEEL_PX = 0.7, 1.5  # of the smoothing of a first guess, and of steel's face
_LEAST_VOXELS, _TIMES_SD = 1.6, 3.0  # of thickness, to be lithium at all
# Of its largest half width: by how much a chip stands out of the face, at its tip and its rim.
_TIP, _RIM = 0.6, 0.12
# What a fit does not know of itself, in voxels: its model; where glare fills steel's shadow;
# by how much a face bends within its neighborhood.
_STEP_SD, _STEEL_SD, _SHADOW_SD, _BEND = 0.06, 0.15, 0.6, 0.4
# Of what steel's face falls by across the bore: a ray along it sees all its heights at once, and
# how their light adds up is not computed. In a bore of 3 mm, where it fell by 8 voxels (and glare
# was not measured), errors were 1.05 voxels.
_LEANING = 0.13


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
    reach = max(reach_px(average_px) + MEDIAN_REACH, reach_px(follow_px))
    band = search.band(span, bore, reach)
    levels = _levels(search, band, inside, planes, average_px)
    fits = fit_anode(band, inside, levels, average_px, from_steel=near is not None)
    found: dict[str, Surface] = {}
    steel, steel_sd = _settle(fits.steel, fits.steel_sd, bore, _STEEL_PX)
    if near is not None and np.isfinite(steel).any():
        leaning = _LEANING * _fall(steel, inside) * levels.steel.shadow
        steel_sd = np.sqrt(
            steel_sd**2 + (_STEEL_SD + _SHADOW_SD * levels.steel.shadow) ** 2 + leaning**2
        )
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
    off = 0.0
    if near is None:
        off = float(np.nanmedian(np.abs(height - span.s_of(search.cell.plane_um(_LITHIUM)))))
    if off > _FAR:
        why = (
            f"it was found {off:.2g} slices from where layers are, and steel's face, beside which "
            "it is looked for, is not in view; give a volume that holds more of the steel"
        )
        return found | say_absent(_LITHIUM, why)
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
    last = search.attenuation[_last(span, _TAIL).slices, rows]
    tail = np.asarray(last[:: span.sign], np.float32)
    noise = _noise(average_across(tail, inside[rows], average_px), inside[rows])
    if _STEEL not in planes:
        edge, steel_noise = transparent(inside.shape), np.zeros(inside.shape)
    else:
        edge, steel_noise = _steel(search, band, inside, average_px)
    step = float(np.hypot(_light_px(search), _OF_VOXEL**0.5))
    return Levels(edge, 0.0, electrolyte, noise, steel_noise, step)


def _fall(face: np.ndarray, inside: np.ndarray) -> float:
    """Give the voxels by which the plane through a face falls across the bore."""
    y, x = np.nonzero(inside & np.isfinite(face))
    if y.size < 3:
        return 0.0
    design = np.stack([np.ones(y.size), y - y.mean(), x - x.mean()], axis=1)
    _, *slope = np.linalg.lstsq(design, face[y, x])[0]
    return float(np.hypot(*slope) * 2 * np.sqrt(np.count_nonzero(inside) / np.pi))


def _light_px(search: Search) -> float:
    return light_blur_px(search.reference, search.cell.voxel_size_um[0])


def _last(span: Span, count: int) -> Span:
    """Take the last slices of a span."""
    first = max(span.count - count, 0)
    return replace(span, first=span.first + span.sign * first, count=span.count - first)


def _noise(averaged: np.ndarray, inside: np.ndarray) -> float:
    """Estimate the noise from neighboring slices, which detector rows of their own have made."""
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
    deep = max(int(span.s_of(search.cell.plane_um(_STEEL))[inside].min() - 4), 1)
    first = span.first
    slices = slice(first, first + deep) if span.sign > 0 else slice(first - deep + 1, first + 1)
    block = np.asarray(search.attenuation[slices], np.float32)[:: span.sign]
    block = _without_air(block, inside)[:_DEEP][:: span.sign]
    averaged = average_across(block, inside, average_px)
    values = np.where(inside, np.median(averaged, axis=0), np.nan)
    noise = np.nan_to_num(np.std(averaged, axis=0)).astype(np.float64)
    radius = search.cell.radius_um(first) / search.pixel_um
    bore = search.cell.bore_radius_um / search.pixel_um
    return opaque_edge(values, radius, bore, search.pixel_um * 1e-4, _light_px(search)), noise


def _without_air(block: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Leave out slices that are not steel: a volume that was turned may begin before it."""
    held = [plane[inside & np.isfinite(plane)] for plane in block]
    middles = np.array([np.median(part) if part.size else -np.inf for part in held])
    return block[middles >= _STEEL_PART * middles.max()] if middles.max() > 0 else block


def _absent(fits: Fits, bore: np.ndarray, least: float | None) -> np.ndarray:
    """Mark where lithium is too thin to be any, by most of the columns around."""
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
    step = Step(levels.lithium, levels.blur, levels.noise)
    again, again_sd = refine_interface(
        band, inside, first, steel, levels.electrolyte, step, follow_px
    )
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
