"""What is said of rings, noise and cupping. In: what a given volume holds; out: numbers, text."""

from __future__ import annotations

from collections.abc import Iterator

from xct.normalize.artifacts import (
    ALIKE,
    COARSE,
    CUBE_UM,
    CUPPED,
    DOUBLED,
    FORGING,
    NOISY,
    OFFSET_SAID,
    SURE,
    WOVEN,
    Artifacts,
    look_at_artifacts,
)
from xct.quantity import Number, Quantity, declare


def artifact_numbers(volume_artifacts: Artifacts | None) -> Iterator[tuple[str, Number]]:
    """Give rings, noise and cupping as fractions of the electrolyte's value.

    Cupping that is smooth is taken out by normalization.
    """
    if volume_artifacts is None:
        return
    seen = volume_artifacts
    yield "rings_of_electrolyte", Number(seen.rings, sd=seen.rings_sd, n=seen.n)
    yield "noise_of_electrolyte", Number(seen.noise)
    yield "cupping_of_electrolyte", Number(seen.cupping, sd=seen.cupping_sd)
    yield "noise_shared_by_slices", Number(seen.shared, n=seen.n)


def artifact_warning(volume_artifacts: Artifacts | None) -> str | None:
    """Say what rings and noise do to the numbers; None where they do nothing."""
    if volume_artifacts is None:
        return None
    seen, said = volume_artifacts, []
    if seen.forged:
        said.append(
            f"rings: they add {seen.rings:.1%} of the electrolyte's value (standard deviation over "
            f"the radius) to its slices, where less than {FORGING:.0%} does no harm: arcs of them "
            "count as inclusions, which are left out, and split or join particles. Do not read "
            "drifted particles as such; remove stripes before reconstruction"
        )
    if seen.noise_of_cube > NOISY:
        said.append(
            f"noise: that of a voxel is {seen.noise:.0%} of the electrolyte's value, and that of a "
            f"cube of {CUBE_UM:g} µm {seen.noise_of_cube:.0%}, where {NOISY:.0%} is the most "
            "with which layers and particles were found right: layers may be taken for others, "
            "and no number of this volume is to be relied on; take more light or projections"
        )
    if not seen.is_grey and abs(seen.cupping) > max(CUPPED, SURE * seen.cupping_sd):
        more = "more" if seen.cupping > 0 else "less"
        said.append(
            f"cupping: the electrolyte attenuates {abs(seen.cupping):.0%} {more} at the wall than "
            "in the middle, as hardening of the beam makes it. Normalized grey values are put "
            "right for it, but values in 1/cm (electrolyte_peak_per_cm, plane_transmission) are "
            "means over the radius, and may be wrong by as much, which counts into the uncertainty "
            "of the former; scan with a harder filter, or "
            "correct beam hardening before reconstruction"
        )
    if not seen.is_grey and seen.offset > OFFSET_SAID:
        said.append(
            f"offset: what lies about the tube has {seen.air:.0%} of the electrolyte's value, at "
            "the heights of the electrolyte, where air has 0. Normalized grey values hardly change "
            "by it, but values in 1/cm do, which counts into the uncertainty of "
            "electrolyte_peak_per_cm; take the offset off, or say volume.unit: grey"
        )
    if seen.shaded:
        said.append(
            f"shading: the electrolyte is {seen.shading:.0%} brighter on one side than on the "
            "other, which normalization by height and radius leaves. Layers and particles hardly "
            "change by it, but the volume of inclusions is left out, and grey values of one side "
            "are not those of the other; take the shading out before"
        )
    if seen.trimmed:
        said.append(
            f"filtered: {seen.tails:.2%} of the noise is beyond three standard deviations, where "
            "noise has 0.27%: outliers were replaced by what is beside them, and so were tips and "
            "edges of small particles. Their number is a lower bound, their diameter an upper one; "
            "measure the volume as it was reconstructed"
        )
    said += _said_of_neighbors(seen)
    return "; ".join(said) or None


