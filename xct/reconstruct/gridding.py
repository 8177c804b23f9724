"""Spectra gridded and transformed. In: filtered spectra of a batch of rows; out: slices [1]_.

References
----------
.. [1] O'Sullivan (1985), IEEE Trans. Med. Imaging 4, 200. doi:10.1109/TMI.1985.4307723
"""

from __future__ import annotations

import numpy as np
import scipy.fft
from numba import njit

from xct.reconstruct.polar import Geometry, locate
from xct.reconstruct.spectra import BLOCK
from xct.reconstruct.spreading import WIDTH, kernel_table, kernel_transform
from xct.threads import over_ranges, thread_count


def grid_spectra(spectra: np.ndarray, geometry: Geometry, grid: np.ndarray) -> None:
    """Spread every polar sample onto the grid.

    Each tile is summed in a small buffer, then added to the grid. Tiles of one color do not
    touch, so threads need no lock and the sum does not depend on their number.

    Parameters
    ----------
    spectra : ndarray of complex64, shape (angle, frequency, pair of rows)
        Filtered spectra.
    geometry : Geometry
        Where the samples fall.
    grid : ndarray of complex64, shape (cell, cell, pair of rows)
        Overwritten; frequencies (y, x) in the order of `scipy.fft.fft`.
    """
    samples = spectra.view(np.float32).reshape(-1)
    flat = grid.view(np.float32).reshape(grid.shape[0], -1)
    lanes = (0,) * (2 * grid.shape[2])

    def clear(first: int, stop: int) -> None:
        flat[first:stop] = 0

    over_ranges(clear, grid.shape[0])
    for color in geometry.order:

        def spread(first: int, stop: int, color: np.ndarray = color) -> None:
            _spread_tiles(
                color[first:stop],
                geometry.edges,
                geometry.start,
                geometry.runs,
                geometry.step,
                geometry.length,
                samples,
                kernel_table(),
                lanes,
                flat,
            )

        over_ranges(spread, color.size)


