"""The electrolyte as a reference. In: a volume and its cell; out: m(z, r), noise, blur, glare."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Gt

from xct.errors import DataError
from xct.geometry import CellGeometry
from xct.normalize.calibration import GREY, Calibration, calibrate
from xct.normalize.cathode_electrolyte import (
    Cathode,
    composite_span,
    find_cathode,
    reference_between_particles,
)
from xct.normalize.glare import diagnose
from xct.normalize.model import SmoothModel, fit_model
from xct.normalize.reference import Reference, reference_numbers
from xct.normalize.reference_table import reference_table
from xct.normalize.sampling import Cubes, Span, cathode_span, electrolyte_span, gather_cubes
from xct.normalize.volume_sample import VolumeSample, sample_volume
from xct.normalize.zero_level import grey_of_air, offset_of_air
from xct.parallel.blocks import Voxels
from xct.quantity import Json, Quantity, Table
from xct.stages import stage
from xct.statistics.peaks import Peak, mean_about, sample_peak

_RINGS, _LEAST_BANDS = 4, 4
_LEAST_CUBES = 60  # of a block whose peak is looked for
_NEAR = (0.6, 1.5)  # multiples of the common peak among which a block's peak is looked for
_GRAINY = 0.25  # width over position of the cubes' peak: more is no plain material
# After phase retrieval, which leaves little noise, a wall that differs from a blurred step by more
# than this part of the step has a fringe beside it: 0.03 where it is 4 voxels thick, else 0.007.
_LARGEST_MISFIT = 0.02
_GUESSED_BLUR_VOXELS = 2.2


@stage(
    gives=Quantity(
        "reference",
        unit="the electrolyte's μ by depth and radius, 1/cm",
        store=(Json(Reference), Table(of="published_table")),
        numbers=reference_numbers,
    ),
    measures=True,
)
def electrolyte_reference(
    volume: Voxels,
    cell: CellGeometry,
    steps: Mapping[str, Any] | None = None,
    volume_unit: str | None = None,
    energy_kev: float | None = None,
    *,
    margin_widths: Annotated[float, Ge(1)] = 3.0,
    band_um: Annotated[float, Gt(0)] = 24.0,
    blur_um: Annotated[float, Gt(0)] | Literal["measured"] = "measured",
) -> Reference:
    """Find the electrolyte's value by height and radius, and what else normalization needs.

    Means of cubes of about 8 µm, surely inside the electrolyte, are sorted into blocks of height
    and radius. In each the half-sample mode [1]_, then a Gaussian through the top half of the peak
    tell where the peak lies, and the mean of the cubes about it, weighted by how near they are, its
    value; a smooth model of low order goes through them. Chips, cracks and drifted particles lie
    beside the peak and hardly move it.

    Parameters
    ----------
    volume : Voxels, shape (z, y, x)
        Linear attenuation, 1/cm, or grey values of any linear scale.
    cell : CellGeometry
        Where the layers lie.
    steps : mapping, optional
        Settings of the steps that led to the volume, by name: after `phase_retrieval` a fringe may
        be left beside the bore's wall, which then does not tell the point spread.
    volume_unit : str, optional
        "1/cm", or "grey": values are then counted from those of air, and no μ.
    energy_kev : float, optional
        Photon energy: by it μ of the electrolyte is held against its table.
    margin_widths : float, optional
        Widths (FWHM) of the point spread to keep from interfaces and the wall.
    band_um : float, optional
        Height of the blocks, at least.
    blur_um : float or "measured", optional
        Width (FWHM) of the point spread; measured at the bore's wall unless given.

    Returns
    -------
    Reference

    Raises
    ------
    DataError
        If there is no electrolyte to be found, neither as a layer nor between particles.

    References
    ----------
    .. [1] Bickel & Frühwirth (2006), Comput. Stat. Data Anal. 50, 3500.
       doi:10.1016/j.csda.2005.07.011
    """
    find = partial(
        _find,
        volume,
        cell,
        energy_kev=energy_kev,
        fringed="phase_retrieval" in (steps or {}),
        margin_widths=margin_widths,
        band_um=band_um,
        blur_um=blur_um,
    )
    found = find(volume_unit)
    if found.mu_known or found.is_grey:
        return found
    # What cannot be μ may begin anywhere, as grey values do.
    return replace(find(GREY), unit=found.unit)


def _find(
    volume: Voxels,
    cell: CellGeometry,
    volume_unit: str | None,
    *,
    energy_kev: float | None,
    fringed: bool,
    margin_widths: float,
    band_um: float,
    blur_um: float | Literal["measured"],
) -> Reference:
    layer, composite = electrolyte_span(cell, 0.0), composite_span(cell)
    wide = layer or cathode_span(cell, 0.0)
    if wide is None:
        raise DataError(_no_electrolyte(cell))
    sample = sample_volume(volume, cell, wall=wide.rows())
    grey = volume_unit == GREY
    air = grey_of_air(volume, sample, cell, energy_kev) if grey else offset_of_air(sample)
    blur = _blur(sample, cell, blur_um, fringed=fringed and layer is not None)
    known = partial(
        calibrate, unit=volume_unit, energy_kev=energy_kev, voxel_um=cell.voxel_size_um[2]
    )
    guessed = blur_um == "measured" and not np.isfinite(blur[1])
    found = _layer(volume, layer, margin_widths * blur[0], air)
    if found is not None and not cell.planes:
        composite = None  # all of it is the electrolyte's layer
    cathode = find_cathode(volume, sample, composite, air)
    if found is not None:
        reference = _in_layer(found, cell, cathode, sample.noise, blur, air, band_um, known)
    elif cathode is not None and cathode.in_plane is not None and cathode.has_particles:
        calibration = known(cathode.in_plane[0], between=True)
        between = reference_between_particles(
            cell, cathode, sample.noise, blur, air, per_um=_per_um(calibration)
        )
        reference = replace(between, **vars(calibration))
    else:
        raise DataError(_no_electrolyte(cell))
    return replace(reference, blur_guessed=guessed, unit=volume_unit or "1/cm")


def _in_layer(
    layer: _Layer,
    cell: CellGeometry,
    cathode: Cathode | None,
    noise: np.ndarray,
    blur: tuple[float, float],
    air: float,
    band_um: float,
    known: Callable[[float], Calibration],
) -> Reference:
    """Make the reference of a cell with electrolyte in a layer of its own."""
    cubes = layer.cubes
    blocks = _blocks(cubes, layer.peak, cell, band_um)
    model = fit_model(
        *(blocks[name] for name in ("z_um", "r_um", "peak", "sd")),
        z_range_um=_heights(cell, blocks["z_um"], band_um),
        r_high_um=cell.bore_radius_um,
    )
    over = blocks["peak"] / model.value(blocks["z_um"], blocks["r_um"])
    peak = float(model.value(cubes.z_um, cubes.r_um).mean())
    calibration = known(peak)
    return Reference(
        model=model,
        noise_per_cm=noise,
        blur_um=blur[0],
        blur_sd_um=blur[1],
        table=reference_table(blocks, model, cell, cathode),
        peak_per_cm=peak,
        peak_sd_per_cm=_mean_sd(model, cubes, cell.voxel_size_um[0]),
        n=int(cubes.mean.size),
        flatness_before=float(blocks["peak"].std() / blocks["peak"].mean()),
        flatness_after=float(over.std() / over.mean()),
        confounded="density" if _has_trend(model) else None,
        glare=diagnose(
            None if cathode is None else cathode.cubes,
            model,
            bore_radius_um=cell.bore_radius_um,
            in_plane=None if cathode is None else cathode.in_plane,
            per_um=_per_um(calibration) if air == 0 else float("nan"),
        ),
        air=air,
        **vars(calibration),
    )


@dataclass(frozen=True)
class _Layer:
    cubes: Cubes
    peak: Peak


def _per_um(calibration: Calibration) -> float:
    """Turn values above air into 1/µm; NaN where they are no attenuation."""
    return 1e-4 if calibration.mu_known else float("nan")


def _blur(
    sample: VolumeSample, cell: CellGeometry, given: float | Literal["measured"], *, fringed: bool
) -> tuple[float, float]:
    if given != "measured":
        return float(given), float("nan")
    spoiled = fringed and sample.wall_misfit > _LARGEST_MISFIT
    if np.isfinite(sample.blur_um) and not spoiled:
        return sample.blur_um, sample.blur_sd_um
    guess = _GUESSED_BLUR_VOXELS * max(cell.voxel_size_um)
    warnings.warn(
        f"no sharp wall is in view to measure the point spread at; {guess:.3g} µm is a guess, and "
        "state of charge is withheld; give its FWHM by steps.electrolyte_reference.blur_um",
        stacklevel=3,
    )
    return guess, float("nan")


def _layer(volume: Voxels, layer: Span | None, margin_um: float, air: float) -> _Layer | None:
    """Cubes of the electrolyte's own layer; None where there are too few, or it is a composite."""
    if layer is None:
        return None
    for margin in (margin_um, 0.5 * margin_um):
        cubes = gather_cubes(volume, replace(layer, margin_um=margin), air)
        if cubes.mean.size < 3 * _LEAST_CUBES:
            continue
        peak = sample_peak(cubes.mean)
        if peak.position <= 0 or peak.width > _GRAINY * peak.position:
            return None
        return _Layer(cubes, peak)
    return None


