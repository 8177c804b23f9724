"""Summary: what a run measured and how it was done. In: notes of the run; out: JSON and YAML."""

from __future__ import annotations

import logging
import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from xct.errors import ranges
from xct.geometry import CellGeometry
from xct.io.atomic import write_json, write_text
from xct.io.stores import write_known
from xct.io.volumes import open_volume
from xct.pipeline.checks.rows import rows_of_frames
from xct.pipeline.given.blanks import lacks_data
from xct.pipeline.given.placement import placement_of
from xct.pipeline.job import Job
from xct.pipeline.monitor import timed
from xct.pipeline.products import beyond_range
from xct.pipeline.slabs import BANDS, FRAMES
from xct.quantity import Failed, Number, made_of, numbers_of
from xct.stages import Band, RowCounts

log = logging.getLogger("xct")

_PACKAGES = ("numpy", "scipy", "numba", "dask", "zarr", "h5py", "tifffile")
_COUNTED = ("particles", "inclusions")  # units of counts
_MOST_BANDS = 50  # listed in summary.json
_LIGHTLESS = "nonpositive_transmission"  # counts of it
_HIDDEN = (
    "Layers that do not pass light are not told apart: it is for want of light, not of height, if "
    "surfaces there were not found, and what needs them is left out. More light, a higher energy, "
    "a narrower bore or scan.bin shows them"
)
_YAML: Any = {"sort_keys": False, "allow_unicode": True, "width": 100}


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


def write_summary(job: Job, found: Mapping[str, Any]) -> list[Path]:
    """Write summary.json, run.yaml, the tables and figures that are made of what was found.

    Parameters
    ----------
    job : Job
        Of the run.
    found : mapping
        Every quantity that is known at the end, by name.

    Returns
    -------
    list of Path
        The files.
    """
    folder = job.folder
    scanned = _of_the_scan(job, found.get("cell")) if job.plan.from_scan else {}
    failed = _failed(job)
    summary = {
        **scanned,
        **_voxel_size(job),
        **_placement(job),
        **_bounded(job, found, numbers_of(found, failed)),
    }
    summary = dict(sorted(summary.items(), key=lambda entry: "headline" not in entry[1]))
    known = {**_shown(job), **found}
    written: list[Path] = []
    for name, table in made_of(known, "tables", failed):
        written.append(folder.path / "tables" / f"{name}.csv")
        write_known(written[-1], table)
    with timed("figures"):
        for name, figure in made_of(known, "figures", failed):
            written += folder.save_figure(figure, name)
    write_json(folder.path / "summary.json", {**summary, "warnings": job.warnings.listed})
    for entry in job.warnings.listed:
        if entry["step"] != "check":
            log.warning("%s: %s", entry["step"], entry["message"])
    write_text(folder.path / "run.yaml", yaml.safe_dump(_account(job), **_YAML))
    return [*written, folder.path / "summary.json", folder.path / "run.yaml"]


def _bounded(
    job: Job, found: Mapping[str, Any], numbers: Mapping[str, dict[str, Any]]
) -> dict[str, Any]:
    """Say of counts that they are lower bounds, where data are missing inside the bore."""
    cell, path = found.get("cell"), job.folder.path / "volume.zarr"
    if cell is None or not (job.folder.number("missing") and lacks_data(open_volume(path), cell)):
        return dict(numbers)
    bound = {"bound": "lower", "note": "data are missing; what lay there is not counted"}
    return {
        name: {**entry, **bound} if entry.get("unit") in _COUNTED else entry
        for name, entry in numbers.items()
    }


def _failed(job: Job) -> Failed:
    """Say in a warning what could not be made of a quantity; the log has the traceback."""

    def said(what: str, error: Exception) -> None:
        job.warnings.add(f"{what} cannot be made: {type(error).__name__}: {error}", "summary")
        log.error("%s cannot be made", what, exc_info=error, extra={"to_screen": False})

    return said


def _shown(job: Job) -> dict[str, Any]:
    """Give what figures show besides what was measured."""
    path, section = job.folder.path / "volume.zarr", job.plan.config.volume
    quantity = "attenuation" if section is None else section.quantity
    scales = {"grey": "grey value", "labels": "label"}
    return {
        **({"volume": open_volume(path)} if path.exists() else {}),
        "voxel_size_um": job.plan.voxel_size_um,
        "title": job.plan.title,
        "scale_name": scales.get(quantity, "linear attenuation (1/cm)"),
    }


