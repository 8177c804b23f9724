"""Gaps and darker shells around particles. In: volume, particles; out: their widths, ± sd."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import numpy as np
from annotated_types import Ge, Gt

from xct.analyze.shell_fit import fit_layers, resolved_layers
from xct.errors import DataError
from xct.geometry import CellGeometry, Label
from xct.normalize.grey_scale import Ratios
from xct.normalize.reference import ElectrolyteReference
from xct.parallel.blocks import Block, Voxels, slabs
from xct.parallel.executors import map_blocks
from xct.parallel.kernels import njit
from xct.parallel.threads import thread_count
from xct.physics.optics import FWHM_PER_SIGMA
from xct.quantity import Quantity, Table
from xct.stages import stage

if TYPE_CHECKING:
    import pandas as pd

_ROUGH_PX = 0.15  # scatter of a labelled surface about the true one
_FACE_PX = 0.2  # how well a width between such surfaces is known
_LEAST_VOXELS = 8  # of a bin
_LEAST_BINS = 10
_NARROW = 0.5  # widths of the point spread: below, a layer looks like a moved surface
_CLEAR = 1.25  # widths of the point spread to everything that is brighter

_GREY_STEP = 1e-4  # of the electrolyte's attenuation: what a grey value is rounded to
_AWAY_STEP = 1e-3  # of a voxel: what a distance is rounded to
COUNT, AWAY, GREY, GREY_2, FIELDS = range(5)

_OTHER = np.uint32(0xFFFFFFFF)  # neither particle nor what surrounds it


@stage(
    gives=Quantity("shells", unit="table of gaps and shells around particles", store=Table()),
    measures=True,
)
def particle_shells(
    volume: Voxels,
    particle_labels: Voxels,
    particles: pd.DataFrame,
    cell: CellGeometry,
    reference: ElectrolyteReference,
    labels: Voxels | None = None,
    *,
    reach_um: Annotated[float, Gt(0)] = 4.0,
    blur_um: Annotated[float, Gt(0)] | None = None,
    gap_ratio: Annotated[float, Ge(0)] = 0.0,
) -> pd.DataFrame:
    """Measure the gap between each particle and the electrolyte, and the darker shell around it.

    Undenoised grey values are averaged by distance from the particle's surface, in the particle
    and in what is nearer to it than to any other; cavities are left out. To this profile a
    blurred particle, layers and electrolyte are fitted. A layer about as dark as what fills gaps
    is a gap, of the opening w = ∫(1 − (g − g_low)/(g_SE − g_low)) ds over it; another one is a
    shell. A gap that does not go all around its particle shows as a shell of that part's depth.

    Parameters
    ----------
    volume : Voxels, shape (z, y, x)
        Linear attenuation, 1/cm, of a resolution finer than the shells.
    particle_labels : Voxels, shape (z, y, x)
        The number of the particle, as `xct.segment.particles` gives it.
    particles : DataFrame
        Their table, of the same function.
    cell : CellGeometry
        Where the cell lies.
    reference : Reference
        The electrolyte's attenuation by height and radius, and the blur.
    labels : Voxels, shape (z, y, x), optional
        Materials: only electrolyte and low grey surround particles. Without, all of the bore does.
    reach_um : float, optional
        How far from a particle voxels count: more than gap, shell and blur together.
    blur_um : float, optional
        Full width at half maximum of the point spread; that of the reference unless given.
    gap_ratio : float, optional
        Attenuation of what fills gaps, as a multiple of the electrolyte's: 0 for air.

    Returns
    -------
    DataFrame
        A row for each particle: ``particle``, ``gap_um``, ``gap_sd_um``, ``gap_resolved``,
        ``shell_um`` (its thickness), ``shell_sd_um``, ``shell_depth`` (fraction of the way from
        the electrolyte to what fills gaps), ``shell_depth_sd``, ``shell_resolved``, ``least_um``
        (half of the point spread, the rough surface of voxels in it: what is narrower is not
        resolved), ``n`` (voxels around the particle). NaN where nothing is resolved: no layer,
        a narrower one, or one that a gap and a wider, lighter shell explain as well.

    Raises
    ------
    DataError
        If the point spread is not known, or the shapes differ.
    """
    return shells_in_slabs(
        volume, particle_labels, particles, cell, reference, labels,
        reach_um=reach_um, blur_um=blur_um, gap_ratio=gap_ratio,
    )  # fmt: skip


def shells_in_slabs(
    volume: Voxels,
    particle_labels: Voxels,
    particles: pd.DataFrame,
    cell: CellGeometry,
    reference: ElectrolyteReference,
    labels: Voxels | None = None,
    *,
    reach_um: float = 4.0,
    blur_um: float | None = None,
    gap_ratio: float = 0.0,
    rows: int | None = None,
) -> pd.DataFrame:
    """Measure as `particle_shells` does, in slabs of a given height, which changes nothing."""
    import pandas as pd

    numbers, table = particle_labels, particles
    _check_shapes(volume, numbers, labels)
    blur = _known_blur(blur_um, reference)
    pixel = float(min(cell.voxel_size_um))
    bins = Bins.of(pixel, blur, reach_um)
    known = table["particle"].to_numpy(int)
    seen = Surroundings(Ratios(volume, cell, reference), numbers, labels)
    sums = sum_by_distance(seen, int(known.max(initial=0)), bins, rows)
    sigma = float(np.hypot(blur / FWHM_PER_SIGMA, _ROUGH_PX * pixel))
    found = [measure_layers(sums[p], bins, sigma, gap_ratio) for p in known]
    return pd.DataFrame(
        [{"particle": int(p), **row} for p, row in zip(known, found, strict=True)],
        columns=["particle", *_nothing(0, 0)],
    )


def _check_shapes(volume: Voxels, numbers: Voxels, labels: Voxels | None) -> None:
    for name, other in (("particles", numbers), ("labels", labels)):
        if other is not None and tuple(other.shape) != tuple(volume.shape):
            raise DataError(
                f"{name} have shape {tuple(other.shape)}, the volume has {tuple(volume.shape)} "
                "(z, y, x); give those that were found in this volume"
            )


def _known_blur(blur_um: float | None, reference: ElectrolyteReference) -> float:
    blur = float(reference.blur_um if blur_um is None else blur_um)
    if not (np.isfinite(blur) and blur > 0):
        raise DataError(
            "the point spread of this volume could not be measured, so a gap looks like "
            "a blurred surface; give its full width at half maximum as blur_um"
        )
    return blur


def _nothing(least_um: float, n: int) -> dict[str, Any]:
    nan = float("nan")
    return {
        "gap_um": nan, "gap_sd_um": nan, "gap_resolved": False,
        "shell_um": nan, "shell_sd_um": nan, "shell_depth": nan, "shell_depth_sd": nan,
        "shell_resolved": False, "least_um": least_um, "n": n,
    }  # fmt: skip


def measure_layers(sums: np.ndarray, bins: Bins, sigma: float, gap: float) -> dict[str, Any]:
    """Fit layers to the profile of one particle, and keep what is resolved."""
    least = _NARROW * FWHM_PER_SIGMA * sigma
    count = sums[:, COUNT]
    outside = (np.arange(bins.size) + 0.5) * bins.step_um > bins.inside_um
    row = _nothing(least, int(count[outside].sum()))
    kept = count >= _LEAST_VOXELS
    if np.count_nonzero(kept & outside) < _LEAST_BINS or not (kept & ~outside).any():
        return row
    n = count[kept].astype(float)
    away = sums[kept, AWAY] / n * _AWAY_STEP * bins.pixel_um
    grey = sums[kept, GREY] / n * _GREY_STEP
    scatter = np.sqrt(np.maximum(sums[kept, GREY_2] / n * _GREY_STEP**2 - grey**2, 0))
    sd = np.maximum(scatter, 1e-3) / np.sqrt(n)
    fit = fit_layers(away, grey, sd, sigma, gap)
    if abs(fit.edges_um[0]) > 2 * FWHM_PER_SIGMA * sigma + bins.pixel_um:
        return row  # the profile does not begin with the particle
    farthest, face = float(away[-1]) - least, _FACE_PX * bins.pixel_um
    return row | resolved_layers(fit, farthest_um=farthest, least_um=least, gap=gap, face_um=face)


class Bins(NamedTuple):
    """How voxels are binned by their distance from a particle's surface.

    Attributes
    ----------
    inside_um, reach_um : float
        How deep into the particle, and how far from it.
    step_um : float
        Width of a bin.
    clear_um : float
        Voxels nearer to another particle's realm, or to another material, are left out.
    pixel_um : float
        Smallest edge of a voxel.
    """

    inside_um: float
    reach_um: float
    step_um: float
    clear_um: float
    pixel_um: float

    @property
    def size(self) -> int:
        """How many bins there are."""
        return ceil((self.inside_um + self.reach_um) / self.step_um)

    @classmethod
    def of(cls, pixel_um: float, blur_um: float, reach_um: float) -> Bins:
        """Choose bins of half a voxel; none that blur from elsewhere could reach."""
        clear = _CLEAR * blur_um + pixel_um
        return cls(1.5 * blur_um + pixel_um, reach_um, pixel_um / 2, clear, pixel_um)


class Surroundings(NamedTuple):
    """Where particles lie: the volume as multiples of the electrolyte, numbers, labels."""

    ratios: Ratios
    numbers: Voxels
    labels: Voxels | None


def sum_by_distance(
    particles: Surroundings, count: int, bins: Bins, rows: int | None = None
) -> np.ndarray:
    """Sum grey values around and in each particle by distance from its surface.

    Whole numbers, so that sums do not depend on where the volume was cut.

    Returns
    -------
    ndarray of int64, shape (1 + particle, bin, field)
        Voxels, distances, grey values and their squares.
    """
    size_z = particles.ratios.cell.voxel_size_um[0]
    # An owner is known where its surface is seen; another's realm may lie `clear_um` further.
    farthest = bins.reach_um + 2 * bins.clear_um
    overlap = ceil(max(farthest, bins.inside_um) / size_z) + 2
    blocks = slabs(particles.ratios.shape, overlap, rows)
    sums = np.zeros((count + 1, bins.size, FIELDS), np.int64)
    for owners, part in map_blocks(_sum_slab, blocks, particles, count, bins):
        sums[owners] += part
    return sums


def _sum_slab(
    slab: Block, particles: Surroundings, count: int, bins: Bins
) -> tuple[np.ndarray, np.ndarray]:
    """Sum over one slab: the particles that it concerns, and their sums."""
    sums = np.zeros((count + 1, bins.size, FIELDS), np.int64)
    numbers = np.ascontiguousarray(particles.numbers[slab.outer]).astype(np.uint32, copy=False)
    if numbers.any():
        size = np.array(particles.ratios.cell.voxel_size_um, float)
        other = _others(numbers, particles, slab.outer_first)
        seen = _Seen(numbers, other, *_distances(numbers, other, size))
        look = np.array([ceil(bins.reach_um / s) + 1 for s in size], np.int64)
        grey = particles.ratios.read(slab.first, slab.stop)
        _add(grey, seen, slab.inner.start, look, bins, sums)
    owners = np.flatnonzero(sums[:, :, COUNT].any(axis=1))
    return owners, sums[owners]


def _others(numbers: np.ndarray, particles: Surroundings, first: int) -> np.ndarray:
    """Mark voxels that neither belong to a particle nor surround one."""
    if particles.labels is not None:
        found = np.asarray(particles.labels[first : first + len(numbers)])
        around = (found == Label.ELECTROLYTE) | (found == Label.LOW_GREY)
        return np.asarray(~around & (numbers == 0))
    cell = particles.ratios.cell
    bore = np.stack([cell.in_bore(first + z) for z in range(len(numbers))])
    return np.asarray(~bore & (numbers == 0))


def _distances(
    numbers: np.ndarray, other: np.ndarray, size: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find the nearest particle of each voxel, and how far things are.

    Returns
    -------
    away : ndarray of float32
        Distance from the nearest particle's surface, negative inside.
    owner : ndarray of uint32
        Number of that particle.
    clearance : ndarray of float32
        Distance from what is nearer to another particle, and from other materials.
    """
    from edt import edt
    from scipy.ndimage import distance_transform_edt

    solid = numbers > 0
    half = np.float32(size.min() / 2)  # the wall between two voxels is half-way
    anisotropy, threads = tuple(size.tolist()), thread_count()
    find: Any = edt
    away = find(~solid, anisotropy=anisotropy, parallel=threads) - half
    inside = find(solid, anisotropy=anisotropy, parallel=threads) - half
    away[solid] = -inside[solid]
    del inside
    z, y, x = distance_transform_edt(
        ~solid, sampling=size, return_distances=False, return_indices=True
    )
    owner = numbers[z, y, x]
    del z, y, x
    realms = np.where(other, _OTHER, owner)
    return away, owner, find(realms, anisotropy=anisotropy, parallel=threads)


