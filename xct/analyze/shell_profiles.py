"""Grey values by distance from each particle. In: volume, particles; out: sums per bin.

Whole numbers, so that sums do not depend on where the volume was cut.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from math import ceil
from typing import Any

import numpy as np
import scipy

from xct.geometry import Label
from xct.normalize.grey_scale import Ratios
from xct.parallel.blocks import Voxels, slabs
from xct.parallel.kernels import njit
from xct.parallel.threads import thread_count
from xct.physics.optics import FWHM_PER_SIGMA
from xct.statistics.gaussian import gaussian_density

# Layers around a particle. In: a profile across its surface; out: their widths and depths.
#
# A particle, layers and electrolyte, each of one grey value, under a Gaussian point spread:
# ``g(s) = Σ g_k [Φ((s − e_k)/σ) − Φ((s − e_k+1)/σ)]``. Where the surface lies is fitted as well: by
# a layer much narrower than the point spread it only seems to move.

_GAIN = 25.0  # of χ², for an edge or a level more
_ROUGH = 0.1  # of σ: how well a surface made of voxels is known
_TRIALS = (0.3, 0.6, 1.0, 1.6, 2.5, 4.0, 6.5, 10.0)  # widths of a layer, in those of the spread


@dataclass(frozen=True)
class Layered:
    """What was fitted to a profile.

    Attributes
    ----------
    edges_um : ndarray, shape (layer + 1,)
        Where a particle and the layers around it end, from its surface as labelled.
    levels : ndarray, shape (layer + 2,)
        Grey values of particle, layers and electrolyte.
    covariance : ndarray
        Of edges and levels, in this order.
    misfit : float
        χ² of the profile.
    freedom : int
        Points less parameters.
    """

    edges_um: np.ndarray
    levels: np.ndarray
    covariance: np.ndarray = field(repr=False)
    misfit: float
    freedom: int

    def sd(self, weights: np.ndarray) -> float:
        """Give the sd of a weighted sum of edges and levels."""
        return float(np.sqrt(max(weights @ self.covariance @ weights, 0)))


def fit_layers(
    away_um: np.ndarray, grey: np.ndarray, sd: np.ndarray, sigma_um: float, gap: float
) -> Layered:
    """Fit as many layers as a profile demands: none, one, or a gap and a layer around it.

    Parameters
    ----------
    away_um : ndarray, shape (point,)
        Distance from the surface, negative inside the particle, ascending.
    grey, sd : ndarray, shape (point,)
        Mean grey value, and its standard deviation.
    sigma_um : float
        Standard deviation of the point spread.
    gap : float
        Grey value of what fills gaps.

    Returns
    -------
    Layered
        The simplest that is not much worse than the next. Without layers too where they are so
        narrow that a gap and a lighter, wider layer look the same.
    """
    width_um = FWHM_PER_SIGMA * sigma_um
    best = _fit(away_um, grey, sd, sigma_um, [(0.0,)], {})
    sd = np.hypot(sd, _ROUGH * sigma_um * np.abs(np.gradient(grey, away_um)))
    best = _fit(away_um, grey, sd, sigma_um, [tuple(best.edges_um)], {})
    p = float(best.edges_um[0])
    widths = [k * width_um for k in _TRIALS if k * width_um < away_um[-1] - p]
    one: list[tuple[float, ...]] = [
        (p + off * sigma_um, p + off * sigma_um + w) for off in (-1, 0, 1) for w in widths
    ]
    two: list[tuple[float, ...]] = [
        (p, p + a, p + a + b) for a, b in product(widths, widths) if p + a + b < away_um[-1]
    ]
    beside = float(best.levels[-1])
    empty, light = {1: gap}, {1: (gap + beside) / 2}

    def fit(starts: list[tuple[float, ...]], held: dict[int, float]) -> Layered:
        return _fit(away_um, grey, sd, sigma_um, starts, held)

    def told(better: Layered, than: Layered) -> bool:
        scale = max(1.0, better.misfit / better.freedom)
        return than.misfit - better.misfit > _GAIN * scale

    if not one:
        return best
    hollow, layer = fit(one, empty), fit(one, {})
    unsure = best
    if told(layer, hollow):
        best = layer if told(layer, best) else best
    elif told(hollow, best):
        # What is narrow may as well be wider and half as dark: only if not, it is a gap.
        unsure = hollow
        best = hollow if told(hollow, fit(one, light)) else best
    if two:
        both = fit(two, empty)
        if told(both, best) and told(both, unsure) and told(both, fit(two, light)):
            return both
    return best


def _design(s: np.ndarray, edges: np.ndarray, sigma: float) -> np.ndarray:
    """Share of each material by distance, shape (point, material)."""
    beyond = scipy.special.ndtr((s[:, None] - edges) / sigma)
    ends = np.column_stack([np.ones(s.size), beyond, np.zeros(s.size)])
    return np.asarray(ends[:, :-1] - ends[:, 1:])


def _levels(
    s: np.ndarray, g: np.ndarray, sd: np.ndarray, edges: np.ndarray, sigma: float,
    held: dict[int, float],
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Best grey values for given edges, and the weighted residuals."""
    shares = _design(s, edges, sigma)
    levels = np.zeros(edges.size + 1)
    for number, value in held.items():
        levels[number] = value
    free = [k for k in range(levels.size) if k not in held]
    rest = (g - shares @ levels) / sd
    levels[free] = np.linalg.lstsq(shares[:, free] / sd[:, None], rest, rcond=None)[0]
    return levels, (g - shares @ levels) / sd


def _fit(
    s: np.ndarray, g: np.ndarray, sd: np.ndarray, sigma: float,
    starts: list[tuple[float, ...]], held: dict[int, float],
) -> Layered:  # fmt: skip
    def residuals(trial: np.ndarray) -> np.ndarray:
        widths = np.append(trial[:1], np.abs(trial[1:]))
        return _levels(s, g, sd, np.cumsum(widths), sigma, held)[1]

    trials = [np.append(start[:1], np.diff(start)) for start in starts]
    first = min(trials, key=lambda trial: float(np.sum(residuals(trial) ** 2)))
    found = scipy.optimize.least_squares(residuals, first, x_scale=sigma, method="lm").x
    edges = np.cumsum(np.append(found[:1], np.abs(found[1:])))
    levels, left = _levels(s, g, sd, edges, sigma, held)
    misfit = float(left @ left)
    freedom = max(1, s.size - edges.size - levels.size + len(held))
    covariance = _covariance(s, sd, edges, levels, sigma, held)
    return Layered(edges, levels, covariance * max(1.0, misfit / freedom), misfit, freedom)


def _covariance(
    s: np.ndarray, sd: np.ndarray, edges: np.ndarray, levels: np.ndarray, sigma: float,
    held: dict[int, float],
) -> np.ndarray:  # fmt: skip
    bell = gaussian_density(s[:, None], edges, sigma)
    slopes = np.hstack([-np.diff(levels) * bell, _design(s, edges, sigma)]) / sd[:, None]
    free = [k for k in range(slopes.shape[1]) if k - edges.size not in held]
    covariance = np.zeros((slopes.shape[1],) * 2)
    covariance[np.ix_(free, free)] = np.linalg.pinv(slopes[:, free].T @ slopes[:, free])
    return covariance


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
