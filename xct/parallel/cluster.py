"""Blocks on the workers of a cluster. In: a Dask scheduler; out: an executor, and what workers are.

Workers read their own parts of the data and write their own chunks; what travels are blocks,
paths and small objects. The answers are those of one process, byte for byte.
"""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xct.errors import RunError
from xct.parallel.executors import Done, Work
from xct.parallel.threads import limit_threads

if TYPE_CHECKING:
    from distributed import Client, Future

log = logging.getLogger("xct")

_KEPT = "; what was finished is kept: run again to go on"
_CONNECT_SECONDS = 10
_ROLES = ("client", "scheduler", "worker")
_LOST = 3  # workers that one block may lose before it is taken for their end
_WALLTIME_LEFT = 60  # seconds before its walltime ends at which a worker takes no more blocks


@dataclass(frozen=True)
class Workers:
    """The processes that work on blocks.

    Attributes
    ----------
    count : int
        How many there are, or may be.
    cores : int
        Of each.
    memory_bytes : int
        That each may use; 0 where nothing limits it.
    """

    count: int
    cores: int
    memory_bytes: int


@dataclass(frozen=True)
class Cluster:
    """Carries out work on blocks by the workers of a Dask scheduler.

    Attributes
    ----------
    client : distributed.Client
        Connected to the scheduler.
    processes : int
        Workers that there may be: work without a size of its own is cut for them.
    around : callable
        ``around()``, at the top of a module, gives a context manager entered around each block on
        the worker; what it yields comes back.
    home : callable
        Gets what `around` yielded, in this process.
    """

    client: Client
    processes: int = 1
    around: Callable[[], AbstractContextManager[Any]] = nullcontext
    home: Callable[[Any], None] = field(default=lambda _: None)

    def map(
        self, work: Work, blocks: Sequence[Any], *, workers: int, done: Done | None
    ) -> list[Any]:
        """Give the answer of every block; a worker has `workers` of them in hand at a time."""
        from distributed import as_completed

        client = self.client
        # Not scattered: data of a worker that is lost would be lost, a task is done again.
        shared = client.submit(_same, work, pure=False)
        tasks = client.map(
            _carried_out,
            list(blocks),
            work=shared,
            at_once=workers,
            around=self.around,
            pure=False,
        )
        number_of = {task.key: number for number, task in enumerate(tasks)}
        answers: list[Any] = [None] * len(tasks)
        try:
            for task in as_completed(tasks, loop=client.loop):
                with _failures_in_words(client):
                    answer, seen = task.result()
                self.home(seen)
                answers[number_of[task.key]] = answer
                if done is not None:
                    done(answer)
                task.release()
        finally:
            _give_up([*tasks, shared])
        return answers


def _give_up(tasks: Sequence[Future]) -> None:
    """Leave what was not begun; blocks that are being worked on end by themselves."""
    for task in tasks:
        if task.status == "pending":
            task.cancel()


@contextmanager
def _failures_in_words(client: Client) -> Iterator[None]:
    from concurrent.futures import CancelledError

    from distributed import KilledWorker
    from distributed.comm import CommClosedError

    try:
        yield
    except KilledWorker as error:
        where = getattr(error.last_worker, "address", "a worker")
        raise RunError(
            f"run.cluster: a block ended {_LOST + 1} workers, the last one at {where}: most often "
            "they had not enough memory, or their jobs were cancelled; see their logs, give a "
            f"worker more memory, or lower run.memory_gib{_KEPT}"
        ) from error
    except (CancelledError, CommClosedError, TimeoutError) as error:
        raise RunError(
            f"run.cluster: the scheduler at {client.scheduler.address} is gone, or has forgotten "
            f"this run{_KEPT}"
        ) from error


def _same(work: Work) -> Work:
    return work


_turns: dict[int, threading.BoundedSemaphore] = {}
_turns_lock = threading.Lock()


@contextmanager
def _in_turn(at_once: int) -> Iterator[int]:
    """Wait until this process works on fewer blocks than it may; give the threads of one."""
    from distributed import get_worker

    cores = get_worker().state.nthreads
    at_once = max(1, min(at_once, cores))
    with _turns_lock:
        turn = _turns.setdefault(at_once, threading.BoundedSemaphore(at_once))
    with turn:
        yield max(1, cores // at_once)


def _carried_out(
    block: Any, work: Work, at_once: int, around: Callable[[], AbstractContextManager[Any]]
) -> tuple[Any, Any]:
    """Read, compute and write a block on a worker."""
    with _in_turn(at_once) as threads, limit_threads(threads), around() as seen:
        read = () if work.read is None else (work.read(block, *work.arguments),)
        found = work.compute(block, *read, *work.arguments)
        answer = found if work.write is None else work.write(block, found, *work.arguments)
    return answer, seen


def active_client() -> Client | None:
    """Give the Dask client that this process works with, as in a notebook; None without one."""
    if "distributed" not in sys.modules:
        return None
    from distributed import Client

    try:
        client = Client.current(allow_global=True)
    except ValueError:
        return None
    return client if client.status == "running" else None


@contextmanager
def connected(address: str) -> Iterator[Client]:
    """Connect to a scheduler that runs already.

    Parameters
    ----------
    address : str
        Such as ``tcp://node17:8786``.

    Raises
    ------
    RunError
        If no scheduler answers.
    """
    from distributed import Client

    try:
        client = Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, TimeoutError, ValueError, RuntimeError) as error:
        raise RunError(
            f"run.cluster.scheduler: no Dask scheduler answers at {address} ({error}); start one "
            "(dask scheduler), or leave run.cluster out to work on this machine"
        ) from error
    with client:
        yield client