def _of_the_scan(job: Job, cell: CellGeometry | None) -> dict[str, Any]:
    """Give the numbers that were estimated and counted on the way from counts to slices."""
    angles, rows, columns = job.plan.scan.projections.shape
    slabs = job.folder.notes("slab")
    counts, bands = _counts_by_row(slabs, rows), _bands(slabs)
    beyond = int(counts.pop("beyond", np.zeros(1)).sum())
    if beyond:
        job.warnings.add(beyond_range(beyond), "write")
    for step in job.plan.slab_steps:
        made = step.stage.counts
        if made is not None and made.warning is not None and made.name in counts:
            looked_at = np.where(_of_steel(cell, rows), 0, counts[made.name])
            message = made.warning(looked_at, angles * columns)
            if message is not None and made.name == _LIGHTLESS and _is_bare(cell):
                job.warnings.add(f"{message}. {_HIDDEN}", step.name, first=True)
            elif message is not None:
                job.warnings.add(message, step.name)
        if made is not None and made.band_warning is not None:
            message = made.band_warning(bands.get(made.name, []))
            if message is not None:
                job.warnings.add(message, step.name)
    kinds = {s.stage.counts.name: s.stage.counts for s in job.plan.slab_steps if s.stage.counts}
    return {
        **job.plan.given_numbers(),
        **(job.folder.number("numbers") or {}),
        **rows_of_frames(job, slabs),
        **{
            name: _counted(kinds[name], by_row, angles, columns, bands.get(name, [])).entry()
            for name, by_row in counts.items()
        },
    }


def _is_bare(cell: CellGeometry | None) -> bool:
    """Whether a cell was looked for in which neither electrolyte nor cathode was found."""
    layers = {"lithium_electrolyte", "electrolyte_cathode"}
    return cell is not None and cell.only != "cathode" and not layers & {*cell.planes}


def _of_steel(cell: CellGeometry | None, rows: int) -> np.ndarray:
    """Say which rows hold steel: it is opaque in every scan, and nothing is measured in it."""
    found = np.zeros(rows, bool)
    if cell is None or cell.shape[0] != rows:
        return found
    heights = cell.sign * np.arange(rows) * cell.voxel_size_um[0]
    inside = cell.in_bore(rows / 2)
    if "steel_lithium" in cell.planes:
        found |= heights <= (cell.sign * cell.plane_um("steel_lithium"))[inside].max()
    if "cathode_collector" in cell.planes:
        found |= heights >= (cell.sign * cell.plane_um("cathode_collector"))[inside].min()
    return found


def _counted(
    counts: RowCounts, by_row: np.ndarray, angles: int, columns: int, bands: Sequence[Band]
) -> Number:
    """Make a number of counts by row; a pixel that is counted at every angle counts once."""
    per = angles if counts.of_pixels else 1
    unit = "pixels" if counts.of_pixels else "values"
    n = by_row.size * columns * angles // per
    alike: dict[tuple[int, int], list[int]] = {}
    for band in bands:
        alike.setdefault((band.first, band.stop - 1), []).append(band.row)
    wide = [{"columns": list(c), "rows": ranges(sorted(r))} for c, r in sorted(alike.items())]
    details = {"bands": wide[:_MOST_BANDS]} if wide else {}
    return Number(round(by_row.sum() / per), unit, n=n, details=details)


def _bands(slabs: Mapping[int, Mapping[str, Any]]) -> dict[str, list[Band]]:
    """Join the bands of replaced pixels of all slabs, each once."""
    found: dict[str, set[Band]] = {}
    for slab in slabs.values():
        for name, values in slab["counts"].items():
            if name.endswith(BANDS):
                listed = zip(values[::3], values[1::3], values[2::3], strict=True)
                found.setdefault(name.removesuffix(BANDS), set()).update(Band(*b) for b in listed)
    return {name: sorted(bands) for name, bands in found.items()}


def _voxel_size(job: Job) -> dict[str, Any]:
    if job.plan.from_scan and job.plan.scan.voxel_size_um is None:
        return {}
    z, y, x = job.plan.voxel_size_um
    details = {"z": z, "y": y, "x": x} if len({z, y, x}) > 1 else {}
    return {"voxel_size_um": Number(x, "µm", details=details).entry()}


def _placement(job: Job) -> dict[str, Any]:
    """Say how a given volume was turned, and the matrix from the result to the file, µm."""
    placement = placement_of(job.plan.source)
    if placement is None:
        return {}
    return {"placement": {"value": placement.describe(), "unit": "µm", **placement.to_dict()}}


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
            **({} if plan.energy_kev is None else {"energy_kev": plan.energy_kev}),
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
            if name.endswith(BANDS) or name == FRAMES:
                continue
            by_row = counts.setdefault(name, np.zeros(rows, np.int64))
            by_row[first : first + len(values)] = values
    return counts
