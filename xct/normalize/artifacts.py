"""Rings, noise and cupping of a volume that another program made. In: a volume; out: numbers.

A ring is seen alike in two halves of its circle; grains, inclusions and noise are not. So what the
means of two sets of sectors have in common, radius by radius, is what rings add to the values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from xct.geometry import CellGeometry
from xct.normalize.given.noise_patterns import likeness_beside, weave
from xct.normalize.given.one_slice import look_at_slab
from xct.normalize.reference import Reference
from xct.normalize.sampling import electrolyte_span, slices_by_slab
from xct.parallel.blocks import Voxels
from xct.parallel.executors import map_blocks
from xct.physics.optics import FWHM_PER_SIGMA

_SLICES = 12
_LEAST_SLICES = 4
SURE, _LIKELY = 4.0, 2.0  # standard errors: to say it, and to count it into an uncertainty
# Of the electrolyte's value. Scans without a fault have up to 0.055, noise of their flats; at
# 0.04 to 0.08 inclusions came and went by one or two, at 0.13 low grey was five times what it is.
# At 0.037 five inclusions were found for two (seed 13).
FORGING, _TOUCHING = 0.06, 0.03
# In the mean of a cube as wide as a small particle: at 0.16 layers are right and small particles
# begin to be lost, at 0.23 layers are taken for others.
CUBE_UM, NOISY = 8.0, 0.18
# A sure difference between the outer and the inner electrolyte that is no trend of a flat cell: of
# plain scans it is below 0.02, of 3 % of veiling glare up to 0.04.
CUPPED = 0.05
# … and what makes a mean over the radius less certain: cupping of plain volumes is up to 0.017.
# Rings of 4.5 % moved it by 1.7 % (seed 11).
_SEEN, _SHIFT = 0.02, 0.4
# Steps of the values, as of few bits, over the electrolyte's value: at 0.13 all numbers were those
# of real numbers, at 0.7 particles doubled and inclusions came out.
COARSE = 0.3
# Noise of neighboring slices, less its mean over 3 × 3 pixels: independent in 0 to 0.04 of it where
# each detector row has noise of its own (0.12 in the flats of a real scan), 0.46 to 0.58 alike
# after a median over 3 × 3 × 3 voxels, which melts particles into one, and 0.26 after values were
# interpolated between voxels, which halved the count of small ones.
ALIKE = 0.25
# Noise of voxels two apart in a slice, beyond what the point spread makes alike: -0.11 to -0.03 as
# it was scanned, also turned or moved by parts of a pixel; after a bilateral filter 0.12 to 0.16,
# non-local means and medians up to 0.27, and particles were lost (seeds 3 and 11).
_MORE_ALIKE = 0.08
# … of most pixels: of plain volumes -0.06 to 0.01 whatever their noise, 0.25 and more after
# filters.
_MOST_ALIKE = 0.05
# Waves of the noise's strength: plain volumes have up to 19; turned by 5 to 45°, or scaled by a
# tenth, with linear interpolation 77 and more (seeds 3 and 11, six cells, three medium ones).
# With cubic interpolation, which keeps particles, 30.
WOVEN = 40.0
# Noise of neighboring pixels: 0.07 to 0.14 alike with a ramp filter (seeds 3, 11, 21, 91, six
# cells, two medium ones), 0.26 to 0.30 after a Gaussian of half a pixel, 0.37 to 0.46 after a shift
# by half a pixel, which loses a third of small particles.
_SOFT = 0.22
# … and by how much more along the radius than around it, in the outer third: up to 0.02 in plain
# volumes (5 cells, both makes), -0.02 to 0.03 with rings, four times the noise, 8 bits, turned,
# scaled, moved by half a voxel, or blurred along one axis; 0.07 to 0.10 after a lens of 0.5 % of
# the radius, which costs a quarter of the small particles, 0.16 to 0.20 of 1 %, 0.3 of 3 %.
WARPED, _WARPED_PERHAPS = 0.12, 0.045
# Of the voxels of noise 0.27 % are beyond three standard deviations, more where there is structure
# (0.33 to 0.49 %); where outliers were replaced, hardly any (0.03 to 0.10 %; seeds as above). And
# single voxels far beyond all their neighbors.
_TAILS, _LEAST_OF_TAILS = 0.0017, 10_000
_POINTS, _LEAST_POINTS = 3e-5, 5
# Of air about the tube, over the electrolyte's value: what makes μ uncertain, and is said.
_OFFSET, OFFSET_SAID = 0.02, 0.05
SHADED = 0.08  # brighter on one side: at 0.3 the volume of inclusions was wrong (seed 92)
DOUBLED = 0.2  # of the slices that are looked at; sampled at random, half of them have their twin
_CODES = 0.1  # of a typical μ over the electrolyte's: lower, and values are no attenuation at all


@dataclass(frozen=True)
class Artifacts:
    """What a volume holds that is no sample, as fractions of the electrolyte's value.

    Attributes
    ----------
    rings, rings_sd : float
        Standard deviation that rings add in the electrolyte, and its standard error; NaN where too
        little of it is in view.
    noise : float
        Standard deviation of a voxel.
    noise_of_cube : float
        … of the mean of a cube of 8 µm, were voxels independent.
    cupping, cupping_sd : float
        How much more the electrolyte attenuates in the outer fifth of the bore's radius than in
        the inner two.
    n : int
        Slices.
    step : float
        From each value to the next that occurs; 0 of real numbers.
    is_grey : bool
        Whether the values are on a scale of their own, and no attenuation.
    shared : float
        Correlation of the noise of neighboring slices, median of the half of the slices that has
        more; NaN where xct interpolated them.
    doubled : float
        Fraction of the slices that equal the next one, value by value.
    alike_across : float
        Correlation of the noise of voxels two apart in a slice, as `shared`; of the electrolyte.
    blur_px : float
        Width of the point spread (FWHM), voxels.
    tilt_deg : float
        By how much layers leaned in the file, that were put upright: its ends are oblique.
    weave : float
        Power of the strongest even wave of the noise's strength across slices, over the median.
    alike_beside : float
        Correlation of the noise of neighboring pixels of a slice, median.
    outward : float
        By how much that is more along the radius than around it, beside the wall.
    air, air_sd : float
        What lies about the tube at the electrolyte's heights, where scales should begin, and its
        standard error; NaN where it is not in view.
    points : float
        Fraction of voxels that stick out of all their neighbors, by more than noise; 0 of a few.
    tails : float
        Fraction of voxels of noise beyond three standard deviations; NaN of too few.
    shading : float
        By how much the electrolyte is surely brighter on one side than on the other.
    """

    rings: float
    rings_sd: float
    noise: float
    noise_of_cube: float
    cupping: float
    cupping_sd: float
    n: int
    step: float = 0.0
    is_grey: bool = False
    shared: float = float("nan")
    doubled: float = 0.0
    alike_across: float = float("nan")
    blur_px: float = float("nan")
    tilt_deg: float = 0.0
    weave: float = float("nan")
    alike_beside: float = float("nan")
    outward: float = float("nan")
    air: float = float("nan")
    air_sd: float = float("nan")
    points: float = 0.0
    tails: float = float("nan")
    shading: float = 0.0

    @property
    def upright(self) -> bool:
        """Whether layers leaned and were put upright."""
        return self.tilt_deg != 0

    @property
    def doubt_of_mean(self) -> float:
        """Relative standard uncertainty that cupping and rings give to μ, a mean over the radius.

        What μ would be without is not known: as at the rim, as in the middle, or beyond either.
        """
        cupping, rings = abs(self.cupping), self.rings
        cupped = cupping > max(_SEEN, _LIKELY * self.cupping_sd)
        ringed = rings > max(_SEEN, _LIKELY * self.rings_sd)
        parts = (cupping if cupped else 0.0, _SHIFT * rings if ringed else 0.0, self.offset)
        return float(np.hypot.reduce(parts))

    @property
    def offset(self) -> float:
        """How far the scale surely begins beside 0, over the electrolyte's value; 0 if not."""
        away = 0.0 if self.is_grey else abs(self.air)
        return away if away > max(_OFFSET, SURE * self.air_sd) else 0.0

    @property
    def shaded(self) -> bool:
        """Whether one side is so much brighter that what is dark or bright there is misjudged."""
        return self.shading > SHADED

    @property
    def pointed(self) -> bool:
        """Whether single voxels stick out, as no sample does that a point spread blurs."""
        return self.points > _POINTS

    @property
    def trimmed(self) -> bool:
        """Whether outliers of the noise were replaced, and with them tips and edges of grains."""
        return self.tails < _TAILS

    @property
    def forged(self) -> bool:
        """Whether arcs of rings count as inclusions, and hide some."""
        return self.rings > max(FORGING, SURE * self.rings_sd)

    @property
    def touched(self) -> bool:
        """Whether rings may make or hide an inclusion or two, as in many a scan without a fault."""
        return self.rings > max(_TOUCHING, SURE * self.rings_sd)

    @property
    def filtered(self) -> bool:
        """Whether a filter went over each slice: noise is alike over more than edges are wide."""
        sd = max(self.blur_px, 0.1) / FWHM_PER_SIGMA
        arcs = (self.rings / self.noise) ** 2 if self.touched and self.noise > 0 else 0.0
        return self.alike_across - arcs > _MORE_ALIKE + float(np.exp(-1 / sd**2))

    @property
    def woven(self) -> bool:
        """Whether slices were turned or scaled: noise is weaker where values lie between pixels."""
        return self.weave > WOVEN

    @property
    def softened(self) -> bool:
        """Whether a window of the reconstruction, or a shift by a part of a pixel, smoothed it."""
        return self.alike_beside > _SOFT

    @property
    def warped(self) -> bool:
        """Whether slices were warped about their middle: outward values lie between pixels."""
        return self.outward > WARPED

    @property
    def perhaps_warped(self) -> bool:
        """Whether they were by little: a lens of 0.5 % costs a quarter of the small particles."""
        return self.outward > _WARPED_PERHAPS

    @property
    def smoothed(self) -> bool:
        """Whether a filter, or an interpolation, went over the volume; doubled slices are none."""
        return self.shared > ALIKE and self.doubled <= DOUBLED


