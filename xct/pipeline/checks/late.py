"""Frames that turn out to be no good once all their rows are read. In: notes; out: what to leave.

A row of a frame that is no good is mended in that row, which is as good as leaving the frame out
there. A frame with many such rows is no frame: what was estimated before the pass over the rows
rests on it, and its other rows are not to be trusted. It is left out as a whole, and the pass
begins again, once.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, get_args

import numpy as np

from xct.errors import ranges
from xct.pipeline.job import Job
from xct.pipeline.slabs import listed_rows
from xct.preprocess.frames.coarse import chosen_rows
from xct.preprocess.frames.faults import Kind
from xct.scan import Scan

log = logging.getLogger("xct")

_NOTE = "late"  # frames that an earlier pass left out, by kind
_MOST_ROWS = 0.25  # of the height: a frame that is no good in more is left out
_MOST_FRAMES = 0.5  # of a kind
_NAMED = 10


def without_late(job: Job, frames: Scan) -> tuple[Job, Scan]:
    """Leave out what an earlier pass over the rows found."""
    gone: dict[str, list[int]] = job.folder.number(_NOTE) or {}
    if not gone:
        return job, frames
    plan = replace(job.plan, source=job.plan.scan.without(gone))
    return replace(job, plan=plan), frames.without(gone)


def begins_again(job: Job, scan: Scan) -> bool:
    """Whether the pass must begin again, since frames were found to be no good; say which.

    Parameters
    ----------
    job : Job
        Of the run, whose slabs are all written.
    scan : Scan
        What they were made of.
    """
    if job.folder.number(_NOTE) is not None:
        return False
    late = late_frames(job.folder.notes("slab"), scan)
    if not late:
        return False
    job.warnings.listed[:] = [w for w in job.warnings.listed if w["step"] == "check"]
    for kind, rows_of in late.items():
        message = _said(kind, rows_of, scan.projections.shape[1])
        job.warnings.add(message, "frames")
        log.warning("%s", message)
    job.folder.note("warnings", job.warnings.listed)
    job.folder.begin_again(job.products)
    # The last: a run that is killed before finds these frames again.
    job.folder.note(_NOTE, {kind: sorted(rows_of) for kind, rows_of in late.items()})
    return True


def late_frames(slabs: Mapping[int, Mapping[str, Any]], scan: Scan) -> dict[Kind, dict[int, int]]:
    """Find frames with too many rows that are no good.

    Parameters
    ----------
    slabs : mapping
        Notes of all slabs, by first row.
    scan : Scan
        What they were made of.

    Returns
    -------
    dict
        By kind: how many rows of each frame are no good, by its number in the files' stack.
    """
    pairs = {(kind, frame, row) for kind, frame, row, _ in listed_rows(slabs)}
    found: dict[Kind, dict[int, int]] = {}
    for number, kind in enumerate(get_args(Kind)):
        names = scan.numbers(kind)
        of_kind = [frame for k, frame, _ in pairs if k == number]
        rows = np.bincount(np.array(of_kind, int), minlength=names.size)
        late = np.flatnonzero(rows > _MOST_ROWS * scan.projections.shape[1])
        if 0 < late.size <= _MOST_FRAMES * names.size:
            found[kind] = {int(names[n]): int(rows[n]) for n in late}
    return found


def _said(kind: Kind, rows_of: Mapping[int, int], height: int) -> str:
    noun, verb = (kind, "are") if len(rows_of) > 1 else (kind[:-1], "is")
    most, looked_at = max(rows_of.values()), len(chosen_rows(height))
    return (
        f"{noun} {ranges(sorted(rows_of), _NAMED)} {verb} left out: no good in up to {most} of "
        f"{height} rows, which the look at {looked_at} rows of all frames did not show; what the "
        "frames say of the whole scan was estimated again, and all slices were made anew without"
        f" {'them' if len(rows_of) > 1 else 'it'}"
    )