@dataclass(frozen=True)
class SlurmJobs:
    """Jobs of a SLURM cluster that work on blocks.

    Attributes
    ----------
    cores, processes : int
        Of one job.
    memory_bytes : int
        Of one job.
    walltime : str
        Of one job, ``[days-]hours:minutes:seconds``.
    at_least, at_most : int
        Jobs that are kept.
    partition, account, interface : str or None
        As the cluster wants them; the network that the nodes share.
    setup : tuple of str
        Lines that a job runs before it works.
    folder : Path
        Where the jobs write their logs.
    """

    cores: int
    processes: int
    memory_bytes: int
    walltime: str
    at_least: int
    at_most: int
    folder: Path
    partition: str | None = None
    account: str | None = None
    interface: str | None = None
    setup: tuple[str, ...] = ()


@contextmanager
def slurm_client(jobs: SlurmJobs) -> Iterator[Client]:
    """Submit jobs to SLURM, and connect to them; they end when this does.

    What travels between them is encrypted, and only who has this run's key can take part. Their
    folder, with logs, stays where this ends with an error.

    Raises
    ------
    RunError
        If SLURM takes no job, or the package dask-jobqueue is missing.
    """
    try:
        from dask_jobqueue import SLURMCluster
        from distributed import Client
        from distributed.security import Security
    except ImportError as error:
        raise RunError(
            "run.cluster.slurm: needs dask-jobqueue: pip install 'xct[cluster]'"
        ) from error
    shutil.rmtree(jobs.folder, ignore_errors=True)  # of a run that ended with an error
    jobs.folder.mkdir(parents=True, mode=0o700)
    seconds = max(walltime_seconds(jobs.walltime) - _WALLTIME_LEFT, _WALLTIME_LEFT)
    cluster = SLURMCluster(
        cores=jobs.cores,
        processes=jobs.processes,
        memory=f"{jobs.memory_bytes} B",
        walltime=jobs.walltime,
        queue=jobs.partition,
        account=jobs.account,
        interface=jobs.interface,
        job_script_prologue=list(jobs.setup),
        log_directory=str(jobs.folder),
        local_directory=None,
        job_name="xct",
        python=sys.executable,
        security=Security(require_encryption=True, **_keys(jobs.folder)),
        worker_extra_args=["--lifetime", f"{seconds}s", "--no-dashboard"],
        scheduler_options={"dashboard": False},
    )
    with cluster, Client(cluster, set_as_default=False) as client:
        _refuse_job(cluster, jobs.folder)
        log.info("jobs of SLURM: %d to %d; blocks wait for the first", jobs.at_least, jobs.at_most)
        cluster.adapt(minimum_jobs=jobs.at_least, maximum_jobs=jobs.at_most)
        yield client
    shutil.rmtree(jobs.folder, ignore_errors=True)


def _keys(folder: Path) -> dict[str, str]:
    """Make a key and its certificate, which this process and the jobs read, and nobody else."""
    from distributed.security import Security

    made = Security.temporary().get_tls_config_for_role("worker")
    paths = {}
    for name in ("ca_file", "cert", "key"):
        path = folder / f"{name}.pem"
        path.touch(mode=0o600)
        path.write_text(made[name], encoding="utf-8")
        paths[name] = str(path)
    roles = {f"tls_{role}_{name}": paths[name] for role in _ROLES for name in ("cert", "key")}
    return {"tls_ca_file": paths["ca_file"], **roles}


def _refuse_job(cluster: Any, folder: Path) -> None:
    """Ask SLURM about a job before any is submitted, so that what is wrong is said at once."""
    script = folder / "job.sh"
    script.write_text(cluster.job_script(), encoding="utf-8")
    try:
        asked = subprocess.run(
            ["sbatch", "--test-only", str(script)],
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
    except FileNotFoundError as error:
        raise RunError("run.cluster.slurm: sbatch: not found: no SLURM on this machine") from error
    if asked.returncode:
        lines = asked.stderr.splitlines() or ["no reason is given"]
        said = " ".join(line.partition("error: ")[2] or line for line in lines)
        raise RunError(
            f"run.cluster.slurm: SLURM takes no such job: {said}; check partition, account, "
            "walltime, memory and cores (sinfo shows what there is)"
        )


def walltime_seconds(walltime: str) -> int:
    """Give the seconds of SLURM's ``[days-]hours:minutes:seconds``.

    Raises
    ------
    ValueError
        If it is written otherwise.
    """
    days, _, clock = walltime.rpartition("-")
    parts = clock.split(":")
    if len(parts) != 3 or not all(part.isdigit() for part in [*parts, *([days] if days else [])]):
        raise ValueError(f"{walltime!r} is no [days-]hours:minutes:seconds, such as 02:30:00")
    hours, minutes, seconds = map(int, parts)
    return ((int(days or 0) * 24 + hours) * 60 + minutes) * 60 + seconds


def workers_of(client: Client) -> Workers:
    """Say what the workers of a scheduler are, the smallest of them; none: `count` is 0."""
    known = client.scheduler_info(n_workers=-1)["workers"].values()
    if not known:
        return Workers(0, 1, 0)
    limits = [worker["memory_limit"] or 0 for worker in known]
    return Workers(len(known), min(worker["nthreads"] for worker in known), int(min(limits)))
