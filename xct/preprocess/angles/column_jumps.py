"""Columns that change at once. In: line integrals; out: between which views, and which columns.

Pixels become hot, or fall silent, from one view to the next, in all rows; nothing that turns does
that to a few columns alone. It looks like a slip of the stage where it is not told from one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from xct.errors import ranges
from xct.preprocess.angles.steps import MAD, few_rows
from xct.preprocess.center.sample import Sample

_LEAST_ROWS, _LEAST_VIEWS = 3, 24
# Chosen on discs of seeds 0 and 1, and on the demo's cells.
_LEAST = 0.1  # line integral
_SURE_SD, _UNUSUAL = 12.0, 4.0  # scatter over the columns, and the largest change at other times
_MOST_COLUMNS = 4  # of a few that change: more are a turn, a shift, or what stands in the beam
_LASTS, _BESIDE = 0.5, 3  # of a change that lasts, over so many views: where a stage jitters, none
_NAMED = 8


class ColumnJump(NamedTuple):
    """Columns that change at once.

    Attributes
    ----------
    after : int
        The view before, in ascending order of the angle.
    columns : tuple of int
        Binned columns.
    """

    after: int
    columns: tuple[int, ...]


def find_column_jumps(sample: Sample) -> tuple[ColumnJump, ...]:
    """Find views behind which a few columns are other than before, in all rows.

    Parameters
    ----------
    sample : Sample
        Line integrals, ascending in angle.
    """
    views = few_rows(sample.views)
    if views.shape[1] < _LEAST_ROWS or len(views) < _LEAST_VIEWS:
        return ()
    change = np.abs(np.median(np.diff(views, axis=0), axis=1))
    largest = change.max(axis=1)
    least = max(_LEAST, _UNUSUAL * float(np.median(largest)))
    found = []
    for after in np.flatnonzero(largest > least).tolist():
        scatter = MAD * float(np.median(change[after]))
        columns = np.flatnonzero(change[after] > max(least / 2, _SURE_SD * scatter))
        columns = columns[_lasting(views, after)[columns] > _LASTS * change[after, columns]]
        if 0 < columns.size <= _MOST_COLUMNS and np.ptp(columns) < _MOST_COLUMNS:
            found.append(ColumnJump(after, tuple(columns.tolist())))
    return tuple(found)


def _lasting(views: np.ndarray, after: int) -> np.ndarray:
    """Give by how much columns differ between some views before a gap and behind it."""
    parts = views[max(after + 1 - _BESIDE, 0) : after + 1], views[after + 1 : after + 1 + _BESIDE]
    before, behind = (np.median(part, axis=(0, 1)) for part in parts)
    return np.asarray(np.abs(behind - before))


def column_jumps_message(jumps: Sequence[ColumnJump], frames: Sequence[int], bin_: int) -> str:
    """Say which columns change, and behind which projections.

    Parameters
    ----------
    jumps : sequence of ColumnJump
        At least one.
    frames : sequence of int
        The projection before each.
    bin_ : int
        Columns that are one binned column.
    """
    columns = sorted({c * bin_ + k for jump in jumps for c in jump.columns for k in range(bin_)})
    return (
        f"columns {ranges(columns, _NAMED)} of the detector change at once, in all rows, behind "
        f"projections {ranges(sorted(frames), _NAMED)} of those used: pixels became hot or fell "
        "silent there, or something thin passes before them, such as a hair. Slices hold arcs of "
        "them, and nothing is corrected: leave these projections out by "
        "scan.leave_out.projections, or cut the columns off by scan.roi"
    )
