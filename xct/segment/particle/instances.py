"""Particles, one by one. In: volume, labels; out: a number for every voxel, and their table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from annotated_types import Ge, Gt, Le

from xct.geometry import STANDARD_SCALE, CellGeometry, GreyScale, Surface
from xct.normalize.grey_scale import Ratios
from xct.normalize.reference import ElectrolyteReference
from xct.parallel.blocks import Voxels
from xct.parallel.sweeps import Asking, sweeping
from xct.preprocess.fringes import refuse_fringes
from xct.quantity import Labels, Quantity, Table
from xct.segment.material.columns import find_columns
from xct.segment.particle.beside_faces import with_doubt
from xct.segment.particle.core_blur import core_blur_factor
from xct.segment.particle.measuring import Measuring, finish, measuring_sweep
from xct.segment.particle.numbers import JOINED_PX, particle_numbers
from xct.segment.particle.pieces import joined
from xct.segment.particle.separation import (
    HEIGHT_STEP,
    Part,
    Pieces,
    Separation,
    separate,
    separation,
)
from xct.segment.particle.shared_noise import shared_noise
from xct.segment.particle.table import (
    Measured,
    particle_sizes_figure,
    particle_table,
)
from xct.segment.particle.watershed import groups, merge
from xct.stages import stage

if TYPE_CHECKING:
    import pandas as pd

_LEAST_VOXELS = 4


@stage(
    gives=(
        Quantity(
            "particle_labels",
            ("z", "y", "x"),
            "number of the particle",
            store=Labels("particles", "uint32"),
        ),
        Quantity(
            "particles",
            unit="table of particles",
            store=Table(),
            numbers=particle_numbers,
            figures={"particle_sizes": particle_sizes_figure},
        ),
    ),
    measures=True,
    rests_on=(
        "bore_not_found",
        "layers_unknown",
        "noise_too_strong",
        "undersampled",
        "cathode_end_not_found",
        "light_missing",
        "darks_too_high",
        "stage_unsteady",
        "sharpened_edges",
        "bent_scale",
        "coarse_codes",
        "lone_points",
        "slices_in_disorder",
    ),
)
@sweeping
def particles(
    volume: Voxels,
    labels: Voxels,
    cell: CellGeometry,
    surfaces: Mapping[str, Surface],
    reference: ElectrolyteReference,
    into: Any = None,
    grey_scale: GreyScale = STANDARD_SCALE,
    uncorrected_fringes: str | None = None,
    steps: Mapping[str, Any] | None = None,
    *,
    rise_px: Annotated[float, Ge(0), Le(5)] = 0.1,
    largest_um: Annotated[float, Gt(0)] = 30.0,
) -> Asking[tuple[Any, pd.DataFrame]]:
    """Segment the particles of active material, and measure each.

    A watershed on the distance from the particles' surface plus their smoothed grey value, which
    dips between particles that touch; basins that rise less than `rise_px` above their saddle
    are one. So are pieces on both sides of a crack: those that, together, are about as round as
    the rounder of them, or, in fine voxels, nearer than two particles could be. Numbers and table
    do not depend on where the volume was cut.

    Parameters
    ----------
    volume : Voxels, shape (z, y, x)
        Linear attenuation, 1/cm.
    labels : Voxels, shape (z, y, x)
        What `materials` gave.
    cell : CellGeometry
        Where the cell lies.
    surfaces : mapping of str to Surface
        Height maps.
    reference : Reference
        The electrolyte's attenuation by height and radius, the noise, and the blur.
    into : array of uint32, shape (z, y, x), optional
        What to fill with the particles' numbers; a new array unless given.
    grey_scale : GreyScale, optional
        Grey values of air and of electrolyte.
    uncorrected_fringes : str, optional
        How propagation fringes are known of that no step dealt with; then nothing is measured.
    steps : mapping, optional
        Settings of the steps that led to the volume, by name: after `phase_retrieval` grey values
        beside the faces of the cathode are less certain.
    rise_px : float, optional
        Least rise from saddle to peak, in voxels of distance, that separates two particles.
    largest_um : float, optional
        Diameter up to which the distance from the surface counts.

    Returns
    -------
    numbers : array of uint32, shape (z, y, x)
        `into`, or a numpy array: column `particle` of the table, 0 where there is none.
    table : DataFrame
        One row for each particle; see `particle_table`.

    Raises
    ------
    DataError
        If there are fringes.
    """
    refuse_fringes(uncorrected_fringes)
    numbers, table = yield from particles_in_slabs.asking(
        volume,
        labels,
        cell,
        surfaces,
        reference,
        into,
        grey_scale,
        rise_px=rise_px,
        largest_um=largest_um,
    )
    return numbers, with_doubt(table, cell, grey_scale, steps)


@sweeping
def particles_in_slabs(
    volume: Voxels,
    labels: Voxels,
    cell: CellGeometry,
    surfaces: Mapping[str, Surface],
    reference: ElectrolyteReference,
    into: Any = None,
    grey_scale: GreyScale = STANDARD_SCALE,
    *,
    rise_px: float = 0.1,
    largest_um: float = 30.0,
    rows: int | None = None,
) -> Asking[tuple[Any, pd.DataFrame]]:
    """Separate and measure as `particles` does, in slabs of a height that changes nothing."""
    numbers = np.empty(volume.shape, np.uint32) if into is None else into
    job = separation(Ratios(volume, cell, reference), labels, largest_um, rows)
    parts, chosen = _separated(job, numbers, rise_px / HEIGHT_STEP)
    columns = find_columns(cell, surfaces)
    task = Measuring(job, parts, chosen.final, int(chosen.final.max(initial=0)), columns)
    task = replace(task, factor=core_blur_factor(task, numbers))
    found = yield measuring_sweep(task, numbers, rows)
    finish(task, numbers)
    sums, crossings = (sum(one[1:], one[0]) for one in zip(*found, strict=True))
    grey = Measured(sums, crossings, chosen.attached, chosen.speck, chosen.pieces, grey_scale)
    return numbers, particle_table(grey, cell, columns, _shared_noise(job), job.noise)


@dataclass(frozen=True)
class Chosen:
    """What is a particle.

    Attributes
    ----------
    final : ndarray of uint32, shape (1 + provisional,)
        The number of each provisional one; 0 for what is too small to be a particle.
    attached : ndarray of bool, shape (1 + particle,)
        Whether a particle is part of the largest group of touching ones.
    speck : ndarray of float64, shape (1 + particle,)
        Volume in voxels, by its grey values, of a particle too small to count voxels; else 0.
    pieces : ndarray of int64, shape (1 + particle,)
        Of how many pieces that cracks separate it was joined.
    """

    final: np.ndarray
    attached: np.ndarray
    speck: np.ndarray
    pieces: np.ndarray


def choose(pieces: Pieces, job: Separation, rise: float) -> Chosen:
    """Merge basins, join the pieces of cracked particles, and leave out what is too small."""
    merged = merge(pieces.graph, rise)
    sampled = job.blur_px >= JOINED_PX
    places_px = pieces.places * (job.size / job.pixel_um) if sampled else None
    own = merged[pieces.graph.number]
    one = joined(own, pieces.voxels, pieces.faces, places_px)
    large = np.bincount(own, pieces.voxels, minlength=len(one)) >= _LEAST_VOXELS
    return _chosen(pieces, one[merged], np.bincount(one, large).astype(np.int64))


def _separated(job: Separation, numbers: Any, rise: float) -> tuple[tuple[Part, ...], Chosen]:
    """Fill in provisional numbers, and choose; the pieces' graph is given up with this."""
    pieces = separate(job, numbers)
    return pieces.parts, choose(pieces, job, rise)


