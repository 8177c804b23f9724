"""How far the answers of all methods can be trusted. In: estimates; out: the axis.

The limits were chosen on seeds 0 to 24 of `xct.bench.axis.scans`; `xct bench axis` tries others.
"""

from __future__ import annotations

from dataclasses import replace
from math import erf, hypot, sqrt

import numpy as np

from xct.preprocess.center.answer import Center
from xct.preprocess.center.mirror_symmetry import Estimate
from xct.preprocess.center.opposite_views import MOST_PAIRS
from xct.preprocess.center.sample import Sample

_LEAST_COLUMNS = 64
LEAST_SD = 0.02
RIGHT_PX = 0.25  # an error that is none
_COARSE_PX, _LEAST_VOUCHED = 0.5, 0.3
# The bands of one static profile are few, and its stripes correlate: its sd comes out small.
SD_FACTOR = {"opposite": 1.0, "wedge": 1.1, "profile": 2.0, "mass": 2.0, "overlap": 1.0}


def combined(
    found: dict[str, Estimate],
    sample: Sample,
    search: tuple[float, float],
    reach: float,
    cut: bool,
) -> Center:
    """Weighted mean of the methods that agree; the confidence says how many and how well."""
    # What was interpolated across missing angles grows with their square.
    gap = {"wedge": 1.0, "profile": 0.5}
    unsteady = _carried_over(sample)
    least = 5e-5 * sample.missing_deg**2 * sample.columns
    sd = {
        name: sqrt(
            (SD_FACTOR[name] * e.sd_px) ** 2
            + LEAST_SD**2
            + (gap.get(name, 0) * least) ** 2
            + (unsteady[name] * sample.unsteadiness_px) ** 2
        )
        for name, e in found.items()
    }
    trusted = {name: trust(e, name) for name, e in found.items()}
    chosen = _agreeing(found, sd, trusted)
    center, sd_of_mean = _mean(chosen, found, sd)
    confidence = _confidence(chosen, found, sd, trusted, sd_of_mean * sample.bin)
    if sample.columns < _LEAST_COLUMNS:
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


def less_sure(center: Center, sd_px: float) -> Center:
    """Widen the uncertainty of an axis by that of what was corrected before."""
    wider = hypot(center.sd_px, sd_px)
    part = within(wider) / max(within(center.sd_px), 1e-30)
    return replace(center, sd_px=wider, confidence=center.confidence * part)


def _carried_over(sample: Sample) -> dict[str, float]:
    """How far the answer of each method moves with the shifts of single views.

    Half a turn has one pair of opposite views, and the seam of the double wedge lies between them;
    what the center of mass scatters by is in its sd.
    """
    views = len(sample.theta_deg)
    turns = sample.theta_deg[-1] / 180.0
    opposite = max(1.0, min(MOST_PAIRS, views * (1 - 1 / turns))) if turns > 1 else 1.0
    return {
        "opposite": sqrt(0.5 / opposite),
        "wedge": sqrt(0.5 / opposite),
        "profile": 0.3,
        "mass": 0.0,
    }


def trust(estimate: Estimate, name: str) -> float:
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
    sd_px: float,
) -> float:
    """Probability of an error below a quarter of a pixel, if the place is right at all."""
    # A method vouches for a place only as finely as it sees it.
    vouched = {n: trusted[n] * min(1.0, _COARSE_PX / sd[n]) for n in found}
    right = 1.0 - float(np.prod([1.0 - vouched[name] for name in chosen]))
    if sum(vouched[name] > _LEAST_VOUCHED for name in chosen) < 2:
        right = min(right, 0.65)
    for name in set(found) - set(chosen):
        right *= 1.0 - 0.5 * vouched[name]
    return right * within(sd_px)


def within(sd_px: float) -> float:
    """Probability that an error of this standard deviation is below a quarter of a pixel."""
    return erf(RIGHT_PX / (sqrt(2) * sd_px)) if np.isfinite(sd_px) else 0.0
