"""Every frame is looked at before any is used. In: an opened scan; out: the scan without bad ones.

A few rows of all frames say which of them are no good; they are left out with their angles, named
in a warning, counted in ``summary.json`` and drawn.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from xct.errors import RunError, ranges
from xct.figures import canvas
from xct.io.frames import View
from xct.pipeline.checks.light import light_messages, light_numbers, look_at_light
from xct.pipeline.checks.scan import fully_sampled_px, look_at_angles
from xct.pipeline.job import Job
from xct.pipeline.monitor import go_on, timed
from xct.preprocess.frames.beam_profile import FlatMixture
from xct.preprocess.frames.beside import LightBeside, light_beside
from xct.preprocess.frames.coarse import CoarseFrames, coarse_frames
from xct.preprocess.frames.faults import (
    AFTERWARDS,
    Fault,
    Kind,
    Seen,
    Verdict,
    by_own_flats,
    judge,
    offset_step,
)
from xct.preprocess.frames.limits import refuse_unlit
from xct.preprocess.frames.log_noise import looks_decadic
from xct.preprocess.frames.movement import movement_px, repeats
from xct.preprocess.frames.own_flats import is_flatter, own_flats
from xct.quantity import Number
from xct.scan import Scan

if TYPE_CHECKING:
    from matplotlib.figure import Figure

log = logging.getLogger("xct")

_KINDS: tuple[Kind, ...] = ("projections", "flats", "darks")
_LEAST_LIGHT = 1e-3  # of the flats, in the brightest tenth of a projection
_MOST = 0.5  # of the projections may be left out, and the rest still be a scan
_MOVED_PX = 0.5
_NAMED = 10  # runs of frames that a message names


@dataclass(frozen=True)
class Checked:
    """A scan whose frames were looked at.

    Attributes
    ----------
    job : Job
        Whose plan names the scan without the frames that are left out.
    frames : Scan
        The same as slabs read it.
    known : dict
        Quantities of the whole scan: the light beside the sample, a mixture of flats.
    mend : bool
        Whether every slab is to look at its own rows of all frames, too.
    """

    job: Job
    frames: Scan
    known: dict[str, Any]
    mend: bool = False


def check_frames(job: Job, frames: Scan) -> Checked:
    """Look at all frames, once for a run, and leave out what is no good.

    Parameters
    ----------
    job : Job
        Of the run.
    frames : Scan
        What slabs read: the plan's scan, or its copy cut by rows.

    Raises
    ------
    RunError
        If too little is left.
    """
    steps = [step for step in job.plan.slab_steps if step.name == "flat_field"]
    if not steps:
        _note_logarithm(job, frames)
        _note_sampling(job, frames)
        return Checked(job, frames, {})
    noted = job.folder.number("frames")
    if noted is None:
        with timed("check_frames"):
            noted = _look(job, frames, steps[0].settings)
        job.folder.note("frames", noted)
        job.folder.note("warnings", job.warnings.listed)
    gone: dict[str, list[int]] = noted["left_out"]
    _note_sampling(job, frames.without(gone))
    plan = replace(job.plan, source=job.plan.scan.without(gone))
    known: dict[str, Any] = {}
    if noted["beside"] is not None:
        known["light_beside"] = np.array(noted["beside"])
    if noted["own_flats"] is not None:
        known["flat_mixture"] = FlatMixture.from_dict(noted["own_flats"])
    if noted.get("wrong_flats") is not None:
        known["wrong_flats"] = noted["wrong_flats"]
    mend = job.plan.config.scan.leave_out.found
    return Checked(replace(job, plan=plan), frames.without(gone), known, mend)


def _note_logarithm(job: Job, frames: Scan) -> None:
    """Note where line integrals look like decadic ones: what rests on μ itself is withheld."""
    numbers = job.folder.number("numbers") or {}
    if frames.quantity == "line_integrals" and "logarithm" not in numbers:
        if looks_decadic(frames.projections):
            note = "by how noise grows with line integrals; xct takes them for natural ones"
            numbers |= {"logarithm": Number("decadic", note=note).entry()}
            job.folder.note("numbers", numbers)


def _note_sampling(job: Job, frames: Scan) -> None:
    """Note how wide a circle the angles sample in full: beyond it there are streaks."""
    numbers = job.folder.number("numbers") or {}
    if frames.theta_deg is None or not frames.voxel_size_um or "fully_sampled_um" in numbers:
        return
    width = fully_sampled_px(frames.theta_deg) * frames.voxel_size_um
    if np.isfinite(width):
        note = "circle in which neighboring projections are no further apart than a pixel"
        numbers["fully_sampled_um"] = Number(
            width, "µm", n=len(frames.theta_deg), note=note
        ).entry()
        job.folder.note("numbers", numbers)


def _look(job: Job, frames: Scan, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Look at the frames; give what a run that goes on must know, and say what was found."""
    how = {name: settings[name] for name in ("combine", "in_time") if name in settings}
    seen = replace(_seen(frames), **how)
    verdict = judge(seen)
    _refuse_without_light(verdict)
    refuse_unlit(frames)
    asked = job.plan.config.scan.leave_out.found
    if not asked:
        verdict = replace(verdict, faults=())
    left = np.setdiff1d(np.arange(verdict.light.size), verdict.frames("projections"))
    _refuse_if_few(verdict, left.size)
    original: dict[str, list[int]] = {
        kind: frames.numbers(kind)[verdict.frames(kind)].tolist() for kind in _KINDS
    }
    good, transmission = frames.without(original), verdict.transmission[left]
    own, transmission = _own_flats(good, seen, verdict, transmission)
    light = look_at_light(good, transmission, light_beside(transmission), own)
    said = [*_messages(frames, verdict), *_of_darks(seen), *_of_repeats(good)]
    of_light = [*light_messages(light, frames.voxel_size_um)]
    # Flats that are not those of the projections explain what else is odd.
    for message in of_light + said if light.wrong_flats is not None else said + of_light:
        if job.warnings.add(message, "frames"):
            log.warning("%s", message)
    for message in look_at_angles(good, job.plan.slab_steps):
        if message not in job.plan.warnings and job.warnings.add(message, "frames"):
            log.warning("%s", message)
    job.folder.save_figure(light_figure(frames, verdict, light.beside), "frame_light")
    found = dict([*_numbers(frames, verdict), *light_numbers(light, frames.voxel_size_um)])
    numbers = {key: number.entry() for key, number in found.items()}
    job.folder.note("numbers", (job.folder.number("numbers") or {}) | numbers)
    return {
        "left_out": original,
        "beside": None if light.beside is None else light.beside.by_frame.tolist(),
        "own_flats": None if own is None else own.to_dict(),
        "wrong_flats": light.wrong_flats,
    }


