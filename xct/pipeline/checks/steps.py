"""The steps of a recipe: their order, and whether they can run here. In: steps; out: errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from xct.config.recipe import Step
from xct.reconstruct.engines import Engine, find_engine

# The order of physics: what was added last on the way of the light is taken away first.
RIGHT_ORDER = (
    "flat_field",
    "fill_dead_pixels",
    "outliers",
    "glare",
    "phase_retrieval",
    "low_signal",
    "line_integrals",
    "fill_nonpositive",
    "measure_stripes",
    "stripes",
    "find_jitter",
    "find_tilt",
    "find_center",
    "check_angles",
    "align",
    "fbp",
    "iterative",
)


class _Before(NamedTuple):
    """One step must stand before another, or something happens."""

    first: str
    then: str
    otherwise: str
    wrong: bool = True  # numbers are wrong; else only worse


# Where both take and give the same quantity; other orders are impossible by their names.
_RULES = (
    _Before(
        "fill_dead_pixels",
        "outliers",
        "zingers beside dead pixels, which are NaN until then, stay",
        wrong=False,
    ),
    _Before(
        "fill_dead_pixels",
        "phase_retrieval",
        "dead pixels, which are NaN until then, would spread over whole frames",
    ),
    _Before(
        "outliers", "phase_retrieval", "phase retrieval makes a spot of each zinger", wrong=False
    ),
    _Before("glare", "phase_retrieval", "glare is light that was scattered behind the fringes"),
    _Before(
        "glare", "low_signal", "what is taken for the signal of dark planes is glare for the most"
    ),
    _Before(
        "phase_retrieval", "low_signal", "fringes beside dark planes are taken for their signal"
    ),
    _Before("fill_nonpositive", "measure_stripes", "values without light are NaN until then"),
    _Before("fill_nonpositive", "stripes", "values without light are NaN until then"),
    _Before("fill_nonpositive", "find_center", "values without light are NaN until then"),
    _Before(
        "measure_stripes", "stripes", "what is measured must be the stripes before they are removed"
    ),
    _Before("stripes", "find_center", "stripes may decide where the axis is found", wrong=False),
)


def check_order(steps: Sequence[Step]) -> tuple[list[str], list[str]]:
    """Say which steps stand in an order that gives wrong or worse values.

    Parameters
    ----------
    steps : sequence of Step
        The recipe, in order.

    Returns
    -------
    errors : list of str
        Orders that give wrong values, and steps that do the same, each with the remedy.
    warnings : list of str
        Orders that give worse ones.
    """
    found = {step.name: (number, step) for number, step in enumerate(steps)}
    errors: list[str] = []
    warnings: list[str] = []
    for rule in _RULES:
        if rule.first not in found or rule.then not in found:
            continue
        if found[rule.first][0] > found[rule.then][0]:
            message = (
                f"{found[rule.then][1].place}: stands before {rule.first} (step "
                f"{found[rule.first][0] + 1}): {rule.otherwise}. {right_order(steps)}"
            )
            (errors if rule.wrong else warnings).append(message)
    makers = [step for step in steps if step.stage.engine is not None]
    if len(makers) > 1:
        names = " and ".join(step.name for step in makers)
        errors.append(f"{makers[1].place}: {names} both give the volume; keep one of them")
    return errors, warnings


def right_order(steps: Sequence[Step]) -> str:
    """Write the steps that xct brings in the order in which they belong."""
    names = {step.name for step in steps}
    return f"Right order: {' → '.join(name for name in RIGHT_ORDER if name in names)}"


def with_right_order(errors: Sequence[str], steps: Sequence[Step]) -> list[str]:
    """Add the right order to errors of names, where the steps stand in another one."""
    places = [RIGHT_ORDER.index(step.name) for step in steps if step.name in RIGHT_ORDER]
    if not errors or places == sorted(places):
        return list(errors)
    return [*errors[:-1], f"{errors[-1]}. {right_order(steps)}"]


def biased_by_smoothing(steps: Sequence[Step]) -> list[str]:
    """Say what is measured on slices whose small things lost contrast."""
    smoothed = [s for s in steps if s.name == "iterative" and s.settings["method"] == "tv"]
    grey = [step.name for step in steps if step.name in ("particles", "state_of_charge")]
    if not smoothed or not grey:
        return []
    return [
        f"{smoothed[0].place}: method: tv takes contrast from what is small (of a disc of d pixels "
        "4 × weight / d), and so from the grey values of particles that "
        f"{' and '.join(grey)} measure; measure them on slices of fbp, or of method: cgls"
    ]


def biased_by_sharpening(steps: Sequence[Step]) -> list[str]:
    """Say what is measured on slices whose edges were made steeper than they are."""
    sharp = [s for s in steps if s.settings.get("unsharp_amount")]
    grey = [step.name for step in steps if step.name in ("particles", "state_of_charge")]
    if not sharp or not grey:
        return []
    amount, sigma = (sharp[0].settings[f"unsharp_{name}"] for name in ("amount", "sigma_px"))
    return [
        f"{sharp[0].place}: unsharp_amount: {amount:g} makes what is within {4 * sigma:g} pixels "
        "of an edge brighter or darker than it is, and so the grey values of particles that "
        f"{' and '.join(grey)} measure, by 10 % and more; it is for looking: measure with "
        "unsharp_amount: 0"
    ]


def engine_of(steps: Sequence[Step]) -> Engine:
    """Give what reconstructs, as the settings of the step say; that of `fbp` if there is none."""
    for step in steps:
        if step.stage.engine is not None:
            engine: Engine = step.stage.engine(step.settings)
            return engine
    return find_engine()


def unavailable_engines(steps: Sequence[Step]) -> list[str]:
    """Say why what reconstructs cannot run here, or not with these settings."""
    errors = []
    for step in steps:
        if step.stage.engine is not None:
            try:
                reason = step.stage.engine(step.settings).unavailable()
            except ImportError as error:
                reason = str(error)
            errors += [f"{step.place}: {reason}"] if reason else []
    return errors
