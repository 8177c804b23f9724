"""Electrolyte between the particles of a cathode. In: a volume, its cell; out: a rough value."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from xct.geometry import CellGeometry
from xct.normalize.glare import diagnose
from xct.normalize.model import SmoothModel
from xct.normalize.reference import Reference
from xct.normalize.sampling import Cubes, Span, cathode_span, gather_cubes, read_slab, thin_group
from xct.normalize.volume_sample import AboveAir, VolumeSample, sample_volume
from xct.parallel.blocks import GRANULE, Block, Voxels
from xct.parallel.executors import map_blocks
from xct.statistics.mixture_fits import RobustFit, fit_robust

_LEAST_CUBES = 180
_MARGIN_UM = 13.0  # about a particle
# Carbon and pores make the electrolyte between the particles darker by an unknown part.
_COMPOSITION_SD = 0.1
# Where most voxels hold both, the mixture's even distribution of fractions is a rough guess.
_MIXED_SD = 0.5
_BINS = 400
_GRANULES = 4  # of slices that share chunks on disk, over the height of a cathode
# Active material over electrolyte, and the least fraction of either, in what is called a composite.
_CONTRAST, _LEAST_BRIGHT = (3.0, 20.0), 0.15
# … and in a volume that was blurred by 1.2 to 2 voxels, of which only steel stood out: 0.03 to
# 0.06, where cathodes have 0.3 (seeds 3, 11, 91).
_RARE = 0.1


@dataclass(frozen=True)
class Cathode:
    """A cathode's cubes, and the mixture of electrolyte and particles in its voxels."""

    cubes: Cubes
    mixture: RobustFit | None
    z_um: float

    @property
    def in_plane(self) -> tuple[float, float] | None:
        """Value of the electrolyte between the particles, and its standard deviation."""
        if self.mixture is None:
            return None
        dark = self.mixture.mixture.a
        unsure = np.hypot(_COMPOSITION_SD, _MIXED_SD * self.mixture.mixture.weight_ab)
        return float(dark), float(np.hypot(self.mixture.dark_sd, unsure * dark))

    @property
    def has_particles(self) -> bool:
        """Whether what is bright in it is no rarity: else it is steel, in a blurred volume."""
        return self.mixture is not None and self.mixture.mixture.fraction_b > _RARE


def composite_span(cell: CellGeometry) -> Span | None:
    """Find where a cathode may lie; without any surface in view, everywhere."""
    if cell.only != "cathode" and not cell.planes:
        return Span(cell, None, None, _MARGIN_UM)
    return cathode_span(cell, _MARGIN_UM)


def find_cathode(
    volume: Voxels, sample: VolumeSample, span: Span | None, air: float
) -> Cathode | None:
    """Find what a cathode says of the electrolyte in it; None where too little is in view.

    Parameters
    ----------
    volume : Voxels, shape (z, y, x)
        Any linear scale.
    sample : VolumeSample
        What was gathered of it.
    span : Span or None
        Where the cathode lies.
    air : float
        Value of air in the volume.
    """
    if span is None:
        return None
    cubes = gather_cubes(volume, span, air)
    if cubes.mean.size < _LEAST_CUBES:
        return None
    first, stop = span.rows()
    noise = sample.noise[first:stop]
    sigma = float(np.nanmedian(noise)) if np.isfinite(noise).any() else 0.0
    above = AboveAir(volume, air) if air else volume
    mixture = _mixture(above, span, cubes, max(sigma, 1e-6 * float(np.ptp(cubes.mean))))
    return Cathode(cubes, mixture, float(cubes.z_um.mean()))


def is_composite(volume: Voxels, cell: CellGeometry) -> bool:
    """Say whether grey values in the bore are those of active material in electrolyte.

    They are a mixture of two materials, one of which attenuates as many times more than the other
    as active material does (8.6 times, less where blur or pores blend them), and both are common.

    Parameters
    ----------
    volume : Voxels, shape (z, y, x)
        Any linear scale.
    cell : CellGeometry
        Where the bore lies.
    """
    span = composite_span(cell)
    sample = sample_volume(volume, cell)
    cathode = find_cathode(volume, sample, span, float(np.nan_to_num(sample.air)))
    if cathode is None or cathode.mixture is None:
        return False
    mixture = cathode.mixture.mixture
    low, high = _CONTRAST
    bright = mixture.fraction_b
    contrast = low < mixture.b / mixture.a < high
    return contrast and _LEAST_BRIGHT < bright < 1 - _LEAST_BRIGHT


