"""The rotation axis. In: line integrals of some rows; out: its column, with a confidence."""

from __future__ import annotations

from dataclasses import replace
from math import erf, radians, sqrt, tan
from typing import Annotated

import numpy as np
from annotated_types import Gt

from xct.preprocess.center.answer import Center, center_number
from xct.preprocess.center.confidence import LEAST_SD, SD_FACTOR, combined, trust
from xct.preprocess.center.figures import center_figure, sinogram_figure
from xct.preprocess.center.methods import answers_cut, answers_inside
from xct.preprocess.center.mirror_symmetry import Estimate
from xct.preprocess.center.opposite_views import refined_overlap, register_overlap
from xct.preprocess.center.sample import (
    Sample,
    check_logarithm,
    checked_views,
    leaned,
    prepared,
    sample_cut,
)
from xct.quantity import Quantity
from xct.reconstruct.half_acquisition import LEAST_TURN_DEG, is_half_acquisition, turn_deg
from xct.stages import stage

DEFAULT_SEARCH = 0.4  # of the width, to either side of its middle
LEAST_LEAD, SURE_LEAD = 5.0, 30.0


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
    search_px : float, optional
        How far from the middle of the detector the axis may be, pixels; 40 % of the width
        unless given.

    Returns
    -------
    Center
        The axis with its standard deviation, a confidence, and each method's answer.

    Raises
    ------
    ValueError
        If the values are NaN, look like transmission, or have a wrong shape; if there are
        fewer than 8 angles or they cover less than 150°.

    References
    ----------
    .. [1] Vo, Drakopoulos, Atwood & Reinhard (2014), Opt. Express 22, 19078.
       doi:10.1364/OE.22.019078
    """
    views = checked_views(line_integrals, theta_deg)
    check_logarithm(views)
    if axis_tilt_deg and row_px is not None:
        middle_row = (frame_shape[0] - 1) / 2 if frame_shape else float(np.mean(row_px))
        views = leaned(views, (middle_row - row_px) * tan(radians(axis_tilt_deg)))
    columns = views.shape[-1]
    reach = min(search_px or DEFAULT_SEARCH * columns, (columns - 1) / 2)
    sample = prepared(views, np.asarray(theta_deg, dtype=np.float64))
    middle = (sample.columns - 1) / 2
    search = (middle - reach / sample.bin, middle + reach / sample.bin)
    cut = sample_cut(sample.views)
    half = _half_acquisition(sample, cut)
    if half is not None:
        return _by_overlap(half, sample)
    found = (answers_cut if any(cut) else answers_inside)(sample, search)
    found = {n: found[n] for n in SD_FACTOR if n in found and np.isfinite(found[n].sd_px)}
    center = combined(found, sample, search, reach, any(cut))
    return replace(center, confidence=0.0) if _is_absurd(center, sample, cut) else center


def _is_absurd(center: Center, sample: Sample, cut: tuple[bool, bool]) -> bool:
    """Whether, over a full turn, the sample leaves the view at the far side from the axis alone."""
    if turn_deg(sample.theta_deg) <= LEAST_TURN_DEG or cut[0] == cut[1]:
        return False
    nearer_left = center.center_px < (sample.columns * sample.bin - 1) / 2
    return nearer_left != cut[0]


def _half_acquisition(sample: Sample, cut: tuple[bool, bool]) -> Estimate | None:
    """Find the axis of a full turn about one edge of the view, where the sample leaves it."""
    if turn_deg(sample.theta_deg) <= LEAST_TURN_DEG:
        return None
    columns = sample.columns
    found = register_overlap(sample.free, sample.theta_deg, (0.02 * columns, 0.98 * columns - 1))
    if found is None or found.lead <= LEAST_LEAD:
        return None
    near = 0 if found.center_px < (columns - 1) / 2 else 1
    is_half = is_half_acquisition(sample.theta_deg, found.center_px, columns)
    return found if is_half and (cut[near] or found.lead > SURE_LEAD) else None


def _by_overlap(found: Estimate, sample: Sample) -> Center:
    """Give the axis of a half acquisition, by the one method that sees it."""
    column, sd = refined_overlap(sample.views, sample.free, sample.theta_deg, found.center_px)
    sd = sqrt((SD_FACTOR["overlap"] * sd) ** 2 + LEAST_SD**2) * sample.bin
    center = sample.raw_px(column)
    return Center(
        center_px=center,
        sd_px=sd,
        confidence=trust(found, "overlap") * erf(0.5 / (sqrt(2) * sd)),
        by_method={"overlap": center},
        by_method_sd={"overlap": sd},
        method="overlap",
        search_px=sample.columns * sample.bin / 2,
        at_edge=False,
    )