def _blocks(cubes: Cubes, peak: Peak, cell: CellGeometry, band_um: float) -> dict[str, np.ndarray]:
    """Peaks of blocks in height and radius, rings of equal area."""
    height = cubes.edge[0] * cell.voxel_size_um[0]
    low, high = float(cubes.z_um.min()) - height / 2, float(cubes.z_um.max()) + height / 2
    layers = max(1, round((high - low) / height))
    bands = min(layers, max(_LEAST_BANDS, int((high - low) / band_um)))
    rings = max(1, min(_RINGS, int(cubes.mean.size / bands / (3 * _LEAST_CUBES))))
    widest = float(cubes.r_um.max()) * (1 + 1e-6)
    band = np.minimum(((cubes.z_um - low) / (high - low) * bands).astype(int), bands - 1)
    ring = np.minimum(((cubes.r_um / widest) ** 2 * rings).astype(int), rings - 1)
    kept = (cubes.mean > _NEAR[0] * peak.position) & (cubes.mean < _NEAR[1] * peak.position)
    rows = []
    for number in range(bands * rings):
        chosen = kept & (band * rings + ring == number)
        if np.count_nonzero(chosen) < _LEAST_CUBES:
            continue
        found = mean_about(cubes.mean[chosen], sample_peak(cubes.mean[chosen], seed=number))
        r = float(np.sqrt(np.mean(cubes.r_um[chosen].astype(float) ** 2)))
        z = float(cubes.z_um[chosen].mean())
        rows.append((z, r, found.position, max(found.sd, 1e-9 * found.position), found.n))
    if not rows:
        raise DataError(
            f"the electrolyte in view is too small to be a reference: {cubes.mean.size} cubes of "
            f"{height:.3g} µm lie inside"
        )
    columns = np.array(rows).T
    return dict(zip(("z_um", "r_um", "peak", "sd", "n"), columns, strict=True))


