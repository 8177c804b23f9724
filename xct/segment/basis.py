"""What measurements rest on, looked at before they are made. In: what was found; out: a sentence.

Each is a quantity of its own: None, or what is wrong and what helps. It is said first of all, and
a stage that `rests_on` it is left out. `xct stages NAME` lists what a stage rests on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from xct.geometry import CellGeometry, Label, Surface
from xct.io.overview import overview_of
from xct.normalize.grain_shape import GrainShape
from xct.normalize.grey_scale import Ratios
from xct.normalize.reference import ElectrolyteReference
from xct.parallel.blocks import Block, Voxels, slabs
from xct.parallel.executors import map_blocks
from xct.preprocess.angles.answer import angles_unfit, darks_drift
from xct.preprocess.center.answer import axis_contradicted
from xct.preprocess.center.tilt import tilt_likely
from xct.preprocess.motion.jitter import TOO_MUCH_PX as JITTER_TOO_MUCH_PX
from xct.quantity import Quantity, declare
from xct.segment.material.columns import find_columns
from xct.segment.surface.steel_behind import steel_behind

if TYPE_CHECKING:
    from pandas import DataFrame

# Radii, of the field of view: between which a wall shows, where the bore is taken to be wider.
_CENTER, _RIM = 0.5, (0.86, 0.97)
_DARK_RIM = 0.6  # of the middle: no trend of an even electrolyte is as steep
# Of the point spread (FWHM), in voxels. Scans without noise have 1.1, binned ones 1.5 to 3.
_BLUR = (0.7, 8.0)
# How far grains are alike over the width of the point spread at the wall: plain cells have 0.85 and
# more; 0.71 is what a point would have.
_SHARPER = 0.55
_SURE = 3.0  # standard errors
_LEAST_NEGATIVE = 0.05  # of the electrolyte's value, that lithium is below air by
_LIT = 0.5  # of the active material and what is unknown: less, and particles are chance
_POSSIBLE = 0.5  # of the readings of lithium content
_LEAST_READINGS = 20
# Of a voxel, in multiples of the electrolyte. Just above it, in voxels of 1.3 µm, lithium was 16 µm
# too thin, the electrolyte as much too thick, and 18,000 particles were taken for drifted ones.
_MOST_NOISE = 2.0
# … above which single voxels change their material: the Dice coefficient of active material fell
# from 0.93 at 0.45 to 0.90 at 0.70.
_RAGGED_NOISE = 0.55
# The bore over the circle that the angles sample in full. At 3.5 nearly all particles were right
# and the Dice coefficient of active material 0.88 (0.95 at 0.9); at 4.6 one particle in fifteen,
# at 6.9 one in three was none, and streaks came out as inclusions.
_MOST_BEYOND, _RAGGED_BEYOND = 4.0, 2.5
_JITTER_LEFT_PX = 0.5  # that no correction takes out; at 0.5 px all numbers of a cell were right


def bore_not_found(volume: Voxels, cell: CellGeometry) -> str | None:
    """Say that a wall is in view which was not found: what is outside counts as inside then."""
    if np.isfinite(cell.bore_radius_sd_um):
        return None
    overview = overview_of(volume)
    columns = np.asarray(overview.columns[:])
    middle = [
        ((np.arange(n) + 0.5) * overview.edge - 0.5) * size - axis
        for n, size, axis in zip(
            columns.shape[1:],
            cell.voxel_size_um[1:],
            (cell.axis_y_um, cell.axis_x_um),
            strict=True,
        )
    ]
    radius = np.hypot(middle[0][:, None], middle[1][None]) / cell.bore_radius_um
    center = np.nanmedian(columns[:, radius < _CENTER])
    rim = np.nanmedian(columns[:, (radius > _RIM[0]) & (radius < _RIM[1])])
    if not rim < _DARK_RIM * center:
        return None
    return (
        f"the wall of the bore was not found, though it is in view (the rim attenuates "
        f"{rim / center:.0%} of the middle): tube and air would count as cell. Thickness, "
        "roughness, volumes, particles and inclusions are withheld; more light or more "
        "projections, or scan.bin, show the wall"
    )


def layers_unknown(cell: CellGeometry) -> str | None:
    """Say that no layer was told from another: what is bright may be anything."""
    if cell.planes or cell.only:
        return None
    return (
        "no face of a layer was found, and what fills the volume is not known: bright regions may "
        "be steel as well as particles, dark ones lithium as well as voids. Materials, particles "
        "and inclusions are withheld; give a volume in which layers are in view, on a linear grey "
        "scale, or measure a stack without a cell by the recipe particles_and_voids"
    )


def cathode_end_not_found(
    volume: Voxels,
    cell: CellGeometry,
    reference: ElectrolyteReference,
    surfaces: Mapping[str, Surface],
) -> str | None:
    """Say that a cathode ends in view, and no surface says where."""
    known = {*surfaces, *cell.planes}
    if "electrolyte_cathode" not in known or "cathode_collector" in known:
        return None
    ratios = Ratios(volume, cell, reference)
    begins = steel_behind(ratios, find_columns(cell, surfaces))
    if begins is None:
        return None
    return (
        f"the collector's face was not found, but steel begins behind the cathode about slice "
        f"{begins}: what lies between is not known. Volumes and fractions, particles and their "
        "lithium are withheld; more light in these rows, or a crop before them (scan.roi), helps"
    )


def light_missing(volume: Voxels, labels: Voxels) -> str | None:
    """Say that noise hides the cathode; data that are missing are another matter."""
    missing = np.asarray(overview_of(volume).missing[:]).any(axis=(1, 2))
    counts = np.sum(map_blocks(_count, slabs(labels.shape), volume, labels, missing), axis=0)
    unknown, active = int(counts[Label.UNKNOWN]), int(counts[Label.ACTIVE_MATERIAL])
    if not unknown or active > _LIT * (active + unknown):
        return None
    return (
        f"hardly any light passed the cathode: noise does not let its materials be told apart in "
        f"{unknown} voxels (label {int(Label.UNKNOWN)}). Its particles and their lithium, and the "
        "fractions of materials, are withheld; more light, a higher energy or scan.bin helps"
    )


def _count(block: Block, volume: Voxels, labels: Voxels, missing: np.ndarray) -> np.ndarray:
    values = np.asarray(labels[block.first : block.stop])
    if missing[block.first : block.stop].any():
        values = values[np.isfinite(np.asarray(volume[block.first : block.stop]))]
    return np.bincount(values.ravel(), minlength=len(Label))


def noise_too_strong(
    volume: Voxels,
    cell: CellGeometry,
    reference: ElectrolyteReference,
    surfaces: Mapping[str, Surface],
) -> str | None:
    """Say that noise hides lithium, empty places and particles, however it is smoothed."""
    noise = _noise_of_layers(volume, cell, reference, surfaces)
    if noise <= _MOST_NOISE:
        return None
    return (
        f"the noise of a voxel is {noise:.3g} times the electrolyte, where {_MOST_NOISE:g} is the "
        "most in which layers, particles and empty places are told apart. Thickness, roughness, "
        "particles, their lithium and inclusions are withheld; take more light, more projections, "
        "or bin (scan.bin)"
    )


def _noise_of_layers(
    volume: Voxels,
    cell: CellGeometry,
    reference: ElectrolyteReference,
    surfaces: Mapping[str, Surface],
) -> float:
    """Give the noise of a voxel between lithium and cathode, in multiples of the electrolyte."""
    ratios, columns = Ratios(volume, cell, reference), find_columns(cell, surfaces)
    first, stop = columns.rows(columns.lithium, columns.front, ratios.shape[0])
    return float(np.median([ratios.noise(z) for z in range(first, stop)] or [0.0]))


def undersampled(numbers: Mapping[str, Mapping[str, Any]], cell: CellGeometry) -> str | None:
    """Say that angles are so few that streaks split particles and look like inclusions."""
    beyond, within_um = _beyond_sampling(numbers, cell)
    if beyond <= _MOST_BEYOND:
        return None
    return (
        f"the angles are too few: they sample a circle of {within_um:.3g} µm in full, and the bore "
        f"is {beyond:.1f} times as wide, where {_MOST_BEYOND:g} is the most at which streaks "
        "between the angles do not split particles or look like inclusions. Single voxels of the "
        "labels are often wrong; particles, their lithium and inclusions are withheld; take "
        f"{beyond / _MOST_BEYOND:.2g} times as many projections or more"
    )


def labels_ragged(
    volume: Voxels,
    cell: CellGeometry,
    reference: ElectrolyteReference,
    surfaces: Mapping[str, Surface],
    numbers: Mapping[str, Mapping[str, Any]],
) -> str | None:
    """Say that single voxels change their material by noise, or by streaks of few angles."""
    beyond, _ = _beyond_sampling(numbers, cell)
    noise = _noise_of_layers(volume, cell, reference, surfaces)
    if beyond > _MOST_BEYOND or noise > _MOST_NOISE:
        return None
    said = []
    if noise > _RAGGED_NOISE:
        said.append(f"the noise of a voxel is {noise:.2g} times the electrolyte")
    if beyond > _RAGGED_BEYOND:
        said.append(f"the bore is {beyond:.1f} times as wide as the angles sample in full")
    if not said:
        return None
    return (
        f"labels are ragged: {' and '.join(said)}. Single voxels of electrolyte and active "
        "material, and single columns of a face, are often wrong; means over many hold. More "
        "light, more projections, or scan.bin, helps"
    )


def _beyond_sampling(
    numbers: Mapping[str, Mapping[str, Any]], cell: CellGeometry
) -> tuple[float, float]:
    """Give how much wider the bore is than what the angles sample in full, and that, µm."""
    found = numbers.get("fully_sampled_um")
    if found is None or not found["value"] > 0:
        return 0.0, float("nan")
    return 2 * cell.bore_radius_um / float(found["value"]), float(found["value"])


def implausible_blur(
    reference: ElectrolyteReference,
    cell: CellGeometry,
    uncorrected_fringes: str | None = None,
    grain_shape: GrainShape | None = None,
) -> str | None:
    """Say that the point spread is narrower or wider than can be; fringes say more.

    No grain is seen sharper than the point spread: grey values are alike over 0.71 times its width
    at least, where their autocovariance falls to half.
    """
    if uncorrected_fringes is not None:
        return None
    blur, voxel = float(reference.blur_um), min(cell.voxel_size_um)
    low, high = _BLUR
    if getattr(reference, "blur_guessed", False) or not np.isfinite(blur):
        return None
    if grain_shape is not None and grain_shape.width_um < _SHARPER * blur:
        return (
            f"the wall of the bore is blurred over {blur:.3g} µm (FWHM), but grains of the cathode "
            f"are sharper: grey values are alike over {grain_shape.width_um:.3g} µm, where that "
            f"makes {2**-0.5 * blur:.3g} at least. So the wall is no sharp edge, but that of a "
            "mask, or out of true. Bore, inclusions, uncertainties of volumes and state of charge "
            "rest on it and are withheld; give a volume that reaches beyond the wall"
        )
    if low * voxel <= blur <= high * voxel:
        return None
    return (
        f"the point spread is {blur:.3g} µm wide (FWHM), {blur / voxel:.2g} voxels, where {low:g} "
        f"to {high:g} are possible: the wall that it was measured at is no sharp edge. Inclusions, "
        "uncertainties of volumes and state of charge rest on it and are withheld; give it by "
        "steps.electrolyte_reference.blur_um"
    )


def implausible_values(absolute: DataFrame) -> str | None:
    """Say that lithium attenuates less than air, or that no table fits the values."""
    values, sds = (
        dict(zip(absolute["material"], absolute[name].to_numpy(float), strict=True))
        for name in ("value_per_cm", "value_per_cm_sd")
    )
    if "lithium" in values:
        value, sd, electrolyte = values["lithium"], sds["lithium"], values["lpscl"]
        if value < -max(_SURE * sd, _LEAST_NEGATIVE * electrolyte):
            return (
                f"lithium attenuates less than air: {value:.3g} ± {sd:.2g} 1/cm. Something takes "
                "light from these rows that is no absorption, such as flats of another exposure, "
                "glare or fringes; grey values, and state of charge above all, cannot be trusted"
            )
    return None


def implausible_charge(charge: DataFrame) -> str | None:
    """Say that most lithium contents are impossible."""
    if not {"mu_per_cm", "physically_possible", "withheld"} <= set(charge):
        return None
    # What glare or a face withholds is not judged; what is undecidable could be anything possible.
    why = charge["withheld"]  # empty texts are NaN once they were written
    judged = (why.isna() | why.astype(str).str.match("$|undecidable")).to_numpy(bool)
    read = charge[judged & np.isfinite(charge["mu_per_cm"].to_numpy(float))]
    possible = float(read["physically_possible"].astype(bool).mean()) if len(read) else 1.0
    if len(read) < _LEAST_READINGS or possible >= _POSSIBLE:
        return None
    return (
        f"{1 - possible:.0%} of {len(read)} particles attenuate as no lithium content lets them: "
        "their grey values show something else, such as glare, blur or a wrong energy; "
        "do not read tables/charge.csv as states of charge"
    )


def darks_too_high(numbers: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Say that too much was subtracted from all frames: line integrals are not true."""
    found = numbers.get("dark_excess")
    if found is None:
        return darks_drift(numbers)
    return (
        f"the darks are too high by {found['value']:.1%} of the light: dense parts attenuate more "
        "than they do. Lithium contents, absent lithium, particles and inclusions rest on that and "
        "are withheld; other darks (scan.darks) mend it"
    )


