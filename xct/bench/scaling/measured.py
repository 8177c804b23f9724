"""`xct bench scaling`: what a slab costs here, and how fast a cluster would be. Out: a table."""

from __future__ import annotations

import logging
import re
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import xct
from xct.bench.figures import Target, machine_line, table, targets_table, write_figures
from xct.bench.scaling.model import Costs, Machines, limited_by, simulate
from xct.bench.wholescan import make_scan
from xct.errors import RunError
from xct.figures import canvas

log = logging.getLogger("xct")

# Angles, rows and columns of the raw scan, and the memory of a worker, which sets its slabs.
_SIZES = {"quick": (600, 256, 1280, 1.0), "full": (2400, 192, 5120, 8.0)}
_ROWS = 3840  # of a whole scan
_WORKERS = (1, 2, 4, 8, 16, 32, 64)
_CORES = 16
_DISKS_GB_S = (1.0, 5.0, 20.0)
_TASKS = 200  # that do nothing
_IN_MEMORY = 1e15  # bytes a second: files of this machine are read from its cache
_GB = 1e9


@dataclass(frozen=True)
class Measured:
    """A run on workers of this machine.

    Attributes
    ----------
    seconds, in_slabs : float
        Of the run, and of its pass over slabs.
    slabs : int
        How many.
    read_bytes, written_bytes : float
        Of a slab.
    """

    seconds: float
    in_slabs: float
    slabs: int
    read_bytes: float
    written_bytes: float


def bench_scaling(out: Path, size: str) -> str:
    """Measure slabs on one and two workers, and compute a cluster of 1 to 64; write a figure.

    Parameters
    ----------
    out : Path
        Folder to write; the raw scan is made there, once.
    size : {"quick", "full"}
        How large the raw scan is; the whole scan has 3840 rows of the same width.

    Returns
    -------
    str
        Tables for the terminal.
    """
    angles, rows, columns, memory_gib = _SIZES[size]
    raw = make_scan(out, angles, rows, columns)
    _run(out, raw, memory_gib, 1, 1)  # whatever is compiled is compiled now
    runs = {
        (workers, threads): _run(out, raw, memory_gib, workers, threads)
        for workers, threads in ((1, 1), (2, 1), (1, 2))
    }
    here = costs_of(runs[1, 1], runs[1, 2], _hand_out_s())
    computed = simulate(here, Machines(2, 1, _IN_MEMORY)) / runs[2, 1].seconds
    what = "two workers here, computed over measured"
    judged = [Target(what, computed, "at most", 1.15, "1"),
              Target(what, computed, "at least", 0.85, "1")]  # fmt: skip
    whole = replace(here, slabs=round(here.slabs * _ROWS / rows))
    found = {disk: _minutes(whole, disk) for disk in _DISKS_GB_S}
    path = write_figures(
        out, "scaling", size,
        {
            "costs": asdict(whole),
            "measured": {f"{w} workers of {t} cores": asdict(run) for (w, t), run in runs.items()},
            "minutes": {str(disk): minutes for disk, minutes in found.items()},
            "targets": [target.as_dict() for target in judged],
        },
    )  # fmt: skip
    figure(found).savefig(path.with_suffix(".png"), dpi=130)
    return "\n\n".join(
        [machine_line(), _measured_table(runs), _cluster_table(whole, found),
         targets_table(judged), f"wrote {path}"]
    )  # fmt: skip


def costs_of(alone: Measured, shared: Measured, hand_out_s: float) -> Costs:
    """Turn runs of one worker with one and two cores into costs of a slab."""
    each = alone.in_slabs / alone.slabs - hand_out_s
    both = shared.in_slabs / shared.slabs - hand_out_s
    return Costs(
        slabs=alone.slabs,
        core_s=each,
        serial_fraction=min(max(2 * both / each - 1, 0.0), 1.0),
        read_bytes=alone.read_bytes,
        written_bytes=alone.written_bytes,
        hand_out_s=hand_out_s,
        once_s=alone.seconds - alone.in_slabs,
    )