def look_at_artifacts(
    volume: Voxels, cell: CellGeometry, reference: Reference, steps: Mapping[str, Any]
) -> Artifacts | None:
    """Measure rings, noise and cupping in the electrolyte.

    Rings are looked for about the middle of the slices, where most programs have the axis of
    rotation, and about the bore's axis; in a cropped volume they may lie elsewhere.

    Parameters
    ----------
    volume : Voxels, shape (z, y, x)
        Any linear scale.
    cell : CellGeometry
        Where bore and layers lie.
    reference : Reference
        The electrolyte's value and the noise.
    steps : mapping
        Settings of the steps that led to the volume, by name.

    Returns
    -------
    Artifacts or None
        None for a volume that xct reconstructed: its stripes are measured before.
    """
    if "fbp" in steps:
        return None
    groups = _inside(cell, reference.blur_um)
    looks = [*chain(*map_blocks(look_at_slab, groups, volume, cell, reference))]
    changes = [one.change for one in looks if one.change is not None]
    found = np.array([one.rings_and_cupping for one in looks]).reshape(-1, 3)
    alike, outward, air = np.array(
        [(one.shared, one.outward, one.air) for one in looks]
    ).reshape(-1, 3).T  # fmt: skip
    across = np.array([one.across for one in looks]).reshape(-1, 2)
    points, beyond, n = (
        sum(each) for each in zip((0, 0, 0), *(one.odd for one in looks), strict=True)
    )
    own = np.isfinite(alike).any() and not _interpolated(volume, cell)
    held = found[np.isfinite(found).all(axis=1)]
    noise = _noise_of(reference)
    rings, cupping = _rings(held[:, :2]), _mean(held[:, 2])
    offset = _mean(air[np.isfinite(air)] / reference.peak_per_cm)
    return Artifacts(
        *rings,
        noise=noise,
        noise_of_cube=noise_of_cube(cell, reference),
        cupping=cupping[0],
        cupping_sd=cupping[1],
        n=len(held),
        step=max((one.step for one in looks), default=0.0) / reference.peak_per_cm,
        is_grey=reference.is_grey,
        shared=_worse_half(alike) if own else float("nan"),
        doubled=float(np.mean([one.twin for one in looks])) if looks else 0.0,
        alike_across=_alike_across(across) if own else float("nan"),
        blur_px=reference.blur_um / min(cell.voxel_size_um[1:]),
        tilt_deg=float((getattr(volume, "placement", None) or {}).get("tilt_deg", 0.0)),
        weave=_worst_part(weave, changes) if own else np.nan,
        alike_beside=_worst_part(likeness_beside, changes) if own else np.nan,
        outward=_mean(outward[np.isfinite(outward)])[0] if own else float("nan"),
        air=offset[0],
        air_sd=offset[1],
        points=points / n if points >= _LEAST_POINTS else 0.0,
        shading=_shading(np.array([one.shading for one in looks]).reshape(-1, 2)),
        tails=beyond / n if own and n >= _LEAST_OF_TAILS else float("nan"),
    )