def _own_flats(
    good: Scan, seen: Seen, verdict: Verdict, transmission: np.ndarray
) -> tuple[FlatMixture | None, np.ndarray]:
    """Give each projection a flat of its own where that is better, and its transmission then."""
    own = own_flats(good, transmission, seen.in_time) if seen.in_time == "auto" else None
    if own is None:
        return None, transmission
    with_own = by_own_flats(seen, verdict, own)
    if not is_flatter(with_own, transmission, own.moved):
        return None, transmission
    log.info(
        "flat_field: the profile of the beam moves by %.1f %% between flats: each projection gets "
        "a flat of its own, of %d components",
        100 * own.moved,
        len(own.of_flats),
    )
    return own, with_own


def _seen(frames: Scan) -> Seen:
    times, dose = None, None
    if frames.projection_time is not None and frames.flat_time is not None:
        times = frames.projection_time, frames.flat_time
    if frames.projection_dose is not None and frames.flat_dose is not None:
        dose = frames.projection_dose / np.median(frames.flat_dose)
    return Seen(
        projections=_coarse(frames.projections),
        flats=None if frames.flats is None else _coarse(frames.flats),
        darks=None if frames.darks is None else _coarse(frames.darks),
        theta_deg=frames.theta_deg,
        times=times,
        dose=dose,
    )


def _coarse(view: View) -> CoarseFrames:
    def read(row: int) -> np.ndarray:
        go_on()
        return view.read(rows=slice(row, row + 1))[:, 0]

    return coarse_frames(read, view.shape)


def _refuse_without_light(verdict: Verdict) -> None:
    """Refuse projections that are all dark: none of them stands out from the others."""
    lit = verdict.light[np.isfinite(verdict.light)]
    usual = max(float(np.percentile(lit, 95)), 0.0) if lit.size else 0.0
    if usual < _LEAST_LIGHT:
        raise RunError(
            f"frames: the projections hold no light: where they are brightest, {usual:.3%} of the "
            "flats' light arrives. The shutter was closed, the sample is opaque all over the "
            "view, or scan.projections names frames that are darks"
        )


