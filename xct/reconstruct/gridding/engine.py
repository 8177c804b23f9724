"""The Fourier engine: gridding for up to 16 rows at once. In: a request; out: slices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import floor

import numpy as np

from xct.errors import DataError
from xct.parallel.threads import thread_count
from xct.reconstruct.filters import ramp, window_response
from xct.reconstruct.gridding.fft import COLUMNS
from xct.reconstruct.gridding.polar import (
    OVERSAMPLING,
    TILE,
    fast_even,
    geometry,
    grid_cells,
)
from xct.reconstruct.gridding.spectra import CHUNK_BYTES, filtered_spectra
from xct.reconstruct.gridding.transform import grid_spectra, transform_grid, write_slices
from xct.reconstruct.gridding.workspace import borrowed, kept_bytes, release
from xct.reconstruct.inputs import Request

# Rows worked on at once; fewer where there are fewer, or where memory is short.
LANES = (16, 8, 4, 2)
# Length of the padded projection, in widths of what is seen: 2 would be exact, and slower.
PADDING = 1.6
GIB = 2**30


@dataclass(frozen=True)
class Batch:
    """Rows that are worked on together, and the sizes that they need."""

    rows: np.ndarray
    lanes: int
    length: int


class FourierEngine:
    """Gridding: projections are added up in Fourier space; the fastest on CPUs."""

    name = "fourier"
    at_once: int | None = None

    def unavailable(self) -> str | None:
        """Nothing is needed beyond xct itself."""
        return None

    def memory_bytes(self, shape: tuple[int, int, int], size: int) -> float:
        """Memory for a slab: spectra and grid of as many rows as are worked on, and the slices."""
        angles, rows, columns = shape
        of_a_row = PADDING * angles * columns + (OVERSAMPLING * size) ** 2
        return 4 * (LANES[0] * of_a_row + rows * size**2)

    def reconstruct(self, request: Request) -> np.ndarray:
        """Reconstruct in Fourier space; see `xct.reconstruct.fbp`."""
        lanes = affordable_lanes(request)
        volume = np.zeros((request.rows, request.size, request.size), dtype=np.float32)
        margin = (request.size - request.picture) // 2
        middle = volume[:, margin : margin + request.picture, margin : margin + request.picture]
        cells = grid_cells(request.picture)
        for batch in batches(request, lanes):
            with borrowed(cells, cells, batch.lanes) as grid:
                _fill_grid(request, batch, grid)
                transform_grid(grid, request.picture)
                first, stop = batch.rows[0], batch.rows[-1] + 1
                neighbors = stop - first == batch.rows.size
                out = middle[first:stop] if neighbors else np.zeros_like(middle[batch.rows])
                scale = request.scale / batch.length
                write_slices(grid, request.radius_px[batch.rows], scale, out)
                if not neighbors:
                    middle[batch.rows] = out
        return volume


def batches(request: Request, lanes: int) -> Iterator[Batch]:
    """Divide the rows into batches; rows whose axis asks for other sizes stay apart."""
    lengths = padded_lengths(request)
    for length in np.unique(lengths):
        rows = np.flatnonzero(lengths == length)
        for part in np.split(rows, range(lanes, rows.size, lanes)):
            fewest = min(n for n in LANES if n >= part.size)
            yield Batch(part, min(fewest, lanes), int(length))


def padded_lengths(request: Request) -> np.ndarray:
    """Find the padded length of each row: with an axis far off, the circle leaves the detector."""
    before = np.maximum(request.radius_px - 0.5 - request.center_px, 0)
    behind = np.maximum(request.center_px + request.radius_px + 0.5 - request.columns, 0)
    # In steps, so that an axis that moves a little from row to row keeps one geometry.
    beyond = np.ceil(8 * np.maximum(before, behind) / request.columns - 0.5) / 8
    least = np.ceil(PADDING * request.columns * (1 + np.maximum(beyond, 0))).astype(int)
    return np.array([fast_even(max(n, 8)) for n in least])


def needed_gib(request: Request, lanes: int) -> float:
    """Memory that a batch takes beyond the slices themselves."""
    length = int(padded_lengths(request).max())
    angles = request.theta_deg.size
    spectra = angles * length * lanes * 4
    # Each thread converts some projections at a time, and transforms in two arrays.
    longest = max(2 * length, 2 * COLUMNS * grid_cells(request.picture))
    padded = thread_count() * (CHUNK_BYTES + longest * lanes * 4)
    grid = grid_cells(request.picture) ** 2 * lanes * 4
    return (spectra + padded + grid + 24 * angles * length / TILE) / GIB


def affordable_lanes(request: Request) -> int:
    """Most rows that can be worked on at once within the memory that is allowed."""
    memory_gib = request.memory_gib
    if memory_gib is None:
        return LANES[0]
    slices = request.rows * request.size**2 * 4 / GIB
    for lanes in LANES:
        needed = needed_gib(request, lanes)
        if slices + needed <= memory_gib:
            if slices + kept_bytes() / GIB > memory_gib:
                release()
            return lanes
    raise DataError(
        f"memory_gib={memory_gib:.4g} is too small: {request.rows} slices of {request.size} × "
        f"{request.size} take {slices:.3g} GiB and the work on two of them "
        f"{needed_gib(request, 2):.3g} GiB; pass fewer rows at once or allow more"
    )


def _fill_grid(request: Request, batch: Batch, grid: np.ndarray) -> None:
    highest = min(batch.length // 2 - 1, floor(request.cutoff * batch.length / 2))
    places = geometry(request.theta_deg, batch.length, grid.shape[0], highest)
    response = ramp(batch.length) * window_response(request.window, batch.length, request.cutoff)
    theta = np.deg2rad(request.theta_deg)
    # Pixels of an even slice lie half a pixel beside those that the transform gives.
    half = 0.5 * ((request.picture + 1) % 2) * (np.cos(theta) - np.sin(theta))
    center = np.full(batch.lanes, request.center_px[batch.rows[-1]])
    center[: batch.rows.size] = request.center_px[batch.rows]
    shift = half[:, None] + center
    with borrowed(theta.size, 2 * highest + 1, batch.lanes) as spectra:
        filtered_spectra(request.batch(batch.rows), response, request.weights, shift, spectra)
        grid_spectra(spectra, places, grid)
