"""Which bodies and faces reach which tile. In: places, heights; out: lists by tile."""

from __future__ import annotations

import numpy as np

from xct.parallel.kernels import njit
from xct.phantom.cell.substances import TILE


def by_tile(
    center_um: np.ndarray,
    reach_um: np.ndarray,
    first: int,
    tiles: tuple[int, ...],
    voxel_um: float,
) -> tuple[np.ndarray, np.ndarray]:
    """List what reaches each tile, in the order of painting: first of each tile, members."""
    center = center_um / voxel_um
    center[:, 0] -= first
    reach = reach_um / voxel_um
    counts = np.zeros(int(np.prod(tiles)) + 1, np.int64)
    size = np.array(tiles)
    _count(center, reach, size, counts)
    np.cumsum(counts, out=counts)
    members = np.empty(counts[-1], np.int32)
    _list(center, reach, size, counts[:-1].copy(), members)
    return counts, members


@njit(cache=True, nogil=True, inline="always")
def _tile_range(center: float, reach: float, tiles: int) -> tuple[int, int]:
    low = int(np.floor((center - reach + 0.5) / TILE))
    high = int(np.floor((center + reach + 0.5) / TILE))
    return max(low, 0), min(high, tiles - 1) + 1


@njit(cache=True, nogil=True)
def _count(center: np.ndarray, reach: np.ndarray, tiles: np.ndarray, counts: np.ndarray) -> None:
    for i in range(len(reach)):
        z0, z1 = _tile_range(center[i, 0], reach[i], tiles[0])
        y0, y1 = _tile_range(center[i, 1], reach[i], tiles[1])
        x0, x1 = _tile_range(center[i, 2], reach[i], tiles[2])
        for z in range(z0, z1):
            for y in range(y0, y1):
                for x in range(x0, x1):
                    counts[(z * tiles[1] + y) * tiles[2] + x + 1] += 1


@njit(cache=True, nogil=True)
def _list(
    center: np.ndarray, reach: np.ndarray, tiles: np.ndarray, place: np.ndarray, members: np.ndarray
) -> None:
    for i in range(len(reach)):
        z0, z1 = _tile_range(center[i, 0], reach[i], tiles[0])
        y0, y1 = _tile_range(center[i, 1], reach[i], tiles[1])
        x0, x1 = _tile_range(center[i, 2], reach[i], tiles[2])
        for z in range(z0, z1):
            for y in range(y0, y1):
                for x in range(x0, x1):
                    tile = (z * tiles[1] + y) * tiles[2] + x
                    members[place[tile]] = i
                    place[tile] += 1


@njit(cache=True, nogil=True)
def extremes(faces: np.ndarray, tiles_y: int, tiles_x: int) -> np.ndarray:
    """Lowest and highest point of each face about each tile, shape (2, face, y, x)."""
    count, rows, columns = faces.shape
    found = np.empty((2, count, tiles_y, tiles_x), np.float32)
    for f in range(count):
        for ty in range(tiles_y):
            for tx in range(tiles_x):
                low, high = np.inf, -np.inf
                for y in range(max(0, ty * TILE - 1), min(rows, (ty + 1) * TILE + 1)):
                    for x in range(max(0, tx * TILE - 1), min(columns, (tx + 1) * TILE + 1)):
                        low = min(low, faces[f, y, x])
                        high = max(high, faces[f, y, x])
                found[0, f, ty, tx] = low
                found[1, f, ty, tx] = high
    return found
