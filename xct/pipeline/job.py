"""The job: what the parts of one run share."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from xct.pipeline.monitor import Meter, RunWarnings
from xct.pipeline.output import OutputFolder
from xct.pipeline.plan import Plan
from xct.quantity import QUANTITIES


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
        steps = self.plan.slab_steps
        own = () if not steps or steps[-1].stage.sample else steps[-1].stage.gives
        kept = [name for name in self.plan.keep if QUANTITIES[name].derive is None]
        return tuple(dict.fromkeys((*kept, *own)))

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
