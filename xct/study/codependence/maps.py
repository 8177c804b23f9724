"""Maps of the damage in both layers. In: a cell; out: values at places, with their noise.

The cathode is seen by its particles. How many of a column have drifted is counted. Whether they are
dead is read from the grey value of their cores, less what depends on depth, size and cavities:
cracks grow with depth and darken a core as much as delithiation brightens it, so a particle is
compared with its own depth only, and what cracks scatter from one to the next counts as noise.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import scipy

from xct.analyze.layers import thickness_maps
from xct.geometry import CellGeometry, Surface
from xct.study.codependence.smoothing import Samples

if TYPE_CHECKING:
    from pandas import DataFrame

_RIM = 0.95  # of the bore's radius: surfaces are not measured up to the wall
_PITCH_UM = 8.0  # of the lithium's map
_ALIKE_PX = 9  # columns whose errors are alike: surfaces are averaged laterally
_LEAST_SD_UM = 0.05
_FEWEST_DRIFTED, _FEWEST_PARTICLES = 3, 50
_LEAST_CORE = 8  # voxels
# Beyond the contract of the table.
NEEDED = frozenset({
    "attached", "core_voxels", "core_grey_noise_sd", "cavity_fraction", "core_share"
})  # fmt: skip
_CLIPPED = 3.0  # robust standard deviations
_MAD = 1.4826  # standard deviation over median absolute deviation


def looked_at_um(cell: CellGeometry) -> float:
    """Give the radius up to which maps are compared."""
    return _RIM * cell.bore_radius_um


def bore_um(looked_at: float) -> float:
    """Give the diameter of the bore whose maps are compared up to a radius, µm."""
    return 2 * looked_at / _RIM


def lithium_lost(surfaces: Mapping[str, Surface], cell: CellGeometry) -> Samples | None:
    """Give how much less lithium there is than on average, µm; None where it was not measured.

    Parameters
    ----------
    surfaces : mapping of str to Surface
        With both faces of the lithium.
    cell : CellGeometry
        Where the bore lies.
    """
    layer = thickness_maps(surfaces).get("lithium")
    if layer is None:
        return None
    y, x = np.broadcast_arrays(*cell.offsets_um((cell.shape[0] - 1) / 2))
    known = np.isfinite(layer.height_um) & np.isfinite(layer.sd_um)
    known &= np.hypot(y, x) <= looked_at_um(cell)
    if not known.any():
        return None
    y, x, thickness = y[known], x[known], layer.height_um[known].astype(np.float64)
    variance = np.maximum(layer.sd_um[known].astype(np.float64), _LEAST_SD_UM) ** 2
    place = np.floor(y / _PITCH_UM).astype(int) * 100_003 + np.floor(x / _PITCH_UM).astype(int)
    _, block, count = np.unique(place, return_inverse=True, return_counts=True)

    def mean(values: np.ndarray) -> np.ndarray:
        return np.asarray(np.bincount(block, weights=values) / count)

    lost = thickness.mean() - mean(thickness)
    noise = mean(variance) * np.minimum(1, _ALIKE_PX / count)
    return Samples(mean(y), mean(x), lost, noise, "lithium lost (µm)")


def drifted_fraction(particles: DataFrame, cell: CellGeometry) -> Samples | None:
    """Give for each particle whether it has drifted: 1 or 0; None where fewer than three have.

    Parameters
    ----------
    particles : DataFrame
        Table of particles of a result.
    cell : CellGeometry
        Where the bore lies.
    """
    chosen = particles[particles["drifted"] | particles["attached"]]
    y, x = _from_axis(chosen, cell)
    inside = np.hypot(y, x) <= looked_at_um(cell)
    drifted = chosen["drifted"].to_numpy(float)[inside]
    if drifted.sum() < _FEWEST_DRIFTED or len(drifted) < _FEWEST_PARTICLES:
        return None
    mean = float(drifted.mean())
    noise = np.full(len(drifted), mean * (1 - mean))  # of a count
    return Samples(y[inside], x[inside], drifted, noise, "drifted fraction of the particles")


def excess_grey(particles: DataFrame, cell: CellGeometry) -> Samples | None:
    """Give how much brighter a core is than those of its depth, size and cavities.

    Parameters
    ----------
    particles : DataFrame
        Table of particles of a result.
    cell : CellGeometry
        Where the bore lies.
    """
    usable = particles["attached"] & (particles["core_voxels"] >= _LEAST_CORE)
    chosen = particles[usable & np.isfinite(particles["core_grey"])]
    if len(chosen) < _FEWEST_PARTICLES:
        return None
    y, x = _from_axis(chosen, cell)
    inside = np.hypot(y, x) <= looked_at_um(cell)
    chosen, y, x = chosen[inside], y[inside], x[inside]
    if len(chosen) < _FEWEST_PARTICLES:
        return None
    value = _clipped(_explained_away(chosen))
    noise = chosen["core_grey_noise_sd"].to_numpy(float) ** 2
    typical = float(np.median(noise[np.isfinite(noise)])) if np.isfinite(noise).any() else 0.0
    noise = np.where(np.isfinite(noise), noise, typical)
    more = max(0.0, _nugget(y, x, value) - typical)
    return Samples(y, x, value, np.maximum(noise + more, 1e-6), "excess grey value of the cores")


def _from_axis(particles: DataFrame, cell: CellGeometry) -> tuple[np.ndarray, np.ndarray]:
    z, y, x = (particles[f"{axis}_um"].to_numpy(float) for axis in "zyx")
    axis_y, axis_x = cell.axis_at(z)  # type: ignore[arg-type]  # of arrays as of numbers
    return y - axis_y, x - axis_x


def _explained_away(particles: DataFrame) -> np.ndarray:
    """Subtract from the cores' grey values what depth, size and cavities predict."""
    depth = particles["distance_to_front_um"].to_numpy(float)
    columns = [np.ones(len(particles)), depth, depth**2]
    for name in ("equivalent_diameter_um", "cavity_fraction", "core_share"):
        columns.append(particles[name].to_numpy(float))
    matrix = np.column_stack([np.nan_to_num(_standardized(column)) for column in columns])
    matrix[:, 0] = 1
    value = particles["core_grey"].to_numpy(float)
    robust = _clipped(value - np.median(value))
    fit, *_ = np.linalg.lstsq(matrix, robust, rcond=None)
    return np.asarray(value - np.median(value) - matrix @ fit)


def _standardized(column: np.ndarray) -> np.ndarray:
    sd = float(np.nanstd(column))
    return np.asarray((column - np.nanmean(column)) / sd if sd > 0 else np.zeros_like(column))


def _clipped(value: np.ndarray) -> np.ndarray:
    middle = float(np.median(value))
    reach = _CLIPPED * _MAD * float(np.median(np.abs(value - middle)))
    return np.clip(value, middle - reach, middle + reach) if reach > 0 else value


def _nugget(y: np.ndarray, x: np.ndarray, value: np.ndarray) -> float:
    """Variance between a value and that of its nearest neighbor: what no map explains."""
    places = np.column_stack([y, x])
    _, nearest = scipy.spatial.cKDTree(places).query(places, k=[2])  # the first is itself
    return float(np.mean((value - value[np.asarray(nearest)[:, 0]]) ** 2) / 2)
