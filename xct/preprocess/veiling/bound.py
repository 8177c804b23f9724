"""What glare that cannot be measured does at most. In: light of whole frames; out: bounds.

Nowhere arrives less than glare, so that the darkest places bound its fraction, whatever they are.
Where steel passes much light, what so thick a rod of steel passes at least is no glare.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

from xct.physics.materials import mu_per_cm
from xct.preprocess.veiling.frame_light import FrameLight
from xct.preprocess.veiling.measurement import RANGES_PX, is_steady, rods

_LEAST_UM = 150.0  # glare that reaches less far is blur
_GROUPS = 8
_AIR = 0.9  # what passes more is hardly sample
_STEEL = 0.5  # of the attenuation of steel: nothing else in a cell is as dense
# By how much a rod may attenuate more than steel of its width by the tables: its grade, and the
# energy to 3 %.
_DENSER = 1.1
_RIM, _OUT_OF_ROUND = 0.4, 0.05  # of the beam; of the width of a shadow, over all angles
_DARKER, _OF_ROWS = 2.0, 25  # middle of a rod; rows beside it may be lit by gaps
_LEAST_CELLS, _ALIKE_SD = 12, 4.0  # that are as dark; what is brighter by so much noise is not
_DARKEST = 4  # a row is as dark as its darkest quarter


@dataclass(frozen=True)
class GlareBound:
    """How much glare there may be, and what it does.

    Attributes
    ----------
    fraction : float
        Largest fraction of the light.
    effect : float
        Largest error of line integrals through the sample, relative; steel does not count.
    transmission : float
        What passes where that is.
    row_px : int
        In which row of the frame.
    by_steel : bool
        Whether it rests on rods that are steel.
    """

    fraction: float
    effect: float
    transmission: float
    row_px: int
    by_steel: bool = False


def bound_glare(
    frame_light: FrameLight, pixel_size_um: float | None = None, energy_kev: float | None = None
) -> GlareBound | None:
    """Bound the fraction of glare by the darkest places, and its effect on line integrals.

    Parameters
    ----------
    frame_light : FrameLight
        From `gather_light`.
    pixel_size_um, energy_kev : float, optional
        Where they are known, rows of steel are left out: their attenuation is not measured, and
        the light that passes steel, at least, is no glare.

    Returns
    -------
    GlareBound or None
        None where no row shows a sample.
    """
    groups = frame_light.in_groups(_GROUPS)
    mean = frame_light.in_groups(1)
    noise = _noise(mean[0])
    steel = _steel(mean[0], frame_light.cell_px, pixel_size_um, energy_kev)
    shown = np.flatnonzero(~steel & (_darkest(mean[0]) < _AIR))
    if not shown.size:
        return None
    least = rods(frame_light)[0]
    rod = np.isfinite(least)
    if (
        not rod.any()
        or not _as_wide(groups[:, rod.any(axis=1)])
        or not is_steady(frame_light, rod, max(frame_light.shape), noise)
    ):
        least[:] = np.nan
    passes = _passes_steel(frame_light, steel, pixel_size_um, energy_kev)
    least_px = RANGES_PX[0] if pixel_size_um is None else _LEAST_UM / pixel_size_um
    worst = GlareBound(0.0, 0.0, 1.0, int(frame_light.row_px[shown[0]]))
    for range_px in RANGES_PX[(RANGES_PX >= least_px) & (RANGES_PX < max(frame_light.shape))]:
        about = np.maximum(frame_light.about(groups, range_px), 1e-9)
        around = frame_light.about(mean, range_px)[0]
        anyhow = min(
            _lowest(groups / about, _noise(groups) / about),
            _beyond_rods(mean[0], least, around, noise),
            0.5,
        )
        fraction = min(anyhow, _beyond_steel(mean[0], passes, around, noise))
        by_steel = fraction < anyhow
        fraction = max(fraction, 0.0)  # less than no light is not glare: darks are too high
        error, passed = _error(mean[0][shown], around[shown], fraction)
        at = int(error.argmax())
        if error[at] > worst.effect:
            row = int(frame_light.row_px[shown[at]])
            worst = GlareBound(fraction, float(error[at]), float(passed[at]), row, by_steel)
    return worst


def _lowest(ratio: np.ndarray, noise: np.ndarray) -> float:
    """Give what the fraction of glare cannot exceed: nowhere arrives less than it.

    The darkest of many cells that are alike are so by their noise: of as many as the noise does
    not tell apart, they lie below the mean by what is expected of their rank.
    """
    known = np.isfinite(ratio)
    values, sd = ratio[known], noise[known]
    if not values.size:
        return 1.0
    at = np.argsort(values + 2 * sd)[min(_LEAST_CELLS, values.size) - 1]
    alike = max(int((values <= values[at] + _ALIKE_SD * sd[at]).sum()), 2 * _LEAST_CELLS)
    below = -float(scipy.special.ndtri(_LEAST_CELLS / alike))
    return float(values[at] + (2 + below) * sd[at])


def _as_wide(groups: np.ndarray) -> bool:
    """Whether shadows are as wide at all angles, as those of rods are."""
    width = (groups < _RIM).sum(axis=2)
    return bool((np.ptp(width, axis=0) <= 1 + _OUT_OF_ROUND * width.max(axis=0)).all())


def _beyond_rods(light: np.ndarray, least: np.ndarray, about: np.ndarray, noise: float) -> float:
    """Give the fraction of glare by what rods pass more than their rims let expect; 1 for none."""
    inner = np.isfinite(least) & (least < _DARKER * np.nanmin(least, axis=1, initial=1.0)[:, None])
    excess = np.where(inner, (light - least + 2 * noise) / np.maximum(about, 1e-9), np.nan)
    rows = np.flatnonzero(inner.any(axis=1))
    if not rows.size:
        return 1.0
    fraction = float(np.percentile(np.nanmedian(excess[rows], axis=1), _OF_ROWS))
    return fraction if fraction > 0 else 1.0  # less than nothing: they are no rods


def _passes_steel(
    frame_light: FrameLight,
    steel: np.ndarray,
    pixel_size_um: float | None,
    energy_kev: float | None,
) -> np.ndarray:
    """Give what the middles of rods of steel pass at least, (row,); NaN in other rows."""
    if pixel_size_um is None or energy_kev is None or not steel.any():
        return np.full(len(steel), np.nan)
    dark = frame_light.still < _AIR
    # What reaches the side of the view goes on beyond it, as far as it does in half acquisition.
    beyond = 1 + (dark[:, :1] | dark[:, -1:]).any(axis=1)
    width_cm = 1e-4 * pixel_size_um * beyond * dark.sum(axis=1)
    passes = np.exp(-_DENSER * float(mu_per_cm("steel", energy_kev)) * width_cm)
    return np.where(steel, passes, np.nan)


def _beyond_steel(light: np.ndarray, passes: np.ndarray, about: np.ndarray, noise: float) -> float:
    """Give the fraction of glare by what rods pass more than steel does; 1 for none."""
    known = np.isfinite(passes)
    if not known.any():
        return 1.0
    excess = _darkest(light) - passes + 2 * noise
    fraction = float(np.median((excess / np.maximum(about.min(axis=1) - passes, 1e-9))[known]))
    return fraction if fraction > 0 else 1.0  # less than nothing: denser than steel


def _darkest(light: np.ndarray) -> np.ndarray:
    """Give the median of the darkest quarter of each row, (row,)."""
    few = max(1, light.shape[1] // _DARKEST)
    return np.asarray(np.median(np.sort(light, axis=1)[:, :few], axis=1))


def _error(light: np.ndarray, about: np.ndarray, fraction: float) -> tuple[np.ndarray, np.ndarray]:
    """Give by how much line integrals of rows are wrong without correction, and what passes.

    Relative to those of the row, or of the usual row where that is less.
    """
    few = max(1, light.shape[1] // _DARKEST)
    order = np.argsort(light, axis=1)[:, :few]
    passed = np.maximum(np.take_along_axis(light, order, 1), 1e-6)
    true = (passed - fraction * np.take_along_axis(about, order, 1)) / (1 - fraction)
    changed = np.abs(np.log(np.maximum(true, 1e-6) / passed))
    depth = -np.log(np.median(passed, axis=1))
    scale = np.maximum(depth, np.median(depth))
    return np.median(changed, axis=1) / np.maximum(scale, 1e-3), np.median(passed, axis=1)


def _steel(
    light: np.ndarray, cell_px: int, pixel_size_um: float | None, energy_kev: float | None
) -> np.ndarray:
    """Mark rows in which the sample attenuates as steel does, (row,)."""
    if pixel_size_um is None or energy_kev is None:
        return np.zeros(len(light), bool)
    width_um = (light < _AIR).sum(axis=1) * cell_px * pixel_size_um
    darkest = _darkest(light)
    depth = -np.log(np.maximum(darkest, 1e-6))
    steel = float(mu_per_cm("steel", energy_kev))
    dense = depth > _STEEL * steel * 1e-4 * np.maximum(width_um, 1.0)
    return np.asarray(dense & (darkest < _AIR))


def _noise(light: np.ndarray) -> float:
    """Estimate the noise of the darker half of the cells from what is not smooth along rows."""
    bend = np.diff(light, 2, axis=-1)
    size = np.abs(bend[light[..., 1:-1] <= np.quantile(light, 0.5)])
    return float(1.4826 * np.median(size) / np.sqrt(6)) if size.size else 0.0