def light_unsteady(numbers: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Say that light changed from frame to frame where no air shows by how much."""
    flicker, jumps = numbers.get("light_flicker"), numbers.get("light_jumps")
    if flicker is None and jumps is None:
        return None
    how = "jumps" if flicker is None else f"flickers by {flicker['value']:.1%}"
    return (
        f"the light {how} and no air shows it: streaks in the slices look like lithium that is "
        "gone, like inclusions and like other lithium contents. These are withheld; a monitor of "
        "the beam, or air in view, mends it"
    )


def decadic_logarithm(numbers: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Say that μ itself is 2.3 times too low, if noise says right; ratios of it are not."""
    if "logarithm" not in numbers:
        return None
    return (
        "the line integrals look like decadic logarithms: μ would be 2.303 times too low. Lithium "
        "contents rest on it and are withheld; grey values, surfaces, particles and inclusions do "
        "not. Multiply the values by 2.302585, or start from transmission (scan.quantity)"
    )


def stage_unsteady(numbers: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Say that the stage stood off by more than can be corrected, or turned otherwise."""
    unfit = angles_unfit(numbers) or axis_contradicted(numbers) or tilt_likely(numbers)
    if unfit is not None:
        return unfit
    found = numbers.get("stage_jitter")
    if found is None:
        return None
    wandering = float(found.get("wandering_px", 0.0))
    if wandering > JITTER_TOO_MUCH_PX:
        return (
            f"the sample wanders sideways by {wandering:.2f} px (rms) during the scan: slices are "
            "blurred by an unknown width. Roughness, particles, inclusions and lithium contents "
            "rest on it and are withheld; let stage and sample settle"
        )
    sunk = float(found.get("sinking_left_px", 0.0))
    if sunk > _JITTER_LEFT_PX:
        return (
            f"the sample moves along the axis by {found['sinking_px']:.2f} px during the scan, of "
            f"which up to {sunk:.2f} px may be left: faces are blurred by an unknown width. "
            "Roughness, particles, inclusions and lithium contents rest on it and are withheld; "
            "let stage and sample settle"
        )
    seen, corrected = float(found["value"]), found.get("note") != "not corrected"
    if seen <= (JITTER_TOO_MUCH_PX if corrected else _JITTER_LEFT_PX):
        return None
    left = "which cannot be corrected" if not corrected else "of which up to half may be left"
    return (
        f"the stage stands off by {seen:.2f} px from projection to projection, {left}: slices are "
        "blurred by an unknown width. Roughness, particles, inclusions and lithium contents rest "
        "on it and are withheld; a steadier stage, or scan.bin, helps"
    )


for _function in (
    darks_too_high,
    light_unsteady,
    decadic_logarithm,
    stage_unsteady,
    bore_not_found,
    layers_unknown,
    cathode_end_not_found,
    light_missing,
    noise_too_strong,
    undersampled,
    labels_ragged,
    implausible_blur,
    implausible_values,
    implausible_charge,
):
    declare(
        Quantity(
            _function.__name__,
            unit="what is wrong with it, in words",
            source="run",
            derive=_function,
            basis=True,
        )
    )
