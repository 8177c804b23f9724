"""Volume fractions of a cell's materials. In: the table of materials; out: numbers and bounds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal

import numpy as np

from xct.geometry import MATERIALS, CellGeometry, Surface, lost_faces
from xct.normalize.artifacts import Artifacts
from xct.normalize.given.scale import GivenScale
from xct.normalize.grain_shape import GrainShape
from xct.quantity import Number

if TYPE_CHECKING:
    import pandas as pd

_DOUBT_PX = 1.0  # of the stated sd of the collector's face, 0.4 in plain cells: no volume is given
# Of what absorption does not distinguish, or what is finer than the blur: the number is a bound.
_BOUNDS: Mapping[str, tuple[Literal["upper", "lower"], str]] = {
    "lithium": (
        "upper",
        "a void on the steel counts as lithium: absorption does not distinguish them",
    ),
    "electrolyte": ("upper", "pores finer than the point spread count as electrolyte"),
    "low_grey": ("lower", "pores finer than the point spread count as electrolyte"),
}


# Materials of which no fraction is known where the face between them is in view, but not given.
_BESIDE: Mapping[str, tuple[str, ...]] = {
    "steel_lithium": ("steel", "lithium"),
    "lithium_electrolyte": ("lithium", "electrolyte", "low_grey"),
    "cathode_collector": ("active_material", "collector"),
}
_OBLIQUE = "air behind the steel, where the file ends obliquely, counts as steel"
_OF_MORE = f"a fraction of less than is in view: {_OBLIQUE}"
# What a filter moves: after a median over 3 × 3 × 3 voxels a cathode's active material was 1.7
# times what it is (seed 13).
_CURVED = ("lithium", "active_material", "low_grey")  # whose edges a curve over the values moves
_FILTERED = ("electrolyte", "active_material", "low_grey")


def material_numbers(
    materials: pd.DataFrame,
    cell: CellGeometry | None = None,
    surfaces: Mapping[str, Surface] | None = None,
    volume_artifacts: Artifacts | None = None,
    grain_shape: GrainShape | None = None,
    sharpened_edges: str | None = None,
    given_scale: GivenScale | None = None,
    coarse_codes: str | None = None,
    lone_points: str | None = None,
) -> Iterator[tuple[str, Number]]:
    """Give the volume fraction of each material, and of what is unknown.

    Left out is that of a material whose face is in view and could not be given, that of the
    collector where its face is in doubt, those of steel and collector where slices lie at another
    distance than is said, as their thickness is known in µm, and those that a filter, a curve over
    the grey values, few codes, lone points or a seam moves; in coarse voxels, or where slices are
    in no order, all. Of a cell that was put upright, steel is an upper bound, and the others are
    uncertain by all that it may have too much.
    """
    bounds, unknown = dict(_BOUNDS), set[str]()
    too_much = _oblique(cell, volume_artifacts)
    if too_much:
        bounds = {"steel": ("upper", _OBLIQUE)}
    filtered = volume_artifacts is not None and (
        volume_artifacts.smoothed or volume_artifacts.filtered
    )
    if filtered or (grain_shape is not None and grain_shape.smeared):
        unknown.update(_FILTERED)
    if volume_artifacts is not None and volume_artifacts.smoothed:
        unknown.update(("lithium", "steel", "collector"))
    unknown |= _hidden(sharpened_edges, given_scale, coarse_codes or lone_points)
    if grain_shape is not None and grain_shape.seams:
        unknown.add("low_grey")
    disordered = given_scale is not None and given_scale.disordered
    if disordered or (grain_shape is not None and grain_shape.coarse):
        unknown |= set(MATERIALS)
    upright = volume_artifacts is not None and volume_artifacts.upright
    lost = lost_faces(cell, surfaces, upright=upright) & _BESIDE.keys()
    unknown |= {material for name in lost for material in _BESIDE[name]}
    if grain_shape is not None and grain_shape.bounds is not None:
        unknown.update(("steel", "collector"))
    if cell is not None and surfaces is not None and collector_in_doubt(surfaces, cell):
        unknown.add("collector")
    for row in materials.to_dict("records"):
        fraction, name = row["volume_fraction"], str(row["material"])
        if name in unknown:
            continue
        sd = fraction * row["volume_um3_sd"] / row["volume_um3"]
        bound, note = bounds.get(name, (None, None))
        if too_much and name != "steel":
            sd, note = float(np.hypot(np.nan_to_num(sd), fraction * too_much)), _OF_MORE
        if cell is not None and cell.lens_at_wall:  # a face near an end moves by up to that
            sd = float(np.hypot(np.nan_to_num(sd), cell.lens_at_wall))
        yield f"volume_fraction.{name}", Number(fraction, sd=sd, bound=bound, note=note)


def collector_in_doubt(surfaces: Mapping[str, Surface], cell: CellGeometry) -> bool:
    """Whether the collector's face may be a voxel off: it is thin, and has two faces."""
    sd_um = typical_sd_um(surfaces, "cathode_collector")
    return sd_um > _DOUBT_PX * cell.voxel_size_um[0]


def _hidden(sharpened: str | None, scale: GivenScale | None, codes: str | None) -> set[str]:
    """Name those that sharpened edges, few codes, a curve over the values or a seam make more."""
    hidden = set[str]()
    if scale is not None and scale.bent:
        hidden.update(_CURVED)
    if sharpened or codes or (scale is not None and scale.shifted):
        hidden.add("low_grey")
    return hidden


def _oblique(cell: CellGeometry | None, artifacts: Artifacts | None) -> float:
    """Give how much of the view may be air behind steel, of a cell that was put upright.

    A wedge at either end, as high in the mean as the bore's radius times the slope.
    """
    if cell is None or artifacts is None or not artifacts.upright:
        return 0.0
    wedge_um = cell.bore_radius_um * np.tan(np.radians(artifacts.tilt_deg))
    return float(2 * wedge_um / (cell.shape[0] * cell.voxel_size_um[0]))


def typical_sd_um(surfaces: Mapping[str, Surface], name: str) -> float:
    """Median of what a map states, µm; 0 where there is none."""
    face = surfaces.get(name)
    known = face is not None and np.isfinite(face.sd_um).any()
    return float(np.nanmedian(face.sd_um)) if face is not None and known else 0.0
