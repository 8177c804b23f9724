"""Numbers of a measured cell. In: quantities by name; out: entries of summary.json."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from xct.geometry import CellGeometry

if TYPE_CHECKING:
    from pandas import DataFrame

Entry = tuple[str, dict[str, Any]]

_NOTE = "a void on the steel counts as lithium: absorption does not tell them apart"
_AT_MOST = {"bound": "upper", "note": _NOTE}
_AT_LEAST = {"bound": "lower", "note": _NOTE}


def measured_entries(measured: Mapping[str, Any]) -> dict[str, Any]:
    """Collect every number that was measured, with what is known of its uncertainty.

    Parameters
    ----------
    measured : mapping
        What the steps gave, by quantity; what could not be measured is absent.

    Returns
    -------
    dict
        Entries ``{"value", "sd", "n", "unit"}``; numbers that are not finite are left out.
    """
    makers: dict[str, Callable[[Any], Iterable[Entry]]] = {
        "cell": _of_cell,
        "roughness": _of_tilt,
        "reference": lambda reference: reference.summary().items(),
        "absolute": _of_absolute,
        "layers": _of_layers,
        "materials": _of_materials,
        "particles": lambda found: _of_particles(found[1]),
        "inclusions": _of_inclusions,
    }
    found: dict[str, Any] = {}
    for name, make in makers.items():
        if measured.get(name) is not None:
            found |= {key: entry for key, entry in make(measured[name]) if _is_known(entry)}
    if {"charge", "particles"} <= measured.keys():
        found |= dict(_of_charge(measured))
    return found


def _of_charge(measured: Mapping[str, Any]) -> Iterator[Entry]:
    from xct.analyze import charge_contrast

    particles, energy_kev = measured["particles"][1], measured["energy_kev"]
    contrast = charge_contrast(measured["charge"], particles, energy_kev=energy_kev)
    made = entry(contrast.verdict, "1", n=contrast.n_drifted)
    yield "drifted_charge", made  # also where there are too few: nothing is claimed then
    if math.isfinite(contrast.difference):
        made = entry(contrast.difference, "1", sd=contrast.sd, n=contrast.n_drifted)
        yield "drifted_mu_difference", made


def _is_known(entry: Mapping[str, Any]) -> bool:
    value = entry["value"]
    return value is not None and (isinstance(value, str) or math.isfinite(value))


def entry(
    value: Any, unit: str, *, sd: float | None = None, n: int | None = None
) -> dict[str, Any]:
    """Make an entry; what is unknown or not finite is left out."""
    made: dict[str, Any] = {"value": value if isinstance(value, str | int) else float(value)}
    if sd is not None and math.isfinite(sd):
        made["sd"] = float(sd)
    if n is not None:
        made["n"] = int(n)
    return made | {"unit": unit}


def _of_cell(cell: CellGeometry) -> Iterator[Entry]:
    if math.isfinite(cell.bore_radius_sd_um):  # otherwise the wall is out of view
        yield "bore_radius_um", entry(cell.bore_radius_um, "µm", sd=cell.bore_radius_sd_um)
    yield "anode", entry(cell.anode, "1")
    for name, plane in cell.planes.items():
        steepest = math.degrees(math.atan(math.hypot(plane.slope_y, plane.slope_x)))
        yield f"tilt_deg.{name}", entry(steepest, "°")


def _of_tilt(roughness: DataFrame) -> Iterator[Entry]:
    """Give the tilt of height maps: finer than that of the planes which the cell was found by."""
    for row in roughness.to_dict("records"):
        if math.isfinite(row.get("tilt_x_deg", math.nan)):
            slopes = (math.tan(math.radians(row[f"tilt_{axis}_deg"])) for axis in "xy")
            steepest = math.degrees(math.atan(math.hypot(*slopes)))
            made = entry(steepest, "°", sd=row["tilt_x_deg_sd"], n=row["n"])
            yield f"tilt_deg.{row['surface']}", made


def _of_absolute(table: DataFrame) -> Iterator[Entry]:
    known = table.iloc[0].to_dict()
    made = entry(str(known["fits"]), "1", n=len(table))
    for name, kind in (("density_g_per_cm3", float), ("plausible", bool)):
        if name in known:
            made[name] = kind(known[name])
    yield "values_fit", made


def _of_layers(layers: DataFrame) -> Iterator[Entry]:
    for row in layers.to_dict("records"):
        name = row["layer"]
        sd = row.get("mean_thickness_um_sd")
        thickness = entry(row["mean_thickness_um"], "µm", sd=sd, n=row.get("n"))
        yield f"thickness_um.{name}", thickness | (_AT_MOST if name == "lithium" else {})
        if row.get("swelling") is not None:
            swelling = entry(row["swelling"], "1", sd=row.get("swelling_sd"), n=row.get("n"))
            yield f"swelling.{name}", swelling
        if name == "lithium":
            absent = row["absent_area_fraction"]
            sd = row.get("absent_area_fraction_sd")
            yield "absent_area_fraction", entry(absent, "1", sd=sd, n=row.get("n")) | _AT_LEAST


def _of_materials(materials: DataFrame) -> Iterator[Entry]:
    for row in materials.to_dict("records"):
        key = f"volume_fraction.{row['material']}"
        sd = row["volume_fraction"] * row["volume_um3_sd"] / row["volume_um3"]
        at_most = _AT_MOST if row["material"] == "lithium" else {}
        yield key, entry(row["volume_fraction"], "1", sd=sd) | at_most


def _of_particles(particles: DataFrame) -> Iterator[Entry]:
    yield "particles", entry(len(particles), "particles")
    yield "drifted_particles", entry(int(particles["drifted"].sum()), "particles", n=len(particles))
    if len(particles):
        diameter = particles["equivalent_diameter_um"]
        sd = float(diameter.std() / math.sqrt(len(diameter))) if len(diameter) > 1 else None
        middle = entry(diameter.median(), "µm", sd=sd, n=len(diameter))
        yield "median_diameter_um", middle


def _of_inclusions(inclusions: DataFrame) -> Iterator[Entry]:
    yield "inclusions", entry(len(inclusions), "inclusions")
    yield "inclusion_volume_um3", entry(inclusions["volume_um3"].sum(), "µm³", n=len(inclusions))
