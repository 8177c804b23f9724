"""Thresholds between the materials, found once for the whole cell. In: a sample; out: numbers.

All in multiples of the electrolyte's attenuation: air is 0, electrolyte 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from xct.normalize.grey_scale import Ratios
from xct.parallel.blocks import Block
from xct.parallel.rolling import Rolling
from xct.segment.denoise import gaussian
from xct.segment.material.columns import Columns
from xct.segment.material.local_noise import LocalNoise, find_local_noise
from xct.segment.material.sharpened import Edges
from xct.statistics.gaussian import reach_px
from xct.statistics.mixture import Mixture
from xct.statistics.mixture_fits import fit_levels

# Voxels (sd) that what low grey is looked for in is smoothed by: more where noise would else reach
# down to half of the electrolyte. Noise of filtered back-projection falls with its square.
SMOOTH_PX, _MOST_SMOOTH_PX = 0.6, 2.0
_SAMPLES = 12  # slices
_COLUMNS = 2**16  # of a slice, all where it has no more: half a million voxels of each layer
_MARGIN_PX = 3.0  # to every face and the wall
_BINS = 400
_LEAST_VOXELS = 2000
_ACTIVE = 8.6  # NCM811 at 25 keV, to start from
_DARK = 0.0
HALF = 0.45  # of the electrolyte: low grey is darker, if noise does not reach there
# Standard deviations below the electrolyte, where they say less than half of it. Of a separator
# full of nothing but noise, _WEAK leaves a thousandth, and of a million voxels _CERTAIN three: a
# low-grey region needs one. Of the composite's pores the mean of smoothed and sharpened values is
# looked at, which scatters by about 0.6 of the mean of both scatters: _PORE leaves a hundredth of
# an electrolyte of which three quarters have a pore beside them.
_WEAK, _CERTAIN, _PORE = 3.0, 4.5, 1.5
# Standard deviations between electrolyte and active material, below which a voxel may be either.
_LEAST_STEP = 3.0
_EDGE = 0.47
_LEAST_ACTIVE = 3.0  # a composite that is nowhere brighter holds none
_LEAST_NOISE = 0.01
_BESIDE = 2.0  # composite below is electrolyte or pore


@dataclass(frozen=True)
class Thresholds:
    """Where one material ends and another begins, as multiples of the electrolyte.

    Attributes
    ----------
    active : float
        Active material above, electrolyte below.
    noise : float
        Standard deviation of the separator, denoised as for `active`.
    noise_smooth : float
        The same, smoothed as for the separator's low-grey regions.
    mixture : Mixture or None
        What `active` comes from; None where the composite could not be sampled.
    local : LocalNoise
        Noise elsewhere, over that of the separator.
    smooth_px : float
        Standard deviation of that smoothing, in voxels.
    moved : float
        By what fraction of its step each threshold is moved (δ).
    """

    active: float
    noise: float
    noise_smooth: float
    mixture: Mixture | None
    local: LocalNoise = field(compare=False)
    smooth_px: float = SMOOTH_PX
    moved: float = 0.0

    def shifted(self, fraction: float) -> Thresholds:
        """Move every threshold by a fraction of the step that it stands on (δ)."""
        active = self.active + fraction * self._step
        return replace(self, active=active, moved=self.moved + fraction)

    @property
    def _step(self) -> float:
        return (self.mixture.levels[-1] if self.mixture else _ACTIVE) - 1

    def limits(self, first: int, stop: int) -> Limits:
        """Give the thresholds of some slices, by ring."""
        factor = self.local.factor[first:stop].astype(np.float64)
        smooth, edge = self.noise_smooth * factor, self.noise * factor
        moved = np.float32(self.moved)
        certain = certain_below(smooth).astype(np.float32) + moved
        active = np.maximum(self.active, 1 + _CERTAIN * edge)
        return Limits(
            np.float32(self.active),
            active.astype(np.float32),
            low_below(smooth).astype(np.float32) + moved,
            certain,
            np.minimum(HALF, 1 - _PORE * (smooth + edge) / 2).astype(np.float32) + moved,
            edge * _LEAST_STEP > self._step,
        )


class Limits(NamedTuple):
    """Thresholds of some slices; arrays of shape (z, ring), the rings of `LocalNoise`.

    Attributes
    ----------
    active : float32
        As of `Thresholds`.
    drifted : ndarray of float32
        The same in the separator, where it is what noise alone does not reach.
    low : ndarray of float32
        Electrolyte of the separator above, low grey below …
    certain : ndarray of float32
        … in a region that has a voxel below this.
    pore : ndarray of float32
        Electrolyte of the composite above, low grey below.
    unknown : ndarray of bool
        Noise does not let the materials of the composite be told apart.
    """

    active: np.float32
    drifted: np.ndarray
    low: np.ndarray
    certain: np.ndarray
    pore: np.ndarray
    unknown: np.ndarray


def find_thresholds(ratios: Ratios, columns: Columns, edges: Edges) -> Thresholds:
    """Find the thresholds from a sample of slices.

    Parameters
    ----------
    ratios : Ratios
        The volume in multiples of the electrolyte.
    columns : Columns
        Where the layers lie.
    edges : Edges
        How slabs are made ready.

    Returns
    -------
    Thresholds
        The same for every slab.
    """
    sampled, smooth_px = _Sample(ratios, columns, edges), SMOOTH_PX
    noise, smooth = sampled.separator_noise()
    if (wider := smoothing_px(smooth)) > smooth_px:
        sampled, smooth_px = _Sample(ratios, columns, edges, wider), wider
        noise, smooth = sampled.separator_noise()
    mixture, beside = sampled.mixture(noise)
    # Edges of small bodies lie below half of the step by what blur is left over their radius.
    level = mixture.levels[-1] if mixture else _ACTIVE
    active = beside + _EDGE * (level - beside)
    if mixture and edges.rounds == 0:
        active = mixture.threshold()
    local = find_local_noise(ratios, columns, sampled.band)
    return Thresholds(active, noise, smooth, mixture, local, smooth_px)


def smoothing_px(sd: float) -> float:
    """Choose how wide to smooth electrolyte that, smoothed by `SMOOTH_PX`, scatters so."""
    wanted = (1 - HALF) / _CERTAIN
    return float(SMOOTH_PX * min(np.sqrt(max(sd / wanted, 1.0)), _MOST_SMOOTH_PX / SMOOTH_PX))


def low_below(sd: float | np.ndarray) -> np.ndarray:
    """Give the value below which a voxel may be low grey, beside electrolyte that scatters so."""
    return np.asarray(np.minimum(HALF, 1 - _WEAK * np.asarray(sd)))


def certain_below(sd: float | np.ndarray) -> np.ndarray:
    """Give the value below which a voxel is certainly darker than electrolyte that scatters so."""
    return np.asarray(1 - _CERTAIN * np.asarray(sd))


class _Sample:
    """Slices through the layers, denoised as they will be."""

    def __init__(
        self, ratios: Ratios, columns: Columns, edges: Edges, smooth_px: float = SMOOTH_PX
    ) -> None:
        self.ratios, self.columns, self.edges = ratios, columns, edges
        self.smooth_px, near = smooth_px, reach_px(smooth_px)
        self.reach = max(edges.overlap, near)
        self.band = self._band(max(edges.overlap_y, near))

    def _band(self, overlap: int) -> Block:
        """Rows about the axis: of a wide slice they hold every radius, and columns enough."""
        depth, height, width = self.ratios.shape
        count = min(height, max(1, _COLUMNS // width))
        axis = self.ratios.axes(depth // 2, depth // 2 + 1)[0, 0]
        first = round(axis / self.ratios.cell.voxel_size_um[1] - count / 2)
        first = min(max(first, 0), height - count)
        stop = first + count
        return Block(first, stop, max(first - overlap, 0), min(stop + overlap, height))

    def separator_noise(self) -> tuple[float, float]:
        """Measure the noise of the separator, denoised and smoothed, from the quartiles."""
        low = self.columns.lithium + _MARGIN_PX
        high = self.columns.front - _MARGIN_PX
        sds = []
        for z, edge, smooth, _, known in self._slices(low, high):
            inside = self._between(z, low, high) & known
            if np.count_nonzero(inside) < _LEAST_VOXELS:
                continue
            sds.append((_robust_sd(edge[inside]), _robust_sd(smooth[inside])))
        if not sds:
            noise = self.ratios.noise(self.ratios.shape[0] / 2)
            return noise, noise / 3
        return float(np.median([s[0] for s in sds])), float(np.median([s[1] for s in sds]))

    def mixture(self, noise: float) -> tuple[Mixture | None, float]:
        """Levels of the composite's materials, and the mean of all but active material."""
        low = self.columns.front + _MARGIN_PX
        high = self.columns.collector - _MARGIN_PX
        samples, sharpened = [np.empty(0)], []
        for z, edge, _, denoised, known in self._slices(low, high):
            inside = self._between(z, low, high) & known
            samples.append(denoised[inside])
            sharpened.append(edge[inside])
        sample = np.concatenate(samples)
        samples.clear()
        if sample.size < _LEAST_VOXELS:
            return None, 1.0
        sharp = np.concatenate(sharpened)
        sharpened.clear()
        beside = float(sharp[sharp < _BESIDE].mean()) if (sharp < _BESIDE).any() else 1.0
        del sharp
        # Sorted in place: the sample of a wide volume is not held twice.
        top = float(np.percentile(sample, 99.9, overwrite_input=True))
        bottom = float(np.percentile(sample, 0.1, overwrite_input=True))
        counts, edges = np.histogram(sample, _BINS, (bottom, top))
        middle = (edges[1:] + edges[:-1]) / 2
        guess = float(np.percentile(sample, 95, overwrite_input=True))
        if guess < _LEAST_ACTIVE:
            return None, beside
        levels = (_DARK, 1.0, guess)
        noise = max(noise, _LEAST_NOISE)
        return fit_levels(counts, middle, levels, noise=noise, fixed=(True, True, False)), beside

    def _between(self, z: int, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        height = self.columns.height(z)
        cell = self.ratios.cell
        margin = _MARGIN_PX * max(cell.voxel_size_um[1:])
        inside = (height > low) & (height < high) & cell.in_bore(z, margin)
        return np.asarray(inside[self.band.first : self.band.stop])

    def _slices(
        self, low: np.ndarray, high: np.ndarray
    ) -> Iterator[tuple[int, np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
        """Bands of slices evenly between two faces: sharpened, smoothed, and denoised only.

        And where there is a value: missing ones are exactly 1, as many as make a material.
        """
        depth = self.ratios.shape[0]
        inside = self.ratios.cell.in_bore(depth / 2)
        usable = inside & np.isfinite(low) & np.isfinite(high) & (high > low)
        if not usable.any():
            first, last = sorted((0, self.columns.sign * depth))
            low, high = np.clip(low, first, last), np.clip(high, first, last)
            usable = inside & (high > low)
            if not usable.any():
                return
        first, stop = self.columns.rows(low[usable], high[usable], depth)
        chosen = np.unique(np.linspace(first, stop - 1, _SAMPLES + 2)[1:-1].astype(int))
        raw = Rolling(lambda a, b: self.ratios.read(a, b, self.band.outer), depth)
        raw.keep(self.reach)
        denoised = self.edges.denoised(raw)
        sharp = self.edges.sharpened(denoised)
        near = reach_px(self.smooth_px)
        for z in chosen[(chosen >= 0) & (chosen < depth)].tolist():
            edge = sharp.planes(z, z + 1)[0, self.band.inner]
            middle = denoised.planes(z, z + 1)[0, self.band.inner]
            inner = slice(min(near, z), min(near, z) + 1)
            smooth = gaussian(raw.planes(z - near, z + near + 1), self.smooth_px, inner)
            known = raw.planes(z, z + 1)[0, self.band.inner] != np.float32(1)
            yield z, edge, smooth[0, self.band.inner], middle, known


def _robust_sd(values: np.ndarray) -> float:
    low, high = np.percentile(values, (25, 75))
    return float((high - low) / 1.349)