def _refuse_if_few(verdict: Verdict, left: int) -> None:
    total = verdict.light.size
    if left < total * (1 - _MOST) or left < 3:
        found = "; ".join(f"{_named(f.frames, f.kind)}: {f.reason}" for f in verdict.faults)
        raise RunError(
            f"frames: {total - left} of {total} projections are no good, and {left} are no scan: "
            f"{found}. If they are good, say scan.leave_out.found: false; if not, take the scan "
            "again, or name what is good by scan.projections and scan.theta_deg"
        )


def _messages(frames: Scan, verdict: Verdict) -> Iterator[str]:
    for fault in verdict.faults:
        numbers = frames.numbers(fault.kind)[list(fault.frames)]
        which = _named(numbers.tolist(), fault.kind)
        verb = "is" if len(numbers) == 1 else "are"
        yield f"{which} {verb} left out: {fault.reason}" + _further(frames, verdict, fault)


def _of_darks(seen: Seen) -> Iterator[str]:
    step = offset_step(seen)
    if step:
        yield (
            f"the last darks hold {step:+.3g} counts against the first ones, alike all over the "
            "frame, which is no light: the detector's offset drifts. The mean of all darks is "
            "subtracted, which is right half-way; let the camera reach its temperature"
        )


def _of_repeats(good: Scan) -> Iterator[str]:
    """Say by how much the sample had moved where angles come again within the scan."""
    if good.theta_deg is None:
        return
    again = repeats(np.asarray(good.theta_deg, float))
    moved = movement_px(good, again, again.tolist()) if again.size else None
    if moved is not None and abs(moved) >= _MOVED_PX:
        which = _named(good.numbers("projections")[again].tolist(), "projections")
        yield (
            f"{which} repeat angles of earlier ones; in them the sample lies {moved:+.1f} px from "
            "where it did: it moved in between, and slices are blurred by it. Leave what came "
            "before or after out by scan.leave_out.projections, if enough is left"
        )


def _further(frames: Scan, verdict: Verdict, fault: Fault) -> str:
    """Say by how much the sample had moved in extra frames after the scan."""
    theta = frames.theta_deg
    if theta is None or fault.reason != AFTERWARDS:
        return ""
    moved = movement_px(frames, np.array(fault.frames), verdict.frames("projections"))
    if moved is None:
        return ""
    if abs(moved) < _MOVED_PX:
        return f"; in them the sample lies within {_MOVED_PX:g} px of where it did"
    return (
        f"; in them the sample lies {moved:+.1f} px from where it did at these angles: it "
        "drifted during the scan, or was moved after it"
    )


def _named(frames: Sequence[int], kind: str) -> str:
    """Name frames by their numbers: runs of them by first and last."""
    noun = kind if len(frames) > 1 else kind[:-1]
    shown = ranges(frames, _NAMED)
    return f"{noun} {shown} ({len(frames)} in all)" if shown.endswith("…") else f"{noun} {shown}"


def _numbers(frames: Scan, verdict: Verdict) -> Iterator[tuple[str, Number]]:
    for kind in _KINDS:
        gone = len(frames.left_out.get(kind, ())) + len(verdict.frames(kind))
        total = frames.numbers(kind).size + len(frames.left_out.get(kind, ()))
        yield f"{kind}_left_out", Number(gone, "frames", n=total)


def light_figure(frames: Scan, verdict: Verdict, beside: LightBeside | None) -> Figure:
    """Draw the light of every projection, and which are left out."""
    figure, [axes] = canvas(1, 1, (9, 4))
    numbers = frames.numbers("projections")
    gone = verdict.frames("projections")
    axes.plot(numbers, verdict.light, color="0.6", lw=1, label="brightest tenth of the frame")
    if beside is not None:
        left = np.setdiff1d(np.arange(numbers.size), gone)
        axes.plot(numbers[left], beside.by_frame, color="tab:blue", lw=1, label="beside the sample")
    if gone:
        axes.plot(numbers[gone], verdict.light[gone], "x", color="red", label="left out")
    axes.axhline(1, color="black", lw=0.5)
    # Room above the air, so that its line is not the frame's.
    axes.set(xlabel="projection", ylabel="transmission", ylim=(0, 1.1 * axes.get_ylim()[1]))
    axes.set_title(f"{len(gone)} of {numbers.size} projections left out")
    axes.legend(loc="lower right")
    return figure
