"""Distance from the surface, up to a limit. In: a mask, plane by plane; out: distances.

Along x, y and z one after the other [1]_. Beyond the limit nothing counts, so that a plane depends
on few others, and what two blocks look at is made once.

.. [1] Saito & Toriwaki (1994), Pattern Recognit. 27, 1551. doi:10.1016/0031-3203(94)90133-3
"""

from __future__ import annotations

from math import ceil

import numpy as np

from xct.parallel.kernels import njit
from xct.parallel.rolling import Rolling
from xct.parallel.threads import over_ranges


def distances(mask: Rolling, size: np.ndarray, limit: float) -> Rolling:
    """Give the distance of each voxel of a mask to the nearest outside of it, at most `limit`.

    Parameters
    ----------
    mask : Rolling
        Planes of bool. What lies beyond the volume is not outside.
    size : ndarray, shape (3,)
        Edges of a voxel, in the unit of `limit`.
    limit : float
        Larger distances are given as this.

    Returns
    -------
    Rolling
        Planes of float32, 0 outside of the mask.
    """
    along = [_squares(edge, limit) for edge in size]
    reach = along[0].size - 1

    def in_plane(first: int, stop: int) -> np.ndarray:
        part = np.ascontiguousarray(mask.planes(first, stop))
        squared = np.empty(part.shape, np.float32)
        over_ranges(lambda a, b: _in_plane(part, along[1], along[2], squared, a, b), len(part))
        return squared

    flat = Rolling(in_plane, mask.depth)

    def whole(first: int, stop: int) -> np.ndarray:
        around = flat.planes(first - reach, stop + reach)
        start = first - max(first - reach, 0)
        found = np.empty((stop - first, *around.shape[1:]), np.float32)
        top = np.float32(limit)
        over_ranges(lambda a, b: _across(around, start, along[0], top, found, a, b), len(found))
        return found

    return Rolling(whole, mask.depth)


def _squares(edge: float, limit: float) -> np.ndarray:
    """Squared distances of 0, 1, … steps; the last is that of the limit or beyond."""
    return np.asarray((np.arange(ceil(limit / edge) + 1) * edge) ** 2, np.float32)


@njit(cache=True, nogil=True)
def _in_plane(
    mask: np.ndarray,
    along_y: np.ndarray,
    along_x: np.ndarray,
    squared: np.ndarray,
    first: int,
    stop: int,
) -> None:
    _, height, width = mask.shape
    far = along_x.size - 1
    rows = np.empty((height, width), np.float32)
    steps = np.empty(width, np.int64)
    filled = np.empty(height, np.bool_)
    for z in range(first, stop):
        for y in range(height):
            row, away = mask[z, y], far
            for x in range(width):
                away = min(away + 1, far) if row[x] else 0
                steps[x] = away
            away = far
            filled[y] = False
            for x in range(width - 1, -1, -1):
                away = min(away + 1, far) if row[x] else 0
                rows[y, x] = along_x[min(steps[x], away)]
                filled[y] |= row[x]
        for y in range(height):
            out = squared[z, y]
            out[:] = rows[y]
            if not filled[y]:
                continue
            for k in range(1, along_y.size):
                for other in (y - k, y + k):
                    if 0 <= other < height:
                        _keep_least(rows[other], along_y[k], out)


@njit(cache=True, nogil=True)
def _across(
    flat: np.ndarray,
    start: int,
    along_z: np.ndarray,
    limit: np.float32,
    found: np.ndarray,
    first: int,
    stop: int,
) -> None:
    depth, height, width = flat.shape
    for z in range(first, stop):
        for y in range(height):
            out = found[z, y]
            out[:] = flat[start + z, y]
            most = np.float32(0)
            for x in range(width):
                most = max(most, out[x])
            if most == 0:
                continue
            for k in range(1, along_z.size):
                for other in (start + z - k, start + z + k):
                    if 0 <= other < depth:
                        _keep_least(flat[other, y], along_z[k], out)
            for x in range(width):
                out[x] = min(np.sqrt(out[x]), limit)


@njit(cache=True, nogil=True)
def _keep_least(line: np.ndarray, further: np.float32, out: np.ndarray) -> None:
    for x in range(out.size):
        out[x] = min(out[x], line[x] + further)
