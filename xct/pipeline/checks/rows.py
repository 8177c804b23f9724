"""Rows of single frames that were no good. In: notes of the slabs; out: a number and warnings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from xct.errors import ranges
from xct.pipeline.job import Job
from xct.pipeline.slabs import listed_rows
from xct.quantity import Number

_KINDS = ("projections", "flats", "darks")
_NAMED = 10
_MOST_LISTED = 50


def rows_of_frames(job: Job, slabs: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
    """Count the rows of frames that slabs found to be no good, and warn with their names.

    Parameters
    ----------
    job : Job
        Of the run.
    slabs : mapping
        Notes of the slabs, by first row.

    Returns
    -------
    dict
        ``frame_rows_mended``; empty where nothing was found.
    """
    listed = listed_rows(slabs)
    if not listed:
        return {}
    scan = job.plan.scan
    mended: list[dict[str, str]] = []
    for number, kind in enumerate(_KINDS):
        named = scan.numbers(kind)  # type: ignore[arg-type]
        by_rows = _alike({(int(named[f]), row) for k, f, row, ok in listed if k == number and ok})
        mended += [{kind: ranges(f, _NAMED), "rows": ranges(r, _NAMED)} for r, f in by_rows]
        for message in _said(kind, by_rows):
            job.warnings.add(message, "frames")
    for message in _not_mended(listed, scan.projections.shape[0]):
        job.warnings.add(message, "frames")
    count = sum(ok for *_, ok in listed)
    details = {"which": mended[:_MOST_LISTED]}
    return {"frame_rows_mended": Number(count, "rows of frames", details=details).entry()}


def _alike(pairs: set[tuple[int, int]]) -> list[tuple[list[int], list[int]]]:
    """Put frames together that are no good in the same rows: rows, frames."""
    rows_of: dict[int, list[int]] = {}
    for frame, row in sorted(pairs):
        rows_of.setdefault(frame, []).append(row)
    alike: dict[tuple[int, ...], list[int]] = {}
    for frame, rows in rows_of.items():
        alike.setdefault(tuple(rows), []).append(frame)
    return [(list(rows), frames) for rows, frames in alike.items()]


def _said(kind: str, by_rows: list[tuple[list[int], list[int]]]) -> Iterator[str]:
    if not by_rows:
        return
    parts = [
        f"{_noun('row', rows)} {ranges(rows, _NAMED)} of {_noun(kind[:-1], frames)} "
        f"{ranges(frames, _NAMED)}"
        for rows, frames in by_rows[:_NAMED]
    ]
    more = f" and {len(by_rows) - _NAMED} other bands" if len(by_rows) > _NAMED else ""
    how = (
        "interpolated between the frames before and after"
        if kind == "projections"
        else "replaced by the median of the others"
    )
    yield (
        f"{', '.join(parts)}{more}: unlike the same rows of the other frames, and {how}; leave "
        f"such frames out by scan.leave_out.{kind}, or keep them by scan.leave_out.found: false"
    )


def _not_mended(listed: set[tuple[int, int, int, int]], total: int) -> Iterator[str]:
    rows = sorted({row for _, _, row, ok in listed if not ok})
    if rows:
        most = max(sum(1 for _, _, r, ok in listed if r == row and not ok) for row in rows)
        yield (
            f"{_noun('row', rows)} {ranges(rows, _NAMED)}: unlike the rest in up to {most} of "
            f"{total} projections, too many to mend; slices there are not to be trusted: crop by "
            "scan.roi, or leave these projections out"
        )


def _noun(noun: str, numbers: list[int]) -> str:
    return noun if len(numbers) == 1 else f"{noun}s"
