"""Who works on the blocks of a run. In: `run.cluster`; out: what they may use, an executor."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from xct.config.model import ClusterSection
from xct.parallel.cluster import (
    Cluster,
    SlurmJobs,
    active_client,
    connected,
    slurm_client,
    workers_of,
)
from xct.parallel.executors import executed_by
from xct.pipeline.clusters.machines import THREADS
from xct.pipeline.job import Job
from xct.pipeline.monitor import Meter, RunWarnings, watched

if TYPE_CHECKING:
    from distributed import Client


@contextmanager
def work_shared_out(job: Job) -> Iterator[None]:
    """Let the run's blocks be worked on by whom the configuration names."""
    with _client(job) as client:
        if client is None:
            yield
            return

        def home(seen: Seen) -> None:
            job.meter.add(seen.report)
            for warning in seen.warnings:
                job.warnings.add(warning["message"], warning["step"])

        cluster = Cluster(client, job.plan.resources.processes, watched_block, home)
        with executed_by(cluster):
            yield


@contextmanager
def _client(job: Job) -> Iterator[Client | None]:
    named = job.plan.config.run.cluster
    if not isinstance(named, ClusterSection):
        client = active_client()
        yield client if client is not None and workers_of(client).count else None
    elif named.scheduler is not None:
        with connected(named.scheduler) as client:
            yield client
    elif named.slurm is not None:
        slurm = named.slurm
        jobs = SlurmJobs(
            cores=slurm.cores,
            processes=max(1, slurm.cores // THREADS),
            memory_bytes=int(slurm.memory),
            walltime=slurm.walltime,
            at_least=slurm.jobs[0],
            at_most=slurm.jobs[1],
            folder=job.plan.output.with_name(job.plan.output.name + ".jobs"),
            partition=slurm.partition,
            account=slurm.account,
            interface=slurm.interface,
            setup=tuple(slurm.setup),
        )
        with slurm_client(jobs) as client:
            yield client


@dataclass
class Seen:
    """What was measured and said while a worker had a block in hand."""

    report: dict[str, dict[str, float]] = field(default_factory=dict)
    warnings: list[dict[str, str]] = field(default_factory=list)


@contextmanager
def watched_block() -> Iterator[Seen]:
    """Watch what a worker does with a block; what is yielded holds it afterwards."""
    seen, meter, warnings = Seen(), Meter(), RunWarnings()
    with watched(meter, threading.Event()), warnings.gathered():
        yield seen
    seen.report, seen.warnings = meter.report(), warnings.listed
