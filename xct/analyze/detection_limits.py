"""How small inclusions and particles may be to be found. In: a measured volume; out: a table.

Empty bodies of known size are planted into the electrolyte as it was measured, with its noise and
blur, and looked for again by the rules that label low grey; spheres of active material, alone and
among others, by the rules that find particles.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Ge

from xct.analyze.inclusions import COUNTED, least_volume_um3
from xct.geometry import CellGeometry, Label, Surface
from xct.normalize.artifacts import Artifacts
from xct.normalize.grey_scale import Ratios
from xct.normalize.reference import ElectrolyteReference
from xct.parallel.blocks import Voxels
from xct.parallel.executors import map_blocks
from xct.physics.optics import FWHM_PER_SIGMA
from xct.preprocess.fringes import refuse_fringes
from xct.quantity import Number, Quantity, Table
from xct.segment.connected import label_pieces
from xct.segment.denoise import Triple, gaussian
from xct.segment.material.columns import Columns, find_columns
from xct.segment.material.sharpened import blur_um, edges_of
from xct.segment.material.thresholds import (
    SMOOTH_PX,
    certain_below,
    low_below,
    smoothing_px,
)
from xct.segment.particle.planted import (
    Looking,
    add_ball,
    are_found,
    filled_parts,
    fine_points,
    neighbors_um,
    offsets_um,
    points_within,
    threshold_of,
)
from xct.segment.particle.separation import separation, triple
from xct.stages import stage

if TYPE_CHECKING:
    import pandas as pd

_PLACES, _TRIES = 32, 400
_HALF_BOX = (8, 12, 12)  # voxels about a place, along z, y and x
_LEAST_PLACES = 8
_PURE = 0.98  # of a box is electrolyte by its labels; noise may have taken some
_STEP = 1.25
_SIZES = tuple(0.5 * _STEP**k for k in range(13))  # of a body, in widths of the point spread
_PLATE = 7.0  # voxels: radius of a plate, a crack that ends within the box
_DRAWS = 200
_PARTICLES = _SIZES[3:9]
_BESIDE = 3.0  # widths of the point spread: diameter of the neighbors of a planted particle
_LIKELY = 0.9  # of a size are found: what is larger is counted
# Relative, of all alike: labels put every boundary a little out or in, and what cracks and cavities
# open is not part of a volume.
_DIAMETER_SD = 0.03
_SHARPENING = 3  # as of `materials`


def detection_numbers(
    detection_limits: pd.DataFrame,
    particles: pd.DataFrame | None = None,
    inclusions: pd.DataFrame | None = None,
    volume_artifacts: Artifacts | None = None,
) -> Iterator[tuple[str, Number]]:
    """Give the size of each kind of body at which half are found, by a bootstrap over places.

    And how many particles and inclusions there are above the size of which nine in ten are found;
    of inclusions where rings neither make nor hide some.
    """
    for kind in detection_limits["body"].unique():
        if "particle" in kind and particles is None:
            continue
        own = detection_limits[detection_limits["body"] == kind]
        found, sizes = own["found"].to_numpy(), own["size_um"].to_numpy()
        planted = own["planted"].to_numpy()
        size = _at_half(sizes, found / planted)
        rng = np.random.default_rng(0)
        drawn = [
            _at_half(sizes, rng.binomial(planted, found / planted) / planted)
            for _ in range(_DRAWS)
        ]  # fmt: skip
        sd = float(np.nanstd(drawn)) if np.isfinite(drawn).sum() > _DRAWS / 2 else float("nan")
        if not ((found > 0) & (found < planted)).any():  # all is known is between which sizes
            sd = size * (_STEP - 1) / np.sqrt(12)
        into, name = _NAMES[kind]
        note = f"half of those that were planted into the measured {into} are found"
        if kind == "pore":
            note += _COMPOSITE_PORES
        yield name, Number(size, "µm", sd, int(planted.max()), note=note)
        if kind == "particle" and particles is not None:
            diameter = particles["equivalent_diameter_um"].to_numpy(float)
            yield from (
                (name, _with_slits(number, particles))
                for name, number in _count_above(own, diameter, "particles", _PARTICLE_NOTE)
            )
        if kind == "isolated_particle" and particles is not None:
            away = particles.loc[particles["drifted"].astype(bool), "equivalent_diameter_um"]
            diameter = away.to_numpy(float)
            yield from _count_above(own, diameter, "drifted", _DRIFTED_NOTE, "particles")
        ringed = volume_artifacts is not None and (
            volume_artifacts.forged or volume_artifacts.touched
        )
        if kind == "sphere" and inclusions is not None and not ringed:
            counted = inclusions["class"].isin(COUNTED)
            thickness = inclusions.loc[counted, "thickness_um"].to_numpy(float)
            yield from _count_above(own, thickness, "inclusions", _INCLUSION_NOTE)


_NAMES = {
    "sphere": ("electrolyte", "inclusion_detection_um.sphere"),
    "plate": ("electrolyte", "inclusion_detection_um.plate"),
    "pore": ("electrolyte", "pore_detection_um.electrolyte"),
    "particle": ("electrolyte among others", "particle_detection_um.in_cathode"),
    "isolated_particle": ("electrolyte", "particle_detection_um.isolated"),
}


# Pieces of a particle that two cracks cut, and the fraction of such particles above which counts
# are bounds: 0.001 in virtual cells without cracks, 0.028 where half have two, a voxel wide. And
# of particles that one crack cuts, the volume is less by what it opened: 0.003 to 0.013 without
# wide cracks, 0.073 where half have one of a voxel or less.
_SEVERAL, _CUT = 3, 0.01
_TWO, _HALVED = 2, 0.03
# From 4.9 to 5.6 µm on in six cells, where those of the electrolyte show from 6.0 to 6.3; looking
# for it takes four times as long as for all others together.
_COMPOSITE_PORES = "; in the composite, beside particles, they show from about as large ones on"
_PARTICLE_NOTE = "wider than {limit:.3g} µm by the volume that cracks and cavities leave"
_DRIFTED_NOTE = "drifted particles wider than {limit:.3g} µm"
_INCLUSION_NOTE = "thicker than {limit:.3g} µm, enclosed or bridging"


def _with_slits(count: Number, particles: pd.DataFrame) -> Number:
    """Make the count a bound where many particles are cut by cracks.

    Of what is cut less volume is left than the particle had. Of what is cut several times others
    lie there in pieces, which are too small to count, or unlike one particle.
    """
    if "pieces" not in particles:
        return count
    wide = particles["equivalent_diameter_um"] >= count.details["limit_um"]
    pieces = particles.loc[wide, "pieces"].to_numpy()
    for least, part, note in (
        (_SEVERAL, _CUT, "cut by two cracks or more, others may lie in pieces"),
        (_TWO, _HALVED, "cut by cracks, whose volume is not counted"),
    ):
        cut = int(np.count_nonzero(pieces >= least))
        if cut and cut >= part * pieces.size:
            note = f"{count.note}; {cut} of them are {note}"
            return replace(count, sd=None, bound="lower", note=note)
    return count


def _count_above(
    own: pd.DataFrame, diameter: np.ndarray, what: str, note: str, unit: str | None = None
) -> Iterator[tuple[str, Number]]:
    """Count what at least nine in ten are found of, and those missed among them."""
    sizes, planted = own["size_um"].to_numpy(), own["planted"].to_numpy(float)
    part = own["found"].to_numpy() / planted
    limit = _at_half(sizes, part, _LIKELY)
    if not np.isfinite(limit):
        return
    large = diameter[diameter >= limit]
    # Of what none was missed, one in planted + 2 may be.
    rate = np.interp(large, sizes, np.clip(part, _LIKELY, 1))
    rate_sd = np.sqrt(np.maximum(rate * (1 - rate), 1 / (planted.max() + 2)) / planted.max())
    # Of what is missed, the number is by chance.
    likely = np.minimum(rate, (planted.max() + 1) / (planted.max() + 2))
    missed = np.sqrt(np.sum((1 - likely) / likely**2))
    edge = [np.count_nonzero(diameter >= limit * (1 + s * _DIAMETER_SD)) for s in (-1, 1)]
    rates = np.mean(rate_sd / rate**2) ** 2 * large.size if large.size else 1 - _LIKELY
    sd = np.sqrt(missed**2 + rates + (edge[0] - edge[1]) ** 2 / 4)
    yield f"{what}_above_limit", Number(
        float(np.sum(1 / rate)), unit or what, float(sd), large.size,
        note=note.format(limit=limit) + "; nine in ten of that size are found; with those missed",
        details={"limit_um": round(limit, 4)},
    )  # fmt: skip


@stage(
    gives=Quantity(
        "detection_limits",
        unit="table of planted bodies, and how many of them are found",
        store=Table(),
        numbers=detection_numbers,
    ),
    measures=True,
    rests_on=(
        "bore_not_found",
        "noise_too_strong",
        "undersampled",
        "implausible_blur",
        "darks_too_high",
        "light_unsteady",
        "stage_unsteady",
    ),
)
def detection_limits(
    volume: Voxels,
    labels: Voxels,
    cell: CellGeometry,
    surfaces: Mapping[str, Surface],
    reference: ElectrolyteReference,
    uncorrected_fringes: str | None = None,
    *,
    least_psf_volumes: Annotated[float, Ge(0)] = 3.0,
    seed: Annotated[int, Ge(0)] = 0,
) -> pd.DataFrame | None:
    """Plant bodies of known size into the measured volume, and look for them again.

    Empty spheres and plates, and spheres of active material, into the electrolyte.

    Parameters
    ----------
    volume : Voxels, shape (z, y, x)
        Linear attenuation, 1/cm; some boxes of it are read.
    labels : Voxels, shape (z, y, x)
        What `materials` gave: bodies are planted where nearly all is electrolyte.
    cell : CellGeometry
        Where the cell lies.
    surfaces : mapping of str to Surface
        Height maps.
    reference : Reference
        The electrolyte's attenuation by height and radius, the noise, and the blur.
    uncorrected_fringes : str, optional
        How propagation fringes are known of that no step dealt with; then nothing is measured.
    least_psf_volumes : float, optional
        As of `inclusions`.
    seed : int, optional
        Of the places.

    Returns
    -------
    DataFrame or None
        ``body`` (``sphere``, ``plate``: a flat disc 14 voxels wide, as a crack; ``pore``: a sphere
        of which one voxel that is labelled low grey is enough; ``particle``: a sphere with four
        neighbors less than a voxel away, ``isolated_particle``: alone),
        ``size_um`` (its diameter; its thickness), ``planted``, ``found``. None where hardly any
        electrolyte is in view.

    Raises
    ------
    DataError
        If there are fringes.
    """
    import pandas as pd

    refuse_fringes(uncorrected_fringes)
    ratios, columns = Ratios(volume, cell, reference), find_columns(cell, surfaces)
    boxes = [box for box, _ in _boxes(ratios, labels, columns, seed)]
    particles = _planted_particles(ratios, labels, columns, boxes, seed)
    if len(boxes) < _LEAST_PLACES:
        return None
    blur, voxel = blur_um(reference, cell.voxel_size_um), np.array(cell.voxel_size_um)
    smooth_px, smooth_sd = _smoothing(boxes)
    noise = ratios.noise(volume.shape[0] / 2)
    least_um3 = least_volume_um3(least_psf_volumes, blur, noise, float(voxel.min()))
    look = _Look(
        float(low_below(smooth_sd)),
        float(certain_below(smooth_sd)),
        smooth_px,
        triple(blur / FWHM_PER_SIGMA / voxel),
        max(2.0, least_um3 / float(voxel.prod())),
        voxel,
    )
    planted = [(body, size * blur) for body in ("sphere", "plate", "pore") for size in _SIZES]
    found = map_blocks(_found, planted, boxes, look, seed)
    rows = [(*task, len(boxes), count) for task, count in zip(planted, found, strict=True)]
    return pd.DataFrame(rows + particles, columns=["body", "size_um", "planted", "found"])


@dataclass(frozen=True)
class _Look:
    """How low grey is looked for, in multiples of the electrolyte and voxels."""

    low: float
    certain: float
    smooth_px: float
    psf_sigma_px: Triple
    least_voxels: float
    voxel_um: np.ndarray
    least_slices: int = 2


Box = tuple[np.ndarray, np.ndarray]  # multiples of the electrolyte, labels


def _boxes(
    ratios: Ratios, labels: Voxels, columns: Columns, seed: int, *, cathode: bool = False
) -> list[Box]:
    """Read boxes at random places where nearly all is electrolyte, or in the cathode."""
    rng, found = np.random.default_rng(seed), []
    depth, height, width = ratios.shape
    half = np.array(_HALF_BOX)
    near, far = (columns.front, columns.collector) if cathode else (columns.lithium, columns.front)
    low, high = columns.rows(near, far, depth)
    if high - low < 2 * half[0] + 1 or min(height, width) < 2 * half[1] + 1:
        return []
    for _ in range(_TRIES):
        z, y, x = (
            int(rng.integers(a, b))
            for a, b in zip((low + half[0], half[1], half[2]),
                            (high - half[0], height - half[1], width - half[2]), strict=True)
        )  # fmt: skip
        rows, across = slice(z - half[0], z + half[0] + 1), slice(x - half[2], x + half[2] + 1)
        strip = slice(y - half[1], y + half[1] + 1)
        between = [columns.height(edge) for edge in (rows.start, rows.stop)]
        clear = near[strip, across].max() < min(between)
        clear &= far[strip, across].min() > max(between)
        if not clear:
            continue
        of = np.asarray(labels[rows, strip, across])
        own = np.isin(of, _COMPOSITE) if cathode else of == Label.ELECTROLYTE
        if np.mean(own) >= _PURE:
            found.append((ratios[rows, strip, across], of))
        if len(found) == _PLACES:
            break
    return found


_COMPOSITE = (Label.ELECTROLYTE, Label.ACTIVE_MATERIAL, Label.LOW_GREY)


def _planted_particles(
    ratios: Ratios, labels: Voxels, columns: Columns, alone: list[np.ndarray], seed: int
) -> list[tuple[str, float, int, int]]:
    """Plant spheres of active material among others, and alone; labels show how they are made."""
    boxes = _boxes(ratios, labels, columns, seed, cathode=True)
    if min(len(boxes), len(alone)) < _LEAST_PLACES:
        return []
    edges = edges_of(ratios, "none", 1.0, _SHARPENING)
    job = separation(ratios, labels, 30.0)
    how = Looking(
        edges.psf_sigma_px, edges.rounds, 0.0, job.level, job.noise, ratios.reference,
        triple(job.size),
    )  # fmt: skip
    values, of = zip(*boxes, strict=True)
    how = replace(how, threshold=threshold_of(values, of, how))
    tasks = [
        (body, size * job.blur_um, beside)
        for body, beside in (("particle", _BESIDE * job.blur_um), ("isolated_particle", 0.0))
        for size in _PARTICLES
    ]
    found = map_blocks(_found_particles, tasks, alone, how, seed)
    return [
        (body, size, len(alone), count) for (body, size, _), count in zip(tasks, found, strict=True)
    ]


def _found_particles(
    task: tuple[str, float, float], boxes: list[np.ndarray], how: Looking, seed: int
) -> int:
    """Plant a sphere into each box, alone or with neighbors of a diameter; count those found."""
    _, size_um, beside_um = task
    rng = np.random.default_rng((seed, round(1000 * size_um)))
    voxel = np.array(how.voxel_um)
    grown, bodies = [], []
    for box in boxes:
        offsets = offsets_um(box.shape, voxel, rng)
        inside = fine_points(offsets)
        add_ball(inside, offsets, size_um / 2)
        bodies.append(filled_parts(inside, box.shape) > 0.5)
        if beside_um:
            for center_um in neighbors_um(size_um, beside_um, voxel, rng):
                add_ball(inside, offsets, beside_um / 2, center_um)
        filled = gaussian(filled_parts(inside, box.shape), how.psf_sigma_px)
        grown.append(box + np.float32(how.level - 1) * filled)
    return sum(are_found(grown, bodies, how))


def _inner(box: np.ndarray) -> tuple[slice, ...]:
    """Leave out the rim, which smoothing has made of what lies beyond."""
    return tuple(slice(2, n - 2) for n in box.shape)


def _smoothing(boxes: list[np.ndarray]) -> tuple[float, float]:
    """Choose how wide boxes are smoothed, as for the labels; give what scatter is left."""
    width = SMOOTH_PX
    sd = _scatter([gaussian(box, width)[_inner(box)] for box in boxes])
    if (wider := smoothing_px(sd)) > width:
        width, sd = wider, _scatter([gaussian(box, wider)[_inner(box)] for box in boxes])
    return width, sd


def _scatter(values: list[np.ndarray]) -> float:
    """Give the standard deviation of the electrolyte, from its quartiles."""
    low, high = np.quantile(np.concatenate([v.ravel() for v in values]), (0.25, 0.75))
    return float(high - low) / 1.349


def _found(task: tuple[str, float], boxes: list[np.ndarray], look: _Look, seed: int) -> int:
    """Plant a body into each box, and count how many are found."""
    body, size_um = task
    rng = np.random.default_rng((seed, round(1000 * size_um), len(body)))
    if body == "pore":  # is low grey of any size, and no inclusion
        look = replace(look, least_voxels=1, least_slices=1)
    return sum(_is_found(box, _drawn(body, size_um, box.shape, look, rng), look) for box in boxes)


def _drawn(
    body: str, size_um: float, shape: tuple[int, ...], look: _Look, rng: np.random.Generator
) -> np.ndarray:
    """Draw which part of each voxel a body fills, blurred by the point spread."""
    offsets = offsets_um(shape, look.voxel_um, rng)
    inside = fine_points(offsets)
    if body != "plate":
        add_ball(inside, offsets, size_um / 2)
    else:
        normal = rng.normal(size=3)
        normal /= np.linalg.norm(normal)
        radius = _PLATE * float(look.voxel_um.min())
        box, (z, y, x) = points_within(offsets, float(np.hypot(radius, size_um)))
        away = z * normal[0] + y * normal[1] + x * normal[2]
        disc = (np.abs(away) <= size_um / 2) & (z**2 + y**2 + x**2 - away**2 <= radius**2)
        inside[box] = disc
    return gaussian(filled_parts(inside, shape), look.psf_sigma_px)


def _is_found(box: np.ndarray, filled: np.ndarray, look: _Look) -> bool:
    """Whether low grey of enough voxels and slices is where a body was planted."""
    smooth = gaussian(box - filled, look.smooth_px)
    pieces, count = label_pieces(smooth < look.low)
    for number in range(1, count + 1):
        piece = pieces == number
        slices = np.count_nonzero(piece.any(axis=(1, 2)))
        large = np.count_nonzero(piece) >= look.least_voxels and slices >= look.least_slices
        if large and (smooth[piece] < look.certain).any() and filled[piece].max() > 0.1:
            return True
    return False


def _at_half(sizes: np.ndarray, part: np.ndarray, wanted: float = 0.5) -> float:
    """Interpolate the size beyond which more than half are found; NaN where it is not in range."""
    below = np.flatnonzero(part < wanted)
    if not below.size or below[-1] + 1 >= sizes.size:
        return float("nan")
    k = int(below[-1])
    return float(
        sizes[k] + (wanted - part[k]) / (part[k + 1] - part[k]) * (sizes[k + 1] - sizes[k])
    )
