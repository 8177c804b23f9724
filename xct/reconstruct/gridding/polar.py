"""Where polar frequencies fall on the grid. In: angles and sizes; out: runs of samples by tile.

A projection's spectrum is a line through the middle of the grid, so the samples of one angle
that fall into one tile follow each other: a tile is a list of runs (angle, first, stop).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import ceil
from threading import Lock

import numpy as np
import scipy

from xct.parallel.kernels import njit

# The spreading kernel of the gridding. In: its width; out: its values and its transform.

# Width in grid cells and oversampling of the grid: together they set the accuracy.
WIDTH = 5
OVERSAMPLING = 1.25
# Positions between two cells for which the kernel is tabulated; the nearest one is used.
STEP_BITS = 11
STEPS = 2**STEP_BITS

_BETA = 0.976 * np.pi * WIDTH * (1 - 1 / (2 * OVERSAMPLING))


def spreading_kernel(distance: np.ndarray) -> np.ndarray:
    """Exponential of a semicircle [1]_, 1 in the middle, at distances in grid cells.

    References
    ----------
    .. [1] Barnett, Magland & af Klinteberg (2019), SIAM J. Sci. Comput. 41, C479.
       doi:10.1137/18M120885X
    """
    circle = np.maximum(1 - (2 * np.asarray(distance, dtype=np.float64) / WIDTH) ** 2, 0)
    values: np.ndarray = np.exp(_BETA * (np.sqrt(circle) - 1))
    return values


@lru_cache(maxsize=1)
def kernel_table() -> np.ndarray:
    """Weights of the `WIDTH` cells around a sample, by its position between two cells.

    Returns
    -------
    ndarray of float32, shape (STEPS + 1, WIDTH)
        Row f: the first cell lies f / STEPS behind the start of the kernel.
    """
    fraction = np.arange(STEPS + 1)[:, None] / STEPS
    table = spreading_kernel(fraction + np.arange(WIDTH) - WIDTH / 2).astype(np.float32)
    table.flags.writeable = False
    return table


def kernel_transform(position_px: np.ndarray, cells: int) -> np.ndarray:
    """Transform of the kernel, by Gauss-Legendre quadrature.

    Parameters
    ----------
    position_px : ndarray
        Positions in the picture, from its middle.
    cells : int
        Size of the grid.

    Returns
    -------
    ndarray of float64
        What gridding multiplied the picture with, at each position.
    """
    node, weight = np.polynomial.legendre.leggauss(16 + 4 * WIDTH)
    node, weight = node * WIDTH / 2, weight * WIDTH / 2
    phase = 2 * np.pi / cells * np.asarray(position_px)[..., None] * node
    transform: np.ndarray = (weight * spreading_kernel(node) * np.cos(phase)).sum(axis=-1)
    return transform


# Grid cells along a tile: its buffer, with the kernel's margin, should stay in the L2 cache.
TILE = 64
# Bits behind the point of a position on the grid.
FRACTION_BITS = 40
_lock = Lock()


@dataclass(frozen=True)
class Geometry:
    """Samples of one scan, sorted by tile; the same for all its rows, so it is kept.

    Attributes
    ----------
    length, cells, highest : int
        Length of the padded projection, size of the grid, highest frequency used.
    step : ndarray of int64, shape (angle, 2)
        Grid cells in x and y from one frequency to the next, times 2**FRACTION_BITS.
    edges : ndarray of int64, shape (tiles + 1,)
        First cell of each tile along one axis; the number of tiles is even.
    order : ndarray of int64, shape (4, tile)
        Tiles of each color; tiles of one color do not touch, margins included.
    start : ndarray of int64, shape (tiles * tiles + 1,)
        First run of each tile.
    runs : ndarray of int32, shape (run, 3)
        Angle, first frequency, frequency behind the last.
    """

    length: int
    cells: int
    highest: int
    step: np.ndarray
    edges: np.ndarray
    order: np.ndarray
    start: np.ndarray
    runs: np.ndarray


def grid_cells(size: int) -> int:
    """Size of the grid for a picture of `size` pixels: even, and quick to transform."""
    return fast_even(max(ceil(OVERSAMPLING * size), 8 * WIDTH))


def fast_even(least: int) -> int:
    """Smallest even length from `least` on whose transform is quick."""
    return 2 * int(scipy.fft.next_fast_len((least + 1) // 2, real=True))


def geometry(theta_deg: np.ndarray, length: int, cells: int, highest: int) -> Geometry:
    """Sort the polar samples into tiles; the last few scans are remembered."""
    angles = np.ascontiguousarray(theta_deg, dtype=np.float64)
    with _lock:  # threads that ask for the same scan wait for the first instead of repeating it
        return _geometry(angles.tobytes(), length, cells, highest)


@lru_cache(maxsize=4)
def _geometry(angles: bytes, length: int, cells: int, highest: int) -> Geometry:
    theta = np.deg2rad(np.frombuffer(angles))
    cosines = np.column_stack([np.cos(theta), -np.sin(theta)])
    step = np.rint(cosines * (cells / length * 2**FRACTION_BITS)).astype(np.int64)
    tiles = max(2, 2 * round(cells / (2 * TILE)))
    edges = np.arange(tiles + 1, dtype=np.int64) * cells // tiles
    tile_of_cell = np.repeat(np.arange(tiles), np.diff(edges))
    count = np.zeros(tiles * tiles, dtype=np.int64)
    _count_runs(step, highest, cells, tile_of_cell, tiles, count)
    start = np.concatenate([[0], np.cumsum(count)])
    runs = np.empty((start[-1], 3), dtype=np.int32)
    _fill_runs(step, highest, cells, tile_of_cell, tiles, start[:-1].copy(), runs)
    return Geometry(length, cells, highest, step, edges, _colors(tiles), start, runs)


def _colors(tiles: int) -> np.ndarray:
    """Tiles by color, shuffled: the crowded ones in the middle are shared among threads."""
    tile = np.arange(tiles * tiles).reshape(tiles, tiles)
    colors = np.stack([tile[y::2, x::2].ravel() for y in (0, 1) for x in (0, 1)])
    return np.ascontiguousarray(np.random.default_rng(0).permuted(colors, axis=1))


@njit(cache=True, nogil=True)
def locate(k: int, step: int, cells: int, origin: int) -> int:
    """Where the kernel around frequency `k` begins, in 2**-FRACTION_BITS cells from `origin`.

    The first cell that it reaches is on the periodic grid. In whole numbers: a compiler may
    round a float expression differently wherever it stands, and a sample that lands in another
    tile than it was sorted into is written out of bounds.
    """
    begin = k * step - (WIDTH << (FRACTION_BITS - 1))
    cell, _ = split(begin)
    if cell < 0:
        begin += cells << FRACTION_BITS
    elif cell >= cells:
        begin -= cells << FRACTION_BITS
    return int(begin - (origin << FRACTION_BITS))


@njit(cache=True, nogil=True)
def split(begin: int) -> tuple[int, int]:
    """First cell behind the beginning of the kernel, and the row of the kernel's table."""
    cell = (begin + (1 << FRACTION_BITS) - 1) >> FRACTION_BITS
    behind = (cell << FRACTION_BITS) - begin
    row = (behind + (1 << (FRACTION_BITS - STEP_BITS - 1))) >> (FRACTION_BITS - STEP_BITS)
    return cell, row


