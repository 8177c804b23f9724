"""Many scans: each is run, whatever becomes of the others. In: configurations; out: a table."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from xct.errors import ConfigError, RunError, XctError, show_bytes, show_seconds

if TYPE_CHECKING:
    from xct.pipeline.plan import Plan

log = logging.getLogger("xct")

FAILURES = (XctError, RunError, OSError, ImportError)
_PATIENCE_S = 30.0  # for runs that were asked to end


@dataclass(frozen=True)
class Outcome:
    """What became of one scan.

    Attributes
    ----------
    config : str
        Its configuration.
    state : str
        ``done``, ``failed`` while running, or ``refused``: wrong input or configuration.
    seconds : float
        How long that took.
    output : str
        Folder of the result; empty where it is not known.
    warnings : int
        Of a result.
    why : str
        Of a failure: what is wrong, and the remedy.
    """

    config: str
    state: str
    seconds: float
    output: str = ""
    warnings: int = 0
    why: str = ""


def outcome_of(config: Path, work: Callable[[Path], Any]) -> tuple[Outcome, Exception | None]:
    """Run a configuration; give what became of it, and what it raised.

    Parameters
    ----------
    config : Path
        The configuration.
    work : callable
        Runs it, and gives the result.
    """
    started = time.monotonic()
    try:
        result = work(config)
    except FAILURES as error:
        state = "refused" if isinstance(error, XctError) else "failed"
        why = "; ".join(_texts(error))
        return Outcome(str(config), state, time.monotonic() - started, why=why), error
    spent = time.monotonic() - started
    return Outcome(str(config), "done", spent, str(result.path), len(result.warnings)), None


def check_all(
    configs: Sequence[Path], plan: Callable[[Path], Plan]
) -> tuple[dict[Path, Plan], list[Outcome]]:
    """Plan every run before the first one starts; give the plans, and what is refused."""
    plans: dict[Path, Plan] = {}
    refused: list[Outcome] = []
    for config in configs:
        try:
            plans[config] = plan(config)
        except FAILURES as error:
            refused.append(Outcome(str(config), "refused", 0.0, why="; ".join(_texts(error))))
    return plans, refused


def _texts(error: Exception) -> Sequence[str]:
    return error.errors if isinstance(error, XctError) else [str(error)]


def table_text(outcomes: Sequence[Outcome]) -> str:
    """Show what became of every scan; below one that failed, why."""
    rows = [("scan", "state", "time", "warnings", "result")]
    for one in outcomes:
        warnings = str(one.warnings) if one.state == "done" else ""
        rows.append((one.config, one.state, show_seconds(one.seconds), warnings, one.output))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    for number in reversed(range(len(outcomes))):
        if outcomes[number].why:
            lines.insert(number + 2, f"    {outcomes[number].why}")
    return "\n".join(["", *lines])


def outcomes_json(outcomes: Sequence[Outcome]) -> str:
    """Write what became of every scan as JSON."""
    return json.dumps([asdict(one) for one in outcomes], ensure_ascii=False, indent=1)


def fail_if_any(outcomes: Sequence[Outcome]) -> None:
    """End the command with the exit code of what failed.

    Raises
    ------
    XctError
        If all that failed was refused.
    RunError
        If one failed while it ran.
    """
    failed = [one for one in outcomes if one.state != "done"]
    if not failed:
        return
    text = f"{len(failed)} of {len(outcomes)} scans failed: {', '.join(o.config for o in failed)}"
    raise (XctError if all(one.state == "refused" for one in failed) else RunError)(text)


@dataclass(frozen=True)
class Sharing:
    """How many scans run at a time, and what each may use.

    Attributes
    ----------
    jobs : int
        At a time.
    settings : mapping of Path to tuple of str
        By configuration: its share as ``--set``.
    """

    jobs: int
    settings: Mapping[Path, tuple[str, ...]]


def share_memory(
    plans: Mapping[Path, Plan], jobs: int, plan: Callable[[Path, tuple[str, ...]], Plan]
) -> Sharing:
    """Choose how many scans fit into memory at the same time, up to `jobs`.

    Parameters
    ----------
    plans : mapping of Path to Plan
        By configuration: its run with all memory.
    jobs : int
        As many as are wished for.
    plan : callable
        ``plan(config, changes)`` gives the plan of a run with less.
    """
    from xct.pipeline.clusters.machines import GIB, available_memory

    allowed = 0.8 * available_memory()
    for several in range(min(jobs, len(plans)), 1, -1):
        share = allowed / several / GIB
        settings = {config: _less(one, share) for config, one in plans.items()}
        try:
            needs = [plan(c, changes).resources.memory_bytes for c, changes in settings.items()]
        except ConfigError:  # they were right before: what has changed is the memory
            continue
        if sum(sorted(needs)[-several:]) <= allowed:
            return Sharing(several, settings)
    if jobs > 1 and len(plans) > 1:
        log.warning("%s of memory are free, enough for one scan at a time", show_bytes(allowed))
    return Sharing(1, dict.fromkeys(plans, ()))


def _less(plan: Plan, share_gib: float) -> tuple[str, ...]:
    """Give the share of a run as ``--set``, unless its configuration asks for less."""
    own = plan.config.run.memory_gib
    return () if own != "auto" and own <= share_gib else (f"run.memory_gib={share_gib:.3f}",)


class Beside:
    """Runs scans beside each other, each in a process of its own with its share of the cores.

    A scan that ends its process, by memory say, does not end the others.

    Parameters
    ----------
    sharing : Sharing
        How many at a time.
    arguments : sequence of str
        Further arguments of ``xct run``.
    """

    def __init__(self, sharing: Sharing, arguments: Sequence[str]) -> None:
        self._arguments, self._sharing = list(arguments), sharing
        self._cores: SimpleQueue[set[int]] = SimpleQueue()
        for share in _shares(sorted(os.sched_getaffinity(0)), sharing.jobs):
            self._cores.put(share)
        self._running: set[subprocess.Popen[str]] = set()
        self._lock, self._ended = threading.Lock(), False

    def run(self, configs: Sequence[Path], done: Callable[[Outcome], None]) -> None:
        """Run all; `done` gets what became of each as it ends."""
        pool = ThreadPoolExecutor(self._sharing.jobs)
        try:
            waited = [pool.submit(lambda c: done(self._one(c)), config) for config in configs]
            for one in waited:
                one.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            self._end()

    def _one(self, config: Path) -> Outcome:
        started, cores = time.monotonic(), self._cores.get()
        # Of this thread alone; the process that it starts inherits them.
        os.sched_setaffinity(0, cores)
        command = [sys.executable, "-m", "xct", "run", str(config), "-q", "--json"]
        command += [word for s in self._sharing.settings[config] for word in ("--set", s)]
        try:
            with self._lock:
                if self._ended:
                    raise KeyboardInterrupt
                process = subprocess.Popen(
                    [*command, *self._arguments],
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    encoding="utf-8",
                    env={**os.environ, "PYTHONIOENCODING": "utf-8"},
                )
                self._running.add(process)
            log.info("%s: started, process %d", config, process.pid)
            said, errors = process.communicate()
        finally:
            self._cores.put(cores)
        with self._lock:
            self._running.discard(process)
        return _outcome(config, process.returncode, said, errors, time.monotonic() - started)

    def _end(self) -> None:
        """Ask what still runs to end; what it finished is kept."""
        with self._lock:
            self._ended, left = True, list(self._running)
        for process in left:
            process.send_signal(signal.SIGTERM)
        for process in left:
            try:
                process.wait(_PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()


def _shares(cores: list[int], jobs: int) -> list[set[int]]:
    """Deal cores out; all to everyone where there are fewer than jobs."""
    if len(cores) < jobs:
        return [set(cores)] * jobs
    return [set(cores[number::jobs]) for number in range(jobs)]


def _outcome(config: Path, code: int, said: str, errors: str, seconds: float) -> Outcome:
    """Say what became of a process."""
    try:
        [found] = json.loads(said)
        return Outcome(**{**found, "config": str(config)})
    except (ValueError, TypeError):
        pass
    if code < 0:
        name = signal.Signals(-code).name
        why = f"its process was ended by {name}, most often for lack of memory: lower --jobs"
    else:
        why = " ".join(errors.split())[-500:] or f"its process ended with {code}"
    return Outcome(str(config), "failed", seconds, why=why)
