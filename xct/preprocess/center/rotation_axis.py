"""The rotation axis. In: line integrals of some rows; out: its column, with a confidence."""

from __future__ import annotations

from dataclasses import replace
from math import radians, tan
from typing import Annotated

import numpy as np
from annotated_types import Gt

from xct.preprocess.angles.turn import find_turn, turn_message
from xct.preprocess.center.answer import SURE, Center, center_number
from xct.preprocess.center.confidence import less_sure
from xct.preprocess.center.figures import center_figure, sinogram_figure
from xct.preprocess.center.heights import at_heights, on_a_line
from xct.preprocess.center.sample import check_logarithm, checked_views, leaned, prepared, unshaken
from xct.preprocess.center.search import search_axis
from xct.preprocess.center.still import find_still
from xct.preprocess.motion.sinking import along_axis_px
from xct.preprocess.motion.unsteadiness import LEAST_PX
from xct.quantity import Quantity
from xct.stages import stage


@stage(
    gives=Quantity(
        "center_px",
        ("row",),
        "pixels",
        figures={"sinogram": sinogram_figure, "center": center_figure},
    ),
    estimate=center_number,
)
def find_center(
    line_integrals: np.ndarray,
    theta_deg: np.ndarray,
    axis_tilt_deg: float = 0.0,
    row_px: np.ndarray | None = None,
    frame_shape: tuple[int, int] | None = None,
    stage_jitter: tuple[list[float], list[float]] | None = None,
    *,
    search_px: Annotated[float, Gt(0)] | None = None,
) -> Center:
    """Find the rotation axis by several independent methods.

    A point (x, y) is seen in column ``center_px + x cos θ - y sin θ``. Four answers are
    combined: registration of views half a turn apart, the double wedge of the sinogram's
    spectrum [1]_, the mirror symmetry of what does not change with the angle, and the center
    of mass where the whole sample is in view. Fixed stripes cannot mislead the first two. In a
    full turn about an axis near the detector's edge, where the sample leaves the view (half
    acquisition), what views half a turn apart share is registered.

    Parameters
    ----------
    line_integrals : ndarray, shape (angle, row, column) or (angle, column)
        Line integrals of some rows, best 5 to 40 from several heights.
    theta_deg : ndarray, shape (angle,)
        Angle of each projection in degrees, in any order and from any start.
    axis_tilt_deg : float, optional
        How the axis leans within the plane of the detector, as `find_tilt` gives it: rows are
        moved so that it stands upright.
    row_px : ndarray, shape (row,), optional
        Which rows of the frame these are.
    frame_shape : tuple of int, optional
        Rows and columns of a frame. The axis of a tilted scan is that of its middle row.
    stage_jitter : two lists of float, optional
        How far each projection stands off, along rows and columns, as `find_jitter` gives it.
    search_px : float, optional
        How far from the middle of the detector the axis may be, pixels; 40 % of the width
        unless given.

    Returns
    -------
    Center
        The axis with its standard deviation, a confidence, and each method's answer.

    Raises
    ------
    DataError
        If the values are NaN, look like transmission, or have a wrong shape; if there are
        fewer than 8 angles or they cover less than 150°.

    References
    ----------
    .. [1] Vo, Drakopoulos, Atwood & Reinhard (2014), Opt. Express 22, 19078.
       doi:10.1364/OE.22.019078
    """
    views = checked_views(line_integrals, theta_deg)
    check_logarithm(views)
    views = unshaken(views, stage_jitter, row_px)
    if axis_tilt_deg and row_px is not None:
        middle_row = (frame_shape[0] - 1) / 2 if frame_shape else float(np.mean(row_px))
        views = leaned(views, (middle_row - row_px) * tan(radians(axis_tilt_deg)))
    theta = np.asarray(theta_deg, np.float64)
    axis = search_axis(views, theta, search_px)
    if row_px is not None and (axis_tilt_deg or axis.confidence < SURE):
        # An axis that leans unseen has several heights off a level line: then none is left out.
        most = len(row_px) if axis_tilt_deg else 1
        axis = _without_odd_heights(axis, views, theta, row_px, search_px, most)
    if axis.confidence < SURE:
        sample = prepared(views, theta)
        about = axis.by_method.get("wedge", axis.center_px)  # which what is fixed cannot mislead
        axis = replace(axis, still=find_still(sample, about / sample.bin))
        turn = find_turn(sample) if axis.still is None else None  # which it misleads
        if turn is not None and turn.is_other:
            axis = replace(axis, turned=turn_message(turn, float(np.ptp(theta))))
    if stage_jitter is None:
        return axis
    return replace(less_sure(axis, LEAST_PX), sinking_px=along_axis_px(stage_jitter[0]))


def _without_odd_heights(
    axis: Center,
    views: np.ndarray,
    theta: np.ndarray,
    row_px: np.ndarray,
    search_px: float | None,
    most: int,
) -> Center:
    """Leave out at most so many heights at which the axis is not where it is at most others.

    Rows that light hardly passes mislead, and those near faces across the beam, which come to lie
    askew where the axis leaned.
    """
    heights = at_heights(views, theta, row_px, search_px)
    line = on_a_line(heights, slope=0.0)
    if line is None or not 0 < len(heights) - len(line.heights) <= most:
        return axis
    rows = np.concatenate([heights[i].rows for i in line.heights])
    again = search_axis(views[:, rows], theta, search_px)
    return max(axis, again, key=lambda found: found.confidence)
