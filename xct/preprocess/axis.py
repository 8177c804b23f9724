"""The rotation axis. In: line integrals of some rows; out: its column, with a confidence."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import erf, sqrt
from typing import Annotated

import numpy as np
from annotated_types import Gt

from xct.preprocess.axis_checks import (
    check_half_acquisition,
    check_logarithm,
    checked_views,
    sample_cut,
)
from xct.preprocess.axis_mass import mass
from xct.preprocess.axis_pairs import opposite, overlapping
from xct.preprocess.axis_profile import Estimate
from xct.preprocess.axis_sample import Sample, taken
from xct.preprocess.axis_spectra import window
from xct.preprocess.axis_wedge import wedge
from xct.stages import stage

DEFAULT_SEARCH = 0.4  # of the width, to either side of its middle
LEAST_COLUMNS = 64
LEAST_LEAD = 5.0
NEAR_PX = 12.0
LEAST_SD = 0.02
# The bands of one static profile are few, and its stripes correlate: its sd comes out small.
SD_FACTOR = {"opposite": 1.0, "wedge": 1.1, "profile": 1.6, "mass": 2.0}


@dataclass(frozen=True)
class Center:
    """Where the rotation axis is, and how much that can be trusted.

    Attributes
    ----------
    center_px : float
        Column of the axis; 0 is the middle of the first pixel.
    sd_px : float
        Standard deviation in pixels.
    confidence : float
        About the probability that the error is below half a pixel, 0 … 1. Below 0.5 the answer
        must not be used unseen.
    by_method : dict of str to float
        Answer of each method that applied: opposite, wedge, profile, mass.
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


