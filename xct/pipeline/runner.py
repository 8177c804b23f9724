"""Pipeline: a checked plan, carried out slab by slab. In: a configuration; out: a result."""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from xct.errors import ConfigError, RunError, XctError, show_bytes, show_seconds
from xct.io.volumes import Coding
from xct.parallel.threads import share_heaps
from xct.pipeline.checks.frames import check_frames
from xct.pipeline.checks.late import begins_again, without_late
from xct.pipeline.clusters.workers import work_shared_out
from xct.pipeline.estimates import Estimates
from xct.pipeline.given.copying import copy_volume
from xct.pipeline.job import Job, times_of
from xct.pipeline.lock import Held
from xct.pipeline.measurement import Measurement, write_kept
from xct.pipeline.monitor import (
    FAULT,
    UNSEEN,
    Meter,
    RunWarnings,
    fault_of,
    log_file,
    watched,
)
from xct.pipeline.output import OutputFolder
from xct.pipeline.plan import make_plan
from xct.pipeline.reconstruction import open_frames, write_slabs
from xct.pipeline.slabs import Slabs
from xct.pipeline.summary import write_summary
from xct.pipeline.watching.expected import expected_s
from xct.pipeline.watching.progress import Whereabouts, at_step, noted
from xct.reconstruct.gridding.workspace import release
from xct.report.of_run import write_report
from xct.result import Result, open_result
from xct.scan import Scan

log = logging.getLogger("xct")


def run(
    source: Path | str | Mapping[str, Any],
    changes: Sequence[str] = (),
    *,
    until: str | None = None,
    keep: Sequence[str] = (),
    restart: bool = False,
    allow_stages: bool = False,
) -> Result:
    """Check a configuration and run it; an interrupted run goes on where it was.

    Parameters
    ----------
    source : path or mapping
        The configuration.
    changes : sequence of str, optional
        As in ``--set scan.bin=2``.
    until : str, optional
        Last stage to run; what it gives is kept.
    keep : sequence of str, optional
        Quantities to write that otherwise only pass through, such as "line_integrals".
    restart : bool, optional
        Throw away what an earlier run left in the output folder.
    allow_stages : bool, optional
        Import the modules that the configuration names under ``stages``: this runs their code.

    Returns
    -------
    Result

    Raises
    ------
    ConfigError
        With every error at once, before anything is written.
    RunError
        If the run had to end; what was finished is kept.
    """
    share_heaps()
    plan = make_plan(source, changes, until=until, keep=keep, allow_stages=allow_stages)
    folder = OutputFolder(plan.output, plan.config.run.figures)
    times = times_of(plan.source.files)
    if not restart:
        plan = plan.continuing(folder.identity())
    identity = plan.identity()
    errors = folder.conflicts(identity, restart=restart)
    if errors:
        raise ConfigError(*errors)
    with _unwritable_explained(folder), folder.locked() as lock:
        resumed = folder.claim(identity, restart=restart)
        if folder.is_finished():
            log.info("%s is finished already; --restart does it again", folder.path)
            return open_result(folder.path)
        warnings = RunWarnings(folder.number("warnings") or [])
        folder.note("meter-before", folder.number("meter") or {})
        if folder.number("input-times") is None:
            folder.note("input-times", times)
        job = Job(plan, folder, Meter(), warnings)
        lock.when_lost = job.stop.set
        with (
            log_file(folder.path / "run.log"),
            watched(job.meter, job.stop),
            warnings.gathered(),
            _failures_explained(job, lock),
            work_shared_out(job),
            noted(Whereabouts(folder.journal, expected_s(plan))),
        ):
            _carry_out(job, resumed=resumed)
    return open_result(folder.path)


def _carry_out(job: Job, *, resumed: bool) -> None:
    started = time.monotonic()
    _greet(job, resumed=resumed)
    plan = job.plan
    if isinstance(plan.source, Scan):
        job = _reconstruct(job)
        plan = job.plan
    else:
        copy_volume(job, plan.source)
    job.check_input()
    release()  # what fbp keeps for its next call
    found = Measurement(job).run() if plan.measuring_steps else {}
    at_step("summary")
    written = [*write_kept(job, found), *write_summary(job, found)]
    written += _report(job.folder.path)
    job.folder.finish(job.products, written)
    log.info("finished after %s", show_seconds(time.monotonic() - started))


