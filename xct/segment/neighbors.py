"""Where voxels differ from their neighbors. In: a volume, a row of it; out: where to look closer.

Most voxels lie within one body. A whole row is compared at once, so that kernels that look at
every neighbor do so only where a neighbor differs.
"""

from __future__ import annotations

import numpy as np

from xct.parallel.kernels import njit


@njit(cache=True, nogil=True)
def mark_differing(values: np.ndarray, z: int, y: int, both: bool, differs: np.ndarray) -> None:
    """Mark the voxels of a row that differ from a neighbor, and perhaps some beside them.

    Rows are compared as they lie, and what is found is spread along the row: a third of the work
    of comparing with each of the 26 neighbors.

    Parameters
    ----------
    values : ndarray of int, shape (z, y, x)
        Labels or numbers. Beyond the volume there are no neighbors.
    z, y : int
        The row.
    both : bool
        Whether all 26 neighbors count, or only the 13 that come later.
    differs : ndarray of bool, shape (x,)
        Filled.
    """
    depth, height, width = values.shape
    row, other = values[z, y], np.zeros(width, np.bool_)
    for k in range(0 if both else 5, 9):
        w, v = z + k // 3 - 1, y + k % 3 - 1
        if k != 4 and 0 <= w < depth and 0 <= v < height:
            near = values[w, v]
            for x in range(width):
                other[x] |= near[x] != row[x]
    differs[:] = other
    left, right = row[:-1], row[1:]
    before, behind = differs[:-1], differs[1:]
    for x in range(width - 1):
        before[x] |= (left[x] != right[x]) | other[x + 1]
    for x in range(width - 1):
        behind[x] |= (left[x] != right[x]) | other[x]
