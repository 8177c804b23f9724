"""Frames that are no good. In: all frames, coarsely; out: which to leave out, and why.

Every rule compares a frame with the others of its kind, so that no rule knows the sample: light
that fails, a shadow in a flat, a dark that is lit, a frame that is unlike those before and after.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import scipy

from xct.preprocess.flats import InTime, blocks_of_flats, place_in_time
from xct.preprocess.frame_means import Combine, combine_frames
from xct.preprocess.frames.beam_profile import FlatMixture
from xct.preprocess.frames.coarse import CoarseFrames

Kind = Literal["projections", "flats", "darks"]

MAD = 1.4826  # from a median absolute deviation to a standard deviation
_LIT = 0.005  # of the light, in a dark
_DIM_FLAT = 0.5  # of the brighter flats
_SHADOW, _SHADOWED = 0.03, 0.05  # depth of a shadow in a flat, and the part of it that it covers
_NO_LIGHT = 0.1  # of the usual light
_JUMP = 0.1  # of the light of the frames around
_AROUND = 51  # frames
_UNLIKE = 0.03  # of the light
_SPREADS = 8.0  # what is so many times the spread is none of it
_MOST_REPEATED = 0.1  # more frames that repeat themselves are a scan without noise
_LEAST_GAIN = 0.05  # of the brightest cell: beyond the beam nothing is compared
_MOST_EXTRA = 8

AFTERWARDS = "taken after the scan, at angles of it"


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


def lit_darks(darks: CoarseFrames, light: float) -> np.ndarray:
    """Find darks that hold light; the lower half of them is taken to hold none.

    Parameters
    ----------
    darks : CoarseFrames
        Frames that should be dark.
    light : float
        Counts that the beam adds to a frame.
    """
    level = darks.counts.mean(axis=(1, 2), dtype=np.float64)
    lowest = np.sort(level)[: (level.size + 1) // 2]
    middle = np.median(lowest)
    spread = MAD * np.median(np.abs(lowest - middle))
    return np.flatnonzero(level - middle > max(_LIT * light, _SPREADS * spread))


def dim_flats(flats: np.ndarray) -> np.ndarray:
    """Find flats with less than half of the light of the brighter ones.

    Parameters
    ----------
    flats : ndarray, shape (frame, row, cell)
        Counts above the dark.
    """
    level = flats.mean(axis=(1, 2), dtype=np.float64)
    return np.flatnonzero(level < _DIM_FLAT * np.median(np.sort(level)[level.size // 2 :]))


def blocked_flats(flats: np.ndarray) -> np.ndarray:
    """Find flats in which something casts a shadow that the others do not have.

    Each row is compared by its brightest part, so that neither the light of a frame nor a stripe
    of the beam that moves up or down counts.

    Parameters
    ----------
    flats : ndarray, shape (frame, row, cell)
        Counts above the dark.
    """
    if len(flats) < 2:
        return np.empty(0, int)
    lit = flats.mean(axis=0) > _LEAST_GAIN * flats.mean(axis=0).max()
    scaled = flats / np.maximum(np.percentile(flats, 90, axis=2, keepdims=True), 1e-9)
    clear = np.percentile(scaled, 75, axis=0)  # a shadow only darkens
    depth = 1 - (scaled / np.maximum(clear, 1e-9))[:, lit]
    depth -= np.percentile(depth, 10, axis=1, keepdims=True)
    spread = MAD * np.median(np.abs(depth - np.median(depth)))
    covered = (depth > max(_SHADOW, _SPREADS * spread)).mean(axis=1)
    return np.flatnonzero((covered > _SHADOWED) & (covered > 3 * np.median(covered)))


def light_of(transmission: np.ndarray) -> np.ndarray:
    """Give the light of each frame: the transmission that its brightest tenth exceeds, (frame,)."""
    by_frame = transmission.reshape(len(transmission), -1)
    # Without NaN all frames are sorted at once.
    percentile = np.nanpercentile if np.isnan(by_frame).any() else np.percentile
    found: np.ndarray = percentile(by_frame, 90, axis=1)
    return found


def unlit(light: np.ndarray) -> np.ndarray:
    """Find frames with hardly any light, by what `light_of` gave."""
    return np.flatnonzero(~(light > _NO_LIGHT * np.nanmedian(light)))


def jumping(light: np.ndarray) -> np.ndarray:
    """Find frames that are brighter or darker than those around them, by what `light_of` gave."""
    if light.size < 5:
        return np.empty(0, int)
    half = min(_AROUND, light.size) // 2
    ends = np.full(half, np.median(light[: 2 * half])), np.full(half, np.median(light[-2 * half :]))
    long = np.concatenate([ends[0], light, ends[1]])
    around = scipy.ndimage.median_filter(long, 2 * half + 1)[half:-half]
    ratio = light / around - 1
    spread = MAD * np.median(np.abs(ratio))
    return np.flatnonzero(np.abs(ratio) > max(_JUMP, _SPREADS * spread))


def unlike(transmission: np.ndarray, light: np.ndarray) -> np.ndarray:
    """Find single frames that are unlike the one before and the one after, which are alike.

    Parameters
    ----------
    transmission : ndarray, shape (frame, row, cell)
        In the order of angles.
    light : ndarray, shape (frame,)
        From `light_of`.
    """
    if len(light) < 7:
        return np.empty(0, int)
    frames = (transmission / light[:, None, None]).reshape(len(light), -1)
    middle = _difference(frames[1:-1], (frames[:-2] + frames[2:]) / 2)
    across = _difference(frames[2:], frames[:-2])
    limit = max(_UNLIKE, _SPREADS * float(np.median(middle)))
    beside = np.maximum(np.append(0, middle[:-1]), np.append(middle[1:], 0))
    alone = (middle > limit) & (middle > beside) & (across < max(limit, 4 * np.median(across)))
    found = 1 + np.flatnonzero(alone)
    steps = _difference(frames[1:], frames[:-1])
    limit = max(_UNLIKE, _SPREADS * float(np.median(steps)))
    ends = [0] if steps[0] > limit > steps[1] else []
    ends += [len(light) - 1] if steps[-1] > limit > steps[-2] else []
    return np.unique(np.append(found, ends)).astype(int)


def _difference(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.asarray(np.sqrt(np.nanmean(np.square(first - second), axis=1)))


def too_many_repeat(repeated: np.ndarray) -> bool:
    """Whether so many frames repeat the one before that the scan has no noise."""
    return bool(repeated.mean() > _MOST_REPEATED)


def frozen(projections: CoarseFrames) -> np.ndarray:
    """Find frames that are, count by count, the one before."""
    if too_many_repeat(projections.repeated):
        return np.empty(0, int)
    return np.flatnonzero(projections.repeated)


def extra_frames(theta_deg: np.ndarray) -> np.ndarray:
    """Find the few frames after a scan that repeat angles of it, as a check of drift.

    Where the scan ends at the partner of its first angle, that frame was taken with them.
    """
    theta = np.asarray(theta_deg, float)
    for count in range(1, min(_MOST_EXTRA, theta.size // 10) + 1):
        main, extra = theta[:-count], theta[-count:]
        steps = np.diff(main)
        if not ((steps > 0).all() or (steps < 0).all()):
            continue
        usual = float(np.median(np.abs(steps)))
        goes_on = np.sign(extra[0] - main[-1]) == np.sign(steps[0])
        within = (extra >= main.min() - usual) & (extra <= main.max() + usual)
        if goes_on or not within.all() or abs(extra[0] - main[-1]) < 3 * usual:
            return np.empty(0, int)
        partner = abs(abs(main[-1] - main[0]) % 180)
        also = 1 if min(partner, 180 - partner) < usual / 2 else 0
        return np.arange(theta.size - count - also, theta.size)
    return np.empty(0, int)


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
    faults = list(_of_fields(seen))
    transmission = _transmission(seen, faults)
    light = light_of(transmission)
    faults += _of_projections(seen, transmission, light)
    return Verdict(tuple(faults), transmission, light)


def _fault(kind: Kind, frames: np.ndarray, reason: str) -> Iterator[Fault]:
    if len(frames):
        yield Fault(kind, tuple(int(n) for n in frames), reason)


def _of_fields(seen: Seen) -> Iterator[Fault]:
    lit_by = seen.projections if seen.flats is None else seen.flats
    level = np.median(lit_by.counts.mean(axis=(1, 2)))
    dark: np.ndarray | float = 0.0
    if seen.darks is not None:
        lowest = float(seen.darks.counts.mean(axis=(1, 2)).min())
        lit = lit_darks(seen.darks, float(level) - lowest)
        yield from _fault("darks", lit, "light")
        dark = np.median(np.delete(seen.darks.counts, lit, axis=0), axis=0)
    if seen.flats is not None:
        above = seen.flats.counts - dark
        dim = dim_flats(above)
        yield from _fault("flats", dim, "less than half of the light of the others")
        left = np.delete(np.arange(len(above)), dim)
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
    lit = (gain > _LEAST_GAIN * max(float(gain.max()), 1e-9)).all(axis=0)
    gain = np.where(lit, gain, np.nan)
    if seen.dose is not None:
        gain *= seen.dose[:, None, None]
    return np.asarray((seen.projections.counts - dark) / gain, np.float32)


def _of_projections(seen: Seen, transmission: np.ndarray, light: np.ndarray) -> Iterator[Fault]:
    good = np.ones(light.size, bool)

    def left_out(frames: np.ndarray, reason: str) -> Iterator[Fault]:
        good[frames] = False
        yield from _fault("projections", frames, reason)

    yield from left_out(unlit(light), "hardly any light")
    twice = frozen(seen.projections)
    yield from left_out(twice[good[twice]], "count by count the frame before")
    if seen.theta_deg is not None:
        extra = extra_frames(seen.theta_deg)
        yield from left_out(extra[good[extra]], AFTERWARDS)
    left = np.flatnonzero(good)
    yield from left_out(left[jumping(light[left])], "brighter or darker than the frames around")
    left = np.flatnonzero(good)
    yield from left_out(
        left[unlike(transmission[left], light[left])],
        "unlike the frames before and after",
    )
