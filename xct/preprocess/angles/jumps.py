"""Gaps between views that are not what is stated. In: a prepared sample; out: jumps.

Frames that were lost without a word, a stage that jumped or stood still: between two views the
sample turned further, or less far, than between all others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot, radians
from typing import NamedTuple

import numpy as np

from xct.preprocess.angles.likeness import Likeness, closed_gaps, likeness
from xct.preprocess.angles.steps import (
    MAD,
    REACH,
    Steps,
    few_rows,
    least_width_px,
    smoothed,
    steps_between,
)
from xct.preprocess.center.sample import Sample, median_step

_WIDTHS = 5  # of smoothing, each twice the one before; the first: what the edge moves by in a step
_WIDEST = 1 / 8  # of the columns
_LEAST_VIEWS = 24
SURE_SD, _ALSO_SD = 5.5, 2.5  # of a jump between two views, and between two on either side
_ROWS_SD = 3.0  # by how much rows disagree: less is of one row, or of noise in its shadow
LEAST_LOST = 0.8  # frames, by what views share
_FINE = 2  # widths at which that is looked at
# Gaps in which views hardly change seem to hold no turn at all: a step less than stated.
LEAST_STEPS, _ALSO_PART = 1.2, 0.6
# A stage that stood still for a step: the turn is a step less, and views across the gap share more
# than usual, each by so many standard deviations, and both together. Chosen on discs of seeds 0
# and 1, and a virtual cell.
_STOOD_SD, _TOGETHER_SD, _ONE_STEP = 2.5, 6.0, 0.3
_BREAK = 4.0  # times what views usually do not share with those before
_LEAST_PX = 0.5  # of a jump along columns
_LONGEST = 1.6  # stated gap that is compared, by the usual one
_LEAST_SCALE = 0.4  # of what views turn by is seen
_SEES_STEPS = 0.5  # scatter; with more nothing is said


class Jump(NamedTuple):
    """A gap in which the sample turned otherwise than stated, or went aside.

    Attributes
    ----------
    after : int
        The view before the gap, in ascending order of the angle.
    steps : float
        Steps by which the sample turned more than stated; NaN where they are too many to be
        measured.
    px : float
        By how much it went along columns.
    """

    after: int
    steps: float
    px: float


@dataclass(frozen=True)
class Excess:
    """By how much gaps are larger than stated, at one width of smoothing.

    Attributes
    ----------
    steps : ndarray, shape (gap,)
        Steps more than stated; NaN where it is not known.
    px : ndarray, shape (gap,)
        How far the sample went along binned columns.
    misfit : ndarray, shape (gap,)
        What a turn and a shift do not explain, over what they usually do not.
    rows_sd, rows_sd_px : ndarray, shape (gap,)
        By how much rows disagree on the first two.
    sd, sd_px : float
        Scatter of the first two; infinite where views say nothing of how far they turned.
    scale : float
        What is measured over what is stated, in the median.
    usual : float
        What a turn and a shift usually do not explain.
    """

    steps: np.ndarray
    px: np.ndarray
    misfit: np.ndarray
    rows_sd: np.ndarray
    rows_sd_px: np.ndarray
    sd: float
    sd_px: float
    scale: float
    usual: float


Scales = list[tuple[Excess, Excess]]  # of single views, and of two on either side; finest first


def widths_px(sample: Sample) -> list[float]:
    """Give the widths of smoothing at which views are compared, in binned columns."""
    edge = radians(median_step(sample.theta_deg)) * sample.columns / 2
    widths = max(least_width_px(sample.columns), edge) * 2.0 ** np.arange(_WIDTHS)
    return [float(width) for width in widths if width < _WIDEST * sample.columns]


def all_scales(sample: Sample) -> Scales:
    """Measure the steps between views at several widths; empty where there are few views."""
    if len(sample.theta_deg) < _LEAST_VIEWS or np.diff(sample.theta_deg).min() <= 0:
        return []
    views, found = few_rows(sample.free), []
    for width in widths_px(sample):
        smooth, every = smoothed(views, width)
        found.append((excess_at(sample, smooth, every), excess_at(sample, smooth, every, 2)))
    return found


def telling(scales: Scales) -> Scales:
    """Give the scales of views that say how far they turned; empty where they say too little."""
    return scales if any(single.sd < _SEES_STEPS for single, _ in scales) else []


def excess_at(sample: Sample, smooth: np.ndarray, every: int, together: int = 1) -> Excess:
    """Measure the steps between smoothed views of a sample, `every` columns apart.

    Parameters
    ----------
    sample : Sample
        Whose angles they have.
    smooth, every
        From `smoothed`.
    together : int, optional
        So many views on either side of a gap are compared as one.
    """
    theta = sample.theta_deg
    steps = steps_between(smooth, theta, every, together)
    return _excess(steps, theta, median_step(theta), _LEAST_SCALE / together)


def _excess(steps: Steps, theta: np.ndarray, step: float, least_scale: float) -> Excess:
    odd = np.diff(theta) > _LONGEST * step  # such as between golden angles: rates bend within
    for values in steps:
        values[odd] = np.nan
    if np.isfinite(steps.turned_deg).sum() < _LEAST_VIEWS // 2:
        unknown = np.full(len(odd), np.inf)
        return Excess(
            steps.turned_deg, steps.shift_px, steps.misfit, unknown, unknown,
            np.inf, np.inf, 0.0, 1.0,
        )  # fmt: skip
    px = steps.shift_px - np.nanmedian(steps.shift_px)
    usual = max(float(np.nanmedian(steps.misfit)), 1e-30)
    # Noise in the rate makes all turns a little too small, bends of it a little too large.
    scale = float(np.nanmedian(steps.turned_deg / steps.stated_deg))
    seen = max(scale, least_scale)
    turned = (steps.turned_deg / seen - steps.stated_deg) / step
    sd = _scatter(turned) if scale > least_scale else np.inf
    rows_sd = steps.turned_sd_deg / seen / step
    return Excess(
        turned, px, steps.misfit / usual, rows_sd, steps.shift_sd_px,
        sd, _scatter(px), scale, usual,
    )  # fmt: skip


def _scatter(values: np.ndarray) -> float:
    return float(MAD * np.nanmedian(np.abs(values - np.nanmedian(values))))


def alike_across(sample: Sample) -> Likeness | None:
    """Compare views across gaps at the width that tells most; None where they say nothing."""
    if len(sample.theta_deg) < _LEAST_VIEWS or np.diff(sample.theta_deg).min() <= 0:
        return None
    views = few_rows(sample.free)
    found = [
        likeness(smoothed(views, width)[0], sample.theta_deg) for width in widths_px(sample)[:_FINE]
    ]
    return min((one for one in found if one is not None), key=lambda one: one.sd, default=None)


def false_gaps(sample: Sample) -> list[Jump]:
    """Find stated gaps of several steps in which the sample turned by one."""
    steps = np.diff(sample.theta_deg)
    if steps.min() <= 0 or steps.max() < _LONGEST * np.median(steps):
        return []
    views = few_rows(sample.free)
    smooth = smoothed(views, widths_px(sample)[0])[0]
    return [Jump(gap, 1.0 - lag, 0.0) for gap, lag in closed_gaps(smooth, sample.theta_deg)]


def find_jumps(
    scales: Scales, alike: Likeness | None = None, false: Sequence[Jump] = ()
) -> list[Jump]:
    """Find gaps in which the sample turned otherwise than stated, or went aside, in their order.

    Parameters
    ----------
    scales : list
        From `all_scales`; where they tell nothing, only frames that were lost are looked for.
    alike : Likeness, optional
        From `alike_across`.
    false : sequence of Jump, optional
        From `false_gaps`.
    """
    looked = [_jump(scales, gap) for gap in _candidates(scales)] if scales else []
    if alike is not None:
        looked = [j for j in looked if j is not None and not (j.px == 0 and alike.denies(*j[:2]))]
    # Rates of gaps near a jump hold it as well: what fits worst is the jump itself.
    seen = sorted((j for j in looked if j is not None), key=lambda j: -_misfit(scales, j.after))
    found: list[Jump] = []
    for jump in [*false, *seen, *_lost(scales, alike), *_stood_still(scales, alike)]:
        if all(abs(jump.after - other.after) > REACH + 1 for other in found):
            found.append(jump)
    return sorted(found)


def _lost(scales: Scales, alike: Likeness | None) -> list[Jump]:
    """Give gaps across which views share too little, the least likely first."""
    if alike is None:
        return []
    gaps = sorted(alike.gaps, key=lambda gap: -alike.sure[gap])
    steps = [alike.lost(float(alike.excess[gap])) for gap in gaps]
    return [
        Jump(gap, -(lost + 2) if _turned_back(scales, gap) else lost, 0.0)
        for gap, lost in zip(gaps, steps, strict=True)
        if not lost < LEAST_LOST
    ]


def _stood_still(scales: Scales, alike: Likeness | None) -> list[Jump]:
    """Give gaps in which the stage did not turn, by the turn and by what views share."""
    if alike is None:
        return []
    shared = np.nan_to_num(alike.sure)
    gaps = sorted(np.flatnonzero(shared < -_STOOD_SD).tolist(), key=lambda gap: shared[gap])
    return [Jump(gap, -1.0, 0.0) for gap in gaps if _is_a_step_less(scales, gap, shared[gap])]


def _is_a_step_less(scales: Scales, gap: int, shared: float) -> bool:
    """Whether single views, and two on either side, say so at one of the narrow widths."""
    for single, both in scales[:_FINE]:
        if not abs(single.steps[gap] + 1) < _ONE_STEP:
            continue
        least = max(_STOOD_SD * single.sd, _ROWS_SD * single.rows_sd[gap])
        also = max(_ALSO_PART, _ALSO_SD * both.sd)
        together = hypot(single.steps[gap] / single.sd, shared) > _TOGETHER_SD
        if together and single.steps[gap] < -least and both.steps[gap] < -also:
            return True
    return False


def _turned_back(scales: Scales, gap: int) -> bool:
    """Whether views look as if the sample had turned the other way in a gap."""
    return any(s.steps[gap] < -max(_ALSO_SD * max(s.sd, s.rows_sd[gap]), 1.0) for s, _ in scales)


def _candidates(scales: Scales) -> list[int]:
    certain = [np.abs(np.nan_to_num(s.steps)) / s.sd for s, _ in scales]
    certain += [np.abs(np.nan_to_num(s.px)) / max(s.sd_px, 1e-6) for s, _ in scales]
    certain += [np.nan_to_num(s.misfit) * (SURE_SD / _BREAK) for s, _ in scales]
    return np.flatnonzero(np.max(certain, axis=0) > SURE_SD).tolist()


def _misfit(scales: Scales, gap: int) -> float:
    return max(float(single.misfit[gap]) for single, _ in scales)


def _jump(scales: Scales, gap: int) -> Jump | None:
    """Give the jump in a gap, with all that is sure of it."""
    steps, px = _turned(scales, gap), _went(scales, gap)
    if steps == 0 and px == 0:
        broken = any(min(s.misfit[gap], b.misfit[gap]) > _BREAK for s, b in scales)
        return Jump(gap, np.nan, 0.0) if broken else None
    return Jump(gap, steps, px)


def _turned(scales: Scales, gap: int) -> float:
    """Give the excess of a gap in steps; 0 where none is sure."""
    seen = [
        float(s.steps[gap])
        for number, (s, _) in enumerate(scales)
        if abs(s.steps[gap]) > max(SURE_SD * s.sd, _ROWS_SD * s.rows_sd[gap], _least_steps(number))
    ]
    if not seen:
        return 0.0
    least = _ALSO_PART * min(abs(steps) for steps in seen)
    also = [b.steps[gap] * np.sign(seen[-1]) > max(least, _ALSO_SD * b.sd) for _, b in scales]
    return float(np.median(seen)) if any(also) else 0.0


def _least_steps(number: int) -> float:
    """Give the least jump that the width of this number is for: small ones need narrow ones."""
    return LEAST_STEPS * 2.0 ** max(0, number - 1)


def _went(scales: Scales, gap: int) -> float:
    """Give how far the sample went along binned columns; 0 where that is not sure."""
    for single, both in reversed(scales):
        least = max(SURE_SD * single.sd_px, _ROWS_SD * single.rows_sd_px[gap], _LEAST_PX)
        also = both.px[gap] * np.sign(single.px[gap])
        if abs(single.px[gap]) > least and also > max(_ALSO_PART * least, _ALSO_SD * both.sd_px):
            return float(single.px[gap])
    return 0.0
