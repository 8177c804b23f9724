"""A run that is watched. In: a configuration, a limit of memory; out: time, memory, disk, by step.

The run is a process of its own. Every second its steps, the memory of all its processes and the
disk are noted. It can be killed once in the middle of its slabs, and goes on.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import yaml

from xct.errors import RunError, XctError
from xct.io.atomic import write_text
from xct.pipeline.plan import make_plan
from xct.pipeline.resources import bytes_below
from xct.pipeline.watching.status import status_of

log = logging.getLogger("xct")

GIB = 2**30
_EVERY_S = 1.0
_DISK_EVERY = 10  # of how many looks one is at the disk


@dataclass
class Watched:
    """What was seen of a run.

    Attributes
    ----------
    seconds : dict of str to float
        On the clock, by step; what a kill made be done twice counts twice.
    peak_bytes : int
        Largest memory of all processes together; what they share counts in each.
    disk_bytes : int
        Largest size of the result, temporary files included.
    kills : int
        How often it was killed.
    processor_s : float
        That its processes took.
    """

    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    peak_bytes: int = 0
    disk_bytes: int = 0
    kills: int = 0
    processor_s: float = 0.0

    def run(self, config: Path, limit_bytes: float, *, kill: bool) -> None:
        """Run a configuration to its end; kill it once, where it is asked for.

        Raises
        ------
        RunError
            If the run fails, or takes more memory than the limit.
        """
        output = config.parent / "result"
        with (config.parent / "screen.log").open("a", encoding="utf-8") as screen:
            command = [sys.executable, "-m", "xct", "run", str(config)]
            process = subprocess.Popen(
                command, stdout=screen, stderr=screen, start_new_session=True
            )
            code = self._watch(process, output, limit_bytes, kill=kill)
        self.disk_bytes = max(self.disk_bytes, bytes_below(output))
        if kill and code == -signal.SIGKILL:
            self.kills += 1
            log.info("killed in the middle of its slabs; it goes on")
            self.run(config, limit_bytes, kill=False)
        elif code:
            raise RunError(f"{config} ended with {code}: see screen.log beside it")

    def _watch(
        self, process: subprocess.Popen[bytes], output: Path, limit_bytes: float, *, kill: bool
    ) -> int:
        """Look at a process until it ends, or kill it; give its exit code."""
        looks, seen = 0, time.monotonic()
        while True:
            pid, status, used = os.wait4(process.pid, os.WNOHANG)
            if pid:
                self.processor_s += used.ru_utime + used.ru_stime
                process.returncode = os.waitstatus_to_exitcode(status)
                return process.returncode
            now = time.monotonic()
            in_the_middle = self._look(output, now - seen)
            self._weigh(process.pid, limit_bytes)
            if looks % _DISK_EVERY == 0:
                self.disk_bytes = max(self.disk_bytes, bytes_below(output))
            if kill and in_the_middle:
                os.killpg(process.pid, signal.SIGKILL)
            seen, looks = now, looks + 1
            time.sleep(_EVERY_S)

    def _look(self, output: Path, seconds: float) -> bool:
        """Add time to the step that goes on; say whether half of the slabs are done."""
        step, notes = "start", list((output / ".xct").glob("slab-*.json"))
        with suppress(XctError, OSError):
            status = status_of(output, watch_s=0)
            step = status.step or step
            if step == "slabs" and len(notes) < (status.total or 0) / 2:
                notes = []
        self.seconds[step] += seconds
        return bool(notes)

    def _weigh(self, leader: int, limit_bytes: float) -> None:
        total = 0
        with suppress(psutil.Error):
            first = psutil.Process(leader)
            for process in (first, *first.children(recursive=True)):
                with suppress(psutil.Error):
                    total += process.memory_info().rss
        self.peak_bytes = max(self.peak_bytes, total)
        if total > limit_bytes:
            os.killpg(leader, signal.SIGKILL)
            raise RunError(
                f"the run took {total / GIB:.2f} GiB, more than the {limit_bytes / GIB:.1f} allowed"
            )


def measured(config: Path, memory_gib: float, *, kill: bool) -> dict[str, Any]:
    """Run a configuration under a limit, unless that was done; give what it took and was to take.

    Returns
    -------
    dict
        ``seconds`` by step; ``all_s``, and ``slices_s`` up to the finished volume, on the clock;
        ``processor_s`` of all processes; ``peak_gib``; ``disk_gib``; ``kills``; ``expected``: the
        same as it was foretold; ``time_and_memory`` as the run says them.
    """
    noted = config.parent / "measured.json"
    if noted.exists():
        known: dict[str, Any] = json.loads(noted.read_text(encoding="utf-8"))
        return known
    settings = yaml.safe_load(config.read_text(encoding="utf-8"))
    settings["run"]["memory_gib"] = round(0.9 * memory_gib, 2)
    write_text(config, yaml.safe_dump(settings, sort_keys=False))
    need = make_plan(config).resources
    watched, start = Watched(), time.monotonic()
    watched.run(config, memory_gib * GIB, kill=kill)
    account = yaml.safe_load((config.parent / "result" / "run.yaml").read_text(encoding="utf-8"))
    making = {"start", "frames", "check_frames", "find_tilt", "find_center", "slabs"}
    found = {
        "all_s": time.monotonic() - start,
        "slices_s": sum(s for step, s in watched.seconds.items() if step in making),
        "peak_gib": watched.peak_bytes / GIB,
        "disk_gib": watched.disk_bytes / GIB,
        "kills": watched.kills,
        "processor_s": watched.processor_s,
        "expected": {
            "all_s": need.seconds,
            "slices_s": need.seconds - need.measuring_seconds,
            "peak_gib": need.memory_bytes / GIB,
            "disk_gib": need.disk_bytes / GIB,
        },
        "seconds": dict(watched.seconds),
        "time_and_memory": account["time_and_memory"],
    }
    write_text(noted, json.dumps(found, indent=1))
    return found