def _heights(cell: CellGeometry, z_um: np.ndarray, band_um: float) -> tuple[float, float]:
    """Give the heights on the axis between which electrolyte lies, or its blocks and a band."""
    span = electrolyte_span(cell, 0.0)
    if span is None:
        raise DataError(_no_electrolyte(cell))
    low, high = span.limits_um(np.array(cell.axis_y_um), np.array(cell.axis_x_um))
    last = (cell.shape[0] - 1) * cell.voxel_size_um[0]
    first, stop = float(z_um.min()) - band_um, float(z_um.max()) + band_um
    return max(0.0, float(low), first), min(last, float(high), stop)


def _mean_sd(model: SmoothModel, cubes: Cubes, voxel_um: float) -> float:
    """Give the uncertainty of the layer's mean: that of the model, and of where the layer ends.

    Cubes cut off up to their own height at either end, where the electrolyte may be denser.
    """
    sample = slice(None, None, max(1, cubes.mean.size // 2000))
    fitted = np.sqrt(np.mean(model.sd(cubes.z_um[sample], cubes.r_um[sample]) ** 2))
    ends = model.value(np.array([model.z_low_um, model.z_high_um]), 0.0)
    slope = (ends[1] - ends[0]) / max(model.z_high_um - model.z_low_um, voxel_um)
    return float(np.hypot(fitted, slope * cubes.edge[0] * voxel_um / np.sqrt(12)))


def _has_trend(model: SmoothModel) -> bool:
    """Say whether m changes along z by more than its uncertainty and than a thousandth."""
    z = np.linspace(model.z_low_um, model.z_high_um, 33)
    along, sd = model.value(z, 0.0), model.sd(z, 0.0)
    low, high = int(along.argmin()), int(along.argmax())
    uncertainty = 3 * float(np.hypot(sd[low], sd[high]))
    return bool(along[high] - along[low] > max(uncertainty, 1e-3 * float(np.abs(along).mean())))


def _no_electrolyte(cell: CellGeometry) -> str:
    seen = ", ".join(cell.planes) or "none"
    return (
        f"no electrolyte is in view (surfaces found: {seen}); grey values cannot be normalized to "
        "it: give a volume that holds some, or work with the values as they are"
    )
