"""Kernels of the slower filters: non-local means, total variation. In: a block; out: smoother."""

from __future__ import annotations

from typing import Any

import numpy as np

from xct.compiling import njit
from xct.threads import over_ranges

TV_ROUNDS = 12
_TV_STEP = 1 / 12  # largest step with which Chambolle's scheme converges in three dimensions
NLM_SEARCH = 2
NLM_PATCH = 1


@njit(cache=True, nogil=True)
def non_local(
    block: np.ndarray, smooth: np.ndarray, first: int, stop: int, noise: np.float32
) -> None:
    """Average over 5³ voxels, weighted by the difference of the 7 voxels around each."""
    depth, height, width = block.shape
    # Differences of pure noise count as none; beyond that the weight falls off with the noise.
    allowed = np.float32(2) * noise * noise
    falling = np.float32(0.6) * noise * noise
    total, mass = np.empty(width, np.float32), np.empty(width, np.float32)
    for z in range(first, stop):
        for y in range(height):
            for x in range(width):
                total[x] = block[z, y, x]
                mass[x] = np.float32(1)
            for dz in range(-NLM_SEARCH, NLM_SEARCH + 1):
                for dy in range(-NLM_SEARCH, NLM_SEARCH + 1):
                    w = min(max(z + dz, 0), depth - 1)
                    v = min(max(y + dy, 0), height - 1)
                    for dx in range(-NLM_SEARCH, NLM_SEARCH + 1):
                        if dz == 0 and dy == 0 and dx == 0:
                            continue
                        for x in range(width):
                            u = min(max(x + dx, 0), width - 1)
                            away = _difference(block, z, y, x, w, v, u)
                            weight = np.exp(-max(away - allowed, np.float32(0)) / falling)
                            total[x] += weight * block[w, v, u]
                            mass[x] += weight
            for x in range(width):
                smooth[z, y, x] = total[x] / mass[x]


@njit(cache=True, nogil=True, inline="always")
def _difference(block: np.ndarray, z: int, y: int, x: int, w: int, v: int, u: int) -> Any:
    depth, height, width = block.shape
    d = block[z, y, x] - block[w, v, u]
    total = d * d
    d = block[max(z - 1, 0), y, x] - block[max(w - 1, 0), v, u]
    total += d * d
    d = block[min(z + 1, depth - 1), y, x] - block[min(w + 1, depth - 1), v, u]
    total += d * d
    d = block[z, max(y - 1, 0), x] - block[w, max(v - 1, 0), u]
    total += d * d
    d = block[z, min(y + 1, height - 1), x] - block[w, min(v + 1, height - 1), u]
    total += d * d
    d = block[z, y, max(x - 1, 0)] - block[w, v, max(u - 1, 0)]
    total += d * d
    d = block[z, y, min(x + 1, width - 1)] - block[w, v, min(u + 1, width - 1)]
    total += d * d
    return total / np.float32(7)


def total_variation(block: np.ndarray, noise: np.float32) -> np.ndarray:
    """Chambolle's dual scheme, a fixed number of rounds."""
    dual = np.zeros((3, *block.shape), np.float32)
    smooth = block.copy()
    for _ in range(TV_ROUNDS):
        over_ranges(lambda a, b: _tv_dual(smooth, dual, a, b, noise), len(block))
        over_ranges(lambda a, b: _tv_primal(block, dual, smooth, a, b, noise), len(block))
    return smooth


@njit(cache=True, nogil=True)
def _tv_dual(
    smooth: np.ndarray, dual: np.ndarray, first: int, stop: int, weight: np.float32
) -> None:
    depth, height, width = smooth.shape
    step = np.float32(_TV_STEP) / weight
    for z in range(first, stop):
        for y in range(height):
            for x in range(width):
                value = smooth[z, y, x]
                a = smooth[min(z + 1, depth - 1), y, x] - value
                b = smooth[z, min(y + 1, height - 1), x] - value
                c = smooth[z, y, min(x + 1, width - 1)] - value
                scale = np.float32(1) / (np.float32(1) + step * np.sqrt(a * a + b * b + c * c))
                dual[0, z, y, x] = (dual[0, z, y, x] + step * a) * scale
                dual[1, z, y, x] = (dual[1, z, y, x] + step * b) * scale
                dual[2, z, y, x] = (dual[2, z, y, x] + step * c) * scale


@njit(cache=True, nogil=True)
def _tv_primal(
    block: np.ndarray,
    dual: np.ndarray,
    smooth: np.ndarray,
    first: int,
    stop: int,
    weight: np.float32,
) -> None:
    _, height, width = block.shape
    for z in range(first, stop):
        for y in range(height):
            for x in range(width):
                divergence = dual[0, z, y, x] + dual[1, z, y, x] + dual[2, z, y, x]
                if z > 0:
                    divergence -= dual[0, z - 1, y, x]
                if y > 0:
                    divergence -= dual[1, z, y - 1, x]
                if x > 0:
                    divergence -= dual[2, z, y, x - 1]
                smooth[z, y, x] = block[z, y, x] + weight * divergence
