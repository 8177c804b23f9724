"""Rules that tell odd frames. In: frames of one kind, coarsely; out: the numbers of those.

Every rule compares a frame with the others of its kind, so that no rule knows the sample: light
that fails, a shadow in a flat, a dark that is lit, a frame that is unlike those before and after.
"""

from __future__ import annotations

import numpy as np
import scipy

from xct.preprocess.frames.coarse import CoarseFrames

LEAST_GAIN = 0.05  # of the brightest cell: beyond the beam nothing is compared
MAD = 1.4826  # from a median absolute deviation to a standard deviation
_LIT = 0.005  # of the light, in a dark
_EVEN, _MOST_STEP = 0.25, 0.05  # of how uneven flats are, and of the light
_DIM_FLAT = 0.5  # of the brighter flats
_SHADOW, _SHADOWED = 0.03, 0.05  # depth of a shadow in a flat, and the part of it that it covers
_NO_LIGHT = 0.1  # of the usual light
_JUMP = 0.1  # of the light of the frames around
_AROUND = 51  # frames
_UNLIKE = 0.03  # of the light
_SPREADS = 8.0  # what is so many times the spread is none of it
_MOST_REPEATED = 0.1  # more frames that repeat themselves are a scan without noise
_MOST_EXTRA = 8
_MOST_BLOCKED, _LEAST_FRAMES = 0.06, 20  # part of all frames that blocked ones can be
_BRIGHT = 0.2  # transmission of a cell that is never dark otherwise
_BLOCKED = 0.3  # of the least transmission in other frames
_SHADED, _LEAST_CELLS = 0.12, 16  # part of such cells, where there are as many


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


def darks_step(darks: CoarseFrames, flats: np.ndarray) -> float:
    """Give by how many counts the last darks are above the first ones, alike all over the frame.

    That is no light, which falls as on the flats, but the detector's offset: darks before and
    after a scan show how it drifted. 0 where there is no such step.

    Parameters
    ----------
    darks : CoarseFrames
        Frames that should be dark, in order of time.
    flats : ndarray, shape (row, cell)
        Mean counts of the flats.
    """
    level = darks.counts.mean(axis=(1, 2), dtype=np.float64)
    lit = lit_darks(darks, float(np.mean(flats) - level.min()))
    least = max(2, level.size // 3)
    if not least <= lit.size <= level.size - 2 or np.ptp(lit) != lit.size - 1:
        return 0.0
    at_end = lit[-1] == level.size - 1
    if not at_end and lit[0] != 0:
        return 0.0
    others = np.delete(darks.counts, lit, axis=0).mean(axis=0)
    step, light = darks.counts[lit].mean(axis=0) - others, flats - others
    height = float(step.mean())
    even = float(step.std()) < _EVEN * height * float(light.std() / light.mean())
    if not even or height > _MOST_STEP * float(light.mean()):
        return 0.0
    return height if at_end else -height


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
    lit = flats.mean(axis=0) > LEAST_GAIN * flats.mean(axis=0).max()
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


def blocked(transmission: np.ndarray) -> np.ndarray:
    """Find frames of which a part holds hardly any light, where all others hold some.

    By a shutter that opens slowly, or what stands in the beam for a few frames. What turns with
    the sample and attenuates as much is in the way for longer, or is narrow.

    Parameters
    ----------
    transmission : ndarray, shape (frame, row, cell)
        In the order of angles.
    """
    if len(transmission) < _LEAST_FRAMES:
        return np.empty(0, int)
    frames = transmission.reshape(len(transmission), -1)
    low = np.sort(frames, axis=0)[int(_MOST_BLOCKED * len(frames))]  # NaN, beyond the beam, is last
    bright = low > _BRIGHT
    if bright.sum() < _LEAST_CELLS:
        return np.empty(0, int)
    dark = (frames[:, bright] < _BLOCKED * low[bright]).mean(axis=1)
    return np.flatnonzero(dark > _SHADED)


def without_zingers(transmission: np.ndarray) -> np.ndarray:
    """Take out what one cell or one row of a frame shows, and neither of those beside it.

    A zinger moves one cell by more than all others differ where light is little; what stands in
    the beam is wider, in several of the rows that are looked at, and bad rows are looked for one
    by one.

    Parameters
    ----------
    transmission : ndarray, shape (frame, row, cell)
        Of rows all over the height.
    """
    if transmission.shape[1] < 3:
        return transmission
    usual = np.median(transmission, axis=0)  # of each row: what differs from it is compared
    away = np.nan_to_num(transmission - usual)  # NaN beyond the beam
    return np.asarray(usual + scipy.ndimage.median_filter(away, (1, 3, 3), mode="mirror"))


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
        goes_back = np.abs(extra - main[-1]).max() >= 3 * usual  # the first may repeat the last
        beside = usual / 2 < abs(extra[0] - main[-1]) < 3 * usual
        if goes_on or beside or not (within.all() and goes_back):
            return np.empty(0, int)
        partner = abs(abs(main[-1] - main[0]) % 180)
        also = 1 if min(partner, 180 - partner) < usual / 2 else 0
        return np.arange(theta.size - count - also, theta.size)
    return np.empty(0, int)