def _shared_noise(job: Separation) -> float:
    """Measure how neighbors share noise; where that cannot be, they do over the point spread."""
    shared = shared_noise(job.ratios, job.labels)
    return shared if np.isfinite(shared) else max(job.blur_px, 1.0)


def _chosen(pieces: Pieces, merged: np.ndarray, parts: np.ndarray) -> Chosen:
    """Give each provisional number its final one, and find what is connected.

    `parts` says of how many pieces each particle of `merged` was joined.
    """
    basin = pieces.graph.number
    count = int(merged.max(initial=0)) + 1
    size = np.bincount(merged[basin], pieces.voxels, minlength=count)
    held = np.bincount(merged[basin], pieces.held, minlength=count)
    kept = np.maximum(size, held) >= _LEAST_VOXELS
    kept[0] = False
    number = np.where(kept, np.cumsum(kept), 0).astype(np.uint32)
    group = groups(pieces.graph)
    weight = np.bincount(group[basin], pieces.voxels, minlength=2)
    weight[0] = 0
    main = int(weight.argmax())
    attached = np.zeros(int(number.max(initial=0)) + 1, bool)
    of_basin = number[merged]
    attached[of_basin[group == main]] = True
    attached[0] = False
    speck = np.concatenate([[0.0], np.where(size < _LEAST_VOXELS, held, 0)[kept]])
    joined_of = np.append(0, np.maximum(parts[kept], 1))
    return Chosen(of_basin[basin], attached, speck, joined_of)
