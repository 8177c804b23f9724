"""Summary: what a run measured and how it was done. In: notes of the run; out: JSON and YAML."""

from __future__ import annotations

import logging
import os
import platform
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from xct.io.atomic import write_json, write_text
from xct.io.tables import write_table
from xct.report.numbers import measured_entries

if TYPE_CHECKING:
    from xct.passes import Job

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
            from xct.report.measured_figures import draw_measured

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
    from xct.report.figures import draw_slice
    from xct.result import open_volume

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
