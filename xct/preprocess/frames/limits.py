"""A beam that is smaller than the detector. In: flats, darks; out: an error that says the crop."""

from __future__ import annotations

import numpy as np

from xct.errors import RunError
from xct.preprocess.frames.coarse import chosen_rows
from xct.scan import Scan

_UNLIT = 0.002  # of the brightest part
_DEAD_PX = 4  # what is wider is no dead column


def refuse_unlit(frames: Scan) -> None:
    """Refuse flats without light in columns or rows at their edges.

    Raises
    ------
    RunError
        Which names the rows and columns that the beam reaches.
    """
    if frames.flats is None:
        return
    _, rows, columns = frames.flats.shape
    chosen = chosen_rows(rows)
    gain = _gain(frames, chosen)
    left, right = _lit(np.median(gain, axis=0))
    lowest, highest = _lit(np.median(gain, axis=1))
    lit = {
        "column": (left, right + 1, columns),
        "row": (0 if lowest == 0 else int(chosen[lowest]), int(chosen[highest]) + 1, rows),
    }
    crop = {}
    for axis, (first, stop, length) in lit.items():
        if max(first, length - stop) > _DEAD_PX:
            start = frames.roi[axis][0]
            crop[axis] = [start + first * frames.bin, start + stop * frames.bin]
    if crop:
        beyond = " and ".join(f"{axis}s {a} to {b - 1}" for axis, (a, b) in crop.items())
        roi = ", ".join(f"{axis}: {span}" for axis, span in crop.items())
        raise RunError(
            f"the flats hold no light beyond {beyond}: the beam is smaller than the detector; "
            f"crop by scan.roi: {{{roi}}}"
        )


def _gain(frames: Scan, rows: np.ndarray) -> np.ndarray:
    """Give what flats exceed darks by in some rows, (row, column)."""
    found = []
    for row in rows.tolist():
        part = slice(row, row + 1)
        assert frames.flats is not None  # asked before
        dark = 0.0 if frames.darks is None else np.median(frames.darks.read(rows=part), axis=0)
        found.append(np.median(frames.flats.read(rows=part), axis=0) - dark)
    return np.concatenate(found)


def _lit(profile: np.ndarray) -> tuple[int, int]:
    """Give the first and the last place that holds light."""
    lit = np.flatnonzero(profile > _UNLIT * profile.max())
    return (int(lit[0]), int(lit[-1])) if lit.size else (0, profile.size - 1)
