"""The job: what the parts of one run share."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from xct.errors import RunError
from xct.io.scans.recognize import identity as checksum_of_files
from xct.io.scans.recognize import is_sampled
from xct.pipeline.monitor import Meter, RunWarnings
from xct.pipeline.output import OutputFolder
from xct.pipeline.plan import Plan


@dataclass
class Job:
    """What the parts of one run share.

    Attributes
    ----------
    plan : Plan
        What to do.
    folder : OutputFolder
        Where to, and what is finished already.
    meter : Meter
        Time and memory by step.
    warnings : RunWarnings
        What the user must know.
    stop : threading.Event
        Set when the run is to end.
    """

    plan: Plan
    folder: OutputFolder
    meter: Meter
    warnings: RunWarnings
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def products(self) -> tuple[str, ...]:
        """Quantities that slabs write: what the last of their steps gives, and what is kept."""
        return self.plan.products

    def check_input(self) -> None:
        """Check that the input is what it was when the first of it was read.

        Raises
        ------
        RunError
            If its content has changed since.
        """
        files = sorted({Path(file) for file in self.plan.source.files})
        before, now = self.folder.number("input-times"), times_of(files)
        changed = [f for f, a, b in zip(files, before, now, strict=True) if a != b]
        if not changed:
            return
        identity = self.folder.identity() or {}
        named = f"{changed[0]}{f' and {len(changed) - 1} more' if len(changed) > 1 else ''}"
        if checksum_of_files(files) != identity.get("input"):
            raise RunError(
                f"{named}: changed while the run was reading, so that slices may be of two scans; "
                "wait until it is written, then run again with --restart"
            )
        if is_sampled(files):
            self.warnings.add(
                f"{named}: was written to, or copied, after the run began to read. Samples of the "
                "content are the same; what lies between them was not compared: run again with "
                "--restart if the scan was changed",
                "input",
            )

    def metered(self) -> dict[str, dict[str, float]]:
        """Time and peak memory by step, those of earlier, interrupted sessions included."""
        table: dict[str, dict[str, float]] = self.folder.number("meter-before") or {}
        for name, seconds in list(self.meter.seconds.items()):
            row = table.setdefault(name, {"seconds": 0.0, "peak_memory_mib": 0.0})
            row["seconds"] = round(row["seconds"] + seconds, 3)
            cpu = self.meter.cpu_seconds[name]
            row["cpu_seconds"] = round(row.get("cpu_seconds", 0.0) + cpu, 3)
            peak = max(row["peak_memory_mib"], self.meter.peak_mib[name])
            row["peak_memory_mib"] = float(round(peak))
        return table


def times_of(files: Iterable[Path]) -> list[list[int]]:
    """Give size and time of change of each file, in the order of their paths."""
    stats = [file.stat() for file in sorted({Path(file) for file in files})]
    return [[found.st_size, found.st_mtime_ns] for found in stats]
