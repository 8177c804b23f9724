"""Copying a given volume: labels and coarser levels lie beside it. In: a job; out: files."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from xct.io.volume_files.blank_blocks import constant_cells, packed
from xct.io.volume_files.volume import ForeignVolume
from xct.io.volumes import Coding, create_volume, open_volume, write_slab
from xct.normalize.given.continuity import slice_moves
from xct.parallel.blocks import Block, slabs
from xct.parallel.executors import map_blocks
from xct.pipeline.given.blanks import mark_blanks
from xct.pipeline.given.placement import (
    note_of_volume,
    note_placement,
    placement_of,
    readable,
    remove_bricks,
)
from xct.pipeline.given.slice_order import check_order, said_of, slice_means
from xct.pipeline.given.slice_scale import check_scales, slice_levels
from xct.pipeline.given.storing import coding_for, usual_window
from xct.pipeline.job import Job
from xct.pipeline.monitor import go_on, timed
from xct.pipeline.products import beyond_range, files_of_slab, unfinished
from xct.pipeline.watching.progress import Progress


def copy_volume(job: Job, source: ForeignVolume) -> None:
    """Copy a foreign volume, slab by slab, so that labels and coarser levels lie beside it."""
    folder = job.folder
    path = folder.path / "volume.zarr"
    if not folder.journal.has_product(path.name):
        _create(job, source, path)
    if any("follows" not in note for note in folder.notes("slab").values()):
        folder.forget("slab")  # an earlier version did not look at the order of slices
    left = unfinished(slabs(source.voxels.shape, overlap=1), folder.notes("slab"))
    source = readable(folder, source) if left else source
    progress = Progress("copying", len(left))

    def finished(answer: tuple[Block, dict[str, Any]]) -> None:
        block, note = answer
        _note(job, path, block.first, {"stop": block.stop, **note})
        progress.step(f"slices {block.first}–{block.stop - 1}")

    coding = open_volume(path).coding
    map_blocks(_copy_slab, left, source, path, coding, workers=1, done=finished)
    progress.close()
    remove_bricks(folder)
    _judge(job, source, path)


def _create(job: Job, source: ForeignVolume, path: Path) -> None:
    """Make the empty copy, in place of one that is not whole."""
    plan, folder = job.plan, job.folder
    folder.forget("slab")
    fresh = folder.state / path.name
    shutil.rmtree(fresh, ignore_errors=True)
    section = plan.config.volume
    create_volume(
        fresh,
        source.voxels.shape,
        source.voxel_size_um,
        coding_for(source) if plan.config.run.dtype == "uint16" else Coding(),
        plan.title,
        quantity=section.quantity if section is not None else "attenuation",
        energy_kev=plan.energy_kev,
        window=usual_window(source),
    )
    note_placement(fresh, source)
    shutil.rmtree(path, ignore_errors=True)
    os.replace(fresh, path)
    folder.journal.write_product(path.name)


def _note(job: Job, path: Path, first: int, note: dict[str, Any]) -> None:
    job.folder.note(f"slab-{first}", note, files_of_slab(path, first, note["stop"]))


def _judge(job: Job, source: ForeignVolume, path: Path) -> None:
    """Say what is missing in a whole copy, what its coding does not hold, and what is no order."""
    notes, placement = job.folder.notes("slab"), placement_of(source)
    resampled = placement is not None and placement.resampled  # beyond the file nothing is known
    missing = sum(note["not_finite"] for note in notes.values())
    if missing and not resampled:
        job.warnings.add(f"{missing} voxels of the volume are NaN or infinite", "copy")
    if beyond := sum(note.get("beyond", 0) for note in notes.values()):
        job.warnings.add(beyond_range(beyond), "copy")
    z_um, *across_um = source.voxel_size_um
    check_scales(notes)
    # Slices that were resampled are not asked whether they continue each other.
    seams = check_order(notes, np.inf if resampled else z_um / min(across_um))
    copied = open_volume(path)
    seams = seams.turns_in(copied)
    if seams.to_dict() and seams.to_dict() != copied.seams:
        note_of_volume(path, seams=seams.to_dict())
        job.folder.journal.write_product(path.name)
    blanks = mark_blanks(path, notes)
    for message in (*said_of(seams), *blanks):
        job.warnings.add(message, "copy")
    for first, note in notes.items() if blanks else ():
        _note(job, path, first, note)  # its chunks are others now
    job.folder.note("missing", bool(missing or blanks))


def _copy_slab(
    block: Block, source: ForeignVolume, path: Path, coding: Coding
) -> tuple[Block, dict[str, Any]]:
    go_on()
    with timed("copy"):
        seen = source.read(block.outer)
        values = seen[block.inner]
        missing = int(np.count_nonzero(~np.isfinite(values)))
        codes, beyond = coding.encode(values)
        write_slab(path, block.first, codes)
        cells = constant_cells(values, saturated=source.saturated)
    return block, {
        "not_finite": missing,
        "beyond": int(beyond.sum()),
        "constant": packed(cells),
        "means": packed(slice_means(values)),
        "levels": packed(slice_levels(values)),
        "follows": packed(slice_moves(seen[: block.inner.stop], block.inner.start)),
    }