def _shading(rises: np.ndarray) -> float:
    """Join how much values rise along y and x, slice by slice; 0 where they do not for sure."""
    held = rises[np.isfinite(rises).all(axis=1)]
    along = [_mean(column) for column in held.T]
    sure = [mean for mean, error in along if abs(mean) > SURE * error]
    return float(np.hypot.reduce([0.0, *sure]))


def _alike_across(by_slice: np.ndarray) -> float:
    """Give how alike noise two pixels apart is; by what most pixels are, where that is no more.

    Pores are alike over as much, and noise may be little.
    """
    of_all, of_most = (_worse_half(column) for column in by_slice.T)
    return of_all if of_most > _MOST_ALIKE else of_most


def _worse_half(values: np.ndarray) -> float:
    """Give the larger median of the lower and the upper slices: one part may be another's work."""
    halves = [part[np.isfinite(part)] for part in np.array_split(values, 2)]
    return max((float(np.median(part)) for part in halves if part.size), default=float("nan"))


def _worst_part(
    look: Callable[[Sequence[np.ndarray]], float], changes: Sequence[np.ndarray]
) -> float:
    """Give the most of all slices, of the lower and of the upper ones."""
    half = len(changes) // 2
    found = [look(part) for part in (changes, changes[:half], changes[half:])]
    return max((one for one in found if np.isfinite(one)), default=float("nan"))


