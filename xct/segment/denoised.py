"""The volume without its noise, for display. In: volume, noise; out: voxels, smoothed when read.

Nothing is measured on it: it is written only where a run keeps it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from xct.normalize.reference import ElectrolyteReference
from xct.parallel.blocks import Voxels
from xct.quantity import GreyVolume, Quantity, declare
from xct.segment.denoise import Denoising, denoise, overlap_rows

_METHOD: Denoising = "total_variation"


@dataclass(frozen=True)
class DenoisedVoxels:
    """A volume (z, y, x) that is smoothed as it is read; no value depends on the part.

    Attributes
    ----------
    volume : Voxels
        As it was reconstructed.
    noise : float
        Its standard deviation, in the unit of the volume.
    """

    volume: Voxels
    noise: float

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along z, y and x."""
        return self.volume.shape

    @property
    def dtype(self) -> np.dtype:
        """Type of the values."""
        return np.dtype(np.float32)

    @property
    def quantity(self) -> str:
        """What the values are, as those of the volume."""
        return str(getattr(self.volume, "quantity", "attenuation"))

    def __getitem__(self, index: Any) -> np.ndarray:
        """Read slices, and smooth them."""
        part, *rest = index if isinstance(index, tuple) else (index,)
        z = part if isinstance(part, slice) else slice(part, part + 1)
        first, stop, step = z.indices(self.shape[0])
        reach = overlap_rows(_METHOD)
        low = max(first - reach, 0)
        around = np.asarray(self.volume[low : min(stop + reach, self.shape[0])], np.float32)
        missing = ~np.isfinite(around)
        around[missing] = 0
        smooth = denoise(around, _METHOD, noise=self.noise)
        smooth[missing] = np.nan
        slices = smooth[first - low : stop - low : step]
        chosen: np.ndarray = slices if isinstance(part, slice) else slices[0]
        return chosen[(slice(None), *rest)] if isinstance(part, slice) else chosen[tuple(rest)]


def denoised(volume: Voxels, reference: ElectrolyteReference) -> DenoisedVoxels:
    """Give the volume smoothed by total variation [1]_, as far as its noise reaches.

    Parameters
    ----------
    volume : Voxels, shape (z, y, x)
        As it was reconstructed.
    reference : Reference
        Of the electrolyte: its noise.

    References
    ----------
    .. [1] Chambolle (2004), J. Math. Imaging Vis. 20, 89. doi:10.1023/B:JMIV.0000011325.36760.1e
    """
    return DenoisedVoxels(volume, float(np.nanmedian(reference.noise_per_cm)))


declare(
    Quantity(
        "denoised",
        ("z", "y", "x"),
        "the volume, smoothed for display",
        derive=denoised,
        store=GreyVolume(),
    )
)
