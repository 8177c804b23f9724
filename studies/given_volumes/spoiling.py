"""What happens to a volume before it is stored. In: μ in 1/cm; out: other values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from scipy.ndimage import affine_transform, gaussian_filter

from xct.bench.drawn_volumes import fbp_noise
from xct.phantom.cell.cell import draw_cell

SHAPE, VOXEL_UM, ENERGY_KEV = (88, 96, 96), 3.0, 25.0
_BLUR_SD, _NOISE_PER_CM = 0.6, 0.8


@dataclass(frozen=True)
class Cell:
    """A virtual cell as a scan would give it: blurred, with noise, 0 outside of the circle.

    Attributes
    ----------
    seed : int
        Of the cell.
    energy_kev : float
        Of the photons.
    make : str
        How the cell was made: a name of `xct.phantom.cell.makes.MAKES`.
    """

    seed: int
    energy_kev: float = ENERGY_KEV
    make: str = "pressed"

    @cached_property
    def mu(self) -> np.ndarray:
        """Attenuation, 1/cm, float32, (z, y, x)."""
        cell = draw_cell(
            "ncm-100", shape=SHAPE, voxel_um=VOXEL_UM, seed=self.seed,
            energy_kev=self.energy_kev, make=self.make,
        )  # fmt: skip
        blurred = gaussian_filter(cell.mu(0, SHAPE[0]), _BLUR_SD)
        return np.where(in_circle(SHAPE), blurred + _noise(), 0).astype(np.float32)


@cache
def _noise() -> np.ndarray:
    return np.asarray(_NOISE_PER_CM * fbp_noise(0, SHAPE, 1.0))


def noise_of_scan() -> np.ndarray:
    """Give the noise of the plain volume, 1/cm."""
    return _noise()


def fresh_noise(shape: Sequence[int]) -> np.ndarray:
    """Give as strong a noise of another scan, 1/cm."""
    return np.asarray(_NOISE_PER_CM * fbp_noise(0, tuple(shape), 1.0, seed=8))


def with_noise(mu: np.ndarray, times: float) -> np.ndarray:
    """Give a plain volume so many times its noise."""
    return np.where(in_circle(mu.shape), mu + (times - 1) * _noise(), 0).astype(np.float32)


def in_circle(shape: Sequence[int]) -> np.ndarray:
    """Say which voxels of a slice a scan reconstructs."""
    return np.asarray(radius_of(shape) <= shape[1] / 2)


def radius_of(shape: Sequence[int]) -> np.ndarray:
    """Give the distance of each pixel of a slice from the middle, in pixels."""
    y, x = (np.arange(n) - (n - 1) / 2 for n in shape[1:])
    return np.asarray(np.hypot(y[:, None], x))


def coded(values: np.ndarray, dtype: str, low: float, high: float) -> np.ndarray:
    """Map a window to all codes of a type; values beyond it are cut off."""
    info = np.iinfo(dtype)
    codes = (values - low) / (high - low) * (int(info.max) - int(info.min)) + int(info.min)
    return np.clip(np.rint(codes), info.min, info.max).astype(dtype)


def leaning(mu: np.ndarray, degrees: float, about: str = "y") -> np.ndarray:
    """Turn the cell about y, x or both, within a larger volume so that nothing leaves it."""
    for axis in about:
        across = {"y": 2, "x": 1}[axis]
        mu = np.moveaxis(_leaning(np.moveaxis(mu, across, 2), degrees), 2, across)
    return np.ascontiguousarray(mu)


def _leaning(mu: np.ndarray, degrees: float) -> np.ndarray:
    t = np.radians(degrees)
    turn = np.array([[np.cos(t), 0, -np.sin(t)], [0, 1, 0], [np.sin(t), 0, np.cos(t)]])
    z, y, x = mu.shape
    more = abs(np.sin(t))
    shape = (z + int(x * more) + 1, y, x + int(z * more) + 1)
    middles = [(np.array(s) - 1) / 2 for s in (mu.shape, shape)]
    offset = middles[0] - turn @ middles[1]
    return np.asarray(affine_transform(mu, turn, offset, shape, order=1), np.float32)


def means(mu: np.ndarray, count: int) -> np.ndarray:
    """Take means of so many slices."""
    whole = len(mu) // count * count
    return np.asarray(mu[:whole].reshape(-1, count, *mu.shape[1:]).mean(axis=1), np.float32)


def rings(mu: np.ndarray, fraction: float, seed: int = 5) -> np.ndarray:
    """Add rings about the middle: so much of the electrolyte's 5 1/cm, alike in every slice."""
    radius = np.rint(radius_of(mu.shape)).astype(int)
    heights = np.random.default_rng(seed).normal(0, fraction * 5, radius.max() + 1)
    return np.where(in_circle(mu.shape), mu + heights[radius], mu).astype(np.float32)


def cupped(mu: np.ndarray, fraction: float) -> np.ndarray:
    """Take a fraction off in the middle, none at the rim: what hard beams look like."""
    radius = radius_of(mu.shape) / (mu.shape[1] / 2)
    return np.asarray(mu * (1 - fraction * np.clip(1 - radius**2, 0, 1)), np.float32)


def block(mu: np.ndarray, value: float) -> np.ndarray:
    """Set a block in the electrolyte to one value."""
    out = mu.copy()
    middle = [n // 2 for n in mu.shape]
    out[
        middle[0] - 8 : middle[0] + 8, middle[1] - 10 : middle[1] + 10, middle[2] : middle[2] + 20
    ] = value
    return out


def slices_set(mu: np.ndarray, value: float) -> np.ndarray:
    """Set five slices of the electrolyte to one value."""
    out = mu.copy()
    out[40:45] = value
    return out


def turned(mu: np.ndarray, order: Sequence[int], signs: Sequence[int]) -> np.ndarray:
    """Put axes into another order, some of them run against."""
    return np.ascontiguousarray(mu.transpose(order)[tuple(slice(None, None, s) for s in signs)])