def _run(out: Path, raw: Path, memory_gib: float, workers: int, threads: int) -> Measured:
    """Reconstruct the raw scan on workers of this machine."""
    result = out / "run_scaling"
    shutil.rmtree(result, ignore_errors=True)
    configuration: Mapping[str, Any] = {
        "scan": {"file": str(raw.resolve()), "bin": 2},
        "pipeline": "reconstruct",
        "output": str(result.resolve()),
        "run": {"dtype": "uint16", "memory_gib": memory_gib},
    }
    with _workers(workers, threads):
        start = time.perf_counter()
        done = xct.run(configuration)
        seconds = time.perf_counter() - start
    lines = (result / "run.log").read_text(encoding="utf-8")
    [in_slabs] = re.findall(r"slabs took ([\d.]+) s", lines)[-1:]
    [slab_rows] = re.findall(r"slabs of (\d+) rows", lines)[-1:]
    slices = int(done.stored_volume.shape[0])
    slabs = -(-slices // int(slab_rows))
    written = sum(p.stat().st_size for p in (result / "volume.zarr").rglob("*") if p.is_file())
    shutil.rmtree(result)
    return Measured(seconds, float(in_slabs), slabs, raw.stat().st_size / slabs, written / slabs)


def _workers(count: int, threads: int) -> Any:
    """Start workers on this machine that `xct.run` finds by itself."""
    try:
        from distributed import Client
    except ImportError as error:
        raise RunError(
            "xct bench scaling: needs distributed: pip install 'xct[cluster]'"
        ) from error
    return Client(
        n_workers=count,
        threads_per_worker=threads,
        host="127.0.0.1",
        dashboard_address=None,
        memory_limit=0,
    )


def _hand_out_s() -> float:
    """Measure how long the scheduler takes for a task that does nothing."""
    with _workers(1, 1) as client:
        client.gather(client.map(_nothing, range(10)))
        start = time.perf_counter()
        client.gather(client.map(_nothing, range(10, 10 + _TASKS)))
        return (time.perf_counter() - start) / _TASKS


def _nothing(number: int) -> int:
    return number


def _minutes(whole: Costs, disk_gb_s: float) -> list[float]:
    return [
        simulate(whole, Machines(workers, _CORES, disk_gb_s * _GB)) / 60 for workers in _WORKERS
    ]


def _measured_table(runs: Mapping[tuple[int, int], Measured]) -> str:
    rows = [
        (f"workers: {workers}, cores of each: {threads}", run.slabs, run.seconds, run.in_slabs)
        for (workers, threads), run in runs.items()
    ]
    return table(("here", "slabs", "s", "in slabs, s"), rows)


def _cluster_table(whole: Costs, found: Mapping[float, Sequence[float]]) -> str:
    rows = []
    for number, workers in enumerate(_WORKERS):
        minutes = [found[disk][number] for disk in _DISKS_GB_S]
        limits = [limited_by(whole, Machines(workers, _CORES, disk * _GB)) for disk in _DISKS_GB_S]
        rows.append((workers, *minutes, ", ".join(dict.fromkeys(limits))))
    heads = ("workers of 16 cores", *(f"{disk:g} GB/s: min" for disk in _DISKS_GB_S), "limit")
    return f"a whole scan of {_ROWS} rows, {whole.slabs} slabs\n{table(heads, rows)}"


def figure(found: Mapping[float, Sequence[float]]) -> Any:
    """Draw how much faster more workers are, for disks of several speeds."""
    drawn, [axis] = canvas(1, 1, (6, 4))
    axis.plot(_WORKERS, _WORKERS, color="0.7", lw=1, label="as many times faster")
    alone = max(minutes[0] for minutes in found.values())
    for disk, minutes in found.items():
        axis.plot(_WORKERS, [alone / each for each in minutes], "o-", label=f"disk {disk:g} GB/s")
    axis.set(
        xscale="log", yscale="log", xlabel="workers of 16 cores",
        ylabel="times as fast as one worker",
    )  # fmt: skip
    axis.set_xticks(_WORKERS, [str(workers) for workers in _WORKERS])
    axis.set_yticks(_WORKERS, [str(workers) for workers in _WORKERS])
    axis.minorticks_off()
    axis.legend()
    return drawn