def _report(folder: Path) -> list[Path]:
    """Write the report; a fault in it ends no run."""
    try:
        return [write_report(open_result(folder))]
    except (XctError, OSError, MemoryError):
        raise
    except Exception as error:
        log.warning("report.html was not written: %s", fault_of(error), exc_info=error)
        return []


def _reconstruct(job: Job) -> Job:
    """Make the volume; give the job with the frames that are left."""
    frames = open_frames(job)
    done, scan = _pass(job, frames)
    if job.products and begins_again(job, scan):
        done, _ = _pass(job, frames)
    return done


def _pass(job: Job, frames: Scan) -> tuple[Job, Scan]:
    """Estimate, then work on all rows; give the job, and what its slabs were made of."""
    at_step("check_frames")
    checked = check_frames(*without_late(job, frames))
    job, plan = checked.job, checked.job.plan
    slabs = Slabs(checked.frames, mend=checked.mend)
    slabs.known |= checked.known
    workers = plan.resources.workers
    estimates = Estimates(slabs, plan.slab_steps, job.folder, job.warnings, workers)
    estimates.sample()
    slabs.known |= {name: entry["value"] for name, entry in plan.given_numbers().items()}
    estimates.find_numbers()
    job = replace(job, plan=plan.for_overlap(slabs.facts))
    if job.products:
        codes = plan.config.run.dtype == "uint16" and "volume" in job.products
        coding = estimates.find_coding() if codes else Coding()
        estimates.seen = {}  # rows that are not needed any more
        write_slabs(job, slabs, coding)
    return job, checked.frames


def _greet(job: Job, *, resumed: bool) -> None:
    plan, need = job.plan, job.plan.resources
    if isinstance(plan.source, Scan):
        shape = plan.source.projections.shape
        log.info("%s: %d projections of %d × %d pixels", plan.output, *shape)
    else:
        log.info(
            "%s: %s of %d × %d × %d voxels", plan.output, plan.source.layout, *plan.volume_shape
        )
    log.info(
        "%s; expected: %s, %s memory, %s disk",
        need.sharing(),
        show_seconds(need.seconds),
        show_bytes(need.memory_bytes),
        show_bytes(need.disk_bytes),
    )
    if resumed:
        log.info("continuing an interrupted run")
    if plan.config.scan.center_px is not None:
        log.info("find_center is skipped: scan.center_px = %g", plan.config.scan.center_px)
    for message in plan.warnings:
        if job.warnings.add(message, "check"):
            log.warning("%s", message)


@contextmanager
def _unwritable_explained(folder: OutputFolder) -> Iterator[None]:
    """Say why the output folder cannot be made or claimed."""
    try:
        yield
    except OSError as error:
        raise RunError(f"output: {folder.path}: {error.strerror or error}") from error


@contextmanager
def _failures_explained(job: Job, lock: Held) -> Iterator[None]:
    """Say in one line why a run had to end, and that nothing finished is lost."""
    try:
        yield
    except BaseException as error:
        job.stop.set()  # other slabs end after their present step
        reason = _LOST.format(job.folder.path) if lock.lost.is_set() else _reason(error, job.folder)
        traceback = error if reason is not None and reason.startswith(FAULT) else None
        said = reason or f"interrupted by {type(error).__name__}"
        log.error("%s", said, exc_info=traceback, extra=UNSEEN)
        if reason is None:
            raise
        raise RunError(reason) from error


_LOST = (
    "output: {}: another run took this folder, since this one had stood still for a minute; "
    "it goes on there"
)
_KEPT = "; what was finished is kept: mend the cause and run again"


def _reason(error: BaseException, folder: OutputFolder) -> str | None:
    """Put an error into words; None where it is an interruption."""
    if isinstance(error, RunError):
        return str(error)
    if isinstance(error, MemoryError):
        return f"out of memory: lower run.workers or run.memory_gib{_KEPT}"
    if isinstance(error, OSError):
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return f"the disk below {folder.path} is full{_KEPT}"
        return f"{error.filename or folder.path}: {error.strerror or error}{_KEPT}"
    if isinstance(error, XctError):  # a stage, or a reader, refuses what it was given
        return (
            f"{str(error).replace(chr(10), '; ')}; mend the cause and run again, with --restart "
            "if slices were finished with other input or settings"
        )
    return f"{fault_of(error)}; what was finished is kept" if isinstance(error, Exception) else None
