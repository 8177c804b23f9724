"""The rotation axis. In: line integrals of some rows; out: its column, with a confidence."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass, replace
from math import erf, sqrt
from typing import Annotated

import numpy as np
from annotated_types import Gt

from xct.errors import RunError
from xct.preprocess.center.figures import center_figure, sinogram_figure
from xct.preprocess.center.methods import answers_cut, answers_inside
from xct.preprocess.center.mirror_symmetry import Estimate
from xct.preprocess.center.opposite_views import refined_overlap, register_overlap
from xct.preprocess.center.sample import (
    Sample,
    check_logarithm,
    checked_views,
    prepared,
    sample_cut,
)
from xct.quantity import Number, Quantity
from xct.reconstruct.half_acquisition import LEAST_TURN_DEG, is_half_acquisition, turn_deg
from xct.stages import stage

DEFAULT_SEARCH = 0.4  # of the width, to either side of its middle
LEAST_COLUMNS = 64
LEAST_LEAD, SURE_LEAD = 5.0, 30.0
LEAST_SD = 0.02
# The bands of one static profile are few, and its stripes correlate: its sd comes out small.
SD_FACTOR = {"opposite": 1.0, "wedge": 1.1, "profile": 2.0, "mass": 2.0, "overlap": 1.0}


@dataclass(frozen=True)
class Center:
    """Where the rotation axis is, and how much that can be trusted.

    Attributes
    ----------
    center_px : float
        Column of the axis; 0 is the middle of the first pixel. NaN where no method answers.
    sd_px : float
        Standard deviation in pixels.
    confidence : float
        About the probability that the error is below half a pixel, 0 … 1. Below 0.5 the answer
        must not be used unseen.
    by_method : dict of str to float
        Answer of each method that applied: opposite, wedge, profile, mass; or overlap alone.
    by_method_sd : dict of str to float
        Its standard deviation, in pixels.
    method : str
        Methods that the answer is the mean of, joined by " + ".
    search_px : float
        The axis was looked for this far to either side of the detector's middle.
    at_edge : bool
        The answer is at the end of the search range: the axis may lie beyond.
    """

    center_px: float
    sd_px: float
    confidence: float
    by_method: dict[str, float]
    by_method_sd: dict[str, float]
    method: str
    search_px: float
    at_edge: bool


log = logging.getLogger("xct")

_SURE, _TOO_UNSURE = 0.8, 0.5


def center_number(center: Center, rows: int) -> Number:
    """Give the axis as a number, or refuse one that is too uncertain.

    Parameters
    ----------
    center : Center
        What `find_center` gave.
    rows : int
        How many rows it rests on.

    Raises
    ------
    RunError
        If no method finds the axis, it is too uncertain, or lies at the end of the search range.
    """
    if not np.isfinite(center.center_px):
        raise RunError("find_center: no method finds the rotation axis; give it by scan.center_px")
    candidates = ", ".join(f"{name} {value:.2f}" for name, value in center.by_method.items())
    found = (
        f"center_px {center.center_px:.2f} ± {center.sd_px:.2f}, confidence "
        f"{center.confidence:.2f} ({candidates})"
    )
    if center.at_edge or center.confidence < _TOO_UNSURE:
        why = "lies at the end of the search range" if center.at_edge else "is too uncertain"
        raise RunError(
            f"find_center: the rotation axis {why}: {found}. Look at figures/center.png in the "
            "output folder and give the axis by scan.center_px"
        )
    log.info("find_center: %s", found)
    if center.confidence < _SURE:
        warnings.warn(
            f"the rotation axis is not sure: {found}; give scan.center_px if rings or tuning "
            "forks show",
            stacklevel=2,
        )
    return Number(
        center.center_px,
        "px",
        center.sd_px,
        rows,
        details={
            "confidence": float(center.confidence),
            "method": center.method,
            "by_method": {name: float(value) for name, value in center.by_method.items()},
        },
    )


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
    center = _combined(found, sample, search, reach, any(cut))
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
        confidence=_trust(found, "overlap") * erf(0.5 / (sqrt(2) * sd)),
        by_method={"overlap": center},
        by_method_sd={"overlap": sd},
        method="overlap",
        search_px=sample.columns * sample.bin / 2,
        at_edge=False,
    )


def _combined(
    found: dict[str, Estimate],
    sample: Sample,
    search: tuple[float, float],
    reach: float,
    cut: bool,
) -> Center:
    """Weighted mean of the methods that agree; the confidence says how many and how well."""
    # What was interpolated across missing angles grows with their square.
    gap = {"wedge": 1.0, "profile": 0.5}
    least = 5e-5 * sample.missing_deg**2 * sample.columns
    sd = {
        name: sqrt((SD_FACTOR[name] * e.sd_px) ** 2 + LEAST_SD**2 + (gap.get(name, 0) * least) ** 2)
        for name, e in found.items()
    }
    trusted = {name: _trust(e, name) for name, e in found.items()}
    chosen = _agreeing(found, sd, trusted)
    center, sd_of_mean = _mean(chosen, found, sd)
    confidence = _confidence(chosen, found, sd, trusted, center, sd_of_mean * sample.bin)
    if sample.columns < LEAST_COLUMNS:
        confidence = min(confidence, 0.6)
    if cut and len(chosen) < 2:
        confidence = min(confidence, 0.6)
    return Center(
        center_px=sample.raw_px(center),
        sd_px=sd_of_mean * sample.bin,
        confidence=confidence,
        by_method={name: sample.raw_px(e.center_px) for name, e in found.items()},
        by_method_sd={name: value * sample.bin for name, value in sd.items()},
        method=" + ".join(chosen),
        search_px=reach,
        at_edge=bool(center <= search[0] + 1 or center >= search[1] - 1),
    )


def _trust(estimate: Estimate, name: str) -> float:
    """How likely it is that a method found the right place at all."""
    if name == "mass":
        return 0.7
    return max(0.0, estimate.lead - 3.0) / (max(0.0, estimate.lead - 3.0) + 8.0)


def _agreeing(
    found: dict[str, Estimate], sd: dict[str, float], trusted: dict[str, float]
) -> list[str]:
    """Names of the methods that stand together: the group with the most trust."""
    groups = [
        [
            other
            for other in found
            if abs(found[other].center_px - found[name].center_px)
            < 0.3 + 3 * sqrt(sd[other] ** 2 + sd[name] ** 2)
            and trusted[other] > 0.1
        ]
        for name in found
    ]
    return max(groups, key=lambda group: sum(trusted[name] for name in group), default=[])


def _mean(
    chosen: list[str], found: dict[str, Estimate], sd: dict[str, float]
) -> tuple[float, float]:
    """Weighted mean and its sd, wider where the answers scatter more than they should."""
    if not chosen:
        best = max(found.values(), key=lambda e: e.lead, default=None)
        return (best.center_px, max(best.sd_px, 1.0)) if best else (np.nan, np.inf)
    weight = np.array([sd[name] ** -2 for name in chosen])
    answers = np.array([found[name].center_px for name in chosen])
    center = float(np.average(answers, weights=weight))
    chi2 = float(np.sum(weight * (answers - center) ** 2)) / max(1, len(chosen) - 1)
    return center, float(weight.sum() ** -0.5 * sqrt(max(1.0, chi2)))


def _confidence(
    chosen: list[str],
    found: dict[str, Estimate],
    sd: dict[str, float],
    trusted: dict[str, float],
    center: float,
    sd_px: float,
) -> float:
    """Probability of an error below half a pixel, if the place is right at all."""
    right = 1.0 - float(np.prod([1.0 - trusted[name] for name in chosen]))
    if len(chosen) < 2:
        right = min(right, 0.65)
    for name in set(found) - set(chosen):
        right *= 1.0 - 0.5 * trusted[name] * min(1.0, 0.25 / sd[name])
    return right * erf(0.5 / (sqrt(2) * sd_px)) if np.isfinite(sd_px) else 0.0
