"""Passes over a scan: frames cut by rows where needed, then slabs. In: a job; out: files."""

from __future__ import annotations

import logging
import os
import shutil
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from xct.io import by_rows
from xct.io.foreign import ForeignVolume
from xct.io.volumes import Coding, create_volume, write_slab
from xct.parallel.blocks import Block, cut, slabs
from xct.parallel.executors import map_blocks
from xct.pipeline.monitor import Meter, Progress, Remarks
from xct.pipeline.output import OutputFolder
from xct.pipeline.plan import Plan
from xct.pipeline.products import Products
from xct.pipeline.slabs import Interrupted, Slabs
from xct.scan import Scan

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
        steps = self.plan.slab_steps
        own = () if not steps or steps[-1].stage.sample else (steps[-1].stage.gives,)
        kept = [name for name in self.plan.keep if name != "normalized"]
        return tuple(dict.fromkeys((*kept, *own)))

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
    map_blocks(one, left, workers=job.plan.resources.workers + 1, done=finished)
    progress.close()
    return by_rows.reopen(scan, path)


def write_slabs(job: Job, work: Slabs, coding: Coding) -> None:
    """Run the steps on every slab that is not finished, and write what they give."""
    plan, folder = job.plan, job.folder
    steps = [step for step in plan.slab_steps if not step.stage.sample]
    angles, rows, columns = plan.scan.projections.shape
    products = Products(
        folder=folder.path,
        wanted=job.products,
        shape=(angles, rows, columns),
        size=plan.volume_shape[1],
        voxel_size_um=plan.voxel_size_um[0],
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
        return work.read(block.first, block.stop, steps)

    def compute(block: Block, quantities: dict[str, Any]) -> Any:
        with job.meter.step("compute"):
            return work.compute(block.first, block.stop, quantities, products.wanted, steps)

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
    map_blocks(compute, left, read=read, write=write, workers=workers, done=finished)
    progress.close()
    if left:
        seconds = time.monotonic() - start
        log.info("%s", _waits(before, job.meter.seconds, seconds, workers))


def copy_volume(job: Job, source: ForeignVolume) -> None:
    """Copy a foreign volume, slab by slab, so that labels and coarser levels lie beside it."""
    plan, folder = job.plan, job.folder
    path = folder.path / "volume.zarr"
    few_bits = source.voxels.dtype.kind == "u"
    coding = Coding("uint16", source.slope, source.offset) if few_bits else Coding()
    if not path.exists():
        folder.forget("slab")
        fresh = folder.state / "volume.zarr"
        shutil.rmtree(fresh, ignore_errors=True)
        name = plan.config.cell.name or plan.output.name
        section = plan.config.volume
        quantity = section.quantity if section is not None else "attenuation"
        size = source.voxel_size_um
        create_volume(fresh, source.voxels.shape, size, coding, name, quantity=quantity)
        os.replace(fresh, path)
    left = _unfinished(slabs(source.voxels.shape), folder.notes("slab"))
    progress = Progress("copying", len(left))

    def one(block: Block) -> tuple[Block, int]:
        if job.stop.is_set():
            raise Interrupted
        with job.meter.step("copy"):
            values = source.voxels[block.outer]
            if not few_bits:
                values = values.astype(np.float32) * source.slope + source.offset
            write_slab(path, block.first, values.astype(coding.dtype, copy=False))
        missing = 0 if few_bits else int(np.count_nonzero(~np.isfinite(values)))
        folder.note(f"slab-{block.first}", {"stop": block.stop, "not_finite": missing})
        return block, missing

    def finished(answer: tuple[Block, int]) -> None:
        progress.step(f"slices {answer[0].first}–{answer[0].stop - 1}")

    map_blocks(one, left, workers=1, done=finished)
    progress.close()
    missing = sum(note["not_finite"] for note in folder.notes("slab").values())
    if missing:
        job.remarks.add(f"{missing} voxels of the volume are NaN or infinite", "copy")


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
