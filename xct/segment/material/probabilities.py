"""Probabilities beside labels. In: slices of a cell; out: how likely each material is there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from xct.errors import DataError
from xct.geometry import CellGeometry, Label, Surface
from xct.normalize.grey_scale import Ratios
from xct.normalize.reference import ElectrolyteReference
from xct.parallel.blocks import Voxels
from xct.segment.denoise import Denoising
from xct.segment.material.columns import Columns, find_columns
from xct.segment.material.labels import Labeling
from xct.segment.material.rules import WEAK, Layout, classify
from xct.segment.material.sharpened import edges_of
from xct.segment.material.thresholds import find_thresholds
from xct.segment.surface.steel_behind import find_back
from xct.statistics.mixture import Mixture
from xct.statistics.mixture_fits import fit_levels

_LOW, _SE, _ACTIVE = 0, 1, 2  # of the materials that grey values separate, ascending
_LEVEL = 8.6  # of active material where no mixture could be fitted
_SAMPLES = 8  # slices
_BINS = 400
_TABLE = 2048
_LEAST_VOXELS = 2000
_LEAST_NOISE = 0.02
_PRIOR = (0.01, 0.98, 0.01)  # fractions in a layer too thin to be sampled
# As for labels: next to steel and wall, grey values do not identify low grey or active material.
_FACE_PX = 2.0


def material_probabilities(
    volume: Voxels,
    cell: CellGeometry,
    reference: ElectrolyteReference,
    surfaces: Mapping[str, Surface],
    *,
    z0: int,
    z1: int,
    denoising: Denoising = "none",
    sigma_px: float = 1.0,
    sharpening: int = 3,
) -> np.ndarray:
    """Give the probability of each material in slices of a cell.

    Of electrolyte and cathode: the posterior probability that more than half of the voxel is low
    grey, electrolyte or active material, from its grey value, the noise and a partial-volume
    mixture, whose fractions are those of its layer. Elsewhere geometry decides: 1 or 0.

    Parameters
    ----------
    volume : Voxels, shape (z, y, x)
        Linear attenuation, 1/cm.
    cell : CellGeometry
        Where the cell lies.
    reference : Reference
        The electrolyte's attenuation by height and radius, and the noise.
    surfaces : mapping of str to Surface
        Height maps.
    z0, z1 : int
        First slice, and the one behind the last.
    denoising, sigma_px, sharpening
        As for `materials`.

    Returns
    -------
    ndarray of float32, shape (9, z1 - z0, y, x)
        By code of `xct.geometry.Label`; they sum to 1. A choice of other slices does not change
        them.

    Raises
    ------
    DataError
        If the volume has no such slices.
    """
    depth = int(volume.shape[0])
    if not 0 <= z0 < z1 <= depth:
        raise DataError(f"slices {z0} to {z1}: the volume has slices 0 to {depth - 1}")
    ratios, columns = Ratios(volume, cell, reference), find_columns(cell, surfaces)
    edges = edges_of(ratios, denoising, sigma_px, sharpening)
    thresholds = find_thresholds(ratios, columns, edges)
    job = Labeling(ratios, Layout(cell, columns, find_back(ratios, columns)), thresholds, edges)
    level = thresholds.mixture.levels[-1] if thresholds.mixture else _LEVEL
    noise = (thresholds.noise, thresholds.noise_smooth)
    posteriors = [_posterior(job, inside, level, noise) for inside in (False, True)]
    return _probabilities(job, posteriors, z0, z1)


def _probabilities(job: Labeling, posteriors: list[_Posterior], z0: int, z1: int) -> np.ndarray:
    """Weigh grey values where they decide; elsewhere geometry decides."""
    edge, smooth = job.prepared().planes(z0, z1)
    axes = job.ratios.axes(z0, z1)
    labels = classify(edge, smooth, z0, job.layout, axes, job.thresholds)
    found = np.zeros((len(Label), *labels.shape), np.float32)
    for z, plane in enumerate(labels):
        inside = _in_cathode(job.layout.columns, z0 + z)
        for cathode in (False, True):
            by_grey = _identified_by_grey(plane) & (inside == cathode)
            parts = posteriors[cathode].of(edge[z][by_grey], smooth[z][by_grey])
            for label, part in zip(_CODES, parts, strict=True):
                found[label, z][by_grey] = part
        _settle(found[:, z], plane, job, z0 + z)
    return found


_CODES = (Label.LOW_GREY, Label.ELECTROLYTE, Label.ACTIVE_MATERIAL)


def _identified_by_grey(labels: np.ndarray) -> np.ndarray:
    return np.isin(labels, (*_CODES, WEAK))


def _in_cathode(columns: Columns, z: int) -> np.ndarray:
    return np.asarray(columns.height(z) >= columns.front)


def _settle(found: np.ndarray, labels: np.ndarray, job: Labeling, z: int) -> None:
    """Set 0 or 1 where geometry decides, and at faces and wall, where grey values cannot."""
    cell, columns = job.ratios.cell, job.layout.columns
    for label in set(Label) - set(_CODES):
        found[label][labels == label] = 1
    by_grey = _identified_by_grey(labels)
    wall = by_grey & ~cell.in_bore(z, min(cell.voxel_size_um[1:]))
    face = by_grey & (columns.height(z) < columns.steel + _FACE_PX)
    found[Label.ELECTROLYTE][wall] += found[Label.LOW_GREY][wall]
    found[Label.LOW_GREY][wall] = 0
    for label in _CODES:
        found[label][face] = label == Label.ELECTROLYTE


@dataclass(frozen=True)
class _Posterior:
    """Of one layer: active material from sharpened values, low grey from smoothed ones."""

    bright: Mixture
    dark: Mixture
    inside: bool

    def of(self, edge: np.ndarray, smooth: np.ndarray) -> tuple[np.ndarray, ...]:
        """Give the probability of low grey, electrolyte and active material, summing to 1."""
        active = _looked_up(self.bright, edge, _ACTIVE)
        dark = (smooth + edge) / 2 if self.inside else smooth
        low = _looked_up(self.dark, dark, _LOW) * (1 - active)
        return low, 1 - active - low, active


def _posterior(job: Labeling, inside: bool, level: float, noise: tuple[float, float]) -> _Posterior:
    """Fit the fractions of a layer's materials, their levels and the noise being known."""
    edge, smooth = _sample(job, inside)
    dark = (smooth + edge) / 2 if inside else smooth
    sd = (noise[0], (noise[0] + noise[1]) / 2 if inside else noise[1])
    levels = (0.0, 1.0, level)
    return _Posterior(
        _mixture(edge, levels, max(sd[0], _LEAST_NOISE)),
        _mixture(dark[edge < (1 + level) / 2], levels, max(sd[1], _LEAST_NOISE)),
        inside,
    )


