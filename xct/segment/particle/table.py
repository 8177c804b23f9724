"""The table of particles. In: sums over voxels; out: a row for each particle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy

from xct.figures import canvas
from xct.geometry import CellGeometry, GreyScale
from xct.segment.crofton import crofton_weights
from xct.segment.material.columns import Columns
from xct.segment.particle import sums as of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# What is so small, to the median particle, and so near to the middle of the slices, in voxels
# beyond its own radius, is not told from the dot that a detector leaves on the axis of rotation.
_DOT, _BESIDE_AXIS_PX = 0.6, 1.5
# A particle two voxels wide is that bright in the next slices, over its own: 0.4 by a point spread
# of two voxels (FWHM), 0.25 by one of one voxel and a half. An arc of a ring is not, but for noise.
_BLURRED = 0.2
# Elongation of a line within one slice (three voxels about a corner have 2.2, three in a line 3 and
# more), and of an arc in two.
_LINE, _ARC = 2.5, 4.0
_LOW = 0.5  # … which is not as high as wide, whatever the distance of slices
_HANGS = 0.75  # median diameters: what is no farther from another hangs together with it
_UNKNOWN_FRACTION = 0.5  # pores and gaps beside; cracks are denser in a core than in the whole


@dataclass(frozen=True)
class Measured:
    """Sums over the voxels of each particle, and what grey values mean.

    Attributes
    ----------
    sums : ndarray of int64, shape (1 + particle, field)
        Of `particle_sums`.
    crossings : ndarray of int32, shape (1 + particle, 13, kind)
        Where lines leave a particle.
    attached : ndarray of bool, shape (1 + particle,)
        Part of the cathode's main body.
    speck : ndarray of float64, shape (1 + particle,)
        Volume in voxels, by its grey values, of a particle too small to count voxels; else 0.
    pieces : ndarray of int64, shape (1 + particle,)
        Of how many pieces that cracks separate a particle was joined.
    grey_scale : GreyScale
        Grey values of air and of electrolyte.
    """

    sums: np.ndarray
    crossings: np.ndarray
    attached: np.ndarray
    speck: np.ndarray
    pieces: np.ndarray
    grey_scale: GreyScale


def particle_table(
    measured: Measured, cell: CellGeometry, columns: Columns, shared: float, noise: float
) -> pd.DataFrame:
    """Give the table of particles.

    Parameters
    ----------
    measured : Measured
        Sums over voxels.
    cell : CellGeometry
        Voxel size and axis.
    columns : Columns
        Where the front is.
    shared : float
        By how much the noise of a mean exceeds that of as many independent voxels.
    noise : float
        Standard deviation of a voxel, as a multiple of the electrolyte.

    Returns
    -------
    DataFrame
        particle, z_um, y_um, x_um, volume_um3 (of its voxels; of an isolated one smaller than the
        blur, what its grey values hold), equivalent_diameter_um, sphericity, mean_grey,
        core_grey (of the material with its cracks, from voxels of which the point spread takes
        most from within: what it takes from beside is put back; NaN where there is no such
        voxel), distance_to_front_um (positive towards the anode), drifted, touches_border; beyond
        the contract core_grey_sd (noise, half of what was put back, and half of what particles
        differ by beyond noise: a core shows about half more cracks than the whole),
        core_grey_noise_sd, core_scatter (standard deviation of its voxels, what comes from beside
        taken off), core_voxels, core_share (of the particle in what its core shows),
        surface_um2, elongation, contact_electrolyte, contact_particles, contact_pores (fractions
        of the surface), cavity_fraction, attached, at_steel (blurred steel rather than a
        particle), radius_um, height_ratio (extent along z over that across), pieces (of how many
        pieces that cracks separate it was joined; 1 where none is seen).
    """
    import pandas as pd

    sums = measured.sums[1:]
    count = sums[:, of.COUNT].astype(float)
    size = np.array(cell.voxel_size_um)
    z, y, x = ((sums[:, k] / count) * s for k, s in zip((of.Z, of.Y, of.X), size, strict=True))
    speck = measured.speck[1:]
    volume = np.where(speck > 0, speck, count) * size.prod()
    diameter = np.cbrt(6 * volume / np.pi)
    surface, contact = _surfaces(measured, size)
    elongation, height_ratio = _shape(sums, size)
    distance, distance_sd = _distance_um(columns, cell, z, y, x)
    attached = measured.attached[1:]
    at_steel = sums[:, of.AT_STEEL] > 0
    flat = _within_a_slice(sums) & (speck == 0)
    flat |= _streaks(sums, elongation, height_ratio)  # of which a speck may be a piece
    typical = float(np.median(diameter[attached])) if attached.any() else 0.0
    # All of a drifted particle is ahead: at the packing's rim isolated ones lie near its front.
    ahead = distance - diameter / 2 - 1.96 * distance_sd
    off_y, off_x = _off_axis(cell, z, y, x)
    dot = (diameter < _DOT * typical) & _at_rotation_axis(cell, y, x, diameter)
    far = ~attached & ~at_steel & ~flat & ~dot & (ahead >= typical)
    # What rings leave holds nothing.
    places, held = np.stack([z, y, x], 1), np.where(flat | dot, -np.inf, distance)
    core, noise_sd, recovery = _core(sums, noise, shared)
    core_sd = np.hypot(
        noise_sd, _UNKNOWN_FRACTION * np.hypot((1 - recovery) * (core - 1), _unlike(core, noise_sd))
    )
    scale = measured.grey_scale
    with np.errstate(invalid="ignore", divide="ignore"):
        roundness = np.cbrt(36 * np.pi * volume**2) / surface
        return pd.DataFrame(
            {
                "particle": np.arange(1, len(sums) + 1),
                "z_um": z,
                "y_um": y,
                "x_um": x,
                "volume_um3": volume,
                "equivalent_diameter_um": diameter,
                "sphericity": np.minimum(roundness, 1),
                "mean_grey": scale.grey_value(of.GREY_STEP * sums[:, of.GREY] / count),
                "core_grey": scale.grey_value(core),
                "distance_to_front_um": distance,
                "drifted": far & ~_hanging(places, diameter, held, far, typical),
                "touches_border": sums[:, of.BORDER] > 0,
                "core_grey_sd": scale.step * core_sd,
                "core_grey_noise_sd": scale.step * noise_sd,
                "core_scatter": scale.step * _scatter(sums),
                "core_voxels": sums[:, of.CORE],
                "core_share": recovery,
                "surface_um2": surface,
                "elongation": elongation,
                "contact_electrolyte": contact[:, of.ELECTROLYTE],
                "contact_particles": contact[:, of.PARTICLE],
                "contact_pores": contact[:, of.DARK],
                "cavity_fraction": _cavities(sums),
                "attached": attached,
                "at_steel": at_steel,
                "radius_um": np.hypot(off_y, off_x),
                "height_ratio": height_ratio,
                "pieces": measured.pieces[1:],
            }
        )


def _within_a_slice(sums: np.ndarray) -> np.ndarray:
    """Mark what is bright in one slice only, as an arc of a ring is; a particle's blur is not."""
    count = sums[:, of.COUNT].astype(float)
    own = of.GREY_STEP * sums[:, of.GREY] / count - 1
    beside = of.GREY_STEP * sums[:, of.BESIDE] / (2 * count) - 1
    one_slice = sums[:, of.COUNT] * sums[:, of.ZZ] == sums[:, of.Z] ** 2
    return np.asarray(one_slice & (beside < _BLURRED * own))