def _mixture(volume: Voxels, span: Span, cubes: Cubes, sigma: float) -> RobustFit | None:
    """Electrolyte, particles and their partial volumes, from the voxels of the cathode."""
    ends = -6 * sigma, float(np.quantile(cubes.mean, 0.999)) * 2.5
    counted = map_blocks(_counted, _sample_of(span), volume, span, ends, read=read_slab)
    counts, edges = np.sum(counted, axis=0), np.linspace(*ends, _BINS + 1)
    middles = 0.5 * (edges[1:] + edges[:-1])
    if counts.sum() < 500:
        return None
    dark = float(middles[counts[: _BINS // 4].argmax()])
    bright = float(middles[np.searchsorted(np.cumsum(counts) / counts.sum(), 0.97)])
    try:
        found = fit_robust(counts, edges, dark=max(dark, sigma), bright=bright, noise=sigma)
    except ValueError:
        return None
    plausible = 0 < found.mixture.a < found.mixture.b and found.mixture.weight_a > 0.05
    plausible &= found.misfit < 0.15
    return found if plausible else None


def _sample_of(span: Span) -> list[Block]:
    """Choose slices over the whole height: voxels enough for a mixture, however large it is."""
    (first, stop), depth = span.rows(), span.cell.shape[0]
    starts = range(first // GRANULE * GRANULE, stop, GRANULE)
    chosen = starts[:: max(1, round(len(starts) / _GRANULES))]
    groups = [thin_group(z, min(z + GRANULE, depth), span.cell.shape[2]) for z in chosen]
    return [Block(first, stop, first, stop) for first, stop in groups]


def _counted(
    block: Block, slab: np.ndarray, volume: Voxels, span: Span, ends: tuple[float, float]
) -> np.ndarray:
    """Histogram of the voxels of a slab that lie inside."""
    counts = np.zeros(_BINS, np.int64)
    for z in range(max(block.first, span.rows()[0]), min(block.stop, span.rows()[1])):
        image = slab[z - block.first]
        counts += np.histogram(image[_held(span, z)].astype(np.float64), _BINS, ends)[0]
    return counts


def _held(span: Span, z: int) -> np.ndarray:
    cell = span.cell
    y = np.arange(cell.shape[1])[:, None] * cell.voxel_size_um[1]
    x = np.arange(cell.shape[2])[None, :] * cell.voxel_size_um[2]
    low, high = span.limits_um(y, x)
    height = z * cell.voxel_size_um[0]
    return np.asarray(cell.in_bore(z, span.margin_um) & (low < height) & (high > height))


def reference_between_particles(
    cell: CellGeometry,
    cathode: Cathode,
    noise: np.ndarray,
    blur: tuple[float, float],
    air: float,
    per_um: float = 1e-4,
) -> Reference:
    """Make the reference of a cell whose electrolyte is in view only between the particles."""
    from pandas import DataFrame

    peak, sd = cathode.in_plane or (float("nan"), float("nan"))
    warnings.warn(
        f"no layer of electrolyte is in view: the reference, {peak:.4g} ± {sd:.2g}, is that "
        "between the particles of the cathode, where carbon and pores make it darker",
        stacklevel=3,
    )
    z = (float(cathode.cubes.z_um.min()), float(cathode.cubes.z_um.max()))
    model = SmoothModel(*z, cell.bore_radius_um, (peak,), (), ((sd**2,),))
    table = DataFrame([{
        "layer": "cathode", "z_um": cathode.z_um, "radius_um": 0.5 * cell.bore_radius_um,
        "peak_per_cm": peak, "peak_per_cm_sd": sd, "n": cathode.cubes.mean.size,
        "model_per_cm": peak, "reference": "in_plane",
    }])  # fmt: skip
    return Reference(
        model=model, noise_per_cm=noise, blur_um=blur[0], blur_sd_um=blur[1], table=table,
        peak_per_cm=peak, peak_sd_per_cm=sd, n=int(cathode.cubes.mean.size),
        flatness_before=float("nan"), flatness_after=float("nan"),
        glare=diagnose(
            cathode.cubes, model, bore_radius_um=cell.bore_radius_um, in_plane=None, per_um=per_um
        ),
        air=air,
    )  # fmt: skip