@stage(gives="center_px", cut=(), sample=True)
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
    of mass where the whole sample is in view. Fixed stripes cannot mislead the first two.

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
        fewer than 8 angles or they cover less than 150°; if the axis is near the detector's
        edge with the sample beyond it (half acquisition).

    References
    ----------
    .. [1] Vo, Drakopoulos, Atwood & Reinhard (2014), Opt. Express 22, 19078.
       doi:10.1364/OE.22.019078
    """
    views = checked_views(line_integrals, theta_deg)
    check_logarithm(views)
    columns = views.shape[-1]
    reach = min(search_px or DEFAULT_SEARCH * columns, (columns - 1) / 2)
    sample = taken(views, np.asarray(theta_deg, dtype=np.float64))
    middle = (sample.columns - 1) / 2
    search = (middle - reach / sample.bin, middle + reach / sample.bin)
    cut = sample_cut(sample.views)
    _refuse_half_acquisition(sample, cut)
    found = (_answers_cut if any(cut) else _answers)(sample, search)
    found = {name: e for name, e in found.items() if np.isfinite(e.sd_px)}
    return _combined(found, sample, search, reach, any(cut))


def _refuse_half_acquisition(sample: Sample, cut: tuple[bool, bool]) -> None:
    span = float(np.ptp(sample.theta_deg)) * len(sample.theta_deg) / (len(sample.theta_deg) - 1)
    if span <= 300 or not any(cut):
        return
    columns = sample.columns
    found = overlapping(sample.free, sample.theta_deg, (0.02 * columns, 0.98 * columns - 1))
    if found is not None and found.lead > LEAST_LEAD:
        center = sample.raw_px(found.center_px)
        check_half_acquisition(center, columns * sample.bin, cut, span)


def _answers(sample: Sample, search: tuple[float, float]) -> dict[str, Estimate]:
    """Each method's answer where the whole sample is in view.

    First over the whole search range, then about the likely axis, under a window that lies
    symmetrically about it and so cannot pull the answer towards the detector's middle.
    """
    columns = sample.columns
    middle = (columns - 1) / 2
    # Anywhere in view, the sample may reach from the axis to the farther edge.
    farthest = max(middle - search[0], search[1] - middle) + columns / 2
    first = found = _asked(sample, middle, columns * 0.54, farthest, search)
    for _ in range(2 if first else 0):
        start = max(found.values(), key=lambda estimate: estimate.lead).center_px
        half = _half_width(start, columns)
        found = _asked(sample, start, half, half, _near(start, search)) or found
    found = {name: _led(e, first.get(name)) for name, e in found.items()}
    center = mass(sample.views, sample.theta_deg, sample.stripe_sd)
    return found if center is None else {**found, "mass": center}


def _asked(
    sample: Sample, center: float, half: float, outer: float, where: tuple[float, float]
) -> dict[str, Estimate]:
    weight = window(sample.columns, center, half)
    pairs = opposite(sample.free, sample.theta_deg, weight, half, where)
    moving, still = wedge(sample.few, sample.few_theta_deg, weight, outer, where)
    # Over a full turn the pairs know the static profile better, free of stripes.
    full = sample.theta_deg[-1] > 300
    named = {"opposite": pairs, "wedge": moving, "profile": None if full else still}
    return {name: e for name, e in named.items() if e is not None}


def _half_width(center: float, columns: int) -> float:
    """Half the widest window that lies symmetrically about a column."""
    return max(min(center, columns - 1 - center), 4.0) + 0.5


def _near(start: float, search: tuple[float, float]) -> tuple[float, float]:
    return max(search[0], start - NEAR_PX), min(search[1], start + NEAR_PX)


def _led(near: Estimate, first: Estimate | None) -> Estimate:
    """Give an answer near the likely axis the lead that it had over the whole range."""
    same = first is not None and abs(first.center_px - near.center_px) < 3 + 5 * near.sd_px
    return replace(near, lead=first.lead if first is not None and same else 0.0)


def _answers_cut(sample: Sample, search: tuple[float, float]) -> dict[str, Estimate]:
    """Each method's answer where the sample leaves the field of view.

    What is cut at the edge of a window is mirrored about the window's middle: an answer that
    follows the window when it is moved is worth as much less.
    """
    pairs = overlapping(sample.free, sample.theta_deg, search)
    if pairs is None:
        return {}
    start = pairs.center_px
    step = max(2.0, sample.columns / 50)
    answers = []
    for center in (start - step, start, start + step):
        half = _half_width(center, sample.columns)
        weight = window(sample.columns, center, half)
        # Beyond the window there is more sample, which moves faster.
        place = (weight, 2 * half, _near(start, search))
        answers.append(wedge(sample.few, sample.few_theta_deg, *place, cut=True)[0])
    left, here, right = answers
    if left is None or here is None or right is None:
        return {"opposite": pairs}
    follows = (right.center_px - left.center_px) / (2 * step)
    own = 1.0 - min(max(follows, 0.0), 0.95)
    pulled = (here.center_px - start) * (1 / own - 1)
    still = Estimate(
        here.center_px + pulled,
        float(np.hypot(here.sd_px / own, pulled / 2)),
        min(here.lead, pairs.lead) * own,
    )
    return {"opposite": pairs, "wedge": still}


def _combined(
    found: dict[str, Estimate],
    sample: Sample,
    search: tuple[float, float],
    reach: float,
    cut: bool,
) -> Center:
    """Weighted mean of the methods that agree; the confidence says how many and how well."""
    sd = {name: sqrt((SD_FACTOR[name] * e.sd_px) ** 2 + LEAST_SD**2) for name, e in found.items()}
    trusted = {name: _trust(e, name) for name, e in found.items()}
    chosen = _agreeing(found, sd, trusted)
    center, spread = _mean(chosen, found, sd)
    confidence = _confidence(chosen, found, sd, trusted, center, spread * sample.bin)
    if sample.columns < LEAST_COLUMNS:
        confidence = min(confidence, 0.45)
    if cut and len(chosen) < 2:
        confidence = min(confidence, 0.6)
    return Center(
        center_px=sample.raw_px(center),
        sd_px=spread * sample.bin,
        confidence=confidence,
        by_method={name: sample.raw_px(e.center_px) for name, e in found.items()},
        by_method_sd={name: value * sample.bin for name, value in sd.items()},
        method=" + ".join(chosen),
        search_px=reach,
        at_edge=not search[0] + 1 < center < search[1] - 1,
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
        right = min(right, 0.75)
    for name in set(found) - set(chosen):
        right *= 1.0 - 0.5 * trusted[name] * min(1.0, 0.25 / sd[name])
    return right * erf(0.5 / (sqrt(2) * sd_px)) if np.isfinite(sd_px) else 0.0
