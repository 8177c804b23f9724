"""Inspection: what the data themselves say before a run. In: a Scan; out: errors, warnings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from xct.config.recipe import Step
from xct.errors import ScanError
from xct.io.frames import View
from xct.io.scans.repeats import AveragedFrames, turned_within
from xct.pipeline.checks.quantity import look_at_quantity
from xct.preprocess.frames.saturation import saturated
from xct.scan import Scan

# Bright fringes of grains reach this much of the beam.
_FRINGE_LIGHT = 0.4
_WRONG, _ODD = "error", "warning"
_FEW_FRAMES = 5


def inspect_scan(scan: Scan, stages: Sequence[str]) -> tuple[list[str], list[str]]:
    """Look at a few frames and at the angles.

    Parameters
    ----------
    scan : Scan
        The scan; only a few of its frames are read.
    stages : sequence of str
        Names of the stages that will run: only what concerns them is objected to.

    Returns
    -------
    errors : list of str
        Why the run cannot give a right result.
    warnings : list of str
        What the user should know.
    """
    errors: list[str] = []
    warnings: list[str] = []
    looks = (_look_at_fields, _look_at_projections, _look_at_angles, look_at_quantity, _unused_mask)
    for look in looks:
        try:
            for kind, message in look(scan, stages):
                (errors if kind == _WRONG else warnings).append(message)
        except ScanError as error:
            errors += [f"scan: {text}" for text in error.errors]
    return errors, warnings


def inspect_steps(steps: Sequence[Step]) -> list[str]:
    """Say which settings of a recipe do not go together, though each is possible.

    Parameters
    ----------
    steps : sequence of Step
        The recipe, in order.
    """
    return [*_uncorrected(steps), *_not_looked_for(steps), *_zingers_before_phase(steps)]


def _uncorrected(steps: Sequence[Step]) -> list[str]:
    """Say that what moves is found but stays."""
    names = [step.name for step in steps]
    finding = [name for name in ("find_jitter", "find_tilt") if name in names]
    if not finding or "align" in names or "fbp" not in names:
        return []
    return [
        f"{' and '.join(finding)}: what the axis and the stage moved is found, but no step "
        "corrects it: name align before fbp in the recipe"
    ]


def _not_looked_for(steps: Sequence[Step]) -> list[str]:
    """Say that an axis that leans would not be seen."""
    names = [step.name for step in steps]
    if "find_center" not in names or "find_tilt" in names or "fbp" not in names:
        return []
    return [
        "find_tilt is no step of the recipe: a rotation axis that leans is not seen, and moves by "
        "0.5 px over 100 rows at 0.3°, by which edges blur and labels shift; name find_tilt before "
        "find_center, and align before fbp"
    ]


def _zingers_before_phase(steps: Sequence[Step]) -> list[str]:
    names = [step.name for step in steps]
    if "phase_retrieval" not in names or "outliers" not in names:
        return []
    zingers = steps[names.index("outliers")]
    threshold = zingers.settings["threshold"]
    if names.index("outliers") > names.index("phase_retrieval") or threshold >= _FRINGE_LIGHT:
        return []
    return [
        f"{zingers.place}: threshold = {threshold:g} before phase_retrieval: bright fringes are "
        "taken for zingers, and dense grains come out too light; take threshold: 0.5 and "
        "kind: bright, as the recipe ssrf does"
    ]


def _few(view: View) -> Iterator[tuple[int, np.ndarray]]:
    """Read a few frames evenly from the stack, one at a time, in raw pixels."""
    view = replace(view, bin=1)
    count = view.shape[0]
    for number in np.unique(np.linspace(0, count - 1, min(count, _FEW_FRAMES)).astype(int)):
        yield int(number), view.read(slice(number, number + 1))[0]


def _look_at_fields(scan: Scan, stages: Sequence[str]) -> Iterator[tuple[str, str]]:
    if "flat_field" not in stages or scan.flats is None:
        return
    dark_level = 0.0
    if scan.darks is None:
        yield (
            _ODD,
            (
                "no darks: the detector offset is taken as 0, so dense parts come out too light; "
                "name darks by scan.darks"
            ),
        )
    else:
        darks = [frame for _, frame in _few(scan.darks)]
        dark_level = float(np.median(darks))
        if not np.any(darks):
            yield _ODD, "all dark frames are zero: the detector offset is taken as 0"
    levels, most = [], (0.0, float("nan"))
    for number, frame in _few(scan.flats):
        levels.append(float(np.median(frame)))
        most = max(most, saturated(frame))
        if not np.isfinite(frame).all():
            yield (
                _WRONG,
                f"flats: frame {number} holds NaN or infinite counts; leave it out by "
                f"scan.leave_out.flats: [{number}]",
            )
    if most[0]:
        yield (
            _ODD,
            f"flats: up to {most[0]:.1%} of the pixels are saturated, at {most[1]:g} counts; "
            "transmission is too high there",
        )
    if max(levels) <= dark_level:
        yield _WRONG, _fields_error(max(levels), dark_level)


def _fields_error(flat_level: float, dark_level: float) -> str:
    if flat_level == 0:
        return "all flats are zero: the shutter was closed, or these are not the flats"
    if flat_level < 0:
        return (
            f"the flats have {flat_level:g} counts in the median: counts beyond 32767 that were "
            "stored as signed numbers of 16 bits begin anew at -32768. Write the file again as "
            "unsigned numbers (in NumPy: values.view('uint16'))"
        )
    return (
        f"the flats (median {flat_level:g} counts) are not brighter than the darks (median "
        f"{dark_level:g} counts); are the two swapped?"
    )


def _look_at_projections(scan: Scan, _: Sequence[str]) -> Iterator[tuple[str, str]]:
    for number, frame in _few(scan.projections):
        bad = ~np.isfinite(frame)
        if scan.quantity == "line_integrals":
            continue  # the logarithm of 0, which fill_nonpositive repairs
        if bad.any():
            yield (
                _WRONG,
                (
                    f"projections: frame {number} holds {np.count_nonzero(bad)} NaN or infinite "
                    f"counts of {frame.size}; leave it out by scan.leave_out.projections: "
                    f"[{number}], or repair the file"
                ),
            )
        elif not frame.any():
            yield (
                _ODD,
                f"projections: frame {number} is all zero; a run looks at all frames, and leaves "
                "out what holds no light",
            )


def _unused_mask(scan: Scan, stages: Sequence[str]) -> Iterator[tuple[str, str]]:
    if scan.mask is not None and "iterative" not in stages:
        yield (
            _WRONG,
            "mask: only the step iterative keeps to a mask, and it is none of the recipe; use "
            "pipeline: iterative, or leave scan.mask out",
        )


def _look_at_angles(scan: Scan, stages: Sequence[str]) -> Iterator[tuple[str, str]]:
    theta = scan.theta_deg
    if theta is None or not {"fbp", "iterative", "find_center"} & set(stages):
        return
    frames = scan.projections.frames
    if isinstance(frames, AveragedFrames) and turned_within(frames):
        yield (
            _WRONG,
            (
                "each angle stands there several times, but the sample turned between these "
                "frames: the encoder was not read for each of them. Name a text file with the "
                "angle of each frame, or {first, last, count}, by scan.theta_deg"
            ),
        )
    span = float(np.ptp(theta))
    step = span / max(len(theta) - 1, 1)
    if span + step < 178:
        yield (
            _ODD,
            (
                f"the angles cover {span:.1f}°, less than 180°: "
                f"{180 - span - step:.1f}° are missing, which blurs edges in those directions"
            ),
        )
    elif "find_center" in stages and not _has_pair(theta, 1.5 * step):
        yield (
            _ODD,
            ("no projection has a partner at 180°: the axis is found from the others alone"),
        )
    columns = scan.projections.shape[2]
    if len(theta) < columns * np.pi / 4:
        yield (
            _ODD,
            (
                f"{len(theta)} angles for {columns} columns: fully sampled only in a circle of "
                f"{int(len(theta) * 2 / np.pi)} pixels"
            ),
        )


def look_at_angles(scan: Scan, steps: Sequence[Step]) -> list[str]:
    """Say what the angles that are left lack, as `inspect_scan` does."""
    return [message for _, message in _look_at_angles(scan, [step.name for step in steps])]


def fully_sampled_px(theta_deg: np.ndarray) -> float:
    """Give the width of the circle at whose rim views are a pixel apart; NaN of a single view.

    Parameters
    ----------
    theta_deg : ndarray, shape (angle,)
        Of the projections, in any order.
    """
    steps = np.diff(np.unique(theta_deg))
    return float(2 / np.radians(np.median(steps))) if steps.size else float("nan")


def _has_pair(theta_deg: np.ndarray, tolerance_deg: float) -> bool:
    partners = np.array([theta_deg.min() + 180, theta_deg.max() - 180])
    distances = np.abs(theta_deg[:, None] - partners)
    return bool(distances.min() <= tolerance_deg)
