"""Do the angles fit the views? In: line integrals of rows; out: where they do not, and by how much.

Nothing is corrected: what is seen says that angles are wrong, not which ones.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from math import inf, isfinite, isnan, radians, tan

import numpy as np

from xct.preprocess.angles.closure import Closure, find_closure
from xct.preprocess.angles.dark_drift import DarkDrift, dark_drift_message, find_dark_drift
from xct.preprocess.angles.growth import Growth, find_growth, growth_message
from xct.preprocess.angles.jumps import (
    LEAST_STEPS,
    SURE_SD,
    Jump,
    Scales,
    alike_across,
    all_scales,
    false_gaps,
    find_jumps,
    median_step,
    telling,
)
from xct.preprocess.angles.likeness import Likeness
from xct.preprocess.angles.scatter import angle_scatter_deg
from xct.preprocess.angles.turn import Turn, find_turn, turn_message
from xct.preprocess.center.sample import checked_views, leaned, prepared, steadied
from xct.preprocess.center.still import Still, find_still, still_clause
from xct.quantity import Number, Quantity
from xct.stages import stage

_SURE_SD, _LEAST_STEPS = 6.0, 0.75  # of a turn that does not close
_LEAST_PX = 0.5  # by which the rim moves then
# Times what views usually do not share, and steps apart. Of scans without a fault
# at most 7.2 and 4; with 4 % of the frames lost at the ends, 4.9 and 8 at least (seeds 0 … 2, 20
# and 21).
_UNLIKE, _UNLIKE_STEPS = 4.5, 8.0
_FAR_STEPS = 16.0  # beyond which the size of a turn that does not close is a guess
_NAMED = 6  # jumps in a message
_ALIKE = 0.01  # of a step: the same angle
_MOST = 0.1  # of the gaps may be jumps: more are angles that are all wrong
REMEDY = (
    "give the true angles as a text file by scan.theta_deg, or leave what came before or after "
    "out by scan.leave_out.projections"
)


@dataclass(frozen=True)
class AngleCheck:
    """What of the angles does not fit the views.

    Attributes
    ----------
    jumps : tuple of Jump
        Gaps that are not as stated.
    at : tuple of (float, float)
        Stated angles before and after each, degrees.
    frames : tuple of (int, int)
        Places of these projections among those that are used, from 0.
    closure : Closure or None
        Over half a turn; None where no views are half a turn apart.
    sees_steps : float
        Lost steps that are surely seen in one gap; infinite where views say too little.
    step_deg : float
        The usual step.
    rim_px : float
        Half the width of the view.
    span_deg : float
        From the first to the last stated angle.
    scatter_deg : float
        How far single angles stand off from the true ones; 0 where that is not sure or small.
    unchecked : str or None
        Why nothing was looked at.
    growth : Growth or None
        Of the sample in half a turn, where that is sure.
    dark_drift : DarkDrift or None
        Of the detector's offset, where that is sure.
    turn : Turn or None
        How far the sample turned, over what is stated; None where its width does not tell.
    still : Still or None
        What stands still in the beam, where nothing else makes views no mirror images.
    """

    jumps: tuple[Jump, ...] = ()
    at: tuple[tuple[float, float], ...] = ()
    frames: tuple[tuple[int, int], ...] = ()
    closure: Closure | None = None
    sees_steps: float = float("inf")
    step_deg: float = 0.0
    rim_px: float = 0.0
    scatter_deg: float = 0.0
    unchecked: str | None = None
    growth: Growth | None = None
    dark_drift: DarkDrift | None = None
    turn: Turn | None = None
    span_deg: float = 0.0
    still: Still | None = None

    @property
    def is_other(self) -> bool:
        """Whether the sample turned over another range altogether."""
        return self.turn is not None and self.turn.is_other

    @property
    def open_steps(self) -> float:
        """Steps that the sample turned less than stated in half a turn; 0 where none is sure."""
        one = self.closure
        if one is None:
            return 0.0
        if abs(one.steps) < max(_SURE_SD * one.sd, _LEAST_STEPS):
            if self.turn is None or not self.turn.agrees(one.steps, one.sd):
                return 0.0
        moves = radians(abs(one.steps) * self.step_deg) * self.rim_px
        return one.steps if moves > _LEAST_PX else 0.0

    @property
    def unlike(self) -> bool:
        """Whether views half a turn apart are no mirror images."""
        one = self.closure
        least = _FAR_STEPS if self.open_steps else _UNLIKE_STEPS  # its size, if sure, says more
        return one is not None and one.misfit > _UNLIKE and one.like_steps >= least


def angle_messages(check: AngleCheck) -> Iterator[str]:
    """Say what does not fit, and what to do: another range explains all else."""
    if check.is_other and check.turn is not None:
        yield turn_message(check.turn, check.span_deg)
        return
    if check.dark_drift is not None and check.growth is None and not check.unlike:
        yield dark_drift_message(check.dark_drift)
    if check.scatter_deg:
        moves = radians(check.scatter_deg) * check.rim_px
        yield (
            f"the angles scatter about the true ones by {check.scatter_deg:.2g}° (standard "
            f"deviation, {check.scatter_deg / check.step_deg:.2g} of a step) from projection to "
            f"projection: slices are blurred by {moves:.1f} px at their rim, and less towards "
            "the axis. Nothing is corrected: give the true angles, as an encoder read them, as a "
            "text file by scan.theta_deg"
        )
    if check.jumps:
        shown = [_of_jump(check, number) for number in range(min(len(check.jumps), _NAMED))]
        more = len(check.jumps) - len(shown)
        yield (
            f"the angles do not fit the projections: {'; '.join(shown)}"
            + (f"; and at {more} other places" if more else "")
            + f". Slices are blurred by it, and nothing is corrected: {REMEDY}"
        )
    if check.growth is not None:
        yield growth_message(check.growth)
    elif check.unlike:
        assert check.closure is not None
        apart = check.closure.like_steps * check.step_deg
        yield (
            "projections half a turn apart are no mirror images: they share as little as "
            f"projections {apart:.2g}° apart. The range of the angles is wrong, the axis is "
            "(figures/center.png), or the sample moved or changed during the scan. Slices are "
            "not to be trusted: see what the stage did, and give scan.theta_deg"
        )
    elif check.open_steps:
        yield (
            f"half a turn does not close: in what is stated as 180° the sample turned by about "
            f"{180 - check.open_steps * check.step_deg:.4g}° (± "
            f"{check.closure.sd * check.step_deg if check.closure else 0:.2g}°). The range of the "
            "angles is wrong, steps or frames were lost, the axis is wrong, or the sample "
            f"changed. Nothing is corrected: {REMEDY}"
        )
    elif check.still is not None and not check.jumps:
        yield still_clause(check.still)


def _of_jump(check: AngleCheck, number: int) -> str:
    jump, (first, last), frames = check.jumps[number], check.at[number], check.frames[number]
    named = f"projections {frames[0]} and {frames[1]} of those used"
    where = f"between {first:.5g}° and {last:.5g}° ({named})"
    if isnan(jump.steps):
        return f"{where} all changes at once: many frames were lost, or the sample moved"
    said = []
    if jump.steps:
        said.append(_of_turn(jump.steps, check.step_deg))
    if jump.px:
        said.append(f"went aside by about {jump.px:+.1f} px")
    return f"{where} the sample {' and '.join(said)}"


def _of_turn(steps: float, step_deg: float) -> str:
    size, unit = abs(steps), "step" if round(abs(steps), 1) == 1 else "steps"
    how = f"turned by about {size * step_deg:.2g}° ({size:.1f} {unit})"
    if steps < 0:
        return f"{how} less than stated, as where the stage stood still or slipped"
    count = max(round(size), 1)
    lost = f"about {count} frames were" if count > 1 else "a frame was"
    return f"{how} more than stated, as where {lost} lost"


def angle_number(check: AngleCheck, rows: int) -> Number:
    """Give how many gaps do not fit; say which.

    Parameters
    ----------
    check : AngleCheck
        What `check_angles` gave.
    rows : int
        How many rows it rests on.
    """
    for message in angle_messages(check):
        warnings.warn(message, stacklevel=2)
    details: dict[str, object] = {}
    if isfinite(check.sees_steps):
        details["sees_lost_steps"] = round(check.sees_steps, 2)
    if check.scatter_deg:
        details["scatter_deg"] = round(check.scatter_deg, 4)
    if check.is_other and check.turn is not None:
        details["turned_over_stated"] = round(check.turn.factor, 3)
    elif check.unlike and check.growth is None:
        details["half_turn_unlike"] = True
    elif check.dark_drift is not None and check.growth is None:
        details["dark_drift"] = round(check.dark_drift.of_light, 5)
    if check.growth is not None:
        details["grows_percent"] = round(100 * check.growth.fraction, 2)
    if check.closure is not None:
        details["half_turn_open_deg"] = round(check.closure.steps * check.step_deg, 3)
    if check.jumps:
        details["after_deg"] = [round(first, 4) for first, _ in check.at]
        details["steps"] = [None if isnan(j.steps) else round(j.steps, 2) for j in check.jumps]
        details["px"] = [round(j.px, 2) for j in check.jumps]
    why = check.unchecked or "views say too little of their turn"
    unseen = f"not checked: {why}; any number of lost frames may go unseen"
    note = None if isfinite(check.sees_steps) else unseen
    return Number(len(check.jumps), "gaps", n=rows, note=note, details=details)


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
        Empty where angles do not suffice, and where flats are wrong.
    """
    if wrong_flats is not None:
        return AngleCheck(unchecked=wrong_flats)
    try:
        views = checked_views(line_integrals, theta_deg)
    except ValueError:  # find_center, which needs the axis, refuses it; a given axis does not
        return AngleCheck()
    if stage_jitter is not None:
        views = steadied(views, np.array(stage_jitter[1]))
    if axis_tilt_deg and row_px is not None:
        middle_row = (frame_shape[0] - 1) / 2 if frame_shape else float(np.mean(row_px))
        views = leaned(views, (middle_row - row_px) * tan(radians(axis_tilt_deg)))
    first = _first_exposures(np.asarray(theta_deg, np.float64))
    theta = np.asarray(theta_deg, np.float64)[first]
    sample = prepared(views[first], theta)
    found, step = all_scales(sample), median_step(theta[np.argsort(theta)])
    scatter, rim = angle_scatter_deg(sample, found), sample.columns * sample.bin / 2
    scales, alike = telling(found), None if scatter else alike_across(sample)
    turn, span = find_turn(sample), float(np.ptp(theta))
    if not scales and alike is None:
        return AngleCheck(step_deg=step, rim_px=rim, scatter_deg=scatter, turn=turn, span_deg=span)
    jumps = find_jumps(scales, alike, false_gaps(sample))
    if len(jumps) > max(1, _MOST * len(theta)):
        jumps = jumps[:0]
    binned = (float(np.mean(center_px)) - (sample.bin - 1) / 2) / sample.bin
    order = np.argsort(theta, kind="stable")
    growth = find_growth(sample, binned)
    drift = find_dark_drift(sample, binned, first[order] / max(len(theta_deg) - 1, 1))
    gaps = [(int(first[order[j.after]]), int(first[order[j.after + 1]])) for j in jumps]
    return AngleCheck(
        tuple(jump._replace(px=jump.px * sample.bin) for jump in jumps),
        tuple((float(theta[a]), float(theta[b])) for a, b in gaps),
        tuple(gaps),
        find_closure(sample, scales, binned) if scales else None,
        _sees(scales, alike),
        step,
        rim,
        scatter,
        growth=growth if growth is not None and growth.is_sure else None,
        dark_drift=drift if drift is not None and drift.is_sure else None,
        turn=turn,
        span_deg=span,
        still=find_still(sample, binned),
    )


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
