"""Thresholds between the materials, found once for the whole cell. In: a sample; out: numbers.

All in multiples of the electrolyte's attenuation: air is 0, electrolyte 1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from xct.segment.columns import Columns
from xct.segment.denoise import Denoising, denoise, gaussian, overlap_rows, reach_px
from xct.segment.mixture import Mixture, fit_mixture
from xct.segment.normalized import Ratios

SMOOTH_PX = 0.85  # what low-grey voxels of the separator are looked for in is smoothed by this
_SAMPLES = 12  # slices
_MARGIN_PX = 3.0  # off every face and the wall
_BINS = 400
_LEAST_VOXELS = 2000
_ACTIVE = 8.6  # NCM811 at 25 keV, to start from
_DARK = 0.0
_HALF = 0.45


@dataclass(frozen=True)
class Thresholds:
    """Where one material ends and another begins, as multiples of the electrolyte.

    Attributes
    ----------
    active : float
        Active material above, electrolyte below.
    low : float
        Electrolyte above, low grey below: half of it.
    low_certain : float
        A low-grey region needs a voxel below this.
    noise : float
        Standard deviation of the electrolyte, denoised as for `active`.
    noise_smooth : float
        The same, smoothed as for the separator's low-grey regions.
    mixture : Mixture or None
        What `active` comes from; None where the composite could not be sampled.
    """

    active: float
    low: float
    low_certain: float
    noise: float
    noise_smooth: float
    mixture: Mixture | None = None

    def shifted(self, share: float) -> Thresholds:
        """Move every threshold by a share of the step that it stands on (δ)."""
        step = (self.mixture.levels[-1] if self.mixture else _ACTIVE) - 1
        return replace(
            self,
            active=self.active + share * step,
            low=self.low + share,
            low_certain=self.low_certain + share,
        )


def find_thresholds(
    ratios: Ratios, columns: Columns, *, denoising: Denoising, sigma_px: float
) -> Thresholds:
    """Find the thresholds from a sample of slices.

    Parameters
    ----------
    ratios : Ratios
        The volume in multiples of the electrolyte.
    columns : Columns
        Where the layers lie.
    denoising : str
        A method of `denoise`.
    sigma_px : float
        Its width.

    Returns
    -------
    Thresholds
        The same for every slab.
    """
    sampled = _Sample(ratios, columns, denoising, sigma_px)
    noise, smooth = sampled.separator_noise()
    mixture = sampled.mixture(noise)
    active = mixture.threshold(len(mixture.levels) - 1) if mixture else (1 + _ACTIVE) / 2
    # Below a - 3 s a voxel is certainly not electrolyte; half of the electrolyte is its edge.
    certain = min(1 - 3 * smooth, 1.0)
    return Thresholds(active, _HALF, certain, noise, smooth, mixture)


class _Sample:
    """Slices through the layers, denoised as they will be."""

    def __init__(
        self, ratios: Ratios, columns: Columns, denoising: Denoising, sigma_px: float
    ) -> None:
        self.ratios, self.columns = ratios, columns
        self.denoising, self.sigma_px = denoising, sigma_px

    def separator_noise(self) -> tuple[float, float]:
        """Spread of the separator's voxels, denoised and smoothed: from the quartiles."""
        low = self.columns.lithium + _MARGIN_PX
        high = self.columns.front - _MARGIN_PX
        spreads = []
        for z, edge, raw in self._slices(low, high):
            inside = self._between(z, low, high)
            if np.count_nonzero(inside) < _LEAST_VOXELS:
                continue
            reach = reach_px(SMOOTH_PX)
            smooth = gaussian(raw, SMOOTH_PX)[min(reach, len(raw) // 2)]
            spreads.append((_spread(edge[inside]), _spread(smooth[inside])))
        if not spreads:
            noise = self.ratios.noise(self.ratios.shape[0] / 2)
            return noise, noise / 3
        return float(np.median([s[0] for s in spreads])), float(np.median([s[1] for s in spreads]))

    def mixture(self, noise: float) -> Mixture | None:
        """Levels of pores, electrolyte and active material in the composite."""
        low = self.columns.front + _MARGIN_PX
        high = self.columns.collector - _MARGIN_PX
        values = [edge[self._between(z, low, high)] for z, edge, _ in self._slices(low, high)]
        sample = np.concatenate(values) if values else np.empty(0)
        if sample.size < _LEAST_VOXELS:
            return None
        top = float(np.percentile(sample, 99.9))
        bottom = float(np.percentile(sample, 0.1))
        counts, edges = np.histogram(sample, _BINS, (bottom, top))
        middle = (edges[1:] + edges[:-1]) / 2
        guess = max(float(np.percentile(sample, 95)), 1 + 4 * noise)
        return fit_mixture(
            counts, middle, (_DARK, 1.0, guess), noise=noise, fixed=(True, True, False)
        )

    def _between(self, z: int, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        height = self.columns.height(z)
        cell = self.ratios.cell
        margin = _MARGIN_PX * max(cell.voxel_size_um[1:])
        return np.asarray((height > low) & (height < high) & cell.in_bore(z, margin))

    def _slices(
        self, low: np.ndarray, high: np.ndarray
    ) -> list[tuple[int, np.ndarray, np.ndarray]]:
        """Slices spread between two faces, denoised, and what lies around them as it is."""
        depth = self.ratios.shape[0]
        inside = self.ratios.cell.in_bore(depth / 2)
        usable = inside & np.isfinite(low) & np.isfinite(high) & (high > low)
        if not usable.any():
            first, last = sorted((0, self.columns.sign * depth))
            low, high = np.clip(low, first, last), np.clip(high, first, last)
            usable = inside & (high > low)
            if not usable.any():
                return []
        first, stop = self.columns.rows(low[usable], high[usable], depth)
        chosen = np.unique(np.linspace(first, stop - 1, _SAMPLES + 2)[1:-1].astype(int))
        reach = max(overlap_rows(self.denoising, self.sigma_px), reach_px(SMOOTH_PX))
        slices = []
        for z in chosen[(chosen >= 0) & (chosen < depth)].tolist():
            before, after = min(reach, z), min(reach, depth - 1 - z)
            raw = self.ratios.read(z - before, z + after + 1)
            noise = self.ratios.noise(z)
            edge = denoise(raw, self.denoising, noise=noise, sigma_px=self.sigma_px)[before]
            slices.append((z, edge, raw))
        return slices


def _spread(values: np.ndarray) -> float:
    low, high = np.percentile(values, (25, 75))
    return float((high - low) / 1.349)
