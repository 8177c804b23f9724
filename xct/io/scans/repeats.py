"""Repeated exposures of one angle. In: Raw; out: the same, with one averaged frame an angle."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from xct.io.frames import Frames
from xct.io.scans.raw import Raw, Series, Stack

# A step of the angle below this part of the usual one is none: the stage stood still.
_STILL = 0.02
# Of the steps, the larger ones are those between angles, also where each is exposed ten times.
_LARGE_STEPS = 95
# Part of the angles that must be exposed equally often.
_LEAST_EQUAL = 0.9
_FEW_BYTES = 32 * 2**20


def groups_of_repeats(theta_deg: np.ndarray) -> list[np.ndarray] | None:
    """Find which frames, one after the other, were taken at the same angle.

    Parameters
    ----------
    theta_deg : ndarray, shape (angle,)
        In order of time; an encoder's readings of one angle may differ a little.

    Returns
    -------
    list of ndarray of int, or None
        Frames of each angle. None unless nearly all angles are exposed equally often, and more
        than once: single repeats, as of a stage that starts late, are no such scan.
    """
    if len(theta_deg) < 4 or not np.all(np.isfinite(theta_deg)):
        return None
    steps = np.abs(np.diff(theta_deg))
    still = steps <= _STILL * np.percentile(steps, _LARGE_STEPS)
    if not still.any() or still.all():
        return None
    groups = np.split(np.arange(len(theta_deg)), np.flatnonzero(~still) + 1)
    sizes = np.array([len(group) for group in groups])
    usual = int(np.median(sizes))
    if usual < 2 or len(groups) < 3 or np.mean(sizes == usual) < _LEAST_EQUAL:
        return None
    return groups


@dataclass(frozen=True)
class AveragedFrames:
    """Frames that are means of several others, read when they are asked for.

    Attributes
    ----------
    frames : Frames
        The single exposures.
    members : ndarray of int
        Their numbers, group after group.
    starts : ndarray of int, shape (group + 1,)
        Where in `members` each group begins.
    """

    frames: Frames
    members: np.ndarray
    starts: np.ndarray

    @property
    def shape(self) -> tuple[int, int, int]:
        """Averaged frames, rows, columns."""
        return (len(self.starts) - 1, *self.frames.shape[1:])

    @property
    def dtype(self) -> np.dtype:
        """Type of the means."""
        return np.dtype(np.float32)

    @property
    def whole_frames(self) -> bool:
        """Whether a few rows of an exposure cost as much to read as all of it."""
        return self.frames.whole_frames

    def read(self, frames: slice | np.ndarray, rows: slice, columns: slice) -> np.ndarray:
        """Read the means of some groups (a slice, or ascending indices)."""
        groups = np.arange(self.shape[0])[frames]
        height, width = self.shape[1:]
        lines, cells = len(range(height)[rows]), len(range(width)[columns])
        means = np.empty((len(groups), lines, cells), np.float32)
        sizes = self.starts[groups + 1] - self.starts[groups]
        row_bytes = max(1, lines * cells * self.frames.dtype.itemsize)
        few = max(1, int(_FEW_BYTES // (row_bytes * max(1, sizes.max(initial=1)))))
        for first in range(0, len(groups) if means.size else 0, few):
            some = groups[first : first + few]
            wanted = [self.members[self.starts[g] : self.starts[g + 1]] for g in some]
            index, back = np.unique(np.concatenate(wanted), return_inverse=True)
            read = self.frames.read(index, rows, columns)[back]
            edges = np.cumsum([0, *(len(one) for one in wanted)])
            for place, (start, stop) in enumerate(pairwise(edges.tolist())):
                means[first + place] = read[start:stop].mean(axis=0, dtype=np.float64)
        return means


# Groups and rows that are compared, and what counts as turned, in units of their noise.
_FEW_GROUPS, _FEW_ROWS, _TURNED = 6, 8, 0.2


def turned_within(frames: AveragedFrames) -> bool:
    """Whether the sample turned between exposures that are said to be of one angle.

    Where it stood still, the first frame of the next angle differs as much from the first as
    from the last exposure of this one; where it turned, more from the first.

    Parameters
    ----------
    frames : AveragedFrames
        A few of their exposures are read.
    """
    groups = np.linspace(0, frames.shape[0] - 2, min(_FEW_GROUPS, frames.shape[0] - 1))
    middle = frames.shape[1] // 2
    rows = slice(max(0, middle - _FEW_ROWS // 2), middle + _FEW_ROWS // 2 + 1)
    within, across, far = 0.0, 0.0, 0.0
    for group in np.unique(groups.astype(int)).tolist():
        start, stop = frames.starts[group : group + 2]
        if stop - start < 2:
            continue
        members = frames.members[[start, stop - 1, stop]]
        if np.any(np.diff(members) <= 0):
            continue
        first, last, following = frames.frames.read(members, rows, slice(None)).astype(float)
        within += float(np.mean((last - first) ** 2))
        across += float(np.mean((following - last) ** 2))
        far += float(np.mean((following - first) ** 2))
    return far - across > max(across - within, _TURNED * within)


def average_repeats(raw: Raw) -> Raw:
    """Average exposures that follow each other at one angle; said in a note."""
    theta, stack = raw.theta_deg, raw.projections
    if theta is None or len(theta) != len(stack.index):
        return raw
    groups = groups_of_repeats(theta)
    if groups is None:
        return raw
    starts = np.cumsum([0, *(len(group) for group in groups)])
    frames = AveragedFrames(stack.frames, np.asarray(stack.index), starts)
    sizes = np.diff(starts)
    usual = int(np.median(sizes))
    others = np.flatnonzero(sizes != usual)
    note = (
        f"each angle was exposed {usual} times: the exposures are averaged, which gives "
        f"{len(groups)} projections"
    )
    if others.size:
        note += f"; {others.size} angles were exposed less or more often, the first is {others[0]}"

    def mean(values: np.ndarray | None) -> np.ndarray | None:
        if values is None:
            return None
        return np.array([values[group].mean() for group in groups])

    return replace(
        raw,
        projections=Stack(frames, np.arange(len(groups)), mean(stack.time)),
        theta_deg=mean(theta),
        ring_current_ma=mean(raw.ring_current_ma),
        series=None if raw.series is None else Series(None, None, raw.series.where),
        notes=(*raw.notes, note),
    )
