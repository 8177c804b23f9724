"""Slabs made ready for thresholds: denoised, and sharpened by the known point spread.

In: multiples of the electrolyte; out: the same with edges where they belong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xct.normalize.grey_scale import Ratios
from xct.normalize.reference import ElectrolyteReference
from xct.parallel.rolling import Rolling
from xct.physics.optics import FWHM_PER_SIGMA
from xct.segment.denoise import (
    Denoising,
    Triple,
    denoise,
    overlap_rows,
    sharpen_rows,
    sharpened,
)

_TOP = 12.0  # steel beside the layers is cut off here, so that it does not ring
_MOST_NOISE = 1.5  # where a voxel is noisier, sharpening would show noise only
_WIDEST_PX = 1.5
_LEAST_BLUR = 1.5  # voxels


@dataclass(frozen=True)
class Edges:
    """How slabs are made ready.

    Attributes
    ----------
    denoising : str
        A method of `denoise`.
    sigma_px : float
        Its width.
    noise : float
        Standard deviation of the electrolyte's voxels, as a multiple of it.
    psf_sigma_px : tuple of float
        Standard deviation of the point spread along each axis, in voxels.
    rounds : int
        Of sharpening; 0: none.
    """

    denoising: Denoising
    sigma_px: float
    noise: float
    psf_sigma_px: Triple
    rounds: int

    @property
    def overlap(self) -> int:
        """Slices beyond a slab that its answer depends on."""
        rows = overlap_rows(self.denoising, self.sigma_px)
        return rows + sharpen_rows(self.psf_sigma_px, self.rounds)

    @property
    def overlap_y(self) -> int:
        """Rows along y beyond a strip that its answer depends on."""
        rows = overlap_rows(self.denoising, self.sigma_px)
        _, y, x = self.psf_sigma_px
        return rows + sharpen_rows((y, y, x), self.rounds)

    def denoised(self, ratios: Rolling) -> Rolling:
        """Denoise slices as they are asked for."""
        reach = overlap_rows(self.denoising, self.sigma_px)
        ratios.keep(self.overlap)

        def make(first: int, stop: int) -> np.ndarray:
            values = np.minimum(ratios.planes(first - reach, stop + reach), np.float32(_TOP))
            smooth = denoise(values, self.denoising, noise=self.noise, sigma_px=self.sigma_px)
            before = first - max(first - reach, 0)
            return smooth[before : before + stop - first]

        return Rolling(make, ratios.depth)

    def sharpened(self, denoised: Rolling) -> Rolling:
        """Sharpen what `denoised` gives, as it is asked for."""
        return sharpened(denoised, self.psf_sigma_px, rounds=self.rounds, top=_TOP)


def edges_of(ratios: Ratios, denoising: Denoising, sigma_px: float, rounds: int) -> Edges:
    """Decide once for the volume how its slabs are made ready."""
    noise = ratios.noise(ratios.shape[0] / 2)
    if noise > _MOST_NOISE:
        rounds = 0
    return Edges(denoising, sigma_px, noise, psf_sigma_px(ratios.reference, ratios), rounds)


def psf_sigma_px(reference: ElectrolyteReference, ratios: Ratios) -> Triple:
    """Give the standard deviation of the point spread along each axis, in voxels."""
    size = ratios.cell.voxel_size_um
    blur = blur_um(reference, size)
    z, y, x = (min(blur / FWHM_PER_SIGMA / step, _WIDEST_PX) for step in size)
    return z, y, x


def blur_um(reference: ElectrolyteReference, voxel_size_um: Sequence[float]) -> float:
    """Give the width of the point spread (FWHM); where it could not be measured, a voxel and half.

    What a reconstruction from a sharp detector has at least.
    """
    blur = float(reference.blur_um)
    return blur if np.isfinite(blur) and blur > 0 else _LEAST_BLUR * min(voxel_size_um)
