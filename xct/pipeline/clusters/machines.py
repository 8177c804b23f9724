"""Machines: what those who work on blocks may use. In: `run`; out: cores, memory, processes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from xct.config.model import ClusterSection, RunSection, SlurmSection
from xct.errors import ConfigError, RunError
from xct.parallel.cluster import Workers, active_client, connected, workers_of

GIB = 2**30
THREADS = 8  # of one slab, or process: beyond that, another one at the same time gains more
_OF_LIMIT = 0.8  # of a worker's memory: beyond that it begins to write to disk, and then ends


@dataclass(frozen=True)
class Machine:
    """Where blocks are worked on.

    Attributes
    ----------
    cores : int
        Of one process.
    memory_bytes : float
        That one process may use.
    processes : int
        How many there are.
    """

    cores: int
    memory_bytes: float
    processes: int = 1


def this_machine(run: RunSection) -> Machine:
    """Give the cores of this machine, and the memory that a run may use."""
    limit = available_memory() * 0.8 if run.memory_gib == "auto" else run.memory_gib * GIB
    return Machine(len(os.sched_getaffinity(0)), limit)


def working_machine(run: RunSection) -> Machine:
    """Say what the processes that will work on blocks may use.

    Raises
    ------
    ConfigError
        If the scheduler that is named does not answer, or has no workers.
    """
    if isinstance(run.cluster, ClusterSection) and run.cluster.slurm is not None:
        return _of(_jobs_workers(run.cluster.slurm), run)
    if isinstance(run.cluster, ClusterSection) and run.cluster.scheduler is not None:
        try:
            with connected(run.cluster.scheduler) as there:
                found = workers_of(there)
        except RunError as error:
            raise ConfigError(str(error)) from error
        if not found.count:
            raise ConfigError(
                f"run.cluster.scheduler: the scheduler at {run.cluster.scheduler} has no workers; "
                "start some (dask worker ADDRESS), so that their memory is known"
            )
        return _of(found, run)
    client = active_client()
    found = Workers(0, 1, 0) if client is None else workers_of(client)
    return _of(found, run) if found.count else this_machine(run)


def _jobs_workers(slurm: SlurmSection) -> Workers:
    processes = max(1, slurm.cores // THREADS)
    return Workers(
        slurm.jobs[1] * processes, slurm.cores // processes, int(slurm.memory) // processes
    )


def _of(workers: Workers, run: RunSection) -> Machine:
    limit = workers.memory_bytes or available_memory() // workers.count
    memory = _OF_LIMIT * limit
    if run.memory_gib != "auto":
        memory = min(memory, run.memory_gib * GIB)
    return Machine(workers.cores, memory, workers.count)


def available_memory() -> int:
    """Bytes that this process may use: what the system has left, and its control group allows."""
    return min([psutil.virtual_memory().available, *_group_limits(Path("/sys/fs/cgroup"))])


def _group_limits(root: Path) -> Iterator[int]:
    """Limits of the control groups that this process is in, as a batch system sets them."""
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, kind, name = line.split(":", 2)
        folder = root / kind / name.lstrip("/") if kind else root / name.lstrip("/")
        for group in (folder, *folder.parents):
            for file in (group / "memory.max", group / "memory.limit_in_bytes"):
                if file.is_file() and (text := file.read_text(encoding="utf-8").strip()).isdigit():
                    yield int(text)
            if group == root:
                break