def _streaks(sums: np.ndarray, elongation: np.ndarray, height_ratio: np.ndarray) -> np.ndarray:
    """Mark lines within one slice, or two, as bad columns leave them; no particle is one."""
    count, ends = sums[:, of.COUNT].astype(float), sums[:, of.COUNT] * sums[:, of.ZZ]
    apart = (ends - sums[:, of.Z] ** 2) / count**2  # variance: 1/4 of two slices, half in each
    line = ((apart == 0) & (elongation > _LINE)) | ((apart <= 0.25) & (elongation > _ARC))
    return np.asarray(line & (height_ratio < _LOW))


def _surfaces(measured: Measured, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Surface of each particle in µm², and the fraction of it towards each kind of neighbor."""
    area = np.einsum("pdk,d->pk", measured.crossings[1:].astype(float), crofton_weights(size))
    total = area.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return total, area / total[:, None]


def _distance_um(
    columns: Columns, cell: CellGeometry, z: np.ndarray, y: np.ndarray, x: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Give the distance to the front, and the front's standard deviation there."""
    step, *pixel = cell.voxel_size_um
    v = np.clip(np.rint(y / pixel[0]).astype(int), 0, cell.shape[1] - 1)
    u = np.clip(np.rint(x / pixel[1]).astype(int), 0, cell.shape[2] - 1)
    front = columns.front[v, u]
    distance = np.where(np.isfinite(front), front * step - columns.sign * z, np.nan)
    return distance, step * columns.front_sd[v, u].astype(np.float64)


def _off_axis(
    cell: CellGeometry, z: np.ndarray, y: np.ndarray, x: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    from_middle = z - (cell.shape[0] - 1) / 2 * cell.voxel_size_um[0]
    return (
        y - cell.axis_y_um - cell.axis_slope_y * from_middle,
        x - cell.axis_x_um - cell.axis_slope_x * from_middle,
    )


def _hanging(
    place: np.ndarray, diameter: np.ndarray, distance: np.ndarray, far: np.ndarray, typical: float
) -> np.ndarray:
    """Mark what hangs together with the cathode by gaps of less than `_HANGS` median diameters.

    At the rim of a loose packing particles lie far ahead of the front in the mean, and have not
    drifted.

    Parameters
    ----------
    place : ndarray, shape (particle, 3)
        Middles, µm.
    diameter, distance : ndarray, shape (particle,)
        Equivalent diameter, and distance to the front, µm.
    far : ndarray of bool, shape (particle,)
        What would have drifted.
    typical : float
        Median diameter, µm.
    """
    found = np.zeros(len(far), bool)
    some = np.flatnonzero(distance > -typical)
    if not far.any():
        return found
    reach = diameter[some].max() + _HANGS * typical
    pairs = scipy.spatial.cKDTree(place[some]).query_pairs(reach, output_type="ndarray")
    first, second = some[pairs].T
    gap = np.linalg.norm(place[first] - place[second], axis=1)
    gap -= (diameter[first] + diameter[second]) / 2
    near = pairs[gap < _HANGS * typical]
    graph = scipy.sparse.coo_matrix((np.ones(len(near)), near.T), (len(some), len(some)))
    _, group = scipy.sparse.csgraph.connected_components(graph, directed=False)
    found[some] = np.isin(group, group[~far[some]])
    return found


def _at_rotation_axis(
    cell: CellGeometry, y: np.ndarray, x: np.ndarray, diameter: np.ndarray
) -> np.ndarray:
    """Mark what holds the middle of the slices, where the axis of rotation is, bool (particle,)."""
    away = cell.from_rotation_axis_um(y, x)
    return np.asarray(away < diameter / 2 + _BESIDE_AXIS_PX * cell.voxel_size_um[2])


def _core(
    sums: np.ndarray, noise: float, shared: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Grey value of the core's material (electrolyte: 1), its noise, and the recovery."""
    count = sums[:, of.CORE].astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = of.GREY_STEP * sums[:, of.CORE_GREY] / count
        square = 1e4 * of.GREY_STEP**2 * sums[:, of.CORE_GREY_2] / count
        recovery = of.RECOVERY_STEP * sums[:, of.CORE_RECOVERY] / count
        sd_of_voxels = np.sqrt(np.maximum(square - mean**2, noise**2))
        independent = np.maximum(count / shared**2, 1.0)
        sd = sd_of_voxels / np.sqrt(independent) / recovery
        # What the point spread takes from beside is taken to be electrolyte.
        alone = (mean - (1 - recovery)) / recovery
    return alone, np.where(count > 0, sd, np.nan), recovery


def _scatter(sums: np.ndarray) -> np.ndarray:
    """Give the standard deviation of a core's voxels (electrolyte: 1); NaN where it has one."""
    count = sums[:, of.CORE].astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = of.GREY_STEP * sums[:, of.CORE_OWN] / count
        square = 1e4 * of.GREY_STEP**2 * sums[:, of.CORE_OWN_2] / count
        variance = np.maximum(square - mean**2, 0) * count / (count - 1)
    return np.where(count > 1, np.sqrt(variance), np.nan)


def _unlike(core: np.ndarray, noise_sd: np.ndarray) -> float:
    """Robust scatter among the particles' cores, beyond that of noise."""
    known = np.isfinite(core)
    if np.count_nonzero(known) < 2:
        return 0.0
    low, high = np.percentile(core[known], (25, 75))
    beyond = ((high - low) / 1.349) ** 2 - np.median(noise_sd[known]) ** 2
    return float(np.sqrt(max(beyond, 0.0)))


def _shape(sums: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Longest over shortest axis, and that along z over those across, by second moments."""
    count = sums[:, of.COUNT].astype(float)
    mean = np.stack([sums[:, k] / count for k in (of.Z, of.Y, of.X)], axis=1)
    second = np.empty((len(sums), 3, 3))
    for i, j, k in (
        (0, 0, of.ZZ), (1, 1, of.YY), (2, 2, of.XX), (0, 1, of.ZY), (0, 2, of.ZX), (1, 2, of.YX)
    ):  # fmt: skip
        moment = (sums[:, k] / count - mean[:, i] * mean[:, j]) * size[i] * size[j]
        second[:, i, j] = second[:, j, i] = moment
    second += np.diag(size**2 / 12)
    axes = np.linalg.eigvalsh(second)
    height = np.sqrt(2 * second[:, 0, 0] / (second[:, 1, 1] + second[:, 2, 2]))
    return np.asarray(np.sqrt(axes[:, 2] / axes[:, 0])), np.asarray(height)


def _cavities(sums: np.ndarray) -> np.ndarray:
    """Fraction of a particle's own volume that is dark and enclosed."""
    dark = sums[:, of.CAVITY_DARK] / 1000
    return np.asarray(dark / (sums[:, of.COUNT] + sums[:, of.CAVITY]))


def particle_sizes_figure(particles: pd.DataFrame) -> Figure | None:
    """Draw how particles are distributed over size, and the drifted ones over distance."""
    if not len(particles):
        return None
    figure, axes = canvas(1, 2, (11, 4.5))
    drifted = particles["drifted"].astype(bool)
    diameter = particles["equivalent_diameter_um"]
    bins = np.linspace(0, max(float(diameter.max()), 1.0), 31)
    axes[0].hist(diameter, list(bins), color="0.6")
    axes[0].axvline(diameter.median(), color="black", lw=1, ls="--")
    axes[0].set(xlabel="equivalent diameter (µm)", ylabel="particles")
    axes[0].set_title(f"{len(particles):,} particles, median {diameter.median():.1f} µm")
    distance = particles["distance_to_front_um"]
    known = np.isfinite(distance) & np.isfinite(diameter)
    if known.any():
        _by_distance(figure, axes[1], distance[known], diameter[known])
    axes[1].axvline(0, color="deepskyblue", lw=1.5, label="front of the cathode")
    if drifted.any():
        axes[1].plot(distance[drifted], diameter[drifted], "o", color="red", ms=5, mfc="none",
                     label="drifted", rasterized=True)  # fmt: skip
    axes[1].set(xlabel="cathode ← distance to its front (µm) → anode",
                ylabel="equivalent diameter (µm)")  # fmt: skip
    axes[1].set_title(f"by distance to the front, {int(drifted.sum()):,} drifted")
    axes[1].legend(loc="upper right")
    return figure


def _by_distance(figure: Figure, axis: Axes, distance: pd.Series, diameter: pd.Series) -> None:
    """Draw how many particles there are of a size at a distance: thousands of dots hide it."""
    edges = [
        np.linspace(float(values.min()), max(float(values.max()), float(values.min()) + 1), count)
        for values, count in ((distance, 61), (diameter, 31))
    ]
    from matplotlib.colors import LogNorm
    from matplotlib.ticker import LogLocator

    # On white, a single particle is seen, too: the scale begins below one.
    tones = LogNorm(vmin=0.3)
    *_, image = axis.hist2d(distance, diameter, bins=edges, cmin=1, cmap="Greys", norm=tones)
    ticks = LogLocator(subs=(1, 2, 5))
    tones_bar = figure.colorbar(image, ax=axis, label="particles", ticks=ticks, format="%d")
    tones_bar.ax.set_ylim(bottom=1)
    tones_bar.minorticks_off()
