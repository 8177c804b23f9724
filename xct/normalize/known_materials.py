"""Found materials against the tables. In: a volume, its cell and reference; out: which table fits.

A volume of attenuation holds μ; one whose phase was retrieved follows δ. Lithium and the tube
distinguish them: in δ they stand out from air, in μ hardly.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from xct.geometry import CellGeometry
from xct.normalize.calibration import DENSITY, density_of
from xct.normalize.reference import Reference
from xct.normalize.sampling import Span, gather_cubes
from xct.normalize.volume_sample import AboveAir
from xct.parallel.blocks import Voxels
from xct.parallel.executors import map_blocks
from xct.physics.materials import delta, mu_per_cm
from xct.preprocess.fringes import refuse_fringes
from xct.quantity import Number, Quantity, Table
from xct.stages import stage
from xct.statistics.peaks import sample_peak

if TYPE_CHECKING:
    from pandas import DataFrame

_SLICES = 24
_LEAST_VOXELS = 50
_MARGIN_WIDTHS = 2.0  # of the point spread, from the tube's faces
_CLEARLY = 3.0  # times closer than the other table
_FITS = 0.06  # of the electrolyte's value: how far away on average a table may be


def known_material_numbers(absolute: DataFrame) -> Iterator[tuple[str, Number]]:
    """Say which table of values the materials fit."""
    known = absolute.iloc[0].to_dict()
    kinds = (("density_g_per_cm3", float), ("plausible", bool))
    details = {name: kind(known[name]) for name, kind in kinds if name in known}
    yield "values_fit", Number(str(known["fits"]), n=len(absolute), details=details)


@stage(
    gives=Quantity(
        "absolute",
        unit="table of known materials",
        store=Table(),
        numbers=known_material_numbers,
    ),
    measures=True,
)
def check_materials(
    volume: Voxels,
    cell: CellGeometry,
    reference: Reference,
    uncorrected_fringes: str | None = None,
    *,
    energy_kev: float,
) -> DataFrame:
    """Compare air, tube, lithium and electrolyte with the tables of μ and of δ.

    Parameters
    ----------
    volume : Voxels, shape (z, y, x)
        Linear attenuation, 1/cm.
    cell : CellGeometry
        Where the layers lie.
    reference : Reference
        The electrolyte's value.
    uncorrected_fringes : str, optional
        How propagation fringes are known of that no step dealt with; then nothing is measured.
    energy_kev : float
        Photon energy.

    Returns
    -------
    DataFrame
        One row for each material in view: ``material, value_per_cm, value_per_cm_sd, n,
        mu_per_cm, delta`` (tables, the electrolyte's for its crystal), ``value_over_mu``;
        ``attrs["fits"]`` is ``attenuation``, ``phase``, ``neither`` or ``undecidable`` (too few
        materials), ``attrs["density_g_per_cm3"]`` the electrolyte's where attenuation fits, and
        ``attrs["plausible"]`` whether that density can be.

    Raises
    ------
    DataError
        If there are fringes.
    """
    from pandas import DataFrame

    refuse_fringes(uncorrected_fringes)
    above = AboveAir(volume, reference.air) if reference.air else volume
    values = {"lpscl": (reference.peak_per_cm, reference.peak_sd_per_cm, reference.n)}
    values |= _rings(above, cell, reference)
    values |= _lithium(above, cell, reference)
    table = DataFrame([
        {
            "material": name, "value_per_cm": value, "value_per_cm_sd": sd, "n": n,
            "mu_per_cm": mu_per_cm(name, energy_kev), "delta": delta(name, energy_kev),
        }
        for name, (value, sd, n) in values.items()
    ])  # fmt: skip
    table["value_over_mu"] = table["value_per_cm"] / table["mu_per_cm"]
    fits = _which(table)
    table.attrs["fits"] = fits
    if fits == "attenuation" and not reference.is_grey:
        density = density_of(reference.peak_per_cm, energy_kev)
        table.attrs["density_g_per_cm3"] = density
        table.attrs["plausible"] = bool(DENSITY[0] < density < DENSITY[1])
    return table


def _which(table: DataFrame) -> str:
    """Compare ratios to the electrolyte, whose density is not known, with those of both tables."""
    if len(table) < 3:
        return "undecidable"
    misfit = {}
    for name, column in (("attenuation", "mu_per_cm"), ("phase", "delta")):
        seen = table["value_per_cm"] / table["value_per_cm"].iloc[0]
        expected = table[column] / table[column].iloc[0]
        misfit[name] = float(np.sqrt(np.mean((seen - expected)[1:] ** 2)))
    best, other = sorted(misfit, key=lambda name: misfit[name])
    return best if misfit[best] < _FITS and misfit[other] > _CLEARLY * misfit[best] else "neither"


def _rings(
    volume: Voxels, cell: CellGeometry, reference: Reference
) -> dict[str, tuple[float, float, int]]:
    """Mean of the tube and of what lies beyond, over slices of the electrolyte."""
    if cell.tube_radius_um is None:
        return {}
    margin = _MARGIN_WIDTHS * reference.blur_um
    step = cell.voxel_size_um[0]
    heights = np.linspace(reference.model.z_low_um, reference.model.z_high_um, _SLICES) / step
    slices = np.unique(np.clip(heights.astype(int), 0, cell.shape[0] - 1)).tolist()
    found = map_blocks(_rings_of, slices, volume, cell, cell.tube_radius_um, margin)
    means = {name: [one[name][0] for one in found if name in one] for name in ("polyimide", "air")}
    count = {name: sum(one[name][1] for one in found if name in one) for name in means}
    return {
        name: (float(np.mean(row)), float(np.std(row, ddof=1) / np.sqrt(len(row))), count[name])
        for name, row in means.items()
        if len(row) > 2
    }


def _rings_of(
    z: int, volume: Voxels, cell: CellGeometry, tube_um: float, margin: float
) -> dict[str, tuple[float, int]]:
    """Mean and number of the voxels of tube and air in one slice, where there are enough."""
    image = np.asarray(volume[z : z + 1], np.float32)[0]
    radius = cell.radius_um(float(z))
    field = np.isfinite(image) & (image != image[0, 0])
    tube = (radius > cell.bore_radius_um + margin) & (radius < tube_um - margin)
    rings = {"polyimide": tube, "air": radius > tube_um + margin}
    held = {name: image[ring & field] for name, ring in rings.items()}
    return {k: (float(v.mean()), int(v.size)) for k, v in held.items() if v.size >= _LEAST_VOXELS}


def _lithium(
    volume: Voxels, cell: CellGeometry, reference: Reference
) -> dict[str, tuple[float, float, int]]:
    needed = ("steel_lithium", "lithium_electrolyte")
    if not all(name in cell.planes for name in needed):
        return {}
    cubes = gather_cubes(volume, Span(cell, *needed, 3 * reference.blur_um))
    if cubes.mean.size < 60:
        return {}
    peak = sample_peak(cubes.mean)
    return {"lithium": (peak.position, peak.sd, peak.n)}
