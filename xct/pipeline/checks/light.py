"""The light of a scan: of which frames, and how even. In: good frames; out: what is to be said.

One cause is said once: flats that are not those of the projections explain all else that is odd.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from xct.io.frames import View
from xct.preprocess.frames.beam_profile import FlatMixture
from xct.preprocess.frames.beside import LightBeside, part_above_air
from xct.preprocess.frames.dark_excess import (
    DarkExcess,
    air_columns,
    below_dark,
    dark_excess,
    dark_message,
    rows_for_darks,
)
from xct.preprocess.frames.own_flats import gain_of_row, left_of_beam
from xct.preprocess.frames.saturation import saturated
from xct.preprocess.frames.shading import LEAVE_OUT, Shade, find_shade, shade_clause
from xct.preprocess.frames.shifted_flats import misplaced_flats, pattern_missing
from xct.preprocess.frames.steadiness import LightChanges, light_changes
from xct.preprocess.frames.wide_sample import (
    LIES,
    WideSample,
    axis_lies,
    wide_message,
    wide_number,
    wide_sample,
)
from xct.preprocess.fringes import pixel_fresnel_number, retrieval_advice
from xct.quantity import Number
from xct.reconstruct.half_acquisition import turn_deg
from xct.scan import Scan

# Of the light beside the sample from 1, and over the scan. Good scans are within 0.003; flats that
# were exposed 1 % otherwise move lithium by more than its own μ.
_AWAY, _DRIFT = 0.006, 0.03
_MOVES_MUCH = 0.05  # rms of what moves, as a fraction of the beam
_LEFT = 0.006  # of the beam in the air: twice what flats of their own leave of a beam that drifts
_HOUSING = 0.95  # of the light: what takes more may be a housing that is wider than the view …
_OR_HOUSING = (
    ". Where a housing goes on beyond the view, that is no air: scale nothing then; μ is offset, "
    "and differences between neighboring materials hold"
)
_SATURATED = 0.01  # of a flat's pixels
_NAMED = 4  # jumps in a message
_SURE_SD = 3.0  # by which darks are too high by more than they are
_WITHHELD = (
    "Thickness, roughness, volumes, particles, inclusions, state of charge and absent lithium are "
    "withheld, and angles are not checked"
)


@dataclass(frozen=True)
class Light:
    """What was found of the light.

    Attributes
    ----------
    beside : LightBeside or None
        Transmission of the air.
    own : FlatMixture or None
        A flat for each projection.
    wrong_flats : str or None
        What is wrong with the flats, as a clause.
    shadowed : float
        Part of the frames that is brighter than air.
    wide : WideSample or None
        Where the sample leaves the view.
    darks : DarkExcess or None
        Darks that are too high, or the bound of that.
    changes : LightChanges
        Of the light, where no air shows it.
    left : float
        What is left of the beam's profile in the air; NaN where no air is in view.
    saturated : str or None
        What flats are saturated, as a clause, where it is much.
    shade : Shade or None
        A part of the view that has less light for some of the time.
    lies : bool
        Whether the axis of rotation lies along the rows.
    """

    beside: LightBeside | None
    own: FlatMixture | None = None
    wrong_flats: str | None = None
    shadowed: float = 0.0
    wide: WideSample | None = None
    darks: DarkExcess | None = None
    changes: LightChanges = field(default_factory=LightChanges)
    left: float = float("nan")
    saturated: str | None = None
    shade: Shade | None = None
    lies: bool = False


def look_at_light(
    good: Scan, transmission: np.ndarray, beside: LightBeside | None, own: FlatMixture | None
) -> Light:
    """Look at the light of good frames.

    Parameters
    ----------
    good : Scan
        Without the frames that are left out.
    transmission : ndarray, shape (angle, row, cell)
        Their coarse transmission.
    beside : LightBeside or None
        The light beside the sample.
    own : FlatMixture or None
        A flat for each projection, where the beam's profile moves.
    """
    full = _saturated(good.flats)
    if full is not None:
        return Light(beside, own, full, saturated=full)
    _, rows, columns = good.projections.shape
    shade = find_shade(transmission)
    if shade is not None:
        return Light(beside, own, "a part of the view is shaded for some of the time", shade=shade)
    misplaced = misplaced_flats(good) if own is None else None
    above = part_above_air(transmission, beside)
    if misplaced is not None:
        return Light(beside, own, f"the flats {misplaced}")
    number = pixel_fresnel_number(good.energy_kev, good.distance_mm, good.pixel_size_um)
    # Where fringes are expected, light above that of the air may be theirs.
    fringed = retrieval_advice(number) is not None
    if fringed:
        above = 0.0
    if above:
        wrong = "the flats hold the shadow of the sample, or are not of this beam"
        return Light(beside, own, wrong, above)
    lacks = 0.0
    if own is None and not fringed:  # fringes in the air are no pattern of pixels
        lacks = pattern_missing(good, air_columns(transmission, columns))
    if lacks:
        wrong = f"the flats lack what pixels have of their own ({lacks:.1%} of the light)"
        return Light(beside, own, wrong)
    if good.theta_deg is None:
        left = left_of_beam(transmission) if own else float("nan")
        return Light(beside, own, left=left)
    if axis_lies(transmission):
        return Light(beside, own, lies=True)
    wide = wide_sample(transmission, beside, (rows, columns), turn_deg(good.theta_deg))
    darks = _darks(good, transmission, own)
    changes = LightChanges()
    if beside is None:
        changes = light_changes(transmission, good.theta_deg)
    left = float("nan") if own is None else left_of_beam(transmission)
    return Light(beside, own, None, 0.0, wide, darks, changes, left)


def _saturated(flats: View | None) -> str | None:
    """Say what part of a flat in the middle is saturated, if it is much."""
    if flats is None:
        return None
    middle = flats.shape[0] // 2
    part, value = saturated(replace(flats, bin=1).read(slice(middle, middle + 1))[0])
    if part <= _SATURATED:
        return None
    return f"{part:.0%} of the flats' pixels are saturated, at {value:g} counts"


def _darks(good: Scan, transmission: np.ndarray, own: FlatMixture | None) -> DarkExcess | None:
    """Find darks that are too high, by the sample's mass or by light that is less than none.

    Counts under the flats of their time are given as they would be under the mean flat.
    """
    if good.darks is None or good.flats is None or good.theta_deg is None:
        return None
    under = below_dark(transmission)
    if under is not None:
        return under
    air = air_columns(transmission, good.projections.shape[2])
    if air is None:
        return None
    rows = rows_for_darks(good.projections.shape[1]).tolist()

    def mean(view: View) -> np.ndarray:
        each = [np.median(view.read(rows=slice(row, row + 1)), axis=0)[0] for row in rows]
        return np.stack(each).astype(float)

    dark = mean(good.darks)
    gain = mean(good.flats) - dark

    def read(number: int) -> np.ndarray:
        row = rows[number]
        counts = good.projections.read(rows=slice(row, row + 1))[:, 0] - dark[number]
        at_time = gain_of_row(good, own, row, dark[number])
        return np.asarray(counts * gain[number] / np.maximum(at_time, 1.0))

    found = dark_excess(read, gain, air, good.theta_deg) if (gain > 0).all() else None
    if found is None:
        return None
    # No camera reads less than nothing: darks are not too high by more than they are. What seems
    # more is something else that does not fit, such as edges so steep that their blur counts.
    level = float(np.mean(dark))
    if not found.bound and found.counts - _SURE_SD * found.sd <= level:  # or too low
        return found
    most = level / float(np.mean(gain[:, air]) + level)
    return replace(found, bound=True, of_light=min(found.of_light, most))


def light_messages(light: Light, voxel_size_um: float | None) -> Iterator[str]:
    """Say what is wrong with the light, and what to do: the cause alone, where it is known."""
    if light.saturated is not None:
        yield (
            f"{light.saturated}: no more light is counted there, so that transmission is too high, "
            f"and line integrals are too small. {_WITHHELD}: expose flats and projections for "
            "less time, or give flats that are not saturated by scan.flats"
        )
    elif light.shadowed:
        yield (
            f"{light.shadowed:.0%} of the projections is more than 15% brighter than the air, "
            "which no sample makes: the flats hold the shadow of the sample or of something else, "
            "or the beam stood elsewhere, or was brighter, when they were taken. μ is too low "
            f"there, and negative. {'Give' if light.wrong_flats is None else _WITHHELD + ': give'} "
            "flats of the open beam by scan.flats"
        )
    elif light.shade is not None:
        yield f"{shade_clause(light.shade)}. {_WITHHELD}: {LEAVE_OUT}"
    elif light.wrong_flats is not None:
        yield (
            f"{light.wrong_flats}: what pixels and beam have of their own is seen there, so that "
            "it stays in the slices as rings and in the air as light or shade. The camera, its "
            "read-out window, binning or focus is not that of the projections, or the beam moved. "
            f"{_WITHHELD}: give flats of the same window and binning by scan.flats, or crop both "
            "alike"
        )
    if light.wrong_flats is not None:
        return
    if light.lies:
        yield LIES
    if light.darks is not None and not light.darks.bound:
        yield dark_message(light.darks)
    yield from _of_beside(light.beside)
    if light.own is not None:
        yield from _of_own_flats(light.own, light.left)
    yield from _of_changes(light.changes)
    if light.wide is not None:
        yield wide_message(light.wide, voxel_size_um)


def _of_beside(beside: LightBeside | None) -> Iterator[str]:
    if beside is None:
        return
    where = " and ".join(beside.sides)
    if beside.drift > _DRIFT:  # before its mean, which then says nothing of how flats were exposed
        yield (
            f"the light beside the sample (at the {where}) drifts by {beside.drift:.1%} over the "
            "scan, which flats do not follow; scale each frame by steps.flat_field.dose: beside"
        )
    elif abs(beside.mean - 1) > _AWAY:
        yield (
            f"the transmission beside the sample (air, at the {where}) is {beside.mean:.3f}, not "
            "1: flats and projections were exposed unlike, or the beam changed; if flats were "
            f"exposed otherwise, say scan.flat_exposure_ratio: {beside.mean:.3g}, else scale each "
            "frame by steps.flat_field.dose: beside"
            + (_OR_HOUSING if beside.mean < _HOUSING else "")
        )


def _of_own_flats(own: FlatMixture, left: float) -> Iterator[str]:
    moves = f"the beam's profile moves: flats differ by {100 * own.moved:.1f}%. "
    if left > _LEFT:
        yield (
            f"{moves}No mixture of the {own.of_flats.shape[1]} flats takes it out: "
            f"{100 * left:.1f}% is left in the air beside the sample, and slices hold rings and "
            "streaks of that. More flats, spread over the scan, would show more of the beam"
        )
    elif np.isnan(left) and own.moved > _MOVES_MUCH:
        yield (
            f"{moves}How much of it their mixtures leave is not known, since no even air is in "
            "view: slices may hold rings and streaks. More flats, spread over the scan, and air "
            "beside the sample would show it"
        )


def _of_changes(changes: LightChanges) -> Iterator[str]:
    unseen = (
        "no air is in view at all angles that would tell by how much each frame is to be scaled. "
        "Line integrals are offset by it from frame to frame, and slices hold as much of it as "
        "streaks; record the beam's current or a monitor with each frame, or leave air in view"
    )
    if changes.flicker:
        yield (
            f"the light flickers by {changes.flicker:.1%} (standard deviation) from projection to "
            f"projection, and {unseen}"
        )
    if changes.jumps:
        shown = "; ".join(
            f"to {ratio:.2f} of what it was, behind projection {frame} of those used"
            for frame, ratio in changes.jumps[:_NAMED]
        )
        yield f"the light jumps ({shown}) and stays so, and {unseen}"


def light_numbers(light: Light, voxel_size_um: float | None) -> Iterator[tuple[str, Number]]:
    """Give the numbers of the light for ``summary.json``."""
    if light.beside is not None:
        yield "transmission_beside", Number(
            light.beside.mean, sd=float(np.std(light.beside.by_frame)),
            n=light.beside.by_frame.size,
            note="air beside the sample; 1 where flats and projections were exposed alike",
            details={"drift": round(light.beside.drift, 5)},
        )  # fmt: skip
    if light.own is not None:
        note = "rms change of the beam's profile between flats"
        yield "beam_profile_moved", Number(light.own.moved, note=note)
    if light.wrong_flats is not None:
        yield "wrong_flats", Number(light.wrong_flats)
    if light.darks is not None and light.darks.bound:
        note = "of the light; darks may be too high by it: no more shows, or is all they read"
        yield (
            "dark_excess_at_most",
            Number(light.darks.of_light, n=light.darks.rows, bound="upper", note=note),
        )
    elif light.darks is not None and light.darks.counts < 0:
        note = "of the light, that was not subtracted, or scatters into shadows"
        sd = light.darks.of_light * light.darks.sd / light.darks.counts
        yield "dark_lack", Number(-light.darks.of_light, sd=sd, n=light.darks.rows, note=note)
    elif light.darks is not None:
        yield (
            "dark_excess",
            Number(
                light.darks.of_light,
                sd=light.darks.of_light * light.darks.sd / max(light.darks.counts, 1e-9),
                n=light.darks.rows or None,
                note="of the light, that was subtracted too much",
            ),
        )
    if light.changes.flicker:
        yield "light_flicker", Number(light.changes.flicker, note="no air is in view to scale by")
    if light.changes.jumps:
        after = [frame for frame, _ in light.changes.jumps]
        ratios = [round(ratio, 3) for _, ratio in light.changes.jumps]
        details = {"after": after, "light": ratios}
        yield (
            "light_jumps",
            Number(len(after), note="no air is in view to scale by", details=details),
        )
    if light.wide is not None and voxel_size_um:
        yield "mu_offset_of_wide_sample", wide_number(light.wide, voxel_size_um)
