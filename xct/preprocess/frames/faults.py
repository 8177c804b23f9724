"""Frames that are no good. In: all frames, coarsely; out: which to leave out, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from xct.preprocess.flats import InTime, blocks_of_flats, place_in_time
from xct.preprocess.frame_means import Combine, combine_frames
from xct.preprocess.frames.beam_profile import FlatMixture
from xct.preprocess.frames.coarse import CoarseFrames
from xct.preprocess.frames.outlying import (
    LEAST_GAIN,
    blocked,
    blocked_flats,
    darks_step,
    dim_flats,
    extra_frames,
    frozen,
    jumping,
    light_of,
    lit_darks,
    unlike,
    unlit,
    without_zingers,
)
from xct.preprocess.frames.passing import passing
from xct.preprocess.veiling.afterglow import find_afterglow

Kind = Literal["projections", "flats", "darks"]


AFTERWARDS = "taken after the scan, at angles of it"
PASSED = (
    "unlike the frames before and after, which fit each other: something stood in the beam, or "
    "the sample elsewhere"
)


@dataclass(frozen=True)
class Fault:
    """Frames of one kind that are no good for one reason.

    Attributes
    ----------
    kind : {"projections", "flats", "darks"}
        Of which stack.
    frames : tuple of int
        Their numbers in it, from 0.
    reason : str
        What is wrong with them.
    """

    kind: Kind
    frames: tuple[int, ...]
    reason: str


@dataclass(frozen=True)
class Seen:
    """All frames of a scan, coarsely.

    Attributes
    ----------
    projections : CoarseFrames
        In the order of the file.
    flats, darks : CoarseFrames or None
        None where there are none.
    theta_deg : ndarray, shape (angle,), or None
        Angles of the projections.
    times : tuple of ndarray, or None
        When projections and flats were taken, on one clock.
    dose : ndarray, shape (angle,), or None
        Of each projection, over that of the flats, where the files say it.
    combine, in_time : str
        How `flat_field` makes one flat of many.
    """

    projections: CoarseFrames
    flats: CoarseFrames | None
    darks: CoarseFrames | None
    theta_deg: np.ndarray | None = None
    times: tuple[np.ndarray, np.ndarray] | None = None
    dose: np.ndarray | None = None
    combine: Combine = "mean"
    in_time: InTime = "interpolated"


@dataclass(frozen=True)
class Verdict:
    """What was found.

    Attributes
    ----------
    faults : tuple of Fault
        What to leave out.
    transmission : ndarray of float32, shape (angle, row, cell)
        Coarse transmission of all projections, with the good flats and darks; NaN beyond the
        beam.
    light : ndarray, shape (angle,)
        Of each projection, from `light_of`.
    """

    faults: tuple[Fault, ...]
    transmission: np.ndarray
    light: np.ndarray

    def frames(self, kind: Kind) -> list[int]:
        """Numbers of all frames of a kind that are to be left out."""
        return sorted({n for fault in self.faults if fault.kind == kind for n in fault.frames})


def judge(seen: Seen) -> Verdict:
    """Find the frames of a scan that are no good."""
    faults = [*_of_afterglow(seen)]
    faults += _of_fields(seen, {n for f in faults if f.kind == "flats" for n in f.frames})
    transmission = _transmission(seen, faults)
    light = light_of(transmission)
    known = {n for f in faults if f.kind == "projections" for n in f.frames}
    faults += _of_projections(seen, transmission, light, known)
    return Verdict(tuple(faults), transmission, light)


def offset_step(seen: Seen) -> float:
    """Give by how many counts the last darks are above the first ones; 0 where they are not."""
    if seen.darks is None or seen.flats is None:
        return 0.0
    return darks_step(seen.darks, seen.flats.counts.mean(axis=0, dtype=np.float64))


def _fault(kind: Kind, frames: np.ndarray, reason: str) -> Iterator[Fault]:
    if len(frames):
        yield Fault(kind, tuple(int(n) for n in frames), reason)


def _of_afterglow(seen: Seen) -> Iterator[Fault]:
    if seen.flats is None or seen.times is None:
        return
    found = find_afterglow(seen.projections.counts, seen.flats.counts, seen.times)
    if found is not None:
        glow = f"the camera's afterglow: each frame keeps {found.part:.2g} of the one before, here"
        yield from _fault("flats", found.flats, f"{glow} of projections")
        yield from _fault("projections", found.projections, f"{glow} of flats")


def _of_fields(seen: Seen, known: set[int]) -> Iterator[Fault]:
    """Find darks and flats that are no good, beside flats that are known to be none."""
    lit_by = seen.projections if seen.flats is None else seen.flats
    level = np.median(lit_by.counts.mean(axis=(1, 2)))
    dark: np.ndarray | float = 0.0
    if seen.darks is not None:
        lowest = float(seen.darks.counts.mean(axis=(1, 2)).min())
        lit = lit_darks(seen.darks, float(level) - lowest)
        if offset_step(seen):
            lit = lit[:0]  # the mean of both is right in the mean of the scan
        yield from _fault("darks", lit, "light")
        dark = np.median(np.delete(seen.darks.counts, lit, axis=0), axis=0)
    if seen.flats is not None:
        above = seen.flats.counts - dark
        good = np.setdiff1d(np.arange(len(above)), list(known))
        dim = good[dim_flats(above[good])]
        yield from _fault("flats", dim, "less than half of the light of the others")
        left = np.setdiff1d(good, dim)
        shadow = left[blocked_flats(above[left])]
        yield from _fault("flats", shadow, "a shadow that the others do not have")


def _transmission(seen: Seen, faults: list[Fault]) -> np.ndarray:
    """Divide by the flats that are good, interpolated in time as `flat_field` does it."""
    counts, dark = seen.projections.counts, _dark(seen, faults)
    if seen.flats is None:
        gains = np.full((1, *dark.shape), float(np.median(counts - dark)))
        lower, towards = place_in_time(None, [], "constant", len(counts))
    else:
        kept, times = _good("flats", seen.flats, faults), None
        blocks = [np.arange(kept.size)]
        if seen.times is not None and seen.in_time != "constant":
            times = seen.times[0], seen.times[1][kept]
            blocks = blocks_of_flats(*times)
        flats = seen.flats.counts[kept]
        gains = np.stack([combine_frames(flats, block, seen.combine) for block in blocks]) - dark
        lower, towards = place_in_time(times, blocks, seen.in_time, len(counts))
    upper = np.minimum(lower + 1, len(gains) - 1)
    gain = gains[lower] + towards[:, None, None] * (gains[upper] - gains[lower])
    return _divided(seen, dark, gain)


def by_own_flats(seen: Seen, verdict: Verdict, own: FlatMixture) -> np.ndarray:
    """Give the coarse transmission of the good projections, each by a flat of its own."""
    assert seen.flats is not None  # what a mixture is made of
    faults = list(verdict.faults)
    dark = _dark(seen, faults)
    flats = seen.flats.counts[_good("flats", seen.flats, faults)] - dark
    mixed = np.tensordot(own.of_flats, flats, axes=1)
    kept = _good("projections", seen.projections, faults)
    dose = None if seen.dose is None else seen.dose[kept]
    some = replace(seen, projections=seen.projections.only(kept), dose=dose)
    return _divided(some, dark, np.tensordot(own.by_frame, mixed, axes=1))


def _good(kind: Kind, frames: CoarseFrames, faults: list[Fault]) -> np.ndarray:
    bad = [n for fault in faults if fault.kind == kind for n in fault.frames]
    return np.setdiff1d(np.arange(len(frames.counts)), bad)


def _dark(seen: Seen, faults: list[Fault]) -> np.ndarray:
    if seen.darks is None:
        return np.zeros(seen.projections.counts.shape[1:])
    return np.asarray(np.median(seen.darks.counts[_good("darks", seen.darks, faults)], axis=0))


def _divided(seen: Seen, dark: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """Divide counts above the dark by the gain of each frame; NaN beyond the beam."""
    lit = (gain > LEAST_GAIN * max(float(gain.max()), 1e-9)).all(axis=0)
    gain = np.where(lit, gain, np.nan)
    if seen.dose is not None:
        gain *= seen.dose[:, None, None]
    return np.asarray((seen.projections.counts - dark) / gain, np.float32)


def _of_projections(
    seen: Seen, transmission: np.ndarray, light: np.ndarray, known: set[int]
) -> Iterator[Fault]:
    """Find projections that are no good, beside those that are known to be none."""
    good = ~np.isin(np.arange(light.size), list(known))

    def left_out(frames: np.ndarray, reason: str) -> Iterator[Fault]:
        good[frames] = False
        yield from _fault("projections", frames, reason)

    dark = unlit(light)
    yield from left_out(dark[good[dark]], "hardly any light")
    behind = blocked(transmission)
    yield from left_out(
        behind[good[behind]], "a part without light, where all other frames have some"
    )
    twice = frozen(seen.projections)
    yield from left_out(twice[good[twice]], "count by count the frame before")
    if seen.theta_deg is not None:
        extra = extra_frames(seen.theta_deg)
        yield from left_out(extra[good[extra]], AFTERWARDS)
    left = np.flatnonzero(good)
    yield from left_out(left[jumping(light[left])], "brighter or darker than the frames around")
    left, calm = np.flatnonzero(good), without_zingers(transmission)
    for run in passing(calm[left], light[left]):
        yield from left_out(left[run], PASSED)
    left = np.flatnonzero(good)
    yield from left_out(
        left[unlike(calm[left], light[left])],
        "unlike the frames before and after",
    )
