"""From points to voxels. Kernels: labels by the largest share, μ and δ by the mean."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from xct.parallel.kernels import njit
from xct.phantom.cell.substances import ELECTROLYTE, POINTS


class Palette(NamedTuple):
    """What the codes of points stand for: the substances, then the bodies of a tile."""

    mu: np.ndarray
    delta: np.ndarray
    label: np.ndarray
    number: np.ndarray


class Filled(NamedTuple):
    """Voxels of a slab or of a tile of it, shape (z, y, x)."""

    labels: np.ndarray
    numbers: np.ndarray
    mu: np.ndarray
    delta: np.ndarray


@njit(cache=True, nogil=True, boundscheck=False)
def average(
    points: np.ndarray,
    touched: np.ndarray,
    palette: Palette,
    density: np.ndarray,
    z0: float,
    voxel: float,
    tile: Filled,
) -> None:
    """Average the points of a tile to its voxels."""
    labels, numbers, mu, delta = tile
    palette_mu, palette_delta, palette_label, palette_number = palette
    share = np.empty(8, np.int32)
    seen = np.empty(POINTS**3, np.uint16)
    often = np.empty(POINTS**3, np.int32)
    for k in range(labels.shape[0]):
        packed = relative_density(density, z0 + k * voxel)
        for j in range(labels.shape[1]):
            for i in range(labels.shape[2]):
                if not touched[k, j, i]:
                    code = points[k * POINTS, j * POINTS, i * POINTS]
                    factor = packed if code == ELECTROLYTE else 1.0
                    labels[k, j, i] = palette_label[code]
                    numbers[k, j, i] = 0
                    mu[k, j, i] = palette_mu[code] * factor
                    delta[k, j, i] = palette_delta[code] * factor
                    continue
                kinds = 0
                last = -1
                for c in range(k * POINTS, (k + 1) * POINTS):
                    for b in range(j * POINTS, (j + 1) * POINTS):
                        for a in range(i * POINTS, (i + 1) * POINTS):
                            code = points[c, b, a]
                            if last < 0 or seen[last] != code:
                                last = 0
                                while last < kinds and seen[last] != code:
                                    last += 1
                                if last == kinds:
                                    seen[last] = code
                                    often[last] = 0
                                    kinds += 1
                            often[last] += 1
                share[:] = 0
                total_mu = total_delta = 0.0
                label = 0
                for s in range(kinds):
                    code, n = seen[s], often[s]
                    factor = packed if code == ELECTROLYTE else 1.0
                    total_mu += n * palette_mu[code] * factor
                    total_delta += n * palette_delta[code] * factor
                    share[palette_label[code]] += n
                for m in range(1, 8):
                    if share[m] > share[label]:
                        label = m
                most, number = 0, 0
                for s in range(kinds):
                    code = seen[s]
                    mine = palette_number[code] > 0 and palette_label[code] == label
                    if mine and often[s] > most:
                        most, number = often[s], palette_number[code]
                labels[k, j, i] = label
                numbers[k, j, i] = number
                mu[k, j, i] = total_mu / POINTS**3
                delta[k, j, i] = total_delta / POINTS**3


@njit(cache=True, nogil=True, inline="always")
def relative_density(density: np.ndarray, z: float) -> float:
    """Give the electrolyte's density at a height, constant beyond its faces."""
    share = (z - density[2]) / (density[3] - density[2])
    return float(density[0] + (density[1] - density[0]) * min(max(share, 0.0), 1.0))


@njit(cache=True, nogil=True)
def fill_plain(
    code: int, palette: Palette, density: np.ndarray, z0: float, voxel: float, tile: Filled
) -> None:
    """Fill a tile of one substance."""
    for k in range(tile.labels.shape[0]):
        factor = relative_density(density, z0 + k * voxel) if code == ELECTROLYTE else 1.0
        tile.labels[k] = palette.label[code]
        tile.numbers[k] = 0
        tile.mu[k] = palette.mu[code] * factor
        tile.delta[k] = palette.delta[code] * factor
