"""`xct bench scan`: a raw scan on disk to a volume on disk, all in."""

from __future__ import annotations

import logging
import os
import re
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import xct
from xct.bench.figures import Target, machine_line, table, targets_table, write_figures
from xct.bench.rawscan import forget, write_raw_scan

log = logging.getLogger("xct")

# Angles, rows and columns of the raw scan.
SIZES: Mapping[str, tuple[int, int, int]] = {
    "quick": (600, 32, 1280),
    "full": (2400, 128, 5120),
}
# Slices of a whole scan: 3840 rows, binned by 2.
WHOLE = 1920
_RECIPES: Mapping[str, Mapping[str, Any]] = {
    "sorting": {"stripes": {"method": "sorting"}},
    "default": {},
}


def bench_scan(out: Path, size: str) -> str:
    """Reconstruct a raw scan, binned by 2, to uint16; write ``scan.json``.

    Parameters
    ----------
    out : Path
        Folder to write; the raw scan is made there, once.
    size : {"quick", "full"}
        How large the raw scan is.

    Returns
    -------
    str
        Tables for the terminal.
    """
    # Whatever is compiled is compiled now.
    small = make_scan(out, *SIZES["quick"])
    first = {recipe: measure_run(out, small, recipe)["seconds"] for recipe in _RECIPES}
    raw = make_scan(out, *SIZES[size])
    runs = {recipe: measure_run(out, raw, recipe) for recipe in _RECIPES}
    return write_scan(out, size, first, runs)


def make_scan(out: Path, angles: int, rows: int, columns: int) -> Path:
    """Write the raw scan, unless it is there."""
    raw = out / f"raw_{angles}x{rows}x{columns}.nxs"
    if not raw.exists():
        log.info("writing a raw scan, %d × %d × %d …", angles, rows, columns)
        out.mkdir(parents=True, exist_ok=True)
        write_raw_scan(raw, angles, rows, columns)
    return raw


def measure_run(out: Path, raw: Path, recipe: str) -> dict[str, Any]:
    """Run the raw scan from a cold disk, and read what the run says of itself.

    Parameters
    ----------
    out, raw : Path
        Folder of the bench; the raw scan.
    recipe : {"sorting", "default"}
        How stripes are removed.

    Returns
    -------
    dict
        Seconds in all, in slabs, and until the disk has everything; slices; time and memory by
        step; what the log says of waiting.
    """
    result = out / f"run_{recipe}"
    shutil.rmtree(result, ignore_errors=True)
    configuration = {
        "scan": {"file": str(raw.resolve()), "bin": 2},
        "pipeline": "reconstruct",
        "steps": dict(_RECIPES[recipe]),
        "output": str(result.resolve()),
        "run": {"dtype": "uint16"},
    }
    forget(raw)
    start = time.perf_counter()
    done = xct.run(configuration)
    seconds = time.perf_counter() - start
    os.sync()
    steps = done.account["time_and_memory"]
    waited = re.findall(
        r"slabs took ([\d.]+) s: (.+)", (result / "run.log").read_text(encoding="utf-8")
    )[-1]
    found = {
        "seconds": seconds,
        "seconds_to_disk": time.perf_counter() - start,
        "peak_memory_gib": max(step["peak_memory_mib"] for step in steps.values()) / 1024,
        "steps": steps,
        "shared_out": done.account["shared_out"],
        "seconds_in_slabs": float(waited[0]),
        "waited": waited[1],
        "slices": int(done.stored_volume.shape[0]),
    }
    shutil.rmtree(result)
    return found


def write_scan(
    out: Path,
    size: str,
    first: Mapping[str, float],
    runs: Mapping[str, Mapping[str, Any]],
) -> str:
    """Write ``scan.json``; give the tables as text."""
    judged: list[Target] = []
    rows = []
    for recipe, run in runs.items():
        slices = run["slices"]
        each = run["seconds"] / slices
        # What comes before and after the slabs does not grow with them.
        in_slabs = run["seconds_in_slabs"]
        whole = run["seconds"] + in_slabs * (WHOLE / slices - 1)
        once = run["seconds"] - in_slabs
        peak = run["peak_memory_gib"]
        rows.append((recipe, run["seconds"], in_slabs, once, each, whole / 60, peak))
        judged.append(Target(f"{recipe}: a slice, all in", each, "at most", 0.6, "s", 0.35))
        of_whole = whole / WHOLE
        judged.append(
            Target(f"{recipe}: a slice of {WHOLE}, all in", of_whole, "at most", 0.6, "s", 0.35)
        )
        judged.append(Target(f"{recipe}: {WHOLE} slices", whole / 60, "at most", 20.0, "min"))
    angles, raw_rows, columns = SIZES[size]
    found = {
        "raw": {"angles": angles, "rows": raw_rows, "columns": columns, "bin": 2},
        "first_runs_seconds": first,
        "runs": runs,
        "targets": [target.as_dict() for target in judged],
    }
    path = write_figures(out, "scan", size, found)
    heads = ("stripes", "s", "in slabs", "once", "s/slice", f"{WHOLE}: min", "peak GiB")
    parts = [
        machine_line(),
        f"raw: {angles} × {raw_rows} × {columns}, bin 2; read from a cold disk",
        table(heads, rows),
        "\n".join(f"{recipe}: {run['waited']}" for recipe, run in runs.items()),
        _steps_table(runs),
    ]
    # The targets are set for the large scan.
    parts += [targets_table(judged)] if size == "full" else []
    return "\n\n".join([*parts, f"wrote {path}"])


def _steps_table(runs: Mapping[str, Mapping[str, Any]]) -> str:
    names = list(dict.fromkeys(name for run in runs.values() for name in run["steps"]))
    rows = []
    for name in names:
        steps = [run["steps"].get(name) for run in runs.values()]
        seconds = [None if step is None else step["seconds"] for step in steps]
        rows.append((name, *seconds, max(s["peak_memory_mib"] for s in steps if s)))
    return table(("step", *(f"{recipe}, s" for recipe in runs), "peak MiB"), rows)
