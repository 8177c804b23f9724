"""Spectra gridded and transformed. In: filtered spectra of a batch of rows; out: slices [1]_.

References
----------
.. [1] O'Sullivan (1985), IEEE Trans. Med. Imaging 4, 200. doi:10.1109/TMI.1985.4307723
"""

from __future__ import annotations

import numpy as np

from xct.parallel.kernels import njit
from xct.parallel.threads import over_ranges
from xct.reconstruct.gridding.fft import inverse_columns, inverse_rows
from xct.reconstruct.gridding.polar import (
    WIDTH,
    Geometry,
    kernel_table,
    kernel_transform,
    locate,
    split,
)
from xct.reconstruct.gridding.vectors import prefetch, spread_samples, turn_block


def grid_spectra(spectra: np.ndarray, geometry: Geometry, grid: np.ndarray) -> None:
    """Spread every polar sample onto the grid.

    Each tile is summed in a small buffer, then put onto the grid. Tiles of one color do not
    touch, so threads need no lock and the sum does not depend on their number.

    Parameters
    ----------
    spectra : ndarray of float32, shape (angle, frequency, row)
        Filtered spectra from -highest to highest; pairs of rows are complex numbers.
    geometry : Geometry
        Where the samples fall.
    grid : ndarray of float32, shape (cell, cell, row)
        Overwritten; frequencies (y, x) in the order of `scipy.fft.fft`.
    """
    lanes = (0,) * grid.shape[2]
    flat = grid.reshape(grid.shape[0], -1)
    for color in geometry.order:

        def spread(first: int, stop: int, color: np.ndarray = color) -> None:
            _spread_tiles(
                color[first:stop],
                geometry.edges,
                geometry.start,
                geometry.runs,
                geometry.step,
                geometry.highest,
                spectra.reshape(-1),
                kernel_table().reshape(-1),
                lanes,
                flat,
            )

        over_ranges(spread, color.size, pieces=4)


def transform_grid(grid: np.ndarray, size: int) -> None:
    """Inverse transform along x, then along y for the columns that are kept; in place.

    The picture's middle is then at the first cell, and it starts `size` // 2 cells before.
    """
    inverse_rows(grid, size)
    inverse_columns(grid, size)