@njit(cache=True, nogil=True)
def _enclosed(numbers: np.ndarray, z: int, y: int, x: int, owner: int, look: np.ndarray) -> bool:
    """Whether a voxel is part of a cavity: its particle lies on all six sides."""
    depth, height, width = numbers.shape
    for axis in range(3):
        for way in (-1, 1):
            met = False
            for step in range(1, look[axis] + 1):
                w = z + way * step if axis == 0 else z
                v = y + way * step if axis == 1 else y
                u = x + way * step if axis == 2 else x
                if w < 0 or v < 0 or u < 0 or w >= depth or v >= height or u >= width:
                    break
                if numbers[w, v, u]:
                    met = numbers[w, v, u] == owner
                    break
            if not met:
                return False
    return True


class _Seen(NamedTuple):
    """A slab and what lies around it; see `_others` and `_distances`."""

    numbers: np.ndarray
    other: np.ndarray
    away: np.ndarray
    owners: np.ndarray
    clearance: np.ndarray


@njit(cache=True, nogil=True)
def _add(
    grey: np.ndarray, seen: _Seen, before: int, look: np.ndarray, bins: Bins, sums: np.ndarray
) -> None:
    """Add the voxels of a slab, which begins `before` slices after what is seen."""
    for k in range(grey.shape[0]):
        z = before + k
        for y in range(grey.shape[1]):
            for x in range(grey.shape[2]):
                s = seen.away[z, y, x]
                if s < -bins.inside_um or s >= bins.reach_um or seen.other[z, y, x]:
                    continue
                owner = seen.owners[z, y, x]
                if seen.clearance[z, y, x] < bins.clear_um or owner >= sums.shape[0]:
                    continue
                if s > 0 and _enclosed(seen.numbers, z, y, x, owner, look):
                    continue
                number = min(int((s + bins.inside_um) / bins.step_um), sums.shape[1] - 1)
                row = sums[owner, number]
                value = np.int64(np.rint(grey[k, y, x] / _GREY_STEP))
                row[COUNT] += 1
                row[AWAY] += np.int64(np.rint(s / bins.pixel_um / _AWAY_STEP))
                row[GREY] += value
                row[GREY_2] += value * value
