"""Thickness of the layers. In: surfaces; out: maps, a table, the area without lithium."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import scipy

from xct.analyze.lithium.gaps import GAP_NOTE, find_gaps
from xct.analyze.swelling import swelling_of
from xct.errors import DataError
from xct.figures import canvas, scale_bar
from xct.geometry import CellGeometry, Surface
from xct.normalize.artifacts import Artifacts
from xct.normalize.given.scale import GivenScale
from xct.normalize.grain_shape import GrainShape, joined
from xct.normalize.reference import Reference
from xct.parallel.blocks import Voxels
from xct.preprocess.fringes import refuse_fringes
from xct.quantity import Number, Quantity, Table
from xct.segment.cell.slice_spacing import OF_A_STEP
from xct.stages import stage

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

LAYERS = ("lithium", "electrolyte", "cathode")
# Fraction of a column's standard deviation that all columns have in common; no mean removes it.
COMMON = 0.5
_EDGE_PX = 0.15  # sd of the outline of absent lithium, everywhere alike
_THINNEST = 0.05  # quantile of the lithium at that outline: the thinnest that counts
_OF_UNIFORM = 3**0.5  # sd of what may be anything up to a limit on either side, in that limit
_SWEEP = 12
# Standard uncertainty of a thickness where the phase was retrieved. In a virtual cell at 20 keV,
# 1.625 µm and 40 mm, faces were found up to 0.8 voxels off, thicknesses up to 0.6.
_RETRIEVED_VOXELS = 0.4
# … and of one beside the cathode's front, where a filter in three dimensions went over the volume:
# 0.43 voxels after a median over 3 × 3 × 3 voxels (seed 13); of lithium after the largest of three
# slices 1.7 (seed 111).
_FILTERED_VOXELS = 1.0
_RETRIEVED_AREA = 0.01  # of absent lithium: up to 0.009 is found where there is none


class WithSurfaces(Protocol):
    """A result that holds surfaces."""

    @property
    def surfaces(self) -> Mapping[str, Surface]:
        """Height maps by name."""
        ...


def thickness_maps(surfaces: Mapping[str, Surface]) -> dict[str, Surface]:
    """Subtract surfaces from each other.

    Where lithium is absent its thickness is 0, and the electrolyte begins at the steel.

    Parameters
    ----------
    surfaces : mapping of str to Surface
        By name; layers that miss one are left out.

    Returns
    -------
    dict of str to Surface
        Thickness in µm and its standard deviation, by layer; NaN where it is not known.
    """
    steel, lithium, front, back = (surfaces.get(name) for name in (
        "steel_lithium", "lithium_electrolyte", "electrolyte_cathode", "cathode_collector"
    ))  # fmt: skip
    start = lithium
    if steel is not None and lithium is not None:
        gone = absent_lithium(surfaces)
        start = Surface(
            np.where(gone, steel.height_um, lithium.height_um),
            np.where(gone, steel.sd_um, lithium.sd_um),
            lithium.definition,
        )
    elif steel is not None and lithium is None:
        start = steel
    faces = {
        "lithium": (steel, start if lithium is not None else None),
        "electrolyte": (start, front),
        "cathode": (front, back),
    }
    return {
        name: _between(a, b) for name, (a, b) in faces.items() if a is not None and b is not None
    }


def absent_lithium(surfaces: Mapping[str, Surface]) -> np.ndarray:
    """Mark columns that were measured and hold no lithium, bool (y, x)."""
    steel, lithium = surfaces["steel_lithium"], surfaces["lithium_electrolyte"]
    measured = np.isfinite(steel.height_um) & np.isfinite(lithium.sd_um)
    return np.asarray(measured & np.isnan(lithium.height_um))


def _between(first: Surface, second: Surface) -> Surface:
    # Whichever side the anode is on.
    thickness = np.abs(second.height_um - first.height_um)
    return Surface(thickness, np.hypot(first.sd_um, second.sd_um), "thickness along z")


_FACES_OF = {
    "lithium": ("steel_lithium", "lithium_electrolyte"),
    "electrolyte": ("steel_lithium", "lithium_electrolyte", "electrolyte_cathode"),
    "cathode": ("electrolyte_cathode", "cathode_collector"),
}
_NOTE = (
    "a void on the steel, or a gap to the electrolyte, counts as lithium: absorption does not "
    "distinguish them"
)


def layer_numbers(
    layers: DataFrame,
    grain_shape: GrainShape | None = None,
    volume_artifacts: Artifacts | None = None,
    cell: CellGeometry | None = None,
    given_scale: GivenScale | None = None,
    implausible_blur: str | None = None,
    reference: Reference | None = None,
) -> Iterator[tuple[str, Number]]:
    """Give thickness, swelling, and the fraction of absent lithium.

    Where slices lie at another distance than is said, a thickness is a bound; that of lithium,
    which is one already, is left out where the two sides differ, and so is absent lithium. Where a
    filter went over the volume, faces are known to a voxel only, where no edge is as sharp as
    grains, to half of the point spread, and where lithium is absent,
    which rests on how thin it is, is left out. Where a curve
    was laid over the values, nothing of lithium is known; of a layer that a gap lies in, nothing.
    """
    front_um = 0.0
    if cell is not None and volume_artifacts is not None and volume_artifacts.smoothed:
        front_um = _FILTERED_VOXELS * cell.voxel_size_um[0]
    if implausible_blur and reference is not None and np.isfinite(reference.blur_um):
        front_um = float(np.hypot(front_um, reference.blur_um / 2))
    if given_scale is not None and given_scale.disordered:
        return
    for row in layers.to_dict("records"):
        name, n = row["layer"], row.get("n")
        is_lithium = name == "lithium"
        if is_lithium and given_scale is not None and given_scale.bent:
            continue
        if cell is not None and given_scale is not None and _cut(name, cell, given_scale.gaps):
            continue
        known, bound = joined("upper" if is_lithium else None, grain_shape)
        if known:
            sd, note = row.get("mean_thickness_um_sd"), _NOTE if is_lithium else None
            if front_um:
                sd = float(np.hypot(sd or 0.0, front_um))
            if cell is not None and cell.lens_at_wall:
                sd = float(np.hypot(sd or 0.0, cell.lens_at_wall * row["mean_thickness_um"]))
            yield f"thickness_um.{name}", Number(row["mean_thickness_um"], "µm", sd, n, bound, note)
        if is_lithium and row.get("gap_at_most_um") is not None:
            least = {"at_least_um": round(float(row.get("gap_at_least_um", 0.0)), 4)}
            gap = Number(row["gap_at_most_um"], "µm", None, n, "upper", GAP_NOTE, least)
            yield "gap_at_lithium_um", gap
        if row.get("swelling") is not None:
            yield f"swelling.{name}", Number(row["swelling"], sd=row.get("swelling_sd"), n=n)
        if is_lithium and not front_um and (grain_shape is None or grain_shape.of_lengths is None):
            sd = row.get("absent_area_fraction_sd")
            absent = Number(row["absent_area_fraction"], sd=sd, n=n, bound="lower", note=_NOTE)
            yield "absent_area_fraction", absent


def _cut(layer: str, cell: CellGeometry, slices: Sequence[int]) -> bool:
    """Whether any slice lies within a layer, or at one of its faces that are in view."""
    heights = [cell.planes[name].height_um for name in _FACES_OF[layer] if name in cell.planes]
    step = cell.voxel_size_um[0]
    return any(min(heights) - step < z * step < max(heights) + step for z in slices if heights)


def absent_lithium_table(
    surfaces: Mapping[str, Surface],
    uncorrected_fringes: str | None = None,
    darks_too_high: str | None = None,
    light_unsteady: str | None = None,
) -> DataFrame | None:
    """Give the table of `absent_area_sweep`; None with fringes, wrong light, or without heights."""
    if uncorrected_fringes or darks_too_high or light_unsteady:
        return None
    try:
        return absent_area_sweep(surfaces)
    except ValueError:
        return None


def thickness_figure(surfaces: Mapping[str, Surface], cell: CellGeometry) -> Figure | None:
    """Draw the thickness of every layer; where lithium is gone, it is 0."""
    maps = thickness_maps(surfaces)
    if not maps:
        return None
    figure, axes = canvas(1, len(maps), (5.2 * len(maps), 4.6))
    edge = cell.voxel_size_um[2]
    for axis, (layer, found) in zip(axes, maps.items(), strict=True):
        thickness = np.abs(found.height_um)
        known = thickness[np.isfinite(thickness)]
        low, high = np.percentile(known, (0.5, 99.5)) if known.size else (0, 1)
        shown = axis.imshow(thickness, cmap="viridis", vmin=low, vmax=high, interpolation="none")
        mean = f", mean {known.mean():.1f} µm" if known.size else ""
        axis.set(xticks=[], yticks=[], title=f"{layer}{mean}")
        scale_bar(axis, thickness.shape[1], edge, color="black")
        figure.colorbar(shown, ax=axis, label="thickness (µm)")
    return figure


@stage(
    gives=Quantity(
        "layers",
        unit="table of layers",
        store=Table(),
        numbers=layer_numbers,
        figures={"thickness": thickness_figure},
        tables={"absent_lithium": absent_lithium_table},
    ),
    measures=True,
    rests_on=("bore_not_found", "noise_too_strong"),
)
def layer_thickness(
    surfaces: Mapping[str, Surface],
    pristine: WithSurfaces | None = None,
    uncorrected_fringes: str | None = None,
    steps: Mapping[str, Any] | None = None,
    cell: CellGeometry | None = None,
    slice_excess_um: float | None = None,
    volume: Voxels | None = None,
    reference: Reference | None = None,
    darks_too_high: str | None = None,
    light_unsteady: str | None = None,
) -> DataFrame:
    """Measure how thick the layers are, how evenly, and where lithium is gone.

    Parameters
    ----------
    surfaces : mapping of str to Surface
        Of this cell.
    pristine : result, optional
        A cell that was not cycled, to compare with.
    uncorrected_fringes : str, optional
        How propagation fringes are known of that no step dealt with; then nothing is measured.
    steps : mapping, optional
        Settings of the steps that led to the volume, by name: after `phase_retrieval` surfaces
        are less certain.
    cell : CellGeometry, optional
        For the height of its voxels.
    slice_excess_um : float, optional
        By how much slices are further apart than pixels are wide: a face may lie anywhere within.
    volume : Voxels, shape (z, y, x), optional
        Linear attenuation, 1/cm: distinguishes lithium from gaps, with a reference.
    reference : Reference, optional
        For the width of the point spread, and the value of air.
    darks_too_high, light_unsteady : str, optional
        What is wrong with the light: then no absent lithium is stated.

    Returns
    -------
    DataFrame
        One row for each layer: ``layer, mean_thickness_um, sd_thickness_um, absent_area_fraction,
        coefficient_of_variation, n`` (columns measured), with ``mean_thickness_um_sd`` and
        ``absent_area_fraction_sd``; and with a pristine cell ``swelling, swelling_sd``, the change
        of the median thickness over the pristine one. Absent lithium counts as 0 µm. For lithium
        also ``gap_at_most_um`` and ``gap_at_least_um`` of gaps to the electrolyte, over the area.

    Raises
    ------
    DataError
        If no layer lies between the surfaces that were found, or there are fringes.
    """
    import pandas as pd

    refuse_fringes(uncorrected_fringes)
    maps = thickness_maps(surfaces)
    if cell is not None and "lithium_electrolyte" in set(cell.planes) - set(surfaces):
        maps.pop("electrolyte", None)  # it does not begin at the steel: lithium lies there
    if not maps:
        raise DataError(
            f"no layer has both its faces: only {', '.join(surfaces) or 'no surface'} was found"
        )
    before = thickness_maps(pristine.surfaces) if pristine is not None else {}
    rows, light_unknown = [], bool(darks_too_high or light_unsteady)
    for name, layer in maps.items():
        row = {"layer": name, **_row(layer)}
        if name == "lithium":
            row |= _absent_area(absent_lithium(surfaces), layer.height_um)
            if cell is not None:
                gaps = find_gaps(layer, surfaces["steel_lithium"], volume, cell, reference)
                row |= {"gap_at_most_um": gaps.at_most, "gap_at_least_um": gaps.at_least}
        if pristine is not None:
            row |= swelling_of(layer, before.get(name), common=COMMON)
        if cell is not None and "phase_retrieval" in (steps or {}):
            doubt = _RETRIEVED_VOXELS * cell.voxel_size_um[0]
            row["mean_thickness_um_sd"] = float(np.hypot(row["mean_thickness_um_sd"], doubt))
            area_sd = float(np.hypot(row["absent_area_fraction_sd"], _RETRIEVED_AREA))
            row["absent_area_fraction_sd"] = area_sd
            # The fringe of a tube whose wall is not in view was not taken off.
            light_unknown |= getattr(reference, "blur_guessed", False)
        if name == "lithium" and light_unknown:
            row |= {"absent_area_fraction": np.nan, "absent_area_fraction_sd": np.nan}
        if cell is not None and slice_excess_um:
            row |= _between_slices(row, surfaces, slice_excess_um, cell.voxel_size_um[1:])
        rows.append(row)
    return pd.DataFrame(rows)


def _row(layer: Surface) -> dict[str, Any]:
    known = np.isfinite(layer.height_um)
    values = layer.height_um[known].astype(np.float64)
    mean, sd = (float(values.mean()), float(values.std())) if values.size else (np.nan, np.nan)
    return {
        "mean_thickness_um": mean,
        "mean_thickness_um_sd": COMMON * _median(layer.sd_um[known]),
        "sd_thickness_um": sd,
        "absent_area_fraction": 0.0,
        "absent_area_fraction_sd": np.nan,
        "coefficient_of_variation": sd / mean if mean else np.nan,
        "n": int(known.sum()),
    }


def _between_slices(
    row: Mapping[str, Any],
    surfaces: Mapping[str, Surface],
    excess_um: float,
    pixel_um: Sequence[float],
) -> dict[str, float]:
    """Enlarge what is uncertain where slices are far apart: both faces, and absent outlines.

    An outline is taken to be as steep as it is wide.
    """
    face_um = OF_A_STEP * excess_um
    sd = {"mean_thickness_um_sd": float(np.hypot(row["mean_thickness_um_sd"], 2**0.5 * face_um))}
    if row["layer"] == "lithium":
        rim = face_um / max(pixel_um) * _outline(absent_lithium(surfaces)) / max(row["n"], 1)
        sd["absent_area_fraction_sd"] = float(np.hypot(row["absent_area_fraction_sd"], rim))
    return sd


def _outline(columns: np.ndarray) -> int:
    """Count the edges between some columns and others."""
    return sum(
        int(np.count_nonzero(columns.take(range(1, n), axis) != columns.take(range(n - 1), axis)))
        for axis, n in enumerate(columns.shape)
    )


def _median(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else float("nan")


def _absent_area(absent: np.ndarray, thickness: np.ndarray) -> dict[str, float]:
    """Give the fraction of the area, and its uncertainty from the outline.

    Columns beside absent lithium are averaged with it: where they are hardly thicker than what
    counts as lithium at all, and less than half as thick as usual, they may hold none, anything
    from none of them to all.
    """
    area = max(int(np.isfinite(thickness).sum()), 1)
    outline = _outline(absent)
    rim = thickness[beside(absent) & np.isfinite(thickness)]
    usual = float(np.median(thickness[thickness > 0])) if rim.size else 0.0
    thin = min(2 * float(np.quantile(rim, _THINNEST)), 0.5 * usual) if rim.size else 0.0
    uncertain = np.count_nonzero(rim < thin) / _OF_UNIFORM
    return {
        "absent_area_fraction": float(absent.sum() / area),
        "absent_area_fraction_sd": float(np.hypot(_EDGE_PX * outline, uncertain) / area),
    }


def beside(columns: np.ndarray) -> np.ndarray:
    """Mark the neighbors of some columns, those at their corners too, bool (y, x)."""
    return np.asarray(scipy.ndimage.binary_dilation(columns, np.ones((3, 3), bool)) & ~columns)


def absent_area_sweep(surfaces: Mapping[str, Surface]) -> DataFrame:
    """Give the fraction of the area with less lithium than a limit, for several limits.

    Parameters
    ----------
    surfaces : mapping of str to Surface
        With both faces of the lithium.

    Returns
    -------
    DataFrame
        ``least_thickness_um, absent_area_fraction``, from a tenth of the median of the standard
        deviation to half of the median thickness, evenly on a logarithmic scale.

    Raises
    ------
    DataError
        If a face of the lithium was not found.
    """
    import pandas as pd

    layer = thickness_maps(surfaces).get("lithium")
    if layer is None:
        raise DataError("there is no lithium: one of its faces was not found")
    values = np.sort(layer.height_um[np.isfinite(layer.height_um)].astype(np.float64))
    if not values.size:
        raise DataError("there is no lithium: neither face has a height anywhere")
    least = max(0.1 * _median(layer.sd_um), 1e-3)
    most = max(0.5 * float(np.median(values[values > 0])) if values[-1] > 0 else least, 2 * least)
    limits = np.geomspace(least, most, _SWEEP)
    fraction = np.searchsorted(values, limits) / values.size
    return pd.DataFrame({"least_thickness_um": limits, "absent_area_fraction": fraction})
