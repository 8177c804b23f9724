"""What a run is expected to go through. In: its plan; out: steps in order, seconds of each."""

from __future__ import annotations

from xct.pipeline.plan import Plan

# Time of a measuring step beside that of a short one: medians of 40 runs of virtual cells.
_WEIGHTS = {
    "detection_limits": 15.0,
    "particles": 7.0,
    "surfaces": 6.0,
    "materials": 6.0,
    "material_table": 4.0,
    "find_cell": 2.0,
}


def expected_s(plan: Plan) -> dict[str, float]:
    """Name the steps as a run goes through them, and how long each is expected to take, s.

    What is read from a few rows counts as nothing.
    """
    need, measuring = plan.resources, plan.measuring_steps
    if plan.from_scan:
        whole = plan.scan.projections.whole_frames
        sampled = [step.name for step in plan.slab_steps if step.stage.sample]
        making = [*(["frames"] if whole else []), "check_frames", *sampled, "slabs"]
    else:
        making = ["copying"]
    steps = dict.fromkeys(making, 0.0)
    steps[making[-1]] = need.seconds - need.measuring_seconds
    weights = {step.name: _WEIGHTS.get(step.name, 1.0) for step in measuring}
    each = need.measuring_seconds / max(1.0, sum(weights.values()))
    return {**steps, **{name: each * weight for name, weight in weights.items()}, "summary": 0.0}
