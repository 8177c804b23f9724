"""Passes over a scan: frames cut by rows where needed, then slabs. In: a job; out: files."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from xct.blocks import Block, cut, each, in_line
from xct.folder import OutputFolder
from xct.io import by_rows
from xct.io.volume import Coding
from xct.meter import Meter
from xct.plan import Plan, slice_size
from xct.products import Products
from xct.progress import Progress
from xct.remarks import Remarks
from xct.scan import Scan
from xct.slabs import Interrupted, Slabs

log = logging.getLogger("xct")


@dataclass
class Job:
    """What the passes of one run share.

    Attributes
    ----------
    plan : Plan
        What to do.
    folder : OutputFolder
        Where to, and what is finished already.
    meter : Meter
        Time and memory by step.
    remarks : Remarks
        What stages had to say.
    stop : threading.Event
        Set when the run is to end.
    """

    plan: Plan
    folder: OutputFolder
    meter: Meter
    remarks: Remarks
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def products(self) -> tuple[str, ...]:
        """Quantities that are written: what the last stage gives, and what is to be kept."""
        last = self.plan.steps[-1].stage
        own = () if last.sample else (last.gives,)
        return tuple(dict.fromkeys((*self.plan.keep, *own)))

    def metered(self) -> dict[str, dict[str, float]]:
        """Time and peak memory by step, those of earlier, interrupted sessions included."""
        table: dict[str, dict[str, float]] = self.folder.number("meter-before") or {}
        for name, seconds in list(self.meter.seconds.items()):
            row = table.setdefault(name, {"seconds": 0.0, "peak_memory_mib": 0.0})
            row["seconds"] = round(row["seconds"] + seconds, 3)
            peak = max(row["peak_memory_mib"], self.meter.peak_mib[name])
            row["peak_memory_mib"] = float(round(peak))
        return table


def open_frames(job: Job) -> Scan:
    """Give the scan as slabs can read it: itself, or copied to a temporary Zarr cut by rows."""
    scan = job.plan.scan
    if not scan.projections.whole_frames:
        return scan
    path = job.folder.state / "frames.zarr"
    blocks = by_rows.plan_blocks(scan)
    done = job.folder.notes("frames") if path.exists() else {}
    if not done:
        by_rows.create(scan, path)
    write = by_rows.writer(scan, path)
    progress = Progress("frames", len(blocks), len(done))

    def one(block: by_rows.FrameBlock) -> by_rows.FrameBlock:
        if job.stop.is_set():
            raise Interrupted
        with job.meter.step("frames"):
            write(block)
        job.folder.note(f"frames-{block.number}", {"last": block.stop})
        return block

    def finished(block: by_rows.FrameBlock) -> None:
        progress.step(f"{block.kind} {block.first}–{block.stop - 1}")

    left = [block for block in blocks if block.number not in done]
    each(one, left, workers=job.plan.resources.workers + 1, done=finished)
    progress.close()
    return by_rows.reopen(scan, path)


def write_slabs(job: Job, slabs: Slabs, coding: Coding) -> None:
    """Run the steps on every slab that is not finished, and write what they give."""
    plan, folder = job.plan, job.folder
    steps = [step for step in plan.steps if not step.stage.sample]
    angles, rows, columns = plan.scan.projections.shape
    products = Products(
        folder=folder.path,
        wanted=job.products,
        shape=(angles, rows, columns),
        size=slice_size(steps) or columns,
        voxel_size_um=float(plan.scan.voxel_size_um or 1.0),
        coding=coding,
        name=plan.config.cell.name or plan.output.name,
    )
    blocks = cut(rows, plan.resources.slab_rows)
    if products.create(folder.state):
        folder.forget("slab")
    done = folder.notes("slab")
    left = _unfinished(blocks, done)
    progress = Progress("slabs", len(blocks), len(blocks) - len(left))

    def read(block: Block) -> dict[str, Any]:
        return slabs.read(block.first, block.stop, steps)

    def compute(block: Block, quantities: dict[str, Any]) -> Any:
        with job.meter.step("compute"):
            return slabs.compute(block.first, block.stop, quantities, products.wanted, steps)

    def write(block: Block, computed: Any) -> Block:
        found, counts = computed
        with job.meter.step("write"):
            beyond = products.store(block.first, found)
        folder.note("remarks", job.remarks.listed)
        note: dict[str, Any] = {"stop": block.stop, "counts": counts, "beyond": beyond}
        folder.note(f"slab-{block.first}", note)
        return block

    def finished(block: Block) -> None:
        folder.note("meter", job.metered())
        progress.step(f"rows {block.first}–{block.stop - 1}")

    workers = plan.resources.workers
    before, start = dict(job.meter.seconds), time.monotonic()
    in_line(read, compute, write, left, workers=workers, done=finished)
    progress.close()
    if left:
        seconds = time.monotonic() - start
        log.info("%s", _waits(before, job.meter.seconds, seconds, workers))


def _waits(
    before: Mapping[str, float], after: Mapping[str, float], seconds: float, workers: int
) -> str:
    """Say how long reading, computing and writing waited for each other, and which was slowest."""
    busy = {name: after[name] - before.get(name, 0.0) for name in ("read", "compute", "write")}
    busy["compute"] /= workers
    waited = ", ".join(f"{n} waited {max(seconds - b, 0):.1f} s" for n, b in busy.items())
    return f"slabs took {seconds:.1f} s: {waited}; limited by: {max(busy, key=lambda n: busy[n])}"


def _unfinished(blocks: Sequence[Block], done: dict[int, Any]) -> list[Block]:
    """Leave out what an earlier session finished, also where it cut the rows otherwise."""
    finished = {row for first, note in done.items() for row in range(first, note["stop"])}
    return [b for b in blocks if not finished.issuperset(range(b.first, b.stop))]
