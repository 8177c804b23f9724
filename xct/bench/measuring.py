"""`xct bench measure`: from a volume to the numbers of a cell, by step. In: a size; out: tables."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from xct.bench.drawn_volumes import Drawing, draw_volume
from xct.bench.figures import Target, machine_line, table, targets_table, write_figures
from xct.errors import RunError
from xct.io.atomic import write_text

log = logging.getLogger("xct")

MEDIUM = Drawing("medium", "ncm-100", (400, 512, 512), 2.0)
FULL_BORE = Drawing("full_bore", "ncm-100", (240, 2560, 2560), 1.3, 3000.0, dtype="uint16")
# Compiles what is compiled, in both ways of storing a volume.
_FIRST = replace(MEDIUM, name="first_float32", shape=(112, 160, 160))
_BEFORE = (_FIRST, replace(_FIRST, name="first_uint16", dtype="uint16"))
SIZES: Mapping[str, Sequence[Drawing]] = {"quick": (MEDIUM,), "full": (MEDIUM, FULL_BORE)}
_RUN = "import sys; from xct.bench.measuring import run_counted; run_counted(sys.argv[1])"
_FIGURES = "figures"
_ENERGY_KEV = 25.0  # of a virtual cell, unless another is asked for
_MIB = 1024.0


def bench_measure(out: Path, size: str) -> str:
    """Measure drawn cells with the recipe `analyze`; write ``measure.json``.

    Parameters
    ----------
    out : Path
        Folder to write. Volumes are drawn into ``measure/`` once, and kept: the next time, they
        are only measured.
    size : {"quick", "full"}
        A medium cell of 400 × 512 × 512 voxels, or also one as wide as the bore, of
        240 × 2560 × 2560 (half an hour the first time, 12 GiB of disk).

    Returns
    -------
    str
        Tables for the terminal.
    """
    folder = out / "measure"
    for drawing in _BEFORE:
        measure(drawing, folder)
    runs = {drawing.name: measure(drawing, folder) for drawing in SIZES[size]}
    judged = targets(runs)
    path = write_figures(
        out, "measure", size, {"runs": runs, "targets": [target.as_dict() for target in judged]}
    )
    parts = [machine_line(), *(by_step(name, run) for name, run in runs.items())]
    return "\n\n".join([*parts, targets_table(judged), f"wrote {path}"])


def measure(drawing: Drawing, folder: Path) -> dict[str, Any]:
    """Measure a volume in a process of its own, in a fresh folder that is removed afterwards.

    Returns
    -------
    dict
        ``voxels``; ``wall_s``, ``cpu_s`` and ``peak_memory_gib`` of the process, its start and
        the copy of the volume included; ``reads``: how many times as many voxels were asked for
        as there are; ``steps``: time and memory by step, as run.yaml has them.

    Raises
    ------
    RunError
        If the run fails.
    """
    if not (folder / drawing.name).exists():
        log.info("drawing %s, %s voxels", drawing.name, " × ".join(map(str, drawing.shape)))
    volume = draw_volume(drawing, folder)
    result, config = folder / f"{drawing.name}_result", folder / f"{drawing.name}.yaml"
    shutil.rmtree(result, ignore_errors=True)
    settings = {
        "volume": {"file": str(volume.resolve()), "energy_kev": _ENERGY_KEV},
        "pipeline": "analyze",
        "output": str(result.resolve()),
        "run": {"dtype": drawing.dtype},
    }
    write_text(config, yaml.safe_dump(settings))
    log.info("measuring %s", drawing.name)
    spent = _in_a_process([sys.executable, "-c", _RUN, str(config)], drawing.name)
    account = yaml.safe_load((result / "run.yaml").read_text("utf-8"))
    shutil.rmtree(result)
    z, y, x = drawing.shape
    voxels, read = z * y * x, config.with_suffix(".reads").read_text("utf-8")
    steps = account["time_and_memory"]
    return {"voxels": voxels, **spent, "reads": int(read) / voxels, "steps": steps}


def run_counted(config: str) -> None:
    """Run a configuration; write how many voxels of the volume were asked for beside it."""
    import xct
    from xct.io.volumes import Volume

    sizes: list[int] = []
    codes = Volume.codes

    def counted(volume: Volume, index: Any = ...) -> Any:
        values = codes(volume, index)
        sizes.append(values.size)
        return values

    setattr(Volume, "codes", counted)  # noqa: B010 - a method is replaced, for this process alone
    xct.run(config)
    write_text(Path(config).with_suffix(".reads"), str(sum(sizes)))


def _in_a_process(command: Sequence[str], name: str) -> dict[str, float]:
    """Run a command; give its time on the clock and of processors, and its peak memory."""
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RunError(f"measuring {name} failed with exit code {process.returncode}")
    return {
        "wall_s": time.perf_counter() - start,
        "cpu_s": used.ru_utime + used.ru_stime,
        "peak_memory_gib": used.ru_maxrss / _MIB**2,
    }


def targets(runs: Mapping[str, Mapping[str, Any]]) -> list[Target]:
    """Hold runs against what they are to take."""
    judged = []
    if medium := runs.get(MEDIUM.name):
        judged.append(Target("medium cell, clock", medium["wall_s"], "at most", 50.0, "s"))
        judged.append(Target("medium cell, processors", medium["cpu_s"], "at most", 65.0, "s"))
        judged.append(Target("medium cell, reads", medium["reads"], "at most", 5.0, "volumes"))
    if full := runs.get(FULL_BORE.name):
        judged.append(
            Target("full bore, one core", per_voxel_us(full), "at most", 0.75, "µs/voxel")
        )
        judged.append(
            Target("full bore, peak memory", full["peak_memory_gib"], "at most", 4.5, "GiB")
        )
        judged.append(Target("full bore, reads", full["reads"], "at most", 5.0, "volumes"))
    return judged


def per_voxel_us(run: Mapping[str, Any]) -> float:
    """Microseconds of one core for each voxel."""
    return float(1e6 * run["cpu_s"] / run["voxels"])


def by_step(name: str, run: Mapping[str, Any]) -> str:
    """Lay out what each step of a run took, then all of it, with and without figures.

    What no step took is the start of the process and the copy of the volume.
    """
    steps: Mapping[str, Mapping[str, float]] = run["steps"]
    voxels = run["voxels"]
    rows = [
        _row(step, voxels, spent["seconds"], spent.get("cpu_seconds"),
             spent["peak_memory_mib"] / _MIB)
        for step, spent in steps.items()
    ]  # fmt: skip
    rows.append(_row("in all", voxels, run["wall_s"], run["cpu_s"], run["peak_memory_gib"]))
    if figures := steps.get(_FIGURES):
        cpu = figures.get("cpu_seconds")
        without = None if cpu is None else run["cpu_s"] - cpu
        rows.append(_row("without figures", voxels, run["wall_s"] - figures["seconds"], without))
    heads = ("step", "clock s", "CPU s", "CPU µs/voxel", "peak GiB")
    said = f"{voxels / 1e6:.0f} million voxels, each read {run['reads']:.1f} times"
    return f"{name}: {said}\n{table(heads, rows)}"


def _row(
    step: str, voxels: int, wall_s: float, cpu_s: float | None, peak_gib: float | None = None
) -> tuple[str, float, float | None, float | None, float | None]:
    return step, wall_s, cpu_s, None if cpu_s is None else 1e6 * cpu_s / voxels, peak_gib
