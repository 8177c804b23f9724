"""Whether values of a given volume lie on one line, everywhere. In: a volume, its cell; out: text.

Active material and steel have a known μ, in multiples of the electrolyte's: a curve that a program
laid over the values shows in both. And the steel of both ends is one material, as the tube is all
along: where both grow from slice to slice, it is the scale that does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np

from xct.geometry import CellGeometry
from xct.normalize.reference import Reference
from xct.normalize.sampling import Span, cathode_span, electrolyte_span, slices_by_slab
from xct.parallel.blocks import Voxels
from xct.parallel.executors import map_blocks
from xct.physics.materials import mu_per_cm

_SLICES, _TUBE_SLICES, _LEAST_SLICES = 3, 32, 8
_HELD = 0.7  # of the bore's radius
_WITHIN = (0.35, 0.65)  # of the tube's wall
_MARGIN_VOXELS = 3.0  # from a face
_BRIGHTEST = 0.98  # quantile of a cathode's values: the cores of its particles
_STEEL = 0.5  # of the brightest slice of an end: what is steel, and not collector or air
# What particles and steel are of what tables say, in multiples of pressed electrolyte: plain cells
# 0.85 to 0.99 and 0.78 to 0.96, in 8 bits 0.77 and 0.85; after a gamma of 0.7 on 8 bits 0.65 to
# 0.69 and 0.61 to 0.67, of 0.5 less, of 1.4 0.96 to 0.98 and 1.30 to 1.35 (seeds 3 and 11, three
# medium cells). Particles are less where they are blurred, steel where hardly any light passed it:
# of a curve that bends down, both must be.
_EACH, _TOGETHER = 0.8, 0.72
_MORE, _THAN_PARTICLES = 1.18, 1.25  # steel, and over particles, of one that bends up
_LOUDEST = 0.5  # noise over the electrolyte: more, and the brightest are noise
# From one end of the volume to the other: steels of plain cells differ by up to 0.015. And
# standard errors by which the tube may differ from that.
_GROWN, _DENIED = 0.035, 3.0


@dataclass(frozen=True)
class GivenScale:
    """What is known of a given volume's scale.

    Attributes
    ----------
    particles, steel : float
        Their values over the electrolyte's, over what tables say of it; NaN where not in view, or
        where neither the energy nor what value air has is known.
    gain : float
        By how much values grow from the first slice to the last, in all materials; 0 where they do
        not, or where nothing tells.
    li_content_per_percent : float or None
        By how much a gamma of 1.01 would shift lithium contents; None of grey values, which have
        none.
    seams : mapping
        What is known of slices that do not follow each other: ``steps`` (slice, step of all
        values), ``shifted`` (slices), ``jittered`` (whether most are), ``broken`` and ``turned``
        (slices that do not continue the one before, and those of them that are turned).
    """

    particles: float = float("nan")
    steel: float = float("nan")
    gain: float = 0.0
    li_content_per_percent: float | None = None
    seams: Mapping[str, Any] = field(default_factory=dict)

    @property
    def bent(self) -> bool:
        """Whether a curve was laid over the values."""
        both = np.array([self.particles, self.steel])
        if not (np.isfinite(both).all() and (both > 0).all()):
            return False
        less = bool((both < _EACH).all()) and float(np.sqrt(both.prod())) < _TOGETHER
        return less or (self.steel > _MORE and self.steel > _THAN_PARTICLES * self.particles)

    @property
    def steps(self) -> list[float]:
        """Steps of all values from one slice to the next."""
        return [float(step) for _, step in self.seams.get("steps", ())]

    @property
    def doubt_of_mean(self) -> float:
        """Relative standard uncertainty of a mean: which slices have the right scale is unknown."""
        return float(np.hypot(abs(self.gain) / 2, sum(abs(step) for step in self.steps)))

    @property
    def shifted(self) -> bool:
        """Whether a part of the volume is shifted against another."""
        return bool(self.seams.get("shifted"))

    @property
    def parted(self) -> bool:
        """Whether slices do not continue the one before, for whatever reason."""
        return bool(self.seams.get("broken"))

    @property
    def gaps(self) -> list[int]:
        """Slices that do not continue the one before, turned or not: some may be missing."""
        turned = {int(z) for z, _ in self.seams.get("turned", ())}
        return [int(z) for z, *_ in self.seams.get("broken", ()) if int(z) not in turned]

    @property
    def disordered(self) -> bool:
        """Whether the order of slices is unknown: several gaps, or a part that begins at once."""
        at_once = any(usual == 0 for _, _, usual in self.seams.get("broken", ()))
        return at_once or len(self.gaps) > 1

    @property
    def jittered(self) -> bool:
        """Whether most slices are shifted against the one before."""
        return bool(self.seams.get("jittered"))


def look_at_scale(
    volume: Voxels,
    cell: CellGeometry,
    reference: Reference,
    steps: Mapping[str, Any],
    energy_kev: float | None = None,
) -> GivenScale | None:
    """Compare particles and steel with tables, and the steel of both ends with each other.

    Parameters
    ----------
    volume : Voxels, shape (z, y, x)
        Any scale.
    cell : CellGeometry
        Where bore and layers lie.
    reference : Reference
        The electrolyte's value and that of air.
    steps : mapping
        Settings of the steps that led to the volume, by name.
    energy_kev : float, optional
        Photon energy: without it nothing is compared with tables.

    Returns
    -------
    GivenScale or None
        None for a volume that xct reconstructed.
    """
    if "fbp" in steps:
        return None
    seams = dict(getattr(volume, "seams", None) or {})
    if electrolyte_span(cell, 0.0) is None or not reference.peak_per_cm > 0:
        return GivenScale(seams=seams)
    ends = [_steel(volume, cell, reference, near) for near in (True, False)]
    gain = 0.0 if seams.get("steps") else _gain(volume, cell, reference, ends)
    values = [value for _, value in filter(None, ends)]
    steel = max(values, default=float("nan")) / reference.peak_per_cm
    particles = _particles(volume, cell, reference)
    # Grey values of which neither air nor lithium shows where they begin are counted from 0.
    no_zero = (reference.is_grey or not reference.mu_known) and reference.air == 0
    if energy_kev is None or no_zero:
        particles = steel = float("nan")
    else:
        usual = mu_per_cm("lpscl_pressed", energy_kev)
        particles *= usual / mu_per_cm("ncm811", energy_kev)
        steel *= usual / mu_per_cm("steel", energy_kev)
    contents = None if energy_kev is None or not reference.mu_known else _per_percent(energy_kev)
    return GivenScale(particles, steel, gain, contents, seams)


def _per_percent(energy_kev: float) -> float:
    """Give the lithium content that a gamma of 1.01 hides, were the electrolyte's value right."""
    full, empty = (mu_per_cm("ncm811", energy_kev, lithium=x) for x in (1.0, 0.0))
    moved = 0.01 * np.log(full / mu_per_cm("lpscl_pressed", energy_kev))
    return float(moved / np.log(empty / full))


