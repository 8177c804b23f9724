"""Views half a turn apart, and their mirror images. In: a sample, its axis; out: pairs of views."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from xct.preprocess.angles.closure import about
from xct.preprocess.angles.jumps import widths_px
from xct.preprocess.angles.steps import REACH
from xct.preprocess.center.sample import Sample, median_step

_SEAMS = 5
_APART = 3.5  # steps that may miss to half a turn


class HalfTurn(NamedTuple):
    """A view, one a few steps on, and the mirror image of one half a turn later.

    Attributes
    ----------
    start, partner : int
        Numbers of the views.
    early, on, late : ndarray, shape (row, column)
        Line integrals about the axis, smooth.
    """

    start: int
    partner: int
    early: np.ndarray
    on: np.ndarray
    late: np.ndarray


@dataclass(frozen=True)
class HalfTurns:
    """Some half turns of a scan.

    Attributes
    ----------
    each : list of HalfTurn
        At least one.
    x : ndarray, shape (column,)
        Columns from the axis.
    uneven : ndarray, shape (row, column)
        Mean of all views, less its mirror image: what faults of columns leave.
    """

    each: list[HalfTurn]
    x: np.ndarray
    uneven: np.ndarray


def half_turns(sample: Sample, views: np.ndarray, center_px: float, least: int) -> HalfTurns | None:
    """Take half turns from all over a scan.

    Parameters
    ----------
    sample : Sample
        Ascending in angle.
    views : ndarray, shape (angle, row, column)
        Its line integrals, or some rows of them.
    center_px : float
        Axis, in binned columns.
    least : int
        Columns that must have a mirror image.

    Returns
    -------
    HalfTurns or None
        None where no views are half a turn apart, or too few columns have a mirror image.
    """
    theta, widths = sample.theta_deg, widths_px(sample)
    half = int(min(center_px, views.shape[-1] - 1 - center_px))
    near = _APART * median_step(theta)
    last = min(int(np.searchsorted(theta, theta[-1] - 180 + near)), len(theta) - REACH) - 1
    if not widths or 2 * half < least or last < 0:
        return None
    x = np.arange(-half, half + 1)
    mean = about(views.mean(axis=0, keepdims=True), widths[0], center_px + x)[0]
    found = []
    for start in np.unique(np.linspace(0, last, _SEAMS).astype(int)).tolist():
        partner = int(np.abs(theta - theta[start] - 180).argmin())
        if abs(theta[partner] - theta[start] - 180) > near:
            continue
        some = about(views[[start, start + REACH, partner]], widths[0], center_px + x)
        found.append(HalfTurn(start, partner, some[0], some[1], some[2][:, ::-1]))
    return HalfTurns(found, x, mean - mean[:, ::-1]) if found else None
