"""Tilt of the rotation axis within the detector's plane. In: line integrals of rows; out: degrees.

The axis is found at several heights, each by itself: it lies on a straight line through them.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import atan, degrees, hypot, isfinite, radians, tan
from typing import Any

import numpy as np

from xct.preprocess.center.half_turn import Slope, slope_by_half_turns
from xct.preprocess.center.heights import LEAST_HEIGHTS, AxisLine, Height, at_heights, on_a_line
from xct.preprocess.center.pitch import Pitch, find_pitch
from xct.preprocess.center.sample import check_logarithm, checked_views, unshaken
from xct.quantity import Number, Quantity
from xct.stages import stage

log = logging.getLogger("xct")

_SURE_SD = 4.0  # standard uncertainties at which a tilt is corrected
# Three heights of more hardly tell how certain each is: in strong noise, where two of five showed
# no axis, the others gave 1.8 ± 0.2° for a cell that stood upright.
_SURE_SD_OF_THREE = 12.0
_UNSURE_DEG = 0.3  # standard uncertainty from which views half a turn apart tell nothing
_AGREE_SD = 3.0  # standard uncertainties within which both ways agree
_MATTERS_PX = 0.1  # what the axis must move by over the frame's height to be corrected
_AT_MOST_SD = 2.0  # standard uncertainties beyond what is measured that cannot be excluded
# Off at the first and last row: voxels at edges change their material. At 0.42 px the Dice
# coefficient of active material was 0.92 instead of 0.95.
_LABELS_PX = 0.4
_LIKELY_SD, _EDGES_PX = 2.0, 1.0  # such a tilt is more likely than none; edges are seen twice
_SEEN_SD, _LIFTED_PX = 2.5, 0.5  # the same where views half a turn apart show what is lifted
_USUAL_DEG = 0.5  # of a stage that nobody adjusted; said where nothing is measured


@dataclass(frozen=True)
class AxisTilt:
    """How the rotation axis leans within the plane of the detector.

    Attributes
    ----------
    tilt_deg, sd_deg : float
        Positive where the axis falls on larger columns as rows grow. Both NaN where the axis was
        not found at three heights on a line.
    height_px : float
        Rows from the first to the last of the frame.
    row_px, center_px : tuple of float
        The axis at each height that lies on the line.
    along_beam : Pitch or None
        How it leans along the beam; None where that is not known.
    elsewhere : int
        Heights that do not lie on the line, or showed no axis.
    half_turns : bool
        Whether views half a turn apart, turned against each other, told it, too.
    width_px : float
        Columns of the frame.
    """

    tilt_deg: float
    sd_deg: float
    height_px: float
    row_px: tuple[float, ...] = ()
    center_px: tuple[float, ...] = ()
    along_beam: Pitch | None = None
    elsewhere: int = 0
    half_turns: bool = False
    width_px: float = 0.0

    @property
    def moves_px(self) -> float:
        """How far the axis moves from the first row to the last."""
        return self.height_px * tan(radians(self.tilt_deg))

    @property
    def is_sure(self) -> bool:
        """Whether there is a tilt for sure, and one that matters."""
        few = not self.half_turns and self.elsewhere and len(self.row_px) <= LEAST_HEIGHTS
        sure = _SURE_SD_OF_THREE if few else _SURE_SD
        return abs(self.tilt_deg) > sure * self.sd_deg and abs(self.moves_px) > _MATTERS_PX

    @property
    def at_most_deg(self) -> float:
        """The tilt that cannot be excluded: beyond what is corrected, if it is."""
        left = 0.0 if self.is_sure else abs(self.tilt_deg)
        return left + _AT_MOST_SD * self.sd_deg

    def at_ends_px(self, tilt_deg: float) -> float:
        """How far a tilt moves the axis in the first and the last row, from the middle one."""
        return self.height_px / 2 * tan(radians(tilt_deg))

    @property
    def unsure_off_px(self) -> float | None:
        """How far edges are off by a tilt that is likely, and not corrected; None where none is.

        By what moves the axis in the first and the last row, or lifts what lies at the rim.
        """
        if self.is_sure:
            return None
        ends = self.at_ends_px(self.at_most_deg)
        lifted = self.width_px / 2 * abs(tan(radians(self.tilt_deg)))
        size = abs(self.tilt_deg) / self.sd_deg if self.sd_deg > 0 else 0.0
        if size > _LIKELY_SD and ends > _EDGES_PX:
            return max(ends, lifted)
        seen = self.half_turns and size > _SEEN_SD and lifted > _LIFTED_PX
        return max(ends, lifted) if seen else None


def tilt_message(tilt: AxisTilt) -> str | None:
    """Say which tilt cannot be excluded, where it would change labels; None elsewhere."""
    remedy = "More angles, or more light, or a scan of an edge along the axis, would show it"
    if not isfinite(tilt.tilt_deg):
        off = tilt.at_ends_px(_USUAL_DEG)
        if off < _LABELS_PX:
            return None
        return (
            "how the rotation axis leans is not known, since it was not found at three heights on "
            f"a line: {_USUAL_DEG:g}° would put it off by {off:.1f} px in the first and the last "
            f"row, where edges blur and labels shift by as much. {remedy}"
        )
    off = tilt.at_ends_px(tilt.at_most_deg)
    if off < _LABELS_PX:
        return None
    return (
        f"a tilt of the rotation axis of up to {tilt.at_most_deg:.2g}° cannot be excluded"
        + (" beyond that which is corrected" if tilt.is_sure else "")
        + f" (measured: {tilt.tilt_deg:.2g} ± {tilt.sd_deg:.2g}°): it would put the axis off by "
        f"{off:.1f} px in the first and the last row, where edges blur and labels shift by as "
        f"much. {remedy}"
    )


def tilt_number(tilt: AxisTilt, rows: int) -> Number:
    """Give the tilt that is corrected, 0 where none is sure; say what cannot be excluded.

    Parameters
    ----------
    tilt : AxisTilt
        What `find_tilt` gave.
    rows : int
        How many rows it rests on.
    """
    along = tilt.along_beam
    for message in (tilt_message(tilt), None if along is None else along.message()):
        if message is not None:
            warnings.warn(message, stacklevel=2)
    details: dict[str, object] = {} if along is None else {**along.details()}
    if not isfinite(tilt.tilt_deg):
        note = "not measured: the axis is not found at three heights on a line"
        return Number(0.0, "°", n=rows, note=note, details=details)
    details |= {
        "measured_deg": tilt.tilt_deg,
        "at_most_deg": tilt.at_most_deg,
        "moves_px": tilt.moves_px,
        "by_row": {f"{r:.1f}": c for r, c in zip(tilt.row_px, tilt.center_px, strict=True)},
    }
    if not tilt.is_sure:
        off = tilt.unsure_off_px
        if off is not None:
            details["off_at_ends_px"] = off
        note = "no tilt that is sure and matters: none is corrected"
        return Number(0.0, "°", tilt.sd_deg, rows, note=note, details=details)
    log.info(
        "find_tilt: the rotation axis leans by %.3f ± %.3f° within the detector's plane: from the "
        "first row to the last it moves by %.2f px; `align` corrects it",
        tilt.tilt_deg,
        tilt.sd_deg,
        tilt.moves_px,
    )
    return Number(tilt.tilt_deg, "°", tilt.sd_deg, rows, details=details)


def tilt_likely(numbers: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Say that the axis leans by more than is corrected, probably; None where it does not.

    Parameters
    ----------
    numbers : mapping
        Of the run, by name.
    """
    off = numbers.get("axis_tilt_deg", {}).get("off_at_ends_px")
    if off is None:
        return None
    return (
        f"the rotation axis leans, probably: it is off by up to {off:.1f} px in the first and the "
        "last row, or what lies at the rim is lifted by as much; too unsure to be corrected. "
        "Roughness, particles, inclusions and lithium contents rest on edges there and are "
        "withheld; more angles or more light would tell, or scan.roi keeps the middle rows"
    )