def _slices(span: Span, most: int = _SLICES) -> list[list[int]]:
    """Choose slices inside of a span, across all of the bore that is looked at, by slabs."""
    cell, step = span.cell, span.cell.voxel_size_um[0]
    reach = _HELD * cell.bore_radius_um * np.array([-1.0, 1.0])
    low, high = span.limits_um(cell.axis_y_um + reach[:, None], cell.axis_x_um + reach[None])
    first = max(int(np.ceil(np.max(low) / step)), 0)
    last = min(int(np.floor(np.min(high) / step)), cell.shape[0] - 1)
    if last < first:
        return []
    return slices_by_slab(first, last, most)


def _images(slices: Sequence[int], volume: Voxels) -> list[tuple[int, np.ndarray]]:
    """Read slices of one slab at once."""
    values = np.asarray(volume[slices[0] : slices[-1] + 1], np.float32)
    return [(z, values[z - slices[0]]) for z in slices]


def _inside(
    slices: Sequence[int], volume: Voxels, cell: CellGeometry, air: float
) -> list[tuple[int, np.ndarray]]:
    found = []
    for z, image in _images(slices, volume):
        values = image[cell.radius_um(float(z)) < _HELD * cell.bore_radius_um]
        found.append((z, np.asarray(values[np.isfinite(values)] - np.float32(air))))
    return found


