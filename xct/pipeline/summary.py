"""Summary: what a run measured and how it was done. In: notes of the run; out: JSON and YAML."""

from __future__ import annotations

import logging
import math
import os
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from xct.geometry import CellGeometry
from xct.io.atomic import write_json, write_text
from xct.io.tables import write_table

if TYPE_CHECKING:
    from pandas import DataFrame

    from xct.pipeline.reconstruction import Job


# Numbers of a measured cell. In: quantities by name; out: entries of summary.json.

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


log = logging.getLogger("xct")

_PACKAGES = ("numpy", "scipy", "numba", "dask", "zarr", "h5py", "tifffile")
STARVED_FRACTION = 0.01


def versions() -> dict[str, str]:
    """Versions of xct, Python and the packages that the numbers depend on."""
    import xct

    found = {"xct": xct.__version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "unknown"
    return found


def machine() -> dict[str, Any]:
    """Say what the run had to work with, without naming the machine."""
    import psutil

    return {
        "processor": platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
    }


def write_report(job: Job, measured: Mapping[str, Any]) -> None:
    """Write summary.json, run.yaml and the pictures."""
    folder = job.folder
    found = _of_the_scan(job) if job.plan.from_scan else {}
    for remark in job.remarks.listed:
        if remark["step"] != "check":
            log.warning("%s: %s", remark["step"], remark["message"])
    summary = {
        **found,
        **_voxel_size(job.plan.voxel_size_um, known=_knows_voxel_size(job)),
        **measured_entries(measured),
        "warnings": job.remarks.listed,
    }
    write_json(folder.path / "summary.json", summary)
    if {"steel_lithium", "lithium_electrolyte"} <= measured.get("surfaces", {}).keys():
        from xct.analyze import absent_area_sweep

        with suppress(ValueError):  # no column has a height: there is nothing to sweep
            sweep = absent_area_sweep(measured["surfaces"])
            write_table(folder.path / "tables" / "absent_lithium.csv", sweep)
    with job.meter.step("figures"):
        _draw_middle(job)
        if "cell" in measured:
            from xct.analyze.figures import draw_measured

            draw_measured(folder.path / "figures", measured)
    write_text(folder.path / "run.yaml", yaml.safe_dump(_account(job), **_YAML))


def _of_the_scan(job: Job) -> dict[str, Any]:
    """Make entries of what was found and counted on the way from counts to slices."""
    angles, rows, columns = job.plan.scan.projections.shape
    counts = _counts_by_row(job.folder.notes("slab"), rows)
    starved = counts.get("nonpositive_transmission")
    if starved is not None and (message := starved_rows(starved, angles * columns)):
        job.remarks.add(message, "line_integrals")
    beyond = int(counts.pop("beyond", np.zeros(1)).sum())
    if beyond:
        job.remarks.add(
            f"{beyond} voxels lie beyond the range that uint16 covers and are stored as its "
            "nearest end; store float32 (run.dtype) if they matter",
            "write",
        )
    glare = job.folder.number("glare_fraction")
    measured = {} if glare is None else {"glare_fraction": glare}
    return {**_center(job), **measured, **_count_entries(counts, angles, columns)}


def _knows_voxel_size(job: Job) -> bool:
    return not job.plan.from_scan or job.plan.scan.voxel_size_um is not None


def _voxel_size(size: tuple[float, float, float], *, known: bool) -> dict[str, Any]:
    if not known:
        return {}
    entry: dict[str, Any] = {"value": size[2], "unit": "µm"}
    if len(set(size)) > 1:
        entry |= {"z": size[0], "y": size[1], "x": size[2]}
    return {"voxel_size_um": entry}


_YAML: Any = {"sort_keys": False, "allow_unicode": True, "width": 100}


def _center(job: Job) -> dict[str, Any]:
    given = job.plan.config.scan.center_px
    if given is not None:
        return {"center_px": {"value": given, "unit": "px", "method": "configuration"}}
    found = job.folder.number("center_px")
    return {} if found is None else {"center_px": found}


def _draw_middle(job: Job) -> None:
    path = job.folder.path / "volume.zarr"
    if not path.exists():
        return
    from xct.figures import draw_slice
    from xct.io.volumes import open_volume

    number = job.plan.volume_shape[0] // 2
    title = f"{job.plan.config.cell.name or job.plan.output.name}, slice {number}"
    section = job.plan.config.volume
    what = "grey value" if section and section.quantity == "grey" else "linear attenuation (1/cm)"
    voxel = job.plan.voxel_size_um[2]
    middle = open_volume(path).read(number)
    draw_slice(job.folder.path / "figures", "slice", middle, voxel, title=title, what=what)


def _account(job: Job) -> dict[str, Any]:
    """Say how the result was made; its `configuration` can be run again."""
    plan = job.plan
    configuration = plan.config.model_dump(mode="json")
    configuration["steps"] = {step.name: dict(step.settings) for step in plan.steps}
    if not plan.from_scan:
        del configuration["scan"]
    return {
        "configuration": configuration,
        "recipe": [step.name for step in plan.steps],
        "kept": list(job.products),
        "input": {
            "layout": plan.source.layout,
            "files": len(plan.source.files),
            "checksum": job.folder.identity()["input"],  # type: ignore[index]
            **({"facts_from": plan.scan.origin} if plan.from_scan else {}),
        },
        "versions": versions(),
        "machine": machine(),
        "shared_out": {
            "workers": plan.resources.workers,
            "threads": plan.resources.threads,
            "slab_rows": plan.resources.slab_rows,
        },
        "time_and_memory": job.metered(),
    }


def _counts_by_row(slabs: Mapping[int, Mapping[str, Any]], rows: int) -> dict[str, np.ndarray]:
    """Join the counts of all slabs, by row: slabs may overlap where a run was cut otherwise."""
    counts: dict[str, np.ndarray] = {}
    for first, slab in slabs.items():
        for name, values in {**slab["counts"], "beyond": slab["beyond"]}.items():
            by_row = counts.setdefault(name, np.zeros(rows, np.int64))
            by_row[first : first + len(values)] = values
    return counts


def _count_entries(
    counts: Mapping[str, np.ndarray], angles: int, columns: int
) -> dict[str, dict[str, Any]]:
    """Make summary entries of counts by row; a dead pixel, dead at every angle, counts once."""
    entries = {}
    for name, by_row in counts.items():
        per = angles if name == "dead_pixels" else 1
        entries[name] = {
            "value": round(by_row.sum() / per),
            "n": by_row.size * columns * angles // per,
            "unit": "pixels" if name == "dead_pixels" else "values",
        }
    return entries


def starved_rows(nonpositive: np.ndarray, values_of_a_row: int) -> str | None:
    """Name the rows in which more than 1 % of the transmission is not positive."""
    fractions = nonpositive / values_of_a_row
    rows = np.flatnonzero(fractions > STARVED_FRACTION)
    if not rows.size:
        return None
    return (
        f"starved of photons: rows {ranges(rows)} have up to {fractions.max():.1%} values of "
        "transmission ≤ 0; they hold the noise floor, and grey values there are too low"
    )


def ranges(numbers: Sequence[int] | np.ndarray) -> str:
    """Write ascending numbers as ranges: 1–3, 7."""
    runs = np.split(numbers, np.flatnonzero(np.diff(numbers) != 1) + 1)
    return ", ".join(f"{r[0]}" if len(r) == 1 else f"{r[0]}–{r[-1]}" for r in runs)
