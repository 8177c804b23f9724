"""Reconstruction: frames cut by rows where needed, then slabs to slices. In: a job; out: files."""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from xct.config.recipe import Step
from xct.io import by_rows
from xct.io.ome_metadata import seen_window
from xct.io.volume_files.blank_blocks import constant_cells, packed
from xct.io.volume_files.volume import ForeignVolume
from xct.io.volumes import Coding, create_volume, open_volume, write_slab
from xct.parallel.blocks import Block, cut, slabs
from xct.parallel.executors import map_blocks
from xct.pipeline.given.blanks import mark_blanks
from xct.pipeline.given.continuity import slice_moves
from xct.pipeline.given.placement import (
    note_of_volume,
    note_placement,
    placement_of,
    readable,
    remove_bricks,
)
from xct.pipeline.given.slice_order import check_order, said_of, slice_means
from xct.pipeline.job import Job
from xct.pipeline.monitor import go_on, timed
from xct.pipeline.products import Products, files_of_slab
from xct.pipeline.slabs import Counted, Slabs
from xct.pipeline.watching.progress import Progress
from xct.scan import Scan

log = logging.getLogger("xct")

_LOOKED_AT = 5  # slices, for what viewers show black and white


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
    left = _unfinished(blocks, done)
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


def copy_volume(job: Job, source: ForeignVolume) -> None:
    """Copy a foreign volume, slab by slab, so that labels and coarser levels lie beside it."""
    plan, folder = job.plan, job.folder
    path = folder.path / "volume.zarr"
    if not folder.journal.has_product(path.name):
        folder.forget("slab")
        fresh = folder.state / "volume.zarr"
        shutil.rmtree(fresh, ignore_errors=True)
        section = plan.config.volume
        quantity = section.quantity if section is not None else "attenuation"
        size = source.voxel_size_um
        shape, energy = source.voxels.shape, plan.energy_kev
        create_volume(
            fresh, shape, size, Coding(), plan.title, quantity=quantity, energy_kev=energy,
            window=_window(source),
        )  # fmt: skip
        note_placement(fresh, source)
        shutil.rmtree(path, ignore_errors=True)
        os.replace(fresh, path)
        folder.journal.write_product(path.name)
    if any("follows" not in note for note in folder.notes("slab").values()):
        folder.forget("slab")  # an earlier version did not look at the order of slices
    left = _unfinished(slabs(source.voxels.shape, overlap=1), folder.notes("slab"))
    source = readable(folder, source) if left else source
    progress = Progress("copying", len(left))

    def noted(first: int, note: dict[str, Any]) -> None:
        folder.note(f"slab-{first}", note, files_of_slab(path, first, note["stop"]))

    def finished(answer: tuple[Block, dict[str, Any]]) -> None:
        block, note = answer
        noted(block.first, {"stop": block.stop, **note})
        progress.step(f"slices {block.first}–{block.stop - 1}")

    map_blocks(_copy_slab, left, source, path, workers=1, done=finished)
    progress.close()
    remove_bricks(folder)
    missing = sum(note["not_finite"] for note in folder.notes("slab").values())
    placement = placement_of(source)
    if missing and not (placement is not None and placement.resampled):  # beyond the file, mostly
        job.warnings.add(f"{missing} voxels of the volume are NaN or infinite", "copy")
    blurred = not (placement is not None and placement.resampled)  # along z, as across
    edges = source.voxel_size_um
    seams = check_order(folder.notes("slab"), edges[0] / min(edges[1:]) if blurred else np.inf)
    seams = seams.turns_in(open_volume(path))
    if seams.to_dict():
        note_of_volume(path, seams=seams.to_dict())
    blanks = mark_blanks(path, folder.notes("slab"))
    for message in (*said_of(seams), *blanks):
        job.warnings.add(message, "copy")
    for first, note in folder.notes("slab").items() if blanks else ():
        noted(first, note)  # its chunks are others now
    folder.note("missing", bool(missing or blanks))


def _window(source: ForeignVolume) -> tuple[float, float] | None:
    """Give what to show black and white, by a few slices as they lie in the file."""
    stored = getattr(source.voxels, "voxels", source.voxels)  # as they lie, where they are placed
    as_stored = replace(source, voxels=stored)
    places = np.unique(np.linspace(0, stored.shape[0] - 1, _LOOKED_AT + 2).astype(int)[1:-1])
    return seen_window([as_stored.read(np.s_[z : z + 1]) for z in places.tolist()])


def _copy_slab(block: Block, source: ForeignVolume, path: Path) -> tuple[Block, dict[str, Any]]:
    go_on()
    with timed("copy"):
        seen = source.read(block.outer)
        values = seen[block.inner]
        missing = int(np.count_nonzero(~np.isfinite(values)))
        write_slab(path, block.first, values)
        cells = constant_cells(values, saturated=source.saturated)
    return block, {
        "not_finite": missing,
        "constant": packed(cells),
        "means": packed(slice_means(values)),
        "follows": packed(slice_moves(seen[: block.inner.stop], block.inner.start)),
    }


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