def write_slices(grid: np.ndarray, radius_px: np.ndarray, scale: float, out: np.ndarray) -> None:
    """Undo the kernel, cut the circle and write each row of the batch to its slice.

    Parameters
    ----------
    grid : ndarray of float32, shape (cell, cell, row)
        From `transform_grid`.
    radius_px : ndarray, shape (row,)
        Radius of the reconstructed circle.
    scale : float
        Factor to the unit wanted.
    out : ndarray of float32, shape (row, y, x)
        Slices, with the axis in their middle; only the circle is written.
    """
    size, cells = out.shape[1], grid.shape[0]
    position = np.arange(size) - (size - 1) / 2
    # The transform gives whole positions; the half pixel of an even slice is in the spectra.
    undo = 1 / kernel_transform(np.arange(size) - size // 2, cells)
    halves = (grid[:, cells - size // 2 :], grid[:, : size - size // 2])
    lanes = (0,) * grid.shape[2]

    def write(first: int, stop: int) -> None:
        for half, column in zip(halves, (0, size // 2), strict=True):
            part = out[:, first:stop]
            _write(half, first, column, position, undo, radius_px, scale, lanes, part)

    over_ranges(write, size, pieces=4)


@njit(cache=True, nogil=True)
def _spread_tiles(
    tiles_here: np.ndarray,
    edges: np.ndarray,
    start: np.ndarray,
    runs: np.ndarray,
    step: np.ndarray,
    highest: int,
    samples: np.ndarray,
    table: np.ndarray,
    lanes: tuple[int, ...],
    grid: np.ndarray,
) -> None:
    tiles, width = edges.size - 1, 2 * highest + 1
    side = np.max(np.diff(edges)) + WIDTH - 1
    raw = np.empty(side * side * len(lanes) + 16, dtype=np.float32)
    buffer = raw[-(raw.ctypes.data // 4) % 16 :]  # vectors do not straddle cache lines
    for tile in tiles_here:
        row, column = tile // tiles, tile % tiles
        top, left = edges[row], edges[column]
        height, wide = edges[row + 1] - top + WIDTH - 1, edges[column + 1] - left + WIDTH - 1
        buffer[: height * wide * len(lanes)] = 0
        for run in range(start[tile], start[tile + 1]):
            angle, first, stop = runs[run, 0], runs[run, 1], runs[run, 2]
            after = min(run + 1, runs.shape[0] - 1)
            ahead = runs[after, 0] * width + runs[after, 1] + highest
            _spread_run(
                samples,
                (angle * width + first + highest) * len(lanes),
                ahead * len(lanes),
                stop - first,
                (locate(first, step[angle, 0], grid.shape[0], left), step[angle, 0]),
                (locate(first, step[angle, 1], grid.shape[0], top), step[angle, 1]),
                table,
                wide,
                lanes,
                buffer,
            )
        _put_tile(buffer, (height, wide), (top, left), (row % 2, column % 2), lanes, grid)


@njit(cache=True, nogil=True)
def _spread_run(
    samples: np.ndarray,
    source: int,
    ahead: int,
    count: int,
    along_x: tuple[int, int],
    along_y: tuple[int, int],
    table: np.ndarray,
    wide: int,
    lanes: tuple[int, ...],
    buffer: np.ndarray,
) -> None:
    """Spread samples that follow each other, two at a time where their cells overlap."""
    x, y = along_x[0], along_y[0]
    done = 0
    while done < count:
        cell_x, row_x = split(x)
        cell_y, row_y = split(y)
        next_x, next_row_x = split(x + along_x[1])
        next_y, next_row_y = split(y + along_y[1])
        near = abs(next_x - cell_x) <= 1 and abs(next_y - cell_y) <= 1
        taken = 2 if near and done + 1 < count else 1
        # Samples of the next run are far away in memory: they are fetched in time.
        prefetch(samples, ahead + done * len(lanes))
        prefetch(samples, ahead + (done + 1) * len(lanes))
        spread_samples(
            samples,
            source + done * len(lanes),
            taken,
            table,
            (row_x, row_y, next_row_x, next_row_y),
            (next_x - cell_x, next_y - cell_y),
            buffer,
            (cell_y * wide + cell_x) * len(lanes),
            wide * len(lanes),
            lanes,
        )
        done += taken
        x += taken * along_x[1]
        y += taken * along_y[1]


@njit(cache=True, nogil=True)
def _put_tile(
    buffer: np.ndarray,
    shape: tuple[int, int],
    corner: tuple[int, int],
    odd: tuple[int, int],
    lanes: tuple[int, ...],
    grid: np.ndarray,
) -> None:
    """Write a tile to the grid, or add it where tiles of earlier colors have written.

    Tiles in even rows and columns come first and overlap with nothing; the others share the
    width of the kernel with their neighbors on both sides.
    """
    cells, shared = grid.shape[0], (WIDTH - 1) * len(lanes)
    (height, wide), (top, left) = shape, corner
    for j in range(height):
        line = buffer[j * wide * len(lanes) : (j + 1) * wide * len(lanes)]
        target = grid[(top + j) % cells]
        everywhere = odd[0] == 1 and (j < WIDTH - 1 or j >= height - WIDTH + 1)
        first = line.size if everywhere else shared * odd[1]
        last = max(line.size - first, first)
        _put_part(line[:first], target, left * len(lanes), True)
        _put_part(line[first:last], target, left * len(lanes) + first, False)
        _put_part(line[last:], target, left * len(lanes) + last, True)


@njit(cache=True, nogil=True)
def _put_part(part: np.ndarray, target: np.ndarray, place: int, add: bool) -> None:
    """Add a part of a line to what is there, or write it; what is beyond the end wraps."""
    place %= target.size
    inside = min(part.size, target.size - place)
    here, there = target[place : place + inside], target[: part.size - inside]
    if add:
        for n in range(inside):
            here[n] += part[n]
        for n in range(there.size):
            there[n] += part[inside + n]
    else:
        here[:] = part[:inside]
        there[:] = part[inside:]


@njit(cache=True, nogil=True)
def _write(
    part: np.ndarray,
    first: int,
    first_column: int,
    position: np.ndarray,
    undo: np.ndarray,
    radius: np.ndarray,
    scale: float,
    lanes: tuple[int, ...],
    out: np.ndarray,
) -> None:
    rows, height, size = out.shape
    cells, wide = part.shape[0], len(lanes)
    width = part.shape[1]
    chord = np.empty(rows)
    factors = np.empty(width, dtype=np.float32)
    for j in range(height):
        y = position[first + j]
        line = part[(first + j - size // 2) % cells]
        for r in range(rows):
            # Half the width of the circle at this height; nothing of it where negative.
            chord[r] = np.sqrt(radius[r] ** 2 - y**2) if abs(y) <= radius[r] else -1.0
        for i in range(width):
            factors[i] = np.float32(scale * undo[first + j] * undo[first_column + i])
        least = chord.min()
        i = 0
        while i < width:
            column = first_column + i
            block = i + wide <= width and rows == wide
            ends = abs(position[column]), abs(position[min(column + wide, size) - 1])
            if block and max(ends) <= least:
                target = out[0, j]
                turn_block(
                    line, i * wide, wide, target, column, out.strides[0] // 4, factors, i, lanes
                )
                i += wide
                continue
            for r in range(rows):
                if abs(position[column]) <= chord[r]:
                    out[r, j, column] = factors[i] * line[i, r]
            i += 1
