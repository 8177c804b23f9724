"""A run as a job of SLURM. In: a configuration; out: a script that runs, requeues and resumes."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from xct.config.model import ClusterSection
from xct.errors import RunError
from xct.parallel.cluster import walltime_seconds
from xct.pipeline.plan import Plan

_GRACE = 120  # seconds before the walltime ends at which the run is asked to end, and requeued
_OWN_CORES = 2  # of a job that leaves the blocks to other jobs
_OWN_MEMORY = "8G"


@dataclass(frozen=True)
class JobWishes:
    """What is asked of SLURM for a job.

    Attributes
    ----------
    walltime : str
        ``[days-]hours:minutes:seconds``.
    cores : int
        Of one node.
    memory : str
        As SLURM reads it, such as ``64G``.
    partition, account : str or None
        The cluster's own unless given.
    setup : tuple of str
        Lines that are run first.
    """

    walltime: str = "12:00:00"
    cores: int = 16
    memory: str = "64G"
    partition: str | None = None
    account: str | None = None
    setup: tuple[str, ...] = ()


def wishes_of(plan: Plan, given: JobWishes) -> JobWishes:
    """Give what a run's job needs: little, where the configuration leaves blocks to other jobs."""
    named = plan.config.run.cluster
    if not isinstance(named, ClusterSection):
        return given
    slurm = named.slurm
    return JobWishes(
        walltime=given.walltime,
        cores=_OWN_CORES,
        memory=_OWN_MEMORY,
        partition=given.partition or (slurm.partition if slurm else None),
        account=given.account or (slurm.account if slurm else None),
        setup=given.setup or tuple(slurm.setup if slurm else ()),
    )


def job_script(plan: Plan, config: Path, wishes: JobWishes, more: Sequence[str] = ()) -> str:
    """Write the script of a job.

    Before its walltime ends the run is asked to end and the job queued again; what was finished
    is kept, and the next job goes on. A job of a node that vanished is queued again by SLURM.

    Parameters
    ----------
    plan : Plan
        What will run.
    config : Path
        Its configuration.
    wishes : JobWishes
        What is asked of SLURM.
    more : sequence of str, optional
        Further arguments of `xct run`.

    Raises
    ------
    ValueError
        If the walltime is no time, or shorter than the run needs to end.
    """
    if walltime_seconds(wishes.walltime) <= _GRACE:
        raise ValueError(
            f"--walltime {wishes.walltime}: too short; a run takes {_GRACE} s to end and queue"
        )
    command = [sys.executable, "-m", "xct", "run", str(config.absolute()), *more]
    lines = [
        "#!/bin/bash",
        *(f"#SBATCH {line}" for line in _directives(plan, wishes)),
        "",
        *wishes.setup,
        f"{shlex.join(command)} &",
        "run=$!",
        "again() {",
        "    trap '' USR1",
        '    kill -TERM "$run"',
        '    wait "$run"',
        '    scontrol requeue "$SLURM_JOB_ID"',
        "}",
        "trap again USR1",
        'wait "$run"',
    ]
    return "\n".join(lines) + "\n"


def _directives(plan: Plan, wishes: JobWishes) -> Iterator[str]:
    yield f"--job-name={_plain(f'xct-{plan.output.name}')}"
    log = str(_beside(plan.output, ".slurm.log")).replace("%", "%%")
    yield f'--output="{log}"'
    yield "--open-mode=append"
    yield "--requeue"
    yield f"--signal=B:USR1@{_GRACE}"
    yield "--nodes=1"
    yield "--ntasks=1"
    yield f"--cpus-per-task={wishes.cores}"
    yield f"--mem={wishes.memory}"
    yield f"--time={wishes.walltime}"
    if wishes.partition:
        yield f"--partition={wishes.partition}"
    if wishes.account:
        yield f"--account={wishes.account}"


def _plain(text: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in text)


def _beside(output: Path, ending: str) -> Path:
    """Name a file beside the result folder, where a result has no place for it."""
    return output.with_name(output.name + ending)


def submit(plan: Plan, script: str) -> tuple[str, Path]:
    """Write a job's script beside the result, and hand it to SLURM.

    Returns
    -------
    job : str
        Its number.
    log : Path
        Where its output goes.

    Raises
    ------
    RunError
        If there is no SLURM, or it does not take the job.
    """
    path = _beside(plan.output, ".slurm.sh")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(script, encoding="utf-8")
    try:
        done = subprocess.run(
            ["sbatch", "--parsable", str(path)], capture_output=True, encoding="utf-8", check=False
        )
    except FileNotFoundError as error:
        raise RunError(
            f"sbatch: not found: no SLURM on this machine; the script is {path}"
        ) from error
    if done.returncode:
        said = " ".join(_errors(done.stderr.splitlines())) or f"it ended with {done.returncode}"
        raise RunError(f"sbatch takes no job: {said} (the script is {path})")
    return done.stdout.strip().partition(";")[0], _beside(plan.output, ".slurm.log")


def _errors(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        if line.strip():
            yield line.strip().removeprefix("sbatch: error: ")