def _said_of_neighbors(seen: Artifacts) -> Iterator[str]:
    """Say what slices that are like the next one mean, and what a weave of their noise."""
    if seen.woven and not seen.smoothed:
        yield (
            f"interpolated: the noise of slices is weaker and stronger by turns, {seen.weave:.0f} "
            f"times as clearly as by chance, where scans have up to {WOVEN / 2:.0f}: slices were "
            "turned or scaled by interpolation. Small particles are lost or joined: their number "
            "is a lower bound, their diameter an upper one; measure the volume as it was "
            "reconstructed"
        )
    if seen.warped and not (seen.woven or seen.smoothed or seen.filtered):
        yield (
            "warped: beside the bore's wall the noise of neighboring pixels is more alike along "
            f"the radius than around it, by {seen.outward:.0%}, where scans have 2% at most: "
            "slices were warped by interpolation, as to undo a lens. Lengths across "
            "are not known: the bore's radius is left out, particles are a lower "
            "bound and their diameter an upper one; measure the volume as it was reconstructed"
        )
    if seen.doubled > DOUBLED:
        yield (
            f"doubled slices: {seen.doubled:.0%} of those that were looked at equal the next one, "
            "value by value: if every slice is there twice, all heights and volumes are twice what "
            "they are. Particles are left out; keep every second slice, or halve the first number "
            "of voxel_size_um"
        )
    elif seen.filtered and not seen.smoothed:
        yield (
            f"filtered: {seen.alike_across:.0%} of the noise of a voxel is that of one two voxels "
            "further in its slice (correlation), which is more than the point spread makes alike: "
            "a filter went over each slice, as a median, a bilateral one or non-local means, or a "
            "sample that moved. Small particles are lost or joined, and inclusions, their volume "
            "and the fractions of electrolyte, active material and low grey are left out; measure "
            "the volume as it was reconstructed"
        )
    elif seen.smoothed:
        yield (
            f"smoothed: {seen.shared:.0%} of the noise of a slice is that of the next one "
            f"(correlation), where up to {ALIKE:.0%} does no harm: a filter in three dimensions, "
            "or interpolation, went over the volume. Small particles melt into one or are lost, "
            "and edges move: fractions of materials are left out, so is where lithium is absent, "
            "and thicknesses are known to a voxel. Measure the volume as it was reconstructed"
        )


def lone_points(volume_artifacts: Artifacts | None) -> str | None:
    """Say that single voxels stick out; None where they do not."""
    if volume_artifacts is None or not volume_artifacts.pointed:
        return None
    return (
        f"points: {volume_artifacts.points:.3%} of the electrolyte's voxels stick out of all their "
        "neighbors, as nothing does that a point spread blurs: hot pixels or what radiation hit, "
        "or peaks of noise that a filter left (non-local means, total variation). They count as "
        "particles and inclusions, which are withheld, so is low grey; take them out of the "
        "projections before reconstruction, and measure a volume without a filter"
    )


declare(
    Quantity(
        "lone_points",
        unit="what is wrong with it, in words",
        source="run",
        derive=lone_points,
        basis=True,
    )
)


def coarse_codes(volume_artifacts: Artifacts | None) -> str | None:
    """Say that values come in steps that are too large; None where they do not."""
    if volume_artifacts is None or volume_artifacts.step <= COARSE:
        return None
    return (
        f"few codes: values come in steps of {volume_artifacts.step:.0%} of the electrolyte's "
        f"value above air, where {COARSE:.0%} do no harm. Layers are found, but particles, "
        "inclusions and low grey rest on the steps and are withheld, and fractions of other "
        "materials are less certain; save the volume with 16 bits, or in a narrower window"
    )


declare(
    Quantity(
        "coarse_codes",
        unit="what is wrong with it, in words",
        source="run",
        derive=coarse_codes,
        basis=True,
    )
)
declare(
    Quantity(
        "volume_artifacts",
        unit="rings, noise and cupping of a given volume",
        source="run",
        derive=look_at_artifacts,
        numbers=artifact_numbers,
        warning=artifact_warning,
    )
)
