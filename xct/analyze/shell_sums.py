"""Grey values by distance from each particle. In: volume, particles; out: sums per bin.

Whole numbers, so that sums do not depend on where the volume was cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np

from xct.compiling import njit
from xct.labels import Label
from xct.segment.normalized import Ratios
from xct.threads import thread_count
from xct.voxels import Voxels, slabs

GREY_STEP = 1e-4  # of the electrolyte's attenuation: what a grey value is rounded to
AWAY_STEP = 1e-3  # of a voxel: what a distance is rounded to
COUNT, AWAY, GREY, GREY_2, FIELDS = range(5)

_OTHER = np.uint32(0xFFFFFFFF)  # neither particle nor what surrounds it
_CLEAR = 1.25  # widths of the point spread off everything that is brighter


@dataclass(frozen=True)
class Bins:
    """How voxels are binned by their distance from a particle's surface.

    Attributes
    ----------
    inside_um, reach_um : float
        How deep into the particle, and how far from it.
    step_um : float
        Width of a bin.
    clear_um : float
        Voxels nearer to another particle's realm, or to another material, are left out.
    """

    inside_um: float
    reach_um: float
    step_um: float
    clear_um: float

    @property
    def count(self) -> int:
        """How many bins there are."""
        return ceil((self.inside_um + self.reach_um) / self.step_um)


def bins_for(pixel_um: float, blur_um: float, reach_um: float) -> Bins:
    """Choose bins of half a voxel; none that blur from elsewhere could reach."""
    return Bins(1.5 * blur_um + pixel_um, reach_um, pixel_um / 2, _CLEAR * blur_um + pixel_um)


def sum_by_distance(
    ratios: Ratios,
    numbers: Voxels,
    labels: Voxels | None,
    count: int,
    bins: Bins,
    rows: int | None = None,
) -> np.ndarray:
    """Sum grey values around and in each particle by distance from its surface.

    Parameters
    ----------
    ratios : Ratios
        The volume in multiples of the electrolyte, undenoised.
    numbers : Voxels, shape (z, y, x)
        Number of the particle that a voxel belongs to.
    labels : Voxels, shape (z, y, x), optional
        Materials: only electrolyte and low grey surround particles. Without, all of the bore does.
    count : int
        How many particles there are.
    bins : Bins
        How distances are binned.
    rows : int, optional
        Slices of a slab; the answer does not depend on it.

    Returns
    -------
    ndarray of int64, shape (1 + particle, bin, field)
        Voxels, distances, grey values and their squares.
    """
    sums = np.zeros((count + 1, bins.count, FIELDS), np.int64)
    size = np.array(ratios.cell.voxel_size_um, float)
    # An owner is known where its surface is seen; another's realm may lie `clear` further off.
    farthest = bins.reach_um + 2 * bins.clear_um
    overlap = ceil(max(farthest, bins.inside_um) / size[0]) + 2
    look = np.array([ceil(bins.reach_um / s) + 1 for s in size], np.int64)
    for block in slabs(ratios.shape, overlap, rows):
        part = np.ascontiguousarray(numbers[block.outer]).astype(np.uint32, copy=False)
        if not part.any():
            continue
        other = _others(part, ratios, labels, block.outer_first)
        away, owner, clearance = _distances(part, other, size)
        grey = ratios.read(block.first, block.stop)
        _add(
            grey, part, other, away, owner, clearance, block.inner.start, look, bins.inside_um,
            bins.reach_um, bins.step_um, bins.clear_um, float(size.min()), sums,
        )  # fmt: skip
    return sums


def _others(numbers: np.ndarray, ratios: Ratios, labels: Voxels | None, first: int) -> np.ndarray:
    """Tell which voxels neither belong to a particle nor surround one."""
    if labels is not None:
        found = np.asarray(labels[first : first + len(numbers)])
        around = (found == Label.ELECTROLYTE) | (found == Label.LOW_GREY)
        return np.asarray(~around & (numbers == 0))
    bore = np.stack([ratios.cell.in_bore(first + z) for z in range(len(numbers))])
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
    """Tell whether a voxel is part of a cavity: its particle lies on all six sides."""
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


@njit(cache=True, nogil=True)
def _add(
    grey: np.ndarray,
    numbers: np.ndarray,
    other: np.ndarray,
    away: np.ndarray,
    owners: np.ndarray,
    clearance: np.ndarray,
    before: int,
    look: np.ndarray,
    inside: float,
    reach: float,
    step: float,
    clear: float,
    pixel: float,
    sums: np.ndarray,
) -> None:
    for k in range(grey.shape[0]):
        z = before + k
        for y in range(grey.shape[1]):
            for x in range(grey.shape[2]):
                s = away[z, y, x]
                if s < -inside or s >= reach or other[z, y, x] or clearance[z, y, x] < clear:
                    continue
                owner = owners[z, y, x]
                if owner >= sums.shape[0]:
                    continue
                if s > 0 and _enclosed(numbers, z, y, x, owner, look):
                    continue
                row = sums[owner, min(int((s + inside) / step), sums.shape[1] - 1)]
                value = np.int64(np.rint(grey[k, y, x] / GREY_STEP))
                row[COUNT] += 1
                row[AWAY] += np.int64(np.rint(s / pixel / AWAY_STEP))
                row[GREY] += value
                row[GREY_2] += value * value
