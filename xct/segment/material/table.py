"""Volume and grey value of each material. In: labels, volume; out: the table of materials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Ge, Le

from xct.geometry import MATERIALS, STANDARD_SCALE, CellGeometry, GreyScale, Label, Surface
from xct.normalize.grey_scale import Ratios
from xct.normalize.reference import ElectrolyteReference
from xct.parallel.blocks import Block, Voxels
from xct.parallel.kernels import njit
from xct.parallel.sweeps import Asking, Sweep, sweeping
from xct.parallel.threads import over_ranges
from xct.physics.optics import FWHM_PER_SIGMA
from xct.preprocess.fringes import refuse_fringes
from xct.quantity import Quantity, Table
from xct.segment.cell.slice_spacing import OF_A_STEP
from xct.segment.crofton import DIRECTIONS, crofton_weights
from xct.segment.material.fractions import (
    collector_in_doubt,
    material_numbers,
    typical_sd_um,
)
from xct.segment.material.sharpened import blur_um
from xct.segment.neighbors import mark_differing
from xct.stages import stage

if TYPE_CHECKING:
    import pandas as pd

_GREY_STEP = 1e-4  # of the electrolyte's attenuation: sums are whole numbers, whatever the slabs
_KINDS = len(Label)
_COUNT, _INTERIOR, _GREY, _GREY_2, _FIRST_CROSSING = range(5)
_DIRECTIONS = DIRECTIONS.astype(np.int64)
_FIELDS = _FIRST_CROSSING + len(_DIRECTIONS)
_ALONG_Z = _FIRST_CROSSING + _DIRECTIONS.tolist().index([1, 0, 0])
_HELD = (Label.STEEL, Label.LITHIUM, Label.ACTIVE_MATERIAL)  # whose labels have a least agreement
# Standard uncertainty, in voxels, of a whole face of steel or of the collector: how a face looks
# next to what is opaque depends on the blur of light and on where in a voxel it lies; neither is
# known well.
_FACE_PX = 0.15


@stage(
    gives=Quantity("materials", unit="table of materials", store=Table(), numbers=material_numbers),
    measures=True,
    rests_on=(
        "bore_not_found",
        "layers_unknown",
        "cathode_end_not_found",
        "light_missing",
        "implausible_blur",
    ),
)
@sweeping
def material_table(
    volume: Voxels,
    labels: Voxels,
    cell: CellGeometry,
    reference: ElectrolyteReference,
    grey_scale: GreyScale = STANDARD_SCALE,
    uncorrected_fringes: str | None = None,
    slice_excess_um: float | None = None,
    surfaces: Mapping[str, Surface] | None = None,
    *,
    threshold_uncertainty: Annotated[float, Ge(0), Le(0.5)] = 0.05,
) -> Asking[pd.DataFrame]:
    """Measure the volume, the surface and the grey value of each material.

    Parameters
    ----------
    volume : Voxels, shape (z, y, x)
        Linear attenuation, 1/cm.
    labels : Voxels, shape (z, y, x)
        What `materials` gave.
    cell : CellGeometry
        Where the cell lies.
    reference : Reference
        The electrolyte's attenuation by height and radius, and the blur.
    grey_scale : GreyScale, optional
        Grey values of air and of electrolyte.
    uncorrected_fringes : str, optional
        How propagation fringes are known of that no step dealt with; then nothing is measured.
    slice_excess_um : float, optional
        By how much slices are further apart than pixels are wide: a face may lie anywhere within.
    surfaces : mapping of str to Surface, optional
        Height maps, with the uncertainty of steel's and of the collector's face.
    threshold_uncertainty : float, optional
        Standard uncertainty of a threshold, as a fraction δ of the step between two materials: it
        moves a blurred edge by δ √(2π) times the point spread's standard deviation.

    Returns
    -------
    DataFrame
        material, volume_um3 and its sd (surface times the edge's uncertainty; the uncertainty of
        the bore's radius; all of what is missing in the volume; 0.15 voxels for each whole face
        across the bore of steel and of the collector: how a face looks next to what is opaque
        depends on where in a voxel it lies; as much for lithium, which shares one, and more where
        light hardly passes and the face's map is less certain than that; as much low grey as is
        seen may be finer than the blur and counted as electrolyte, so that the volume of low grey
        is a lower bound, without sd),
        volume_fraction (of the bore in view; NaN for the tube), mean_grey and sd_grey of voxels
        whose six neighbors are of the same material, surface_um2, n (voxels), and dice_at_least:
        a lower bound of how well the labels of steel, lithium and active material agree with what
        is there (Dice coefficient): a face that is off by twice what makes the volume uncertain,
        and voxels at the surface of active material that noise puts to either side of it.

    Raises
    ------
    DataError
        If there are fringes.
    """
    import pandas as pd

    refuse_fringes(uncorrected_fringes)
    sums = yield from material_sums.asking(volume, labels, cell, reference)
    voxel = float(np.prod(cell.voxel_size_um))
    count = sums[:, _COUNT].astype(float)
    inside = count.sum() - count[[Label.OUTSIDE, Label.TUBE, Label.UNKNOWN]].sum()
    surface = sums[:, _FIRST_CROSSING:] @ crofton_weights(cell.voxel_size_um)
    sigma_um = blur_um(reference, cell.voxel_size_um) / FWHM_PER_SIGMA
    edge_um = threshold_uncertainty * np.sqrt(2 * np.pi) * sigma_um
    uncertainty_um3 = np.hypot(
        _volume_sds(
            sums, cell, surface * edge_um, slice_excess_um or 0.0, _faces_um(surfaces or {}, cell)
        ),
        count[Label.UNKNOWN] * voxel * (count > 0),
    )
    ragged_um3 = _ragged_um3(sums, surface, sigma_um, reference)
    rows = []
    for name, code in {**MATERIALS, "unknown": Label.UNKNOWN}.items():
        if not count[code]:
            continue
        part = count[code] / (inside + (count[code] if code == Label.UNKNOWN else 0))
        mean, sd = _grey(sums[code])
        rows.append(
            {
                "material": name,
                "volume_um3": count[code] * voxel,
                "volume_um3_sd": uncertainty_um3[code],
                "volume_fraction": np.nan if code == Label.TUBE else part,
                "mean_grey": grey_scale.grey_value(mean),
                "sd_grey": grey_scale.step * sd,
                "surface_um2": surface[code],
                "n": int(count[code]),
                "dice_at_least": _dice_at_least(
                    code, count[code] * voxel, uncertainty_um3[code] + ragged_um3[code]
                ),
            }
        )
    return pd.DataFrame(rows)


@sweeping
def material_sums(
    volume: Voxels,
    labels: Voxels,
    cell: CellGeometry,
    reference: ElectrolyteReference,
    *,
    rows: int | None = None,
) -> Asking[np.ndarray]:
    """Sum over the voxels of each label, shape (label, field), whole numbers."""
    ratios = Ratios(volume, cell, reference)
    found = yield Sweep(ratios, _slab_sums, (labels,), overlap=1, rows=rows)
    return np.asarray(np.sum(found, axis=0))


def _slab_sums(slab: Block, ratios: np.ndarray, labels: Voxels) -> np.ndarray:
    part, values = np.asarray(labels[slab.outer]), ratios[slab.inner]
    planes = np.zeros((slab.stop - slab.first, _KINDS, _FIELDS), np.int64)
    _add_slab(part, values, slab.inner.start, planes)
    return np.asarray(planes.sum(axis=0))


def _add_slab(part: np.ndarray, values: np.ndarray, start: int, planes: np.ndarray) -> None:
    over_ranges(lambda a, b: _add(part, values, start, planes, a, b), len(planes))


def _ragged_um3(
    sums: np.ndarray, surface_um2: np.ndarray, sigma_um: float, reference: ElectrolyteReference
) -> np.ndarray:
    """Give half of the volume that noise puts to the wrong side of a surface, µm³, shape (label,).

    Where a threshold crosses a blurred step of height c, noise n moves it by n σ √(2π) / c. Only
    active material is told voxel by voxel; layers end at faces, whose maps are smooth.
    """
    electrolyte, _ = _grey(sums[Label.ELECTROLYTE])
    active, _ = _grey(sums[Label.ACTIVE_MATERIAL])
    level = reference.mu_per_cm(0.0, 0.0)
    noise = float(np.median(reference.noise_per_cm) / np.median(level))
    found = np.zeros(_KINDS)
    moved_um = noise * np.sqrt(2 * np.pi) * sigma_um / max(active - electrolyte, noise)
    if np.isfinite(moved_um):
        found[Label.ACTIVE_MATERIAL] = 0.5 * surface_um2[Label.ACTIVE_MATERIAL] * moved_um
    return found


def _dice_at_least(code: int, volume_um3: float, wrong_um3: float) -> float:
    """Give what is left of a Dice coefficient of 1; NaN for what may hide in another material."""
    return max(1 - wrong_um3 / volume_um3, 0.0) if code in _HELD else float("nan")


def _faces_um(surfaces: Mapping[str, Surface], cell: CellGeometry) -> np.ndarray:
    """Give how uncertain a whole face across the bore is, µm, shape (label,).

    What a map states of a column is by chance in part, but for the faces of what no light passes:
    there all columns are wrong alike, through streaks and stray light.
    """
    least_um = _FACE_PX * cell.voxel_size_um[0]
    found = np.zeros(_KINDS)
    found[[Label.STEEL, Label.COLLECTOR]] = least_um
    if steel := typical_sd_um(surfaces, "steel_lithium"):
        found[[Label.STEEL, Label.LITHIUM]] = max(steel, least_um)
    if collector_in_doubt(surfaces, cell):
        found[Label.COLLECTOR] = typical_sd_um(surfaces, "cathode_collector")
    return found


def _volume_sds(
    sums: np.ndarray,
    cell: CellGeometry,
    edge_um3: np.ndarray,
    excess_um: float,
    faces_um: np.ndarray,
) -> np.ndarray:
    """Combine the uncertainties of each volume, µm³, shape (label,)."""
    z_um, y_um, x_um = cell.voxel_size_um
    volume = sums[:, _COUNT] * (z_um * y_um * x_um)
    # Where the wall is out of view, the view's own sides bound each volume.
    radius = 2 * np.nan_to_num(cell.bore_radius_sd_um) / cell.bore_radius_um * volume
    radius[Label.TUBE] = 0.0
    unseen = np.zeros(_KINDS)
    unseen[Label.ELECTROLYTE] = volume[Label.LOW_GREY]
    # Both faces of a layer are found independently: their variances add.
    view_um2 = cell.shape[1] * y_um * cell.shape[2] * x_um
    bore_um2 = min(np.pi * cell.bore_radius_um**2, view_um2)
    whole = np.sqrt(sums[:, _ALONG_Z] * y_um * x_um * bore_um2)
    between = np.zeros(_KINDS)
    between[[Label.STEEL, Label.COLLECTOR, Label.LITHIUM]] = OF_A_STEP * excess_um
    faces = np.hypot(faces_um, between) * whole
    total = np.sqrt(edge_um3**2 + radius**2 + unseen**2 + faces**2)
    total[Label.LOW_GREY] = np.nan
    return np.asarray(total)


def _grey(row: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation of the interior, as multiples of the electrolyte."""
    if not row[_INTERIOR]:
        return float("nan"), float("nan")
    mean = _GREY_STEP * row[_GREY] / row[_INTERIOR]
    square = _GREY_STEP**2 * row[_GREY_2] / row[_INTERIOR]
    return float(mean), float(np.sqrt(max(square - mean**2, 0.0)))


