"""Counts of particles. In: their table; out: numbers, with what bounds them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal

import numpy as np

from xct.geometry import CellGeometry, Surface, lost_faces
from xct.normalize.artifacts import DOUBLED, Artifacts, noise_of_cube
from xct.normalize.given.scale import GivenScale
from xct.normalize.grain_shape import GrainShape
from xct.normalize.reference import Reference
from xct.quantity import Number
from xct.segment.cell.slice_spacing import WARNED
from xct.statistics.bootstrap import median_sd

if TYPE_CHECKING:
    import pandas as pd

Bound = Literal["upper", "lower"] | None

# Of all diameters alike: labels put every boundary a little outside or inside. In sixty virtual
# cells the mean diameter was off by 0.3 % in the median and 1.4 % at worst; no number of particles
# lessens that.
_DIAMETER_SD = 0.005
# Noise of a cube of 8 µm, over the electrolyte's value: at 0.08 all were found, at 0.15 a fifth of
# particles of four voxels was lost.
_LOSING_NOISE = 0.1
# What rings above 3 % do: 17 % more particles, and a median that is 5 % less (seed 87).
_BY_RINGS, _WIDTH_BY_RINGS = 0.15, 0.04
# … and slices two to four times as far apart as pixels: from 70 % less to 28 % more particles,
# whose median is 14 to 36 % less (seed 111).
_WIDTH_BY_GAPS = 0.3
# Point spread in voxels (FWHM) from which the middles of pieces are known well enough to be told
# from those of particles that touch, and pieces are joined: at 1.25 one in twenty of the wide
# particles was two or three small ones that were joined by their distance; at 1.45 and more hardly
# one. Where rings or shading made a wall look sharper than that, particles were 1.8 times as many
# (seeds 91, 94).
JOINED_PX = 1.4
_IN_PIECES = "the point spread is narrower than 1.4 voxels: pieces of a particle are not joined"
# … and steps of values, over the electrolyte: of 0.12 the median was up to 5.7 % less (seed 95).
_WIDTH_BY_CODES = 0.3
_SHAKEN = "slices are shifted against each other: small ones are missed or joined"
_MISSING = "slices are missing, or two scans meet: some particles are not there"
_COARSE = "grains are too few voxels wide: small ones are missed or joined"


def particle_numbers(
    particles: pd.DataFrame,
    edge_ratio: float | None = None,
    volume_artifacts: Artifacts | None = None,
    grain_shape: GrainShape | None = None,
    cell: CellGeometry | None = None,
    reference: Reference | None = None,
    given_scale: GivenScale | None = None,
    surfaces: Mapping[str, Surface] | None = None,
) -> Iterator[tuple[str, Number]]:
    """Give the counts of particles, and their median diameter.

    In voxels that are longer than wide, in strong noise, or where a volume was smoothed or put
    upright, small ones are missed or joined: counts are lower bounds then, and the median an upper
    one; between slices that are far apart some are split as well, so that both have a standard
    deviation for that. Where slices are there twice, nothing is known of them. Where the lithium's
    face is in view and not given, what is left of steel may look drifted. Where slices lie at
    another distance than is said, or tiles do not fit, particles split or join, and nothing is
    known of them. Of a given volume whose point spread is too narrow for pieces to be joined,
    counts are upper bounds.
    """
    if grain_shape is not None and (grain_shape.bounds is not None or grain_shape.seams):
        return
    if volume_artifacts is not None and volume_artifacts.doubled > DOUBLED:
        return
    note = _small_ones_missed(edge_ratio, volume_artifacts)
    if note is None and given_scale is not None and given_scale.jittered:
        note = _SHAKEN
    if note is None and given_scale is not None and given_scale.parted:
        note = _MISSING
    if note is None and grain_shape is not None and grain_shape.smeared:
        note = "slices are blurred along one axis: small ones are missed or joined"
    if note is None and grain_shape is not None and grain_shape.coarse:
        note = _COARSE
    if note is None and cell is not None and reference is not None:
        note = _lost_in_noise(noise_of_cube(cell, reference))
    least: Bound = "lower" if note else None
    most: Bound = "upper" if note else None
    if volume_artifacts is not None and volume_artifacts.blur_px < JOINED_PX:
        if note is not None:
            return  # some are missed, and others in pieces
        note, least, most = _IN_PIECES, "upper", "lower"
    ringed = volume_artifacts is not None and volume_artifacts.touched
    far_apart = edge_ratio is not None and edge_ratio > WARNED
    doubt = _BY_RINGS * len(particles) if ringed or far_apart else None
    if ringed and note is None:
        note = "arcs of rings split or join small ones"
    yield "particles", Number(len(particles), "particles", doubt, bound=least, note=note)
    upright = volume_artifacts is not None and volume_artifacts.upright
    if "lithium_electrolyte" not in lost_faces(cell, surfaces, upright=upright):
        drifted = int(particles["drifted"].sum())
        yield "drifted_particles", Number(drifted, "particles", None, len(particles), least, note)
    if len(particles):
        diameter = particles["equivalent_diameter_um"]
        median, sd = float(diameter.median()), None
        if len(diameter) > 1:
            lens = 0.0 if cell is None else cell.lens_at_wall
            relative = float(np.hypot(_DIAMETER_SD, lens)) + (_WIDTH_BY_RINGS if ringed else 0)
            relative += 0.0 if volume_artifacts is None else _WIDTH_BY_CODES * volume_artifacts.step
            relative += _WIDTH_BY_GAPS if far_apart else 0.0
            sd = float(np.hypot(median_sd(diameter.to_numpy()), relative * median))
        yield "median_diameter_um", Number(median, "µm", sd, len(diameter), most, note)


def _small_ones_missed(ratio: float | None, artifacts: Artifacts | None) -> str | None:
    """Say why small particles are missed or joined; None where they are not."""
    if ratio is not None and ratio > WARNED:
        return f"voxels are {ratio:.3g} times longer than wide: small ones are missed or joined"
    if artifacts is not None and artifacts.smoothed:
        return "the volume was smoothed: small ones are missed or joined"
    if artifacts is not None and (artifacts.filtered or artifacts.trimmed):
        return "the slices were filtered: small ones are missed or joined"
    if artifacts is not None and artifacts.softened:
        return (
            "the noise of neighboring pixels is alike, as smoothed: small ones are missed or joined"
        )
    if artifacts is not None and artifacts.warped:
        return "slices were warped by interpolation: small ones are missed or joined"
    if artifacts is not None and artifacts.perhaps_warped:
        return "slices may have been warped by interpolation: small ones may be missed or joined"
    if artifacts is not None and artifacts.woven:
        return "slices were turned or scaled by interpolation: small ones are missed or joined"
    if artifacts is not None and artifacts.upright:
        return "the volume was put upright by interpolation: small ones are missed or joined"
    return None


def _lost_in_noise(of_cube: float) -> str | None:
    if not of_cube > _LOSING_NOISE:
        return None
    noise = f"{of_cube:.0%} of the electrolyte's value in the mean of a cube of 8 µm"
    return f"noise is {noise}: small ones are missed or joined"