def noise_of_cube(cell: CellGeometry, reference: Reference) -> float:
    """Give the noise of the mean of a cube of 8 µm over the electrolyte's value.

    Parameters
    ----------
    cell : CellGeometry
        With the size of a voxel; the noise of voxels is taken to be independent.
    reference : Reference
        The electrolyte's value and the noise.
    """
    voxels = CUBE_UM**3 / float(np.prod(cell.voxel_size_um))
    return float(_noise_of(reference) / max(1.0, voxels) ** 0.5)


def _interpolated(volume: Voxels, cell: CellGeometry) -> bool:
    """Whether xct itself made values between those of the file."""
    placement = getattr(volume, "placement", None)
    if placement is None:
        return False
    edges = sorted(placement.get("file_voxel_um", cell.voxel_size_um))
    return placement["tilt_deg"] != 0 or not np.allclose(edges, sorted(cell.voxel_size_um))


def _mean(values: np.ndarray) -> tuple[float, float]:
    """Give a mean over slices and its standard error; NaN of too few."""
    if len(values) < _LEAST_SLICES:
        return float("nan"), float("nan")
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))


def _rings(variances: np.ndarray) -> tuple[float, float]:
    """Give the standard deviation of rings about the better center, and its standard error."""
    mean, error = max(_mean(variances[:, 0]), _mean(variances[:, 1]))
    rings = float(np.sqrt(max(mean, 0.0))) if np.isfinite(mean) else mean
    # Of a root: where it is not surely above 0, what would be.
    return rings, error / (2 * rings) if mean > error else float(np.sqrt(error))


def _noise_of(reference: Reference) -> float:
    """Give the noise of a voxel over the electrolyte's value, or over a typical one.

    Noise may hide the electrolyte, and something brighter is taken for it: its value is no μ then.
    """
    if not np.isfinite(reference.noise_per_cm).any():
        return float("nan")
    level = reference.peak_per_cm
    if not reference.is_grey and reference.per_cm > _CODES:
        level *= min(1.0, reference.per_cm)
    return float(np.nanmedian(reference.noise_per_cm)) / level


def _inside(cell: CellGeometry, blur_um: float) -> list[list[int]]:
    """Choose slices that hold nothing but electrolyte across the bore, slab by slab."""
    span = electrolyte_span(cell, 2 * blur_um)
    if span is None or not cell.planes:
        return []
    step, reach = cell.voxel_size_um[0], cell.bore_radius_um
    y = cell.axis_y_um + reach * np.array([-1.0, 1.0])[:, None]
    x = cell.axis_x_um + reach * np.array([-1.0, 1.0])[None]
    low, high = span.limits_um(y, x)
    first = max(int(np.ceil(np.max(low) / step)), 0)
    last = min(int(np.floor(np.min(high) / step)), cell.shape[0] - 1)
    if last < first:
        return []
    return slices_by_slab(first, last, _SLICES)
