"""What a run is expected to go through. In: its plan; out: steps in order, seconds of each."""

from __future__ import annotations

from xct.pipeline.plan import Plan


def expected_s(plan: Plan) -> dict[str, float]:
    """Name the steps as a run goes through them, and how long each is expected to take, s.

    Measuring steps share their time equally; what is read from a few rows counts as nothing.
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
    each = need.measuring_seconds / max(1, len(measuring))
    return {**steps, **{step.name: each for step in measuring}, "summary": 0.0}