@njit(cache=True, nogil=True)
def _add(
    labels: np.ndarray,
    values: np.ndarray,
    start: int,
    planes: np.ndarray,
    first: int,
    stop: int,
) -> None:
    _, height, width = labels.shape
    differs = np.empty(width, np.bool_)
    for z in range(first, stop):
        w = z + start
        for y in range(height):
            mark_differing(labels, w, y, True, differs)
            x = 0
            while x < width:
                label = labels[w, y, x]
                row = planes[z, label if label < _KINDS else 0]
                if not differs[x]:
                    x = _add_alike(differs, values[z, y], x, row)
                    continue
                row[_COUNT] += 1
                if _cross(labels, w, y, x, row):
                    _add_grey(values[z, y, x], row)
                x += 1
        planes[z, 0] = 0  # what is nothing is not counted


@njit(cache=True, nogil=True)
def _add_alike(differs: np.ndarray, values: np.ndarray, first: int, row: np.ndarray) -> int:
    """Add the voxels of a line up to the next that differs from a neighbor; return where it is."""
    grey = grey_2 = np.int64(0)
    x = first
    while x < differs.size and not differs[x]:
        code = np.int64(np.rint(values[x] / _GREY_STEP))
        grey += code
        grey_2 += code * code
        x += 1
    count = x - first
    row[_COUNT] += count
    row[_INTERIOR] += count
    row[_GREY] += grey
    row[_GREY_2] += grey_2
    return x


@njit(cache=True, nogil=True)
def _add_grey(value: float, row: np.ndarray) -> None:
    code = np.int64(np.rint(value / _GREY_STEP))
    row[_INTERIOR] += 1
    row[_GREY] += code
    row[_GREY_2] += code * code


@njit(cache=True, nogil=True)
def _cross(labels: np.ndarray, z: int, y: int, x: int, row: np.ndarray) -> bool:
    """Count where lines leave a voxel's material; return whether its six neighbors are of it."""
    depth, height, width = labels.shape
    label, alike = labels[z, y, x], True
    for k in range(26):
        d = _DIRECTIONS[k // 2]
        turn = 1 - 2 * (k % 2)
        c, b, a = z + turn * d[0], y + turn * d[1], x + turn * d[2]
        if c < 0 or c >= depth or b < 0 or b >= height or a < 0 or a >= width:
            continue
        if labels[c, b, a] != label:
            row[_FIRST_CROSSING + k // 2] += 1
            if abs(d[0]) + abs(d[1]) + abs(d[2]) == 1:
                alike = False
    return alike