def _mixture(values: np.ndarray, levels: tuple[float, ...], noise: float) -> Mixture:
    if values.size < _LEAST_VOXELS:
        fractions = {(k, k): fraction for k, fraction in enumerate(_PRIOR)}
        return Mixture(levels, (noise,) * 3, {**fractions, (0, 1): 1e-3, (1, 2): 1e-3})
    span = levels[0] - 6 * noise, levels[-1] + 6 * noise
    counts, edges = np.histogram(np.clip(values, *span), _BINS, span)
    middle = (edges[1:] + edges[:-1]) / 2
    held = (True,) * len(levels)
    return fit_levels(counts, middle, levels, noise=noise, fixed=held, fixed_noise=True)


def _sample(job: Labeling, inside: bool) -> tuple[np.ndarray, np.ndarray]:
    """Take voxels of separator or cathode from slices over the whole volume."""
    depth = job.ratios.shape[0]
    edges, smooths = [np.empty(0, np.float32)], [np.empty(0, np.float32)]
    columns, cell = job.layout.columns, job.ratios.cell
    low, high = (columns.front, columns.collector) if inside else (columns.lithium, columns.front)
    heights = columns.sign * np.arange(depth)[:, None]
    bore = cell.in_bore(depth / 2)
    margin = _FACE_PX * max(cell.voxel_size_um[1:])
    within = (heights > low[bore] + _FACE_PX) & (heights < high[bore] - _FACE_PX)
    full = np.flatnonzero(within.mean(axis=1) > 0.3)
    chosen_rows = np.linspace(0, full.size - 1, min(_SAMPLES, full.size)).astype(int)
    prepared = job.prepared()
    for z in full[chosen_rows].tolist():
        edge, smooth = (part[0] for part in prepared.planes(z, z + 1))
        height = columns.height(z)
        chosen = (height > low + _FACE_PX) & (height < high - _FACE_PX) & cell.in_bore(z, margin)
        edges.append(edge[chosen])
        smooths.append(smooth[chosen])
    return np.concatenate(edges), np.concatenate(smooths)


def _looked_up(mixture: Mixture, grey: np.ndarray, material: int) -> np.ndarray:
    """Give `Mixture.more_than_half` from a table: grey values are many, and the curve is smooth."""
    low = mixture.levels[0] - 6 * mixture.noise
    high = mixture.levels[-1] + 6 * mixture.noise
    table = np.linspace(low, high, _TABLE)
    found = np.interp(grey, table, mixture.more_than_half(table, material))
    return np.asarray(found, np.float32)
