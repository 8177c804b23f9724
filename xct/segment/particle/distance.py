"""Distance from the surface, up to a limit. In: a mask, plane by plane; out: distances.

Along z, y and x one after the other [1]_. Beyond the limit nothing counts, so that a plane depends
on few others: on their mask alone, a byte a voxel.

.. [1] Saito & Toriwaki (1994), Pattern Recognit. 27, 1551. doi:10.1016/0031-3203(94)90133-3
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

import numpy as np

from xct.parallel.kernels import njit
from xct.parallel.rolling import Rolling
from xct.parallel.threads import over_ranges


def distances(mask: Rolling, size: np.ndarray, limit: float) -> Callable[[int, int], np.ndarray]:
    """Measure the distance of each voxel of a mask to the nearest outside of it, at most `limit`.

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
    callable
        ``planes(first, stop)`` makes planes of float32, 0 outside of the mask.
    """
    along_z, along_y, along_x = (_squares(edge, limit) for edge in size)
    reach = along_z.size - 1

    def make(first: int, stop: int) -> np.ndarray:
        around = np.ascontiguousarray(mask.planes(first - reach, stop + reach))
        start = first - max(first - reach, 0)
        steps = np.empty((stop - first, *around.shape[1:]), np.uint16)
        over_ranges(lambda a, b: _along_z(around, start, reach, steps, a, b), around.shape[1])
        found = np.empty(steps.shape, np.float32)
        top = np.float32(limit)
        over_ranges(
            lambda a, b: _in_plane(steps, along_z, along_y, along_x, top, found, a, b), len(found)
        )
        return found

    return make


def _squares(edge: float, limit: float) -> np.ndarray:
    """Squared distances of 0, 1, … steps; the last is that of the limit or beyond."""
    return np.asarray((np.arange(ceil(limit / edge) + 1) * edge) ** 2, np.float32)


@njit(cache=True, nogil=True)
def _along_z(
    mask: np.ndarray, start: int, far: int, steps: np.ndarray, first: int, stop: int
) -> None:
    """Count the planes, `far` at most, to the nearest that is outside, from row to row."""
    depth, _, width = mask.shape
    away = np.empty(width, np.uint16)
    one, most = np.uint16(1), np.uint16(far)
    for y in range(first, stop):
        away[:] = most
        for z in range(start + len(steps)):
            row = mask[z, y]
            for x in range(width):
                away[x] = min(away[x] + one, most) if row[x] else 0
            if z >= start:
                steps[z - start, y] = away
        away[:] = most
        for z in range(depth - 1, start - 1, -1):
            row = mask[z, y]
            for x in range(width):
                away[x] = min(away[x] + one, most) if row[x] else 0
            if z - start < len(steps):
                out = steps[z - start, y]
                for x in range(width):
                    out[x] = min(out[x], away[x])


@njit(cache=True, nogil=True)
def _in_plane(
    steps: np.ndarray,
    along_z: np.ndarray,
    along_y: np.ndarray,
    along_x: np.ndarray,
    limit: np.float32,
    found: np.ndarray,
    first: int,
    stop: int,
) -> None:
    """Take the least over y and over x of the squares along all axes; a row of 0 stays one."""
    _, height, width = steps.shape
    rows = np.empty((height, width), np.float32)
    filled = np.empty(height, np.bool_)
    pad = along_x.size - 1
    line = np.full(width + 2 * pad, np.inf, np.float32)  # beyond the volume nothing is outside
    middle = line[pad : pad + width]
    for z in range(first, stop):
        for y in range(height):
            most = np.uint16(0)
            for x in range(width):
                most = max(most, steps[z, y, x])
                rows[y, x] = along_z[steps[z, y, x]]
            filled[y] = most > 0
        for y in range(height):
            out = found[z, y]
            if not filled[y]:
                out[:] = 0
                continue
            middle[:] = rows[y]
            for k in range(1, along_y.size):
                for other in (y - k, y + k):
                    if 0 <= other < height:
                        _keep_least(rows[other], along_y[k], middle)
            out[:] = middle
            for k in range(1, pad + 1):
                _keep_least(line[pad - k : pad - k + width], along_x[k], out)
                _keep_least(line[pad + k : pad + k + width], along_x[k], out)
            for x in range(width):
                out[x] = min(np.sqrt(out[x]), limit)


@njit(cache=True, nogil=True)
def _keep_least(line: np.ndarray, further: np.float32, out: np.ndarray) -> None:
    for x in range(out.size):
        out[x] = min(out[x], line[x] + further)
