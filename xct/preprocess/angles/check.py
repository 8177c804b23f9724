"""Do the angles fit the views? In: line integrals of rows; out: where they do not, and by how much.

Nothing is corrected: what is seen says that angles are wrong, not which ones.
"""

from __future__ import annotations

from dataclasses import replace
from math import inf, radians, tan

import numpy as np

from xct.preprocess.angles.answer import AngleCheck, angle_number
from xct.preprocess.angles.closure import find_closure
from xct.preprocess.angles.column_jumps import find_column_jumps
from xct.preprocess.angles.dark_drift import find_dark_drift
from xct.preprocess.angles.growth import find_growth
from xct.preprocess.angles.interlaced import interlaced_passes
from xct.preprocess.angles.jumps import (
    LEAST_STEPS,
    SURE_SD,
    Jump,
    Scales,
    alike_across,
    all_scales,
    false_gaps,
    find_jumps,
    telling,
)
from xct.preprocess.angles.likeness import Likeness
from xct.preprocess.angles.scatter import angle_scatter_deg
from xct.preprocess.angles.steps import REACH
from xct.preprocess.angles.turn import find_turn
from xct.preprocess.center.sample import (
    Sample,
    checked_views,
    leaned,
    median_step,
    prepared,
    unshaken,
)
from xct.preprocess.center.still import find_still
from xct.preprocess.motion.sinking import along_axis_px
from xct.quantity import Quantity
from xct.stages import stage

_ALIKE = 0.01  # of a step: the same angle
_MOST = 0.1  # of the gaps may be jumps: more are angles that are all wrong


@stage(
    gives=Quantity("angle_jumps", unit="gaps between projections that are not as stated"),
    estimate=angle_number,
)
def check_angles(
    line_integrals: np.ndarray,
    theta_deg: np.ndarray,
    center_px: np.ndarray | float,
    axis_tilt_deg: float = 0.0,
    row_px: np.ndarray | None = None,
    frame_shape: tuple[int, int] | None = None,
    stage_jitter: tuple[list[float], list[float]] | None = None,
    wrong_flats: str | None = None,
) -> AngleCheck:
    """Check that the sample turned as the angles say.

    How far it turned from each projection to the next is measured by what changes: more is a
    frame that was lost, or a stage that jumped. Half a turn later it must look as before,
    mirrored about the axis. Lost frames show also where noise hides the rate of change: across the
    gap views share as little as others do that are more steps apart. The first and the last gap
    are not looked at.

    Parameters
    ----------
    line_integrals : ndarray, shape (angle, row, column)
        Line integrals of rows from several heights.
    theta_deg : ndarray, shape (angle,)
        Angle of each projection in degrees.
    center_px : float or ndarray
        Column of the rotation axis.
    axis_tilt_deg : float, optional
        How the axis leans within the plane of the detector.
    row_px : ndarray, shape (row,), optional
        Which rows of the frame these are.
    frame_shape : tuple of int, optional
        Rows and columns of a frame.
    stage_jitter : two lists of float, optional
        How far each projection stands off, along rows and columns.
    wrong_flats : str, optional
        What is wrong with the flats: what they leave in the projections does not turn.

    Returns
    -------
    AngleCheck
        Empty where angles do not suffice, where flats are wrong, and where the sample moves along
        the axis.
    """
    if wrong_flats is not None:
        return AngleCheck(unchecked=wrong_flats)
    if stage_jitter is not None and (sinks := along_axis_px(stage_jitter[0])):
        return AngleCheck(unchecked=f"the sample moves along the axis by {sinks:.2f} px")
    try:
        views = checked_views(line_integrals, theta_deg)
    except ValueError:  # find_center, which needs the axis, refuses it; a given axis does not
        return AngleCheck()
    views = unshaken(views, stage_jitter, row_px)
    if axis_tilt_deg and row_px is not None:
        views = _upright(views, axis_tilt_deg, row_px, frame_shape)
    first = _first_exposures(np.asarray(theta_deg, np.float64))
    theta = np.asarray(theta_deg, np.float64)[first]
    sample = prepared(views[first], theta)
    found, step = all_scales(sample), median_step(theta[np.argsort(theta)])
    scatter, rim = angle_scatter_deg(sample, found), sample.columns * sample.bin / 2
    scales, alike = telling(found), None if scatter else alike_across(sample)
    binned = (float(np.mean(center_px)) - (sample.bin - 1) / 2) / sample.bin
    still, span = find_still(sample, binned), float(np.ptp(theta))
    turn = find_turn(sample) if still is None else None  # which it misleads
    passes = interlaced_passes(sample)
    if passes > 1:
        why = f"the projections were taken in {passes} passes"
        return AngleCheck(step_deg=step, rim_px=rim, span_deg=span, passes=passes, unchecked=why)
    if not scales and alike is None:
        return AngleCheck(step_deg=step, rim_px=rim, scatter_deg=scatter, turn=turn, span_deg=span)
    columns = find_column_jumps(sample)
    jumps = _jumps(sample, scales, alike, {jump.after for jump in columns})
    order = np.argsort(theta, kind="stable")
    growth = find_growth(sample, binned)
    drift = find_dark_drift(sample, binned, first[order] / max(len(theta_deg) - 1, 1))
    closure = find_closure(sample, scales, binned) if scales else None
    gaps = [(int(first[order[j.after]]), int(first[order[j.after + 1]])) for j in jumps]
    check = AngleCheck(
        tuple(jump._replace(px=jump.px * sample.bin) for jump in jumps),
        tuple((float(theta[a]), float(theta[b])) for a, b in gaps),
        tuple(gaps),
        closure,
        _sees(scales, alike),
        step,
        rim,
        scatter,
        growth=growth if growth is not None and growth.is_sure else None,
        dark_drift=drift if drift is not None and drift.is_sure else None,
        turn=turn,
        span_deg=span,
        still=still,
        column_jumps=columns,
        column_frames=tuple(int(first[order[jump.after]]) for jump in columns),
        bin=sample.bin,
    )
    return replace(check, growth=None) if check.turned else check  # which looks alike


def _upright(
    views: np.ndarray, tilt_deg: float, row_px: np.ndarray, frame_shape: tuple[int, int] | None
) -> np.ndarray:
    middle_row = (frame_shape[0] - 1) / 2 if frame_shape else float(np.mean(row_px))
    return leaned(views, (middle_row - row_px) * tan(radians(tilt_deg)))


def _jumps(sample: Sample, scales: Scales, alike: Likeness | None, odd: set[int]) -> list[Jump]:
    """Give the jumps that are not near odd gaps; none where they are too many to be jumps."""
    found = find_jumps(scales, alike, false_gaps(sample))
    jumps = [jump for jump in found if not _near(jump.after, odd)]
    return [] if len(jumps) > max(1, _MOST * len(sample.theta_deg)) else jumps


def _near(gap: int, others: set[int]) -> bool:
    return any(abs(gap - other) <= REACH + 1 for other in others)


def _first_exposures(theta_deg: np.ndarray) -> np.ndarray:
    """Give the first frame of each angle: a scan that was taken up again repeats some."""
    order = np.argsort(theta_deg, kind="stable")
    steps = np.diff(theta_deg[order])
    again = np.append(False, steps < _ALIKE * np.median(steps))
    return np.sort(order[~again])


def _sees(scales: Scales, alike: Likeness | None) -> float:
    """Give the lost steps that are surely seen in one place."""
    by_turn = SURE_SD * min((s.sd for s, _ in scales), default=inf)
    return max(LEAST_STEPS, by_turn if alike is None else min(by_turn, alike.sees))
