"""Inclusions in the electrolyte that are darker than it. In: volume, labels; out: a table.

Lithium and void have the same grey value to X-rays of 25 keV: an inclusion is called low grey,
never lithium. What touches the cathode's front is not told from the pores of the cathode.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Ge

from xct.analyze.filaments import REGION, filament_table
from xct.analyze.low_grey import (
    COUNT,
    DARK,
    FRONT,
    GREY,
    GREY_STEP,
    LITHIUM,
    OPEN,
    XX,
    YX,
    YY,
    ZX,
    ZY,
    ZZ,
    Total,
    X,
    Y,
    Z,
    low_grey_regions,
)  # fmt: skip
from xct.errors import DataError
from xct.geometry import STANDARD_SCALE, CellGeometry, GreyScale, Surface, lost_faces
from xct.normalize.artifacts import Artifacts
from xct.normalize.given.scale import GivenScale
from xct.normalize.grain_shape import GrainShape, joined
from xct.normalize.grey_scale import Ratios
from xct.normalize.reference import ElectrolyteReference
from xct.parallel.blocks import Voxels
from xct.parallel.sweeps import Asking, sweeping
from xct.preprocess.fringes import refuse_fringes
from xct.quantity import Number, Quantity, Table
from xct.segment.basis import noise_too_strong
from xct.segment.crofton import crofton_weights
from xct.segment.material.columns import Columns, find_columns
from xct.segment.material.sharpened import blur_um
from xct.stages import stage

if TYPE_CHECKING:
    import pandas as pd

# Where an inclusion lies, in the order in which it is asked.
CLASSES = ("bridging", "at_lithium", "at_front", "enclosed")
COUNTED = ("bridging", "enclosed")
_MOST_NAMED = 20
_SEVERED = (
    "low-grey regions that join lithium and cathode, of lithium or void; one that is anywhere "
    "thinner than the point spread may be missed"
)
# Half of the width over which the front is averaged: pores of particles that stand out from it.
_FRONT_UM = 6.5
_MISSED = "what is thinner than the point spread is missed, in part or as a whole"
# Standard deviation of their number where rings add 3 to 6 % of the electrolyte: they came and went
# by one or two, once by three.
_BY_RINGS = 2.0
_TOUCHED = "arcs of rings may count as inclusions, or hide some"
# Noise of a voxel, in multiples of the electrolyte, above which the smallest regions may be chance:
# at 0.7 and 1.4 up to three times the least volume was.
_CHANCE_NOISE = 0.5
_LEAST_BLUR = 1.5  # voxels
# Rings are strongest where they are smallest: what is so small, and its middle so near to the axis
# of rotation, in voxels, was no inclusion in any of twelve cases (9 volumes of 39).
_AT_AXIS_PX, _DOT_PX = 3.5, 10.0
# Of the classes that other things look like: how many of them are is not known, and no standard
# deviation says it.
_ALIKE = "; how many are such is not known, so that the count of what is seen has no uncertainty"
_LOOKS = {
    "at_front": f"at the cathode's front a pore of the cathode looks the same{_ALIKE}",
    "at_lithium": f"lithium that stands out of its face, as at the wall, looks the same{_ALIKE}",
}


def inclusion_numbers(
    inclusions: pd.DataFrame,
    grain_shape: GrainShape | None = None,
    volume_artifacts: Artifacts | None = None,
    given_scale: GivenScale | None = None,
    cell: CellGeometry | None = None,
    surfaces: Mapping[str, Surface] | None = None,
) -> Iterator[tuple[str, Number]]:
    """Give the count of bridges first, then of inclusions, their volume, the count of each class.

    What touches lithium or the cathode's front has a count of its own, and no part in the others.
    Where rings count as inclusions, or tiles do not fit, only bridges and filaments are given;
    where rings may make or hide some, the count is no bound, and has a standard deviation for that.
    Where all values step between slices, one side is brighter, or parts are shifted, no volume is
    given.
    """
    yield "bridges", _bridges(inclusions)
    slender = int(inclusions["filament"].sum())
    stout = f"{_MISSED}; what is hardly three times as long as it is thick may count as none"
    yield "filaments", Number(slender, "filaments", bound="lower", note=stout)
    tiled = grain_shape is not None and bool(grain_shape.seams)
    # Beside a face that is not given lithium would count.
    upright = volume_artifacts is not None and volume_artifacts.upright
    if tiled or "lithium_electrolyte" in lost_faces(cell, surfaces, upright=upright):
        return
    if volume_artifacts is not None and volume_artifacts.forged:
        return
    own = inclusions[inclusions["class"].isin(COUNTED)]
    # Of slices that are said to lie too far apart, more regions are large enough to count.
    filtered = volume_artifacts is not None and volume_artifacts.filtered
    known = joined("lower", grain_shape)[0] and not filtered
    rings = volume_artifacts is not None and volume_artifacts.touched
    if known and rings:
        yield "inclusions", Number(len(own), "inclusions", _BY_RINGS, note=_TOUCHED)
    elif known:
        yield "inclusions", Number(len(own), "inclusions", bound="lower", note=_MISSED)
    # What would be missing if they were empty: counted voxels are a third of a thin crack's.
    volume = own["dark_volume_um3"].sum()
    seams = given_scale is not None and (given_scale.steps or given_scale.shifted)
    smeared = grain_shape is not None and grain_shape.smeared
    shaded = volume_artifacts is not None and volume_artifacts.shaded
    if known and not (smeared or seams or shaded):
        yield "inclusion_volume_um3", Number(volume, "µm³", n=len(own), bound="lower", note=_MISSED)
    for name in CLASSES:
        count = int((inclusions["class"] == name).sum())
        yield f"inclusions.{name}", Number(count, "inclusions", note=_LOOKS.get(name))


def _bridges(inclusions: pd.DataFrame) -> Number:
    """Count what joins lithium and cathode, and name the largest."""
    joins = inclusions[inclusions["class"] == "bridging"]
    largest = joins.sort_values("dark_volume_um3", ascending=False)["inclusion"].tolist()[
        :_MOST_NAMED
    ]
    return Number(
        len(joins), "bridges", bound="lower", note=_SEVERED,
        details={"inclusions": largest} if largest else {}, headline=bool(largest),
    )  # fmt: skip


@stage(
    gives=Quantity(
        "inclusions",
        unit="table of low-grey inclusions",
        store=Table(),
        numbers=inclusion_numbers,
    ),
    measures=True,
    rests_on=(
        "bore_not_found",
        "layers_unknown",
        "noise_too_strong",
        "undersampled",
        "implausible_blur",
        "sharpened_edges",
        "bent_scale",
        "coarse_codes",
        "lone_points",
        "slices_in_disorder",
        "darks_too_high",
        "light_unsteady",
        "stage_unsteady",
    ),
)
@sweeping
def inclusions(
    volume: Voxels,
    labels: Voxels,
    cell: CellGeometry,
    surfaces: Mapping[str, Surface],
    reference: ElectrolyteReference,
    grey_scale: GreyScale = STANDARD_SCALE,
    uncorrected_fringes: str | None = None,
    *,
    least_psf_volumes: Annotated[float, Ge(0)] = 3.0,
) -> Asking[pd.DataFrame]:
    """Measure the low-grey regions of the electrolyte between lithium and cathode.

    Parameters
    ----------
    volume : Voxels, shape (z, y, x)
        Linear attenuation, 1/cm.
    labels : Voxels, shape (z, y, x)
        What `materials` gave: its low-grey regions are kept by hysteresis.
    cell : CellGeometry
        Where the cell lies.
    surfaces : mapping of str to Surface
        Height maps.
    reference : Reference
        The electrolyte's attenuation by height and radius, the noise, and the blur.
    grey_scale : GreyScale, optional
        Grey values of air and of electrolyte.
    uncorrected_fringes : str, optional
        How propagation fringes are known of that no step dealt with; then nothing is measured.
    least_psf_volumes : float, optional
        Least volume, in spheres as wide as the point spread function (FWHM): smaller regions may
        be noise. 0 keeps all. Where a voxel's noise exceeds half of the electrolyte, the square
        of what it is over that as much more.

    Returns
    -------
    DataFrame
        One row for each inclusion, in the order of their first voxels: inclusion, z_um, y_um,
        x_um, volume_um3, thickness_um (shortest axis of an ellipsoid), distance_to_anode_um,
        enclosed (nothing but electrolyte around it); class: ``at_lithium`` (touches it),
        ``at_front`` (as near to the cathode's, from above or in a pocket of it, as its particles
        stand out, 6.5 µm, and a width of the point spread), ``bridging`` (both), or
        ``enclosed``; beyond the contract dark_volume_um3 (what
        would be missing if it were empty, with its rim: right also below the resolution),
        long_um, middle_um, short_um (of the ellipsoid with the same moments), feret_um,
        surface_um2, mean_grey, at_lithium, kind (always ``low_grey``), at_front; and ``filament``
        (none lies flat on the lithium), ``length_um``, ``mean_diameter_um``, ``tortuosity``,
        ``tilt_deg``, ``azimuth_deg`` as `xct.analyze.filaments.filament_table` gives them.

    Raises
    ------
    DataError
        If there are fringes, or if noise exceeds twice the electrolyte.
    """
    refuse_fringes(uncorrected_fringes)
    if (why := noise_too_strong(volume, cell, reference, surfaces)) is not None:
        raise DataError(why)
    ratios, columns = Ratios(volume, cell, reference), find_columns(cell, surfaces)
    blur = blur_um(reference, cell.voxel_size_um)
    noise = ratios.noise(volume.shape[0] / 2)
    reach_um = _FRONT_UM + blur + cell.voxel_size_um[0]
    total = yield from low_grey_regions.asking(
        volume, labels, cell, surfaces, reference, front_reach_um=reach_um
    )
    return inclusion_table(
        total,
        cell,
        columns,
        least_um3=least_volume_um3(least_psf_volumes, blur, noise, min(cell.voxel_size_um)),
        noise=noise,
        grey_scale=grey_scale,
    )


def least_volume_um3(psf_volumes: float, blur_um: float, noise: float, voxel_um: float) -> float:
    """Give the least volume of a region that counts, the larger the stronger noise is.

    Strong noise also makes the point spread uncertain: it counts as a voxel and a half at least.

    Parameters
    ----------
    psf_volumes : float
        In spheres as wide as the point spread (FWHM).
    blur_um : float
        That width.
    noise : float
        Standard deviation of a voxel, in multiples of the electrolyte.
    voxel_um : float
        Edge of a voxel.
    """
    if noise > _CHANCE_NOISE:
        blur_um = max(blur_um, _LEAST_BLUR * voxel_um)
    more = max(noise / _CHANCE_NOISE, 1.0) ** 2
    return float(psf_volumes * more * np.pi / 6 * blur_um**3)


def inclusion_table(
    total: Total,
    cell: CellGeometry,
    columns: Columns,
    *,
    least_um3: float,
    noise: float,
    grey_scale: GreyScale,
) -> pd.DataFrame:
    """Give the table of inclusions of at least `least_um3`.

    Parameters
    ----------
    total : Total
        Sums over voxels.
    cell : CellGeometry
        Voxel size and axis.
    columns : Columns
        Where lithium is.
    least_um3 : float
        Smaller regions are left out.
    noise : float
        Standard deviation of a voxel, as a multiple of the electrolyte. What is darker than air
        by more than three of these is an artefact and left out.
    grey_scale : GreyScale
        Grey values of air and of electrolyte.
    """
    import pandas as pd

    size = np.array(cell.voxel_size_um)
    voxels = np.maximum(total.sums[:, COUNT], 1)
    mean = GREY_STEP * total.sums[:, GREY] / voxels
    # Within one slice lie only arcs of rings.
    deep = total.sums[:, COUNT] * total.sums[:, ZZ] > total.sums[:, Z] ** 2
    kept = deep & (voxels * size.prod() >= least_um3) & (mean > -3 * noise / np.sqrt(voxels))
    kept &= ~_at_rotation_axis(total, cell, voxels)
    nodes = total.nodes[kept[total.nodes[:, REGION]]]
    nodes[:, REGION] = (np.cumsum(kept) - 1)[nodes[:, REGION]]
    sums, crossings, extents = total.sums[kept], total.crossings[kept], total.extents[kept]
    count = sums[:, COUNT].astype(float)
    z, y, x = ((sums[:, k] / count) * s for k, s in zip((Z, Y, X), size, strict=True))
    surface = crossings @ crofton_weights(size)
    dark = np.maximum(sums[:, DARK] * GREY_STEP, 0) * size.prod()
    axes = _axes_um(sums, count, size)
    feret = _feret_um(extents, size)
    ways = filament_table(nodes, cell.voxel_size_um, dark, feret, axes, cell.sign)
    table = pd.DataFrame(
        {
            "inclusion": np.arange(1, len(sums) + 1),
            "z_um": z,
            "y_um": y,
            "x_um": x,
            "volume_um3": count * size.prod(),
            # Of an ellipsoid; where it is bent or branched, its moments say too much.
            "thickness_um": np.minimum(axes[:, 0], 3 * dark / surface),
            "distance_to_anode_um": _distance_um(columns, cell, z, y, x),
            "enclosed": sums[:, OPEN] == 0,
            "class": _classes(sums),
            "dark_volume_um3": dark,
            "long_um": axes[:, 2],
            "middle_um": axes[:, 1],
            "short_um": axes[:, 0],
            "feret_um": feret,
            "surface_um2": surface,
            "mean_grey": grey_scale.grey_value(GREY_STEP * sums[:, GREY] / count),
            "at_lithium": sums[:, LITHIUM] > 0,
            "kind": np.full(len(sums), "low_grey"),
            "at_front": sums[:, FRONT] > 0,
        }
    )
    # What lies on the lithium, and rises no farther from it than it is wide, is part of its face.
    lies = table["class"].eq("at_lithium") & (
        table["distance_to_anode_um"] < ways["mean_diameter_um"]
    )
    return pd.concat([table, ways.assign(filament=ways["filament"] & ~lies)], axis=1)


def _at_rotation_axis(total: Total, cell: CellGeometry, voxels: np.ndarray) -> np.ndarray:
    """Mark small regions on the axis of rotation, where the innermost rings are dots."""
    _, *pixel = cell.voxel_size_um
    y, x = (total.sums[:, k] / voxels * s for k, s in zip((Y, X), pixel, strict=True))
    near = cell.from_rotation_axis_um(y, x) < _AT_AXIS_PX * min(pixel)
    small = _feret_um(total.extents, np.array(cell.voxel_size_um)) < _DOT_PX * min(pixel)
    return np.asarray(near & small)


def _feret_um(extents: np.ndarray, size: np.ndarray) -> np.ndarray:
    return np.asarray((-extents.sum(axis=2)).max(axis=1, initial=0) + size.mean())


def _classes(sums: np.ndarray) -> np.ndarray:
    """Say where each inclusion lies, shape (inclusion,)."""
    lithium, front = (sums[:, flag] > 0 for flag in (LITHIUM, FRONT))
    return np.select([lithium & front, lithium, front], CLASSES[:3], CLASSES[3])


def _distance_um(
    columns: Columns, cell: CellGeometry, z: np.ndarray, y: np.ndarray, x: np.ndarray
) -> np.ndarray:
    step, *pixel = cell.voxel_size_um
    v = np.clip(np.rint(y / pixel[0]).astype(int), 0, cell.shape[1] - 1)
    u = np.clip(np.rint(x / pixel[1]).astype(int), 0, cell.shape[2] - 1)
    lithium = columns.lithium[v, u]
    distance = columns.sign * z - lithium * step
    return np.asarray(np.where(np.isfinite(lithium), distance, np.nan))


def _axes_um(sums: np.ndarray, count: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Axes of the ellipsoid with the same second moments, ascending."""
    mean = np.stack([sums[:, k] / count for k in (Z, Y, X)], axis=1)
    second = np.empty((len(sums), 3, 3))
    for i, j, k in (
        (0, 0, ZZ), (1, 1, YY), (2, 2, XX), (0, 1, ZY), (0, 2, ZX), (1, 2, YX)
    ):  # fmt: skip
        moment = (sums[:, k] / count - mean[:, i] * mean[:, j]) * size[i] * size[j]
        second[:, i, j] = second[:, j, i] = moment
    second += np.diag(size**2 / 12)
    return np.asarray(2 * np.sqrt(5 * np.linalg.eigvalsh(second)))
