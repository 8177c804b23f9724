"""`xct bench reconstruct`: slices by filtered back-projection, xct beside the others."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from math import ceil, log2
from pathlib import Path
from typing import Any

import numpy as np

from xct.bench.figures import (
    Target,
    draw_times,
    machine_line,
    table,
    targets_table,
    write_figures,
)
from xct.bench.machine import installed
from xct.bench.peers import ALGOTOM, CONTENDERS, FINUFFT, FINUFFT_EXACT, XCT, Contender
from xct.bench.problem import Problem
from xct.bench.timing import Task, in_turns, peak_memory

log = logging.getLogger("xct")

# Columns and angles.
SIZES: Mapping[str, tuple[tuple[int, int], ...]] = {
    "quick": ((512, 600), (1024, 1201)),
    "full": ((512, 600), (1024, 1201), (2048, 1921), (2560, 2400)),
}
# Errors in %, and how they are headed.
_ERRORS: Mapping[str, str] = {
    "rmse": "RMSE %",
    "disc": "disc %",
    "disc_centers": "by centers",
    "disc_core": "core",
    "disc_against_exact": "− exact",
    "background": "backgr.",
}
# Columns² × angles up to which slow contenders get every angle.
_WHOLE = 2 * 512**2 * 600


def bench_slices(out: Path, size: str, *, slow: bool = False) -> str:
    """Time and judge every contender at every width; write ``reconstruct.json`` and ``.png``.

    Parameters
    ----------
    out : Path
        Folder to write.
    size : {"quick", "full"}
        Up to 1024 columns, or up to 2560.
    slow : bool, optional
        Whether slow contenders, too, get every angle at large sizes.

    Returns
    -------
    str
        Tables for the terminal.
    """
    results: list[dict[str, Any]] = []
    for columns, angles in SIZES[size]:
        log.info("%d columns × %d angles …", columns, angles)
        results += measure_width(columns, angles, slow=slow)
    return write_slices(out, size, results, measure_memory(*SIZES[size][-1]))


def measure_width(columns: int, angles: int, *, slow: bool = False) -> list[dict[str, Any]]:
    """Time all contenders that are installed in turns, and compare what they give to the truth.

    Parameters
    ----------
    columns, angles : int
        Size of the problem.
    slow : bool, optional
        Whether slow contenders get every angle, too.

    Returns
    -------
    list of dict
        One for each contender; errors are absent where some angles were left out.
    """
    found, tasks = [], {}
    pictures: dict[str, np.ndarray] = {}
    for contender in CONTENDERS:
        if installed(contender.package) is None:
            continue
        problem = Problem.of(columns, angles, contender.axis_px(columns))
        step = 1 if slow or not contender.slow else ceil(columns**2 * angles / _WHOLE)
        problem = problem.thinned(step)
        solve = contender.prepare(problem)
        scale = angles / problem.theta_deg.size
        tasks[contender.name] = Task(
            solve,
            runs=_runs(contender, columns**2 * problem.theta_deg.size),
            scale=scale / contender.slices,
            warm_up=_on_little(contender) if contender.slow else None,
        )
        entry: dict[str, Any] = {"columns": columns, "angles": angles, "name": contender.name}
        entry |= {"package": contender.package, "slices_of_a_call": contender.slices}
        entry |= {"timed_angles": problem.theta_deg.size}
        if step == 1:
            picture = solve()[0]
            entry["errors_percent"] = problem.errors(picture)
            if contender.package in ("xct", "finufft"):
                pictures[contender.name] = picture
        found.append(entry)
    if FINUFFT_EXACT in pictures:
        _against_exact(found, pictures, Problem.of(columns, angles))
    for entry, timing in zip(found, in_turns(tasks).values(), strict=True):
        entry["seconds_a_slice"] = timing.seconds
        entry["runs_seconds_a_slice"] = timing.runs
        entry["first_call_seconds"] = timing.first_call
    return found


def _against_exact(
    found: Sequence[dict[str, Any]], pictures: Mapping[str, np.ndarray], problem: Problem
) -> None:
    """Add what is an engine's own: its discs against those of the spectrum summed exactly."""
    for entry in found:
        if entry["name"] in pictures:
            differs = problem.disc_difference(pictures[entry["name"]], pictures[FINUFFT_EXACT])
            entry["errors_percent"]["disc_against_exact"] = differs


def _runs(contender: Contender, work: int) -> int:
    return contender.runs if not contender.slow or work < _WHOLE / 8 else 1


def _on_little(contender: Contender) -> Any:
    """Compile what a contender compiles, without waiting for a whole slice."""
    return contender.prepare(Problem.of(64, 8, contender.axis_px(64)))


