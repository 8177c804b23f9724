"""The search for the axis in one set of rows. In: line integrals; out: the axis."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt

import numpy as np

from xct.preprocess.center.answer import Center
from xct.preprocess.center.confidence import LEAST_SD, SD_FACTOR, combined, trust, within
from xct.preprocess.center.methods import answers_cut, answers_inside
from xct.preprocess.center.mirror_symmetry import Estimate
from xct.preprocess.center.opposite_views import refined_overlap, register_overlap
from xct.preprocess.center.sample import Sample, prepared, sample_cut
from xct.reconstruct.half_acquisition import LEAST_TURN_DEG, is_half_acquisition, turn_deg

DEFAULT_SEARCH = 0.4  # of the width, to either side of its middle
LEAST_LEAD, SURE_LEAD = 5.0, 30.0
_SAME_PX = 2.0  # within which two answers are one


def search_axis(views: np.ndarray, theta_deg: np.ndarray, search_px: float | None = None) -> Center:
    """Find the axis of rows that share one.

    Parameters
    ----------
    views : ndarray, shape (angle, row, column)
        Line integrals, finite.
    theta_deg : ndarray, shape (angle,)
        Angle of each projection in degrees.
    search_px : float, optional
        How far from the middle of the detector the axis may be.
    """
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
    found = register_overlap(sample.free, sample.theta_deg, _anywhere(sample.columns))
    if found is None or found.lead <= LEAST_LEAD or not _is_half(found, sample):
        return None
    if cut[0 if found.center_px < (sample.columns - 1) / 2 else 1]:
        return found
    # What stands still is shared by half turns, too, as a round wall about the axis is.
    moving = sample.free - sample.free.mean(axis=0)
    again = register_overlap(moving, sample.theta_deg, _anywhere(sample.columns))
    if again is None or not _is_half(again, sample):
        return None
    near = abs(again.center_px - found.center_px) < _SAME_PX
    surest = found if near else again
    return surest if surest.lead > SURE_LEAD else None


def _is_half(found: Estimate, sample: Sample) -> bool:
    return is_half_acquisition(sample.theta_deg, found.center_px, sample.columns)


def _anywhere(columns: int) -> tuple[float, float]:
    return 0.02 * columns, 0.98 * columns - 1


def _by_overlap(found: Estimate, sample: Sample) -> Center:
    """Give the axis of a half acquisition, by the one method that sees it."""
    column, sd = refined_overlap(sample.views, sample.free, sample.theta_deg, found.center_px)
    views = len(sample.theta_deg)
    unsteady = sample.unsteadiness_px / sqrt(views)
    sd = sqrt((SD_FACTOR["overlap"] * sd) ** 2 + LEAST_SD**2 + unsteady**2) * sample.bin
    center = sample.raw_px(column)
    return Center(
        center_px=center,
        sd_px=sd,
        confidence=trust(found, "overlap") * within(sd),
        by_method={"overlap": center},
        by_method_sd={"overlap": sd},
        method="overlap",
        search_px=sample.columns * sample.bin / 2,
        at_edge=False,
    )
