"""Where voxels differ from their neighbors. In: a volume, a row of it; out: where to look closer.

Most voxels lie within one body. A whole row is compared at once, so that kernels that look at
every neighbor do so only where a neighbor differs.
"""

from __future__ import annotations

import numpy as np

from xct.parallel.kernels import njit


@njit(cache=True, nogil=True)
def mark_differing(
    values: np.ndarray, z: int, y: int, steps: np.ndarray, both: bool, differs: np.ndarray
) -> None:
    """Mark the voxels of a row that differ from a neighbor.

    Parameters
    ----------
    values : ndarray of int, shape (z, y, x)
        Labels or numbers.
    z, y : int
        The row.
    steps : ndarray of int64, shape (step, 3)
        To the neighbors: z, y, x. Beyond the volume there are none.
    both : bool
        Whether to look against the steps, too.
    differs : ndarray of bool, shape (x,)
        Filled.
    """
    depth, height, width = values.shape
    differs[:] = False
    row = values[z, y]
    for k in range(len(steps) * (1 + both)):
        turn = 1 - 2 * (k % 2) if both else 1
        dz, dy, dx = steps[k // 2 if both else k] * turn
        w, v = z + dz, y + dy
        if w < 0 or w >= depth or v < 0 or v >= height:
            continue
        other = values[w, v]
        low, high = max(0, -dx), min(width, width - dx)
        here, there, marks = row[low:high], other[low + dx : high + dx], differs[low:high]
        for x in range(high - low):
            marks[x] |= here[x] != there[x]
