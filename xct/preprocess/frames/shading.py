"""A part of the view that is shaded for long. In: coarse transmission; out: since when, and where.

A shutter that stands half open, a slit, or a tool that was left in the beam takes light from one
side of the view, suddenly. What turns with the sample comes into view over some frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import numpy as np

from xct.preprocess.frames.beside import over_rows

_CELLS = 2  # at either edge
_LEAST_FRAMES, _BESIDE = 24, 5
_JUMP, _JUMP_SD = 0.05, 12.0  # of the light, and in what is usual between frames
_LASTS = 0.8  # of a jump is there at once, and stays
_MOST = 4  # jumps; more are not a shade
LEAVE_OUT = (
    "leave these projections out by scan.leave_out.projections, if enough are left, or take the "
    "scan again"
)


@dataclass(frozen=True)
class Shade:
    """Less light at one side than at the other, since a frame or up to it.

    Attributes
    ----------
    after : tuple of int
        Frames behind which the light of the sides is no longer as it was to each other.
    side : {"left", "right"}
        Which is the darker one.
    light : float
        Of it, over what it is without.
    """

    after: tuple[int, ...]
    side: str
    light: float


def find_shade(transmission: np.ndarray) -> Shade | None:
    """Find where one side of the view suddenly has less light than the other.

    Parameters
    ----------
    transmission : ndarray, shape (angle, row, cell)
        Coarse transmission, NaN beyond the beam; good frames only, in order of time.
    """
    by_cell = over_rows(transmission)
    known = np.flatnonzero(np.isfinite(by_cell).all(axis=0))
    if len(by_cell) < _LEAST_FRAMES or known.size < 4 * _CELLS:
        return None
    sides = [by_cell[:, cells].mean(axis=1) for cells in (known[:_CELLS], known[-_CELLS:])]
    ratio = np.log(np.maximum(sides[0], 1e-3) / np.maximum(sides[1], 1e-3))
    steps = np.diff(ratio)
    usual = 1.4826 * float(np.median(np.abs(steps - np.median(steps))))
    after = [
        k
        for k in np.flatnonzero(np.abs(steps) > max(_JUMP, _JUMP_SD * usual)).tolist()
        if _lasts(ratio, k)
    ]
    if not 0 < len(after) <= _MOST:
        return None
    parts = np.split(ratio, np.array(after) + 1)
    means = [float(part.mean()) for part in parts]
    spread = max(means) - min(means)
    # Without a shade the sides are alike: what is further from it is shaded.
    side = "left" if -min(means) > max(means) else "right"
    return Shade(tuple(after), side, float(np.exp(-spread)))


def _lasts(ratio: np.ndarray, frame: int) -> bool:
    """Whether a step behind a frame is all of a change that stays."""
    step = float(ratio[frame + 1] - ratio[frame])
    before, after = ratio[max(frame + 1 - _BESIDE, 0) : frame + 1], ratio[frame + 1 :][:_BESIDE]
    change = float(after.mean() - before.mean()) / step
    even = max(float(np.ptp(part)) for part in (before, after))
    return min(len(before), len(after)) == _BESIDE and (
        _LASTS < change < 1 / _LASTS and even < (1 - _LASTS) * abs(step)
    )


def shade_clause(shade: Shade) -> str:
    """Say what was found, and what it does."""
    since = ", ".join(str(frame) for frame in shade.after)
    return (
        f"the light at the {shade.side} of the view falls to {shade.light:.2f} of that at the "
        f"other side for a part of the scan (it changes behind projection {since} of those used): "
        "the shutter stood half open, or something stood in the beam. Line integrals there are "
        f"too large by {-log(shade.light):.2f}, and slices hold streaks of it"
    )
