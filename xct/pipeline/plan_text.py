"""A plan in words. In: a Plan; out: what a run will read, do and need."""

from __future__ import annotations

import numpy as np

from xct.errors import show_bytes, show_seconds
from xct.io.volume_files.volume import ForeignVolume, volume_facts
from xct.pipeline.checks.volume import unchecked_unit
from xct.pipeline.given.placement import placement_of
from xct.pipeline.plan import Plan
from xct.preprocess.fringes import pixel_fresnel_number, retrieval_advice
from xct.quantity import call_by_name
from xct.scan import Scan


def plan_text(plan: Plan, state: str = "ready: xct run writes to") -> str:
    """Say what a run will read, do and need; `state` is said of the output folder."""
    need = plan.resources
    lines = _scan_lines(plan.scan) if plan.from_scan else _volume_lines(plan)
    lines += _advice(plan) if plan.from_scan else []
    lines.append(f"steps: {' → '.join(step.name for step in plan.steps)}")
    center = plan.config.scan.center_px
    if "find_center" in [step.name for step in plan.steps] and center is not None:
        lines.append(f"find_center is skipped: scan.center_px = {center:g}")
    lines.append(
        f"needs: {show_bytes(need.memory_bytes)} memory, {show_bytes(need.disk_bytes)} disk"
        + (f" ({show_bytes(need.temporary_bytes)} of it temporary)" if need.temporary_bytes else "")
        + f", about {show_seconds(need.seconds)}; {need.sharing()}"
    )
    lines += [f"warning: {message}" for message in plan.warnings]
    return "\n".join([*lines, f"{state} {plan.output}"])


def _scan_lines(scan: Scan) -> list[str]:
    angles, theta = scan.projections.shape[0], scan.theta_deg
    lines = [scan.describe().split("\n  note:")[0]]
    if theta is not None:
        steps = np.abs(np.diff(theta))
        lines.append(f"  angles: {angles}, median step {np.median(steps):.4g}°")
    if scan.projection_dose is not None:
        varies = np.ptp(scan.projection_dose) / np.mean(scan.projection_dose)
        lines.append(f"  counts are scaled to one dose; that of projections varies by {varies:.1%}")
    return lines


def _advice(plan: Plan) -> list[str]:
    """Say which recipe fits what the file tells."""
    names = [step.name for step in plan.steps]
    advice = retrieval_advice(call_by_name(pixel_fresnel_number, plan.scan.facts))
    if advice is None or "line_integrals" not in names or "phase_retrieval" in names:
        return []
    return [f"  {advice}"]


def _volume_lines(plan: Plan) -> list[str]:
    sizes, edges = plan.volume_shape, plan.voxel_size_um
    shape = " × ".join(str(length) for length in sizes)
    size = " × ".join(f"{edge:g}" for edge in edges)
    lines = [f"{plan.source.layout}: {shape} voxels (z × y × x) of {size} µm"]
    assert isinstance(plan.source, ForeignVolume)
    placement = placement_of(plan.source)
    lines += [] if placement is None else [f"  {placement.describe()}"]
    lines += [f"  {line}" for line in volume_facts(plan.source)]
    return [*lines, *_unchecked_unit(plan)]


def _unchecked_unit(plan: Plan) -> list[str]:
    """Say that a volume of attenuation without an energy may have any unit."""
    section = plan.config.volume
    if section is None or section.quantity != "attenuation":
        return []
    text = unchecked_unit(str(section.unit), plan.energy_kev)
    is_warned = any(text in warning for warning in plan.warnings) if text else True
    return [] if is_warned else [f"  {text}"]
