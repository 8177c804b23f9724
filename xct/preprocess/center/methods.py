"""Answers of all methods. In: a prepared sample; out: one estimate by method."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from xct.preprocess.center.double_wedge import wedge_symmetry
from xct.preprocess.center.mass import center_of_mass
from xct.preprocess.center.mirror_symmetry import Estimate, window
from xct.preprocess.center.opposite_views import register, register_overlap
from xct.preprocess.center.sample import Sample, flat_beside

NEAR_PX = 12.0
_ROUGH_PX = 3.0


def answers_inside(sample: Sample, search: tuple[float, float]) -> dict[str, Estimate]:
    """Each method's answer where the whole sample is in view.

    First over the whole search range, then about the likely axis, under a window that lies
    symmetrically about it and so cannot pull the answer towards the detector's middle.
    """
    columns = sample.columns
    middle = (columns - 1) / 2
    # Anywhere in view, the sample may reach from the axis to the farther edge.
    farthest = max(middle - search[0], search[1] - middle) + columns / 2
    first = found = _estimates(sample, middle, columns * 0.54, farthest, search)
    for _ in range(2 if first else 0):
        start = _likeliest(found)
        half = _half_width(start, columns)
        found = _estimates(sample, start, half, half, _near(start, search)) or found
    found = {name: _with_lead(e, first.get(name)) for name, e in found.items()}
    if first and not flat_beside(sample.views):
        step = max(2.0, columns / 50)
        found = {
            name: _freed_from_window([*sides, found[name]], start, step)
            for name, sides in _under_moved_windows(sample, start, step, search).items()
            if name in found
        }
    center = center_of_mass(sample.views, sample.theta_deg, sample.stripe_sd)
    return found if center is None else {**found, "mass": center}


def _likeliest(found: dict[str, Estimate]) -> float:
    """Axis that stands out most, of those that are known to some pixels."""
    near = [estimate for estimate in found.values() if estimate.sd_px < _ROUGH_PX]
    return max(near or found.values(), key=lambda estimate: estimate.lead).center_px


def _estimates(
    sample: Sample, center: float, half: float, outer: float, where: tuple[float, float]
) -> dict[str, Estimate]:
    weight = window(sample.columns, center, half)
    opposite = register(sample.free, sample.theta_deg, weight, half, where)
    moving, still = wedge_symmetry(sample.few, sample.few_theta_deg, weight, outer, where)
    # Over a full turn opposite views determine the static profile better, free of stripes.
    full = sample.theta_deg[-1] > 300
    named = {"opposite": opposite, "wedge": moving, "profile": None if full else still}
    return {name: e for name, e in named.items() if e is not None}


def _half_width(center: float, columns: int) -> float:
    """Half the widest window that lies symmetrically about a column."""
    return max(min(center, columns - 1 - center), 4.0) + 0.5


def _near(start: float, search: tuple[float, float]) -> tuple[float, float]:
    return max(search[0], start - NEAR_PX), min(search[1], start + NEAR_PX)


def _with_lead(near: Estimate, first: Estimate | None) -> Estimate:
    """Give an answer near the likely axis the lead that it had over the whole range."""
    same = first is not None and abs(first.center_px - near.center_px) < 3 + 5 * near.sd_px
    return replace(near, lead=first.lead if first is not None and same else 0.0)


def answers_cut(sample: Sample, search: tuple[float, float]) -> dict[str, Estimate]:
    """Each method's answer where the sample leaves the field of view.

    What is cut at the edge of a window is mirrored about the window's middle: an answer that
    follows the window when it is moved is worth as much less.
    """
    opposite = register_overlap(sample.free, sample.theta_deg, search)
    if opposite is None:
        return {}
    start = opposite.center_px
    step = max(2.0, sample.columns / 50)
    answers = []
    for center in (start - step, start, start + step):
        half = _half_width(center, sample.columns)
        weight = window(sample.columns, center, half)
        # Beyond the window there is more sample, which moves faster.
        place = (weight, 2 * half, _near(start, search))
        answers.append(wedge_symmetry(sample.few, sample.few_theta_deg, *place, cut=True)[0])
    left, here, right = answers
    if left is None or here is None or right is None:
        return {"opposite": opposite}
    corrected = _freed_from_window([left, right, here], start, step)
    own = here.sd_px / corrected.sd_px if corrected.sd_px > 0 else 1.0
    lead = min(corrected.lead, opposite.lead) * own
    return {"opposite": opposite, "wedge": replace(corrected, lead=lead)}


def _under_moved_windows(
    sample: Sample, start: float, step: float, search: tuple[float, float]
) -> dict[str, list[Estimate]]:
    """Answers under a window moved to the left and to the right."""
    sides = []
    for center in (start - step, start + step):
        half = _half_width(center, sample.columns)
        sides.append(_estimates(sample, center, half, half, _near(start, search)))
    return {name: [side[name] for side in sides] for name in sides[0].keys() & sides[1].keys()}


def _freed_from_window(answers: list[Estimate], start: float, step: float) -> Estimate:
    """Correct an answer for what it follows the window, and widen its sd accordingly.

    `answers` are those under the window moved left, moved right, and in place.
    """
    left, right, here = answers
    follows = (right.center_px - left.center_px) / (2 * step)
    own = 1.0 - min(max(follows, 0.0), 0.95)
    pulled = (here.center_px - start) * (1 / own - 1)
    if not np.isfinite([pulled, here.sd_px]).all():
        return replace(here, sd_px=np.inf)
    # Pulled far, the answer follows the window and not the axis.
    sd_px = float(np.hypot(here.sd_px / own, pulled / 2)) if abs(pulled) < NEAR_PX else np.inf
    return replace(here, center_px=here.center_px + pulled, sd_px=sd_px)