@stage(
    gives=Quantity("axis_tilt_deg", unit="degrees, within the plane of the detector"),
    estimate=tilt_number,
)
def find_tilt(
    line_integrals: np.ndarray,
    theta_deg: np.ndarray,
    row_px: np.ndarray,
    frame_shape: tuple[int, int] | None = None,
    stage_jitter: tuple[list[float], list[float]] | None = None,
) -> AxisTilt:
    """Find how the rotation axis leans within the plane of the detector.

    The axis is found at several heights as `find_center` does, and a straight line is fitted to
    those that lie on one. Views half a turn apart, one of them mirrored, are turned against each
    other by twice the tilt, which is measured where there are such. A tilt along the beam does not
    move the axis; it is seen by what rows take out of the beam as the sample turns, and not
    corrected.

    Parameters
    ----------
    line_integrals : ndarray, shape (angle, row, column)
        Line integrals of rows from several heights.
    theta_deg : ndarray, shape (angle,)
        Angle of each projection in degrees.
    row_px : ndarray, shape (row,)
        Which rows of the frame these are.
    frame_shape : tuple of int, optional
        Rows and columns of a frame; as high as the last row unless given.
    stage_jitter : two lists of float, optional
        How far each projection stands off, along rows and columns, as `find_jitter` gives it.

    Returns
    -------
    AxisTilt
        NaN where the axis is not found at three heights on a line, and no views half a turn apart
        tell it, or it cannot be found at all.
    """
    height = float((frame_shape[0] if frame_shape else int(np.max(row_px)) + 1) - 1)
    unknown = AxisTilt(float("nan"), float("nan"), height)
    try:
        views = checked_views(line_integrals, theta_deg)
        check_logarithm(views)
    except ValueError:  # find_center, which needs the axis, refuses it; a given axis does not
        return unknown
    views = unshaken(views, stage_jitter, row_px)
    along = find_pitch(views, theta_deg, row_px)
    heights = at_heights(views, theta_deg, row_px)
    line = on_a_line(heights)
    turned = _by_half_turns(views, theta_deg, row_px, heights)
    if line is None and turned is None:
        return replace(unknown, along_beam=along)
    on = [heights[i] for i in line.heights] if line is not None else []
    slope = _together(line, turned)
    return AxisTilt(
        degrees(atan(slope.value)),
        degrees(slope.sd),
        height,
        tuple(one.row_px for one in on),
        tuple(one.center_px for one in on),
        along,
        len(heights) - len(on),
        turned is not None,
        float(line_integrals.shape[2]),
    )


def _by_half_turns(
    views: np.ndarray, theta_deg: np.ndarray, row_px: np.ndarray, heights: list[Height]
) -> Slope | None:
    known = [one for one in heights if isfinite(one.sd_px)]
    if not known:
        return None
    center = float(np.average([o.center_px for o in known], weights=[o.sd_px**-2 for o in known]))
    found = slope_by_half_turns(views, theta_deg, row_px, center)
    return found if found is not None and found.sd < radians(_UNSURE_DEG) else None


def _together(line: AxisLine | None, turned: Slope | None) -> Slope:
    """Average both where they agree; else views half a turn apart tell, in more columns."""
    if line is None:
        assert turned is not None
        return turned
    if turned is None:
        return Slope(line.slope, line.slope_sd)
    apart = abs(line.slope - turned.value) / hypot(line.slope_sd, turned.sd)
    if apart > _AGREE_SD:
        return turned
    weight = line.slope_sd**-2.0, turned.sd**-2.0
    value = (weight[0] * line.slope + weight[1] * turned.value) / sum(weight)
    return Slope(value, sum(weight) ** -0.5)
