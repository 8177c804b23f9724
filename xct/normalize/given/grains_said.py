"""What is said of grains. In: how far grey values of the cathode are alike; out: numbers, text."""

from __future__ import annotations

from collections.abc import Iterator

from xct.normalize.grain_shape import (
    FLATTEST,
    RESOLVED_PX,
    SMEARED,
    TALLEST,
    GrainShape,
    look_at_grains,
)
from xct.quantity import Number, Quantity, declare


def grain_numbers(grain_shape: GrainShape | None) -> Iterator[tuple[str, Number]]:
    """Give the ratio."""
    if grain_shape is not None:
        yield "grain_height_ratio", Number(grain_shape.ratio)


def grain_warning(grain_shape: GrainShape | None) -> str | None:
    """Say that the distance of slices cannot be right, or that voxels are coarse; else None."""
    if grain_shape is None:
        return None
    said = [f(grain_shape) for f in _ALL]
    return "; ".join(text for text in said if text is not None) or None


def _said_of_voxels(grain_shape: GrainShape) -> str | None:
    if not grain_shape.coarse:
        return None
    voxels = grain_shape.width_um / grain_shape.pixel_um
    return (
        f"coarse voxels: grey values of the cathode are alike over {voxels:.2g} voxels across, "
        f"where {RESOLVED_PX:g} is the least at which particles were told apart: they melt into "
        "one, their number is a lower bound, and layers of a few voxels may be missed or taken for "
        "their neighbor: fractions of volume and lithium are left out, and thicknesses are lower "
        "bounds. If the volume was binned, does voxel_size_um hold the size after that?"
    )


def _said_of_smear(grain_shape: GrainShape) -> str | None:
    if not grain_shape.smeared:
        return None
    along, over = ("x", "y") if grain_shape.stretch > 1 else ("y", "x")
    times = max(grain_shape.stretch, 1 / grain_shape.stretch)
    return (
        f"smeared: grains of the cathode are {times:.2g} times as wide along {along} as along "
        f"{over}, where up to {SMEARED:g} is usual: all or some of its slices are blurred along "
        f"{along}, by a sample that moved or a filter. Small particles are lost or joined: their "
        "number is a lower bound, their diameter an upper one; fractions of electrolyte, active "
        "material and low grey and the volume of inclusions are left out. Measure a volume of a "
        "scan that was at rest"
    )


def _said_of_slices(grain_shape: GrainShape) -> str | None:
    if grain_shape.bounds is None:
        return None
    side = {"lower": "too small", "upper": "too large"}[grain_shape.bounds]
    return (
        f"voxel_size_um: grey values of the cathode are alike over {grain_shape.height_um:.3g} µm "
        f"along z and {grain_shape.width_um:.3g} µm across, {grain_shape.ratio:.2g} times as long, "
        f"where grains of cathodes have {FLATTEST:g} to {TALLEST:g}: slices lie at another "
        f"distance than the {grain_shape.slices_um:g} µm that are said, or a filter went over the "
        f"volume in one direction. Thicknesses are {side} then, by about that factor, and are "
        "given as bounds; absent lithium, particles and the fractions of steel and collector are "
        "left out. "
        "Give the right distance as the first number of voxel_size_um"
    )


def _said_of_seams(grain_shape: GrainShape) -> str | None:
    if not grain_shape.seams:
        return None
    where = " and ".join(f"{at} along {axis}" for axis, at in grain_shape.seams)
    return (
        f"seam: grains of the cathode do not continue at the pixel {where}, in all slices: were "
        "tiles put side by side that do not fit? What lies across the seam is cut, and the wall of "
        "the bore has a step: particles, inclusions and low grey are left out; register the tiles "
        "first"
    )


_ALL = (_said_of_slices, _said_of_voxels, _said_of_smear, _said_of_seams)


declare(
    Quantity(
        "grain_shape",
        unit="lengths over which grey values of the cathode are alike",
        source="run",
        derive=look_at_grains,
        numbers=grain_numbers,
        warning=grain_warning,
    )
)