def transform_grid(grid: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Inverse transform along x, then along y for the columns that are kept; in place.

    Returns
    -------
    tuple of ndarray
        The left and the right half of the picture's columns, (cell, column, pair of rows);
        along y the picture still starts in its middle.
    """
    rows = _inverse(grid, axis=1)
    left, right = rows[:, rows.shape[1] - size // 2 :], rows[:, : size - size // 2]
    return _inverse(left, axis=0), _inverse(right, axis=0)


def _inverse(values: np.ndarray, axis: int) -> np.ndarray:
    """Inverse transform without its factor 1/n, in place."""
    result: np.ndarray = scipy.fft.ifft(
        values, axis=axis, norm="forward", overwrite_x=True, workers=thread_count()
    )
    return result


def write_slices(
    halves: tuple[np.ndarray, np.ndarray], radius_px: np.ndarray, scale: float, out: np.ndarray
) -> None:
    """Undo the kernel, cut the circle and write each row of the batch to its slice.

    Parameters
    ----------
    halves : tuple of ndarray
        From `transform_grid`.
    radius_px : ndarray, shape (row,)
        Radius of the reconstructed circle; 0 beyond it.
    scale : float
        Factor to the unit wanted.
    out : ndarray of float32, shape (row, y, x)
        Slices to be written, with the axis in their middle.
    """
    size, cells = out.shape[1], halves[0].shape[0]
    position = np.arange(size) - (size - 1) / 2
    # The transform gives whole positions; the half pixel of an even slice is in the spectra.
    undo = 1 / kernel_transform(np.arange(size) - size // 2, cells)
    parts = (halves[0].view(np.float32), halves[1].view(np.float32))

    def write(first: int, stop: int) -> None:
        _write(parts[0], first, 0, position, undo, radius_px, scale, out[:, first:stop])
        _write(parts[1], first, size // 2, position, undo, radius_px, scale, out[:, first:stop])

    over_ranges(write, size)


@njit(cache=True, nogil=True, fastmath=True)
def _spread_tiles(
    tiles_here: np.ndarray,
    edges: np.ndarray,
    start: np.ndarray,
    runs: np.ndarray,
    step: np.ndarray,
    length: int,
    samples: np.ndarray,
    table: np.ndarray,
    lanes: tuple[int, ...],
    grid: np.ndarray,
) -> None:
    # The lanes come as a tuple because its length is known when this is compiled, which lets
    # the inner loops become vector instructions; so do unsigned indices.
    tiles, cells = edges.size - 1, grid.shape[0]
    side = np.max(np.diff(edges)) + WIDTH - 1
    buffer = np.empty(side * side * len(lanes), dtype=np.float32)
    line = np.empty(WIDTH * len(lanes), dtype=np.float32)
    for tile in tiles_here:
        top, left = edges[tile // tiles], edges[tile % tiles]
        buffer[:] = 0
        for run in range(start[tile], start[tile + 1]):
            angle = runs[run, 0]
            for k in range(runs[run, 1], runs[run, 2]):
                x, at_x = locate(k, step[angle, 0], cells)
                y, at_y = locate(k, step[angle, 1], cells)
                source = angle * length + (k if k >= 0 else k + length)
                _spread_sample(
                    np.uint64(source * len(lanes)),
                    samples,
                    table[at_x],
                    table[at_y],
                    line,
                    np.uint64(((y - top) * side + x - left) * len(lanes)),
                    np.uint64(side * len(lanes)),
                    lanes,
                    buffer,
                )
        _add_tile(buffer, side, top, left, lanes, grid)


@njit(cache=True, nogil=True, fastmath=True)
def _spread_sample(
    source: np.uint64,
    samples: np.ndarray,
    weight_x: np.ndarray,
    weight_y: np.ndarray,
    line: np.ndarray,
    target: np.uint64,
    stride: np.uint64,
    lanes: tuple[int, ...],
    buffer: np.ndarray,
) -> None:
    count = np.uint64(len(lanes))
    for i in range(np.uint64(WIDTH)):
        w = weight_x[i]
        for n in range(count):
            line[i * count + n] = w * samples[source + n]
    for j in range(np.uint64(WIDTH)):
        w = weight_y[j]
        begin = target + j * stride
        for n in range(np.uint64(WIDTH) * count):
            buffer[begin + n] += w * line[n]


@njit(cache=True, nogil=True, fastmath=True)
def _add_tile(
    buffer: np.ndarray, side: int, top: int, left: int, lanes: tuple[int, ...], grid: np.ndarray
) -> None:
    cells = grid.shape[0]
    inside = min(side, cells - left) * len(lanes)
    for j in range(side):
        line = buffer[j * side * len(lanes) : (j + 1) * side * len(lanes)]
        target = grid[(top + j) % cells]
        here = target[left * len(lanes) : left * len(lanes) + inside]
        for n in range(inside):
            here[n] += line[n]
        for n in range(inside, line.size):
            target[n - inside] += line[n]


@njit(cache=True, nogil=True)
def _write(
    part: np.ndarray,
    first: int,
    first_column: int,
    position: np.ndarray,
    undo: np.ndarray,
    radius: np.ndarray,
    scale: float,
    out: np.ndarray,
) -> None:
    rows, height, size = out.shape
    cells = part.shape[0]
    chord = np.empty(rows)
    for j in range(height):
        y = position[first + j]
        source = (first + j - size // 2) % cells
        for r in range(rows):
            # Half the width of the circle at this height; nothing of it where negative.
            chord[r] = np.sqrt(radius[r] ** 2 - y**2) if abs(y) <= radius[r] else -1.0
        for begin in range(0, part.shape[1], BLOCK):
            for r in range(rows):
                for i in range(begin, min(begin + BLOCK, part.shape[1])):
                    column = first_column + i
                    value = np.float32(scale * undo[first + j] * undo[column])
                    inside = abs(position[column]) <= chord[r]
                    out[r, j, column] = value * part[source, i, r] if inside else np.float32(0)
