"""Reconstruction: frames cut by rows where needed, then slabs to slices. In: a job; out: files."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from xct.config.recipe import Step
from xct.io import by_rows
from xct.io.volumes import Coding
from xct.parallel.blocks import Block, cut
from xct.parallel.executors import map_blocks
from xct.pipeline.job import Job
from xct.pipeline.monitor import go_on, timed
from xct.pipeline.products import Products, unfinished
from xct.pipeline.slabs import Counted, Slabs
from xct.pipeline.watching.progress import Progress
from xct.scan import Scan

log = logging.getLogger("xct")


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
    progress = Progress("frames", len(blocks), len(done))

    def finished(block: by_rows.FrameBlock) -> None:
        files = by_rows.files_of_block(path, block)
        job.folder.note(f"frames-{block.number}", {"last": block.stop}, files)
        progress.step(f"{block.kind} {block.first}–{block.stop - 1}")

    left = [block for block in blocks if block.number not in done]
    workers = job.plan.resources.workers + 1
    map_blocks(_copy_frames, left, scan, path, workers=workers, done=finished)
    progress.close()
    return by_rows.reopen(scan, path)


def _copy_frames(block: by_rows.FrameBlock, scan: Scan, path: Path) -> by_rows.FrameBlock:
    go_on()
    with timed("frames"):
        by_rows.write(block, scan, path)
    return block


class Finished(NamedTuple):
    """A slab that is written: its rows, what was counted, what the coding could not hold."""

    first: int
    stop: int
    counts: Counted
    beyond: list[int]


@dataclass(frozen=True)
class SlabWork:
    """What every slab needs to become slices on disk."""

    slabs: Slabs
    steps: tuple[Step, ...]
    products: Products


def write_slabs(job: Job, work: Slabs, coding: Coding) -> None:
    """Run the steps on every slab that is not finished, and write what they give."""
    plan, folder = job.plan, job.folder
    angles, rows, columns = plan.scan.projections.shape
    products = Products(
        folder=folder.path,
        wanted=job.products,
        shape=(angles, rows, columns),
        size=plan.volume_shape[1],
        voxel_size_um=plan.voxel_size_um[0],
        coding=coding,
        name=plan.title,
        energy_kev=plan.energy_kev,
    )
    blocks = cut(rows, plan.resources.slab_rows)
    if products.create(folder.journal):
        folder.forget("slab")
    done = folder.notes("slab")
    left = unfinished(blocks, done)
    progress = Progress("slabs", len(blocks), len(blocks) - len(left))

    def finished(slab: Finished) -> None:
        folder.note("warnings", job.warnings.listed)
        note = {"stop": slab.stop, "counts": slab.counts, "beyond": slab.beyond}
        folder.note(f"slab-{slab.first}", note, products.files(slab.first, slab.stop))
        folder.note("meter", job.metered())
        progress.step(f"rows {slab.first}–{slab.stop - 1}")

    workers = plan.resources.workers
    before, start = dict(job.meter.seconds), time.monotonic()
    map_blocks(
        _compute_slab,
        left,
        SlabWork(work, tuple(s for s in plan.slab_steps if not s.stage.sample), products),
        read=_read_slab,
        write=_write_slab,
        workers=workers,
        done=finished,
    )
    progress.close()
    if left:
        seconds = time.monotonic() - start
        log.info("%s", _waits(before, job.meter.seconds, seconds, workers))


def _read_slab(block: Block, work: SlabWork) -> dict[str, Any]:
    return work.slabs.read(block.first, block.stop, work.steps)


def _compute_slab(
    block: Block, quantities: dict[str, Any], work: SlabWork
) -> tuple[dict[str, Any], Counted]:
    with timed("compute"):
        wanted = work.products.wanted
        return work.slabs.compute(block.first, block.stop, quantities, wanted, work.steps)


def _write_slab(block: Block, computed: tuple[dict[str, Any], Counted], work: SlabWork) -> Finished:
    found, counts = computed
    go_on()
    with timed("write"):
        beyond = work.products.store(block.first, found)
    return Finished(block.first, block.stop, counts, beyond)


def _waits(
    before: Mapping[str, float], after: Mapping[str, float], seconds: float, workers: int
) -> str:
    """Say how long reading, computing and writing waited for each other, and which was slowest."""
    busy = {name: after[name] - before.get(name, 0.0) for name in ("read", "compute", "write")}
    busy["compute"] /= workers
    waited = ", ".join(f"{n} waited {max(seconds - b, 0):.1f} s" for n, b in busy.items())
    return f"slabs took {seconds:.1f} s: {waited}; limited by: {max(busy, key=lambda n: busy[n])}"