def _steel(
    volume: Voxels, cell: CellGeometry, reference: Reference, near: bool
) -> tuple[float, float] | None:
    """Give height (slices) and value above air of the steel of one end; None without any."""
    name = "steel_lithium" if near else "cathode_collector"
    if name not in cell.planes:
        return None
    margin = _MARGIN_VOXELS * cell.voxel_size_um[0]
    span = Span(cell, None, name, margin) if near else Span(cell, name, None, margin)
    found = [
        (z, float(np.median(values)))
        for z, values in _looked_at(_slices(span), volume, cell, reference)
    ]
    most = max((value for _, value in found), default=0.0)
    steel = [(z, value) for z, value in found if value > _STEEL * most]
    # Blurred at the collector: the median of more than two is none of it.
    if not most > 2 * reference.peak_per_cm:
        return None
    middle = sorted(steel, key=lambda one: one[1])[len(steel) // 2]
    return float(middle[0]), middle[1]


def _looked_at(
    groups: Sequence[Sequence[int]], volume: Voxels, cell: CellGeometry, reference: Reference
) -> list[tuple[int, np.ndarray]]:
    found = map_blocks(_inside, list(groups), volume, cell, reference.air)
    return [(z, values) for group in found for z, values in group if values.size]


def _particles(volume: Voxels, cell: CellGeometry, reference: Reference) -> float:
    """Give the value of active material over the electrolyte's; NaN where noise hides it."""
    span = cathode_span(cell, _MARGIN_VOXELS * cell.voxel_size_um[0])
    noise = float(np.nanmedian(reference.noise_per_cm)) if reference.noise_per_cm.size else np.inf
    if span is None or not noise < _LOUDEST * reference.peak_per_cm:
        return float("nan")
    found = _looked_at(_slices(span), volume, cell, reference)
    if not found:
        return float("nan")
    brightest = float(np.quantile(np.concatenate([values for _, values in found]), _BRIGHTEST))
    return brightest / reference.peak_per_cm


def _gain(
    volume: Voxels,
    cell: CellGeometry,
    reference: Reference,
    ends: Sequence[tuple[float, float] | None],
) -> float:
    """Give by how much values grow from the first slice to the last; 0 where the tube denies it."""
    first, second = ends
    if first is None or second is None or first[0] == second[0]:
        return 0.0
    per_slice = np.log(second[1] / first[1]) / (second[0] - first[0])
    gain = float(np.expm1(per_slice * (cell.shape[0] - 1)))
    if abs(gain) < _GROWN:
        return 0.0
    tube = _tube_growth(volume, cell, reference.air)
    if tube is None:
        return gain
    slope, sd = tube
    return gain if abs(slope - per_slice) < _DENIED * sd else 0.0


def _tube_growth(volume: Voxels, cell: CellGeometry, air: float) -> tuple[float, float] | None:
    """Give by which part of its value the tube grows from slice to slice; None without a tube.

    Beside the electrolyte: blur brings something of steel and particles into it.
    """
    span = electrolyte_span(cell, _MARGIN_VOXELS * cell.voxel_size_um[0])
    if cell.tube_radius_um is None or span is None:
        return None
    groups = _slices(span, _TUBE_SLICES)
    z, found = np.array([*chain(*map_blocks(_tube, groups, volume, cell, air))]).reshape(-1, 2).T
    known = np.isfinite(found)
    if np.count_nonzero(known) < _LEAST_SLICES:
        return None
    z, found = z[known], found[known]
    t = z - z.mean()
    slope = float(t @ found / (t @ t))
    left = found - found.mean() - slope * t
    sd = float(np.sqrt(left @ left / (len(t) - 2) / (t @ t)))
    mean = float(found.mean())
    return (slope / mean, sd / mean) if mean > 0 else None


def _tube(
    slices: Sequence[int], volume: Voxels, cell: CellGeometry, air: float
) -> list[tuple[float, float]]:
    """Give height (slices) and value above air of the tube's wall, slice by slice."""
    thick, found = (cell.tube_radius_um or np.nan) - cell.bore_radius_um, []
    for z, image in _images(slices, volume):
        wall = (cell.radius_um(float(z)) - cell.bore_radius_um) / thick
        ring = image[(wall > _WITHIN[0]) & (wall < _WITHIN[1]) & np.isfinite(image)]
        found.append((float(z), float(ring.mean()) - air if ring.size else float("nan")))
    return found
