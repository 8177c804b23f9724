"""Whether angles fit the views, as an answer, in words and as a number.

In: what does not fit; out: messages, an entry of ``summary.json``, and what rests on it.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import hypot, isfinite, isnan, radians
from typing import Any

from xct.preprocess.angles.closure import Closure
from xct.preprocess.angles.column_jumps import ColumnJump, column_jumps_message
from xct.preprocess.angles.dark_drift import DarkDrift, dark_drift_message
from xct.preprocess.angles.growth import Growth, growth_message
from xct.preprocess.angles.jumps import Jump
from xct.preprocess.angles.steps import REACH
from xct.preprocess.angles.turn import Turn, turn_message
from xct.preprocess.center.still import Still, still_clause
from xct.quantity import Number

_SURE_SD, _LEAST_STEPS = 6.0, 0.75  # of a turn that does not close
_BEYOND = 0.5  # of what is farther than rates of change are known from views beside
_LEAST_PX = 0.5  # by which the rim moves then
_TWICE_PX = 2.0  # … and edges there are seen twice
# Times what views usually do not share, and steps apart. Of scans without a fault
# at most 7.2 and 4; with 4 % of the frames lost at the ends, 4.9 and 8 at least (seeds 0 … 2, 20
# and 21).
_UNLIKE, _UNLIKE_STEPS = 4.5, 8.0
_FAR_STEPS = 16.0  # beyond which the size of a turn that does not close is a guess
_NAMED = 6  # jumps in a message
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
        Of the detector's offset, or of the beam, where that is sure.
    turn : Turn or None
        How far the sample turned, over what is stated; None where its width does not tell.
    still : Still or None
        What stands still in the beam, where nothing else makes views no mirror images.
    column_jumps : tuple of ColumnJump
        Columns that change at once.
    column_frames : tuple of int
        Places of the projections before these changes, from 0.
    bin : int
        Columns that were averaged.
    passes : int
        Over the range, that projections seem to be taken in where one is stated.
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
    column_jumps: tuple[ColumnJump, ...] = ()
    column_frames: tuple[int, ...] = ()
    bin: int = 1
    passes: int = 1

    @property
    def is_other(self) -> bool:
        """Whether the sample turned over another range altogether."""
        return self.turn is not None and self.turn.is_other

    @property
    def open_steps(self) -> float:
        """Steps that the sample turned less than stated in half a turn; 0 where none is sure."""
        steps, sd = self.opened
        return steps if sd and self._moves_px > _LEAST_PX else 0.0

    @property
    def _moves_px(self) -> float:
        """How far the rim moves in what half a turn is open by."""
        return radians(abs(self.opened[0]) * self.step_deg) * self.rim_px

    @property
    def is_open(self) -> bool:
        """Whether views half a turn apart fit so badly that slices show edges twice."""
        return self.unlike or (self.opened[1] > 0 and self._moves_px > _TWICE_PX)

    @property
    def opened(self) -> tuple[float, float]:
        """By how many steps half a turn is open, and the uncertainty; both 0 where none is sure."""
        one = self.closure
        if one is None:
            return 0.0, 0.0
        half = 180 / self.step_deg
        sure = abs(one.steps) >= max(_SURE_SD * one.sd, _LEAST_STEPS)
        sd = hypot(one.sd, _BEYOND * one.steps) if abs(one.steps) > REACH else one.sd
        if self.turned and self.turn is not None and not (sure and sd < self.turn.sd * half):
            return (1 - self.turn.factor) * half, self.turn.sd * half
        return (one.steps, sd) if sure else (0.0, 0.0)

    @property
    def turned(self) -> bool:
        """Whether the sample turned less, or farther, than half a turn, in two ways alike."""
        one = self.closure
        return one is not None and self.turn is not None and self.turn.agrees(one.steps, one.sd)

    @property
    def unlike(self) -> bool:
        """Whether views half a turn apart are no mirror images."""
        one = self.closure
        least = _FAR_STEPS if self.open_steps else _UNLIKE_STEPS  # its size, if sure, says more
        return one is not None and one.misfit > _UNLIKE and one.like_steps >= least


def angle_messages(check: AngleCheck) -> Iterator[str]:
    """Say what does not fit, and what to do: another range explains all else."""
    if check.passes > 1:
        yield (
            f"the projections were taken in {check.passes} passes over the range (interlaced), "
            "each of which begins again with what the first one saw, and not in the order of the "
            "stated angles. Slices are not to be trusted: give the angle of each projection, in "
            "the order in which they were taken, as a text file by scan.theta_deg"
        )
        return
    if check.is_other and check.turn is not None:
        yield turn_message(check.turn, check.span_deg)
        return
    drift = check.dark_drift
    if drift is not None and check.growth is None and (drift.is_beam or not check.unlike):
        yield dark_drift_message(drift)
    if check.column_jumps:
        yield column_jumps_message(check.column_jumps, check.column_frames, check.bin)
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
            + ". Something that falls off the sample looks alike. Slices are blurred by it, and "
            f"nothing is corrected: {REMEDY}"
        )
    if check.growth is not None:
        yield growth_message(check.growth)
    elif check.still is not None and (check.unlike or not (check.open_steps or check.jumps)):
        yield still_clause(check.still)
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
            f"{check.opened[1] * check.step_deg:.2g}°). The range of the "
            "angles is wrong, steps or frames were lost, the axis is wrong, or the sample "
            f"changed. Nothing is corrected: {REMEDY}"
        )


def _of_jump(check: AngleCheck, number: int) -> str:
    jump, (first, last), frames = check.jumps[number], check.at[number], check.frames[number]
    named = f"projections {frames[0]} and {frames[1]} of those used"
    where = f"between {first:.5g}° and {last:.5g}° ({named})"
    if isnan(jump.steps):
        return (
            f"{where} all changes at once: many frames were lost, the sample moved, something fell "
            "off it, or pixels of the camera became hot"
        )
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
    if count >= REACH:  # how fast views change is not known so far: 10 were seen as 3 to 15
        lost = f"some {round((1 - _BEYOND) * count)} to {3 * count} frames were"
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
    drift = check.dark_drift
    if isfinite(check.sees_steps):
        details["sees_lost_steps"] = round(check.sees_steps, 2)
    if check.scatter_deg:
        details["scatter_deg"] = round(check.scatter_deg, 4)
    if check.passes > 1:
        details["passes"] = check.passes
    elif check.is_other and check.turn is not None:
        details["turned_over_stated"] = round(check.turn.factor, 3)
    elif check.is_open and check.growth is None:
        details["half_turn_unlike"] = True
    elif check.column_jumps:
        details["columns_jump"] = sorted(
            {c * check.bin for jump in check.column_jumps for c in jump.columns}
        )
    elif drift is not None and check.growth is None:
        if drift.is_beam:
            details["beam_change"] = round(drift.brighter, 5)
        else:
            details["dark_drift"] = round(drift.of_light, 5)
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


def angles_unfit(numbers: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Say what makes slices hold edges at wrong places; None where nothing does."""
    entry = numbers.get("angle_jumps", {})
    rest = "Roughness, particles, inclusions and lithium contents rest on them and are withheld"
    unfit = "turned_over_stated", "half_turn_unlike", "passes"
    if any(key in entry for key in unfit) or None in (entry.get("steps") or ()):
        return (
            "the angles are not those of the projections, or the sample moved or changed. "
            f"{rest}; give the true angles by scan.theta_deg"
        )
    if "columns_jump" in entry:
        return (
            "columns of the detector change at once during the scan, and slices hold arcs of them. "
            + rest
        )
    return None


def darks_drift(numbers: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Say that the detector's offset, or the beam, changed; None where neither did."""
    entry = numbers.get("angle_jumps", {})
    drift, beam = entry.get("dark_drift"), entry.get("beam_change")
    if beam is not None:
        return (
            f"the beam changes by {abs(beam):.1%} behind the sample over the scan, and no flat "
            "follows, or the sample itself does. Lithium contents, absent lithium, particles and "
            "inclusions rest on that and are withheld; flats in between help"
        )
    if drift is None:
        return None
    return (
        f"the detector's offset {'rises' if drift > 0 else 'falls'} by {abs(drift):.1%} of the "
        "light over the scan, and no dark follows. Lithium contents, absent lithium, particles and "
        "inclusions rest on that and are withheld; a camera at its temperature helps"
    )