def measure_memory(columns: int, angles: int) -> dict[str, Any]:
    """Measure what 16 slices take beyond their line integrals, the slices included."""
    solve = CONTENDERS[0].prepare(Problem.of(columns, angles))
    with peak_memory() as peak:
        solve()
    slab = angles * 16 * columns * 4 / 2**30
    return {"columns": columns, "angles": angles, "beyond_input_gib": peak.gib, "input_gib": slab}


def targets(results: Sequence[Mapping[str, Any]], memory: Mapping[str, Any]) -> list[Target]:
    """Set the figures of the two sizes that have targets beside them."""
    found: list[Target] = []
    limits = {1024: (3.5, 0.02, 0.01, None), 2560: (4.0, 0.12, 0.06, 150.0)}
    for columns, (times, seconds, stretch, slow_times) in limits.items():
        at = {r["name"]: r for r in results if r["columns"] == columns}
        if not at:
            continue
        own = at[XCT]["seconds_a_slice"]
        found.append(Target(f"{columns}: a slice", own, "at most", seconds, "s", stretch))
        for name, least in ((FINUFFT, times), (ALGOTOM, slow_times)):
            if name in at and least is not None:
                ratio = at[name]["seconds_a_slice"] / own
                what = f"{columns}: faster than {name}"
                found.append(Target(what, ratio, "at least", least, "×"))
        found += _error_targets(columns, at)
    if memory["columns"] == 2560:
        beyond = memory["beyond_input_gib"]
        found.append(Target("2560: memory beyond the input", beyond, "at most", 3.0, "GiB", 2.0))
    return found


def _error_targets(columns: int, at: Mapping[str, Mapping[str, Any]]) -> list[Target]:
    own = at[XCT]["errors_percent"]
    found = []
    if FINUFFT_EXACT in at:
        ratio = own["rmse"] / at[FINUFFT_EXACT]["errors_percent"]["rmse"]
        found.append(Target(f"{columns}: RMSE against exact", ratio, "at most", 1.02, "×"))
    for what, key, limit in (
        ("worst disc bias", "disc", 0.04),
        ("worst disc bias, core", "disc_core", 0.04),
        ("background bias", "background", 0.01),
    ):
        found.append(Target(f"{columns}: {what}", abs(own[key]), "at most", limit, "%"))
        if FINUFFT_EXACT in at:
            theirs = abs(at[FINUFFT_EXACT]["errors_percent"][key])
            found.append(Target(f"{columns}: {what}, FINUFFT exact", theirs, "at most", limit, "%"))
    return found


def write_slices(
    out: Path, size: str, results: list[dict[str, Any]], memory: Mapping[str, Any]
) -> str:
    """Write ``reconstruct.json`` and ``reconstruct.png``; give the tables as text."""
    judged = targets(results, memory)
    path = write_figures(
        out,
        "reconstruct",
        size,
        {"results": results, "memory": memory, "targets": [t.as_dict() for t in judged]},
    )
    times: dict[str, list[tuple[int, float]]] = {}
    for result in results:
        points = times.setdefault(result["name"], [])
        points.append((result["columns"], result["seconds_a_slice"]))
    draw_times(path.with_suffix(".png"), times, ("∝ N² log N", _guide(times[XCT])))
    gib = memory["beyond_input_gib"]
    parts = [
        machine_line(),
        _results_table(results),
        f"memory for 16 slices of {memory['columns']} × {memory['angles']} angles: {gib:.2f} GiB "
        f"beyond the {memory['input_gib']:.2f} GiB of line integrals",
    ]
    parts += [targets_table(judged)] if judged else []
    return "\n\n".join([*parts, f"wrote {path} and {path.with_suffix('.png')}"])


def _guide(own: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """Draw N² log N a little below our times."""
    cost = [columns**2 * log2(columns) for columns, _ in own]
    ratio = [seconds / c for (_, seconds), c in zip(own, cost, strict=True)]
    scale = 0.6 * min(ratio)
    return [(columns, scale * c) for (columns, _), c in zip(own, cost, strict=True)]


def _results_table(results: Sequence[Mapping[str, Any]]) -> str:
    own = {r["columns"]: r["seconds_a_slice"] for r in results if r["name"] == XCT}
    rows = []
    for result in results:
        errors = result.get("errors_percent", {})
        part = result["timed_angles"]
        rows.append(
            (
                f"{result['columns']} × {result['angles']}  {result['name']}",
                result["seconds_a_slice"],
                result["seconds_a_slice"] / own[result["columns"]],
                *(errors.get(key) for key in _ERRORS),
                "" if part == result["angles"] else f"{part} angles, scaled",
            )
        )
    heads = ("columns × angles", "s/slice", "÷ xct", *_ERRORS.values(), "")
    return table(heads, rows)