@njit(cache=True, nogil=True)
def _tile_at(k: int, step: np.ndarray, cells: int, tile_of_cell: np.ndarray, tiles: int) -> int:
    x, _ = split(locate(k, step[0], cells, 0))
    y, _ = split(locate(k, step[1], cells, 0))
    return int(tile_of_cell[y] * tiles + tile_of_cell[x])


@njit(cache=True, nogil=True)
def _count_runs(
    step: np.ndarray,
    highest: int,
    cells: int,
    tile_of_cell: np.ndarray,
    tiles: int,
    count: np.ndarray,
) -> None:
    for angle in range(step.shape[0]):
        last = -1
        for k in range(-highest, highest + 1):
            tile = _tile_at(k, step[angle], cells, tile_of_cell, tiles)
            if tile != last:
                count[tile] += 1
                last = tile


@njit(cache=True, nogil=True)
def _fill_runs(
    step: np.ndarray,
    highest: int,
    cells: int,
    tile_of_cell: np.ndarray,
    tiles: int,
    place: np.ndarray,
    runs: np.ndarray,
) -> None:
    for angle in range(step.shape[0]):
        last, first = -1, -highest
        for k in range(-highest, highest + 2):
            tile = -1
            if k <= highest:
                tile = _tile_at(k, step[angle], cells, tile_of_cell, tiles)
            if tile == last:
                continue
            if last >= 0:
                runs[place[last], 0] = angle
                runs[place[last], 1] = first
                runs[place[last], 2] = k
                place[last] += 1
            last, first = tile, k
