"""Denoising, to segment only: grey values are measured on what was not denoised.

In: a block of slices with overlap; out: the same, smoother. Every filter looks a fixed number of
voxels around, in the same order wherever the block was cut, so that no seam arises.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from xct.parallel.kernels import njit
from xct.parallel.rolling import Rolling
from xct.parallel.threads import over_ranges
from xct.statistics.gaussian import gaussian_taps, reach_px

Triple = tuple[float, float, float]
Denoising = Literal["none", "gaussian", "bilateral", "non_local_means", "total_variation"]

_TABLE = 256  # steps of the bilateral filter's weights, up to where they vanish
_VANISHED = 3.0  # … in widths


def overlap_rows(method: Denoising, sigma_px: float = 1.0) -> int:
    """Give how many slices beyond a block a filter looks at."""
    return {
        "none": 0,
        "gaussian": reach_px(sigma_px),
        "bilateral": 1,
        "non_local_means": NLM_SEARCH + NLM_PATCH,
        "total_variation": 2 * TV_ROUNDS,
    }[method]


def denoise(
    block: np.ndarray, method: Denoising, *, noise: float, sigma_px: float = 1.0
) -> np.ndarray:
    """Smooth a block of slices.

    Parameters
    ----------
    block : ndarray, shape (z, y, x)
        Grey values.
    method : {"none", "gaussian", "bilateral", "non_local_means", "total_variation"}
        ``gaussian`` smooths edges, too; ``bilateral`` [1]_ averages the 27 voxels around, weighted
        by how little they differ; ``non_local_means`` [2]_ averages voxels whose surroundings look
        alike; ``total_variation`` [3]_ (a fixed number of rounds) flattens between edges.
    noise : float
        Standard deviation of the noise, in grey values: what may be smoothed.
    sigma_px : float, optional
        Width of the Gaussian, and of the bilateral filter in space.

    Returns
    -------
    ndarray of float32, shape (z, y, x)
        Valid `overlap_rows` away from where the block was cut.

    References
    ----------
    .. [1] Tomasi & Manduchi (1998), Proc. ICCV, 839. doi:10.1109/ICCV.1998.710815
    .. [2] Buades, Coll & Morel (2005), Proc. CVPR, 60. doi:10.1109/CVPR.2005.38
    .. [3] Chambolle (2004), J. Math. Imaging Vis. 20, 89. doi:10.1023/B:JMIV.0000011325.36760.1e
    """
    block = np.ascontiguousarray(block, np.float32)
    if method == "none":
        return block
    if method == "gaussian":
        return gaussian(block, sigma_px)
    if method == "total_variation":
        return total_variation(block, np.float32(noise))
    smooth = np.empty_like(block)
    if method == "bilateral":
        space = np.exp(-0.5 * np.arange(4) / sigma_px**2).astype(np.float32)  # by squared distance
        table = np.exp(-0.5 * np.linspace(0, _VANISHED, _TABLE) ** 2).astype(np.float32)
        table[-1] = 0
        steps = np.float32((_TABLE - 1) / (_VANISHED * 3 * noise))
        over_ranges(lambda a, b: _bilateral(block, smooth, a, b, space, table, steps), len(block))
    else:
        over_ranges(lambda a, b: non_local(block, smooth, a, b, np.float32(noise)), len(block))
    return smooth


def sharpen(block: np.ndarray, sigma_px: Triple, *, rounds: int, top: float) -> np.ndarray:
    """Take out a part of the blur: a few rounds of Landweber's iteration [1]_, kept in bounds.

    Few rounds bring back edges and small bodies, and not yet the noise.

    Parameters
    ----------
    block : ndarray of float32, shape (z, y, x)
        Grey values, 0 for air.
    sigma_px : tuple of float
        Standard deviation of the point spread in voxels, along each axis.
    rounds : int
        Each looks twice the Gaussian's reach further, see `sharpen_rows`.
    top : float
        No value rises above it.

    Returns
    -------
    ndarray of float32, shape (z, y, x)
        Valid `sharpen_rows` away from where the block was cut.

    References
    ----------
    .. [1] Landweber (1951), Am. J. Math. 73, 615. doi:10.2307/2372313
    """
    block = np.ascontiguousarray(block, np.float32)
    source = Rolling(lambda first, stop: block[first:stop], len(block))
    return sharpened(source, sigma_px, rounds=rounds, top=top).planes(0, len(block))


def sharpened(source: Rolling, sigma_px: Triple, *, rounds: int, top: float) -> Rolling:
    """Sharpen planes as they are asked for: `sharpen`, of which nothing is made twice."""
    reach, depth = reach_px(sigma_px[0]), source.depth
    source.keep(2 * rounds * reach)

    def once(sharp: Rolling) -> Rolling:
        def missing(first: int, stop: int) -> np.ndarray:
            around = sharp.planes(first - reach, stop + reach)
            seen = source.planes(first, stop)
            return _smoothed(around, sigma_px, first - max(first - reach, 0), _LESS, seen)

        rest = Rolling(missing, depth)

        def brighter(first: int, stop: int) -> np.ndarray:
            around = rest.planes(first - reach, stop + reach)
            so_far = sharp.planes(first, stop)
            return _smoothed(around, sigma_px, first - max(first - reach, 0), _MORE, so_far, top)

        return Rolling(brighter, depth)

    sharp = source
    for _ in range(rounds):
        sharp = once(sharp)
    return sharp


def sharpen_rows(sigma_px: Triple, rounds: int) -> int:
    """Give how many slices beyond a block `sharpen` looks at."""
    return 2 * rounds * reach_px(sigma_px[0])


def gaussian(block: np.ndarray, sigma_px: float | Triple, inner: slice | None = None) -> np.ndarray:
    """Smooth with a Gaussian; at the ends of the block its outermost voxels go on.

    Parameters
    ----------
    block : ndarray of float32, shape (z, y, x)
        Grey values.
    sigma_px : float or tuple of float
        Standard deviation in voxels, along each axis.
    inner : slice, optional
        Which slices of the block are wanted; all unless given.

    Returns
    -------
    ndarray of float32, shape (z, y, x)
        Valid `reach_px` away from where the block was cut.
    """
    sigmas = sigma_px if isinstance(sigma_px, tuple) else (sigma_px,) * 3
    first, stop, _ = (inner or slice(None)).indices(len(block))
    base = np.empty((stop - first, *block.shape[1:]), np.float32)
    return _smoothed(block, sigmas, first, _PLAIN, base)


_PLAIN, _LESS, _MORE = range(3)  # the smoothed block; a base without it; a base with it, in bounds


def _smoothed(
    block: np.ndarray, sigma_px: Triple, first: int, how: int, base: np.ndarray, top: float = 0.0
) -> np.ndarray:
    """Smooth as many slices as `base` has, from `first` on."""
    block = np.ascontiguousarray(block, np.float32)
    smooth = np.empty_like(base)
    z, y, x = (gaussian_taps(sigma)[reach_px(sigma) :] for sigma in sigma_px)
    over_ranges(
        lambda a, b: _smooth(block, first, z, y, x, how, base, np.float32(top), smooth, a, b),
        len(base),
    )
    return smooth


@njit(cache=True, nogil=True)
def _smooth(
    block: np.ndarray,
    start: int,
    along_z: np.ndarray,
    along_y: np.ndarray,
    along_x: np.ndarray,
    how: int,
    base: np.ndarray,
    top: np.float32,
    smooth: np.ndarray,
    first: int,
    stop: int,
) -> None:
    """Smooth row by row along z, then y, then x: what is in between stays in the cache."""
    _, height, width = block.shape
    reach, pad = along_y.size - 1, along_x.size - 1
    rows = np.empty((2 * reach + 1, width), np.float32)
    line = np.empty(width + 2 * pad, np.float32)
    for z in range(first, stop):
        for y in range(reach):
            _row_along_z(block, start + z, min(y, height - 1), along_z, rows[y])
        for y in range(height):
            ahead = y + reach
            _row_along_z(block, start + z, min(ahead, height - 1), along_z, rows[ahead % len(rows)])
            middle = line[pad : pad + width]
            _scaled(rows[y % len(rows)], along_y[0], middle)
            for k in range(1, reach + 1):
                above = rows[max(y - k, 0) % len(rows)]
                _add_scaled(above, rows[(y + k) % len(rows)], along_y[k], middle)
            line[:pad] = line[pad]
            line[pad + width :] = line[pad + width - 1]
            out = smooth[z, y]
            _scaled(middle, along_x[0], out)
            for k in range(1, pad + 1):
                left, right = line[pad - k : pad - k + width], line[pad + k : pad + k + width]
                _add_scaled(left, right, along_x[k], out)
            if how == _LESS:
                _take_from(base[z, y], out)
            elif how == _MORE:
                _add_within(base[z, y], top, out)


@njit(cache=True, nogil=True)
def _row_along_z(block: np.ndarray, z: int, y: int, weights: np.ndarray, out: np.ndarray) -> None:
    _scaled(block[z, y], weights[0], out)
    for k in range(1, weights.size):
        above, below = block[max(z - k, 0), y], block[min(z + k, len(block) - 1), y]
        _add_scaled(above, below, weights[k], out)


@njit(cache=True, nogil=True)
def _scaled(line: np.ndarray, weight: np.float32, out: np.ndarray) -> None:
    for x in range(out.size):
        out[x] = weight * line[x]


@njit(cache=True, nogil=True)
def _add_scaled(one: np.ndarray, other: np.ndarray, weight: np.float32, out: np.ndarray) -> None:
    for x in range(out.size):
        out[x] += weight * (one[x] + other[x])


@njit(cache=True, nogil=True)
def _take_from(base: np.ndarray, out: np.ndarray) -> None:
    for x in range(out.size):
        out[x] = base[x] - out[x]


@njit(cache=True, nogil=True)
def _add_within(base: np.ndarray, top: np.float32, out: np.ndarray) -> None:
    for x in range(out.size):
        out[x] = min(max(base[x] + out[x], np.float32(0)), top)


@njit(cache=True, nogil=True)
def _bilateral(
    block: np.ndarray,
    smooth: np.ndarray,
    first: int,
    stop: int,
    space: np.ndarray,
    table: np.ndarray,
    steps: np.float32,
) -> None:
    depth, height, width = block.shape
    last = np.float32(table.size - 1)
    total, mass = np.empty(width, np.float32), np.empty(width, np.float32)
    for z in range(first, stop):
        for y in range(height):
            line = block[z, y]
            for x in range(width):
                total[x] = line[x]
                mass[x] = np.float32(1)
            for dz in range(-1, 2):
                for dy in range(-1, 2):
                    other = block[min(max(z + dz, 0), depth - 1), min(max(y + dy, 0), height - 1)]
                    for dx in range(-1, 2):
                        away = dz * dz + dy * dy + dx * dx
                        if away == 0:
                            continue
                        for x in range(width):
                            value = other[min(max(x + dx, 0), width - 1)]
                            step = min(abs(value - line[x]) * steps, last)
                            weight = space[away] * table[int(step)]
                            total[x] += weight * value
                            mass[x] += weight
            for x in range(width):
                smooth[z, y, x] = total[x] / mass[x]


# Kernels of the slower filters: non-local means, total variation. In: a block; out: smoother.

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
