"""Gaps and darker shells around particles. In: volume, particles; out: their widths, ± sd."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from annotated_types import Ge, Gt

from xct.analyze import shell_profiles as of
from xct.analyze.shell_profiles import Bins, Layered, bins_for, fit_layers, sum_by_distance
from xct.geometry import CellGeometry
from xct.normalize.grey_scale import Ratios
from xct.normalize.reference import ElectrolyteReference
from xct.parallel.blocks import Voxels
from xct.physics.optics import FWHM_PER_SIGMA
from xct.quantity import Quantity, Table
from xct.stages import stage

if TYPE_CHECKING:
    import pandas as pd

_ROUGH_PX = 0.15  # scatter of a labelled surface about the true one
_FACE_PX = 0.2  # how well a width between such surfaces is known
_LEAST_VOXELS = 8  # of a bin
_LEAST_BINS = 10
_EMPTY = 0.8  # a layer this far down from the electrolyte to what fills gaps is a gap
_NARROW = 0.5  # widths of the point spread: below, a layer is not told from a moved surface
_CERTAIN = 3.0  # standard deviations


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
        ``shell_um`` (its thickness), ``shell_sd_um``, ``shell_depth`` (share of the way from the
        electrolyte to what fills gaps), ``shell_depth_sd``, ``shell_resolved``, ``least_um``
        (half of the point spread, the rough surface of voxels in it: what is narrower is not
        resolved), ``n`` (voxels around the particle). NaN where nothing is resolved: no layer,
        a narrower one, or one that a gap and a wider, lighter shell explain as well.

    Raises
    ------
    ValueError
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
    bins = bins_for(pixel, blur, reach_um)
    known = table["particle"].to_numpy(int)
    sums = sum_by_distance(
        Ratios(volume, cell, reference), numbers, labels, int(known.max(initial=0)), bins, rows
    )
    sigma = float(np.hypot(blur / FWHM_PER_SIGMA, _ROUGH_PX * pixel))
    found = [_measure(sums[p], bins, pixel, sigma, gap_ratio) for p in known]
    return pd.DataFrame(
        [{"particle": int(p), **row} for p, row in zip(known, found, strict=True)],
        columns=["particle", *_nothing(0, 0)],
    )


def _check_shapes(volume: Voxels, numbers: Voxels, labels: Voxels | None) -> None:
    for name, other in (("particles", numbers), ("labels", labels)):
        if other is not None and tuple(other.shape) != tuple(volume.shape):
            raise ValueError(
                f"{name} have shape {tuple(other.shape)}, the volume has {tuple(volume.shape)} "
                "(z, y, x); give those that were found in this volume"
            )


def _known_blur(blur_um: float | None, reference: ElectrolyteReference) -> float:
    blur = float(reference.blur_um if blur_um is None else blur_um)
    if not (np.isfinite(blur) and blur > 0):
        raise ValueError(
            "the point spread of this volume could not be measured, so a gap cannot be told from "
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


def _measure(
    sums: np.ndarray, bins: Bins, pixel: float, sigma: float, gap: float
) -> dict[str, Any]:
    """Fit layers to the profile of one particle, and keep what is resolved."""
    least = _NARROW * FWHM_PER_SIGMA * sigma
    count = sums[:, of.COUNT]
    outside = (np.arange(bins.count) + 0.5) * bins.step_um > bins.inside_um
    row = _nothing(least, int(count[outside].sum()))
    kept = count >= _LEAST_VOXELS
    if np.count_nonzero(kept & outside) < _LEAST_BINS or not (kept & ~outside).any():
        return row
    n = count[kept].astype(float)
    away = sums[kept, of.AWAY] / n * of.AWAY_STEP * pixel
    grey = sums[kept, of.GREY] / n * of.GREY_STEP
    spread = np.sqrt(np.maximum(sums[kept, of.GREY_2] / n * of.GREY_STEP**2 - grey**2, 0))
    sd = np.maximum(spread, 1e-3) / np.sqrt(n)
    fit = fit_layers(away, grey, sd, sigma, gap)
    if abs(fit.edges_um[0]) > 2 * FWHM_PER_SIGMA * sigma + pixel:
        return row  # the profile does not begin with the particle
    row.update(
        _layers(
            fit, float(away[-1]) - _NARROW * FWHM_PER_SIGMA * sigma, least, gap, _FACE_PX * pixel
        )
    )
    return row


def _layers(
    fit: Layered, farthest: float, least: float, gap: float, face_um: float
) -> dict[str, Any]:
    """Tell gap and shell, where they are wide and certain enough and end in view."""
    found: dict[str, Any] = {}
    contrast = fit.levels[-1] - gap
    if contrast <= 0 or fit.edges_um[-1] > farthest or fit.levels[0] <= fit.levels[-1]:
        return found
    for number in range(1, fit.edges_um.size):
        width, width_sd = _width(fit, number)
        width_sd = float(np.hypot(width_sd, face_um))
        depth, depth_sd = _depth(fit, number, contrast)
        depth_sd = float(np.hypot(depth_sd, depth * face_um / max(width, face_um)))
        if width < least or width < _CERTAIN * width_sd:
            continue
        if depth > 2 - _EMPTY:
            continue  # darker than anything that fills gaps
        if depth >= _EMPTY:
            found.update(gap_um=width * depth, gap_sd_um=width_sd, gap_resolved=True)
        elif depth > _CERTAIN * depth_sd:
            found.update(
                shell_um=width, shell_sd_um=width_sd, shell_depth=depth,
                shell_depth_sd=depth_sd, shell_resolved=True,
            )  # fmt: skip
    return found


def _width(fit: Layered, number: int) -> tuple[float, float]:
    weights = np.zeros(len(fit.covariance))
    weights[[number - 1, number]] = -1, 1
    return float(fit.edges_um[number] - fit.edges_um[number - 1]), fit.sd(weights)


def _depth(fit: Layered, number: int, contrast: float) -> tuple[float, float]:
    level, beside, first = fit.levels[number], fit.levels[-1], fit.edges_um.size
    depth = float((beside - level) / contrast)
    weights = np.zeros(len(fit.covariance))
    weights[first + number] = -1 / contrast
    weights[-1] = (1 - depth) / contrast
    return depth, fit.sd(weights)
